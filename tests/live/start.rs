//! The agent's start, its end, and what it costs between.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use aya::programs::{loaded_links, loaded_programs};
use rustix::param::clock_ticks_per_second;
use tests::agent::Line;
use tests::rsyslog::{Rsyslog, free_address};
use tests::wait;
use tests::world::World;

use crate::Case;
use crate::transfer::{ALERT_MAX, ensure_container};

/// From the start of the program to the first event it tells of.
const START_MAX: Duration = Duration::from_secs(1);
/// From SIGTERM to the end.
const END_MAX: Duration = Duration::from_secs(2);
/// Resident, after all transfers.
const RSS_MAX_KIB: u64 = 52 * 1024;
/// Of one core, per mille, while nothing happens.
const IDLE_MAX_PER_MILLE: u128 = 10;
/// Long enough for a clock tick (10 ms) to be a tenth of what is allowed.
const IDLE_WINDOW: Duration = Duration::from_secs(10);
/// Windows to try until one is idle: other work on the machine is work for a host sensor as well.
const IDLE_WINDOWS: u32 = 6;
/// Forks on the whole machine in one window that still count as idle.
const IDLE_FORKS_MAX: u64 = 100;
/// Of one core, per mille, what all others on the machine together may use in a window that still counts as idle: an
/// engine that takes away a container's files makes events without a fork.
const IDLE_OTHERS_MAX_PER_MILLE: u128 = 50;
/// The kernel frees programs and links after a grace period.
const DETACH_MAX: Duration = Duration::from_secs(2);

/// curl over and over: something is happening already when the agent starts.
const BUSY: &[&str] =
    &["sh", "-c", "while :; do curl -sS -o /tmp/busy http://10.201.0.1/download/payload.bin; done"];

const CURL: &[&str] = &["curl", "-sS", "-o", "/tmp/file", "http://10.201.0.1/download/payload.bin"];

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("start: first event within 1 s", starts_fast),
        Case::new("start: syslog over UDP", delivers_over_udp),
        Case::new("start: syslog server down, then up", survives_a_silent_collector),
        Case::new("end: in order, nothing stays attached", ends_in_order),
        Case::new("end: killed, then started again", survives_a_kill),
        Case::new("cost: memory", stays_small),
        Case::new("cost: idle processor", idles),
    ]
}

fn starts_fast(world: &World) -> Result<String> {
    let busy = world.container("busy", BUSY)?;
    busy.start()?;
    let mut agent = world.another_agent("start", &[])?;
    let ready = agent.await_ready()?.age;
    let what = "an alert about a container that was there before";
    let first = agent.await_line(ALERT_MAX, what, |line| line.is_alert_of(&busy.id))?.age;
    ensure!(first < START_MAX, "ready after {ready:?}, first alert after {first:?}");
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
    let rss = world.agent().rss_kib()?;
    ensure!(rss < RSS_MAX_KIB, "{rss} KiB resident");
    Ok(format!("{:.1} MiB resident", rss as f64 / 1024.0))
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
