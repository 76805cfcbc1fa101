//! Records of the process family.

use sensor_ebpf::wire::process::Stream;
use sensor_ebpf::wire::text::Text;
use sensor_ebpf::wire::{FileId, process};

use super::DecodeError;
use super::text::{Texts, fixed};

/// [`process::Exec`] with its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exec {
    pub parent_pid: u32,
    pub parent_start_time: u64,
    pub old_tid: u32,
    pub file: FileId,
    /// Standard input, output and error.
    pub streams: [Stream; 3],
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

pub(super) fn exec(bytes: &[u8]) -> Result<Exec, DecodeError> {
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
        streams: record.streams,
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

pub(super) fn fork(bytes: &[u8]) -> Result<Fork, DecodeError> {
    let (record, _) = fixed::<process::Fork>(bytes, "a fork")?;
    Ok(Fork {
        child_pid: record.child_pid,
        child_start_time: record.child_start_time,
        child_cgroup_id: record.child_cgroup_id,
        child_pid_ns: record.child_pid_ns,
    })
}

pub(super) fn access(bytes: &[u8]) -> Result<Access, DecodeError> {
    let (record, _) = fixed::<process::Access>(bytes, "an access")?;
    let process::Access { header: _, target_start_time, target_pid, mode } = record;
    Ok(Access { target_pid, target_start_time, mode })
}
