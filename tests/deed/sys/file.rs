//! Files: calls by path, by handle, and Linux' own asynchronous writes.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

use super::{counted, owned};

/// The most bytes a file handle may have: `MAX_HANDLE_SZ`, include/linux/exportfs.h.
const HANDLE_BYTES_MAX: u32 = 128;

/// `struct file_handle` of include/linux/fs.h, with room for the longest.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Handle {
    handle_bytes: u32,
    handle_type: i32,
    f_handle: [u8; HANDLE_BYTES_MAX as usize],
}

/// `IOCB_CMD_PWRITE`, include/uapi/linux/aio_abi.h.
const PWRITE: u16 = 1;

/// `struct iocb` of include/uapi/linux/aio_abi.h, on a machine whose low bytes come first.
#[repr(C)]
#[derive(Default)]
struct Request {
    data: u64,
    key: u32,
    rw_flags: u32,
    opcode: u16,
    priority: i16,
    descriptor: u32,
    buffer: u64,
    length: u64,
    offset: i64,
    reserved: u64,
    flags: u32,
    event: u32,
}

/// `struct io_event`, same file.
#[repr(C)]
#[derive(Default)]
struct Event {
    data: u64,
    object: u64,
    result: i64,
    result2: i64,
}

/// `open(2)` itself for reading: C libraries call `openat(2)`.
///
/// # Errors
/// What the kernel says.
#[cfg(target_arch = "x86_64")]
pub(crate) fn open(path: &CStr) -> io::Result<OwnedFd> {
    // SAFETY: the path ends with zero, lives across the call and is only read.
    owned(unsafe { libc::syscall(libc::SYS_open, path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) })
}

/// This machine never had `open(2)`.
///
/// # Errors
/// Always `ENOSYS`.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn open(_: &CStr) -> io::Result<OwnedFd> {
    Err(io::Error::from_raw_os_error(libc::ENOSYS))
}

/// `truncate(2)`: the length of the file at `path`.
///
/// # Errors
/// What the kernel says.
pub(crate) fn truncate(path: &CStr, length: i64) -> io::Result<()> {
    // SAFETY: the path ends with zero, lives across the call and is only read.
    counted(unsafe { libc::truncate(path.as_ptr(), length) }).map(drop)
}

/// `name_to_handle_at(2)`.
///
/// # Errors
/// `EOPNOTSUPP` on file systems without handles; else what the kernel says.
pub(crate) fn handle(path: &CStr) -> io::Result<Handle> {
    let mut handle =
        Handle { handle_bytes: HANDLE_BYTES_MAX, handle_type: 0, f_handle: [0; HANDLE_BYTES_MAX as usize] };
    let mut mount: libc::c_int = 0;
    // SAFETY: `handle` has the room that it says and `mount` is a place for a number; both are written to,
    // the path is only read. The types are those of name_to_handle_at(2).
    let result = unsafe {
        libc::syscall(
            libc::SYS_name_to_handle_at,
            libc::AT_FDCWD,
            path.as_ptr(),
            &raw mut handle,
            &raw mut mount,
            0,
        )
    };
    counted(result)?;
    Ok(handle)
}

/// `open_by_handle_at(2)` for reading, on the file system that `mount` is open on.
///
/// # Errors
/// `EPERM` without `CAP_DAC_READ_SEARCH`, `ESTALE` when the file is gone.
pub(crate) fn open_by_handle(mount: BorrowedFd<'_>, handle: &Handle) -> io::Result<OwnedFd> {
    let (mount, handle) = (mount.as_raw_fd(), ptr::from_ref(handle));
    // SAFETY: the descriptor is borrowed, the handle is as long as it says and only read.
    owned(unsafe { libc::syscall(libc::SYS_open_by_handle_at, mount, handle, libc::O_RDONLY) })
}

/// `io_submit(2)` of one write, and `io_getevents(2)` until it is done: gives the bytes written.
///
/// # Errors
/// `ENOSYS` without `CONFIG_AIO`; else what the kernel says.
pub(crate) fn write_by_aio(file: BorrowedFd<'_>, bytes: &[u8], offset: i64) -> io::Result<usize> {
    let mut context: libc::c_ulong = 0;
    // SAFETY: `context` is a place for the kernel's number, and zero as io_setup(2) demands.
    counted(unsafe { libc::syscall(libc::SYS_io_setup, 1, &raw mut context) })?;
    let mut request = Request {
        opcode: PWRITE,
        descriptor: u32::try_from(file.as_raw_fd()).map_err(io::Error::other)?,
        buffer: bytes.as_ptr().expose_provenance() as u64,
        length: bytes.len() as u64,
        offset,
        ..Request::default()
    };
    let mut list = [&raw mut request];
    // SAFETY: a list of one request; it, its bytes and the descriptor live until io_getevents below has
    // told that the write is done.
    let submitted = counted(unsafe { libc::syscall(libc::SYS_io_submit, context, 1, list.as_mut_ptr()) });
    let mut event = Event::default();
    let waited = submitted.and_then(|_| {
        let forever = ptr::null::<libc::timespec>();
        // SAFETY: room for one event, and at most one is asked for; without a timeout it waits for it.
        counted(unsafe { libc::syscall(libc::SYS_io_getevents, context, 1, 1, &raw mut event, forever) })
    });
    // SAFETY: the context is the one that io_setup gave; nothing is in flight that the kernel would not
    // wait for here.
    unsafe { libc::syscall(libc::SYS_io_destroy, context) };
    waited?;
    usize::try_from(event.result)
        .map_err(|_| io::Error::from_raw_os_error(-i32::try_from(event.result).unwrap_or(0)))
}
