//! How much was written: bytes are added up by open file and told when it is closed.
//!
//! `rw_verify_area` is asked with what the caller wants to write. For write and its sisters that is what
//! happens. The calls that move data inside the kernel ask for more than they have, so what they really
//! moved is taken from their return values and what is asked meanwhile is not counted.

use aya_ebpf::macros::{fentry, fexit};
use aya_ebpf::programs::{FEntryContext, FExitContext};
use sensor_ebpf::wire::file::Change;
use sensor_ebpf::wire::{Actor, Header, Kind, VERSION};

use super::super::process::file_id;
use super::super::within_limit;
use super::{is_below_overlay, is_regular};
use crate::emit::{self, Ticket, add};
use crate::map::{PATH_SCRATCH, Slot, Small, WRITES, Writes};
use crate::read::{Address, offset};
use crate::task::{Current, Task, now};

/// A write of `size` bytes to this file is asked for.
#[inline(always)]
pub(super) fn asked(file: Address, size: u64) {
    if let Some(writes) = WRITES.get_ptr_mut(&file.0) {
        // SAFETY: a row of the map, which outlives the run.
        if unsafe { core::ptr::read_volatile(&raw const (*writes).inside) } == 0 {
            // SAFETY: as above.
            add(unsafe { &raw mut (*writes).bytes }, size);
        }
        return;
    }
    begin(file, size, 0);
}

/// Makes a file's row.
#[inline(always)]
fn begin(file: Address, bytes: u64, inside: u64) {
    let inode = file.follow(offset!(file_inode));
    if !is_regular(inode) {
        return;
    }
    let writes = Writes { bytes, inside, actor: Task::current().actor() };
    if WRITES.insert(&file.0, &writes, 0).is_err() {
        // The map is full: how much is written to this file will not be told.
        Ticket::new(Kind::FileClose, writes.actor.cgroup_id).lose();
    }
}

/// `void __fput(struct file *file)`: the last reference is gone
/// <https://github.com/torvalds/linux/blob/v6.12/fs/file_table.c#L400>
#[fentry(function = "__fput")]
pub fn file_close(ctx: FEntryContext) -> i32 {
    closed(Address(ctx.arg(0)), Change::BYTES_EXACT);
    0
}

/// As [`file_close`], where nobody sees what sendfile and its sisters really moved: what they were asked for
/// is no count.
#[fentry(function = "__fput")]
pub fn file_close_about(ctx: FEntryContext) -> i32 {
    closed(Address(ctx.arg(0)), 0);
    0
}

#[inline(always)]
fn closed(file: Address, exact: u32) {
    // SAFETY: nobody writes to a file that is going.
    let Some(writes) = (unsafe { WRITES.get(&file.0) }) else { return };
    close(file, writes, exact);
    let _ = WRITES.remove(&file.0);
}

#[inline(always)]
fn close(file: Address, writes: &Writes, exact: u32) {
    let inode = file.follow(offset!(file_inode));
    let path = file.member(offset!(file_path));
    let (mount, dentry) = (path.follow(offset!(path_mnt)), path.follow(offset!(path_dentry)));
    if is_below_overlay(mount, dentry, inode) {
        return;
    }
    if (Current { pid: writes.actor.pid, thread: 0 }).is_agent() {
        emit::own(Kind::FileClose);
        return;
    }
    let ticket = Ticket::new(Kind::FileClose, writes.actor.cgroup_id);
    let Some(ticket) = within_limit(ticket, writes.actor.pid) else { return };
    let Some(scratch) = PATH_SCRATCH.get_ptr_mut(Slot::FileClose as u32) else { return ticket.lose() };
    // SAFETY: the slot belongs to this program alone, which the kernel does not enter twice on a CPU.
    let scratch = unsafe { &mut *scratch };
    scratch.position = size_of::<Change>() as u32;
    let path = scratch.path(Small::mask(), mount, dentry);
    // SAFETY: the area is larger than a Change and aligned to 8.
    let record = unsafe { &mut *scratch.bytes.as_mut_ptr().cast::<Change>() };
    record.header = header(&writes.actor);
    record.file = file_id(inode);
    record.bytes = writes.bytes;
    record.size = inode.get(offset!(inode_size));
    record.mode = inode.get::<u16>(offset!(inode_mode)) as u32;
    record.flags = Change::FROM_MOUNT | exact;
    record.path = path;
    record.reserved = 0;
    ticket.scratch(scratch);
}

