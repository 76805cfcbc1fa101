//! What one process does to another or to the kernel itself.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

use rustix::process::Pid;

use super::{counted, owned};

/// `BPF_PROG_LOAD` of `enum bpf_cmd`, include/uapi/linux/bpf.h.
const BPF_PROG_LOAD: libc::c_int = 5;

/// `BPF_PROG_TYPE_SOCKET_FILTER` of `enum bpf_prog_type`, same file.
const BPF_PROG_TYPE_SOCKET_FILTER: u32 = 1;

/// `r0 = 0; exit` as two `struct bpf_insn`, same file: opcode, registers, offset, immediate.
static DO_NOTHING: [u64; 2] = [0xb7, 0x95];

/// The requests of `ptrace(2)` that take no address: include/uapi/linux/ptrace.h.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trace {
    Attach,
    Seize,
    Interrupt,
    Detach,
}

/// `ptrace(2)`.
///
/// # Errors
/// What the kernel says: `EPERM` when this process may not, `ESRCH` when there is no such tracee.
pub(crate) fn ptrace(request: Trace, target: Pid) -> io::Result<()> {
    let request = match request {
        Trace::Attach => libc::PTRACE_ATTACH,
        Trace::Seize => libc::PTRACE_SEIZE,
        Trace::Interrupt => libc::PTRACE_INTERRUPT,
        Trace::Detach => libc::PTRACE_DETACH,
    };
    let nothing = ptr::null_mut::<libc::c_void>();
    // SAFETY: none of these requests reads or writes memory of ours: address and data are null.
    counted(unsafe { libc::ptrace(request, target.as_raw_nonzero().get(), nothing, nothing) }).map(drop)
}

/// `process_vm_writev(2)`: `bytes` to `address` in `target`, which gives the bytes written.
///
/// # Errors
/// `ENOSYS` without `CONFIG_CROSS_MEMORY_ATTACH`; else what the kernel says.
pub(crate) fn process_vm_writev(target: Pid, address: u64, bytes: &[u8]) -> io::Result<usize> {
    let local = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let there = usize::try_from(address).map_err(io::Error::other)?;
    let remote = libc::iovec { iov_base: ptr::without_provenance_mut(there), iov_len: bytes.len() };
    let pid = target.as_raw_nonzero().get();
    // SAFETY: one vector on each side, both alive; the local bytes are only read, the remote address is
    // the other process' matter and is checked by the kernel.
    counted(unsafe { libc::process_vm_writev(pid, &raw const local, 1, &raw const remote, 1, 0) })
}

/// The first members of `union bpf_attr` for `BPF_PROG_LOAD`, include/uapi/linux/bpf.h; the kernel takes
/// the rest as zero.
#[repr(C)]
struct ProgramLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
}

/// `bpf(2)`: loads a socket filter that does nothing and is attached to nothing.
///
/// # Errors
/// `ENOSYS` without `CONFIG_BPF_SYSCALL`, `EPERM` when this process may not.
pub(crate) fn load_program() -> io::Result<OwnedFd> {
    let attribute = ProgramLoad {
        prog_type: BPF_PROG_TYPE_SOCKET_FILTER,
        insn_cnt: 2,
        insns: DO_NOTHING.as_ptr().expose_provenance() as u64,
        license: c"GPL".as_ptr().expose_provenance() as u64,
        log_level: 0,
        log_size: 0,
        log_buf: 0,
    };
    let length = size_of::<ProgramLoad>();
    // SAFETY: the attribute and what it points to (two instructions and a text that ends with zero) live
    // across the call, are as long as they say, and are only read.
    owned(unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD, &raw const attribute, length) })
}

/// `finit_module(2)` with what `file` is open on and no parameters.
///
/// # Errors
/// `ENOSYS` without `CONFIG_MODULES`; else what the kernel thinks of the file.
pub(crate) fn load_module(file: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the descriptor is open and the parameters are a text that ends with zero; both only read.
    counted(unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), c"".as_ptr(), 0) }).map(drop)
}

