//! Asks the runtimes over their sockets who a container is: the second source, where the files told no name
//! and the configuration gives the socket's path.
//!
//! A socket is somebody else: it may be slow, hang or lie dead. So nothing that happens waits for it, a
//! question has one second, few are open at a time, and a socket that fails a few times in a row is left
//! alone for some seconds. No answer is remembered here: who was not known a moment ago may be known now.

mod breaker;
mod engine;
mod cri;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::state::container::{CgroupIdentity, Container, OCI_ID_DIGITS, Runtime};
use breaker::{Breaker, PAUSE};

/// How long a whole question may take, from connecting to the last byte.
const QUESTION_MAX: Duration = Duration::from_secs(1);
/// Most open questions to one socket. Further ones are not asked; the container table's schedule brings them
/// again.
const OPEN_MAX: usize = 16;
/// Longest answer read, bytes: as a runtime's own state file.
const ANSWER_MAX: usize = 4 * 1024 * 1024;

/// A runtime's socket.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SocketPlace {
    pub kind: SocketKind,
    pub path: PathBuf,
}

/// What is spoken there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SocketKind {
    /// Docker's Engine API.
    Docker,
    /// Podman's, which is Docker's as far as it is used here.
    Podman,
    /// Kubernetes' container runtime interface: containerd, CRI-O.
    Cri,
}

/// Why a socket gave no answer. That it does not know a container is one.
#[derive(Debug, thiserror::Error)]
enum SocketError {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("no answer within {} second", QUESTION_MAX.as_secs())]
    Late,
    #[error("it does not speak as a runtime does: {0}")]
    Malformed(String),
    #[error("it refused: {0}")]
    Refused(String),
}

type Answer = Result<Option<Container>, SocketError>;

/// One socket, and how it has fared.
#[derive(Debug)]
pub struct Socket {
    place: SocketPlace,
    breaker: Mutex<Breaker>,
    open: Semaphore,
}

impl Socket {
    #[must_use]
    pub fn new(place: SocketPlace) -> Arc<Self> {
        Arc::new(Self { place, breaker: Mutex::default(), open: Semaphore::new(OPEN_MAX) })
    }

    /// Whether such a container may be known there. Ids of another form are not asked for: they are part of
    /// the question's text.
    #[must_use]
    pub fn may_know(&self, identity: &CgroupIdentity) -> bool {
        let is_id =
            identity.id.len() == OCI_ID_DIGITS && identity.id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_kind = match identity.runtime {
            Runtime::Docker => self.place.kind == SocketKind::Docker,
            Runtime::Podman => self.place.kind == SocketKind::Podman,
            Runtime::Containerd | Runtime::Crio => self.place.kind == SocketKind::Cri,
            Runtime::Unknown => true,
            Runtime::Lxc
            | Runtime::Nspawn
            | Runtime::Buildkit
            | Runtime::Buildah
            | Runtime::Runc
            | Runtime::Crun => false,
        };
        is_id && is_kind
    }

    /// What the runtime says of this container. None: it does not know it, or was not to be asked now.
    pub async fn ask(&self, identity: &CgroupIdentity) -> Option<Container> {
        // The permit first: who asks in half-open state must really ask.
        let _permit = self.open.try_acquire().ok()?;
        if !self.breaker().admits(Instant::now()) {
            return None;
        }
        let answer = timeout(QUESTION_MAX, self.question(identity)).await.unwrap_or(Err(SocketError::Late));
        match answer {
            Ok(container) => {
                if self.breaker().succeeded() {
                    info!(socket = %self.place.path.display(), "the runtime's socket answers again");
                }
                container
            }
            Err(error) => {
                if self.breaker().failed(Instant::now()) {
                    warn!(
                        socket = %self.place.path.display(), %error,
                        "the runtime's socket is of no use, so containers are named by files alone; it is tried \
                         again every {} seconds. See that the runtime runs and answers there, or take the socket \
                         out of `containers.sockets`",
                        PAUSE.as_secs()
                    );
                }
                None
            }
        }
    }

    /// Whether somebody answers as a runtime does: a container that nobody has is asked for.
    ///
    /// # Errors
    /// Why not, in a sentence.
    pub async fn probe(&self) -> Result<(), String> {
        let runtime = match self.place.kind {
            SocketKind::Docker => Runtime::Docker,
            SocketKind::Podman => Runtime::Podman,
            SocketKind::Cri => Runtime::Containerd,
        };
        let id = "0".repeat(OCI_ID_DIGITS);
        let nobody = CgroupIdentity { id, runtime, pod_uid: None, outer: Vec::new(), user: None };
        let answer = timeout(QUESTION_MAX, self.question(&nobody)).await.unwrap_or(Err(SocketError::Late));
        answer.map(drop).map_err(|error| error.to_string())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.place.path
    }

    async fn question(&self, identity: &CgroupIdentity) -> Answer {
        let path: &Path = &self.place.path;
        match self.place.kind {
            SocketKind::Docker => engine::ask(path, identity, Runtime::Docker).await,
            SocketKind::Podman => engine::ask(path, identity, Runtime::Podman).await,
            SocketKind::Cri => cri::ask(path, identity).await,
        }
    }

    fn breaker(&self) -> std::sync::MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
