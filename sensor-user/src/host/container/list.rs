//! Lists that a runtime keeps of all its containers or images in one file, remembered until it changes.
//!
//! A burst of starts asks for each container, and a list of thousands takes milliseconds to read: whoever
//! comes second waits for the first and has it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::ContainerError;
use super::root::{Root, Stamp};

/// Longest list read, bytes: about 1 KiB for each container or image.
const LIST_MAX: u64 = 16 * 1024 * 1024;
/// Most lists of one kind remembered: one for each runtime of the host, and each user with one. Beyond it
/// the one read longest ago is read again when it is needed.
const LISTS_MAX: usize = 16;

/// Lists of one kind.
#[derive(Debug)]
pub(super) struct Lists<T> {
    known: Mutex<Vec<Known<T>>>,
}

#[derive(Debug)]
struct Known<T> {
    path: PathBuf,
    stamp: Stamp,
    list: Arc<T>,
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self { known: Mutex::default() }
    }
}

impl<T> Lists<T> {
    /// The list at `path`, by `parse` where it is not known. None: it is not there.
    pub(super) fn read(
        &self,
        root: &Root,
        path: &Path,
        parse: impl FnOnce(&[u8]) -> serde_json::Result<T>,
    ) -> Result<Option<Arc<T>>, ContainerError> {
        // Before the content: what is written between the two is read again next time.
        let Some(stamp) = root.stamp(path) else { return Ok(None) };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let full = root.join(path);
        if let Some(hit) = known.iter().find(|known| known.path == full && known.stamp == stamp) {
            return Ok(Some(Arc::clone(&hit.list)));
        }
        known.retain(|known| known.path != full);
        let Some(bytes) = root.read(path, LIST_MAX)? else { return Ok(None) };
        let list = parse(&bytes)
            .map_err(|reason| ContainerError::Malformed { path: full.clone(), reason: reason.to_string() })?;
        let list = Arc::new(list);
        if known.len() >= LISTS_MAX {
            known.remove(0);
        }
        known.push(Known { path: full, stamp, list: Arc::clone(&list) });
        Ok(Some(list))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_list_is_read_once_until_it_changes() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::of_host(directory.path());
        let lists = Lists::<Vec<u32>>::default();
        let parsed = Cell::new(0);
        let read = || {
            lists.read(&root, Path::new("list.json"), |bytes| {
                parsed.set(parsed.get() + 1);
                serde_json::from_slice(bytes)
            })
        };
        assert!(read().unwrap().is_none());
        for (text, expected) in [("[1]", vec![1]), ("[1, 2]", vec![1, 2])] {
            // As runtimes do: a new file in place of the old one.
            std::fs::write(directory.path().join("new"), text).unwrap();
            std::fs::rename(directory.path().join("new"), directory.path().join("list.json")).unwrap();
            for _ in 0..3 {
                assert_eq!(*read().unwrap().unwrap(), expected);
            }
        }
        assert_eq!(parsed.get(), 2);
        std::fs::write(directory.path().join("list.json"), "[").unwrap();
        assert!(matches!(read(), Err(ContainerError::Malformed { .. })));
    }
}
