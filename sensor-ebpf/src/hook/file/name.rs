//! Files that get another name, one more or one less, or become executable.

use aya_ebpf::macros::fentry;
use aya_ebpf::programs::FEntryContext;
use sensor_ebpf::wire::file::{Change, Rename};
use sensor_ebpf::wire::text::PATH_MAX;
use sensor_ebpf::wire::{FileId, Kind};

use super::super::admit;
use super::super::process::{OVERLAY_MAGIC, file_id};
use super::is_regular;
use crate::map::{PATH_SCRATCH, Slot, Small};
use crate::read::{Address, offset};
use crate::task::{Current, Task};

/// `ATTR_MODE` (include/linux/fs.h).
const SETS_MODE: u32 = 1;
/// Execute bits of a mode.
const EXECUTABLE: u16 = 0o111;

/// `int security_inode_rename(struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir,
/// struct dentry *new_dentry, unsigned int flags)`, in `vfs_rename`
/// <https://github.com/torvalds/linux/blob/v6.12/security/security.c#L2212>
#[fentry(function = "security_inode_rename")]
pub fn file_rename(ctx: FEntryContext) -> i32 {
    let from = Address(ctx.arg(1));
    two_names(Kind::FileRename, Slot::FileRename, from, Address(ctx.arg(3)));
    0
}

/// `int security_inode_link(struct dentry *old_dentry, struct inode *dir, struct dentry *new_dentry)`, in
/// `vfs_link`; a file without a name (`O_TMPFILE`) gets its first here
/// <https://github.com/torvalds/linux/blob/v6.12/security/security.c#L2093>
#[fentry(function = "security_inode_link")]
pub fn file_link(ctx: FEntryContext) -> i32 {
    let from = Address(ctx.arg(0));
    two_names(Kind::FileLink, Slot::FileLink, from, Address(ctx.arg(2)));
    0
}

/// `int security_inode_symlink(struct inode *dir, struct dentry *dentry, const char *old_name)`, in
/// `vfs_symlink`
/// <https://github.com/torvalds/linux/blob/v6.12/security/security.c#L2137>
#[fentry(function = "security_inode_symlink")]
pub fn file_symlink(ctx: FEntryContext) -> i32 {
    let dentry = Address(ctx.arg(1));
    symlink(Address(ctx.arg(0)), dentry, Address(ctx.arg(2)));
    0
}

/// The name it leads to is the text that the caller gave; the file has no inode yet.
#[inline(always)]
fn symlink(directory: Address, dentry: Address, target: Address) {
    let task = Task::current();
    let magic: u64 = directory.follow(offset!(inode_super_block)).get(offset!(super_block_magic));
    if magic != OVERLAY_MAGIC && task.acts_for_another() {
        return;
    }
    let current = Current::get();
    let Some(ticket) = admit(Kind::FileLink, current) else { return };
    let Some(scratch) = PATH_SCRATCH.get_ptr_mut(Slot::FileSymlink as u32) else { return ticket.lose() };
    // SAFETY: the slot belongs to this program alone, which the kernel does not enter twice on a CPU.
    let scratch = unsafe { &mut *scratch };
    scratch.position = size_of::<Rename>() as u32;
    let from = scratch.string::<{ PATH_MAX as u32 }>(Small::mask(), target);
    let to = scratch.path(Small::mask(), Address::NULL, dentry);
    // SAFETY: the area is larger than a Rename and aligned to 8.
    let record = unsafe { &mut *scratch.bytes.as_mut_ptr().cast::<Rename>() };
    record.header = task.header(Kind::FileLink, 0);
    let device = directory.follow(offset!(inode_super_block)).get(offset!(super_block_device));
    record.file = FileId { inode: 0, device, generation: 0 };
    record.from = from;
    record.to = to;
    ticket.scratch(scratch);
}

/// `int security_inode_unlink(struct inode *dir, struct dentry *dentry)`, in `vfs_unlink`
/// <https://github.com/torvalds/linux/blob/v6.12/security/security.c#L2115>
#[fentry(function = "security_inode_unlink")]
pub fn file_delete(ctx: FEntryContext) -> i32 {
    let dentry = Address(ctx.arg(1));
    let mode = dentry.follow(offset!(dentry_inode)).get::<u16>(offset!(inode_mode));
    one_name(Kind::FileDelete, Slot::FileDelete, dentry, mode as u32);
    0
}