/// Has a tracee that stands do the system call of this number next, with zeros for arguments. False: it stands elsewhere
/// than at a call.
///
/// # Errors
/// What `ptrace(2)` says.
pub(crate) fn redirect(target: Pid, call: u64) -> io::Result<bool> {
    let mut registers = std::mem::MaybeUninit::<libc::user_regs_struct>::zeroed();
    register_set(libc::PTRACE_GETREGSET, target, registers.as_mut_ptr())?;
    // SAFETY: it was zeroed and filled, and every field is a number, for which any bytes are a value.
    let mut registers = unsafe { registers.assume_init() };
    let here = machine::place(&registers);
    // Behind it, or before it when the kernel is about to begin it again.
    let places = [here.wrapping_sub(machine::CALL_BYTES), here];
    let Some(place) = places.into_iter().find(|place| machine::is_call(word(target, *place))) else {
        return Ok(false);
    };
    machine::set(&mut registers, place, call);
    register_set(libc::PTRACE_SETREGSET, target, &raw mut registers)?;
    Ok(true)
}

/// A word of a tracee's memory; where there is none, a word that is no call.
fn word(target: Pid, address: u64) -> libc::c_long {
    let (pid, nothing) = (target.as_raw_nonzero().get(), ptr::null_mut::<libc::c_void>());
    // SAFETY: reads a word of the tracee's memory, whose address the kernel checks, and none of ours.
    unsafe { libc::ptrace(libc::PTRACE_PEEKTEXT, pid, address, nothing) }
}

/// Reads or writes a tracee's registers (`NT_PRSTATUS`, include/uapi/linux/elf.h).
fn register_set(
    request: libc::c_uint,
    target: Pid,
    registers: *mut libc::user_regs_struct,
) -> io::Result<()> {
    let mut range = libc::iovec { iov_base: registers.cast(), iov_len: size_of::<libc::user_regs_struct>() };
    let pid = target.as_raw_nonzero().get();
    // SAFETY: the range and the registers it names are the caller's, live across the call, and are as long as told.
    counted(unsafe { libc::ptrace(request, pid, libc::NT_PRSTATUS, &raw mut range) }).map(drop)
}

/// How a system call is made: `syscall(2)`, "Architecture calling conventions".
#[cfg(target_arch = "x86_64")]
mod machine {
    /// Bytes of `syscall`.
    pub(super) const CALL_BYTES: u64 = 2;

    pub(super) fn is_call(word: libc::c_long) -> bool {
        word & 0xffff == 0x050f
    }

    pub(super) fn place(registers: &libc::user_regs_struct) -> u64 {
        registers.rip
    }

    pub(super) fn set(registers: &mut libc::user_regs_struct, place: u64, call: u64) {
        // No number of a call that was interrupted: nothing is to be begun again.
        registers.orig_rax = u64::MAX;
        (registers.rax, registers.rip) = (call, place);
        for argument in [
            &mut registers.rdi,
            &mut registers.rsi,
            &mut registers.rdx,
            &mut registers.r10,
            &mut registers.r8,
            &mut registers.r9,
        ] {
            *argument = 0;
        }
    }
}

/// The same; the kernel has forgotten what it interrupted by the time a tracee stands (arch/arm64/kernel/signal.c, `do_signal`).
#[cfg(target_arch = "aarch64")]
mod machine {
    /// Bytes of `svc #0`.
    pub(super) const CALL_BYTES: u64 = 4;

    pub(super) fn is_call(word: libc::c_long) -> bool {
        word & 0xffff_ffff == 0xd400_0001
    }

    pub(super) fn place(registers: &libc::user_regs_struct) -> u64 {
        registers.pc
    }

    pub(super) fn set(registers: &mut libc::user_regs_struct, place: u64, call: u64) {
        registers.pc = place;
        registers.regs[..6].fill(0);
        registers.regs[8] = call;
    }
}
