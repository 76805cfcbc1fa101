//! Attaches a program that is loaded to where it was before: the one deed, after the start, that takes privileges of
//! loading. The agent has given these up by then: its keeper does it (`keeper/hook.rs`).
//!
//! It takes descriptors and numbers and nothing else. A cgroup's link takes `CAP_NET_ADMIN` and `CAP_BPF`, one of a tracepoint or a kernel function
//! `CAP_PERFMON` and `CAP_BPF`; giving a link its program back takes none. Nothing here decides whether, or tells.

use std::ffi::CString;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use super::sys;

/// Where a program belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Home {
    /// To the cgroup v2 hierarchy's root, as this type of `enum bpf_attach_type`.
    Cgroup { attach_type: u32 },
    /// To a tracepoint of this name.
    Tracepoint { name: CString },
    /// To the kernel function it was loaded for.
    Function,
}

/// Attaches a program by a new link. It is detached when that is dropped.
///
/// # Errors
/// What the kernel says: `EPERM` without the privileges that are named above.
pub fn attach(program: BorrowedFd<'_>, cgroup: BorrowedFd<'_>, home: &Home) -> io::Result<OwnedFd> {
    match home {
        Home::Cgroup { attach_type } => sys::create_link(program, cgroup, *attach_type),
        Home::Tracepoint { name } => sys::open_tracepoint(program, Some(name)),
        Home::Function => sys::open_tracepoint(program, None),
    }
}

/// Gives a link, of which the agent has this descriptor, its program back.
///
/// # Errors
/// What the kernel says: `ENOLINK` when it was detached meanwhile.
pub fn give_back(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    sys::update_link(link, program)
}
