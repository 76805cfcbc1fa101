//! Bytes from the ring become records. Total: any bytes give a record or an error that names what is
//! wrong with them, never a panic and never a guessed value.

use std::net::{IpAddr, Ipv6Addr};

use sensor_ebpf::wire::text::Text;
use sensor_ebpf::wire::{Actor, FileId, Header, Kind, VERSION, file, network, process, system};
use thiserror::Error;
use zerocopy::{FromBytes, Immutable, KnownLayout};

use crate::event::FileAction;

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

/// [`process::Exec`] with its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exec {
    pub parent_pid: u32,
    pub parent_start_time: u64,
    pub old_tid: u32,
    pub file: FileId,
    pub flags: u32,
    pub effective_uid: u32,
    /// None: nobody logged in for it.
    pub login_uid: Option<u32>,
    /// Controlling terminal: major, minor.
    pub terminal: Option<(u32, u32)>,
    pub net_ns: u32,
    pub user_ns: u32,
    pub path: String,
    pub filename: String,
    pub interpreter: Option<String>,
    pub directory: String,
    pub cgroup: String,
    pub arguments: Vec<String>,
    pub argument_count: u32,
    /// Bytes of the whole vector, also of what was cut.
    pub arguments_size: u32,
    pub arguments_truncated: bool,
    /// The last arguments of a vector that was cut; the first of them may lack its beginning.
    pub last_arguments: Vec<String>,
    /// Variables whose names the agent asked for, `NAME=value`; long values are cut.
    pub environment: Vec<String>,
}

/// [`process::Fork`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fork {
    pub child_pid: u32,
    pub child_start_time: u64,
    pub child_cgroup_id: u64,
    pub child_pid_ns: u32,
}

/// [`process::Access`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    pub target_pid: u32,
    pub target_start_time: u64,
    /// `PTRACE_MODE_*`, or the signal's number.
    pub mode: u32,
}

/// [`network::Connect`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connect {
    /// As in [`sensor_ebpf::wire::flow::FlowKey`].
    pub socket: u64,
    /// The other end. IPv4-mapped addresses are given as IPv4.
    pub address: IpAddr,
    pub port: u16,
    pub protocol: u16,
    pub is_datagram: bool,
    /// The record's actor is who it is about; else only its cgroup means something.
    pub has_actor: bool,
    /// Part of a Multipath TCP connection.
    pub is_subflow: bool,
}

/// [`network::Close`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    pub socket: u64,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    /// Never established: the errno, zero when unknown.
    pub failure: Option<u32>,
    /// What the actor moved over a socket that it lets go of, not the connection's whole.
    pub is_share: bool,
}

/// [`network::Socket`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    pub family: u16,
    pub kind: u16,
    pub protocol: u16,
    /// Seen in use, not when it was made.
    pub is_used: bool,
}

/// [`network::Dns`] with its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns {
    pub socket: u64,
    pub server: IpAddr,
    pub is_answer: bool,
    pub is_tcp: bool,
    pub message: Vec<u8>,
    pub is_truncated: bool,
}

/// [`file::Change`] with its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    pub file: FileId,
    pub path: String,
    /// The path starts at the root of the actor's mount namespace; else of the file system.
    pub is_from_mount: bool,
    /// Bytes written through the file that was closed.
    pub bytes: u64,
    /// Size of the file now.
    pub size: u64,
    pub mode: u32,
    /// As in [`file::Change::flags`].
    pub flags: u32,
}

/// [`file::Rename`] with its paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileNames {
    pub file: FileId,
    /// A symbolic link: `from` is the text it holds.
    pub is_symbolic: bool,
    pub from: String,
    pub to: String,
}

/// [`system::Namespace`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespace {
    pub mnt_ns: u32,
    pub pid_ns: u32,
    pub net_ns: u32,
}

/// [`system::Mount`] with its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    pub flags: u64,
    pub source: String,
    pub kind: String,
    pub target: String,
}

/// [`system::Cgroup`] with its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cgroup {
    pub id: u64,
    pub hierarchy: u32,
    pub path: String,
    /// Who was moved there; zero for the other kinds.
    pub target_pid: u32,
    pub target_start_time: u64,
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
        Kind::ProcessExit => Body::Exit { code: fixed::<process::Exit>(bytes, "an exit")?.0.code },
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

