//! What stands in a secret's place: `<redacted:FORM:DIGEST>`.
//!
//! The form says why it was taken out. The digest is the same for the same secret within one run of one agent, so that
//! two uses of one password are seen to be one; it is made with a key that is random, never leaves memory and dies with
//! the agent, so that nobody can try passwords against it elsewhere. The length of what was there shows nowhere.

use std::sync::OnceLock;

use ring::hmac;
use ring::rand::SystemRandom;

const BEGIN: &str = "<redacted:";
/// Digits of a digest: 32 bits tell a run's secrets apart, and are far too few to tell what they are.
const DIGITS: usize = 8;
/// Longest name of a form.
pub(super) const NAME_MAX: usize = 24;

/// Writes the mark of a secret.
pub(super) fn push(text: &mut String, form: &str, secret: &str, has_digest: bool) {
    text.push_str(BEGIN);
    text.push_str(form);
    if let (true, Some(key)) = (has_digest, key()) {
        text.push(':');
        let digest = hmac::sign(key, secret.as_bytes());
        let digits = digest.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]).take(DIGITS);
        text.extend(digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)));
    }
    text.push('>');
}

/// None: the system gives no chance, and marks go without a digest.
fn key() -> Option<&'static hmac::Key> {
    static KEY: OnceLock<Option<hmac::Key>> = OnceLock::new();
    KEY.get_or_init(|| hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok()).as_ref()
}

/// Bytes of the mark that a text begins with.
pub(super) fn length(text: &str) -> Option<usize> {
    let rest = text.strip_prefix(BEGIN)?;
    let is_name = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_';
    let name = rest.bytes().take(NAME_MAX + 1).take_while(is_name).count();
    if name == 0 || name > NAME_MAX {
        return None;
    }
    let behind = rest.get(name..)?;
    let digest = match behind.strip_prefix(':') {
        Some(digits) => {
            let is_digest = digits.bytes().take(DIGITS).filter(u8::is_ascii_hexdigit).count() == DIGITS;
            is_digest.then_some(1 + DIGITS)?
        }
        None => 0,
    };
    behind.get(digest..)?.starts_with('>').then_some(BEGIN.len() + name + digest + 1)
}

/// Where marks are in a text, in order.
pub(super) fn places(text: &str) -> impl Iterator<Item = (usize, usize)> {
    text.match_indices(BEGIN).filter_map(|(at, _)| Some((at, at + length(text.get(at..)?)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(secret: &str) -> String {
        let mut text = String::new();
        push(&mut text, "option", secret, true);
        text
    }

    #[test]
    fn equal_secrets_have_equal_marks_and_no_others() {
        assert_eq!(mark("hunter2"), mark("hunter2"));
        assert_ne!(mark("hunter2"), mark("hunter3"));
        assert_eq!(mark("a").len(), mark(&"a".repeat(999)).len(), "a mark tells no length");
        let mut bare = String::new();
        push(&mut bare, "option", "hunter2", false);
        assert_eq!(bare, "<redacted:option>");
    }

    #[test]
    fn a_mark_is_known_again() {
        let text = format!("a {}{} <redacted:x> <redacted:> <redacted:x:12> b", mark("1"), mark("2"));
        let found: Vec<&str> = places(&text).map(|(begin, end)| &text[begin..end]).collect();
        assert_eq!(found, [mark("1").as_str(), mark("2").as_str(), "<redacted:x>"]);
    }
}
