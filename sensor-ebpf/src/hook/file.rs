//! Files that change, and secrets that are opened. First tier: fentry on the functions that every way of
//! doing it passes. Second tier: the tracepoint of an inode that becomes dirty, in the writer's context,
//! for kernels that refuse fentry; the rest comes from fanotify there, which is the agent's business.

mod name;
mod close;

use aya_ebpf::macros::{fentry, raw_tracepoint};
use aya_ebpf::programs::{FEntryContext, RawTracePointContext};
use sensor_ebpf::wire::Kind;
use sensor_ebpf::wire::file::Change;

use super::process::{TMPFS_MAGIC, file_id};
use super::within_limit;
use crate::emit::{self, Ticket};
use crate::map::{FACTS, PATH_SCRATCH, Recent, SECRET_NAMES, Slot, Small};
use crate::path::name;
use crate::read::{Address, offset};
use crate::task::{Current, Task};

/// The same process changing the same file is told again after this long, nanoseconds.
const CHANGE_WINDOW: u64 = 30_000_000_000;
/// File type bits of a mode, and a regular file's (include/uapi/linux/stat.h).
const TYPE: u16 = 0o170_000;
const REGULAR: u16 = 0o100_000;
/// `FMODE_READ`, `FMODE_WRITE` and `FMODE_CREATED` (include/linux/fs.h).
const OPENED_FOR_READING: u32 = 0x1;
const OPENED_FOR_WRITING: u32 = 0x2;
const CREATED: u32 = 0x10_0000;
/// `WRITE` as `rw_verify_area` is told (include/linux/kernel.h).
const WRITE: u32 = 1;
/// `PROT_WRITE` and `MAP_SHARED` (include/uapi/asm-generic/mman-common.h); the latter is also a bit of
/// `MAP_SHARED_VALIDATE`.
const WRITABLE: u64 = 2;
const SHARED: u64 = 1;
/// `VM_SHARED` (include/linux/mm.h).
const SHARED_AREA: u64 = 8;
/// `I_CTIME_QUERIED` (include/linux/fs.h, since 6.13): a mark in the nanoseconds, not part of the time.
const QUERIED: u32 = 1 << 31;
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

/// As [`file_open`], for files that hold secrets.
#[fentry(function = "security_file_open")]
pub fn file_read(ctx: FEntryContext) -> i32 {
    let file = Address(ctx.arg(0));
    let mode: u32 = file.get(offset!(file_mode));
    if mode & OPENED_FOR_READING == 0 {
        return 0;
    }
    let dentry = file.member(offset!(file_path)).follow(offset!(path_dentry));
    if is_secret(&name(dentry)) {
        file_change(Kind::FileRead, Slot::FileRead, file, 0);
    }
    0
}

/// By its whole name, or by the first three characters of one (`id_*`).
#[inline(always)]
fn is_secret(name: &[u8; 16]) -> bool {
    let mut start = [0; 16];
    (start[0], start[1], start[2], start[3]) = (name[0], name[1], name[2], b'*');
    SECRET_NAMES.get_ptr(name).is_some() || SECRET_NAMES.get_ptr(&start).is_some()
}

/// `int rw_verify_area(int read_write, struct file *file, const loff_t *ppos, size_t count)`: every
/// write passes here, whichever call made it, except through a mapping
/// <https://github.com/torvalds/linux/blob/v6.12/fs/read_write.c#L452>
#[fentry(function = "rw_verify_area")]
pub fn file_write(ctx: FEntryContext) -> i32 {
    let direction: u32 = ctx.arg(0);
    if direction == WRITE {
        let file = Address(ctx.arg(1));
        close::asked(file, ctx.arg(3));
        file_change(Kind::FileWrite, Slot::FileWrite, file, 0);
    }
    0
}

/// `int security_mmap_file(struct file *file, unsigned long prot, unsigned long flags)`: stores through a
/// shared mapping pass no other place
/// <https://github.com/torvalds/linux/blob/v6.12/security/security.c#L2849>
#[fentry(function = "security_mmap_file")]
pub fn file_map(ctx: FEntryContext) -> i32 {
    let file = Address(ctx.arg(0));
    let protection: u64 = ctx.arg(1);
    let flags: u64 = ctx.arg(2);
    if !file.is_null() && protection & WRITABLE != 0 && flags & SHARED != 0 {
        file_change(Kind::FileWrite, Slot::FileMap, file, Change::MAPPED);
    }
    0
}

