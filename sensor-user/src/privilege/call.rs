//! Lists of the system calls that are needed; any other ends the process at once (seccomp(2), `SECCOMP_RET_KILL_PROCESS`).
//!
//! docs/privilege.md says what each group is for. With `TIDEWAITER_CALLS=log` in the environment a call that is not on
//! the list is done and told by the kernel's log (`audit: type=1326`) instead: to find out what an odd system needs.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter_all_threads,
};

use super::PrivilegeError;

/// The variable, and its one value.
const VARIABLE: (&str, &str) = ("TIDEWAITER_CALLS", "log");

/// Whose list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Reads what others wrote, and sends alerts.
    Agent,
    /// Opens what needs privilege.
    Keeper,
}

/// Forbids this process all system calls that are not on the list. False: they are told and done.
///
/// # Errors
/// The kernel has no seccomp filters, or refuses this one.
pub fn forbid(part: Part) -> Result<bool, PrivilegeError> {
    let is_deadly = std::env::var_os(VARIABLE.0).is_none_or(|value| value != VARIABLE.1);
    for program in programs(part, is_deadly).map_err(|error| PrivilegeError::Calls(error.to_string()))? {
        apply_filter_all_threads(&program).map_err(|error| PrivilegeError::Calls(error.to_string()))?;
    }
    Ok(is_deadly)
}

/// Two filters, of which the stricter answer counts: one for what is answered with an error, the list itself.
fn programs(part: Part, is_deadly: bool) -> Result<[BpfProgram; 2], seccompiler::BackendError> {
    let arch = std::env::consts::ARCH.try_into()?;
    // Its arguments are in memory, where no filter looks: the C library then takes clone.
    let missing = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let enosys = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let missing = SeccompFilter::new(missing, SeccompAction::Allow, enosys, arch)?;
    let other = if is_deadly { SeccompAction::KillProcess } else { SeccompAction::Log };
    let list = SeccompFilter::new(rules(part)?, other, SeccompAction::Allow, arch)?;
    Ok([missing.try_into()?, list.try_into()?])
}

fn rules(part: Part) -> Result<BTreeMap<c_long, Vec<SeccompRule>>, seccompiler::BackendError> {
    let groups: &[&[c_long]] = match part {
        Part::Agent => &[ALL, LEGACY, AGENT, LEGACY_AGENT],
        Part::Keeper => &[ALL, LEGACY, KEEPER, START],
    };
    let plain = groups.iter().copied().flatten().map(|call| (*call, Vec::new()));
    let mut rules: BTreeMap<c_long, Vec<SeccompRule>> = plain.collect();
    let bpf = match part {
        Part::Agent => {
            rules.insert(libc::SYS_clone, vec![thread()?]);
            rules.insert(libc::SYS_socket, sockets()?);
            MAP_COMMANDS
        }
        Part::Keeper => HOOK_COMMANDS,
    };
    let bpf = bpf.iter().map(|command| SeccompRule::new(vec![equal(0, *command)?]));
    rules.insert(libc::SYS_bpf, bpf.collect::<Result<_, _>>()?);
    Ok(rules)
}

/// A thread of this process, no other process.
fn thread() -> Result<SeccompRule, seccompiler::BackendError> {
    let flag = u64::from(libc::CLONE_THREAD.unsigned_abs());
    let operator = SeccompCmpOp::MaskedEq(flag);
    SeccompRule::new(vec![SeccompCondition::new(0, SeccompCmpArgLen::Dword, operator, flag)?])
}

/// TCP, UDP and Unix; and the one question about this host's addresses that `getaddrinfo` asks the kernel.
fn sockets() -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let family = |family: libc::c_int| equal(0, family.unsigned_abs().into());
    let route = vec![family(libc::AF_NETLINK)?, equal(2, libc::NETLINK_ROUTE.unsigned_abs().into())?];
    let mut rules = vec![SeccompRule::new(route)?];
    for one in [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6] {
        rules.push(SeccompRule::new(vec![family(one)?])?);
    }
    Ok(rules)
}

