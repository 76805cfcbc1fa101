//! Alerts under load while the agent is killed, and while their receiver is killed, stopped and started again: nothing that
//! was accepted is missing at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use tests::agent::Agent;
use tests::rsyslog::{Received, Rsyslog, free_address};
use tests::wait;

use crate::Stage;

/// How often the agent is killed.
const KILLS_FULL: u32 = 100;
const KILLS_SHORT: u32 = 8;
/// How long the receiver is maltreated.
const CHAOS_FULL: Duration = Duration::from_secs(30 * 60);
const CHAOS_SHORT: Duration = Duration::from_secs(20);
/// Between two marker programs: 50 alerts a second.
const PACE: Duration = Duration::from_millis(20);
/// Killed, the agent is back within this time.
const BACK_MAX: Duration = Duration::from_secs(2);
/// For everything that is kept to arrive, once nobody is maltreated any more.
const ARRIVE_MAX: Duration = Duration::from_secs(60);

/// Each marker is a story of its own: a program that no script starts.
pub(crate) const RULE: &str = "\
title: A marker of the load tests
id: 0f6f3d52-5f0e-4f0e-9c53-6a2f0c5c1c01
status: test
level: high
logsource: {category: process_creation, product: linux}
detection:
  marker: {CommandLine|contains: load-marker-}
  condition: marker
";

pub(crate) fn agent_killed(stage: &Stage<'_>) -> Result<String> {
    let kills = if stage.full { KILLS_FULL } else { KILLS_SHORT };
    let address = free_address()?;
    let receiver = Rsyslog::start(&stage.world.directory().join("rsyslog-kills"), address)?;
    let options = options(stage, "kills", &address.to_string())?;
    let markers = Markers::start();
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut slowest = Duration::ZERO;
    for kill in 0..kills {
        let mut agent = start(stage, &format!("kills-{kill}"), &options)?;
        let line = agent.await_ready()?;
        slowest = slowest.max(line.age);
        std::thread::sleep(Duration::from_millis(200 + random.below(1500)));
        agent.kill()?;
    }
    let mut last = start(stage, "kills-last", &options)?;
    last.await_ready()?;
    let made = markers.end()?;
    let (status, _) = last.stop()?;
    ensure!(status.success(), "it ended with {status}");
    let stopped = last.await_line(ARRIVE_MAX, "the last notice", |line| line.is("stopped"))?;
    let end = stopped.field("event.sequence").and_then(serde_json::Value::as_u64).context("no number")?;
    let numbers = await_number(&receiver, end)?;
    let missing: Vec<u64> = (1..=end).filter(|number| !numbers.contains_key(number)).collect();
    ensure!(missing.is_empty(), "{} of {end} are missing: {missing:?}", missing.len());
    ensure!(slowest < BACK_MAX, "back after {slowest:?}");
    Ok(format!(
        "{kills} kills, {made} markers: numbers 1 to {end} all came; back after {} ms at most",
        slowest.as_millis()
    ))
}

