//! Where a receiver over HTTP is, from one word of the configuration.

use std::fmt::{self, Write as _};

use http::uri::PathAndQuery;
use ring::digest::{SHA256, digest};

use crate::sink::authority::{authority, shown};
use crate::sink::tls::{TlsError, TlsKeys, TlsKeysError, TlsTarget};

/// Segments of a path that are shown. Receivers that put a secret into the address have it further in
/// (`/services/T00/B00/SECRET`, `/api/webhooks/ID/SECRET`).
const SEGMENTS_SHOWN: usize = 2;

/// Bytes of an address's SHA-256 that tell it from others that look the same when they are shown.
const DIGEST_SHOWN: usize = 4;

/// A kind of address: what it begins with, and the port that is usual there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scheme {
    pub name: &'static str,
    pub is_tls: bool,
    pub port: u16,
}

/// Where a receiver is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HttpAddress {
    scheme: &'static str,
    place: Place,
    path: PathAndQuery,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Plain { host: String, port: u16 },
    Tls(TlsTarget),
}

/// Why a word is no such address. It is not repeated: it may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no address of a receiver: {reason}; write {schemes}")]
pub struct HttpAddressError {
    pub reason: &'static str,
    pub schemes: String,
}

impl HttpAddress {
    /// Reads one of `schemes`; `path` is what is asked for where the word names none.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(text: &str, schemes: &[Scheme], path: &'static str) -> Result<Self, HttpAddressError> {
        let fault = |reason| HttpAddressError { reason, schemes: written(schemes) };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| fault("it has no scheme"))?;
        let scheme = schemes
            .iter()
            .find(|known| known.name.eq_ignore_ascii_case(scheme))
            .ok_or_else(|| fault("its scheme is none of those that are known here"))?;
        let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (place, rest) = rest.split_at(at);
        if place.contains('@') {
            return Err(fault("a user or a password stands in it: name a file with `token_file` instead"));
        }
        if rest.contains('#') {
            return Err(fault("a fragment (`#`) is never sent to a receiver: leave it out"));
        }
        let (host, port) = authority(place, scheme.port).map_err(fault)?;
        let place = if scheme.is_tls {
            Place::Tls(TlsTarget::new(host, port).map_err(fault)?)
        } else {
            Place::Plain { host, port }
        };
        let path = match rest {
            "" => Ok(PathAndQuery::from_static(path)),
            query if query.starts_with('?') => PathAndQuery::try_from(format!("{path}{query}")),
            rest => PathAndQuery::try_from(rest),
        };
        let path = path.map_err(|_| fault("its path holds a character that has to be written as %XX"))?;
        Ok(Self { scheme: scheme.name, place, path })
    }

    /// With what the map of the configuration says of TLS.
    pub(super) fn with_keys(self, keys: TlsKeys, secure: &'static str) -> Result<Self, TlsKeysError> {
        let place = match self.place {
            Place::Tls(target) => Place::Tls(target.with_settings(keys.settings()?)),
            plain @ Place::Plain { .. } => {
                keys.refuse(&format!("{}://", self.scheme), secure)?;
                plain
            }
        };
        Ok(Self { place, ..self })
    }

    /// Reads the files that it takes to connect, the first time only.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub(super) fn prepare(&self) -> Result<(), TlsError> {
        match &self.place {
            Place::Tls(target) => target.connector().map(drop),
            Place::Plain { .. } => Ok(()),
        }
    }

    /// What is sent there can be read on the way.
    pub(super) fn is_in_the_clear(&self) -> bool {
        match &self.place {
            Place::Plain { host, .. } => {
                let host: Result<std::net::IpAddr, _> = host.parse();
                !host.is_ok_and(|ip| ip.is_loopback())
            }
            Place::Tls(_) => false,
        }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Name or address, and port.
    pub(in crate::sink) fn server(&self) -> (&str, u16) {
        match &self.place {
            Place::Plain { host, port } | Place::Tls(TlsTarget { host, port, .. }) => (host, *port),
        }
    }

    /// What stands before `://`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// What is asked for there.
    #[must_use]
    pub fn path(&self) -> &PathAndQuery {
        &self.path
    }

    /// The same place, asked for something else.
    pub(in crate::sink) fn with_path(self, path: &'static str) -> Self {
        Self { path: PathAndQuery::from_static(path), ..self }
    }

    /// `host:port`, as the header `Host` has it (RFC 9110 section 7.2).
    #[must_use]
    pub fn authority(&self) -> String {
        match &self.place {
            Place::Plain { host, port } | Place::Tls(TlsTarget { host, port, .. }) => shown(host, *port),
        }
    }
}

