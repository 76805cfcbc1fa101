//! What a sink needs of the system, for whoever takes the rest away: a server, files that are read again, files that are
//! written.

use std::path::PathBuf;

use super::{FileTarget, SyslogReceiver, SyslogTarget, Target};
use crate::sink::http::HttpReceiver;

/// What one sink needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Name or address, and port; none for local sockets.
    pub server: Option<(String, u16)>,
    pub read: Vec<PathBuf>,
    pub write: Vec<PathBuf>,
}

impl Target {
    /// What it needs once its receiver's files were read ([`Target::prepare`]).
    #[must_use]
    pub fn reach(&self) -> Reach {
        match self {
            Self::Stdout(_) => Reach::default(),
            Self::Syslog { receiver: SyslogReceiver { target, .. }, .. } => {
                Reach { server: server(target), ..Reach::default() }
            }
            Self::File(FileTarget { path, .. }) => Reach { write: vec![path.clone()], ..Reach::default() },
            Self::Webhook(target) => of_http(&target.receiver),
            Self::Otlp(target) => of_http(&target.receiver),
        }
    }
}

fn server(target: &SyslogTarget) -> Option<(String, u16)> {
    match target {
        SyslogTarget::Udp { host, port }
        | SyslogTarget::Tcp { host, port }
        | SyslogTarget::Relp { host, port } => Some((host.clone(), *port)),
        SyslogTarget::Tls(target) | SyslogTarget::Relps(target) => Some((target.host.clone(), target.port)),
        SyslogTarget::Unix { .. } | SyslogTarget::Journal { .. } => None,
    }
}

fn of_http(receiver: &HttpReceiver) -> Reach {
    let (host, port) = receiver.address.server();
    // Secrets are read again for each connection.
    let read = receiver.secrets.iter().map(|secret| secret.path.clone()).collect();
    Reach { server: Some((host.to_owned(), port)), read, ..Reach::default() }
}
