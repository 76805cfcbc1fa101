//! Containers come and go: their cgroups are made before the first process and removed after the last.

use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;
use sensor_ebpf::wire::Kind;
use sensor_ebpf::wire::system::Cgroup;
use sensor_ebpf::wire::text::PATH_MAX;

use crate::emit;
use crate::map::{PATH_SCRATCH, Slot, Small};
use crate::read::{Address, offset};
use crate::task::Task;

/// `TP_PROTO(struct cgroup *cgrp, const char *path)`
/// <https://github.com/torvalds/linux/blob/v6.12/include/trace/events/cgroup.h#L87>
#[raw_tracepoint(tracepoint = "cgroup_mkdir")]
pub fn cgroup_create(ctx: RawTracePointContext) -> i32 {
    cgroup(&ctx, Kind::CgroupCreate, Slot::CgroupCreate);
    0
}

/// `TP_PROTO(struct cgroup *cgrp, const char *path)`
/// <https://github.com/torvalds/linux/blob/v6.12/include/trace/events/cgroup.h#L94>
#[raw_tracepoint(tracepoint = "cgroup_rmdir")]
pub fn cgroup_remove(ctx: RawTracePointContext) -> i32 {
    cgroup(&ctx, Kind::CgroupRemove, Slot::CgroupRemove);
    0
}

#[inline(always)]
fn cgroup(ctx: &RawTracePointContext, kind: Kind, slot: Slot) {
    let task = Task::current();
    if task.is_agent() {
        emit::own(kind);
        return;
    }
    let group = Address(ctx.arg(0));
    let path = Address(ctx.arg(1));
    let Some(scratch) = PATH_SCRATCH.get_ptr_mut(slot as u32) else { return };
    // SAFETY: the slot belongs to one program, which the kernel does not enter twice on a CPU.
    let scratch = unsafe { &mut *scratch };
    scratch.position = size_of::<Cgroup>() as u32;
    let path = scratch.string::<{ PATH_MAX as u32 }>(Small::mask(), path);
    // SAFETY: the area is larger than a Cgroup and aligned to 8.
    let record = unsafe { &mut *scratch.bytes.as_mut_ptr().cast::<Cgroup>() };
    record.header = task.header(kind, 0);
    record.cgroup_id = group.follow(offset!(cgroup_kn)).get(offset!(kernfs_node_id));
    record.hierarchy = group.follow(offset!(cgroup_root)).get(offset!(cgroup_root_hierarchy_id));
    record.path = path;
    emit::scratch(kind, scratch);
}