/// As it may be shown: addresses of hooks often are the secret that lets in, so of a long path only the beginning stands,
/// of a query nothing, and a digest tells two of them apart.
impl fmt::Display for HttpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority())?;
        let path = self.path.path();
        if self.path == "/" {
            return Ok(());
        }
        let shown: Vec<&str> = path.split('/').skip(1).take(SEGMENTS_SHOWN).collect();
        let shown = format!("/{}", shown.join("/"));
        f.write_str(&shown)?;
        if shown == path && self.path.query().is_none() {
            return Ok(());
        }
        f.write_str("…")?;
        let digest = digest(&SHA256, self.path.as_str().as_bytes());
        digest.as_ref().iter().take(DIGEST_SHOWN).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The ways in which such an address can be written, for who mistyped one.
fn written(schemes: &[Scheme]) -> String {
    let mut text = String::new();
    for (at, scheme) in schemes.iter().enumerate() {
        let between = if at == 0 { "" } else { " or " };
        // A String takes everything.
        let _ = write!(text, "{between}{}://HOST:PORT", scheme.name);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMES: [Scheme; 2] =
        [Scheme { name: "http", is_tls: false, port: 80 }, Scheme { name: "https", is_tls: true, port: 443 }];

    fn parse(text: &str) -> Result<HttpAddress, HttpAddressError> {
        HttpAddress::parse(text, &SCHEMES, "/")
    }

    #[test]
    fn reads_and_shows() {
        for (text, shown, path) in [
            ("http://h", "http://h:80", "/"),
            ("https://h/", "https://h:443", "/"),
            ("HTTPS://h:8443/a", "https://h:8443/a", "/a"),
            ("http://[::1]:2801/a/b", "http://[::1]:2801/a/b", "/a/b"),
            ("http://h?x=1", "http://h:80/…9d5f2e89", "/?x=1"),
            (
                "https://hooks.example.org/services/T0/B0/s3cret",
                "https://hooks.example.org:443/services/T0…8ce79741",
                "/services/T0/B0/s3cret",
            ),
        ] {
            let address = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((address.to_string().as_str(), address.path().as_str()), (shown, path));
        }
    }

    #[test]
    fn two_hooks_of_one_host_have_two_names() {
        let name = |text| parse(text).unwrap().to_string();
        assert_ne!(name("https://h/services/T0/B0/a"), name("https://h/services/T0/B0/b"));
        assert_ne!(name("https://h/?key=a"), name("https://h/?key=b"));
    }

    #[test]
    fn refuses_with_the_reason_and_repeats_nothing() {
        for (text, reason) in [
            ("h/s3cret", "no scheme"),
            ("ftp://h/s3cret", "none of those"),
            ("http:///s3cret", "names no host"),
            ("http://user:s3cret@h", "`token_file`"),
            ("http://h/s3cret#x", "fragment"),
            ("http://h/s3 cret", "%XX"),
            ("http://h:0/s3cret", "no number from 1"),
            ("https://a..b/s3cret", "that a certificate can be for"),
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains(reason) && !error.contains("s3cret"), "{text}: {error}");
            assert!(error.ends_with("write http://HOST:PORT or https://HOST:PORT"), "{error}");
        }
    }
}