/// `int security_file_mprotect(struct vm_area_struct *vma, unsigned long reqprot, unsigned long prot)`: a
/// mapping made to read becomes one to write
/// <https://github.com/torvalds/linux/blob/v6.12/security/security.c#L2892>
#[fentry(function = "security_file_mprotect")]
pub fn file_protect(ctx: FEntryContext) -> i32 {
    let area = Address(ctx.arg(0));
    let protection: u64 = ctx.arg(2);
    let file = area.follow(offset!(vma_file));
    let flags: u64 = area.get(offset!(vma_flags));
    if !file.is_null() && protection & WRITABLE != 0 && flags & SHARED_AREA != 0 {
        file_change(Kind::FileWrite, Slot::FileProtect, file, Change::MAPPED);
    }
    0
}

/// `int do_truncate(struct mnt_idmap *idmap, struct dentry *dentry, loff_t length, unsigned int time_attrs,
/// struct file *filp)`: ftruncate and an open that truncates, with a file; truncate without
/// <https://github.com/torvalds/linux/blob/v6.12/fs/open.c#L40>
#[fentry(function = "do_truncate")]
pub fn file_truncate(ctx: FEntryContext) -> i32 {
    let dentry = Address(ctx.arg(1));
    let length: u64 = ctx.arg(2);
    truncate(dentry, Address(ctx.arg(4)), length);
    0
}

/// The same before 5.12: `(struct dentry *dentry, loff_t length, unsigned int time_attrs, struct file *filp)`
/// <https://github.com/torvalds/linux/blob/v5.10/fs/open.c#L40>
#[fentry(function = "do_truncate")]
pub fn file_truncate_by_dentry(ctx: FEntryContext) -> i32 {
    let dentry = Address(ctx.arg(0));
    let length: u64 = ctx.arg(1);
    truncate(dentry, Address(ctx.arg(3)), length);
    0
}

#[inline(always)]
fn truncate(dentry: Address, file: Address, length: u64) {
    if !file.is_null() {
        file_change_to(Kind::FileWrite, Slot::FileTruncate, file, Change::LENGTH, length);
        return;
    }
    let inode = dentry.follow(offset!(dentry_inode));
    if is_regular(inode) && !Task::current().acts_for_another() {
        let place = Place { inode, mount: Address::NULL, dentry };
        change(Kind::FileWrite, Slot::FileTruncate, place, Change::LENGTH, length);
    }
}

/// `int vfs_fallocate(struct file *file, int mode, loff_t offset, loff_t len)`: also punches holes
/// <https://github.com/torvalds/linux/blob/v6.12/fs/open.c#L235>
#[fentry(function = "vfs_fallocate")]
pub fn file_allocate(ctx: FEntryContext) -> i32 {
    /// `FALLOC_FL_KEEP_SIZE` (include/uapi/linux/falloc.h).
    const KEEPS_SIZE: u32 = 1;
    let file = Address(ctx.arg(0));
    let mode: u32 = ctx.arg(1);
    let offset: u64 = ctx.arg(2);
    let end = offset.wrapping_add(ctx.arg(3));
    let size: u64 = file.follow(offset!(file_inode)).get(offset!(inode_size));
    let size = if mode & KEEPS_SIZE == 0 && end > size { end } else { size };
    file_change_to(Kind::FileWrite, Slot::FileAllocate, file, Change::LENGTH, size);
    0
}

#[inline(always)]
fn file_change(kind: Kind, slot: Slot, file: Address, flags: u32) {
    let size = file.follow(offset!(file_inode)).get(offset!(inode_size));
    file_change_to(kind, slot, file, flags, size);
}

/// The same, of a call after which the file will have this size.
#[inline(always)]
fn file_change_to(kind: Kind, slot: Slot, file: Address, flags: u32, size: u64) {
    let inode = file.follow(offset!(file_inode));
    let path = file.member(offset!(file_path));
    let dentry = path.follow(offset!(path_dentry));
    let mount = path.follow(offset!(path_mnt));
    if !is_regular(inode) || is_below_overlay(mount, dentry, inode) {
        return;
    }
    change(kind, slot, Place { inode, mount, dentry }, flags | Change::FROM_MOUNT, size);
}

/// A file and where it was reached.
struct Place {
    inode: Address,
    mount: Address,
    dentry: Address,
}

