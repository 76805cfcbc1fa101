//! Processes: made, and turned into another program.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use rustix::process::{Pid, Signal};

use super::counted;

/// How a child ends that cannot be bound to the life of its parent.
const BOUNDLESS: i32 = 102;

/// How a child ends whose work panicked; what the Rust runtime itself would use.
const PANICKED: i32 = 101;

/// `fork(2)`: runs `work` in a child that ends with what it returns, or when this process ends.
///
/// # Errors
/// There are other threads, whose locks a child would inherit without their owners; or what the kernel says.
pub(crate) fn fork(work: impl FnOnce() -> i32) -> io::Result<Pid> {
    // SAFETY: a copy of this process, as `born` wants it.
    born(work, || unsafe { libc::fork() })
}

/// How a child is made by [`clone3`].
#[derive(Debug, Clone, Copy)]
pub(crate) enum Birth<'f> {
    /// With a pid that nobody has, whatever the kernel would have given.
    Pid(Pid),
    /// In the v2 control group whose directory this is.
    Group(BorrowedFd<'f>),
}

/// `CLONE_INTO_CGROUP` of include/uapi/linux/sched.h.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// `struct clone_args` of the same file, version 2 (Linux 5.7).
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// `clone3(2)`: as [`fork`]. The child must not ask the C library for its own id, which it does not learn.
///
/// # Errors
/// `EPERM` without `CAP_SYS_ADMIN` or `CAP_CHECKPOINT_RESTORE`, `EEXIST` for a pid in use, `ENOSYS` before
/// Linux 5.3; and those of [`fork`].
pub(crate) fn clone3(birth: Birth<'_>, work: impl FnOnce() -> i32) -> io::Result<Pid> {
    let mut told = CloneArgs { exit_signal: libc::SIGCHLD.unsigned_abs().into(), ..CloneArgs::default() };
    let pid = match birth {
        Birth::Pid(pid) => {
            told.set_tid_size = 1;
            pid.as_raw_nonzero().get()
        }
        Birth::Group(directory) => {
            told.flags = CLONE_INTO_CGROUP;
            told.cgroup = directory.as_raw_fd().unsigned_abs().into();
            0
        }
    };
    if told.set_tid_size == 1 {
        told.set_tid = ptr::from_ref(&pid).expose_provenance() as u64;
    }
    born(work, || {
        // SAFETY: the arguments and the pid they point to live across the call and are only read. No stack
        // and no flag that shares memory: the child is a copy, as `born` wants it.
        let made = unsafe { libc::syscall(libc::SYS_clone3, &raw const told, size_of::<CloneArgs>()) };
        libc::pid_t::try_from(made).unwrap_or(-1)
    })
}

/// Makes a copy of this process by `copy`, which gives zero in the copy, and does `work` in it.
fn born(work: impl FnOnce() -> i32, copy: impl FnOnce() -> libc::pid_t) -> io::Result<Pid> {
    // One thread, and only this one could make another: the child has everything that it copies in a whole
    // state.
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("a process with more than one thread is not forked"));
    }
    let pid = copy();
    if pid == 0 {
        // A child must never go on with what its parent was doing.
        let ended =
            catch_unwind(AssertUnwindSafe(|| {
                match rustix::process::set_parent_process_death_signal(Some(Signal::KILL)) {
                    Ok(()) => work(),
                    Err(_) => BOUNDLESS,
                }
            }));
        // SAFETY: ends the process and touches no memory.
        unsafe { libc::_exit(ended.unwrap_or(PANICKED)) };
    }
    Pid::from_raw(pid).filter(|pid| pid.as_raw_nonzero().get() > 0).ok_or_else(io::Error::last_os_error)
}

/// A list of texts as the kernel takes it: pointers, the last of them null.
fn pointers(texts: &[CString]) -> Vec<*const libc::c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
}

/// `execve(2)` with an empty environment. Comes back only with an error.
pub(crate) fn execve(path: &CStr, arguments: &[CString]) -> io::Error {
    let (arguments, environment) = (pointers(arguments), pointers(&[]));
    // SAFETY: a path and two lists that end with null, all alive across the call; the kernel only reads them.
    unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}

/// `execveat(2)` of what `program` is open on, by an empty path. Comes back only with an error.
pub(crate) fn execveat(program: BorrowedFd<'_>, arguments: &[CString]) -> io::Error {
    let (arguments, environment) = (pointers(arguments), pointers(&[]));
    // SAFETY: the descriptor is borrowed, so open; the path and the two lists live across the call and are
    // only read. The arguments have the types of execveat(2), which a variadic call cannot check.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            program.as_raw_fd(),
            c"".as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    io::Error::last_os_error()
}

/// `posix_spawn(3)`, which in glibc is `clone(CLONE_VM | CLONE_VFORK)` and an `execve` in the child.
///
/// # Errors
/// What the function returns: the errors of `clone` and of `execve`.
pub(crate) fn spawn(path: &CStr, arguments: &[CString]) -> io::Result<Pid> {
    let mut pid: libc::pid_t = 0;
    // The type is what the C prototype says; nothing is written through it.
    let (arguments, environment) = (pointers(arguments), pointers(&[]));
    // SAFETY: `pid` is a place to write to; path and lists end as they must and live across the call; null
    // means no attributes and no file actions.
    let error = unsafe {
        libc::posix_spawn(
            &raw mut pid,
            path.as_ptr(),
            ptr::null(),
            ptr::null(),
            arguments.as_ptr().cast(),
            environment.as_ptr().cast(),
        )
    };
    if error != 0 {
        return Err(io::Error::from_raw_os_error(error));
    }
    Pid::from_raw(pid).ok_or_else(|| io::Error::other("posix_spawn made no process"))
}

/// `unshare(2)` of the mount namespace: what this process mounts from now on is its own.
///
/// # Errors
/// `EPERM` without `CAP_SYS_ADMIN`.
pub(crate) fn unshare_mounts() -> io::Result<()> {
    // SAFETY: takes a number; descriptors stay shared, as only the mount namespace is asked for.
    counted(unsafe { libc::unshare(libc::CLONE_NEWNS) }).map(drop)
}

/// `exit(2)` of this thread alone: others go on.
pub(crate) fn end_thread() -> ! {
    loop {
        // SAFETY: takes a number, and touches no memory of those who go on; what this thread owns leaks.
        unsafe { libc::syscall(libc::SYS_exit, 0) };
    }
}

/// `unshare(2)` of the pid namespace: the next child is the first process of a new one.
///
/// # Errors
/// `EPERM` without `CAP_SYS_ADMIN`.
pub(crate) fn unshare_pids() -> io::Result<()> {
    // SAFETY: takes a number; nothing of this process changes.
    counted(unsafe { libc::unshare(libc::CLONE_NEWPID) }).map(drop)
}
