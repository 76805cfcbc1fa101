//! What the events of a turn are about, open for as long as the turn takes.
//!
//! Handles are opened by who may, the keeper, and an answer of its takes as long as a busy host lets two processes wait
//! for their turns. So they are opened many at a time, before the events are looked at, and each once.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::record::Handle;

/// Most that are open at once: a directory and a file for each of [`TOGETHER_MAX`] events.
const OPENED_MAX: usize = 64;
/// Most events that are prepared together.
pub(super) const TOGETHER_MAX: usize = 32;

const _: () =
    assert!(OPENED_MAX >= 2 * TOGETHER_MAX, "what was opened for an event is there when it is looked at");

/// By handle, oldest first.
#[derive(Default)]
pub(super) struct OpenedHandles {
    all: VecDeque<One>,
}

struct One {
    fsid: u64,
    kind: i32,
    bytes: Box<[u8]>,
    /// None: it is gone.
    open: Option<Arc<OwnedFd>>,
}

impl OpenedHandles {
    /// None: nobody has tried.
    pub(super) fn get(&self, handle: &Handle<'_>) -> Option<&Option<Arc<OwnedFd>>> {
        let Handle { fsid, kind, bytes } = *handle;
        let is_it = |one: &&One| one.fsid == fsid && one.kind == kind && *one.bytes == *bytes;
        self.all.iter().find(is_it).map(|one| &one.open)
    }

    pub(super) fn put(&mut self, handle: &Handle<'_>, open: Option<Arc<OwnedFd>>) {
        if self.all.len() >= OPENED_MAX {
            self.all.pop_front();
        }
        let Handle { fsid, kind, bytes } = *handle;
        self.all.push_back(One { fsid, kind, bytes: bytes.into(), open });
    }

    /// What could not be opened may be tried again.
    pub(super) fn retry(&mut self) {
        self.all.retain(|one| one.open.is_some());
    }

    /// To be called behind each turn: what is open keeps its mount busy.
    pub(super) fn clear(&mut self) {
        self.all.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle(bytes: &[u8]) -> Handle<'_> {
        Handle { fsid: 1, kind: 2, bytes }
    }

    #[test]
    fn each_is_known_by_all_of_its_handle_and_the_oldest_goes() {
        let open = Arc::new(OwnedFd::from(std::fs::File::open("/proc/self/stat").unwrap()));
        let mut opened = OpenedHandles::default();
        opened.put(&handle(b"gone"), None);
        opened.put(&handle(b"there"), Some(open));
        assert!(opened.get(&handle(b"there")).unwrap().is_some());
        assert!(opened.get(&handle(b"gone")).unwrap().is_none());
        for other in
            [Handle { fsid: 9, ..handle(b"there") }, Handle { kind: 9, ..handle(b"there") }, handle(b"the")]
        {
            assert!(opened.get(&other).is_none(), "{other:?}");
        }
        opened.retry();
        assert!(opened.get(&handle(b"gone")).is_none());
        for number in 0..OPENED_MAX {
            opened.put(&handle(&number.to_ne_bytes()), None);
        }
        assert!(opened.get(&handle(b"there")).is_none());
        assert_eq!(opened.all.len(), OPENED_MAX);
        opened.clear();
        assert!(opened.all.is_empty());
    }
}