fn exec(bytes: &[u8]) -> Result<Exec, DecodeError> {
    let (record, tail) = fixed::<process::Exec>(bytes, "an exec")?;
    let mut texts = Texts(tail);
    // The order in which the kernel half appends them.
    let path = texts.path(record.path)?;
    let filename = texts.string(record.filename)?;
    let interpreter = texts.string(record.interpreter)?;
    let directory = texts.path(record.directory)?;
    let cgroup = texts.path(record.cgroup)?;
    let environment = texts.list(record.environment)?;
    let last_arguments = texts.list(record.arguments_tail)?;
    let arguments = texts.list(record.arguments)?;
    texts.end()?;
    Ok(Exec {
        parent_pid: record.parent_pid,
        parent_start_time: record.parent_start_time,
        old_tid: record.old_tid,
        file: record.file,
        flags: record.flags,
        effective_uid: record.effective_uid,
        login_uid: Some(record.login_uid).filter(|uid| *uid != process::Exec::NOBODY),
        terminal: Some((record.terminal >> 20, record.terminal & 0xf_ffff)).filter(|_| record.terminal != 0),
        net_ns: record.net_ns,
        user_ns: record.user_ns,
        path,
        filename,
        interpreter: (record.flags & process::Exec::SCRIPT != 0).then_some(interpreter),
        directory,
        cgroup,
        arguments,
        argument_count: record.argument_count,
        arguments_size: record.arguments_size,
        last_arguments,
        environment,
        arguments_truncated: record.arguments.flags & (Text::TRUNCATED | Text::UNREADABLE) != 0,
    })
}

fn fork(bytes: &[u8]) -> Result<Fork, DecodeError> {
    let (record, _) = fixed::<process::Fork>(bytes, "a fork")?;
    Ok(Fork {
        child_pid: record.child_pid,
        child_start_time: record.child_start_time,
        child_cgroup_id: record.child_cgroup_id,
        child_pid_ns: record.child_pid_ns,
    })
}

fn access(bytes: &[u8]) -> Result<Access, DecodeError> {
    let (record, _) = fixed::<process::Access>(bytes, "an access")?;
    let process::Access { header: _, target_start_time, target_pid, mode } = record;
    Ok(Access { target_pid, target_start_time, mode })
}

fn connect(bytes: &[u8]) -> Result<Connect, DecodeError> {
    let (record, _) = fixed::<network::Connect>(bytes, "a connect")?;
    let has = |flag| record.flags & flag != 0;
    Ok(Connect {
        socket: record.socket,
        address: Ipv6Addr::from(record.address).to_canonical(),
        port: record.port,
        protocol: record.protocol,
        is_datagram: has(network::Connect::DATAGRAM),
        has_actor: !has(network::Connect::NO_ACTOR),
        is_subflow: has(network::Connect::SUBFLOW),
    })
}

fn close(bytes: &[u8]) -> Result<Close, DecodeError> {
    let (record, _) = fixed::<network::Close>(bytes, "a close")?;
    let network::Close { header: _, socket, bytes_sent, bytes_received, flags, error } = record;
    let failure = (flags & network::Close::FAILED != 0).then_some(error);
    Ok(Close { socket, bytes_sent, bytes_received, failure, is_share: flags & network::Close::SHARE != 0 })
}

fn socket(bytes: &[u8]) -> Result<Socket, DecodeError> {
    let (record, _) = fixed::<network::Socket>(bytes, "a socket")?;
    let network::Socket { header: _, family, kind, protocol, flags } = record;
    Ok(Socket { family, kind, protocol, is_used: flags & network::Socket::USED != 0 })
}

fn unix_connect(bytes: &[u8]) -> Result<Body, DecodeError> {
    let (record, tail) = fixed::<network::UnixConnect>(bytes, "a connect to a file")?;
    let mut texts = Texts(tail);
    let path = texts.path(record.path)?;
    texts.end()?;
    Ok(Body::UnixConnect { file: record.file, path })
}

fn dns(bytes: &[u8]) -> Result<Dns, DecodeError> {
    let (record, tail) = fixed::<network::Dns>(bytes, "a DNS message")?;
    let mut texts = Texts(tail);
    let message = texts.take(record.message)?.to_vec();
    texts.end()?;
    Ok(Dns {
        socket: record.socket,
        server: Ipv6Addr::from(record.address).to_canonical(),
        is_answer: record.flags & network::Dns::ANSWER != 0,
        is_tcp: record.flags & network::Dns::TCP != 0,
        message,
        is_truncated: record.message.flags & (Text::TRUNCATED | Text::UNREADABLE) != 0,
    })
}

fn file_change(bytes: &[u8]) -> Result<FileChange, DecodeError> {
    let (record, tail) = fixed::<file::Change>(bytes, "a file change")?;
    let mut texts = Texts(tail);
    let path = texts.path(record.path)?;
    texts.end()?;
    let is_from_mount = record.flags & file::Change::FROM_MOUNT != 0;
    let file::Change { file, bytes, size, mode, flags, .. } = record;
    Ok(FileChange { file, path, is_from_mount, bytes, size, mode, flags })
}

