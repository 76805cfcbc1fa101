//! Where monitoring asks.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;

use crate::exposition::SOCKET;

/// Where `/metrics`, `/healthz` and `/readyz` are answered.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsSettings {
    /// A Unix socket; none: no such.
    pub socket: Option<PathBuf>,
    /// An address and port of this host; none: nothing listens on a network.
    pub listen: Option<SocketAddr>,
}

impl Default for MetricsSettings {
    fn default() -> Self {
        Self { socket: Some(PathBuf::from(SOCKET)), listen: None }
    }
}

/// One such place, as it is typed: `127.0.0.1:9477`, `[::1]:9477`, `unix:/run/metrics.sock`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetricsPlace {
    Socket(PathBuf),
    Address(SocketAddr),
}

/// What was typed is neither.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is neither ADDRESS:PORT (127.0.0.1:9477, [::1]:9477) nor unix:/PATH")]
pub struct MetricsPlaceError(String);

impl FromStr for MetricsPlace {
    type Err = MetricsPlaceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("unix:") {
            Some(path) if path.starts_with('/') => Ok(Self::Socket(PathBuf::from(path))),
            Some(_) => Err(MetricsPlaceError(text.to_owned())),
            None => text.parse().map(Self::Address).map_err(|_| MetricsPlaceError(text.to_owned())),
        }
    }
}

impl fmt::Display for MetricsPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "unix:{}", path.display()),
            Self::Address(address) => write!(f, "{address}"),
        }
    }
}

impl MetricsSettings {
    /// Takes the place of what was set of that kind.
    pub fn set(&mut self, place: MetricsPlace) {
        match place {
            MetricsPlace::Socket(path) => self.socket = Some(path),
            MetricsPlace::Address(address) => self.listen = Some(address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_address_with_a_port_or_a_socket() {
        for text in ["127.0.0.1:9477", "[::1]:9477", "unix:/run/other/metrics.sock"] {
            assert_eq!(text.parse::<MetricsPlace>().unwrap().to_string(), text);
        }
        for text in ["9477", "localhost:9477", "127.0.0.1", "unix:metrics.sock", "http://127.0.0.1:9477", ""]
        {
            assert!(text.parse::<MetricsPlace>().unwrap_err().to_string().contains("[::1]:9477"), "{text}");
        }
    }
}
