//! Bytes from the ring become records. Total: any bytes give a record or an error that names what is
//! wrong with them, never a panic and never a guessed value.

mod process;
mod network;
mod file;
mod system;
mod text;

use sensor_ebpf::wire::{Actor, FileId, Header, Kind, VERSION, process as wire_process};
use thiserror::Error;

use crate::event::FileAction;
use file::{file_change, file_names};
use network::{close, connect, dns, socket, unix_connect};
use process::{access, exec, fork};
use system::{bpf_load, cgroup, module_load, mount, namespace};
use text::fixed;

pub use file::{FileChange, FileNames};
pub use network::{Close, Connect, Dns, Socket};
pub use process::{Access, Exec, Fork};
pub use system::{Cgroup, Mount, Namespace};

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    #[error("{have} bytes are too short for {what}, which takes {need}")]
    Short { what: &'static str, have: usize, need: usize },
    #[error("layout version {0}, this agent reads {VERSION}: agent and kernel half are of different builds")]
    Version(u16),
    #[error("unknown kind {0}")]
    Kind(u16),
    #[error("says it has {said} bytes, has {have}")]
    Size { said: u32, have: usize },
    #[error("{0} bytes behind the last text")]
    Trailing(usize),
}

/// A record, checked and in the agent's own types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// `CLOCK_BOOTTIME`, nanoseconds.
    pub time: u64,
    pub actor: Actor,
    pub body: Body,
}

/// What a [`Record`] tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    Exec(Box<Exec>),
    Fork(Fork),
    Exit {
        code: u32,
    },
    Access(Access),
    Signal(Access),
    Connect(Connect),
    Accept(Connect),
    /// Traffic over a socket that nobody was seen to connect or accept.
    Traffic(Connect),
    Close(Close),
    Socket(Socket),
    UnixConnect {
        file: FileId,
        path: String,
    },
    Dns(Dns),
    File(FileAction, FileChange),
    /// A file got another name, or one more.
    Name(FileAction, FileNames),
    CgroupCreate(Cgroup),
    CgroupRemove(Cgroup),
    CgroupAttach(Cgroup),
    Namespace(Namespace),
    BpfLoad {
        program_type: u32,
        name: String,
    },
    ModuleLoad {
        name: String,
    },
    Mount(Mount),
}

impl Body {
    /// The record was made in the context of the process that did it, as it was then. Ends of connections
    /// come in anybody's, a fork's child is not the actor, and a move of namespaces shows the one before.
    #[must_use]
    pub fn is_by_its_actor(&self) -> bool {
        match self {
            Self::Connect(connect) | Self::Traffic(connect) => connect.has_actor,
            Self::Access(_)
            | Self::Signal(_)
            | Self::Socket(_)
            | Self::UnixConnect { .. }
            | Self::File(..)
            | Self::Name(..)
            | Self::Mount(_)
            | Self::BpfLoad { .. }
            | Self::ModuleLoad { .. } => true,
            Self::Exec(_)
            | Self::Fork(_)
            | Self::Exit { .. }
            | Self::Accept(_)
            | Self::Close(_)
            | Self::Dns(_)
            | Self::CgroupCreate(_)
            | Self::CgroupRemove(_)
            | Self::CgroupAttach(_)
            | Self::Namespace(_) => false,
        }
    }
}

/// Decodes one record of the ring.
///
/// # Errors
/// [`DecodeError`] says what is wrong; the caller counts it.
pub fn decode(bytes: &[u8]) -> Result<Record, DecodeError> {
    let (header, _) = fixed::<Header>(bytes, "a header")?;
    if header.version != VERSION {
        return Err(DecodeError::Version(header.version));
    }
    // What was filled in the ring may have taken more room than it needed.
    let Some(bytes) = bytes.get(..header.size as usize) else {
        return Err(DecodeError::Size { said: header.size, have: bytes.len() });
    };
    let kind = Kind::try_from(header.kind).map_err(|unknown| DecodeError::Kind(unknown.0))?;
    let body = match kind {
        Kind::ProcessExec => Body::Exec(Box::new(exec(bytes)?)),
        Kind::ProcessFork => Body::Fork(fork(bytes)?),
        Kind::ProcessExit => Body::Exit { code: fixed::<wire_process::Exit>(bytes, "an exit")?.0.code },
        Kind::ProcessAccess => Body::Access(access(bytes)?),
        Kind::ProcessSignal => Body::Signal(access(bytes)?),
        Kind::NetworkConnect => Body::Connect(connect(bytes)?),
        Kind::NetworkAccept => Body::Accept(connect(bytes)?),
        Kind::NetworkFlow => Body::Traffic(connect(bytes)?),
        Kind::NetworkClose => Body::Close(close(bytes)?),
        Kind::NetworkSocket => Body::Socket(socket(bytes)?),
        Kind::NetworkUnix => unix_connect(bytes)?,
        Kind::NetworkDns => Body::Dns(dns(bytes)?),
        Kind::FileOpen => Body::File(FileAction::Open, file_change(bytes)?),
        Kind::FileWrite => Body::File(FileAction::Write, file_change(bytes)?),
        Kind::FileClose => Body::File(FileAction::Close, file_change(bytes)?),
        Kind::FileDelete => Body::File(FileAction::Delete, file_change(bytes)?),
        Kind::FileMode => Body::File(FileAction::Mode, file_change(bytes)?),
        Kind::FileRead => Body::File(FileAction::Read, file_change(bytes)?),
        Kind::FileRename => Body::Name(FileAction::Rename, file_names(bytes)?),
        Kind::FileLink => Body::Name(FileAction::Link, file_names(bytes)?),
        Kind::CgroupCreate => Body::CgroupCreate(cgroup(bytes)?),
        Kind::CgroupRemove => Body::CgroupRemove(cgroup(bytes)?),
        Kind::CgroupAttach => Body::CgroupAttach(cgroup(bytes)?),
        Kind::NamespaceEnter => Body::Namespace(namespace(bytes)?),
        Kind::BpfLoad => bpf_load(bytes)?,
        Kind::ModuleLoad => module_load(bytes)?,
        Kind::Mount => Body::Mount(mount(bytes)?),
    };
    Ok(Record { time: header.time, actor: header.actor, body })
}

#[cfg(test)]
mod tests;