fn file_names(bytes: &[u8]) -> Result<FileNames, DecodeError> {
    let (record, tail) = fixed::<file::Rename>(bytes, "a new name")?;
    let mut texts = Texts(tail);
    // A symbolic link holds a text, not a place that was walked to.
    let is_place = record.from.flags & Text::COMPONENTS != 0;
    let from = if is_place { texts.path(record.from)? } else { texts.string(record.from)? };
    let to = texts.path(record.to)?;
    texts.end()?;
    Ok(FileNames { file: record.file, is_symbolic: !is_place, from, to })
}

fn cgroup(bytes: &[u8]) -> Result<Cgroup, DecodeError> {
    let (record, tail) = fixed::<system::Cgroup>(bytes, "a cgroup")?;
    let mut texts = Texts(tail);
    let path = texts.string(record.path)?;
    texts.end()?;
    let system::Cgroup { cgroup_id: id, hierarchy, target_pid, target_start_time, .. } = record;
    Ok(Cgroup { id, hierarchy, path, target_pid, target_start_time })
}

fn namespace(bytes: &[u8]) -> Result<Namespace, DecodeError> {
    let (record, _) = fixed::<system::Namespace>(bytes, "namespaces")?;
    let system::Namespace { header: _, mnt_ns, pid_ns, net_ns, reserved: _ } = record;
    Ok(Namespace { mnt_ns, pid_ns, net_ns })
}

fn bpf_load(bytes: &[u8]) -> Result<Body, DecodeError> {
    let (record, _) = fixed::<system::Bpf>(bytes, "a BPF program")?;
    let name = lossy(record.name.split(|byte| *byte == 0).next().unwrap_or_default());
    Ok(Body::BpfLoad { program_type: record.program_type, name })
}

fn module_load(bytes: &[u8]) -> Result<Body, DecodeError> {
    let (record, tail) = fixed::<system::Named>(bytes, "a module")?;
    let mut texts = Texts(tail);
    let name = texts.string(record.name)?;
    texts.end()?;
    Ok(Body::ModuleLoad { name })
}

fn mount(bytes: &[u8]) -> Result<Mount, DecodeError> {
    let (record, tail) = fixed::<system::Mount>(bytes, "a mount")?;
    let mut texts = Texts(tail);
    let source = texts.string(record.source)?;
    let kind = texts.string(record.kind)?;
    let target = texts.path(record.target)?;
    texts.end()?;
    Ok(Mount { flags: record.flags, source, kind, target })
}

/// The fixed part and what follows it.
fn fixed<'a, T: FromBytes + KnownLayout + Immutable>(
    bytes: &'a [u8],
    what: &'static str,
) -> Result<(T, &'a [u8]), DecodeError> {
    T::read_from_prefix(bytes).map_err(|_| DecodeError::Short {
        what,
        have: bytes.len(),
        need: size_of::<T>(),
    })
}

/// The tail of a record: takes its texts off the front, one by one.
struct Texts<'a>(&'a [u8]);

impl<'a> Texts<'a> {
    fn take(&mut self, text: Text) -> Result<&'a [u8], DecodeError> {
        let need = usize::from(text.size);
        let (taken, rest) = self.0.split_at_checked(need).ok_or(DecodeError::Short {
            what: "a text",
            have: self.0.len(),
            need,
        })?;
        self.0 = rest;
        Ok(taken)
    }

    fn string(&mut self, text: Text) -> Result<String, DecodeError> {
        let bytes = self.take(text)?;
        Ok(lossy(bytes.split(|byte| *byte == 0).next().unwrap_or_default()))
    }

    /// Components leaf to root become a path. A truncated one lacks its beginning, and says so.
    fn path(&mut self, text: Text) -> Result<String, DecodeError> {
        let bytes = self.take(text)?;
        let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
        let mut path = String::with_capacity(bytes.len() + 1);
        if text.flags & (Text::TRUNCATED | Text::UNREADABLE) != 0 {
            path.push('…');
        }
        if !bytes.is_empty() && bytes != b"/" {
            for component in bytes.rsplit(|byte| *byte == 0) {
                path.push('/');
                path.push_str(&String::from_utf8_lossy(component));
            }
        }
        if path.is_empty() {
            path.push('/');
        }
        Ok(path)
    }

    /// Strings, each ended by NUL; the last may be cut.
    fn list(&mut self, text: Text) -> Result<Vec<String>, DecodeError> {
        let bytes = self.take(text)?;
        let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
        if bytes.is_empty() && text.size == 0 {
            return Ok(Vec::new());
        }
        Ok(bytes.split(|byte| *byte == 0).map(lossy).collect())
    }

    fn end(self) -> Result<(), DecodeError> {
        if self.0.is_empty() { Ok(()) } else { Err(DecodeError::Trailing(self.0.len())) }
    }
}

