//! The agent under test, run as a user would run it: its lines on stdout, its log, its end.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use jiff::Timestamp;
use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::schema::ensure_valid;
use crate::{child, wait};

/// Programs of the kernel half take some 100 ms to verify; far more on a machine that also compiles.
const READY_MAX: Duration = Duration::from_secs(20);

/// An end takes at most 2 s by promise, 30 s when somebody reads every event slowly; a test that wants to see it
/// broken waits longer.
const END_MAX: Duration = Duration::from_secs(40);

/// A running agent. Dropping it ends it.
#[derive(Debug)]
pub struct Agent {
    inner: Child,
    log: PathBuf,
    started: Instant,
    lines: Receiver<Result<Line>>,
    seen: Vec<Line>,
}

/// One line of its stdout.
#[derive(Clone, Debug)]
pub struct Line {
    pub document: Value,
    /// When the tests read it.
    pub arrival: Timestamp,
    /// The same, since the agent's start.
    pub age: Duration,
}

impl Line {
    /// The value at a dotted ECS name (`process.executable`).
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Value> {
        name.split('.').try_fold(&self.document, |value, part| value.get(part))
    }

    /// The same as text; empty where there is none.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.field(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Fails unless the value at a dotted name is `expected`.
    ///
    /// # Errors
    /// It is another, or absent.
    pub fn ensure_field(&self, name: &str, expected: &Value) -> Result<()> {
        let found = self.field(name);
        ensure!(found == Some(expected), "{name} is {found:?}, not {expected}");
        Ok(())
    }

    /// Whether it is of this `kind` (`alert`, `coverage`, ...).
    #[must_use]
    pub fn is(&self, kind: &str) -> bool {
        self.text("kind") == kind
    }

    /// Whether it is an alert about something in this container. That it was gone soon is told by itself.
    #[must_use]
    pub fn is_alert_of(&self, container: &str) -> bool {
        self.is("alert") && self.text("container.id") == container && !self.is_of_end()
    }

    /// Whether it tells that a container was gone soon after an alert in it.
    #[must_use]
    pub fn is_of_end(&self) -> bool {
        self.text("tidewaiter.detection") == "container_alerted_then_gone"
    }

    /// Whether it is an alert about the process with this id.
    #[must_use]
    pub fn is_alert_of_process(&self, id: u32) -> bool {
        self.is("alert") && self.field("process.pid") == Some(&id.into())
    }

    /// From its `@timestamp`, the first thing it tells of, until the tests had it.
    ///
    /// # Errors
    /// There is no such time, or it lies in the future.
    pub fn delay(&self) -> Result<Duration> {
        let time: Timestamp = self.text("@timestamp").parse().context("reading @timestamp")?;
        Duration::try_from(self.arrival.duration_since(time)).context("@timestamp lies in the future")
    }
}