/// `int security_inode_setattr(struct mnt_idmap *idmap, struct dentry *dentry, struct iattr *attr)`, in
/// `notify_change`
/// <https://github.com/torvalds/linux/blob/v6.12/security/security.c#L2303>
#[fentry(function = "security_inode_setattr")]
pub fn file_mode(ctx: FEntryContext) -> i32 {
    let dentry = Address(ctx.arg(1));
    mode(dentry, Address(ctx.arg(2)));
    0
}

/// The same before 6.0: `(struct dentry *dentry, struct iattr *attr)`
/// <https://github.com/torvalds/linux/blob/v5.10/security/security.c>
#[fentry(function = "security_inode_setattr")]
pub fn file_mode_by_dentry(ctx: FEntryContext) -> i32 {
    let dentry = Address(ctx.arg(0));
    mode(dentry, Address(ctx.arg(1)));
    0
}

#[inline(always)]
fn mode(dentry: Address, attributes: Address) {
    let valid: u32 = attributes.get(offset!(iattr_valid));
    let new: u16 = attributes.get(offset!(iattr_mode));
    let old: u16 = dentry.follow(offset!(dentry_inode)).get(offset!(inode_mode));
    if valid & SETS_MODE != 0 && new & EXECUTABLE & !old != 0 {
        one_name(Kind::FileMode, Slot::FileMode, dentry, new as u32);
    }
}

/// A regular file, by somebody who does it for himself: an overlay repeats in its layer what was done to
/// it, with the rights of whoever mounted it.
#[inline(always)]
fn is_meant(inode: Address, task: Task) -> bool {
    let magic: u64 = inode.follow(offset!(inode_super_block)).get(offset!(super_block_magic));
    is_regular(inode) && (magic == OVERLAY_MAGIC || !task.acts_for_another())
}

#[inline(always)]
fn two_names(kind: Kind, slot: Slot, from: Address, to: Address) {
    let inode = from.follow(offset!(dentry_inode));
    let task = Task::current();
    if !is_meant(inode, task) {
        return;
    }
    let current = Current::get();
    let Some(ticket) = admit(kind, current) else { return };
    let Some(scratch) = PATH_SCRATCH.get_ptr_mut(slot as u32) else { return ticket.lose() };
    // SAFETY: the slot belongs to one program, which the kernel does not enter twice on a CPU.
    let scratch = unsafe { &mut *scratch };
    scratch.position = size_of::<Rename>() as u32;
    let from = scratch.path(Small::mask(), Address::NULL, from);
    let to = scratch.path(Small::mask(), Address::NULL, to);
    // SAFETY: the area is larger than a Rename and aligned to 8.
    let record = unsafe { &mut *scratch.bytes.as_mut_ptr().cast::<Rename>() };
    record.header = task.header(kind, 0);
    record.file = file_id(inode);
    record.from = from;
    record.to = to;
    ticket.scratch(scratch);
}

#[inline(always)]
fn one_name(kind: Kind, slot: Slot, dentry: Address, mode: u32) {
    let inode = dentry.follow(offset!(dentry_inode));
    let task = Task::current();
    if !is_meant(inode, task) {
        return;
    }
    let current = Current::get();
    let Some(ticket) = admit(kind, current) else { return };
    let Some(scratch) = PATH_SCRATCH.get_ptr_mut(slot as u32) else { return ticket.lose() };
    // SAFETY: as above.
    let scratch = unsafe { &mut *scratch };
    scratch.position = size_of::<Change>() as u32;
    let path = scratch.path(Small::mask(), Address::NULL, dentry);
    // SAFETY: the area is larger than a Change and aligned to 8.
    let record = unsafe { &mut *scratch.bytes.as_mut_ptr().cast::<Change>() };
    record.header = task.header(kind, 0);
    record.file = file_id(inode);
    (record.bytes, record.flags, record.reserved) = (0, 0, 0);
    record.size = inode.get(offset!(inode_size));
    record.mode = mode;
    record.path = path;
    ticket.scratch(scratch);
}
