//! System calls that no crate offers in a safe form: the only unsafe code of the tests.
//!
//! Each function is the thinnest safe dress of one call, with the kernel's own error back. What a deed is
//! made of, and what is told of it, is not decided here.
#![expect(unsafe_code, reason = "none of these has a safe form in any crate used here")]

pub(crate) mod process;
pub(crate) mod trace;
pub(crate) mod program;
pub(crate) mod memory;
pub(crate) mod file;
pub(crate) mod socket;
pub(crate) mod ring;
pub(crate) mod compat;

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// The result of a call that returns a number, or -1 and `errno`.
fn counted(result: impl TryInto<usize>) -> io::Result<usize> {
    result.try_into().map_err(|_| io::Error::last_os_error())
}

/// The result of a call that returns a new descriptor, or -1 and `errno`.
fn owned(result: impl TryInto<RawFd>) -> io::Result<OwnedFd> {
    match result.try_into() {
        // SAFETY: only called with what the kernel has just returned as a new descriptor: it is open and
        // nobody else has it.
        Ok(descriptor) if descriptor >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
        _ => Err(io::Error::last_os_error()),
    }
}
