//! Raw system calls that no crate offers: the agent's only module with unsafe code.
//!
//! Each function is the thinnest safe dress of one call: borrowed descriptors in, owned ones out,
//! the kernel's own error back. No policy, no retries, no parsing here.
#![expect(unsafe_code, reason = "none of these has a safe form in any crate used here")]

mod bpf;

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

pub use bpf::{cgroup_programs, create_link, freeze_map, open_tracepoint, program_facts, update_link};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The most bytes a file handle may have: `MAX_HANDLE_SZ`, include/linux/exportfs.h.
pub const HANDLE_BYTES_MAX: usize = 128;

/// `struct file_handle` of include/linux/fs.h, with room for the longest handle.
#[repr(C)]
struct FileHandle {
    handle_bytes: u32,
    handle_type: i32,
    f_handle: [u8; HANDLE_BYTES_MAX],
}

/// `fanotify_init(2)`: a new, empty notification group.
///
/// # Errors
/// What the kernel says: `EINVAL` for flags it does not know, `EPERM`, `ENOSYS`, `EMFILE`.
pub fn fanotify_init(flags: u32, event_flags: u32) -> io::Result<OwnedFd> {
    // SAFETY: takes two numbers and no pointer; the kernel checks both.
    let descriptor = unsafe { libc::fanotify_init(flags, event_flags) };
    owned(descriptor)
}

/// `fanotify_mark(2)` on the object that `target` is open on (the path is null), so what is marked
/// is what the caller holds, whatever its name leads to by now. `target` must not be `O_PATH`.
///
/// # Errors
/// What the kernel says: `EINVAL` for a mask it does not know, `ENODEV` and `EOPNOTSUPP` for file
/// systems without ids or handles, `EXDEV`, `EPERM`, `ENOSPC`.
pub fn fanotify_mark(group: BorrowedFd<'_>, flags: u32, mask: u64, target: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: both descriptors are borrowed, so open for the whole call; a null path is allowed and
    // means the descriptor itself (fanotify_mark(2)), so the kernel reads no memory of ours.
    let outcome =
        unsafe { libc::fanotify_mark(group.as_raw_fd(), flags, mask, target.as_raw_fd(), std::ptr::null()) };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// One event of a group whose events come with the file open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Thread group, in the agent's pid namespace; 0 for a process outside of it.
    pub pid: u32,
    /// Device and inode number of the file; none when the queue was full.
    pub file: Option<(u64, u64)>,
}

/// Events read at once by [`read_opened`]: each takes a descriptor for a moment.
const OPENED_AT_ONCE: usize = 64;

/// A notification group whose events come with the file open: works for marks on single files of any file
/// system, also of those that cannot name a file by a handle.
///
/// # Errors
/// As [`fanotify_init`].
pub fn open_group() -> io::Result<OwnedFd> {
    let flags = libc::FAN_CLASS_NOTIF | libc::FAN_NONBLOCK | libc::FAN_CLOEXEC;
    let event_flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_LARGEFILE | libc::O_NOATIME;
    fanotify_init(flags, event_flags.unsigned_abs())
}

/// What has happened since in such a group, at most 64 events; none when there is nothing.
///
/// # Errors
/// What read(2) says, but `EAGAIN`.
pub fn read_opened(group: BorrowedFd<'_>) -> io::Result<Vec<Opened>> {
    let mut events =
        [const { std::mem::MaybeUninit::<libc::fanotify_event_metadata>::uninit() }; OPENED_AT_ONCE];
    // SAFETY: the buffer is as long as is said and lives across the call, which writes into it.
    let length = unsafe { libc::read(group.as_raw_fd(), events.as_mut_ptr().cast(), size_of_val(&events)) };
    let Ok(length) = usize::try_from(length) else {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::WouldBlock { Ok(Vec::new()) } else { Err(error) };
    };
    let count = length / size_of::<libc::fanotify_event_metadata>();
    let opened = events.iter().take(count).map(|event| {
        // SAFETY: the kernel has filled `count` events; this group has no records behind them.
        let event = unsafe { event.assume_init_ref() };
        let file = (event.fd >= 0).then(|| {
            // SAFETY: the kernel has just made this descriptor for us, as it does for every event of a
            // group without handles, and nobody else has it.
            unsafe { OwnedFd::from_raw_fd(event.fd) }
        });
        let stat = file.and_then(|file| rustix::fs::fstat(file).ok());
        let file = stat.map(|stat| (stat.st_dev, stat.st_ino));
        Opened { pid: u32::try_from(event.pid).unwrap_or(0), file }
    });
    Ok(opened.collect())
}

