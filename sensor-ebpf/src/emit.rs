//! The only writer of the ring: reserve room by rank, put the record in, or count the loss.
//!
//! Every record that a hook makes passes here or through [`filtered`], so the ledger balances:
//! generated = delivered + filtered + lost.

use core::intrinsics::{AtomicOrdering, atomic_xadd};

use aya_ebpf::bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use aya_ebpf::helpers::generated::bpf_ringbuf_output;
use sensor_ebpf::wire::counter::Counter;
use sensor_ebpf::wire::setting::{RESERVED_FOR_CRITICAL, RING_SIZE, WAKE_LEVEL};
use sensor_ebpf::wire::{Header, Kind};

use crate::map::{COUNTERS, RECORDS, Scratch};

/// Emits a record without texts, from the stack. `header.size` must be `size_of::<T>()`.
#[inline(always)]
pub fn fixed<T>(kind: Kind, record: &T) {
    output(kind, core::ptr::from_ref(record).cast(), size_of::<T>() as u64);
}

/// Emits the record in a scratch area up to its position, and sets its size.
#[inline(always)]
pub fn scratch<const SIZE: usize>(kind: Kind, scratch: &mut Scratch<SIZE>) {
    let size = scratch.position;
    if size as usize > SIZE {
        // Cannot be: positions are masked. Said so that the verifier knows it too.
        lost(kind);
        return;
    }
    let header = scratch.bytes.as_mut_ptr().cast::<Header>();
    // SAFETY: every record begins with a header, and the area is larger and aligned to 8.
    unsafe { (*header).size = size };
    output(kind, scratch.bytes.as_ptr(), size as u64);
}

/// Counts a record that was left out by design.
#[inline(always)]
pub fn filtered(kind: Kind) {
    count(kind, Column::Generated);
    count(kind, Column::Filtered);
}

/// Counts a doing of the agent's own: left out, and the proof that the hook fires.
#[inline(always)]
pub fn own(kind: Kind) {
    filtered(kind);
    count(kind, Column::Own);
}

#[inline(always)]
fn lost(kind: Kind) {
    count(kind, Column::Generated);
    count(kind, Column::Lost);
}

#[inline(always)]
fn output(kind: Kind, bytes: *const u8, size: u64) {
    let waiting = RECORDS.query(BPF_RB_AVAIL_DATA as u64);
    if !kind.is_critical() && waiting > (RING_SIZE - RESERVED_FOR_CRITICAL) as u64 {
        lost(kind);
        return;
    }
    // Waking the agent for each record costs connects 26 % and opens 75 %; a timer of its own wakes
    // it, and this only when the ring fills faster than the timer ticks.
    let flags = if waiting > WAKE_LEVEL as u64 { BPF_RB_FORCE_WAKEUP } else { BPF_RB_NO_WAKEUP };
    let ring = (&raw const RECORDS).cast_mut().cast();
    // SAFETY: the ring is a map of that type, and `bytes` holds `size` initialised bytes.
    let result = unsafe { bpf_ringbuf_output(ring, bytes.cast_mut().cast(), size, flags as u64) };
    if result == 0 {
        count(kind, Column::Generated);
        count(kind, Column::Delivered);
    } else {
        lost(kind);
    }
}

/// A column of the ledger.
#[derive(Clone, Copy)]
enum Column {
    Generated,
    Delivered,
    Filtered,
    Lost,
    Own,
}

/// Adds one to a column of this CPU's row. Atomic, because a program may be preempted here by
/// another one that counts in the same row.
#[inline(always)]
fn count(kind: Kind, column: Column) {
    let Some(row) = COUNTERS.get_ptr_mut(kind.row() as u32) else { return };
    let cell = match column {
        Column::Generated => core::mem::offset_of!(Counter, generated),
        Column::Delivered => core::mem::offset_of!(Counter, delivered),
        Column::Filtered => core::mem::offset_of!(Counter, filtered),
        Column::Lost => core::mem::offset_of!(Counter, lost),
        Column::Own => core::mem::offset_of!(Counter, own),
    };
    // SAFETY: the column lies within the row.
    let cell = unsafe { row.byte_add(cell) };
    // SAFETY: the row lives as long as the program and is aligned to 8.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(cell.cast(), 1) };
}
