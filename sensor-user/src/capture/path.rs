//! Paths of files that hold secrets.

use std::fmt;
use std::str::FromStr;

use super::CaptureError;

/// Room for a name in the kernel half, its NUL included.
const NAME_SIZE: usize = 16;
/// Characters before a `*` at the end of a name.
const PREFIX_SIZE: usize = 3;
/// Parts of a path that are compared. Bounds the search, and no real path of a secret has half as many.
const PARTS_MAX: usize = 32;

/// A path in which `*` stands for any part of a name and `**` for any directories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretPath {
    text: String,
}

impl SecretPath {
    /// Is it this path?
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let (pattern, path) = (parts(&self.text), parts(path));
        path.len() <= 2 * PARTS_MAX && matches_parts(&pattern, &path)
    }

    /// Is the last part like this name?
    #[must_use]
    pub fn matches_name(&self, name: &str) -> bool {
        matches_name(self.name(), name)
    }

    /// The last part.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text.rsplit('/').next().unwrap_or(&self.text)
    }

    /// The parts, from the root or behind `**`.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.text.split('/').filter(|part| !part.is_empty())
    }

    /// The last part as the kernel half compares it: cut, or the beginning with its `*`.
    #[must_use]
    pub fn key(&self) -> [u8; NAME_SIZE] {
        name_key(self.name())
    }
}

/// A name as the kernel half reads it: cut, with a NUL at its end in any case.
#[must_use]
pub fn name_key(name: &str) -> [u8; NAME_SIZE] {
    let mut key = [0; NAME_SIZE];
    key.iter_mut().take(NAME_SIZE - 1).zip(name.bytes()).for_each(|(to, from)| *to = from);
    key
}

impl FromStr for SecretPath {
    type Err = CaptureError;

    fn from_str(text: &str) -> Result<Self, CaptureError> {
        if !text.starts_with('/') && !text.starts_with("**/") {
            return Err(CaptureError::Relative(text.to_owned()));
        }
        let path = Self { text: text.to_owned() };
        let name = path.name();
        let is_usable = match name.split_once('*') {
            None => !name.is_empty(),
            Some((prefix, rest)) => prefix.len() == PREFIX_SIZE && rest.is_empty(),
        };
        if !is_usable {
            return Err(CaptureError::Last(text.to_owned()));
        }
        if path.parts().count() > PARTS_MAX {
            return Err(CaptureError::Deep(text.to_owned()));
        }
        Ok(path)
    }
}

impl fmt::Display for SecretPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de> serde::Deserialize<'de> for SecretPath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

fn parts(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !part.is_empty()).collect()
}

/// As for names below, with parts in place of characters and `**` in place of `*`.
fn matches_parts(pattern: &[&str], path: &[&str]) -> bool {
    let (mut at, mut done, mut star) = (0, 0, None);
    while let Some(part) = path.get(done) {
        match pattern.get(at) {
            Some(&"**") => {
                star = Some((at, done));
                at += 1;
            }
            Some(expected) if matches_name(expected, part) => {
                at += 1;
                done += 1;
            }
            Some(_) | None => {
                // The last `**` takes one part more.
                let Some((place, taken)) = star else { return false };
                star = Some((place, taken + 1));
                (at, done) = (place + 1, taken + 1);
            }
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|part| *part == "**"))
}

/// One name against one with `*`: the pieces between them follow each other.
pub(crate) fn matches_name(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(first) else { return false };
    let mut pieces = rest.split('*').peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return name.ends_with(piece);
        }
        let Some(place) = name.find(piece) else { return false };
        name = name.get(place + piece.len()..).unwrap_or_default();
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> SecretPath {
        text.parse().unwrap()
    }

    #[test]
    fn stars_stand_for_names_and_directories() {
        for (pattern, good, bad) in [
            ("/a/b", &["/a/b"][..], &["/a/b/c", "/x/a/b", "/a/bc", ""][..]),
            ("**/b", &["/b", "/a/b", "/a/a/b"], &["/b/a"]),
            ("/a/**/b", &["/a/b", "/a/x/b", "/a/b/b"], &["/b", "/x/a/b"]),
            ("/a/*/b", &["/a/x/b"], &["/a/b", "/a/x/y/b"]),
            ("/h*e/b", &["/home/b", "/he/b"], &["/home2/b"]),
            ("/*a*b/c", &["/xaxb/c", "/ab/c"], &["/ba/c"]),
            ("**/.ssh/id_*", &["/r/.ssh/id_rsa", "/.ssh/id_"], &["/r/.ssh/known", "/r/.ssh/x/id_rsa"]),
        ] {
            for one in good {
                assert!(path(pattern).matches(one), "{pattern} {one}");
            }
            for one in bad {
                assert!(!path(pattern).matches(one), "{pattern} {one}");
            }
        }
    }

    #[test]
    fn what_the_kernel_cannot_look_for_is_refused() {
        for (text, why) in [
            ("etc/shadow", CaptureError::Relative("etc/shadow".to_owned())),
            ("/etc/", CaptureError::Last("/etc/".to_owned())),
            ("/etc/*", CaptureError::Last("/etc/*".to_owned())),
            ("/etc/id*", CaptureError::Last("/etc/id*".to_owned())),
            ("/etc/x*y", CaptureError::Last("/etc/x*y".to_owned())),
        ] {
            assert_eq!(text.parse::<SecretPath>(), Err(why));
        }
        let deep = "/x".repeat(33);
        assert_eq!(deep.parse::<SecretPath>(), Err(CaptureError::Deep(deep)));
    }

    #[test]
    fn the_key_is_what_the_kernel_reads() {
        assert_eq!(&path("/etc/shadow").key(), b"shadow\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(&path("**/.ssh/id_*").key(), b"id_*\0\0\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(&path("**/application_default_credentials.json").key(), b"application_def\0");
    }

    proptest! {
        #[test]
        fn every_path_matches_itself_and_ends(parts in prop::collection::vec("[a-z*]{1,6}", 1..8), path: String) {
            let pattern = SecretPath { text: format!("**/{}", parts.join("/")) };
            let _ = pattern.matches(&path);
            let plain = parts.join("/").replace('*', "");
            let itself = SecretPath { text: format!("/{plain}") };
            prop_assert!(itself.matches(&itself.text));
        }
    }
}