/// Paths and arguments are bytes; rules and alerts are text. What is no UTF-8 shows as U+FFFD.
fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zerocopy::{FromZeros as _, IntoBytes};

    use super::*;

    fn record<T: IntoBytes + FromBytes + Immutable>(kind: Kind, mut fixed: T, tail: &[u8]) -> Vec<u8> {
        let size = u32::try_from(size_of::<T>() + tail.len()).expect("fits");
        let mut header = Header::new_zeroed();
        (header.version, header.kind, header.size, header.time) = (VERSION, kind as u16, size, 7);
        fixed.as_mut_bytes()[..size_of::<Header>()].copy_from_slice(header.as_bytes());
        [fixed.as_bytes(), tail].concat()
    }

    fn text(size: usize, flags: u16) -> Text {
        Text { size: u16::try_from(size).expect("fits"), flags }
    }

    #[test]
    fn an_exec_has_its_texts_in_order() {
        let mut exec = process::Exec::new_zeroed();
        let tail = b"curl\0bin\0usr\0/usr/bin/curl\0tmp\0abc\0docker\0curl\0-o\0\0x\0";
        exec.path = text(13, Text::COMPONENTS);
        exec.filename = text(14, 0);
        exec.directory = text(4, Text::COMPONENTS);
        exec.cgroup = text(11, Text::COMPONENTS);
        exec.arguments = text(11, 0);
        let decoded = decode(&record(Kind::ProcessExec, exec, tail)).expect("decodes");
        let Body::Exec(exec) = decoded.body else { panic!("an exec") };
        assert_eq!(exec.path, "/usr/bin/curl");
        assert_eq!(exec.filename, "/usr/bin/curl");
        assert_eq!(exec.interpreter, None);
        assert_eq!(exec.directory, "/tmp");
        assert_eq!(exec.cgroup, "/docker/abc");
        assert_eq!(exec.arguments, ["curl", "-o", "", "x"], "an empty argument is an argument");
        assert_eq!(decoded.time, 7);
    }

    #[test]
    fn a_cut_path_says_so_and_the_root_is_a_slash() {
        let mut change = file::Change::new_zeroed();
        change.path = text(4, Text::COMPONENTS | Text::TRUNCATED);
        let decoded = decode(&record(Kind::FileWrite, change, b"x\0y\0")).expect("decodes");
        assert!(
            matches!(decoded.body, Body::File(FileAction::Write, FileChange { path, .. }) if path == "…/y/x")
        );
        change.path = text(0, Text::COMPONENTS);
        let decoded = decode(&record(Kind::FileWrite, change, b"")).expect("decodes");
        assert!(
            matches!(decoded.body, Body::File(FileAction::Write, FileChange { path, .. }) if path == "/")
        );
    }

    #[test]
    fn mapped_addresses_are_ipv4() {
        let mut connect = network::Connect::new_zeroed();
        connect.address = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2];
        let decoded = decode(&record(Kind::NetworkConnect, connect, b"")).expect("decodes");
        assert!(
            matches!(decoded.body, Body::Connect(Connect { address: IpAddr::V4(ip), .. }) if ip.octets() == [10, 0, 0, 2])
        );
    }

    #[test]
    fn bad_records_are_named() {
        let exit = record(Kind::ProcessExit, process::Exit::new_zeroed(), b"");
        assert_eq!(
            decode(&exit[..20]),
            Err(DecodeError::Short { what: "a header", have: 20, need: size_of::<Header>() })
        );
        let mut other = exit.clone();
        other[0] = 9;
        assert_eq!(decode(&other), Err(DecodeError::Version(9)));
        let mut other = exit.clone();
        other[2] = 255;
        assert!(matches!(decode(&other), Err(DecodeError::Kind(_))));
        let mut other = exit.clone();
        other[4..8].copy_from_slice(&u32::MAX.to_ne_bytes());
        assert!(matches!(decode(&other), Err(DecodeError::Size { .. })));
        let mut other = exit.clone();
        other.push(0);
        assert_eq!(decode(&other), decode(&exit), "room that was not needed is not looked at");
        let mut change = file::Change::new_zeroed();
        change.path = text(2, Text::COMPONENTS);
        assert_eq!(decode(&record(Kind::FileOpen, change, b"a\0rest")), Err(DecodeError::Trailing(4)));
        change.path = text(200, Text::COMPONENTS);
        assert!(matches!(decode(&record(Kind::FileOpen, change, b"a")), Err(DecodeError::Short { .. })));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(kind in prop::sample::select(&Kind::ALL[..]), body in prop::collection::vec(any::<u8>(), 0..600)) {
            let mut bytes = body;
            if bytes.len() >= 8 {
                let size = u32::try_from(bytes.len()).expect("fits");
                bytes[..2].copy_from_slice(&VERSION.to_ne_bytes());
                bytes[2..4].copy_from_slice(&(kind as u16).to_ne_bytes());
                bytes[4..8].copy_from_slice(&size.to_ne_bytes());
            }
            let _ = decode(&bytes);
        }
    }
}
