//! A process that lives as long as its owner: ended by its own id, never by name.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child as StdChild, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::wait;

/// Longest orderly end of a part; dockerd, the slowest, takes about a second without containers.
const END_MAX: Duration = Duration::from_secs(15);

/// Bytes of a part's log that a complaint about it quotes: its last words, not its life.
const LAST_WORDS_MAX: usize = 2000;

/// A running part of the tests. Dropping it ends it: SIGTERM, then after [`END_MAX`] SIGKILL.
#[derive(Debug)]
pub struct Child {
    name: &'static str,
    inner: StdChild,
    log: PathBuf,
}

impl Child {
    /// Starts `command` with stdout and stderr in `log`.
    ///
    /// # Errors
    /// The log cannot be made or the program cannot be started.
    pub fn start(name: &'static str, mut command: Command, log: PathBuf) -> Result<Self> {
        let file = File::create(&log).with_context(|| format!("creating {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let inner = command.spawn().with_context(|| format!("starting {name} ({command:?})"))?;
        Ok(Self { name, inner, log })
    }

    /// Waits for `condition`, but gives up at once when the process ends.
    ///
    /// # Errors
    /// It ended, or `timeout` passed: either with its last words.
    pub fn await_ready(
        &mut self,
        timeout: Duration,
        what: &str,
        mut condition: impl FnMut() -> Result<bool>,
    ) -> Result<()> {
        let (name, log, inner) = (self.name, &self.log, &mut self.inner);
        wait::until(timeout, what, || {
            if let Some(status) = inner.try_wait()? {
                bail!("{name} ended with {status}");
            }
            Ok(condition()?.then_some(()))
        })
        .with_context(|| format!("{name} is not ready; its last words:\n{}", last_words(log)))
    }

    /// Process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.inner.id()
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// It had ended.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        ensure!(self.inner.try_wait()?.is_none(), "{} had ended", self.name);
        // Not yet waited for, so the id is still this child's.
        Ok(kill_process(Pid::from_child(&self.inner), signal)?)
    }

    /// Ends it in order and waits.
    ///
    /// # Errors
    /// It did not end within [`END_MAX`]; it was killed then.
    pub fn end(&mut self) -> Result<()> {
        end(&mut self.inner, END_MAX).map(drop).with_context(|| format!("ending {}", self.name))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Nobody is left to tell: `end` kills what does not end by itself.
        drop(self.end());
    }
}

/// Sends SIGTERM and waits at most `timeout`; kills it thereafter. Repeats do nothing.
///
/// # Errors
/// It had to be killed.
pub(crate) fn end(child: &mut StdChild, timeout: Duration) -> Result<ExitStatus> {
    if let Some(status) = child.try_wait()? {
        return Ok(status);
    }
    // Not yet waited for, so the id is still this child's.
    kill_process(Pid::from_child(child), Signal::TERM)?;
    let ended = wait::until(timeout, "its end after SIGTERM", || Ok(child.try_wait()?));
    if ended.is_err() {
        child.kill()?;
        child.wait()?;
    }
    ended
}

/// Runs a program to its end.
///
/// # Errors
/// It cannot be started, or fails: then with what it wrote to stderr.
pub fn run(command: &mut Command) -> Result<Output> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("starting {command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} ended with {}: {}", output.status, said.trim());
    Ok(output)
}

/// A command that dies with this process even when that is killed: SIGTERM by the kernel, to the part
/// alone. Parts must be started on the main thread, whose end is what the kernel looks at.
#[must_use]
pub fn bound(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "--"]).arg(program);
    command
}

/// First of `candidates` that is a file.
///
/// # Errors
/// None is: the sentence names them and `remedy`.
pub fn find(candidates: &[&str], remedy: &str) -> Result<PathBuf> {
    let found = candidates.iter().map(PathBuf::from).find(|path| path.is_file());
    found.with_context(|| format!("none of {} is here: {remedy}", candidates.join(", ")))
}

fn last_words(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let start = bytes.len().saturating_sub(LAST_WORDS_MAX);
    String::from_utf8_lossy(bytes.get(start..).unwrap_or_default()).into_owned()
}
