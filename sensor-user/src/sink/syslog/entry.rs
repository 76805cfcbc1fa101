//! One entry of `syslog:` in the configuration: a word, or a map of the word and what TLS needs.

use std::fmt;
use std::path::PathBuf;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use super::tls::{FingerprintError, Identity, TlsSettings, TlsTarget};
use super::{SyslogTarget, SyslogTargetError};

/// The map. `url` is the word.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    url: String,
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
    #[error(
        "`{key}` says how to trust {url}, which is sent to in the clear: write {secure}:// there, or leave `{key}` out"
    )]
    Plain { key: &'static str, url: String, secure: &'static str },
    #[error("`{given}` stands without `{missing}`: name both, or none")]
    Half { given: &'static str, missing: &'static str },
    #[error("`{text}` is no fingerprint: {reason}")]
    Fingerprint { text: String, reason: FingerprintError },
}

impl TryFrom<Entry> for SyslogTarget {
    type Error = EntryError;

    fn try_from(entry: Entry) -> Result<Self, EntryError> {
        let Entry { url, ca, certificate, key, fingerprint } = entry;
        let (target, kind): (_, fn(TlsTarget) -> Self) = match url.parse()? {
            Self::Tls(target) => (target, Self::Tls),
            Self::Relps(target) => (target, Self::Relps),
            plain @ (Self::Udp { .. }
            | Self::Tcp { .. }
            | Self::Relp { .. }
            | Self::Unix { .. }
            | Self::Journal { .. }) => {
                let secure = if plain.acknowledges() { "relps" } else { "tls" };
                let given = [
                    ("ca", ca.is_some()),
                    ("certificate", certificate.is_some()),
                    ("key", key.is_some()),
                    ("fingerprint", fingerprint.is_some()),
                ];
                return match given.into_iter().find(|(_, is_given)| *is_given) {
                    Some((key, _)) => Err(EntryError::Plain { key, url, secure }),
                    None => Ok(plain),
                };
            }
        };
        let identity = match (certificate, key) {
            (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
            (None, None) => None,
            (Some(_), None) => return Err(EntryError::Half { given: "certificate", missing: "key" }),
            (None, Some(_)) => return Err(EntryError::Half { given: "key", missing: "certificate" }),
        };
        let fingerprint = fingerprint
            .map(|text| text.parse().map_err(|reason| EntryError::Fingerprint { text, reason }))
            .transpose()?;
        Ok(kind(target.with_settings(TlsSettings { ca, identity, fingerprint })))
    }
}

impl<'de> Deserialize<'de> for SyslogTarget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordOrMap)
    }
}

struct WordOrMap;

impl<'de> Visitor<'de> for WordOrMap {
    type Value = SyslogTarget;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a receiver such as tls://HOST:PORT, or a map with its `url`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<SyslogTarget, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SyslogTarget, A::Error> {
        Entry::deserialize(MapAccessDeserializer::new(map))?.try_into().map_err(A::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn read(text: &str) -> Result<SyslogTarget, String> {
        serde_saphyr::from_str(text).map_err(|error| error.to_string())
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
