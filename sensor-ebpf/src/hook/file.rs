//! Files that change. First tier: fentry on the functions every way of writing passes. Second tier:
//! the tracepoint of an inode that becomes dirty, in the writer's context, for kernels that refuse
//! fentry; renames come from fanotify there, which is the agent's business.

use aya_ebpf::macros::{fentry, raw_tracepoint};
use aya_ebpf::programs::{FEntryContext, RawTracePointContext};
use sensor_ebpf::wire::Kind;
use sensor_ebpf::wire::file::{Change, Rename};

use super::network::recent;
use super::process::{TMPFS_MAGIC, file_id};
use crate::emit;
use crate::map::{PATH_SCRATCH, Recent, Slot, Small};
use crate::read::{Address, offset};
use crate::task::Task;

/// The same process changing the same file is told again after this long, nanoseconds.
const CHANGE_WINDOW: u64 = 30_000_000_000;
/// File type bits of a mode, and a regular file's (include/uapi/linux/stat.h).
const TYPE: u16 = 0o170_000;
const REGULAR: u16 = 0o100_000;
/// `FMODE_WRITE` and `FMODE_CREATED` (include/linux/fs.h).
const OPENED_FOR_WRITING: u32 = 0x2;
const CREATED: u32 = 0x10_0000;
/// `WRITE` as `rw_verify_area` is told (include/linux/kernel.h).
const WRITE: u32 = 1;
/// `I_DIRTY_PAGES` (include/linux/fs.h): content, not just times. Bit 2 before 6.12, bit 6 since; the
/// tracepoint carries dirty bits only, and none of the others is either of the two on any kernel.
const DIRTY_PAGES: u32 = 1 << 2 | 1 << 6;
/// Largest negated error number (`MAX_ERRNO`, include/linux/err.h).
const MAX_ERRNO: u64 = 4095;

/// `int security_file_open(struct file *file)`, in `do_dentry_open`
/// <https://github.com/torvalds/linux/blob/v6.12/security/security.c#L3035>
#[fentry(function = "security_file_open")]
pub fn file_open(ctx: FEntryContext) -> i32 {
    let file = Address(ctx.arg(0));
    let mode: u32 = file.get(offset!(file_mode));
    if mode & OPENED_FOR_WRITING != 0 {
        let flags = if mode & CREATED != 0 { Change::CREATED } else { 0 };
        file_change(Kind::FileOpen, Slot::FileOpen, file, flags);
    }
    0
}

/// `int rw_verify_area(int read_write, struct file *file, const loff_t *ppos, size_t count)`: every
/// write passes here, whichever call made it, except through a mapping
/// <https://github.com/torvalds/linux/blob/v6.12/fs/read_write.c#L452>
#[fentry(function = "rw_verify_area")]
pub fn file_write(ctx: FEntryContext) -> i32 {
    let direction: u32 = ctx.arg(0);
    if direction == WRITE {
        file_change(Kind::FileWrite, Slot::FileWrite, Address(ctx.arg(1)), 0);
    }
    0
}

#[inline(always)]
fn file_change(kind: Kind, slot: Slot, file: Address, flags: u32) {
    let inode = file.follow(offset!(file_inode));
    let path = file.member(offset!(file_path));
    let dentry = path.follow(offset!(path_dentry));
    let mount = path.follow(offset!(path_mnt));
    if !is_regular(inode) || is_below_overlay(mount, dentry, inode) {
        return;
    }
    change(kind, slot, inode, mount, dentry, flags | Change::FROM_MOUNT);
}

/// An overlay opens the file of its layer for itself, by a mount of its own that is in no namespace
/// (since 6.6) or with the inode of the layer under the overlay's path (before).
#[inline(always)]
fn is_below_overlay(mount: Address, dentry: Address, inode: Address) -> bool {
    let namespace = mount.container(offset!(mount_mnt)).follow(offset!(mount_namespace));
    namespace.0.wrapping_neg() <= MAX_ERRNO || dentry.follow(offset!(dentry_inode)) != inode
}

