//! Programs that start and end: scheduler tracepoints, the same in every tier and on every kernel.
//! Raw tracepoints, because their arguments are plain numbers to the verifier and everything is
//! read at offsets from BTF.

use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;
use aya_log_ebpf::debug;
use sensor_ebpf::wire::process::{Exec, Exit, Fork};
use sensor_ebpf::wire::text::{NAME_MAX, PATH_MAX, Text};
use sensor_ebpf::wire::{FileId, Kind};

use crate::emit;
use crate::map::{EXEC_SCRATCH, FACTS, Large};
use crate::read::{Address, offset};
use crate::task::Task;

/// Magic of overlayfs (`OVERLAYFS_SUPER_MAGIC`, include/uapi/linux/magic.h).
const OVERLAY_MAGIC: u64 = 0x794c_7630;
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
    record.directory = scratch.path(mask, mount, dentry);

    let (node, is_v1) = cgroup(task);
    if is_v1 {
        record.flags |= Exec::CGROUP_V1;
    }
    record.cgroup = scratch.cgroup(mask, node);

    let mm = task.0.follow(offset!(task_mm));
    let start: u64 = mm.get(offset!(mm_arg_start));
    let end: u64 = mm.get(offset!(mm_arg_end));
    record.arguments_size = end.saturating_sub(start) as u32;
    record.arguments = scratch.arguments(start, end);
    emit::scratch(Kind::ProcessExec, scratch);
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
    emit::fixed(Kind::ProcessFork, &record);
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
    emit::fixed(Kind::ProcessExit, &record);
    0
}
