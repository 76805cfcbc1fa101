//! io_uring, one operation at a time: handed over, and waited for, so that nothing outlives a call.

use std::ffi::CStr;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Result, bail};
use io_uring::squeue::{Entry, Flags};
use io_uring::types::Fd;
use io_uring::{IoUring, Probe, opcode};
use rustix::io::Errno;

use super::owned;
use super::socket::{Address, Message, number};
use crate::truth::{Missing, OrMissing as _};

/// Entries of the queue; one operation is in it at a time.
const ENTRIES: u32 = 4;

/// Milliseconds after which the kernel's polling thread goes to sleep; it need not outlive the deed.
const IDLE: u32 = 50;

/// The longest piece that one operation moves.
const PIECE_MAX: usize = 1 << 20;

/// Which task does what is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The caller, in `io_uring_enter(2)`.
    Inline,
    /// A worker of the kernel in the caller's process (`IOSQE_ASYNC`).
    Async,
    /// The kernel's polling thread (`IORING_SETUP_SQPOLL`).
    Polled,
}

pub(crate) struct Ring {
    ring: IoUring,
    mode: Mode,
}

impl Ring {
    /// A ring that knows the operation `code`.
    ///
    /// # Errors
    /// `ENOSYS` without `CONFIG_IO_URING`; [`Missing`] where it is switched off, or for an operation that
    /// this kernel has not.
    pub(crate) fn new(mode: Mode, code: u8) -> Result<Self> {
        let mut builder = IoUring::builder();
        if mode == Mode::Polled {
            builder.setup_sqpoll(IDLE);
        }
        // Only the switch and filters of system calls refuse a ring to a process that asks for so little.
        let refused = "io_uring is switched off: kernel.io_uring_disabled, or a filter of system calls";
        let ring = builder.build(ENTRIES).or_missing(&[Errno::PERM], refused)?;
        let mut probe = Probe::new();
        ring.submitter().register_probe(&mut probe)?;
        if !probe.is_supported(code) {
            bail!(Missing(format!("io_uring of this kernel has no operation {code}")));
        }
        Ok(Self { ring, mode })
    }

    /// # Errors
    /// Those of `connect(2)`.
    pub(crate) fn connect(&mut self, socket: impl AsFd, to: SocketAddr) -> io::Result<()> {
        let address = Address::from(to);
        let entry = opcode::Connect::new(Fd(number(&socket)), address.pointer(), address.length()).build();
        // SAFETY: the socket is borrowed and the address lives until the operation is over.
        unsafe { self.perform_on(&socket, entry) }.map(drop)
    }

    /// # Errors
    /// Those of `accept4(2)`.
    pub(crate) fn accept(&mut self, listener: impl AsFd) -> io::Result<OwnedFd> {
        let nowhere = std::ptr::null_mut();
        let entry = opcode::Accept::new(Fd(number(&listener)), nowhere, nowhere.cast()).build();
        // SAFETY: the listener is borrowed until the operation is over; it writes no address.
        owned(unsafe { self.perform_on(&listener, entry) }?)
    }

    /// # Errors
    /// Those of `send(2)`.
    pub(crate) fn send(&mut self, socket: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
        let (start, length) = piece(bytes);
        let entry = opcode::Send::new(Fd(number(&socket)), start, length).flags(libc::MSG_NOSIGNAL).build();
        // SAFETY: socket and bytes are borrowed until the operation is over; the bytes are only read.
        unsafe { self.perform_on(&socket, entry) }
    }

    /// # Errors
    /// Those of `sendmsg(2)`.
    pub(crate) fn send_to(&mut self, socket: impl AsFd, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        let message = Message::new(bytes, to);
        let entry = opcode::SendMsg::new(Fd(number(&socket)), message.header()).build();
        // SAFETY: socket, message and bytes live until the operation is over, and are only read.
        unsafe { self.perform_on(&socket, entry) }
    }

    /// # Errors
    /// Those of `pwrite(2)`.
    pub(crate) fn write(&mut self, file: impl AsFd, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let (start, length) = piece(bytes);
        let entry = opcode::Write::new(Fd(number(&file)), start, length).offset(offset).build();
        // SAFETY: file and bytes are borrowed until the operation is over; the bytes are only read.
        unsafe { self.perform_on(&file, entry) }
    }

    /// Opens for reading.
    ///
    /// # Errors
    /// Those of `openat(2)`.
    pub(crate) fn open(&mut self, path: &CStr) -> io::Result<OwnedFd> {
        let entry = opcode::OpenAt::new(Fd(libc::AT_FDCWD), path.as_ptr()).flags(libc::O_RDONLY).build();
        // SAFETY: the path ends with zero, is borrowed until the operation is over, and only read.
        owned(unsafe { self.perform(entry) }?)
    }

    /// An operation on something open. Before Linux 5.11 the polling thread knows registered files only.
    ///
    /// # Safety
    /// As [`Self::perform`].
    unsafe fn perform_on(&mut self, target: impl AsFd, entry: Entry) -> io::Result<usize> {
        let registered = self.mode == Mode::Polled && !self.ring.params().is_feature_sqpoll_nonfixed();
        if !registered {
            // SAFETY: what the caller promised.
            return unsafe { self.perform(entry) };
        }
        let number = number(target);
        // The entry names its target by number, which is now the row of a table: one that is long enough.
        let rows = vec![number; usize::try_from(number).map_err(io::Error::other)? + 1];
        self.ring.submitter().register_files(&rows)?;
        // SAFETY: what the caller promised; the file stays registered until the operation is over.
        let result = unsafe { self.perform(entry.flags(Flags::FIXED_FILE)) };
        self.ring.submitter().unregister_files()?;
        result
    }

    /// Hands `entry` over and waits until it is done.
    ///
    /// # Safety
    /// What the entry points to and the files that it names must live until this returns.
    unsafe fn perform(&mut self, entry: Entry) -> io::Result<usize> {
        let entry = if self.mode == Mode::Async { entry.flags(Flags::ASYNC) } else { entry };
        // SAFETY: the caller promises that everything lives until this returns, and this returns only when
        // the operation is done, or was never handed over because the queue was full.
        unsafe { self.ring.submission().push(&entry) }.map_err(io::Error::other)?;
        loop {
            match self.ring.submit_and_wait(1) {
                Ok(_) => {}
                Err(error)
                    if matches!(error.raw_os_error(), Some(libc::EINTR | libc::EAGAIN | libc::EBUSY)) => {}
                // The kernel may have the pointers, so nothing that they lead to may end before the process.
                Err(_) => std::process::abort(),
            }
            if let Some(completion) = self.ring.completion().next() {
                let result = completion.result();
                return usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result));
            }
        }
    }
}

/// Where bytes start, and how many of them one operation takes.
fn piece(bytes: &[u8]) -> (*const u8, u32) {
    let length = bytes.len().min(PIECE_MAX);
    (bytes.as_ptr(), u32::try_from(length).unwrap_or(0))
}
