//! The sensor under measurement: started as users start it, awaited until it watches, ended by SIGTERM.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// From start to its coverage notice; 0.2 s here, far more where others compile.
const READY_MAX: Duration = Duration::from_secs(20);

/// It promises to end within two.
const END_MAX: Duration = Duration::from_secs(10);

/// A sensor that watches. Dropping it ends it.
pub(super) struct Sensor {
    process: Child,
    messages: Receiver<Value>,
}

/// What it told of itself until it ended.
#[derive(Debug, Default)]
pub(super) struct End {
    /// Events that passed the pipeline.
    pub(super) events: u64,
    /// Records that were lost before it.
    pub(super) lost: u64,
}

impl Sensor {
    /// Starts it and waits until all is attached.
    pub(super) fn start(agent: &Path, log: &Path) -> Result<Self> {
        if let Some(directory) = log.parent() {
            fs::create_dir_all(directory)
                .with_context(|| format!("cannot create {}", directory.display()))?;
        }
        let mut process = Command::new(agent)
            .args(["run", "--format", "json"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(log).with_context(|| format!("cannot write {}", log.display()))?)
            .spawn()
            .with_context(|| format!("cannot start {}", agent.display()))?;
        let stdout = process.stdout.take().context("the sensor has no output")?;
        let (sender, messages) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let message = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let sensor = Self { process, messages };
        let first = sensor.messages.recv_timeout(READY_MAX);
        let is_ready = first.is_ok_and(|message| kind(&message) == "coverage");
        if !is_ready {
            bail!("the sensor did not come to watch; its log: {}", log.display());
        }
        Ok(sensor)
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Processor time of its threads so far, to the nanosecond, as the scheduler counts it.
    pub(super) fn cpu_time(&self) -> Result<Duration> {
        let threads = format!("/proc/{}/task", self.id());
        let mut sum = 0;
        for thread in fs::read_dir(&threads).with_context(|| format!("cannot list {threads}"))? {
            // One that ended between the listing and the look did next to nothing: the loop is in the first.
            let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
            sum += text.split_whitespace().next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or_default();
        }
        Ok(Duration::from_nanos(sum))
    }

    /// The most memory it has held so far (`VmHWM`).
    pub(super) fn rss_max_kib(&self) -> Result<u64> {
        let file = format!("/proc/{}/status", self.id());
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
        let value = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        value.and_then(|kib| kib.trim_end_matches("kB").trim().parse().ok()).context("no VmHWM in its status")
    }

    /// Ends it and returns what it told meanwhile.
    pub(super) fn stop(&mut self) -> Result<End> {
        // Not yet waited for, so the id is still this child's.
        kill_process(Pid::from_child(&self.process), Signal::TERM).context("cannot end the sensor")?;
        let deadline = Instant::now() + END_MAX;
        let mut end = End::default();
        // Its output ends when it does.
        while let Ok(message) = self.messages.recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            match kind(&message) {
                "stopped" => {
                    end.events = message.pointer("/tidewaiter/stopped/events").map_or(0, count);
                    let status = self.process.wait().context("cannot await the sensor")?;
                    if !status.success() {
                        bail!("the sensor ended with {status}");
                    }
                    return Ok(end);
                }
                "loss" => {
                    let losses = message.pointer("/tidewaiter/losses").and_then(Value::as_array);
                    end.lost += losses
                        .into_iter()
                        .flatten()
                        .filter_map(|loss| loss.get("count"))
                        .map(count)
                        .sum::<u64>();
                }
                _ => {}
            }
        }
        bail!("the sensor did not say within {} s of SIGTERM that it stopped", END_MAX.as_secs())
    }
}

fn kind(message: &Value) -> &str {
    message.get("kind").and_then(Value::as_str).unwrap_or_default()
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

impl Drop for Sensor {
    fn drop(&mut self) {
        // Both do nothing to one that has ended and been waited for; nobody is left to tell otherwise.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
