//! Which receiver, from one word of configuration: `udp://host:port`, `tcp://host:port`, `tls://host:port`,
//! `relp://host:port`, `relps://host:port`, `unix:///dev/log`, `journal://`. What else can be said of one is in [`entry`](super::entry).

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::journal::SOCKET;
use crate::sink::authority::{authority, shown};
use crate::sink::tls::{TlsError, TlsTarget};

/// A syslog receiver.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SyslogTarget {
    /// RFC 5426: one message a datagram.
    Udp { host: String, port: u16 },
    /// RFC 6587 with octet counting.
    Tcp { host: String, port: u16 },
    /// RFC 5425.
    Tls(TlsTarget),
    /// RELP: every message is acknowledged.
    Relp { host: String, port: u16 },
    /// RELP over TLS, from the first byte on.
    Relps(TlsTarget),
    /// A local datagram socket, in the form of RFC 3164.
    Unix { path: PathBuf },
    /// systemd's journal, by its own socket.
    Journal { path: PathBuf },
}

/// Why a word is no receiver.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no syslog receiver: {reason}; write udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT, \
     relp://HOST:PORT, relps://HOST:PORT, unix:///dev/log or journal://"
)]
pub struct SyslogTargetError {
    pub text: String,
    pub reason: &'static str,
}

/// Port of RFC 5426 and of what listens for RFC 6587 by habit (there is no assigned one).
const PORT_DEFAULT: u16 = 514;

/// Port of RFC 5425 section 4.1.
const PORT_TLS: u16 = 6514;

/// Port that librelp takes where none is said.
const PORT_RELP: u16 = 20_514;

impl SyslogTarget {
    /// Reads the files that it takes to connect; nothing for receivers without TLS. What is read here is not
    /// read again, so a mistake in it shows before anything else happens.
    ///
    /// # Errors
    /// A file that cannot be used, named with the reason.
    pub fn prepare(&self) -> Result<(), TlsError> {
        match self {
            Self::Tls(target) | Self::Relps(target) => target.connector().map(drop),
            Self::Udp { .. } | Self::Tcp { .. } | Self::Relp { .. } => Ok(()),
            Self::Unix { .. } | Self::Journal { .. } => Ok(()),
        }
    }

    /// Whether it answers each message, so that nothing has to be guessed from silence.
    pub(super) fn acknowledges(&self) -> bool {
        match self {
            Self::Relp { .. } | Self::Relps(_) => true,
            Self::Udp { .. } | Self::Tcp { .. } | Self::Tls(_) => false,
            Self::Unix { .. } | Self::Journal { .. } => false,
        }
    }
}

impl FromStr for SyslogTarget {
    type Err = SyslogTargetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fault = |reason| SyslogTargetError { text: text.to_owned(), reason };
        let (scheme, place) = text.split_once("://").ok_or_else(|| fault("it has no scheme"))?;
        match scheme {
            "udp" => {
                authority(place, PORT_DEFAULT).map(|(host, port)| Self::Udp { host, port }).map_err(fault)
            }
            "tcp" => {
                authority(place, PORT_DEFAULT).map(|(host, port)| Self::Tcp { host, port }).map_err(fault)
            }
            "tls" => authority(place, PORT_TLS)
                .and_then(|(host, port)| TlsTarget::new(host, port))
                .map(Self::Tls)
                .map_err(fault),
            "relp" => {
                authority(place, PORT_RELP).map(|(host, port)| Self::Relp { host, port }).map_err(fault)
            }
            "relps" => authority(place, PORT_RELP)
                .and_then(|(host, port)| TlsTarget::new(host, port))
                .map(Self::Relps)
                .map_err(fault),
            "unix" if place.starts_with('/') && place.len() > 1 => Ok(Self::Unix { path: place.into() }),
            "unix" => Err(fault("the path of a local socket starts with a slash (three in all)")),
            "journal" if place.is_empty() => Ok(Self::Journal { path: SOCKET.into() }),
            "journal" if place.starts_with('/') && place.len() > 1 => {
                Ok(Self::Journal { path: place.into() })
            }
            "journal" => {
                Err(fault("the journal is journal://, or its socket's path, which starts with a slash"))
            }
            _ => Err(fault("its scheme is none of udp, tcp, tls, relp, relps, unix, journal")),
        }
    }
}

impl fmt::Display for SyslogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = match self {
            Self::Udp { host, port } => ("udp", host, port),
            Self::Tcp { host, port } => ("tcp", host, port),
            Self::Tls(TlsTarget { host, port, .. }) => ("tls", host, port),
            Self::Relp { host, port } => ("relp", host, port),
            Self::Relps(TlsTarget { host, port, .. }) => ("relps", host, port),
            Self::Unix { path } => return write!(f, "unix://{}", path.display()),
            Self::Journal { path } => return write!(f, "journal://{}", path.display()),
        };
        write!(f, "{scheme}://{}", shown(host, *port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        for (text, shown) in [
            ("udp://127.0.0.1:5514", "udp://127.0.0.1:5514"),
            ("tcp://log.example.org:601", "tcp://log.example.org:601"),
            ("udp://loghost", "udp://loghost:514"),
            ("tcp://[::1]:6514", "tcp://[::1]:6514"),
            ("udp://[2001:db8::1]", "udp://[2001:db8::1]:514"),
            ("tls://loghost", "tls://loghost:6514"),
            ("tls://192.0.2.1:601", "tls://192.0.2.1:601"),
            ("tls://[2001:db8::1]", "tls://[2001:db8::1]:6514"),
            ("relp://loghost", "relp://loghost:20514"),
            ("relp://[::1]:2514", "relp://[::1]:2514"),
            ("relps://loghost", "relps://loghost:20514"),
            ("unix:///dev/log", "unix:///dev/log"),
            ("journal://", "journal:///run/systemd/journal/socket"),
            ("journal:///tmp/socket", "journal:///tmp/socket"),
        ] {
            let target: SyslogTarget = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(target.to_string(), shown);
            assert_eq!(shown.parse(), Ok(target));
        }
    }

    #[test]
    fn refuses_with_the_reason() {
        for (text, reason) in [
            ("127.0.0.1:514", "no scheme"),
            ("http://a:1", "none of udp, tcp, tls, relp, relps, unix, journal"),
            ("tls://", "names no host"),
            ("tls://a..b", "that a certificate can be for"),
            ("relps://a..b", "that a certificate can be for"),
            ("relp://", "names no host"),
            ("udp://", "names no host"),
            ("udp://:514", "names no host"),
            ("udp://a:0", "no number from 1"),
            ("udp://a:70000", "no number from 1"),
            ("udp://a:b", "no number from 1"),
            ("udp://::1:514", "in brackets"),
            ("tcp://[::1", "not closed"),
            ("tcp://[a]:1", "no IPv6 address"),
            ("tcp://[::1]514", "something else than a port"),
            ("udp://a/b:1", "no host name has"),
            ("udp://a b:1", "no host name has"),
            ("unix://dev/log", "starts with a slash"),
            ("unix:///", "starts with a slash"),
            ("journal://host", "starts with a slash"),
        ] {
            let error = text.parse::<SyslogTarget>().expect_err(text).to_string();
            assert!(error.contains(reason) && error.contains(text), "{text}: {error}");
        }
    }
}
