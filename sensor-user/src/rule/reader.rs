//! The thread that reads rules again: woken by inotify or by SIGHUP, it waits until changes have stopped, reads
//! all, and tells what came of it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tracing::{debug, info, warn};

use super::change::{Known, change};
use super::files::{Mistakes, RuleFiles, Rules};
use super::place::{DIRECTORIES_MAX, Places};
use super::watch::{Unwatched, Watch};
use crate::alert::{RuleChange, RuleRefusal};
use crate::config::ConfigFiles;

/// How long nothing may have changed before the rules are read: who copies a folder of rules, or saves with an
/// editor, makes one change of it.
const QUIET: Duration = Duration::from_millis(500);
/// When they are read although changes go on.
const RESTLESS: Duration = Duration::from_secs(5);
/// Mistakes in a notice; the log has more.
const MISTAKES_TOLD: usize = 5;
/// Mistakes in the log, with their places: who has more mends these first.
const MISTAKES_LOGGED: usize = 100;

/// What came of a reading.
#[derive(Debug)]
pub enum News {
    /// SIGHUP came: a reading begins, and one of the others follows.
    Asked,
    /// What was asked for has been read, and says the same.
    Unchanged,
    Loaded(Box<Fresh>),
    /// What is in force is the receiver's to know.
    Refused(RuleRefusal),
}

/// Rules that are ready to run.
#[derive(Debug)]
pub struct Fresh {
    pub rules: Rules,
    /// Against those of the last reading that was taken over.
    pub change: RuleChange,
    /// When their reading began.
    pub began: Instant,
}

/// The loop's end of the thread, which ends when this is dropped.
#[derive(Debug)]
pub struct Reader {
    news: mpsc::Receiver<News>,
    hangups: AbortHandle,
    _wake: Arc<OwnedFd>,
}

impl Reader {
    /// Starts the thread, for rules of which `rules` is the last reading. Must be called within a tokio runtime.
    ///
    /// Where the files cannot be watched the log says so, and SIGHUP alone makes it read.
    ///
    /// # Errors
    /// The system has no pipe, no signal handler or no thread left.
    pub fn start(files: RuleFiles, rules: &Rules) -> io::Result<Self> {
        let watch = watch(&files);
        Self::start_with(files, rules, watch)
    }

    fn start_with(files: RuleFiles, rules: &Rules, watch: Option<Watch>) -> io::Result<Self> {
        let (asleep, wake) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let wake = Arc::new(wake);
        let mut hangup = signal(SignalKind::hangup())?;
        let (told, news) = mpsc::channel(1);
        let thread = Thread {
            files,
            watch,
            asleep,
            told,
            content: rules.fingerprint,
            is_refused: false,
            known: rules.known.clone(),
            unwatched: false,
            is_postponed: false,
        };
        thread::Builder::new().name("rules".to_owned()).spawn(move || thread.run())?;
        let waker = Arc::clone(&wake);
        let hangups = tokio::spawn(async move {
            while hangup.recv().await.is_some() {
                // A full pipe has woken it already.
                let _ = rustix::io::write(&*waker, b"h");
            }
        });
        Ok(Self { news, hangups: hangups.abort_handle(), _wake: wake })
    }

    /// What came of the next reading. Never ends.
    pub async fn news(&mut self) -> News {
        match self.news.recv().await {
            Some(news) => news,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.hangups.abort();
    }
}

/// None: said why, and that SIGHUP is left.
fn watch(files: &RuleFiles) -> Option<Watch> {
    if files.places().is_empty() {
        return None;
    }
    match Watch::new() {
        Ok(watch) => Some(watch),
        Err(error) => {
            warn!(%error, "rule files are not watched: after a change of them send SIGHUP, or raise \
                fs.inotify.max_user_instances and start again");
            None
        }
    }
}

/// What the thread has.
struct Thread {
    files: RuleFiles,
    watch: Option<Watch>,
    /// A byte for each SIGHUP; at its end nobody wants to know any more.
    asleep: OwnedFd,
    told: mpsc::Sender<News>,
    /// Of the last reading, whatever came of it.
    content: u64,
    is_refused: bool,
    /// Of the last that was taken over.
    known: Vec<Known>,
    /// That some places are not watched has been said.
    unwatched: bool,
    /// Mistakes were read while files changed, and are not told before another reading.
    is_postponed: bool,
}

/// Why the thread woke.
enum Woken {
    Changed,
    Asked,
    /// The time has come.
    Due,
    Over,
}

impl Thread {
    fn run(mut self) {
        // Between the first reading and the first watch something may have changed.
        let mut due = Due::default();
        due.note(Instant::now());
        loop {
            match self.wait(&due) {
                Ok(Woken::Over) => return,
                Ok(Woken::Changed) => due.note(Instant::now()),
                Ok(Woken::Asked) => {
                    due.ask(Instant::now());
                    if self.told.blocking_send(News::Asked).is_err() {
                        return;
                    }
                    compare(&self.files.configuration);
                }
                Ok(Woken::Due) => {
                    let Due { is_asked, .. } = std::mem::take(&mut due);
                    if let Some(news) = self.read(is_asked)
                        && self.told.blocking_send(news).is_err()
                    {
                        return;
                    }
                    if self.is_postponed {
                        due.note(Instant::now());
                        // Who asked still waits for an answer.
                        due.is_asked = is_asked;
                    }
                }
                Err(error) => {
                    warn!(%error, "rules are not read again any more; start the sensor again to change them");
                    return;
                }
            }
        }
    }

