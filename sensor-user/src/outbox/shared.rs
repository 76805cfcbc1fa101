//! What the thread that writes and the sinks that read have in common.

use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;
use tokio::sync::watch;

use super::disk::Disk;
use super::index::Index;

/// Held for as long as a look takes, never while a file is read or written.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    news: watch::Sender<()>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) index: Index,
    /// The segments' files. A sink that reads one keeps it, whatever takes its place meanwhile.
    pub(super) files: FxHashMap<u64, Arc<File>>,
    /// How the folder stood at the last look; none: there is none.
    pub(super) kept: Option<Kept>,
    /// Nothing will be added.
    pub(super) is_closed: bool,
}

/// How full the folder is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Of all segments.
    pub bytes: u64,
    pub bound: u64,
    /// The disk takes nothing: what comes is in memory alone.
    pub is_refused: bool,
}

impl State {
    /// Takes up the files of segments that are new.
    pub(super) fn learn(&mut self, disk: &Disk) {
        for (id, segment) in disk.segments() {
            let known = self.files.get(&id);
            if known.is_none_or(|known| !Arc::ptr_eq(known, &segment.file)) {
                self.files.insert(id, Arc::clone(&segment.file));
            }
        }
    }
}

impl Shared {
    pub(super) fn new(index: Index, files: FxHashMap<u64, Arc<File>>, kept: Option<Kept>) -> Self {
        let state = State { index, files, kept, is_closed: false };
        Self { state: Mutex::new(state), news: watch::Sender::new(()) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // Who panicked in it changed one field at a time: what is there can still be delivered.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the sinks that something changed.
    pub(super) fn publish(&self) {
        self.news.send_replace(());
    }

    pub(super) fn news(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }
}
