//! Memory that the kernel is to find at a certain place or in a certain way.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::slice;

/// Whole pages of this process, unmapped when dropped.
#[derive(Debug)]
pub(crate) struct Pages {
    start: NonNull<u8>,
    length: usize,
}

impl Pages {
    /// `length` bytes of zero, private to this process, at the start of a page.
    ///
    /// # Errors
    /// What `mmap(2)` says.
    pub(crate) fn new(length: usize) -> io::Result<Self> {
        Self::map(length, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1)
    }

    /// The same below 2 GiB (`MAP_32BIT`), where 32-bit system calls can name it.
    ///
    /// # Errors
    /// What `mmap(2)` says.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn low(length: usize) -> io::Result<Self> {
        Self::map(length, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT, -1)
    }

    /// The first `length` bytes of `file` (`MAP_SHARED`): stores go to the file. It must be that long, and
    /// one that no other process uses.
    ///
    /// # Errors
    /// What `mmap(2)` says: `EACCES` when the file is not open for reading and writing.
    pub(crate) fn of(file: BorrowedFd<'_>, length: usize) -> io::Result<Self> {
        Self::map(length, libc::MAP_SHARED, file.as_raw_fd())
    }

    /// The first `length` bytes of `file`, which is open for reading (`MAP_PRIVATE`): stores stay here. It
    /// must be that long, and one that nobody cuts meanwhile.
    ///
    /// # Errors
    /// What `mmap(2)` says.
    pub(crate) fn view(file: BorrowedFd<'_>, length: usize) -> io::Result<Self> {
        Self::map(length, libc::MAP_PRIVATE, file.as_raw_fd())
    }

    fn map(length: usize, flags: libc::c_int, descriptor: libc::c_int) -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: without an address the kernel chooses one that is free, so no memory in use is replaced.
        let start = unsafe { libc::mmap(ptr::null_mut(), length, protection, flags, descriptor, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::other("mmap gave address zero"))?;
        Ok(Self { start, length })
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        // SAFETY: the pages are mapped for reading until `self` is dropped, and zero or file bytes are valid.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as above, mapped for writing too, and `self` is borrowed exclusively.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }

    /// Where they are.
    pub(crate) fn address(&self) -> u64 {
        self.start.as_ptr().expose_provenance() as u64
    }

    /// The first byte as it is in memory now, also when another process wrote it.
    pub(crate) fn first(&self) -> u8 {
        // SAFETY: pages are never empty (mmap refuses a length of zero), and a byte is always aligned.
        unsafe { self.start.as_ptr().read_volatile() }
    }

    /// `msync(2)`: waits until the file has what was stored.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn sync(&self) -> io::Result<()> {
        // SAFETY: the range is the one that mmap gave.
        super::counted(unsafe { libc::msync(self.start.as_ptr().cast(), self.length, libc::MS_SYNC) })
            .map(drop)
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the range is the one that mmap gave, and no borrow of it outlives `self`.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
    }
}
