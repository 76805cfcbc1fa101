//! What is told of a deed, and what it means that one cannot be done here.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Error, Result};
use rustix::io::Errno;
use serde_json::{Map, Value};

/// Facts by name; printed as one JSON object.
#[derive(Debug, Default, Clone)]
pub(crate) struct Truth(Map<String, Value>);

impl Truth {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// A file, by the path that the kernel was given, which is absolute.
    pub(crate) fn with_path(self, name: &str, path: &Path) -> Self {
        self.with(name, path.to_string_lossy().into_owned())
    }

    /// The other end; an IPv4 address in IPv6 clothes is told as the IPv4 address.
    pub(crate) fn with_peer(self, protocol: &str, peer: SocketAddr) -> Self {
        let ip = peer.ip().to_canonical().to_string();
        self.with("protocol", protocol).with("address", ip).with("port", peer.port())
    }

    pub(crate) fn with_local(self, local: SocketAddr) -> Self {
        let ip = local.ip().to_canonical().to_string();
        self.with("local_address", ip).with("local_port", local.port())
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.as_u64()
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    pub(crate) fn line(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    /// Reads what [`Self::line`] wrote in another process.
    pub(crate) fn parse(line: &str) -> Result<Self> {
        serde_json::from_str(line).map(Self).with_context(|| format!("{line:?} is no JSON object"))
    }
}

/// The reason why this machine has no such way.
#[derive(Debug)]
pub(crate) struct Missing(pub(crate) String);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Missing {}

/// Errors by which a kernel says that it has no such call, family, protocol or option.
const MISSING: [Errno; 6] = [
    Errno::NOSYS,
    Errno::AFNOSUPPORT,
    Errno::PROTONOSUPPORT,
    Errno::SOCKTNOSUPPORT,
    Errno::NOPROTOOPT,
    Errno::OPNOTSUPP,
];

/// Whether the deed failed because it cannot exist here.
pub(crate) fn is_missing(error: &Error) -> bool {
    let by = |cause: &(dyn std::error::Error + 'static)| {
        cause.is::<Missing>() || errno_of(cause).is_some_and(|errno| MISSING.contains(&errno))
    };
    error.chain().any(by)
}

/// The kernel's number behind one error of a chain.
fn errno_of(cause: &(dyn std::error::Error + 'static)) -> Option<Errno> {
    let by_io = || cause.downcast_ref::<std::io::Error>().and_then(Errno::from_io_error);
    cause.downcast_ref::<Errno>().copied().or_else(by_io)
}

/// The kernel's number behind an error.
pub(crate) fn errno(error: &Error) -> Option<Errno> {
    error.chain().find_map(errno_of)
}

/// Where the kernel answers with one of `signs`, it means that there is no such way here.
pub(crate) trait OrMissing<T> {
    fn or_missing(self, signs: &[Errno], reason: &str) -> Result<T>;
}

impl<T, E: Into<Error>> OrMissing<T> for std::result::Result<T, E> {
    fn or_missing(self, signs: &[Errno], reason: &str) -> Result<T> {
        self.map_err(|error| {
            let error = error.into();
            match errno(&error) {
                Some(errno) if signs.contains(&errno) => Missing(format!("{reason}: {errno}")).into(),
                _ => error,
            }
        })
    }
}
