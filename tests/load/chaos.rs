//! Alerts under load while every kind of syslog receiver is killed, stopped, cut off in the middle of a frame and started
//! again: nothing that was accepted is missing at any of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde_json::Value;
use tests::agent::{Agent, Line};
use tests::authority::Authority;
use tests::receiver::{Kind, Receiver};
use tests::rsyslog::free_address;

use crate::Stage;
use crate::cut::Cutter;
use crate::marker::{Markers, RULE, Random};

const TIME_FULL: Duration = Duration::from_secs(30 * 60);
const TIME_SHORT: Duration = Duration::from_secs(20);
/// Another time, seconds.
const TIME_VARIABLE: &str = "TIDEWAITER_CHAOS";
/// For everything that is kept to arrive, once nobody is maltreated any more.
const ARRIVE_MAX: Duration = Duration::from_secs(120);
/// Between two looks at what has arrived.
const LOOK: Duration = Duration::from_millis(500);

/// One receiver, what lies before it, and what it has received.
struct Victim {
    name: String,
    receiver: Receiver,
    /// Cuts connections; none: the agent speaks to it directly.
    cutter: Option<Cutter>,
    offset: u64,
    /// Numbers by id, and how often each id came.
    received: BTreeMap<String, (u64, u32)>,
    rounds: u32,
}

pub(crate) fn run(stage: &Stage<'_>) -> Result<String> {
    let time = time(stage.full)?;
    let directory = stage.world.directory().join("chaos");
    let authority = Authority::make(&directory.join("authority"))?;
    let mut victims = Vec::new();
    for kind in Kind::ALL {
        victims.push(victim(kind.name(), kind, &directory, &authority)?);
    }
    let mut cut = victim("cut", Kind::RsyslogTcp, &directory, &authority)?;
    cut.cutter = Some(Cutter::start(cut.receiver.address)?);
    victims.push(cut);

    let settings = settings(&directory, &victims)?;
    let mut agent = stage.world.agent_with("chaos", &settings)?;
    agent.await_ready()?;
    let markers = Markers::start();
    torture(&mut victims, time)?;
    let made = markers.end()?;
    let (status, _) = agent.stop()?;
    ensure!(status.success(), "it ended with {status}");
    let told: BTreeSet<String> = agent
        .lines_so_far(|line| line.is("alert") || line.is("amendment"))?
        .iter()
        .map(|line| line.text("event.id").to_owned())
        .collect();
    ensure!(told.len() as u64 >= made, "{made} markers and {} alerts", told.len());
    // What was left when it ended is on the disk, and goes out with the next run.
    let mut again = stage.world.agent_with("chaos-again", &settings)?;
    again.await_ready()?;
    for victim in &mut victims {
        victim.recover()?;
    }
    for victim in &mut victims {
        victim.await_all(&told)?;
    }
    ensure_no_loss(&mut agent)?;
    ensure_no_loss(&mut again)?;
    let rounds: Vec<String> = victims.iter().map(Victim::sum).collect();
    Ok(format!(
        "{} s, {made} markers, {} alerts, each of them at each of: {}",
        time.as_secs(),
        told.len(),
        rounds.join(", ")
    ))
}

fn time(full: bool) -> Result<Duration> {
    match std::env::var(TIME_VARIABLE) {
        Ok(seconds) => Ok(Duration::from_secs(seconds.parse().context(TIME_VARIABLE)?)),
        Err(_) => Ok(if full { TIME_FULL } else { TIME_SHORT }),
    }
}

fn victim(name: &str, kind: Kind, directory: &std::path::Path, authority: &Authority) -> Result<Victim> {
    let receiver = Receiver::start(kind, &directory.join(name), free_address()?, authority)?;
    let name = name.to_owned();
    Ok(Victim { name, receiver, cutter: None, offset: 0, received: BTreeMap::new(), rounds: 0 })
}

fn settings(directory: &std::path::Path, victims: &[Victim]) -> Result<String> {
    let rule = directory.join("marker.yml");
    fs::write(&rule, RULE)?;
    let entries: Vec<String> = victims.iter().map(Victim::entry).collect();
    Ok(format!(
        "embedded_rules: false\nrules: [{}]\nsyslog: [{}]\noutbox: {{directory: {}}}\n",
        rule.display(),
        entries.join(", "),
        directory.join("outbox").display()
    ))
}

