//! One entry of `syslog:` in the configuration: a word, or a map of the word, the form of messages and what TLS needs.

use std::fmt;
use std::path::PathBuf;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use super::{SyslogTarget, SyslogTargetError};
use crate::sink::form::Form;
use crate::sink::tls::{TlsKeys, TlsKeysError};

/// A receiver, and in what form it gets messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyslogReceiver {
    pub target: SyslogTarget,
    pub form: Form,
}

impl From<SyslogTarget> for SyslogReceiver {
    fn from(target: SyslogTarget) -> Self {
        Self { target, form: Form::default() }
    }
}

/// The map. `url` is the word.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    url: String,
    #[serde(default)]
    format: Form,
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    fingerprint: Option<String>,
}

/// Why a map is no receiver.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum EntryError {
    #[error(transparent)]
    Url(#[from] SyslogTargetError),
    #[error(transparent)]
    Tls(#[from] TlsKeysError),
    #[error(
        "{url} has fields of its own with the whole document beside them, and takes no `{form}`: leave `format` out"
    )]
    Form { url: String, form: &'static str },
}

impl TryFrom<Entry> for SyslogReceiver {
    type Error = EntryError;

    fn try_from(entry: Entry) -> Result<Self, EntryError> {
        let Entry { url, format: form, ca, certificate, key, fingerprint } = entry;
        let keys = TlsKeys { ca, certificate, key, fingerprint };
        let target = match url.parse()? {
            SyslogTarget::Tls(target) => SyslogTarget::Tls(target.with_settings(keys.settings()?)),
            SyslogTarget::Relps(target) => SyslogTarget::Relps(target.with_settings(keys.settings()?)),
            plain @ SyslogTarget::Relp { .. } => {
                keys.refuse(&url, "relps://")?;
                plain
            }
            plain @ (SyslogTarget::Udp { .. }
            | SyslogTarget::Tcp { .. }
            | SyslogTarget::Unix { .. }
            | SyslogTarget::Journal { .. }) => {
                keys.refuse(&url, "tls://")?;
                plain
            }
        };
        if matches!(target, SyslogTarget::Journal { .. }) && form != Form::Ecs {
            return Err(EntryError::Form { url, form: form.name() });
        }
        Ok(Self { target, form })
    }
}

impl<'de> Deserialize<'de> for SyslogReceiver {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordOrMap)
    }
}

struct WordOrMap;

impl<'de> Visitor<'de> for WordOrMap {
    type Value = SyslogReceiver;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a receiver such as tls://HOST:PORT, or a map with its `url`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<SyslogReceiver, E> {
        text.parse::<SyslogTarget>().map(SyslogReceiver::from).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SyslogReceiver, A::Error> {
        Entry::deserialize(MapAccessDeserializer::new(map))?.try_into().map_err(A::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::tls::{Identity, TlsSettings};

    const DIGITS: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn read_whole(text: &str) -> Result<SyslogReceiver, String> {
        serde_saphyr::from_str(text).map_err(|error| error.to_string())
    }

    fn read(text: &str) -> Result<SyslogTarget, String> {
        read_whole(text).map(|receiver| receiver.target)
    }

    #[test]
    fn a_map_says_the_form() {
        for (text, form) in [
            ("udp://h:1", Form::Ecs),
            ("{url: \"udp://h:1\"}", Form::Ecs),
            ("{url: \"udp://h:1\", format: cef}", Form::Cef),
            ("{url: \"tls://h:1\", format: ocsf}", Form::Ocsf),
        ] {
            assert_eq!(read_whole(text).unwrap().form, form, "{text}");
        }
        let error = read_whole("{url: \"udp://h:1\", format: leef}").unwrap_err();
        assert!(error.contains("leef") && error.contains("ocsf"), "{error}");
    }

    #[test]
    fn a_word_and_a_map_of_it_are_the_same() {
        for word in ["udp://h:1", "tcp://h:1", "tls://h:1", "relp://h:1", "relps://h:1", "unix:///dev/log"] {
            let target: SyslogTarget = word.parse().unwrap();
            assert_eq!(read(word).as_ref(), Ok(&target));
            assert_eq!(read(&format!("{{url: \"{word}\"}}")), Ok(target));
        }
    }

    #[test]
    fn a_map_says_what_tls_needs() {
        let text = format!(
            "url: tls://h\nca: /a.pem\ncertificate: /c.pem\nkey: /k.pem\nfingerprint: \"sha256:{DIGITS}\"\n"
        );
        let SyslogTarget::Tls(target) = read(&text).unwrap() else { panic!("no TLS") };
        assert_eq!((target.host.as_str(), target.port), ("h", 6514));
        let identity = Identity { certificate: "/c.pem".into(), key: "/k.pem".into() };
        let expected = TlsSettings {
            ca: Some("/a.pem".into()),
            identity: Some(identity),
            fingerprint: Some(format!("sha256:{DIGITS}").parse().unwrap()),
        };
        assert_eq!(target.settings, expected);
        assert_ne!(SyslogTarget::Tls(target), "tls://h".parse().unwrap());
    }

    #[test]
    fn refuses_with_the_reason() {
        for (text, reason) in [
            (
                "{url: \"tcp://h:1\", ca: /a}",
                "`ca` says how to trust tcp://h:1, which is sent to in the clear",
            ),
            (
                "{url: \"relp://h:1\", ca: /a}",
                "`ca` says how to trust relp://h:1, which is sent to in the clear: write relps:// there",
            ),
            ("{url: \"udp://h:1\", fingerprint: x}", "`fingerprint` says how to trust"),
            ("{url: \"unix:///dev/log\", certificate: /a, key: /b}", "`certificate` says how to trust"),
            ("{url: \"tls://h\", certificate: /a}", "`certificate` stands without `key`"),
            ("{url: \"tls://h\", key: /a}", "`key` stands without `certificate`"),
            ("{url: \"tls://h\", fingerprint: \"sha1:00\"}", "`sha1:00` is no fingerprint: it is `sha256:`"),
            ("{url: \"ftp://h\"}", "none of udp, tcp, tls, relp, relps, unix, journal"),
            ("{url: \"journal://\", format: cef}", "takes no `cef`: leave `format` out"),
            ("{url: \"tls://h\", verify: false}", "verify"),
            ("{ca: /a}", "url"),
            ("{url: {url: \"tls://h\"}}", "string"),
            ("514", "a receiver such as tls://HOST:PORT"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
