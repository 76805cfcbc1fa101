//! Tries a receiver before anything is to be sent: connects as the sink itself would, TLS handshake and all, and sends
//! no message.
//!
//! A receiver over UDP answers nothing, and an HTTP receiver is asked nothing: whether it takes what it gets is the
//! canary's to prove.

use std::io;
use std::path::Path;

use super::http::{HttpReceiver, Protocol};
use super::syslog::SyslogTarget;
use super::tls::Fault;
use super::{Target, kafka, syslog};
use crate::check::receiver::Reached;
use crate::host::fact;

impl Target {
    /// What comes of trying it; bounded as the connecting of its sink is. None: it is no receiver.
    pub async fn probe(&self) -> Option<Reached> {
        if let Err(error) = self.prepare() {
            let remedy = error.remedy().to_owned();
            return Some(Reached::Files { reason: error.to_string(), remedy });
        }
        let tried = match self {
            Self::Stdout(_) => return None,
            Self::File(target) => return Some(file(&target.path)),
            Self::Syslog { receiver, .. } => match &receiver.target {
                target @ SyslogTarget::Udp { .. } => syslog::reach(target).await.map(|()| Reached::Perhaps),
                target @ (SyslogTarget::Tcp { .. } | SyslogTarget::Relp { .. }) => {
                    syslog::reach(target).await.map(|()| CONNECTED)
                }
                target @ (SyslogTarget::Tls(_) | SyslogTarget::Relps(_)) => {
                    syslog::reach(target).await.map(|()| BELIEVED)
                }
                target @ (SyslogTarget::Unix { .. } | SyslogTarget::Journal { .. }) => {
                    syslog::reach(target).await.map(|()| LISTENS)
                }
            },
            Self::Webhook(target) => http(&target.receiver, Protocol::Http1).await,
            Self::Kafka(target) => kafka::reach(target).await.map(|()| LED),
            Self::Otlp(target) => http(&target.receiver, target.protocol()).await,
        };
        Some(tried.unwrap_or_else(|error| refused(&error)))
    }
}

const CONNECTED: Reached = Reached::Yes { how: "connected" };
const BELIEVED: Reached = Reached::Yes { how: "connected, its certificate verified" };
const LED: Reached = Reached::Yes { how: "connected to the leader of its partition" };
const LISTENS: Reached = Reached::Yes { how: "somebody listens" };
const ASKED: Reached = Reached::Yes {
    how: "connected, its certificate verified; it asked for one of this host, which has none",
};

async fn http(receiver: &HttpReceiver, protocol: Protocol) -> io::Result<Reached> {
    let has_asked = receiver.reach(protocol).await?;
    Ok(match (receiver.address.scheme(), has_asked) {
        (_, true) => ASKED,
        ("https" | "grpcs", false) => BELIEVED,
        (_, false) => CONNECTED,
    })
}

fn refused(error: &io::Error) -> Reached {
    let reason = error.to_string();
    if Fault::within(error).is_some() || kafka::Fault::within(error).is_some() {
        Reached::Refused { reason }
    } else {
        Reached::Away { reason }
    }
}

/// By what would be opened; nothing is made.
fn file(path: &Path) -> Reached {
    let unwritable = |reason: String| Reached::Unwritable { reason };
    let (there, metadata) = match fact::nearest(path) {
        Ok(found) => found,
        Err(error) => return unwritable(format!("{}: {error}", path.display())),
    };
    let place = there.display();
    if there != path && !metadata.is_dir() {
        return unwritable(format!("{place} is no folder"));
    }
    if there == path && metadata.is_dir() {
        return unwritable(format!("{place} is a folder"));
    }
    match fact::folder(if there == path { path.parent().unwrap_or(path) } else { there }) {
        Ok(folder) if folder.is_read_only => {
            unwritable(format!("{} is on a file system for reading only", folder.path))
        }
        // Another is begun beside it when it is long enough.
        Ok(folder) if !folder.is_writable => unwritable(format!("{} may not be written to", folder.path)),
        Ok(_) if !fact::may_write(there) => unwritable(format!("{place} may not be written to")),
        Ok(folder) if folder.free == 0 => unwritable(format!("{} is full", folder.path)),
        Ok(_) => Reached::Yes { how: "may be written" },
        Err(error) => unwritable(format!("{place}: {error}")),
    }
}

#[cfg(test)]
mod tests;
