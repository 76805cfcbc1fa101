//! The sink that appends to a file, one JSON document a line, and starts another when it is long enough.
//!
//! A message is confirmed when its line is on the disk, whole: a line that was begun when the agent died is taken back at
//! the next start, and its message written again. Somebody else may move the file away (logrotate): what comes next goes
//! to a new one of the same name.
//!
//! It runs on a thread of its own, because writing to a disk can block.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use tokio::runtime::Handle;
use tokio::time::timeout;
use tracing::{info, warn};

use super::Feed;
use super::form::Form;
use super::stdout::spawn;

/// Lines that are synchronised together.
const BATCH_MAX: usize = 256;
/// A disk that refuses is tried again after this long.
const RETRY: Duration = Duration::from_secs(1);
/// Where a last line that was not finished is looked for, bytes from the end: no document is longer.
const TAIL: u64 = 1 << 20;

/// A file, and when the next is begun.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileTarget {
    pub path: PathBuf,
    /// What a line is.
    #[serde(default, rename = "format")]
    pub form: Form,
    /// From this many MiB on it is put aside, and another is begun.
    #[serde(default = "mebibytes", deserialize_with = "at_least_one")]
    pub mebibytes: u32,
    /// How many that were put aside are kept (`PATH.1` the newest).
    #[serde(default = "keep", deserialize_with = "few")]
    pub keep: u32,
}

/// Most files that are kept: each is renamed when another is put aside, and nobody looks through more by hand.
const KEEP_MAX: u32 = 1000;

fn mebibytes() -> u32 {
    100
}

fn keep() -> u32 {
    5
}

fn at_least_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = u32::deserialize(deserializer)?;
    if number == 0 { Err(D::Error::custom("a file of 0 MiB holds no message")) } else { Ok(number) }
}

fn few<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = u32::deserialize(deserializer)?;
    if number > KEEP_MAX {
        return Err(D::Error::custom(format!("{number} files are too many to keep: {KEEP_MAX} at most")));
    }
    Ok(number)
}

/// Starts the thread.
///
/// # Errors
/// When the system refuses a thread.
pub(super) fn start(target: FileTarget, feed: Feed) -> io::Result<()> {
    let runtime = Handle::current();
    spawn("file", move || Sink { target, feed, runtime, out: None, written: 0, is_failing: false }.run())
}

struct Sink {
    target: FileTarget,
    feed: Feed,
    runtime: Handle,
    out: Option<Out>,
    /// Lines that are written and not confirmed.
    written: usize,
    is_failing: bool,
}

impl Sink {
    fn run(mut self) {
        loop {
            if self.written > 0 && (self.written >= BATCH_MAX || !self.feed.reader.has_ready()) {
                let outcome = self.confirm();
                self.note(outcome);
            }
            let Some(envelope) = self.runtime.block_on(self.feed.reader.next()) else { break };
            let outcome = self.write(&self.target.form.render(&envelope, usize::MAX));
            self.note(outcome);
            if *self.feed.closing.borrow() && self.is_failing {
                return;
            }
        }
        let outcome = self.confirm();
        self.note(outcome);
    }

    fn write(&mut self, document: &str) -> io::Result<()> {
        let out = match self.out.take().filter(|out| out.is_at(&self.target.path)) {
            Some(out) => out,
            None => Out::open(&self.target.path)?,
        };
        let out = self.out.insert(out);
        out.append(format!("{document}\n").as_bytes())?;
        self.written += 1;
        if out.size >= u64::from(self.target.mebibytes) << 20 {
            self.confirm()?;
            put_aside(&self.target)?;
            self.out = None;
        }
        Ok(())
    }

    /// Waits for the disk; what was written is there then.
    fn confirm(&mut self) -> io::Result<()> {
        if let Some(out) = &self.out {
            out.file.sync_data()?;
        }
        self.feed.reader.confirm(std::mem::take(&mut self.written));
        Ok(())
    }

