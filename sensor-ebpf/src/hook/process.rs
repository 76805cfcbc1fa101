//! Programs that start and end: scheduler tracepoints, the same in every tier and on every kernel.
//! Raw tracepoints, because their arguments are plain numbers to the verifier and everything is
//! read at offsets from BTF.

use aya_ebpf::macros::{fentry, raw_tracepoint};
use aya_ebpf::programs::{FEntryContext, RawTracePointContext};
use aya_log_ebpf::debug;
use sensor_ebpf::wire::process::{Access, Exec, Exit, Fork, Stream};
use sensor_ebpf::wire::text::{DIRECTORY_MAX, NAME_MAX, PATH_MAX, Text};
use sensor_ebpf::wire::{FileId, Kind};

use super::within_limit;
use crate::emit::{self, Ticket};
use crate::map::{EXEC_SCRATCH, FACTS, Large};
use crate::read::{Address, offset};
use crate::task::{Current, Task};

/// Magic of overlayfs (`OVERLAYFS_SUPER_MAGIC`, include/uapi/linux/magic.h).
pub const OVERLAY_MAGIC: u64 = 0x794c_7630;
/// Magic of tmpfs, on which memfds live (`TMPFS_MAGIC`, include/uapi/linux/magic.h).
pub const TMPFS_MAGIC: u64 = 0x0102_1994;

/// `TP_PROTO(struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm)`
/// <https://github.com/torvalds/linux/blob/v6.12/include/trace/events/sched.h#L419>
#[raw_tracepoint(tracepoint = "sched_process_exec")]
pub fn process_exec(ctx: RawTracePointContext) -> i32 {
    let task = Task(Address(ctx.arg(0)));
    if task.is_trial() {
        emit::own(Kind::ProcessExec);
        return 0;
    }
    let Some(scratch) = EXEC_SCRATCH.get_ptr_mut(0) else { return 0 };
    // SAFETY: the slot belongs to this program alone, which the kernel does not enter twice on a CPU.
    let scratch = unsafe { &mut *scratch };
    let old_tid: u32 = ctx.arg(1);
    let bprm = Address(ctx.arg(2));
    exec(task, old_tid, bprm, scratch);
    let cut = scratch.position;
    if cut as usize > PATH_MAX * 4 {
        debug!(&ctx, "exec record of {} bytes", cut);
    }
    0
}

/// Writes each text's place into the record at once, not at the end: what stays in registers over a
/// walk multiplies the verifier's work.
#[inline(always)]
fn exec(task: Task, old_tid: u32, bprm: Address, scratch: &mut Large) {
    let mask = Large::mask();
    scratch.position = size_of::<Exec>() as u32;
    let record: *mut Exec = scratch.bytes.as_mut_ptr().cast();
    // SAFETY: the area is larger than an Exec and aligned to 8; this program alone writes it, and
    // texts are appended behind it.
    let record = unsafe { &mut *record };
    let file = bprm.follow(offset!(bprm_file));
    identify(record, task, old_tid, bprm, file);

    let path = file.member(offset!(file_path));
    record.path = scratch.path(mask, path.follow(offset!(path_mnt)), path.follow(offset!(path_dentry)));

    let filename = bprm.follow(offset!(bprm_filename));
    record.filename = scratch.string::<{ PATH_MAX as u32 }>(mask, filename);
    let interpreter = bprm.follow(offset!(bprm_interp));
    record.interpreter = if interpreter == filename {
        Text::default()
    } else {
        record.flags |= Exec::SCRIPT;
        scratch.string::<{ NAME_MAX as u32 }>(mask, interpreter)
    };

    let directory = task.0.follow(offset!(task_fs)).member(offset!(fs_pwd));
    let (mount, dentry) = (directory.follow(offset!(path_mnt)), directory.follow(offset!(path_dentry)));
    record.directory = scratch.path_within::<{ DIRECTORY_MAX as u32 }>(mask, mount, dentry);

    let (node, is_v1) = cgroup(task);
    if is_v1 {
        record.flags |= Exec::CGROUP_V1;
    }
    record.cgroup = scratch.cgroup(mask, node);

    let mm = task.0.follow(offset!(task_mm));
    let start: u64 = mm.get(offset!(mm_arg_start));
    let end: u64 = mm.get(offset!(mm_arg_end));
    record.arguments_size = end.saturating_sub(start) as u32;
    let environment: u64 = mm.get(offset!(mm_env_start));
    let environment_end: u64 = mm.get(offset!(mm_env_end));
    record.environment_size = environment_end.saturating_sub(environment) as u32;
    record.environment = scratch.environment(environment, environment_end);
    record.arguments_tail = scratch.arguments_tail(start, end);
    // Last, since it may take more than every area keeps behind its mask.
    record.arguments = scratch.arguments(start, end);
    Ticket::new(Kind::ProcessExec, record.header.actor.cgroup_id).scratch(scratch);
}