/// An overlay opens the file of its layer for itself, by a mount of its own that is in no namespace
/// (since 6.6) or with the inode of the layer under the overlay's path (before).
#[inline(always)]
fn is_below_overlay(mount: Address, dentry: Address, inode: Address) -> bool {
    is_internal(mount) || dentry.follow(offset!(dentry_inode)) != inode
}

/// A mount that the kernel made for itself is in no namespace.
#[inline(always)]
fn is_internal(mount: Address) -> bool {
    let namespace = mount.container(offset!(mount_mnt)).follow(offset!(mount_namespace));
    namespace.0.wrapping_neg() <= MAX_ERRNO
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
        let place = Place { inode, mount: Address::NULL, dentry };
        change(Kind::FileWrite, Slot::FileDirty, place, 0, inode.get(offset!(inode_size)));
    }
    0
}

/// Did the content change, or only a time or mode? Writes to the page cache say so. Some dirty all of an
/// inode at once (`mark_inode_dirty`), tmpfs for times alone: there a write (content and inode changed at
/// once) is told from a read (newer access time) and from chmod and link (newer change of the inode).
#[inline(always)]
fn is_content(inode: Address, flags: u32) -> bool {
    let pages = FACTS.load().dirty_pages;
    let dirties_pages = flags & pages != 0;
    // `I_DIRTY_SYNC` and `I_DIRTY_DATASYNC`, whose bits are the two below.
    let dirties_inode = flags & (pages >> 1 | pages >> 2) != 0;
    if dirties_pages && !dirties_inode {
        return true;
    }
    let magic: u64 = inode.follow(offset!(inode_super_block)).get(offset!(super_block_magic));
    if !dirties_pages && magic != TMPFS_MAGIC {
        return false;
    }
    let written: u64 = inode.get(offset!(inode_mtime_seconds));
    let written_part: u32 = inode.get(offset!(inode_mtime_nanoseconds));
    let changed: u64 = inode.get(offset!(inode_ctime_seconds));
    let changed_part = inode.get::<u32>(offset!(inode_ctime_nanoseconds)) & !QUERIED;
    if changed != written || changed_part != written_part {
        return false;
    }
    let accessed: u64 = inode.get(offset!(inode_atime_seconds));
    let accessed_part: u32 = inode.get(offset!(inode_atime_nanoseconds));
    // All three the same: touch does that, and whatever is done within the clock tick of the file's creation.
    written > accessed || written == accessed && written_part > accessed_part
}

#[inline(always)]
fn is_regular(inode: Address) -> bool {
    inode.get::<u16>(offset!(inode_mode)) & TYPE == REGULAR
}

#[inline(always)]
fn change(kind: Kind, slot: Slot, place: Place, flags: u32, size: u64) {
    let Place { inode, mount, dentry } = place;
    let current = Current::get();
    if current.is_agent() {
        emit::own(kind);
        return;
    }
    let task = Task::current();
    if task.is_kernel_thread() {
        return;
    }
    let file = file_id(inode);
    // What is told once is not told again for a while, a mapping or a new length besides a write is.
    let number = current.pid;
    let owner = task.start_time() ^ (flags & (Change::MAPPED | Change::LENGTH)) as u64;
    let key = Recent { object: file, owner, number, kind: kind as u32 };
    let ticket = Ticket::new(kind, current.cgroup_id());
    if kind.is_told_once() && key.is_repeat(CHANGE_WINDOW) {
        ticket.filter();
        return;
    }
    let Some(ticket) = within_limit(ticket, current.pid) else { return };
    let Some(scratch) = PATH_SCRATCH.get_ptr_mut(slot as u32) else { return ticket.lose() };
    // SAFETY: the slot belongs to one program, which the kernel does not enter twice on a CPU.
    let scratch = unsafe { &mut *scratch };
    scratch.position = size_of::<Change>() as u32;
    let path = scratch.path(Small::mask(), mount, dentry);
    // SAFETY: the area is larger than a Change and aligned to 8.
    let record = unsafe { &mut *scratch.bytes.as_mut_ptr().cast::<Change>() };
    record.header = task.header(kind, 0);
    record.file = file;
    record.bytes = 0;
    record.size = size;
    record.mode = inode.get::<u16>(offset!(inode_mode)) as u32;
    record.flags = flags;
    record.path = path;
    record.reserved = 0;
    ticket.scratch(scratch);
}