impl Agent {
    /// Starts `command`, with its stderr in `log`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(mut command: Command, log: PathBuf) -> Result<Self> {
        let started = Instant::now();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log)?);
        let mut inner = command.spawn().with_context(|| format!("starting {command:?}"))?;
        let stdout = inner.stdout.take().context("the agent has no stdout")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let (arrival, age) = (Timestamp::now(), started.elapsed());
                let line = line.map_err(Into::into).and_then(|text| {
                    let document =
                        serde_json::from_str(&text).with_context(|| format!("stdout has {text:?}"))?;
                    ensure_valid(&document)?;
                    Ok(Line { document, arrival, age })
                });
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { inner, log, started, lines, seen: Vec::new() })
    }

    /// Waits until it says what it covers, and returns that line.
    ///
    /// # Errors
    /// It ended, wrote something that is not JSON or not as its schema says, or took too long.
    pub fn await_ready(&mut self) -> Result<Line> {
        self.await_line(READY_MAX, "the coverage record", |line| line.is("coverage"))
    }

    /// The first line, past or to come, for which `wanted` holds.
    ///
    /// # Errors
    /// None within `timeout`: the sentence names `what`, the lines that came instead, and its log.
    pub fn await_line(
        &mut self,
        timeout: Duration,
        what: &str,
        wanted: impl Fn(&Line) -> bool,
    ) -> Result<Line> {
        let deadline = Instant::now() + timeout;
        let before = self.seen.len();
        if let Some(line) = self.seen.iter().find(|line| wanted(line)) {
            return Ok(line.clone());
        }
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    let line = line?;
                    self.seen.push(line.clone());
                    if wanted(&line) {
                        return Ok(line);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    let others = self.seen.iter().skip(before).map(|line| format!("\n  {}", line.document));
                    bail!(
                        "waited {:.1} s in vain for {what}\nmeanwhile came:{}\nits log:\n{}",
                        timeout.as_secs_f32(),
                        others.collect::<String>(),
                        self.log()?
                    );
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.inner.wait()?;
                    bail!("the agent ended with {status} before {what}; its log:\n{}", self.log()?);
                }
            }
        }
    }

    /// Waits until another line has come, `timeout` long at most.
    ///
    /// # Errors
    /// It ended, or wrote something that is not JSON.
    pub fn await_any(&mut self, timeout: Duration) -> Result<()> {
        match self.lines.recv_timeout(timeout) {
            Ok(line) => self.seen.push(line?),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => bail!("the agent ended; its log:\n{}", self.log()?),
        }
        Ok(())
    }

    /// Every alert about a container that has come so far.
    ///
    /// # Errors
    /// It wrote something that is not JSON.
    pub fn alerts_of(&mut self, container: &str) -> Result<Vec<Line>> {
        self.lines_so_far(|line| line.is_alert_of(container))
    }

    /// Every line that has come so far for which `wanted` holds.
    ///
    /// # Errors
    /// It wrote something that is not JSON.
    pub fn lines_so_far(&mut self, wanted: impl Fn(&Line) -> bool) -> Result<Vec<Line>> {
        for line in self.lines.try_iter() {
            self.seen.push(line?);
        }
        Ok(self.seen.iter().filter(|line| wanted(line)).cloned().collect())
    }

    /// What it has written to stderr so far.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn log(&self) -> Result<String> {
        fs::read_to_string(&self.log).with_context(|| format!("reading {}", self.log.display()))
    }

    /// Waits until its log has a line for which `wanted` holds, and returns it.
    ///
    /// # Errors
    /// None within `timeout`: the sentence quotes the log.
    pub fn await_log(&self, timeout: Duration, what: &str, wanted: impl Fn(&str) -> bool) -> Result<String> {
        wait::until(timeout, what, || Ok(self.log()?.lines().find(|line| wanted(line)).map(str::to_owned)))
            .with_context(|| format!("its log:\n{}", self.log().unwrap_or_default()))
    }

    /// Sends SIGTERM and waits; returns how it ended and how long that took.
    ///
    /// # Errors
    /// It had to be killed.
    pub fn stop(&mut self) -> Result<(ExitStatus, Duration)> {
        ensure!(self.inner.try_wait()?.is_none(), "the agent had ended already; its log:\n{}", self.log()?);
        let asked = Instant::now();
        // Not yet waited for, so the id is still this child's.
        kill_process(Pid::from_child(&self.inner), Signal::TERM)?;
        let inner = &mut self.inner;
        let status = wait::until(END_MAX, "the agent's end after SIGTERM", || Ok(inner.try_wait()?))?;
        Ok((status, asked.elapsed()))
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// It goes on.
    pub fn await_end(&mut self, timeout: Duration) -> Result<ExitStatus> {
        let inner = &mut self.inner;
        wait::until(timeout, "the agent's end", || Ok(inner.try_wait()?))
    }

    /// Kills it, as the kernel does when memory runs out: no handler of its own runs.
    ///
    /// # Errors
    /// It had ended already.
    pub fn kill(&mut self) -> Result<()> {
        ensure!(self.inner.try_wait()?.is_none(), "the agent had ended already; its log:\n{}", self.log()?);
        self.inner.kill()?;
        self.inner.wait()?;
        Ok(())
    }

    /// Process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.inner.id()
    }

    /// Since its start.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Resident memory, KiB (`VmRSS`).
    ///
    /// # Errors
    /// It has ended.
    pub fn rss_kib(&self) -> Result<u64> {
        self.status("VmRSS:")
    }

    /// What of it is nobody else's: neither pages of the program's file nor of libraries.
    ///
    /// # Errors
    /// It has ended.
    pub fn memory_kib(&self) -> Result<u64> {
        Ok(self.status("RssAnon:")? + self.status("RssShmem:")?)
    }

    /// How often its first thread has gone to sleep so far.
    ///
    /// # Errors
    /// It has ended.
    pub fn switches(&self) -> Result<u64> {
        self.status("voluntary_ctxt_switches:")
    }

    /// A number of `/proc/PID/status`.
    fn status(&self, name: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let value =
            status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
        Ok(value.trim().trim_end_matches("kB").trim().parse()?)
    }

    /// Processor time of all its threads so far, in user and kernel, to the clock tick.
    ///
    /// # Errors
    /// It has ended.
    pub fn cpu_time(&self) -> Result<Duration> {
        /// Fields 14 and 15 of `/proc/PID/stat`, counted from after the name, which may hold blanks.
        const UTIME: usize = 11;
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id()))?;
        let (_, fields) = stat.rsplit_once(')').context("no name in /proc/PID/stat")?;
        let ticks = fields.split_ascii_whitespace().skip(UTIME).take(2).map(str::parse::<u64>);
        let ticks = ticks.sum::<Result<u64, _>>()?;
        Ok(Duration::from_millis(ticks * 1000 / clock_ticks_per_second()))
    }

    /// Ids of the kernel's programs and links that it holds, from `/proc/PID/fdinfo`: (`prog_id`s, `link_id`s).
    ///
    /// # Errors
    /// It has ended.
    pub fn holdings(&self) -> Result<(Vec<u32>, Vec<u32>)> {
        let (mut programs, mut links) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(format!("/proc/{}/fdinfo", self.id()))? {
            // A descriptor may close between the listing and the look.
            let Ok(text) = fs::read_to_string(entry?.path()) else { continue };
            let value = |key| text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
            if let Some(id) = value("link_id:") {
                links.push(id.parse()?);
            }
            if let Some(id) = value("prog_id:") {
                programs.push(id.parse()?);
            }
        }
        Ok((programs, links))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Nobody is left to tell: what does not end is killed.
        drop(child::end(&mut self.inner, END_MAX));
    }
}