pub(crate) fn receiver_maltreated(stage: &Stage<'_>) -> Result<String> {
    let time = if stage.full { CHAOS_FULL } else { CHAOS_SHORT };
    let address = free_address()?;
    let mut agent = start(stage, "chaos", &options(stage, "chaos", &address.to_string())?)?;
    agent.await_ready()?;
    let markers = Markers::start();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut rounds, mut received) = (0, BTreeSet::new());
    let began = Instant::now();
    let mut take = |receiver: &Rsyslog| -> Result<()> {
        received.extend(receiver.messages()?.iter().map(Received::event_id));
        fs::remove_file(receiver.file())?;
        Ok(())
    };
    while began.elapsed() < time {
        rounds += 1;
        let place = stage.world.directory().join(format!("rsyslog-chaos-{rounds}"));
        let mut receiver = Rsyslog::start(&place, address)?;
        std::thread::sleep(Duration::from_millis(random.below(3000)));
        if random.below(2) == 0 {
            receiver.pause()?;
            std::thread::sleep(Duration::from_millis(random.below(4000)));
            if random.below(2) == 0 {
                receiver.resume()?;
                std::thread::sleep(Duration::from_millis(random.below(1000)));
            }
        }
        // In the middle of whatever it reads or writes.
        receiver.kill()?;
        take(&receiver)?;
        std::thread::sleep(Duration::from_millis(random.below(1000)));
    }
    let made = markers.end()?;
    let (status, _) = agent.stop()?;
    ensure!(status.success(), "it ended with {status}");
    let told: BTreeSet<String> = agent
        .lines_so_far(|line| line.is("alert") || line.is("amendment"))?
        .iter()
        .map(|line| line.text("event.id").to_owned())
        .collect();
    // What was left when it ended is on the disk, and goes out with the next run.
    let last = Rsyslog::start(&stage.world.directory().join("rsyslog-chaos-last"), address)?;
    let mut again = start(stage, "chaos-again", &options(stage, "chaos", &address.to_string())?)?;
    again.await_ready()?;
    let missing = wait::until(ARRIVE_MAX, "every alert at a receiver", || {
        let here: BTreeSet<String> = last.messages()?.iter().map(Received::event_id).collect();
        let is_missing = told.iter().any(|id| !received.contains(id) && !here.contains(id));
        Ok((!is_missing).then_some(()))
    });
    missing.map_err(|error| anyhow!("{error}: of {} alerts some came to no receiver", told.len()))?;
    let losses = agent.lines_so_far(|line| line.is("loss"))?;
    ensure!(losses.is_empty(), "it tells losses: {:?}", losses.first().map(|loss| &loss.document));
    Ok(format!(
        "{rounds} receivers in {} s, {made} markers, {} alerts, none missing",
        time.as_secs(),
        told.len()
    ))
}

/// What an agent of these cases is started with; its outbox is the case's, whatever its own name.
fn options(stage: &Stage<'_>, case: &str, receiver: &str) -> Result<Vec<String>> {
    let directory = stage.world.directory();
    let rule = directory.join("load-marker.yml");
    fs::write(&rule, RULE)?;
    let outbox = directory.join(format!("outbox-{case}")).display().to_string();
    let syslog = format!("tcp://{receiver}");
    let rule = rule.display().to_string();
    let words = ["--no-embedded-rules", "--rules", &rule, "--syslog", &syslog, "--outbox", &outbox];
    Ok(words.map(str::to_owned).to_vec())
}

fn start(stage: &Stage<'_>, name: &str, options: &[String]) -> Result<Agent> {
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    stage.world.another_agent(name, &options)
}

/// Waits until the receiver has this number; then number and id of all. A number that stands for two messages fails.
fn await_number(receiver: &Rsyslog, last: u64) -> Result<BTreeMap<u64, String>> {
    wait::until(ARRIVE_MAX, &format!("message {last} at the receiver"), || {
        let mut numbers = BTreeMap::new();
        for message in receiver.messages()? {
            let document = message.document().context("a message without a document")?;
            let number = document.pointer("/event/sequence").and_then(serde_json::Value::as_u64);
            let number = number.context("a message without a number")?;
            let id = message.event_id();
            let known = numbers.insert(number, id.clone());
            ensure!(known.is_none_or(|known| known == id), "{number} stands for two messages");
        }
        Ok(numbers.contains_key(&last).then_some(numbers))
    })
}

/// Starts marker programs at a steady pace until it is told to end.
struct Markers {
    ending: Arc<AtomicBool>,
    made: Arc<AtomicU64>,
    thread: JoinHandle<Result<()>>,
}

impl Markers {
    fn start() -> Self {
        let (ending, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (end, count) = (Arc::clone(&ending), Arc::clone(&made));
        let thread = std::thread::spawn(move || {
            let mut next = Instant::now();
            while !end.load(Ordering::Relaxed) {
                let number = count.fetch_add(1, Ordering::Relaxed);
                let mut marker = Command::new("/bin/true");
                marker.arg(format!("load-marker-{number}")).stdout(Stdio::null()).status()?;
                next += PACE;
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
            Ok(())
        });
        Self { ending, made, thread }
    }

    /// How many there were.
    fn end(self) -> Result<u64> {
        self.ending.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the markers' thread failed"))??;
        Ok(self.made.load(Ordering::Relaxed))
    }
}

/// Xorshift: the same sequence each time, so that a failure can be had again.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