/// Whether something can be read from a descriptor now.
///
/// # Errors
/// It cannot be asked (poll(2)).
pub fn is_readable(descriptor: BorrowedFd<'_>) -> io::Result<bool> {
    let mut one = [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)];
    Ok(poll(&mut one, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? > 0)
}

/// Has this process go on when it is asked to end (SIGINT, SIGTERM, SIGHUP).
pub fn ignore_endings() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: no handler of ours is named, only that there is to be none; it cannot fail for these signals.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// Asks for short turns on the processor, of `nanoseconds` each, for this thread and those that it starts: whoever waits
/// for little is let in sooner, and has no more of the processor than before (sched(7); `sched_setattr(2)` of ordinary
/// threads, since Linux 6.12; older kernels take no notice).
///
/// # Errors
/// What the kernel or a filter of system calls says.
pub fn ask_for_short_turns(nanoseconds: u64) -> io::Result<()> {
    // SAFETY: an attribute of zeros is one, whatever fields it has.
    let mut attributes: libc::sched_attr = unsafe { std::mem::zeroed() };
    let size = u32::try_from(size_of_val(&attributes)).unwrap_or(u32::MAX);
    // SAFETY: the kernel writes at most `size` bytes to where there are as many; thread 0 is this one.
    let outcome = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) };
    if outcome != 0 {
        return Err(io::Error::last_os_error());
    }
    if attributes.sched_policy.cast_signed() != libc::SCHED_OTHER {
        // Somebody has chosen another policy for it, under which the field means something else.
        return Ok(());
    }
    attributes.sched_runtime = nanoseconds;
    // SAFETY: the kernel reads the attribute by the size in it, which it has just set itself.
    let outcome = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// `open_by_handle_at(2)`: opens what `handle` means on the file system that `mount` is open on.
///
/// # Errors
/// `EINVAL` for a handle longer than [`HANDLE_BYTES_MAX`]; else what the kernel says: `ESTALE` when
/// the object is gone, `EPERM` without `CAP_DAC_READ_SEARCH`.
pub fn open_by_handle_at(
    mount: BorrowedFd<'_>,
    handle_type: i32,
    handle: &[u8],
    flags: i32,
) -> io::Result<OwnedFd> {
    let mut request = FileHandle { handle_bytes: 0, handle_type, f_handle: [0; HANDLE_BYTES_MAX] };
    let too_long = || io::Error::from_raw_os_error(libc::EINVAL);
    request.handle_bytes = u32::try_from(handle.len()).map_err(|_| too_long())?;
    request.f_handle.get_mut(..handle.len()).ok_or_else(too_long)?.copy_from_slice(handle);
    // SAFETY: `request` has the layout of `struct file_handle`, lives across the call and holds
    // `handle_bytes` bytes, bounded just above by the room it has; the kernel only reads it. The
    // arguments have the types of open_by_handle_at(2), which a variadic call cannot check.
    let descriptor =
        unsafe { libc::syscall(libc::SYS_open_by_handle_at, mount.as_raw_fd(), &raw const request, flags) };
    owned(RawFd::try_from(descriptor).map_err(|_| io::Error::from_raw_os_error(libc::EBADF))?)
}

