//! The agent's start, its end, and what it costs between.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use aya::programs::{loaded_links, loaded_programs};
use jiff::Timestamp;
use rustix::param::clock_ticks_per_second;
use tests::agent::{Agent, Line};
use tests::rsyslog::{Rsyslog, free_address};
use tests::wait;
use tests::world::World;

use crate::Case;
use crate::transfer::{ALERT_MAX, ensure_container};

/// From the start of the program until all its hooks are attached and what ran before is known.
const START_MAX: Duration = Duration::from_secs(1);
/// From then to the first alert about what happens already: a story gathers for 0.7 s at the longest (`story::GATHER`).
const FIRST_MAX: Duration = Duration::from_millis(700 + 300);
/// From SIGTERM to the end.
const END_MAX: Duration = Duration::from_secs(2);
/// Memory of the agent's own, after all transfers. Pages of the program's file come on top, which the kernel takes back
/// whenever it wants: a build for tests has 40 MiB of them, the one that users run a quarter.
const MEMORY_MAX_KIB: u64 = 32 * 1024;
/// Of one core, per mille, while nothing happens, for the build that tests use: not optimised, it takes three times as long
/// for a look as the one that users run.
const IDLE_MAX_PER_MILLE: u128 = 20;
/// Long enough for a clock tick (10 ms) to be a tenth of what is allowed.
const IDLE_WINDOW: Duration = Duration::from_secs(10);
/// Windows to try until one is idle: other work on the machine is work for a host sensor as well.
const IDLE_WINDOWS: u32 = 6;
/// Forks on the whole machine in one window that still count as idle.
const IDLE_FORKS_MAX: u64 = 100;
/// Of one core, per mille, what all others on the machine together may use in a window that still counts as idle: an
/// engine that takes away a container's files makes events without a fork.
const IDLE_OTHERS_MAX_PER_MILLE: u128 = 50;
/// Long enough to tell an agent that looks every 10 ms from one that looks every 100 ms.
const DOZING_WINDOW: Duration = Duration::from_millis(400);
/// How often the agent goes to sleep in that time while it dozes: four looks, and what is due now and then. Else forty.
const DOZING_SWITCHES_MAX: u64 = 15;
/// How long the agent may take to doze: a second without an event, on a machine where others work.
const DOZE_MAX: Duration = Duration::from_secs(30);
/// Lone events, each after a silence.
const LONE_EVENTS: usize = 10;
/// From an event to its line where the agent was woken for it. Without that it is anything up to 0.1 s.
const WOKEN_MAX: Duration = Duration::from_millis(30);
/// So many of them come in that time: on a machine with two cores something else may be in the way.
const WOKEN_MIN: usize = 8;
/// The kernel frees programs and links after a grace period.
const DETACH_MAX: Duration = Duration::from_secs(2);

/// curl over and over: something is happening already when the agent starts.
const BUSY: &[&str] =
    &["sh", "-c", "while :; do curl -sS -o /tmp/busy http://10.201.0.1/download/payload.bin; done"];

const CURL: &[&str] = &["curl", "-sS", "-o", "/tmp/file", "http://10.201.0.1/download/payload.bin"];

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("start: ready within 1 s, an alert soon after", starts_fast),
        Case::new("start: syslog over UDP", delivers_over_udp),
        Case::new("start: syslog server down, then up", survives_a_silent_collector),
        Case::new("end: in order, nothing stays attached", ends_in_order),
        Case::new("end: killed, then started again", survives_a_kill),
        Case::new("cost: memory", stays_small),
        Case::new("cost: idle processor", idles),
        Case::new("cost: a lone event wakes who dozes", wakes),
    ]
}

fn starts_fast(world: &World) -> Result<String> {
    let busy = world.container("busy", BUSY)?;
    busy.start()?;
    let mut agent = world.another_agent("start", &[])?;
    let ready = agent.await_ready()?.age;
    let what = "an alert about a container that was there before";
    let first = agent.await_line(ALERT_MAX, what, |line| line.is_alert_of(&busy.id))?.age;
    ensure!(
        ready < START_MAX && first < ready + FIRST_MAX,
        "ready after {ready:?}, first alert after {first:?}"
    );
    Ok(format!("ready after {} ms, first alert after {} ms", ready.as_millis(), first.as_millis()))
}