/// Everything but the texts.
#[inline(always)]
fn identify(record: &mut Exec, task: Task, old_tid: u32, bprm: Address, file: Address) {
    let inode = file.follow(offset!(file_inode));
    let parent = task.parent();
    record.header = task.header(Kind::ProcessExec, 0);
    record.parent_start_time = parent.start_time();
    record.parent_pid = parent.pid();
    record.file = file_id(inode);
    record.old_tid = old_tid;
    record.links = inode.get(offset!(inode_links));
    record.mode = inode.get::<u16>(offset!(inode_mode)) as u32;
    record.flags = flags(inode, record.links);
    record.argument_count = bprm.get(offset!(bprm_argc));
    record.effective_uid = task.cred().get(offset!(cred_euid));
    record.login_uid = task.0.get(offset!(task_loginuid));
    record.terminal = terminal(task);
    record.net_ns = task.net_ns();
    record.user_ns = task.user_ns();
    record.reserved = 0;
    streams(&mut record.streams, task);
    if old_tid != record.header.actor.pid {
        record.flags |= Exec::BY_THREAD;
    }
}

/// The standard streams. A table of file descriptors has room for 64 from the start (`NR_OPEN_DEFAULT`,
/// include/linux/fdtable.h), so the first three are always there; exec has made it this task's own and closed
/// what is to be closed (`begin_new_exec`, fs/exec.c).
#[inline(always)]
fn streams(streams: &mut [Stream; 3], task: Task) {
    let table = task.0.follow(offset!(task_files)).follow(offset!(files_table));
    let files: [u64; 3] = table.follow(offset!(table_entries)).read();
    for (stream, file) in streams.iter_mut().zip(files) {
        let inode = Address(file).follow(offset!(file_inode));
        *stream = Stream {
            inode: inode.get(offset!(inode_number)),
            device: inode.follow(offset!(inode_super_block)).get(offset!(super_block_device)),
            special: inode.get(offset!(inode_special)),
            mode: inode.get::<u16>(offset!(inode_mode)) as u32,
            reserved: 0,
        };
    }
}

/// Device number of the controlling terminal: the driver's first one and the terminal's place behind it
/// (`tty_devnum`, include/linux/tty.h).
#[inline(always)]
fn terminal(task: Task) -> u32 {
    let tty = task.0.follow(offset!(task_signal)).follow(offset!(signal_tty));
    let driver = tty.follow(offset!(tty_driver));
    if driver.is_null() {
        return 0;
    }
    let major: u32 = driver.get(offset!(tty_driver_major));
    let first: u32 = driver.get(offset!(tty_driver_minor));
    let index: u32 = tty.get(offset!(tty_index));
    major << 20 | (first + index)
}

/// The cgroup that tells the container: v2's, or where that is the root the v1 `pids` one.
#[inline(always)]
fn cgroup(task: Task) -> (Address, bool) {
    let node = task.cgroup_node();
    if !node.follow(offset!(kernfs_node_parent)).is_null() {
        return (node, false);
    }
    (task.v1_cgroup_node(), true)
}

#[inline(always)]
fn flags(inode: Address, links: u32) -> u32 {
    let magic: u64 = inode.follow(offset!(inode_super_block)).get(offset!(super_block_magic));
    let mut flags = 0;
    if links == 0 {
        flags |= if magic == TMPFS_MAGIC { Exec::MEMFD } else { Exec::DELETED };
    }
    // The upper dentry lies behind the inode, see `Facts::inode_size`.
    let size = FACTS.load().inode_size;
    if magic == OVERLAY_MAGIC && size != 0 && Address(inode.0 + size as u64).read::<u64>() != 0 {
        flags |= Exec::UPPER_LAYER;
    }
    flags
}

