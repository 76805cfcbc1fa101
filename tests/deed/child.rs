//! A child process that does a part of a deed and tells its own truth of it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;

use anyhow::{Context as _, Result, bail};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::sys;
use crate::truth::{Missing, Truth, is_missing};

/// How a child ends that could not do its part; the reason is in the pipe.
const FAILED: i32 = 1;

/// The name of the fact that says why not.
const ERROR: &str = "error";

/// The same when this kernel cannot.
const LACK: &str = "missing";

/// A forked child at work. Dropped before it has told, it is ended.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) pid: Pid,
    told: File,
    /// Waited for, so that its id may be another's by now.
    over: bool,
}

impl Child {
    /// Forks. Before other threads are made.
    pub(crate) fn start(work: impl FnOnce() -> Result<Truth>) -> Result<Self> {
        let (told, tell) = pipe()?;
        let pid = sys::process::fork(move || {
            let (truth, code) = match work() {
                Ok(truth) => (truth, 0),
                Err(error) => {
                    let name = if is_missing(&error) { LACK } else { ERROR };
                    (Truth::new().with(name, format!("{error:#}")), FAILED)
                }
            };
            match File::from(tell).write_all(truth.line().as_bytes()) {
                Ok(()) => code,
                Err(_) => FAILED,
            }
        })
        .context("making a child")?;
        // The child has its own copy of the writing end; this one was moved into the closure and is closed.
        Ok(Self { pid, told: told.into(), over: false })
    }

    /// Waits for its end: what it told.
    pub(crate) fn finish(mut self) -> Result<Truth> {
        let mut line = String::new();
        self.told.read_to_string(&mut line)?;
        self.over = true;
        let code = wait(self.pid)?;
        let truth = Truth::parse(&line).with_context(|| format!("the child ended with {code}"))?;
        if let Some(reason) = truth.text(LACK) {
            return Err(Missing(reason.to_owned()).into());
        }
        match truth.text(ERROR) {
            Some(reason) => bail!("in the child: {reason}"),
            None => Ok(truth),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.over && kill_process(self.pid, Signal::KILL).is_ok() {
            waitpid(Some(self.pid), WaitOptions::empty()).ok();
        }
    }
}

/// A pipe that programs do not inherit: the reading end, the writing end.
pub(crate) fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    pipe_with(PipeFlags::CLOEXEC).context("making a pipe")
}

/// Waits for the end of a child: its exit status.
pub(crate) fn wait(pid: Pid) -> Result<i32> {
    let ended = waitpid(Some(pid), WaitOptions::empty()).context("waiting for a child")?;
    let (_, status) = ended.context("waiting for a child gave nothing")?;
    status.exit_status().with_context(|| format!("the child was ended: {status:?}"))
}

/// The id as it is told.
pub(crate) fn number(pid: Pid) -> i32 {
    pid.as_raw_nonzero().get()
}