fn delivers_over_udp(world: &World) -> Result<String> {
    let busy = world.container("busy", BUSY)?;
    let mut agent = world.another_agent("udp", &["--syslog", &format!("udp://{}", world.rsyslog.address)])?;
    agent.await_ready()?;
    busy.start()?;
    let alert = agent.await_line(ALERT_MAX, "an alert", |line| line.is_alert_of(&busy.id))?;
    let delay = crate::transfer::ensure_at_rsyslogd(world, &alert)?;
    Ok(format!("at rsyslogd after {} ms", delay.as_millis()))
}

fn survives_a_silent_collector(world: &World) -> Result<String> {
    let address = free_address()?;
    let url = format!("tcp://{address}");
    let busy = world.container("busy", BUSY)?;
    let mut agent = world.another_agent("silent-collector", &["--syslog", &url])?;
    agent.await_ready()?;
    let said = agent
        .await_log(ALERT_MAX, "a word about the collector", |line| line.contains(&address.to_string()))?;
    busy.start()?;
    let alert = agent.await_line(ALERT_MAX, "an alert", |line| line.is_alert_of(&busy.id))?;
    let id = alert.text("event.id");

    let up = Instant::now();
    let late = Rsyslog::start(&world.directory().join("rsyslog-late"), address)?;
    let what = format!("{id} at the collector that came late");
    late.await_message(ALERT_MAX, &what, |message| message.event_id() == id)?;
    Ok(format!("delivered {} ms after it came up; it had said: {said}", up.elapsed().as_millis()))
}

fn ends_in_order(world: &World) -> Result<String> {
    let mut agent = world.another_agent("end", &[])?;
    agent.await_ready()?;
    let (programs, links) = agent.holdings()?;
    ensure!(!programs.is_empty(), "a running agent holds no program: this test would prove nothing");
    ensure!(
        loaded(&programs) > 0,
        "the kernel does not list the agent's programs: this test would prove nothing"
    );

    let (status, took) = agent.stop()?;
    ensure!(status.code() == Some(0), "it ended with {status}; its log:\n{}", agent.log()?);
    ensure!(took < END_MAX, "it took {took:?}");
    await_detached(&programs, &links)?;
    Ok(format!(
        "status 0 after {} ms; {} programs, {} links gone",
        took.as_millis(),
        programs.len(),
        links.len()
    ))
}

/// Nothing of a killed agent stays in the kernel, and the next one knows what runs already.
fn survives_a_kill(world: &World) -> Result<String> {
    let container = world.container("survivor", &["sleep", "600"])?;
    container.start()?;
    let pinned = pinned()?;
    let mut first = world.another_agent("killed", &[])?;
    let covered = first.await_ready()?;
    ensure!(container.exec(CURL)?.status.success(), "curl itself failed");
    first.await_line(ALERT_MAX, "an alert of the first agent", |line| line.is_alert_of(&container.id))?;
    let (programs, links) = first.holdings()?;
    ensure!(loaded(&programs) > 0, "it holds no program: this test would prove nothing");
    first.kill()?;
    await_detached(&programs, &links)?;
    let left = self::pinned()?;
    ensure!(left == pinned, "pinned before: {pinned:?}; after: {left:?}");

    let mut second = world.another_agent("again", &[])?;
    let again = second.await_ready()?;
    let coverage = |line: &Line| line.field("tidewaiter.coverage.hooks").cloned();
    ensure!(coverage(&covered).is_some(), "the coverage record has no hooks: {}", covered.document);
    ensure!(coverage(&covered) == coverage(&again), "it covers another way: {}", again.document);
    ensure!(container.exec(CURL)?.status.success(), "curl itself failed");
    let what = "an alert of the second agent";
    let alert = second.await_line(ALERT_MAX, what, |line| line.is_alert_of(&container.id))?;
    ensure_container(&alert, &container)?;
    Ok(format!("{} programs, {} links gone; named {} again", programs.len(), links.len(), container.name))
}

/// How many of these programs the kernel still has.
fn loaded(ids: &[u32]) -> usize {
    loaded_programs().filter_map(Result::ok).filter(|program| ids.contains(&program.id())).count()
}

fn await_detached(programs: &[u32], links: &[u32]) -> Result<()> {
    wait::until(DETACH_MAX, "the kernel to free the agent's programs and links", || {
        let linked = loaded_links().filter_map(Result::ok).filter(|link| links.contains(&link.id())).count();
        Ok((loaded(programs) == 0 && linked == 0).then_some(()))
    })
}

