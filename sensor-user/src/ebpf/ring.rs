//! The ring: records come out in the order in which the kernel put them in.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::time::Duration;

use aya::maps::{MapData, RingBuf};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;

use super::sys::ConsumerPage;

/// How often the ring is emptied. The programs do not wake the agent for a record (that costs
/// connects 26 %, opens 75 %), so this is the delay of a lone event: 5 ms on average.
pub const TICK: Duration = Duration::from_millis(10);
const _: () = assert!(TICK.as_secs() == 0, "the timer is set by nanoseconds alone");
/// Most records taken before other work gets its turn: about 20 ms of decoding.
const BATCH_MAX: usize = 4096;

/// The agent's end of the ring.
pub struct Ring {
    records: RingBuf<MapData>,
    wake: AsyncFd<OwnedFd>,
    /// A timer of the kernel. Tokio's own, set again at each tick, wakes the runtime twice and writes to an eventfd
    /// in between, which costs an idle host as much as the look itself.
    tick: AsyncFd<OwnedFd>,
    /// The last batch ended at [`BATCH_MAX`]: there is more, do not wait.
    more: bool,
    position: Position,
}

/// How far the kernel believes that the agent has read. Whoever may get hold of the ring by its id may write there, too:
/// what he reads is not taken from the agent, which goes by a count of its own, but the kernel may then overwrite what
/// the agent has not read, or find no room.
struct Position {
    page: ConsumerPage,
    /// As the agent left it.
    left: u64,
    /// How often it was another since the last look.
    moved: u64,
}

impl Position {
    fn new(ring: BorrowedFd<'_>) -> std::io::Result<Self> {
        let page = ConsumerPage::of(ring)?;
        let left = page.position().load(Ordering::Acquire);
        Ok(Self { page, left, moved: 0 })
    }

    /// To be called before a batch: what somebody else wrote is undone.
    fn check(&mut self) {
        let position = self.page.position();
        if position.load(Ordering::Acquire) != self.left {
            position.store(self.left, Ordering::Release);
            self.moved += 1;
        }
    }

    /// To be called behind a batch.
    fn leave(&mut self) {
        self.left = self.page.position().load(Ordering::Acquire);
    }
}

impl Ring {
    /// Takes the ring of loaded programs. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The runtime refuses the descriptor.
    pub fn new(records: RingBuf<MapData>) -> std::io::Result<Self> {
        let wake = super::sys::readable(records.as_fd().try_clone_to_owned()?)?;
        let tick = super::sys::readable(ticking()?)?;
        let position = Position::new(records.as_fd())?;
        Ok(Self { records, wake, tick, more: false, position })
    }

    /// Waits until it is time to look: the tick, or a ring that fills fast.
    pub async fn ready(&mut self) {
        if self.more {
            tokio::task::yield_now().await;
            return;
        }
        tokio::select! {
            guard = self.tick.readable() => if let Ok(mut guard) = guard {
                guard.clear_ready();
                // It goes on when it is read (timerfd_create(2)); how often it has come does not matter.
                let _ = rustix::io::read(guard.get_inner(), &mut [0_u8; 8]);
            },
            guard = self.wake.readable() => if let Ok(mut guard) = guard { guard.clear_ready() },
        }
    }

    /// Hands out waiting records, oldest first.
    pub fn drain(&mut self, each: impl FnMut(&[u8])) {
        self.position.check();
        self.more = self.take(each);
        self.position.leave();
    }

    /// Takes a batch; whether there is more.
    fn take(&mut self, mut each: impl FnMut(&[u8])) -> bool {
        for _ in 0..BATCH_MAX {
            let Some(record) = self.records.next() else { return false };
            each(&record);
        }
        true
    }

    /// How often somebody else had moved the position of its reader, since the last call.
    pub fn take_moved(&mut self) -> u64 {
        std::mem::take(&mut self.position.moved)
    }
    /// The last batch did not empty the ring.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.more
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.records.as_fd()
    }
}

/// A timer that comes at every [`TICK`].
fn ticking() -> std::io::Result<OwnedFd> {
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
    let period = Timespec { tv_sec: 0, tv_nsec: TICK.subsec_nanos().into() };
    timerfd_settime(
        &timer,
        TimerfdTimerFlags::empty(),
        &Itimerspec { it_interval: period, it_value: period },
    )?;
    Ok(timer)
}
