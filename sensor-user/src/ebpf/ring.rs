//! The ring: records come out in the order in which the kernel put them in.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use aya::maps::{MapData, RingBuf};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;

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
}

impl Ring {
    /// Takes the ring of loaded programs. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The runtime refuses the descriptor.
    pub fn new(records: RingBuf<MapData>) -> std::io::Result<Self> {
        let wake = super::sys::readable(records.as_fd().try_clone_to_owned()?)?;
        let tick = super::sys::readable(ticking()?)?;
        Ok(Self { records, wake, tick, more: false })
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
    pub fn drain(&mut self, mut each: impl FnMut(&[u8])) {
        for _ in 0..BATCH_MAX {
            let Some(record) = self.records.next() else {
                self.more = false;
                return;
            };
            each(&record);
        }
        self.more = true;
    }
}

impl Ring {
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