/// What lies at the top of the file system in which programs, links and maps outlive their owner.
fn pinned() -> Result<BTreeSet<OsString>> {
    let entries = fs::read_dir("/sys/fs/bpf").context("reading /sys/fs/bpf")?;
    Ok(entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<_, _>>()?)
}

fn stays_small(world: &World) -> Result<String> {
    let agent = world.agent();
    let (own, resident) = (agent.memory_kib()?, agent.rss_kib()?);
    ensure!(own < MEMORY_MAX_KIB, "{own} KiB of its own, {resident} KiB resident");
    Ok(format!("{:.1} MiB of its own, {:.1} MiB resident", own as f64 / 1024.0, resident as f64 / 1024.0))
}

/// Time under measurement is time that passes: the one place that waits for a time.
fn idles(world: &World) -> Result<String> {
    let mut told = Vec::new();
    for _ in 0..IDLE_WINDOWS {
        let (forks, busy) = (forks()?, busy()?);
        let (used, began) = (world.agent().cpu_time()?, Instant::now());
        std::thread::sleep(IDLE_WINDOW);
        let used = world.agent().cpu_time()?.saturating_sub(used);
        let per_mille = |time: Duration| time.as_micros() * 1000 / began.elapsed().as_micros();
        let (own, others) = (per_mille(used), per_mille(self::busy()?.saturating_sub(busy + used)));
        let forks = self::forks()? - forks;
        let sentence = format!(
            "{}.{} % of a core, others {}.{} %, {forks} forks on the machine",
            own / 10,
            own % 10,
            others / 10,
            others % 10
        );
        if own < IDLE_MAX_PER_MILLE {
            return Ok(sentence);
        }
        ensure!(forks > IDLE_FORKS_MAX || others > IDLE_OTHERS_MAX_PER_MILLE, "{sentence}");
        told.push(sentence);
    }
    Err(anyhow::anyhow!("never idle: {}", told.join("; ")))
}

/// Nobody waits for the next look of an agent that looks seldom because nothing happens.
fn wakes(world: &World) -> Result<String> {
    let mut agent = world.observer("doze", &[])?;
    agent.await_ready()?;
    let mut delays = Vec::new();
    for number in 0..LONE_EVENTS {
        await_dozing(&agent)?;
        let word = format!("lone-event-{number}");
        ensure!(Command::new("true").arg(&word).status()?.success(), "true failed");
        let line =
            agent.await_line(ALERT_MAX, &word, |line| line.text("process.command_line").ends_with(&word))?;
        let time: Timestamp = line.text("@timestamp").parse().context("an event without a time")?;
        delays.push(Duration::try_from(line.arrival.duration_since(time)).unwrap_or_default());
    }
    delays.sort_unstable();
    let woken = delays.iter().filter(|delay| **delay < WOKEN_MAX).count();
    ensure!(woken >= WOKEN_MIN, "{woken} of {LONE_EVENTS} within {WOKEN_MAX:?}: {delays:?}");
    Ok(format!(
        "{woken} of {LONE_EVENTS} told within {WOKEN_MAX:?}, the middle one after {:?}",
        delays[LONE_EVENTS / 2]
    ))
}

fn await_dozing(agent: &Agent) -> Result<()> {
    let (mut before, mut since) = (agent.switches()?, Instant::now());
    wait::until(DOZE_MAX, "the agent to doze", || {
        if since.elapsed() < DOZING_WINDOW {
            return Ok(None);
        }
        let earlier = std::mem::replace(&mut before, agent.switches()?);
        since = Instant::now();
        Ok((before - earlier <= DOZING_SWITCHES_MAX).then_some(()))
    })
}

/// Time that all cores together spent on anything since the machine started: of the first line of /proc/stat all but the
/// fourth and fifth number, idle and waiting (proc_stat(5)).
fn busy() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().context("an empty /proc/stat")?;
    let ticks: Vec<u64> = line.split_whitespace().skip(1).map(str::parse).collect::<Result<_, _>>()?;
    // Guests' time, behind the eighth, is in the first two already.
    let is_work = |(at, _): &(usize, &u64)| !(3..=4).contains(at) && *at < 8;
    let ticks: u64 = ticks.iter().enumerate().filter(is_work).map(|(_, ticks)| ticks).sum();
    Ok(Duration::from_millis(ticks * 1000 / clock_ticks_per_second()))
}

/// Forks since the machine started.
fn forks() -> Result<u64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let value =
        stat.lines().find_map(|line| line.strip_prefix("processes ")).context("no forks in /proc/stat")?;
    Ok(value.trim().parse()?)
}