    /// Tells once when it fails and once when it works again; what failed is written again, after a while.
    fn note(&mut self, outcome: io::Result<()>) {
        let path = self.target.path.display();
        match &outcome {
            Ok(()) => self.feed.tally.up(),
            Err(error) => self.feed.tally.away(error),
        }
        match outcome {
            Ok(()) if self.is_failing => {
                self.is_failing = false;
                info!("messages are written to {path} again");
            }
            Ok(()) => {}
            Err(error) => {
                if !std::mem::replace(&mut self.is_failing, true) {
                    warn!("cannot write to {path}: {error}; messages wait until it works again");
                }
                (self.out, self.written) = (None, 0);
                self.feed.reader.rewind();
                let closing = self.feed.closing.wait_for(|closing| *closing);
                let _ = self.runtime.block_on(async { timeout(RETRY, closing).await.map(|_| ()) });
            }
        }
    }
}

/// The file that is open.
struct Out {
    file: File,
    size: u64,
}

impl Out {
    fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let size = whole_lines(&file)?;
        file.set_len(size)?;
        Ok(Self { file, size })
    }

    /// It still has that name.
    fn is_at(&self, path: &Path) -> bool {
        let number = |file: &fs::Metadata| (file.dev(), file.ino());
        let (there, own) = (fs::metadata(path), self.file.metadata());
        matches!((there, own), (Ok(there), Ok(own)) if number(&there) == number(&own) && own.len() == self.size)
    }

    /// Whole, or not at all.
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all_at(line, self.size) {
            self.file.set_len(self.size)?;
            return Err(error);
        }
        self.size += line.len() as u64;
        Ok(())
    }
}

/// Bytes up to the end of the last line that has one.
fn whole_lines(file: &File) -> io::Result<u64> {
    let size = file.metadata()?.len();
    let begin = size.saturating_sub(TAIL);
    let mut tail = vec![0; usize::try_from(size - begin).unwrap_or(0)];
    file.read_exact_at(&mut tail, begin)?;
    let end = tail.iter().rposition(|byte| *byte == b'\n');
    Ok(end.map_or(begin, |at| begin + at as u64 + 1))
}