/// Which file an inode is.
#[inline(always)]
pub fn file_id(inode: Address) -> FileId {
    FileId {
        inode: inode.get(offset!(inode_number)),
        device: inode.follow(offset!(inode_super_block)).get(offset!(super_block_device)),
        generation: inode.get(offset!(inode_generation)),
    }
}

/// `TP_PROTO(struct task_struct *parent, struct task_struct *child)`
/// <https://github.com/torvalds/linux/blob/v6.12/include/trace/events/sched.h#L382>
#[raw_tracepoint(tracepoint = "sched_process_fork")]
pub fn process_fork(ctx: RawTracePointContext) -> i32 {
    let parent = Task(Address(ctx.arg(0)));
    let child = Task(Address(ctx.arg(1)));
    // A thread, not a process.
    if child.pid() != child.tid() {
        return 0;
    }
    if child.is_trial() {
        emit::own(Kind::ProcessFork);
        return 0;
    }
    let record = Fork {
        header: parent.header(Kind::ProcessFork, size_of::<Fork>()),
        child_start_time: child.start_time(),
        child_cgroup_id: child.cgroup_id(),
        child_pid: child.pid(),
        child_pid_ns: child.pid_ns(),
    };
    Ticket::new(Kind::ProcessFork, record.header.actor.cgroup_id).fixed(&record);
    0
}

/// `TP_PROTO(struct task_struct *p)`, since 6.17 `(p, bool group_dead)`
/// <https://github.com/torvalds/linux/blob/v6.12/include/trace/events/sched.h#L325>
#[raw_tracepoint(tracepoint = "sched_process_exit")]
pub fn process_exit(ctx: RawTracePointContext) -> i32 {
    let task = Task(Address(ctx.arg(0)));
    // `do_exit` has already taken this thread off the count of live ones (kernel/exit.c).
    let live: u32 = task.0.follow(offset!(task_signal)).get(offset!(signal_live));
    if live != 0 {
        return 0;
    }
    if task.is_trial() {
        emit::own(Kind::ProcessExit);
        return 0;
    }
    let record = Exit {
        header: task.header(Kind::ProcessExit, size_of::<Exit>()),
        code: task.0.get(offset!(task_exit_code)),
        reserved: 0,
    };
    Ticket::new(Kind::ProcessExit, record.header.actor.cgroup_id).fixed(&record);
    0
}

/// `int security_ptrace_access_check(struct task_struct *child, unsigned int mode)`: ptrace,
/// `process_vm_writev`, `/proc/PID/mem` and all else that reaches into another process
/// <https://github.com/torvalds/linux/blob/v6.12/security/security.c#L1012>
#[fentry(function = "security_ptrace_access_check")]
pub fn process_access(ctx: FEntryContext) -> i32 {
    /// `PTRACE_MODE_ATTACH` (include/linux/ptrace.h): to change it, not only to look.
    const ATTACH: u32 = 2;
    let target = Task(Address(ctx.arg(0)));
    let mode: u32 = ctx.arg(1);
    let current = Current::get();
    let pid = target.pid();
    if mode & ATTACH == 0 || pid == current.pid {
        return 0;
    }
    if current.is_agent() {
        emit::own(Kind::ProcessAccess);
        return 0;
    }
    access(Kind::ProcessAccess, current, target, mode);
    0
}

/// `TP_PROTO(int sig, struct kernel_siginfo *info, struct task_struct *task, int group, int result)`: only
/// what is sent to the agent
/// <https://github.com/torvalds/linux/blob/v6.12/include/trace/events/signal.h#L50>
#[raw_tracepoint(tracepoint = "signal_generate")]
pub fn process_signal(ctx: RawTracePointContext) -> i32 {
    let target = Task(Address(ctx.arg(2)));
    if !target.is_agent() {
        return 0;
    }
    let current = Current::get();
    if current.is_agent() {
        emit::own(Kind::ProcessSignal);
        return 0;
    }
    access(Kind::ProcessSignal, current, target, ctx.arg(0));
    0
}

#[inline(always)]
fn access(kind: Kind, current: Current, target: Task, mode: u32) {
    let ticket = Ticket::new(kind, current.cgroup_id());
    let Some(ticket) = within_limit(ticket, current.pid) else { return };
    ticket.fixed(&Access {
        header: Task::current().header(kind, size_of::<Access>()),
        target_start_time: target.start_time(),
        target_pid: target.pid(),
        mode,
    });
}
