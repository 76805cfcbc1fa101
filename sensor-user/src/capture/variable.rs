//! Names of environment variables.

use std::fmt;
use std::str::FromStr;

use super::CaptureError;

/// Bytes by which the kernel half tells variables apart.
const KEY_SIZE: usize = 8;
/// In the place of a value that must stay secret.
pub(crate) const SET: &str = "(set)";
/// Names with one of these have values that must stay secret.
const SECRET_WORDS: [&str; 6] = ["SECRET", "TOKEN", "PASSWORD", "PASSWD", "PASSPHRASE", "CONNECTION_STRING"];
/// And names with one of these at their end.
const SECRET_ENDS: [&str; 2] = ["_KEY", "_PASS"];

/// A name, or the beginning of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    name: String,
    is_prefix: bool,
}

impl Variable {
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        if self.is_prefix { name.starts_with(&self.name) } else { name == self.name }
    }

    /// The first bytes of `NAME=value`, as the kernel half compares them.
    #[must_use]
    pub fn key(&self) -> u64 {
        let mut key = [0; KEY_SIZE];
        key.iter_mut().zip(self.name.bytes().chain(*b"=")).for_each(|(to, from)| *to = from);
        u64::from_ne_bytes(key)
    }
}

impl FromStr for Variable {
    type Err = CaptureError;

    fn from_str(text: &str) -> Result<Self, CaptureError> {
        let (name, is_prefix) = text.strip_suffix('*').map_or((text, false), |name| (name, true));
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || !name.bytes().all(is_name) {
            return Err(CaptureError::Name(text.to_owned()));
        }
        if name.len() + usize::from(!is_prefix) < KEY_SIZE {
            return Err(CaptureError::Short(text.to_owned()));
        }
        Ok(Self { name: name.to_owned(), is_prefix })
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name, if self.is_prefix { "*" } else { "" })
    }
}

impl<'de> serde::Deserialize<'de> for Variable {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A variable without what must stay secret: a secret's value, and what stands before the `@` of a URL.
pub(super) fn tell(name: &str, value: &str) -> String {
    let upper = name.to_ascii_uppercase();
    if SECRET_WORDS.iter().any(|word| upper.contains(word))
        || SECRET_ENDS.iter().any(|end| upper.ends_with(end))
    {
        return format!("{name}={SET}");
    }
    let (scheme, rest) = value.split_once("://").map_or(("", value), |(scheme, rest)| (scheme, rest));
    let authority = rest.split('/').next().unwrap_or(rest);
    let Some((_, host)) = authority.rsplit_once('@') else { return format!("{name}={value}") };
    let path = rest.get(authority.len()..).unwrap_or_default();
    let separator = if scheme.is_empty() { "" } else { "://" };
    format!("{name}={scheme}{separator}{SET}@{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["LD_PRELOAD", "RCLONE_CONFIG*", "ABCDEFG"] {
            assert_eq!(good.parse::<Variable>().unwrap().to_string(), good);
        }
        for (bad, why) in [
            ("", CaptureError::Name(String::new())),
            ("A*B", CaptureError::Name("A*B".to_owned())),
            ("HTTP PROXY", CaptureError::Name("HTTP PROXY".to_owned())),
            ("PATH", CaptureError::Short("PATH".to_owned())),
            ("AWS_*", CaptureError::Short("AWS_*".to_owned())),
        ] {
            assert_eq!(bad.parse::<Variable>(), Err(why));
        }
    }

    #[test]
    fn the_key_is_what_the_kernel_reads() {
        let key = |name: &str| name.parse::<Variable>().unwrap().key();
        assert_eq!(key("LD_AUDIT"), u64::from_ne_bytes(*b"LD_AUDIT"));
        assert_eq!(key("ABCDEFG"), u64::from_ne_bytes(*b"ABCDEFG="));
        assert_eq!(key("RCLONE_CONFIG*"), u64::from_ne_bytes(*b"RCLONE_C"));
    }

    #[test]
    fn secrets_keep_their_names_only() {
        assert_eq!(tell("GITHUB_TOKEN", "x"), "GITHUB_TOKEN=(set)");
        assert_eq!(tell("tls_private_key", "x"), "tls_private_key=(set)");
        assert_eq!(tell("all_proxy", "me:p@ss@h:1080"), "all_proxy=(set)@h:1080");
        assert_eq!(tell("http_proxy", "http://h/a@b"), "http_proxy=http://h/a@b");
    }
}