/// All at once, each by chance of its own.
fn torture(victims: &mut [Victim], time: Duration) -> Result<()> {
    std::thread::scope(|scope| {
        let mut runs: Vec<ScopedJoinHandle<'_, Result<()>>> = Vec::new();
        for (seed, victim) in (1..).zip(victims) {
            let random = Random(0x9e37_79b9_7f4a_7c15 ^ (seed << 32));
            runs.push(scope.spawn(move || victim.suffer(time, random)));
        }
        let failed: Vec<String> = runs
            .into_iter()
            .filter_map(|run| match run.join() {
                Ok(suffered) => suffered.err().map(|error| format!("{error:#}")),
                Err(_) => Some("it panicked".to_owned()),
            })
            .collect();
        ensure!(failed.is_empty(), "{}", failed.join("; "));
        Ok(())
    })
}

/// For as long as chance has it.
fn pause(random: &mut Random, most: u64) {
    std::thread::sleep(Duration::from_millis(random.below(most)));
}

impl Victim {
    fn entry(&self) -> String {
        match &self.cutter {
            Some(cutter) => format!("\"tcp://{}\"", cutter.address),
            None => self.receiver.entry(),
        }
    }

    fn suffer(&mut self, time: Duration, mut random: Random) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < time {
            self.rounds += 1;
            pause(&mut random, 3000);
            if self.cutter.is_none() {
                self.maltreat(&mut random)?;
            }
            self.look()?;
        }
        Ok(())
    }

    fn maltreat(&mut self, random: &mut Random) -> Result<()> {
        if random.below(2) == 0 {
            self.receiver.pause()?;
            pause(random, 4000);
            if random.below(2) == 0 {
                self.receiver.resume()?;
                pause(random, 1000);
            }
        }
        // In the middle of whatever it reads or writes.
        self.receiver.kill()?;
        pause(random, 1000);
        self.receiver.start_again()
    }

    /// A receiver ends with the thread that started it; this one stays.
    fn recover(&mut self) -> Result<()> {
        if self.cutter.is_none() {
            _ = self.receiver.kill();
            self.receiver.start_again()?;
        }
        Ok(())
    }

    /// Takes in what has arrived. A number that stands for two messages, or an id for two numbers, fails.
    fn look(&mut self) -> Result<()> {
        let (messages, offset) = self.receiver.messages_from(self.offset)?;
        self.offset = offset;
        for message in messages {
            let document =
                message.document().ok_or_else(|| anyhow!("{}: no document: {message:?}", self.name))?;
            let number = document.pointer("/event/sequence").and_then(Value::as_u64);
            let Some(number) = number else { bail!("{}: no number: {document}", self.name) };
            let (known, times) = self.received.entry(message.event_id()).or_insert((number, 0));
            *times += 1;
            // An amendment has the id of its alert.
            *known = number.max(*known);
        }
        Ok(())
    }

    fn await_all(&mut self, told: &BTreeSet<String>) -> Result<()> {
        let until = Instant::now() + ARRIVE_MAX;
        loop {
            self.look()?;
            let missing: Vec<&String> = told.iter().filter(|id| !self.received.contains_key(*id)).collect();
            if missing.is_empty() {
                return Ok(());
            }
            ensure!(
                Instant::now() < until,
                "{}: {} of {} alerts did not come, {:?} among them",
                self.name,
                missing.len(),
                told.len(),
                missing.first()
            );
            std::thread::sleep(LOOK);
        }
    }

    fn sum(&self) -> String {
        let came: u64 = self.received.values().map(|(_, times)| u64::from(*times)).sum();
        let again = came - self.received.len() as u64;
        let rounds = self.cutter.as_ref().map_or(self.rounds, Cutter::cuts);
        format!("{} ({rounds} times, {again} came again)", self.name)
    }
}

/// Of messages: the kernel may have skipped a run of a program meanwhile, which is told as well.
fn ensure_no_loss(agent: &mut Agent) -> Result<()> {
    let is_of_a_sink = |line: &Line| {
        let rows = line.field("tidewaiter.losses").and_then(Value::as_array);
        let what = rows.into_iter().flatten().filter_map(|row| row.get("what")?.as_str());
        what.into_iter().any(|what| what.starts_with("syslog"))
    };
    let losses = agent.lines_so_far(|line| line.is("loss") && is_of_a_sink(line))?;
    ensure!(losses.is_empty(), "it tells losses: {:?}", losses.first().map(|loss| &loss.document));
    Ok(())
}
