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

/// `syscall`, the instruction, as the low bytes of a word.
const SYSCALL: libc::c_long = 0x050f;
const SYSCALL_BYTES: u64 = 2;

/// Has a tracee that stands do the system call of this number next, with zeros for arguments. False: it stands elsewhere
/// than behind a call.
///
/// # Errors
/// What `ptrace(2)` says.
pub(crate) fn redirect(target: Pid, call: u64) -> io::Result<bool> {
    let pid = target.as_raw_nonzero().get();
    let nothing = ptr::null_mut::<libc::c_void>();
    let mut registers = std::mem::MaybeUninit::<libc::user_regs_struct>::zeroed();
    // SAFETY: the kernel fills a whole `user_regs_struct`, which lives across the call; the address is not used.
    counted(unsafe { libc::ptrace(libc::PTRACE_GETREGS, pid, nothing, registers.as_mut_ptr()) })?;
    // SAFETY: it was zeroed and filled, and every field is a number, for which any bytes are a value.
    let mut registers = unsafe { registers.assume_init() };
    let place = registers.rip.wrapping_sub(SYSCALL_BYTES);
    // SAFETY: reads a word of the tracee's memory, whose address the kernel checks, and none of ours.
    let word = unsafe { libc::ptrace(libc::PTRACE_PEEKTEXT, pid, place, nothing) };
    if word & 0xffff != SYSCALL {
        return Ok(false);
    }
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
    // SAFETY: the kernel reads a whole `user_regs_struct`, which lives across the call.
    counted(unsafe { libc::ptrace(libc::PTRACE_SETREGS, pid, nothing, &raw const registers) })?;
    Ok(true)
}
