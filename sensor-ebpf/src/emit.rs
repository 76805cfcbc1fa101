//! The only writer of the ring: limit by cgroup, reserve room by rank, put the record in, or count what
//! became of it.
//!
//! A hook that finds something to tell says so by [`Ticket::new`], which counts it as generated, and must
//! then choose one of the ticket's ends: [`Ticket::fixed`], [`Ticket::scratch`], [`Ticket::submit`] (delivered
//! or lost), [`Ticket::aggregate`], [`Ticket::filter`], [`Ticket::lose`]. A way out that chooses none shows as
//! a difference in the ledger. The agent's own doings have no ticket: [`own`].

use core::intrinsics::{AtomicOrdering, atomic_xadd};

use aya_ebpf::bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use aya_ebpf::helpers::generated::bpf_ringbuf_output;
use aya_ebpf::maps::ring_buf::RingBufEntry;
use sensor_ebpf::wire::counter::{Account, AccountKey, AggregateKey, Counter};
use sensor_ebpf::wire::setting::{
    EPOCH_SHIFT, LIMIT_BURST, LIMIT_INTERVAL, RESERVED_FOR_CRITICAL, RING_SIZE, WAKE_LEVEL,
};
use sensor_ebpf::wire::{Header, Kind, Rank};

use crate::map::{ACCOUNTS, AGGREGATES, COUNTERS, DOZING, NO_EXIST, RECORDS, Scratch};
use crate::task::now;

/// Something to tell, whose fate is not decided yet.
pub struct Ticket {
    kind: Kind,
    cgroup_id: u64,
    account: Option<*mut Account>,
}

impl Ticket {
    /// Counts it as generated, on the account of a cgroup.
    #[inline(always)]
    pub fn new(kind: Kind, cgroup_id: u64) -> Self {
        count(kind, core::mem::offset_of!(Counter, generated));
        Self { kind, cgroup_id, account: account(cgroup_id, kind) }
    }

    /// May its cgroup make this record now? Takes a token. To be asked before the costly parts.
    #[inline(always)]
    pub fn is_within_limit(&self) -> bool {
        if self.kind.rank() == Rank::Critical {
            return true;
        }
        let Some(account) = self.account else { return true };
        let now = now();
        // SAFETY: a row of the map, which outlives the program's run. Two CPUs that write at once let
        // one record more through.
        let full = unsafe { core::ptr::read_volatile(&raw const (*account).full) };
        let full = if full > now { full } else { now } + LIMIT_INTERVAL;
        if full - now > LIMIT_BURST {
            return false;
        }
        // SAFETY: as above.
        unsafe { core::ptr::write_volatile(&raw mut (*account).full, full) };
        true
    }

    /// Beyond the limit: counted by what `key` says. Its cgroup, kind and epoch are set here.
    #[inline(always)]
    pub fn aggregate(self, mut key: AggregateKey) {
        key.cgroup_id = self.cgroup_id;
        key.kind = self.kind as u16;
        key.epoch = (now() >> EPOCH_SHIFT) as u32;
        // Between look-up and insertion another CPU may have made the row: then it is looked up again.
        if !bump(&key) && AGGREGATES.insert(&key, 1, NO_EXIST).is_err() {
            bump(&key);
        }
        self.count(core::mem::offset_of!(Counter, aggregated), core::mem::offset_of!(Account, aggregated));
    }

    /// Left out by design.
    #[inline(always)]
    pub fn filter(self) {
        self.count(core::mem::offset_of!(Counter, filtered), core::mem::offset_of!(Account, filtered));
    }

    /// Emits a record without texts, from the stack. `header.size` must be `size_of::<T>()`.
    #[inline(always)]
    pub fn fixed<T>(self, record: &T) {
        self.output(core::ptr::from_ref(record).cast(), size_of::<T>() as u64);
    }

    /// Emits the record in a scratch area up to its position, and sets its size.
    #[inline(always)]
    pub fn scratch<const SIZE: usize>(self, scratch: &mut Scratch<SIZE>) {
        let size = scratch.position;
        if size as usize > SIZE {
            // Cannot be: positions are masked. Said so that the verifier knows it too.
            self.lose();
            return;
        }
        let header = scratch.bytes.as_mut_ptr().cast::<Header>();
        // SAFETY: every record begins with a header, and the area is larger and aligned to 8.
        unsafe { (*header).size = size };
        self.output(scratch.bytes.as_ptr(), size as u64);
    }

