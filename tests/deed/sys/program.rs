//! What one process does to the BPF programs, links and maps of another, by their ids.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

use super::{counted, owned};

/// `enum bpf_cmd`, include/uapi/linux/bpf.h.
#[derive(Debug, Clone, Copy)]
#[repr(i32)]
enum Command {
    MapUpdate = 2,
    MapDelete = 3,
    MapNextKey = 4,
    ProgramLoad = 5,
    MapById = 14,
    LinkCreate = 28,
    LinkUpdate = 29,
    LinkById = 30,
    LinkDetach = 34,
}

/// A kind of program, with the place it is meant for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// `enum bpf_prog_type`.
    pub(crate) program_type: u32,
    /// `enum bpf_attach_type`.
    pub(crate) attach_type: u32,
}

/// The first members of `union bpf_attr` for `BPF_PROG_LOAD`; the kernel takes the rest as zero.
#[repr(C)]
#[derive(Default)]
struct Load {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u64; 2],
    prog_ifindex: u32,
    expected_attach_type: u32,
}

/// The same for commands on elements of maps.
#[repr(C)]
struct Element {
    map: u32,
    reserved: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// `r0 = 1; exit` as two `struct bpf_insn`: lets everything pass.
static PASS: [u64; 2] = [0x0001_0000_00b7, 0x95];

/// `r1 = map; r0 = 1; exit`: the same, with another's map in its hands (`BPF_PSEUDO_MAP_FD` in the source register).
const HOLD: [u64; 4] = [0x1118, 0, 0x0001_0000_00b7, 0x95];

fn call<T>(command: Command, attribute: &mut T) -> io::Result<libc::c_long> {
    // SAFETY: the attribute lives across the call and is as long as is said; what it points to its maker keeps alive.
    let outcome = unsafe {
        libc::syscall(libc::SYS_bpf, command as libc::c_int, ptr::from_mut(attribute), size_of::<T>())
    };
    if outcome < 0 { Err(io::Error::last_os_error()) } else { Ok(outcome) }
}

fn number(descriptor: BorrowedFd<'_>) -> u32 {
    descriptor.as_raw_fd().unsigned_abs()
}

/// A link of whoever's, by its id: needs `CAP_SYS_ADMIN`.
///
/// # Errors
/// `ENOENT`, `EPERM`.
pub(crate) fn link_by_id(id: u32) -> io::Result<OwnedFd> {
    owned(call(Command::LinkById, &mut [id, 0, 0])?)
}

/// A map of whoever's, by its id: needs `CAP_SYS_ADMIN`.
///
/// # Errors
/// `ENOENT`, `EPERM`.
pub(crate) fn map_by_id(id: u32) -> io::Result<OwnedFd> {
    owned(call(Command::MapById, &mut [id, 0, 0])?)
}

/// Takes a link from its place.
///
/// # Errors
/// `EOPNOTSUPP` for links of tracepoints and functions.
pub(crate) fn detach(link: BorrowedFd<'_>) -> io::Result<()> {
    call(Command::LinkDetach, &mut number(link)).map(drop)
}

/// Attaches a program to a cgroup.
///
/// # Errors
/// `EPERM` when this process may not.
pub(crate) fn attach(cgroup: BorrowedFd<'_>, program: BorrowedFd<'_>, kind: Kind) -> io::Result<OwnedFd> {
    let mut attribute = [number(program), number(cgroup), kind.attach_type, 0];
    owned(call(Command::LinkCreate, &mut attribute)?)
}

/// Gives a link another program.
///
/// # Errors
/// `EINVAL` for a program of another type, and for links of tracepoints and functions.
pub(crate) fn replace(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    call(Command::LinkUpdate, &mut [number(link), number(program), 0, 0]).map(drop)
}

/// Loads a program that lets everything pass; with a map, one that has this map in its hands.
///
/// # Errors
/// `EPERM` when this process may not.
pub(crate) fn load(kind: Kind, map: Option<BorrowedFd<'_>>) -> io::Result<OwnedFd> {
    let mut holding = HOLD;
    holding[0] |= map.map_or(0, |map| u64::from(number(map)) << 32);
    let instructions: &[u64] = if map.is_some() { &holding } else { &PASS };
    let mut attribute = Load {
        prog_type: kind.program_type,
        insn_cnt: u32::try_from(instructions.len()).map_err(io::Error::other)?,
        insns: instructions.as_ptr().expose_provenance() as u64,
        license: c"GPL".as_ptr().expose_provenance() as u64,
        prog_name: [u64::from_le_bytes(*b"deed\0\0\0\0"), 0],
        expected_attach_type: kind.attach_type,
        ..Load::default()
    };
    owned(call(Command::ProgramLoad, &mut attribute)?)
}

/// Writes an element.
///
/// # Errors
/// `EPERM` for a map that is frozen.
pub(crate) fn update(map: BorrowedFd<'_>, key: &[u8], value: &[u8]) -> io::Result<()> {
    let (key, value) = (key.as_ptr().expose_provenance() as u64, value.as_ptr().expose_provenance() as u64);
    let mut element = Element { map: number(map), reserved: 0, key, value, flags: 0 };
    call(Command::MapUpdate, &mut element).map(drop)
}

/// Takes an element out.
///
/// # Errors
/// `EPERM` for a map that is frozen, `ENOENT`.
pub(crate) fn delete(map: BorrowedFd<'_>, key: &[u8]) -> io::Result<()> {
    let key = key.as_ptr().expose_provenance() as u64;
    let mut element = Element { map: number(map), reserved: 0, key, value: 0, flags: 0 };
    call(Command::MapDelete, &mut element).map(drop)
}

/// The key behind `key`, or the first.
///
/// # Errors
/// `ENOENT` behind the last.
pub(crate) fn next_key(map: BorrowedFd<'_>, key: Option<&[u8]>, next: &mut [u8]) -> io::Result<()> {
    let key = key.map_or(0, |key| key.as_ptr().expose_provenance() as u64);
    let next = next.as_mut_ptr().expose_provenance() as u64;
    let mut element = Element { map: number(map), reserved: 0, key, value: next, flags: 0 };
    call(Command::MapNextKey, &mut element).map(drop)
}

/// Moves the reader's position in a ring by so many bytes; returns where it was.
///
/// # Errors
/// What `mmap(2)` says.
pub(crate) fn move_reader(ring: BorrowedFd<'_>, bytes: u64) -> io::Result<u64> {
    let (protection, shared) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
    // SAFETY: without an address wished for, the kernel chooses one where nothing is.
    let page = unsafe { libc::mmap(ptr::null_mut(), 1, protection, shared, ring.as_raw_fd(), 0) };
    if page == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a mapped page begins at its bound and has room for the word, which is used as a whole only.
    let position = unsafe { std::sync::atomic::AtomicU64::from_ptr(page.cast()) };
    let before = position.fetch_add(bytes, std::sync::atomic::Ordering::AcqRel);
    // SAFETY: the range is that of the mapping above, which nothing refers to any more.
    counted(unsafe { libc::munmap(page, 1) })?;
    Ok(before)
}