/// `TP_PROTO(struct inode *inode, int flags)`, in `__mark_inode_dirty`
/// <https://github.com/torvalds/linux/blob/v6.12/include/trace/events/writeback.h#L121>
#[raw_tracepoint(tracepoint = "writeback_mark_inode_dirty")]
pub fn file_dirty(ctx: RawTracePointContext) -> i32 {
    let inode = Address(ctx.arg(0));
    let flags: u32 = ctx.arg(1);
    if !is_regular(inode) || !is_content(inode, flags) {
        return 0;
    }
    // A new file may be dirty before it has a name; its first write comes after.
    let link: u64 = inode.get(offset!(inode_dentry));
    let dentry = Address(link).container(offset!(dentry_alias));
    if !dentry.is_null() {
        change(Kind::FileWrite, Slot::FileDirty, inode, Address::NULL, dentry, 0);
    }
    0
}

/// Did the content change, or only a time? Page-cache file systems say so; tmpfs dirties its inode
/// for times alone, so there a read (newer access time) is told from a write (newer change).
#[inline(always)]
fn is_content(inode: Address, flags: u32) -> bool {
    if flags & DIRTY_PAGES != 0 {
        return true;
    }
    let magic: u64 = inode.follow(offset!(inode_super_block)).get(offset!(super_block_magic));
    if magic != TMPFS_MAGIC {
        return false;
    }
    let changed: u64 = inode.get(offset!(inode_mtime_seconds));
    let accessed: u64 = inode.get(offset!(inode_atime_seconds));
    if changed != accessed {
        return changed > accessed;
    }
    let changed: u32 = inode.get(offset!(inode_mtime_nanoseconds));
    let accessed: u32 = inode.get(offset!(inode_atime_nanoseconds));
    changed >= accessed
}

#[inline(always)]
fn is_regular(inode: Address) -> bool {
    inode.get::<u16>(offset!(inode_mode)) & TYPE == REGULAR
}

#[inline(always)]
fn change(kind: Kind, slot: Slot, inode: Address, mount: Address, dentry: Address, flags: u32) {
    let task = Task::current();
    if task.is_kernel_thread() {
        return;
    }
    if task.is_agent() {
        emit::own(kind);
        return;
    }
    let file = file_id(inode);
    let key = Recent { object: file, owner: task.start_time(), number: task.pid(), kind: kind as u32 };
    if recent(&key, CHANGE_WINDOW) {
        emit::filtered(kind);
        return;
    }
    let Some(scratch) = PATH_SCRATCH.get_ptr_mut(slot as u32) else { return };
    // SAFETY: the slot belongs to one program, which the kernel does not enter twice on a CPU.
    let scratch = unsafe { &mut *scratch };
    scratch.position = size_of::<Change>() as u32;
    let path = scratch.path(Small::mask(), mount, dentry);
    // SAFETY: the area is larger than a Change and aligned to 8.
    let record = unsafe { &mut *scratch.bytes.as_mut_ptr().cast::<Change>() };
    record.header = task.header(kind, 0);
    record.file = file;
    record.flags = flags;
    record.path = path;
    emit::scratch(kind, scratch);
}

/// `int security_inode_rename(struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir,
/// struct dentry *new_dentry, unsigned int flags)`, in `vfs_rename`
/// <https://github.com/torvalds/linux/blob/v6.12/security/security.c#L2212>
#[fentry(function = "security_inode_rename")]
pub fn file_rename(ctx: FEntryContext) -> i32 {
    let from = Address(ctx.arg(1));
    let to = Address(ctx.arg(3));
    let inode = from.follow(offset!(dentry_inode));
    let task = Task::current();
    if !is_regular(inode) {
        return 0;
    }
    if task.is_agent() {
        emit::own(Kind::FileRename);
        return 0;
    }
    let Some(scratch) = PATH_SCRATCH.get_ptr_mut(Slot::FileRename as u32) else { return 0 };
    // SAFETY: the slot belongs to this program alone, which the kernel does not enter twice on a CPU.
    let scratch = unsafe { &mut *scratch };
    scratch.position = size_of::<Rename>() as u32;
    let from = scratch.path(Small::mask(), Address::NULL, from);
    let to = scratch.path(Small::mask(), Address::NULL, to);
    // SAFETY: the area is larger than a Rename and aligned to 8.
    let record = unsafe { &mut *scratch.bytes.as_mut_ptr().cast::<Rename>() };
    record.header = task.header(Kind::FileRename, 0);
    record.file = file_id(inode);
    record.from = from;
    record.to = to;
    emit::scratch(Kind::FileRename, scratch);
    0
}