/// The result of a call that returns a new descriptor, or -1 and `errno`.
fn owned(descriptor: RawFd) -> io::Result<OwnedFd> {
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: only called with what the kernel has just returned as a new descriptor: it is open and
    // nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Lifts the limit of locked memory (`RLIMIT_MEMLOCK`), which kernels before 5.11 charge BPF maps to.
///
/// # Errors
/// `EPERM` without `CAP_SYS_RESOURCE`.
pub fn raise_locked_memory() -> io::Result<()> {
    let unlimited = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the pointer is to a whole `rlimit` that lives across the call and is only read.
    let outcome = unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const unlimited) };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// What the kernel knows of its clock of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelClock {
    /// Somebody keeps it right (`STA_UNSYNC` is not set, and the call does not say `TIME_ERROR`).
    pub is_synchronised: bool,
    /// The most it may be wrong by, microseconds.
    pub error_max: i64,
}

/// `adjtimex(2)` that changes nothing, for which nobody needs a privilege.
///
/// # Errors
/// What the kernel says; a seccomp filter may forbid the call.
pub fn kernel_clock() -> io::Result<KernelClock> {
    let mut clock = std::mem::MaybeUninit::<libc::timex>::zeroed();
    // SAFETY: the pointer is to a whole `timex` that lives across the call. All of it is zero, a value that each of its
    // fields has, and `modes` of zero asks for no change; the kernel fills it.
    let state = unsafe { libc::adjtimex(clock.as_mut_ptr()) };
    if state < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was zeroed, and every field is a number, for which any bytes are a value.
    let clock = unsafe { clock.assume_init() };
    let is_synchronised = state != libc::TIME_ERROR && clock.status & libc::STA_UNSYNC == 0;
    Ok(KernelClock { is_synchronised, error_max: clock.maxerror })
}

/// The first page of a file, mapped shared (`mmap(2)`), until it is dropped.
pub struct Mapping {
    address: NonNull<libc::c_void>,
}

// SAFETY: the mapping is the process's, whichever thread has it, and is used by one at a time.
unsafe impl Send for Mapping {}

impl Mapping {
    /// What is mapped, bytes; the kernel rounds it up to its page.
    const SIZE: usize = 1;

    /// To read and write.
    ///
    /// # Errors
    /// What the kernel says: `EACCES` for a file that is not open for both, `ENODEV`, `ENOMEM`.
    pub fn writable(file: BorrowedFd<'_>) -> io::Result<Self> {
        Self::new(file, libc::PROT_READ | libc::PROT_WRITE)
    }

    /// To read only.
    ///
    /// # Errors
    /// As [`Mapping::writable`].
    pub fn readable(file: BorrowedFd<'_>) -> io::Result<Self> {
        Self::new(file, libc::PROT_READ)
    }

