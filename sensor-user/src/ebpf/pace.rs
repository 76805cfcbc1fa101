//! How often the agent looks at what the kernel has for it: every [`TICK`] while something happens; every [`DOZE`] once
//! nothing did for a while, and then it is woken by the first thing that does.
//!
//! Being woken for each record would cost the programs of everybody more than it is worth; being woken for the first
//! one after a silence costs one of them a few microseconds, and an idle host nine wake-ups of ten.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use aya::maps::{Array, MapData};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;
use tracing::debug;

/// How often the ring is emptied. The programs do not wake the agent for a record (that costs
/// connects 26 %, opens 75 %), so this is the delay of an event: 5 ms on average.
pub const TICK: Duration = Duration::from_millis(10);

/// How often it is looked at while the agent dozes. A program that read the flag a moment before it was set wakes
/// nobody: its record waits so long.
const DOZE: Duration = Duration::from_millis(100);

/// Silence after which the agent dozes: longer than a story waits for the end of what ended, and than a name is asked for
/// in a hurry, which both go by the tick. What is due later comes up to [`DOZE`] late.
const SILENCE: Duration = Duration::from_millis(250);

/// Descriptors that may wake it besides the ring: one for each queue of fanotify's.
const OTHERS_MAX: usize = 4;

const _: () = assert!(TICK.as_secs() == 0 && DOZE.as_secs() == 0, "the timer is set by nanoseconds alone");

/// The agent's pace.
pub(super) struct Pace {
    /// A timer of the kernel. Tokio's own, set again at each tick, wakes the runtime twice and writes to an eventfd
    /// in between, which costs an idle host as much as the look itself.
    tick: AsyncFd<OwnedFd>,
    /// An epoll instance of its own: what is in it wakes the agent while it dozes, and never else.
    others: AsyncFd<OwnedFd>,
    /// The map `DOZING`.
    flag: Array<MapData, u32>,
    heard: Instant,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Awake,
    /// Whoever comes from now on wakes it; who came before is looked for once more.
    Nodding,
    Dozing,
}

impl Pace {
    /// Awake. Must be called within a tokio runtime.
    pub(super) fn new(flag: Array<MapData, u32>) -> std::io::Result<Self> {
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        set(timer.as_fd(), TICK)?;
        let others = super::sys::readable(epoll::create(CreateFlags::CLOEXEC)?)?;
        Ok(Self {
            tick: super::sys::readable(timer)?,
            others,
            flag,
            heard: Instant::now(),
            state: State::Awake,
        })
    }

    /// Waits until it is time to look.
    pub(super) async fn due(&mut self) {
        if self.state == State::Nodding {
            tokio::task::yield_now().await;
            return;
        }
        let is_woken = tokio::select! {
            guard = self.tick.readable() => {
                if let Ok(mut guard) = guard {
                    guard.clear_ready();
                    // It goes on when it is read (timerfd_create(2)); how often it has come does not matter.
                    let _ = rustix::io::read(guard.get_inner(), &mut [0_u8; 8]);
                }
                false
            }
            guard = self.others.readable() => {
                if let Ok(mut guard) = guard {
                    guard.clear_ready();
                    let mut events = Vec::with_capacity(OTHERS_MAX);
                    // Takes them off the list: each is told once (`EPOLLONESHOT`).
                    let _ = epoll::wait(guard.get_inner(), spare_capacity(&mut events), Some(&Timespec::default()));
                }
                true
            }
        };
        if is_woken {
            self.wake();
        }
    }

    /// To be called behind each look. `others` are descriptors by which something may come besides the ring.
    pub(super) fn note<'d>(&mut self, is_silent: bool, others: impl Iterator<Item = BorrowedFd<'d>>) {
        match self.state {
            _ if !is_silent => self.wake(),
            State::Awake if self.heard.elapsed() >= SILENCE => {
                if let Err(error) = self.nod(others) {
                    debug!(%error, "the agent goes on looking often");
                    self.wake();
                }
            }
            State::Nodding => self.state = State::Dozing,
            State::Awake | State::Dozing => {}
        }
    }

    fn nod<'d>(&mut self, others: impl Iterator<Item = BorrowedFd<'d>>) -> std::io::Result<()> {
        // From here on it has to be taken back, whatever else fails.
        self.state = State::Nodding;
        self.flag.set(0, 1, 0).map_err(std::io::Error::other)?;
        for other in others {
            let (data, flags) = (EventData::new_u64(0), EventFlags::IN | EventFlags::ONESHOT);
            match epoll::modify(self.others.get_ref(), other, data, flags) {
                Err(Errno::NOENT) => epoll::add(self.others.get_ref(), other, data, flags)?,
                outcome => outcome?,
            }
        }
        set(self.tick.get_ref().as_fd(), DOZE)
    }

    /// Others that are still armed wake it once more at most.
    fn wake(&mut self) {
        self.heard = Instant::now();
        if self.state == State::Awake {
            return;
        }
        self.state = State::Awake;
        if let Err(error) = self.flag.set(0, 0, 0) {
            debug!(%error, "each record goes on waking the agent");
        }
        if let Err(error) = set(self.tick.get_ref().as_fd(), TICK) {
            debug!(%error, "the agent goes on looking seldom");
        }
    }
}

/// Lets a timer come now and then.
fn set(timer: BorrowedFd<'_>, period: Duration) -> std::io::Result<()> {
    let period = Timespec { tv_sec: 0, tv_nsec: period.subsec_nanos().into() };
    let times = Itimerspec { it_interval: period, it_value: period };
    timerfd_settime(timer, TimerfdTimerFlags::empty(), &times)?;
    Ok(())
}