fn equal(argument: u8, value: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

/// Commands of bpf(2) for maps that are open, and for what is known of programs and links (`enum bpf_cmd`,
/// include/uapi/linux/bpf.h). None loads, makes or attaches anything.
const MAP_COMMANDS: &[u64] = &[
    1,  // BPF_MAP_LOOKUP_ELEM
    2,  // BPF_MAP_UPDATE_ELEM
    3,  // BPF_MAP_DELETE_ELEM
    4,  // BPF_MAP_GET_NEXT_KEY
    15, // BPF_OBJ_GET_INFO_BY_FD
];
/// The keeper's: to list the programs of others, and to attach again what is loaded. None loads anything.
const HOOK_COMMANDS: &[u64] = &[
    11, // BPF_PROG_GET_NEXT_ID
    13, // BPF_PROG_GET_FD_BY_ID
    15, // BPF_OBJ_GET_INFO_BY_FD
    16, // BPF_PROG_QUERY
    17, // BPF_RAW_TRACEPOINT_OPEN
    28, // BPF_LINK_CREATE
    29, // BPF_LINK_UPDATE
];

/// What both need: memory, threads, time, files that are open, messages.
const ALL: &[c_long] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_lseek,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fcntl,
    libc::SYS_getcwd,
    libc::SYS_ioctl,
    libc::SYS_ppoll,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_clone3,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_tgkill,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    libc::SYS_prctl,
    libc::SYS_prlimit64,
    libc::SYS_sendmsg,
    libc::SYS_recvmsg,
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_pipe2,
    libc::SYS_dup3,
];

/// The older forms of some of them, which newer architectures do not have.
#[cfg(target_arch = "x86_64")]
const LEGACY: &[c_long] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_poll,
    libc::SYS_time,
    libc::SYS_dup2,
];
#[cfg(not(target_arch = "x86_64"))]
const LEGACY: &[c_long] = &[];
#[cfg(target_arch = "x86_64")]
const LEGACY_AGENT: &[c_long] =
    &[libc::SYS_epoll_wait, libc::SYS_mkdir, libc::SYS_rmdir, libc::SYS_rename, libc::SYS_unlink];
#[cfg(not(target_arch = "x86_64"))]
const LEGACY_AGENT: &[c_long] = &[];

/// Receivers, questions, the loop, the outbox and files of alerts, rules that change.
const AGENT: &[c_long] = &[
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_eventfd2,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept4,
    libc::SYS_shutdown,
    libc::SYS_socketpair,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_sendto,
    libc::SYS_recvfrom,
    libc::SYS_sendmmsg,
    libc::SYS_recvmmsg,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_preadv,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_flock,
    libc::SYS_fchmod,
    libc::SYS_mkdirat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_unlinkat,
    libc::SYS_copy_file_range,
    libc::SYS_inotify_init1,
    libc::SYS_inotify_add_watch,
    libc::SYS_inotify_rm_watch,
    libc::SYS_getrusage,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    libc::SYS_umask,
    libc::SYS_membarrier,
    libc::SYS_getppid,
];
/// Handles of directories, marks of fanotify.
const KEEPER: &[c_long] = &[libc::SYS_open_by_handle_at, libc::SYS_fanotify_mark];

/// The canary: a process, its program, and what the C library does when that begins.
#[cfg(target_arch = "x86_64")]
const START: &[c_long] = &[
    libc::SYS_clone,
    libc::SYS_vfork,
    libc::SYS_execve,
    libc::SYS_chdir,
    libc::SYS_arch_prctl,
    libc::SYS_set_tid_address,
];
#[cfg(not(target_arch = "x86_64"))]
const START: &[c_long] = &[libc::SYS_clone, libc::SYS_execve, libc::SYS_chdir, libc::SYS_set_tid_address];