    /// Room in the ring for a record that is filled there; none when there is no room for its rank.
    #[inline(always)]
    pub fn reserve<T: 'static>(&self) -> Option<RingBufEntry<T>> {
        if !self.has_room(waiting()) {
            return None;
        }
        RECORDS.reserve::<T>(0)
    }

    /// Hands over a record that was filled in the ring.
    #[inline(always)]
    pub fn submit<T>(self, entry: RingBufEntry<T>) {
        entry.submit(wake(waiting()));
        self.count(core::mem::offset_of!(Counter, delivered), core::mem::offset_of!(Account, delivered));
    }

    /// The ring had no room.
    #[inline(always)]
    pub fn lose(self) {
        self.count(core::mem::offset_of!(Counter, lost), core::mem::offset_of!(Account, lost));
    }

    #[inline(always)]
    fn output(self, bytes: *const u8, size: u64) {
        let waiting = waiting();
        if !self.has_room(waiting) {
            self.lose();
            return;
        }
        let ring = (&raw const RECORDS).cast_mut().cast();
        // SAFETY: the ring is a map of that type, and `bytes` holds `size` initialised bytes.
        let result = unsafe { bpf_ringbuf_output(ring, bytes.cast_mut().cast(), size, wake(waiting)) };
        if result == 0 {
            self.count(core::mem::offset_of!(Counter, delivered), core::mem::offset_of!(Account, delivered));
        } else {
            self.lose();
        }
    }

    #[inline(always)]
    fn has_room(&self, waiting: u64) -> bool {
        self.kind.rank() == Rank::Critical || waiting <= (RING_SIZE - RESERVED_FOR_CRITICAL) as u64
    }

    #[inline(always)]
    fn count(&self, column: usize, own_column: usize) {
        count(self.kind, column);
        if let Some(account) = self.account {
            // SAFETY: the column lies within the row.
            add(unsafe { account.byte_add(own_column) }.cast(), 1);
        }
    }
}

/// Bytes in the ring that the agent has not read.
#[inline(always)]
fn waiting() -> u64 {
    RECORDS.query(BPF_RB_AVAIL_DATA as u64)
}

/// Waking the agent for each record costs connects 26 % and opens 75 %; a timer of its own wakes it, and
/// this only when the ring fills faster than the timer ticks, or when it dozes.
#[inline(always)]
fn wake(waiting: u64) -> u64 {
    let is_wanted = waiting > WAKE_LEVEL as u64 || is_dozing();
    u64::from(if is_wanted { BPF_RB_FORCE_WAKEUP } else { BPF_RB_NO_WAKEUP })
}

/// The first record after a silence wakes the agent, and those until it has taken that back.
#[inline(always)]
fn is_dozing() -> bool {
    DOZING.get(0).is_some_and(|dozing| *dozing != 0)
}

/// Counts a doing of the agent's own: left out, and the proof that the hook fires. On nobody's account.
#[inline(always)]
pub fn own(kind: Kind) {
    count(kind, core::mem::offset_of!(Counter, generated));
    count(kind, core::mem::offset_of!(Counter, filtered));
    count(kind, core::mem::offset_of!(Counter, own));
}

/// Adds to a number in a map, whoever else does at the same time.
#[inline(always)]
pub fn add(cell: *mut u64, value: u64) {
    // SAFETY: callers hand over a number in a map's value, aligned to 8, which outlives the run.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(cell, value) };
}

/// The row of a cgroup, made when it is missing; that of all others when there is no room.
#[inline(always)]
fn account(cgroup_id: u64, kind: Kind) -> Option<*mut Account> {
    let mut key = AccountKey { cgroup_id, kind: kind as u32, reserved: 0 };
    if let Some(account) = ACCOUNTS.get_ptr_mut(&key) {
        return Some(account);
    }
    let empty = Account { full: 0, delivered: 0, aggregated: 0, filtered: 0, lost: 0 };
    // Another CPU may be faster: then there is a row all the same.
    let _ = ACCOUNTS.insert(&key, &empty, NO_EXIST);
    if let Some(account) = ACCOUNTS.get_ptr_mut(&key) {
        return Some(account);
    }
    // Made by the agent before the programs are attached.
    key.cgroup_id = AccountKey::OTHERS;
    ACCOUNTS.get_ptr_mut(&key)
}

#[inline(always)]
fn bump(key: &AggregateKey) -> bool {
    let Some(cell) = AGGREGATES.get_ptr_mut(key) else { return false };
    add(cell, 1);
    true
}

/// Adds one to a column of this CPU's row of a kind. Atomic, because a program may be preempted here by
/// another one that counts in the same row.
#[inline(always)]
fn count(kind: Kind, column: usize) {
    let Some(row) = COUNTERS.get_ptr_mut(kind.row() as u32) else { return };
    // SAFETY: the column lies within the row.
    add(unsafe { row.byte_add(column) }.cast(), 1);
}
