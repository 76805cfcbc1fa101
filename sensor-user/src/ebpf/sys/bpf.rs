//! The commands of `bpf(2)` that the crate which loads the programs keeps to itself.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd, RawFd};

use zerocopy::{FromBytes, IntoBytes};

use super::owned;

/// `enum bpf_cmd` of include/uapi/linux/bpf.h, as far as the crate that loads the programs keeps it to itself.
#[derive(Clone, Copy)]
#[repr(i32)]
enum BpfCommand {
    ObjectInfo = 15,
    ProgramQuery = 16,
    RawTracepointOpen = 17,
    MapFreeze = 22,
    LinkCreate = 28,
    LinkUpdate = 29,
}

/// `bpf(2)`: `attribute` has the first members of `union bpf_attr` for the command, the kernel takes the rest as zero.
fn bpf<T: IntoBytes + FromBytes>(command: BpfCommand, attribute: &mut T) -> io::Result<libc::c_long> {
    // SAFETY: the attribute is plain bytes, lives across the call and is as long as is said; whatever it points to is
    // the callers' matter, each of which keeps it alive.
    let outcome = unsafe {
        libc::syscall(libc::SYS_bpf, command as libc::c_int, std::ptr::from_mut(attribute), size_of::<T>())
    };
    if outcome < 0 { Err(io::Error::last_os_error()) } else { Ok(outcome) }
}

/// A descriptor as `union bpf_attr` has it.
fn number(descriptor: BorrowedFd<'_>) -> u32 {
    descriptor.as_raw_fd().unsigned_abs()
}

/// Most maps of one program that are asked for: the verifier takes 64 (`MAX_USED_MAPS`, include/linux/bpf_verifier.h).
const PROGRAM_MAPS_MAX: usize = 64;

/// `BPF_OBJ_GET_INFO_BY_FD`: a program's id, and those of the maps that it was given. The library asks for these too, but
/// loads a program to find out whether it may. As 64-bit words the beginning of `struct bpf_prog_info` is that of a
/// little-endian machine.
///
/// # Errors
/// What the kernel says: `EBADF`, `EINVAL` for what is nothing of BPF's.
pub fn program_facts(program: BorrowedFd<'_>) -> io::Result<(u32, Vec<u32>)> {
    let mut maps = [0_u32; PROGRAM_MAPS_MAX];
    let place = maps.as_mut_ptr().expose_provenance() as u64;
    // Type and id, tag, lengths and places of code, time of loading, user and number of maps, where their ids go.
    let mut facts = [0, 0, 0, 0, 0, 0, (PROGRAM_MAPS_MAX as u64) << 32, place];
    let room = size_of_val(&facts) as u64;
    let mut question =
        [u64::from(number(program)) | room << 32, facts.as_mut_ptr().expose_provenance() as u64];
    bpf(BpfCommand::ObjectInfo, &mut question)?;
    let [first, .., count, _] = facts;
    let [id, count] = [first, count].map(|word| word >> 32);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    Ok((u32::try_from(id).unwrap_or(0), maps.into_iter().take(count).collect()))
}

/// `BPF_MAP_FREEZE`: from now on no system call writes this map; programs do.
///
/// # Errors
/// `EBUSY` for one that is frozen or mapped to be written, `EPERM` without `CAP_BPF`.
pub fn freeze_map(map: BorrowedFd<'_>) -> io::Result<()> {
    bpf(BpfCommand::MapFreeze, &mut number(map)).map(drop)
}

/// `BPF_LINK_CREATE`: attaches a program to a cgroup, as one of the types of `enum bpf_attach_type`.
///
/// # Errors
/// What the kernel says: `EPERM` without `CAP_NET_ADMIN` and `CAP_BPF`, `EINVAL`, `ENOENT` for a cgroup that is gone.
pub fn create_link(program: BorrowedFd<'_>, cgroup: BorrowedFd<'_>, attach_type: u32) -> io::Result<OwnedFd> {
    let link = bpf(BpfCommand::LinkCreate, &mut [number(program), number(cgroup), attach_type, 0])?;
    owned(RawFd::try_from(link).map_err(io::Error::other)?)
}

/// `BPF_LINK_UPDATE`: the link runs this program from now on.
///
/// # Errors
/// `ENOLINK` for one that was detached; else what the kernel says.
pub fn update_link(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    bpf(BpfCommand::LinkUpdate, &mut [number(link), number(program), 0, 0]).map(drop)
}

/// `BPF_RAW_TRACEPOINT_OPEN`: attaches to a tracepoint, or without a name where the program was loaded for (fentry and
/// fexit).
///
/// # Errors
/// `ENOENT` where there is no such tracepoint, `EPERM` without `CAP_PERFMON` and `CAP_BPF`.
pub fn open_tracepoint(program: BorrowedFd<'_>, tracepoint: Option<&CStr>) -> io::Result<OwnedFd> {
    let name = tracepoint.map_or(0, |name| name.as_ptr().expose_provenance() as u64);
    let link = bpf(BpfCommand::RawTracepointOpen, &mut [name, u64::from(number(program))])?;
    owned(RawFd::try_from(link).map_err(io::Error::other)?)
}

/// Most programs of one cgroup and type (`BPF_CGROUP_MAX_PROGS`, include/linux/bpf-cgroup.h).
const CGROUP_PROGRAMS_MAX: usize = 64;

/// `BPF_PROG_QUERY`: ids of the programs that are attached to a cgroup as this type, in the order in which they run. As 64-bit
/// words the attribute is that of a little-endian machine, the only kind that the sensor is built for.
///
/// # Errors
/// `EPERM` without `CAP_NET_ADMIN`; `EINVAL` for a type that the kernel does not have.
pub fn cgroup_programs(cgroup: BorrowedFd<'_>, attach_type: u32) -> io::Result<Vec<u32>> {
    let mut ids = [0_u32; CGROUP_PROGRAMS_MAX];
    let place = ids.as_mut_ptr().expose_provenance() as u64;
    // Cgroup and type, no flags, where the ids go, how many fit.
    let target = u64::from(number(cgroup)) | u64::from(attach_type) << 32;
    let mut query = [target, 0, place, CGROUP_PROGRAMS_MAX as u64];
    bpf(BpfCommand::ProgramQuery, &mut query)?;
    let [.., count] = query;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    Ok(ids.into_iter().take(count).collect())
}