    fn new(file: BorrowedFd<'_>, protection: libc::c_int) -> io::Result<Self> {
        // SAFETY: without an address wished for, the kernel chooses one where nothing is, so no memory
        // of ours changes; the descriptor is borrowed, so open for the whole call.
        let address = unsafe {
            libc::mmap(std::ptr::null_mut(), Self::SIZE, protection, libc::MAP_SHARED, file.as_raw_fd(), 0)
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        NonNull::new(address).map(|address| Self { address }).ok_or(io::ErrorKind::AddrNotAvailable.into())
    }

    /// `mprotect(2)`.
    ///
    /// # Errors
    /// `EACCES` when the file is not open for writing.
    pub fn make_writable(&mut self) -> io::Result<()> {
        // SAFETY: the range is that of this mapping, which nothing else refers to.
        let outcome =
            unsafe { libc::mprotect(self.address.as_ptr(), Self::SIZE, libc::PROT_READ | libc::PROT_WRITE) };
        if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Stores a byte through the mapping. The kernel does it (`getrandom(2)`), since with it a store that
    /// cannot be done, to a full disk for one, is an error and not a signal that ends the process.
    ///
    /// # Errors
    /// `EFAULT` when the mapping cannot be written to.
    pub fn store(&mut self) -> io::Result<()> {
        // SAFETY: the kernel writes `SIZE` bytes at most, which is what is mapped, and checks that they
        // are; nothing refers to this memory. Not by the library's function, which may write itself.
        let stored = unsafe {
            libc::syscall(libc::SYS_getrandom, self.address.as_ptr(), Self::SIZE, libc::GRND_INSECURE)
        };
        if stored > 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is that of this mapping, which nothing else refers to and nobody has unmapped.
        // It cannot fail for a range that is mapped.
        unsafe { libc::munmap(self.address.as_ptr(), Self::SIZE) };
    }
}

/// The agent's own view of the page in which a ring of the kernel has its consumer's position.
pub struct ConsumerPage(Mapping);

impl ConsumerPage {
    /// `ring` is a map of type `BPF_MAP_TYPE_RINGBUF`; of anything else the kernel gives other bytes, or none.
    ///
    /// # Errors
    /// As [`Mapping::writable`].
    pub fn of(ring: BorrowedFd<'_>) -> io::Result<Self> {
        Mapping::writable(ring).map(Self)
    }

    /// The position. Other mappings of the page, of this process and of others, see and change the same.
    #[must_use]
    pub fn position(&self) -> &AtomicU64 {
        let word = self.0.address.cast::<AtomicU64>();
        // SAFETY: a mapped page begins at a page's bound, has room for the word, and lives as long as `self`; it is only
        // ever used as a whole and by atomic operations.
        unsafe { word.as_ref() }
    }
}

/// A second descriptor for what this number stands for in this process (`fcntl(2)`, `F_DUPFD_CLOEXEC`): whoever owns
/// the first keeps it.
///
/// # Errors
/// `EBADF` when the number stands for nothing.
pub fn duplicate(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: takes numbers and no pointer; the kernel checks them, and what it returns is new and ours.
    owned(unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) })
}

/// Gives freed heap back to the kernel. The start reads the kernel's whole type information; without
/// this the allocator would keep that room for good. Nothing to do with other C libraries.
pub fn trim_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes a number and touches only free memory of the allocator, under its own lock.
    unsafe {
        libc::malloc_trim(0)
    };
}

/// In a static program: names of hosts are looked up by the C library's own means (/etc/hosts, DNS), whatever
/// /etc/nsswitch.conf says. Else the libraries that it names would be loaded, with the C library that this host has beside
/// the one in the program (nss(5)); where a resolver of the host is at work, its address is in /etc/resolv.conf. Before
/// any thread is started.
pub fn resolve_alone() {
    #[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
    {
        unsafe extern "C" {
            /// glibc's nss/nss.h.
            fn __nss_configure_lookup(
                database: *const libc::c_char,
                services: *const libc::c_char,
            ) -> libc::c_int;
        }
        // SAFETY: two strings that live for ever, of a database and of services that glibc knows; nobody looks a name up
        // yet. What it returns says that either is unknown.
        unsafe { __nss_configure_lookup(c"hosts".as_ptr(), c"files dns".as_ptr()) };
    }
}

/// Readiness of a descriptor for reading. Must be called within a tokio runtime.
///
/// # Errors
/// The runtime's poller refuses the descriptor.
pub fn readable(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open and stays the same descriptor until it is dropped, which the
    // `AsyncFd` that owns it does after it has left the poller.
    unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }.map_err(io::Error::from)
}

#[cfg(test)]
mod test {
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn a_handle_longer_than_the_kernel_allows_is_refused() {
        let root = std::fs::File::open("/").unwrap();
        let error = open_by_handle_at(root.as_fd(), 1, &[0; HANDLE_BYTES_MAX + 1], libc::O_PATH).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    }

    #[test]
    fn flags_the_kernel_does_not_know_come_back_as_its_error() {
        let error = fanotify_init(u32::MAX, 0).unwrap_err();
        assert!(matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EPERM)), "{error}");
    }
}
