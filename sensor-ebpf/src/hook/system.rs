//! Containers come and go: their cgroups are made before the first process and removed after the last.
//! And what would blind or outgrow the sensor: other cgroups, namespaces, BPF programs, modules, mounts.

use aya_ebpf::macros::{fentry, raw_tracepoint};
use aya_ebpf::programs::{FEntryContext, RawTracePointContext};
use sensor_ebpf::wire::Kind;
use sensor_ebpf::wire::system::{Bpf, Cgroup, Mount, Named, Namespace};
use sensor_ebpf::wire::text::{NAME_MAX, PATH_MAX};

use super::admit;
use crate::emit::{self, Ticket};
use crate::map::{PATH_SCRATCH, Slot, Small};
use crate::read::{Address, offset};
use crate::task::{Current, Task};

/// `TP_PROTO(struct cgroup *cgrp, const char *path)`
/// <https://github.com/torvalds/linux/blob/v6.12/include/trace/events/cgroup.h#L87>
#[raw_tracepoint(tracepoint = "cgroup_mkdir")]
pub fn cgroup_create(ctx: RawTracePointContext) -> i32 {
    cgroup(&ctx, Kind::CgroupCreate, Slot::CgroupCreate, None);
    0
}

/// `TP_PROTO(struct cgroup *cgrp, const char *path)`
/// <https://github.com/torvalds/linux/blob/v6.12/include/trace/events/cgroup.h#L94>
#[raw_tracepoint(tracepoint = "cgroup_rmdir")]
pub fn cgroup_remove(ctx: RawTracePointContext) -> i32 {
    cgroup(&ctx, Kind::CgroupRemove, Slot::CgroupRemove, None);
    0
}

/// `TP_PROTO(struct cgroup *dst_cgrp, const char *path, struct task_struct *task, bool threadgroup)`
/// <https://github.com/torvalds/linux/blob/v6.12/include/trace/events/cgroup.h#L131>
#[raw_tracepoint(tracepoint = "cgroup_attach_task")]
pub fn cgroup_attach(ctx: RawTracePointContext) -> i32 {
    let target = Task(Address(ctx.arg(2)));
    cgroup(&ctx, Kind::CgroupAttach, Slot::CgroupAttach, Some(target));
    0
}

#[inline(always)]
fn cgroup(ctx: &RawTracePointContext, kind: Kind, slot: Slot, target: Option<Task>) {
    let task = Task::current();
    if task.is_agent() {
        emit::own(kind);
        return;
    }
    let ticket = Ticket::new(kind, task.cgroup_id());
    let group = Address(ctx.arg(0));
    let path = Address(ctx.arg(1));
    let Some(scratch) = PATH_SCRATCH.get_ptr_mut(slot as u32) else { return ticket.lose() };
    // SAFETY: the slot belongs to one program, which the kernel does not enter twice on a CPU.
    let scratch = unsafe { &mut *scratch };
    scratch.position = size_of::<Cgroup>() as u32;
    let path = scratch.string::<{ PATH_MAX as u32 }>(Small::mask(), path);
    // SAFETY: the area is larger than a Cgroup and aligned to 8.
    let record = unsafe { &mut *scratch.bytes.as_mut_ptr().cast::<Cgroup>() };
    record.header = task.header(kind, 0);
    record.cgroup_id = group.follow(offset!(cgroup_kn)).get(offset!(kernfs_node_id));
    record.hierarchy = group.follow(offset!(cgroup_root)).get(offset!(cgroup_root_hierarchy_id));
    (record.target_pid, record.target_start_time) = match target {
        Some(target) => (target.pid(), target.start_time()),
        None => (0, 0),
    };
    record.path = path;
    record.reserved = 0;
    ticket.scratch(scratch);
}

/// `void switch_task_namespaces(struct task_struct *p, struct nsproxy *new)`: setns and unshare come here,
/// and the end of a task, with no new ones
/// <https://github.com/torvalds/linux/blob/v6.12/kernel/nsproxy.c#L239>
#[fentry(function = "switch_task_namespaces")]
pub fn namespace_enter(ctx: FEntryContext) -> i32 {
    let new = Address(ctx.arg(1));
    if new.is_null() {
        return 0;
    }
    let current = Current::get();
    let Some(ticket) = admit(Kind::NamespaceEnter, current) else { return 0 };
    ticket.fixed(&Namespace {
        header: Task::current().header(Kind::NamespaceEnter, size_of::<Namespace>()),
        mnt_ns: new.follow(offset!(nsproxy_mnt_ns)).get(offset!(mnt_namespace_inum)),
        pid_ns: new.follow(offset!(nsproxy_pid_ns)).get(offset!(pid_namespace_inum)),
        net_ns: new.follow(offset!(nsproxy_net_ns)).get(offset!(net_inum)),
        reserved: 0,
    });
    0
}

/// `int security_bpf_prog(struct bpf_prog *prog)`: whenever somebody gets hold of a program, by loading it
/// or by its id
/// <https://github.com/torvalds/linux/blob/v6.12/security/security.c#L5562>
#[fentry(function = "security_bpf_prog")]
pub fn bpf_load(ctx: FEntryContext) -> i32 {
    let program = Address(ctx.arg(0));
    let current = Current::get();
    let Some(ticket) = admit(Kind::BpfLoad, current) else { return 0 };
    ticket.fixed(&Bpf {
        header: Task::current().header(Kind::BpfLoad, size_of::<Bpf>()),
        program_type: program.get(offset!(bpf_prog_type)),
        reserved: 0,
        name: program.follow(offset!(bpf_prog_aux)).get(offset!(bpf_prog_aux_name)),
    });
    0
}

