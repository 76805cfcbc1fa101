//! What a sink needs of the system, for whoever takes the rest away: servers, files that are read again, files that are
//! written.

use std::path::PathBuf;

use super::http::HttpReceiver;
use super::{FileTarget, KafkaTarget, SyslogReceiver, SyslogTarget, Target};

/// What one sink needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Names or addresses, and ports; none for local sockets.
    pub servers: Vec<(String, u16)>,
    /// These name further ones, at ports of their own.
    pub names_others: bool,
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
                Reach { servers: server(target).into_iter().collect(), ..Reach::default() }
            }
            Self::File(FileTarget { path, .. }) => Reach { write: vec![path.clone()], ..Reach::default() },
            Self::Webhook(target) => of_http(&target.receiver),
            Self::Otlp(target) => of_http(&target.receiver),
            Self::Kafka(target) => of_kafka(target),
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
    Reach { servers: vec![(host.to_owned(), port)], read, ..Reach::default() }
}

/// Who leads the partition is told by whoever is asked first, and changes: a port that was named is none that must do.
fn of_kafka(target: &KafkaTarget) -> Reach {
    // The password is read again for each connection.
    let read = target.login.iter().map(|login| login.password_file.clone()).collect();
    Reach { servers: target.brokers.clone(), names_others: true, read, ..Reach::default() }
}
