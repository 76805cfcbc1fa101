//! An agent of its own: the same binary, with the options of who asked and a socket apart.

use std::ffi::OsString;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout};
use tokio::sync::watch as channel;

use super::command::program;
use super::marker::Marker;
use super::stage::Stage;
use super::watch::Watch;
use super::{Losses, ValidateError, error};

/// Longest start: the kernel verifies all programs in a third of a second, on a loaded machine in many times that.
const READY_MAX: Duration = Duration::from_secs(60);

/// Longest orderly end: two seconds are promised.
const END_MAX: Duration = Duration::from_secs(10);

/// It runs until it is ended or dropped.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) watch: Arc<Watch>,
    pub(super) marker: Marker,
    child: Mutex<Option<Child>>,
}

impl Agent {
    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// It does not start: then with what it said.
    pub(super) async fn start(
        stage: &Stage,
        options: &[OsString],
        mut interrupted: channel::Receiver<bool>,
    ) -> Result<Self, ValidateError> {
        let own = std::env::current_exe().map_err(ValidateError::file("/proc/self/exe"))?;
        let marker = Marker::new(&stage.id);
        let rule = stage.write("marker.yml", &marker.rule())?;
        let log = stage.write("agent.log", "")?;
        let file = std::fs::File::create(&log).map_err(ValidateError::file(&log))?;
        let mut command = program(own);
        command
            .args(["run", "--format", "json", "--log", "warn", "--control"])
            .arg(stage.path("run/agent.sock"))
            .arg("--metrics")
            .arg(format!("unix:{}", stage.path("run/metrics.sock").display()))
            .arg("--outbox")
            .arg(stage.path("outbox"));
        command.arg("--rules").arg(rule).args(options).stdout(Stdio::piped()).stderr(file);
        let mut child =
            command.spawn().map_err(|error| ValidateError::Agent(format!("does not start: {error}")))?;
        let watch = Arc::new(Watch::new());
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(listen(stdout, Arc::clone(&watch)));
        }
        let agent = Self { watch, marker, child: Mutex::new(Some(child)) };
        let ready = agent.watch.reaches(READY_MAX, |state| state.is_ready || state.has_ended);
        let is_ready = error::unless_interrupted(&mut interrupted, ready).await?;
        if is_ready && agent.watch.state().is_ready {
            return Ok(agent);
        }
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        Err(ValidateError::Agent(format!("did not become ready; it said:\n{}", said.trim())))
    }

    /// Ends it in order; returns what it told as lost.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub(super) async fn end(&self) -> Result<Losses, ValidateError> {
        let Some(mut child) = self.child.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return Ok(self.watch.state().losses);
        };
        if let Some(pid) = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) {
            // Not yet waited for, so the id is still this child's. An error says that it has ended.
            let _ = kill_process(pid, Signal::TERM);
        }
        if tokio::time::timeout(END_MAX, child.wait()).await.is_err() {
            let killed = child.kill().await;
            killed.map_err(|error| ValidateError::Agent(format!("does not end: {error}")))?;
        }
        Ok(self.watch.state().losses)
    }
}

/// Takes its lines until it ends.
async fn listen(stdout: ChildStdout, watch: Arc<Watch>) {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Ok(document) = serde_json::from_str(&line) {
            watch.take(&document);
        }
    }
    watch.end();
}
