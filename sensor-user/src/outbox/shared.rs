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
    /// Nothing will be added.
    pub(super) is_closed: bool,
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
    pub(super) fn new(index: Index, files: FxHashMap<u64, Arc<File>>) -> Self {
        Self { state: Mutex::new(State { index, files, is_closed: false }), news: watch::Sender::new(()) }
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