    /// Until something happens, or a reading is due.
    fn wait(&mut self, due: &Due) -> io::Result<Woken> {
        loop {
            let left = due.at.map(|at| at.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Ok(Woken::Due);
            }
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            let mut descriptors = vec![PollFd::from_borrowed_fd(self.asleep.as_fd(), PollFlags::IN)];
            if let Some(watch) = &self.watch {
                descriptors.push(PollFd::from_borrowed_fd(watch.descriptor(), PollFlags::IN));
            }
            match poll(&mut descriptors, left.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            match rustix::io::read(&self.asleep, &mut [0; 64]) {
                Ok(0) => return Ok(Woken::Over),
                Ok(_) => return Ok(Woken::Asked),
                Err(_) => {}
            }
            if self.watch.as_mut().is_some_and(Watch::has_news) {
                return Ok(Woken::Changed);
            }
        }
    }

    /// Reads everything. None: it says what the last reading said and nobody asked, or is to be read again.
    fn read(&mut self, is_asked: bool) -> Option<News> {
        let began = Instant::now();
        // Before the reading: what changes during it wakes the thread again.
        self.arm();
        let gathered = self.files.gather();
        let content = match &gathered {
            Ok(gathered) => gathered.fingerprint(),
            Err(mistakes) => mistakes.fingerprint(),
        };
        if content == self.content {
            self.is_postponed = false;
            // Nobody asked whether a file that was only touched says the same.
            match (is_asked, self.is_refused) {
                (true, false) => info!("rules were read again: nothing has changed"),
                (true, true) => warn!("rules were read again: their mistakes are the same"),
                (false, _) => debug!("rules were read again: nothing has changed"),
            }
            return is_asked.then_some(News::Unchanged);
        }
        let outcome = gathered.and_then(|gathered| self.files.understand(&gathered));
        // Half of a copy may be a mistake; the whole of it is about to come.
        let is_moving = outcome.is_err() && self.watch.as_mut().is_some_and(Watch::has_news);
        self.is_postponed = is_moving && !self.is_postponed;
        if self.is_postponed {
            debug!("mistakes in rules that are being changed: they are read again");
            return None;
        }
        self.content = content;
        self.is_refused = outcome.is_err();
        Some(match outcome {
            Ok(rules) => {
                let change = change(&self.known, &rules.known);
                self.known.clone_from(&rules.known);
                News::Loaded(Box::new(Fresh { rules, change, began }))
            }
            Err(mistakes) => refused(&mistakes),
        })
    }

    fn arm(&mut self) {
        let Some(watch) = &mut self.watch else { return };
        let outcome = watch.arm(Places::of(&self.files.places()));
        if let (Err(unwatched), false) = (&outcome, self.unwatched) {
            let Unwatched { directories, refused } = unwatched;
            match refused {
                Some((path, error)) => warn!(directories, path = %path.display(), %error,
                    "some places of rules are not watched: after a change there send SIGHUP, or raise \
                     fs.inotify.max_user_watches"),
                None => warn!(
                    directories,
                    "more than {DIRECTORIES_MAX} folders of rules: the rest is not \
                     watched; after a change there send SIGHUP"
                ),
            }
        }
        self.unwatched = outcome.is_err();
    }
}

/// Says what of the configuration is another now: none of it is taken over by an agent that runs.
fn compare(configuration: &ConfigFiles) {
    match configuration.changed() {
        Ok(keys) if keys.is_empty() => {}
        Ok(keys) => warn!(
            "the configuration has changed, and these keys stay as they were at the start: {}; `systemctl restart \
             tidewaiter` takes them over, no message is lost by that",
            keys.join(", ")
        ),
        Err(error) => {
            warn!(%error, "the configuration has changed, and the agent would not start with it; {}", error.help());
        }
    }
}

fn refused(mistakes: &Mistakes) -> News {
    let count = mistakes.len();
    let rendered = mistakes.render(MISTAKES_LOGGED);
    warn!("the changed rules have {count} mistakes; those of before stay in force\n{}", rendered.trim_end());
    let first = mistakes.first(MISTAKES_TOLD);
    News::Refused(RuleRefusal { rules: 0, mistakes: mistakes.len(), first })
}

/// When the next reading is.
#[derive(Clone, Copy, Debug, Default)]
struct Due {
    /// Of the changes that wait for it.
    first: Option<Instant>,
    at: Option<Instant>,
    is_asked: bool,
}

impl Due {
    /// Something changed.
    fn note(&mut self, now: Instant) {
        let first = *self.first.get_or_insert(now);
        if !self.is_asked {
            self.at = Some((now + QUIET).min(first + RESTLESS));
        }
    }

    /// Somebody wants it at once.
    fn ask(&mut self, now: Instant) {
        self.at = Some(now);
        self.is_asked = true;
    }
}

#[cfg(test)]
mod tests;