/// `PATH` becomes `PATH.1`, that `PATH.2`, and the last goes.
fn put_aside(target: &FileTarget) -> io::Result<()> {
    let numbered = |number: u32| target.path.with_added_extension(number.to_string());
    let moved = |from: &Path, to: &Path| match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    };
    for number in (1..target.keep).rev() {
        moved(&numbered(number), &numbered(number + 1))?;
    }
    if target.keep == 0 { fs::remove_file(&target.path) } else { moved(&target.path, &numbered(1)) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::Value;
    use tempfile::TempDir;

    use super::*;
    use crate::alert::Message;
    use crate::outbox::Opened;
    use crate::sink::{SinkSet, Target, kept, sample};

    const PATIENCE: Duration = Duration::from_secs(20);

    fn target(folder: &TempDir, mebibytes: u32) -> FileTarget {
        FileTarget { path: folder.path().join("new/alerts.jsonl"), form: Form::Ecs, mebibytes, keep: 2 }
    }

    fn start(target: &FileTarget) -> SinkSet {
        let targets = [Target::File(target.clone())];
        let opened = Opened::in_memory(kept(&targets));
        SinkSet::start(&targets, &Arc::new(sample::origin()), Some(opened)).unwrap()
    }

    fn deliver(set: &SinkSet, numbers: impl Iterator<Item = u64>) {
        for number in numbers {
            let mut alert = sample::alert();
            alert.sequence = number;
            set.deliver(&Arc::new(Message::Alert(Box::new(alert))));
        }
    }

    fn numbers(path: &Path) -> Vec<u64> {
        let text = fs::read_to_string(path).unwrap();
        let number =
            |line: &str| serde_json::from_str::<Value>(line).unwrap()["event"]["sequence"].as_u64().unwrap();
        text.lines().map(number).collect()
    }

    #[test]
    fn sizes_that_make_no_sense_are_refused() {
        let read = |more: &str| serde_json::from_str::<FileTarget>(&format!("{{\"path\":\"/x\"{more}}}"));
        assert_eq!(read("").unwrap().keep, 5);
        assert_eq!(read(",\"keep\":1000").unwrap().keep, KEEP_MAX);
        for (more, reason) in [(",\"keep\":1001", "1000 at most"), (",\"mebibytes\":0", "0 MiB")] {
            let error = read(more).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[tokio::test]
    async fn one_document_a_line_in_order() {
        let folder = TempDir::new().unwrap();
        let target = target(&folder, 1);
        let set = start(&target);
        deliver(&set, 1..=20);
        assert_eq!(set.flush(PATIENCE).await, []);
        assert_eq!(numbers(&target.path), (1..=20).collect::<Vec<_>>());
        assert_eq!(fs::metadata(&target.path).unwrap().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_line_that_was_not_finished_is_taken_back() {
        let folder = TempDir::new().unwrap();
        let target = target(&folder, 1);
        fs::create_dir(target.path.parent().unwrap()).unwrap();
        fs::write(&target.path, "{\"event\":{\"sequence\":7}}\n{\"event\":{\"seq").unwrap();
        let set = start(&target);
        deliver(&set, 8..=8);
        assert_eq!(set.flush(PATIENCE).await, []);
        assert_eq!(numbers(&target.path), [7, 8]);
    }

    #[tokio::test]
    async fn a_long_file_is_put_aside_and_the_oldest_goes() {
        let folder = TempDir::new().unwrap();
        let target = target(&folder, 1);
        let size = crate::sink::encode::encode(&sample::message(), &sample::origin()).document.len() as u64;
        let count = 4 * (1 << 20) / size;
        let set = start(&target);
        for begin in (1..=count).step_by(400) {
            let end = (begin + 400).min(count + 1);
            deliver(&set, begin..end);
            while set.outbox.as_ref().unwrap().published() + 1 < end {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        assert_eq!(set.flush(PATIENCE).await, []);
        let numbered = |number: &str| target.path.with_added_extension(number);
        let mut kept = [numbers(&numbered("2")), numbers(&numbered("1"))].concat();
        kept.extend(fs::metadata(&target.path).is_ok().then(|| numbers(&target.path)).into_iter().flatten());
        assert_eq!(*kept.last().unwrap(), count);
        assert!(kept.windows(2).all(|pair| pair[1] == pair[0] + 1), "a gap between the files");
        assert!(!numbered("3").exists());
    }

    #[tokio::test]
    async fn a_file_that_somebody_moves_away_is_begun_anew() {
        let folder = TempDir::new().unwrap();
        let target = target(&folder, 1);
        let set = start(&target);
        deliver(&set, 1..=1);
        while !target.path.exists() || set.outstanding()[0].outstanding > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let moved = folder.path().join("moved");
        fs::rename(&target.path, &moved).unwrap();
        deliver(&set, 2..=2);
        assert_eq!(set.flush(PATIENCE).await, []);
        assert_eq!((numbers(&moved), numbers(&target.path)), (vec![1], vec![2]));
    }

    #[tokio::test]
    async fn what_cannot_be_written_waits() {
        let folder = TempDir::new().unwrap();
        let target = target(&folder, 1);
        // A file where the folder is to be.
        fs::write(folder.path().join("new"), "").unwrap();
        let set = start(&target);
        deliver(&set, 1..=2);
        while set.outstanding()[0].outstanding < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        fs::remove_file(folder.path().join("new")).unwrap();
        while !target.path.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(set.flush(PATIENCE).await, []);
        assert_eq!(numbers(&target.path), [1, 2]);
    }
}