/// `TP_PROTO(struct module *mod)`: a module that was loaded
/// <https://github.com/torvalds/linux/blob/v6.12/include/trace/events/module.h#L29>
#[raw_tracepoint(tracepoint = "module_load")]
pub fn module_load(ctx: RawTracePointContext) -> i32 {
    let module = Address(ctx.arg(0));
    module_named(Slot::ModuleLoad, module.member(offset!(module_name)));
    0
}

/// `READING_MODULE` and `LOADING_MODULE` (`enum kernel_read_file_id` of include/linux/kernel_read_file.h, `enum
/// kernel_load_data_id` of include/linux/security.h).
const MODULE: u32 = 2;

/// `int security_kernel_read_file(struct file *file, enum kernel_read_file_id id, bool contents)`: finit_module
/// asks for a file, whatever becomes of it
/// <https://github.com/torvalds/linux/blob/v6.12/security/security.c#L3398>
#[fentry(function = "security_kernel_read_file")]
pub fn module_read(ctx: FEntryContext) -> i32 {
    let file = Address(ctx.arg(0));
    let id: u32 = ctx.arg(1);
    if id == MODULE {
        let dentry = file.member(offset!(file_path)).follow(offset!(path_dentry));
        module_named(Slot::ModuleRead, dentry.follow(offset!(dentry_name)));
    }
    0
}

/// `int security_kernel_load_data(enum kernel_load_data_id id, bool contents)`: init_module, which brings no
/// name
/// <https://github.com/torvalds/linux/blob/v6.12/security/security.c#L3436>
#[fentry(function = "security_kernel_load_data")]
pub fn module_data(ctx: FEntryContext) -> i32 {
    let id: u32 = ctx.arg(0);
    if id == MODULE {
        module_named(Slot::ModuleData, Address::NULL);
    }
    0
}

#[inline(always)]
fn module_named(slot: Slot, name: Address) {
    let task = Task::current();
    let ticket = Ticket::new(Kind::ModuleLoad, task.cgroup_id());
    let Some(scratch) = PATH_SCRATCH.get_ptr_mut(slot as u32) else { return ticket.lose() };
    // SAFETY: the slot belongs to one program, which the kernel does not enter twice on a CPU.
    let scratch = unsafe { &mut *scratch };
    scratch.position = size_of::<Named>() as u32;
    let name = scratch.string::<{ NAME_MAX as u32 }>(Small::mask(), name);
    // SAFETY: the area is larger than a Named and aligned to 8.
    let record = unsafe { &mut *scratch.bytes.as_mut_ptr().cast::<Named>() };
    record.header = task.header(Kind::ModuleLoad, 0);
    record.name = name;
    record.reserved = 0;
    ticket.scratch(scratch);
}

/// `int security_sb_mount(const char *dev_name, const struct path *path, const char *type,
/// unsigned long flags, void *data)`, in `path_mount`
/// <https://github.com/torvalds/linux/blob/v6.12/security/security.c#L1498>
#[fentry(function = "security_sb_mount")]
pub fn mount(ctx: FEntryContext) -> i32 {
    let source = Address(ctx.arg(0));
    let target = Address(ctx.arg(1));
    mounted(source, Address(ctx.arg(2)), ctx.arg(3), target);
    0
}

/// `int security_move_mount(const struct path *from_path, const struct path *to_path)`: the last step of
/// the newer calls, `fsmount` and `open_tree`
/// <https://github.com/torvalds/linux/blob/v6.12/security/security.c#L1623>
#[fentry(function = "security_move_mount")]
pub fn mount_move(ctx: FEntryContext) -> i32 {
    mounted(Address::NULL, Address::NULL, 0, Address(ctx.arg(1)));
    0
}

#[inline(always)]
fn mounted(source: Address, kind: Address, flags: u64, target: Address) {
    let current = Current::get();
    let Some(ticket) = admit(Kind::Mount, current) else { return };
    let Some(scratch) = PATH_SCRATCH.get_ptr_mut(Slot::Mount as u32) else { return ticket.lose() };
    // SAFETY: `mount` and `mount_move` share the slot; neither runs within the other, nor twice on a CPU.
    let scratch = unsafe { &mut *scratch };
    scratch.position = size_of::<Mount>() as u32;
    let mask = Small::mask();
    let source = scratch.string::<{ NAME_MAX as u32 }>(mask, source);
    let kind = scratch.string::<{ NAME_MAX as u32 }>(mask, kind);
    let target = scratch.path(mask, target.follow(offset!(path_mnt)), target.follow(offset!(path_dentry)));
    // SAFETY: the area is larger than a Mount and aligned to 8.
    let record = unsafe { &mut *scratch.bytes.as_mut_ptr().cast::<Mount>() };
    record.header = Task::current().header(Kind::Mount, 0);
    record.flags = flags;
    (record.source, record.kind, record.target) = (source, kind, target);
    record.reserved = 0;
    ticket.scratch(scratch);
}