/// Of who wrote first: whoever closes last may be anybody, a kernel thread even.
#[inline(always)]
fn header(actor: &Actor) -> Header {
    Header { version: VERSION, kind: Kind::FileClose as u16, size: 0, time: now(), actor: *actor }
}

/// `long do_splice_direct(struct file *in, loff_t *ppos, struct file *out, loff_t *opos, size_t len,
/// unsigned int flags)`: sendfile, which has asked for `len` before
/// <https://github.com/torvalds/linux/blob/v6.12/fs/splice.c#L1226>
#[fentry(function = "do_splice_direct")]
pub fn sendfile_begin(ctx: FEntryContext) -> i32 {
    let out = Address(ctx.arg(2));
    let asked: u64 = ctx.arg(4);
    enter(out, asked);
    0
}

/// As [`sendfile_begin`].
#[fexit(function = "do_splice_direct")]
pub fn sendfile_end(ctx: FExitContext) -> i32 {
    leave(Address(ctx.arg(2)), ctx.arg(6));
    0
}

/// `ssize_t do_splice(struct file *in, loff_t *off_in, struct file *out, loff_t *off_out, size_t len,
/// unsigned int flags)`
/// <https://github.com/torvalds/linux/blob/v6.12/fs/splice.c#L1290>
#[fentry(function = "do_splice")]
pub fn splice_begin(ctx: FEntryContext) -> i32 {
    enter(Address(ctx.arg(2)), 0);
    0
}

/// As [`splice_begin`].
#[fexit(function = "do_splice")]
pub fn splice_end(ctx: FExitContext) -> i32 {
    leave(Address(ctx.arg(2)), ctx.arg(6));
    0
}

/// `ssize_t vfs_copy_file_range(struct file *file_in, loff_t pos_in, struct file *file_out, loff_t pos_out,
/// size_t len, unsigned int flags)`
/// <https://github.com/torvalds/linux/blob/v6.12/fs/read_write.c#L1498>
#[fentry(function = "vfs_copy_file_range")]
pub fn copy_begin(ctx: FEntryContext) -> i32 {
    enter(Address(ctx.arg(2)), 0);
    0
}

/// As [`copy_begin`].
#[fexit(function = "vfs_copy_file_range")]
pub fn copy_end(ctx: FExitContext) -> i32 {
    leave(Address(ctx.arg(2)), ctx.arg(6));
    0
}

/// A call that moves data inside the kernel begins; `asked` of it was counted and is taken back.
#[inline(always)]
fn enter(out: Address, asked: u64) {
    let Some(writes) = WRITES.get_ptr_mut(&out.0) else {
        begin(out, 0, 1);
        return;
    };
    // SAFETY: a row of the map, which outlives the run.
    let inside = unsafe { core::ptr::read_volatile(&raw const (*writes).inside) };
    // An atomic addition of a constant 0 becomes an instruction that kernels before 5.12 do not have.
    if inside == 0 && asked != 0 {
        // SAFETY: as above.
        add(unsafe { &raw mut (*writes).bytes }, asked.wrapping_neg());
    }
    // SAFETY: as above.
    add(unsafe { &raw mut (*writes).inside }, 1);
}

/// It ends, and has moved so much.
#[inline(always)]
fn leave(out: Address, moved: i64) {
    let Some(writes) = WRITES.get_ptr_mut(&out.0) else { return };
    // SAFETY: a row of the map, which outlives the run.
    let inside = unsafe { core::ptr::read_volatile(&raw const (*writes).inside) };
    if inside == 0 {
        return;
    }
    // The agent's row goes without a record; this proves the pair of programs.
    if Current::get().is_agent() {
        emit::own(Kind::FileClose);
    }
    // SAFETY: as above.
    add(unsafe { &raw mut (*writes).inside }, 1_u64.wrapping_neg());
    // Of calls within calls the outermost counts.
    if inside == 1 && moved > 0 {
        // SAFETY: as above.
        add(unsafe { &raw mut (*writes).bytes }, moved as u64);
    }
}
