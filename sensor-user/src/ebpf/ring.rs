//! The ring: records come out in the order in which the kernel put them in.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering;

use aya::maps::{Array, MapData, RingBuf};
use tokio::io::unix::AsyncFd;

use super::pace::Pace;
use super::sys::ConsumerPage;

/// Most records taken before other work gets its turn: about 20 ms of decoding.
const BATCH_MAX: usize = 4096;

/// The agent's end of the ring.
pub struct Ring {
    records: RingBuf<MapData>,
    wake: AsyncFd<OwnedFd>,
    pace: Pace,
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
    /// Takes the ring of loaded programs, and where they look whether the agent dozes. Must be called within a tokio
    /// runtime.
    ///
    /// # Errors
    /// The runtime refuses a descriptor.
    pub fn new(records: RingBuf<MapData>, dozing: Array<MapData, u32>) -> std::io::Result<Self> {
        let wake = super::sys::readable(records.as_fd().try_clone_to_owned()?)?;
        let position = Position::new(records.as_fd())?;
        Ok(Self { records, wake, pace: Pace::new(dozing)?, more: false, position })
    }

    /// Waits until it is time to look: the tick, or a ring that fills fast, or a first record after a silence.
    pub async fn ready(&mut self) {
        if self.more {
            tokio::task::yield_now().await;
            return;
        }
        tokio::select! {
            () = self.pace.due() => {}
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

    /// To be called behind each look at everything; see [`Pace::note`].
    pub(super) fn note<'d>(&mut self, is_silent: bool, others: impl Iterator<Item = BorrowedFd<'d>>) {
        self.pace.note(is_silent && !self.more, others);
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
