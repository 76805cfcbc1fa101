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
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("a process with more than one thread is not forked"));
    }
    // SAFETY: this process has one thread, as just seen, and only this thread could make another; so the
    // child has everything that it copies in a whole state.
    let pid = unsafe { libc::fork() };
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
