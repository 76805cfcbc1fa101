//! A file that another process made, what a deed did to it, and the proof of that.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use rustix::time::{ClockId, clock_gettime};

use crate::child::number;
use crate::place::Place;
use crate::request::Request;
use crate::truth::Truth;

/// Bytes written unless told: a block, as direct writes want.
const BYTES: usize = 4096;

/// Bytes of the file before: more than are written by default, so that some stay as they are.
const SIZE: usize = 2 * BYTES;

/// What the file is full of before.
const BEFORE: u8 = b'a';

/// What is written.
const WRITTEN: u8 = b'b';

/// The file to be changed.
pub(super) struct Subject {
    pub(super) path: PathBuf,
    pub(super) place: Place,
    /// What to write.
    pub(super) bytes: Vec<u8>,
}

/// What was done to the file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    /// So many bytes from the start on are others.
    Overwritten(usize),
    /// So many bytes were added at the end.
    Appended(usize),
    /// It has another length; what is new in it is zero.
    Resized,
}

/// Has a child make a file, and this process change it by `act`; then looks whether the file is so.
pub(super) fn changed(request: &Request, act: impl FnOnce(&Subject) -> Result<Change>) -> Result<Truth> {
    let place = Place::new(request)?;
    let (path, maker) = place.foreign_file("file", &[BEFORE; SIZE])?;
    await_newer_time(&path)?;
    let bytes = vec![WRITTEN; request.bytes.unwrap_or(BYTES)];
    let subject = Subject { path, place, bytes };
    let change = act(&subject).with_context(|| format!("changing {}", subject.path.display()))?;
    let size = ensure_changed(&subject.path, change)?;
    let written = match change {
        Change::Overwritten(written) | Change::Appended(written) => written,
        Change::Resized => 0,
    };
    let truth = Truth::new().with_path("path", &subject.path).with("made_by", number(maker));
    Ok(truth.with("bytes", written).with("size", size))
}

/// Waits until what is done to the file has another time than its making: within one clock tick the second tier cannot
/// tell a new length from a touch, which the coverage notice says and this is not about.
fn await_newer_time(path: &Path) -> Result<()> {
    let made = fs::metadata(path)?;
    loop {
        // What the kernel takes times of files from.
        let now = clock_gettime(ClockId::RealtimeCoarse);
        if (now.tv_sec, now.tv_nsec) > (made.ctime(), made.ctime_nsec()) {
            return Ok(());
        }
        std::thread::yield_now();
    }
}

/// Its size in bytes, once its content is what the change says.
fn ensure_changed(path: &Path, change: Change) -> Result<usize> {
    let content = fs::read(path)?;
    let all =
        |part: Option<&[u8]>, byte: u8| part.is_some_and(|part| part.iter().all(|other| *other == byte));
    let good = match change {
        Change::Overwritten(written) => {
            let size = written.max(SIZE);
            written > 0
                && content.len() == size
                && all(content.get(..written), WRITTEN)
                && all(content.get(written..), BEFORE)
        }
        Change::Appended(written) => {
            written > 0
                && content.len() == SIZE + written
                && all(content.get(..SIZE), BEFORE)
                && all(content.get(SIZE..), WRITTEN)
        }
        Change::Resized => {
            let kept = content.len().min(SIZE);
            content.len() != SIZE && all(content.get(..kept), BEFORE) && all(content.get(kept..), 0)
        }
    };
    ensure!(good, "{} is not as it must be after {change:?}", path.display());
    Ok(content.len())
}
