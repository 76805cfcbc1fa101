//! What the host's root does to a running agent: each deed is told within ten seconds, what can be put right is, and events
//! come again. The deeds are real, and done by another program, which knows only what the kernel tells everybody with that
//! power.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use aya::maps::loaded_maps;
use serde_json::Value;
use tests::agent::{Agent, Line};
use tests::child::bound;
use tests::world::World;

use crate::Case;
use crate::transfer::ALERT_MAX;

/// What is promised.
const TOLD_MAX: Duration = Duration::from_secs(10);
/// Two heartbeats.
const BEAT_MAX: Duration = Duration::from_secs(60);
/// How long the agent is stopped: longer than a loop that works ever pauses.
const STOP: &str = "8";
/// How long a foreign program stays: two looks.
const STAY: &str = "5";

/// `enum bpf_attach_type` (include/uapi/linux/bpf.h) of `connect4`.
const CONNECT4: u32 = 10;

/// Maps that nobody but the sensor's own programs may write once it runs, as the kernel cuts their names.
const FROZEN: [&str; 10] = [
    "COUNTERS",
    "ACCEPTED",
    "WRITES",
    "DATAGRAMS",
    "ENVIRONMENT_KEY",
    "SECRET_NAMES",
    "TRIAL",
    "RECENT",
    "EXEC_SCRATCH",
    "PATH_SCRATCH",
];

const CURL: &[&str] = &["curl", "-sSo", "/tmp/payload.bin", "http://10.201.0.1/download/payload.bin"];

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("tamper: every cgroup link detached", comes_back_detached),
        Case::new("tamper: a link given another program", comes_back_replaced),
        Case::new("tamper: frozen maps written and emptied", keeps_its_maps),
        Case::new("tamper: maps that are not frozen emptied", counts_without_rows),
        Case::new("tamper: a program with the sensor's map in its hands", knows_a_thief),
        Case::new("tamper: a program beside the sensor's", knows_a_neighbour),
        Case::new("tamper: the reader's place in the ring moved", keeps_its_place),
        Case::new("tamper: the agent stopped and continued", knows_it_was_stopped),
        Case::new("tamper: the agent killed and started again", knows_it_was_killed),
    ]
}

/// A process and what it has in the kernel.
struct Target<'w> {
    world: &'w World,
    agent: Agent,
}

impl<'w> Target<'w> {
    fn start(world: &'w World, name: &str) -> Result<Self> {
        let mut agent = world.another_agent(name, &[])?;
        agent.await_ready()?;
        Ok(Self { world, agent })
    }

    /// What `/proc` says of each of its descriptors.
    fn descriptors(&self) -> Result<Vec<String>> {
        let entries = fs::read_dir(format!("/proc/{}/fdinfo", self.agent.id()))?;
        // A descriptor may close between the listing and the look.
        Ok(entries.filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok()).collect())
    }

    /// Its links to the cgroup hierarchy that are attached: attach type and id.
    fn links(&self) -> Result<Vec<(u32, u32)>> {
        let texts = self.descriptors()?;
        let attached = texts.iter().filter(|text| number::<u64>(text, "cgroup_id:").is_some_and(|id| id > 0));
        Ok(attached
            .filter_map(|text| Some((number(text, "attach_type:")?, number(text, "link_id:")?)))
            .collect())
    }

    /// The id of one of its maps.
    fn map(&self, name: &str) -> Result<u32> {
        let texts = self.descriptors()?;
        let own: Vec<u32> = texts.iter().filter_map(|text| number(text, "map_id:")).collect();
        let mut maps = loaded_maps().filter_map(Result::ok);
        let map = maps.find(|map| own.contains(&map.id()) && map.name_as_str() == Some(name));
        Ok(map.with_context(|| format!("the agent has no map {name}"))?.id())
    }

    /// The first row of a tampering notice that is about this; and how long after `since` it came.
    fn told(&mut self, action: &str, name: &str, since: Instant) -> Result<(Value, Duration)> {
        let what = format!("word that {name} was {action}");
        let line = self.agent.await_line(2 * TOLD_MAX, &what, |line| row_of(line, action, name).is_some())?;
        let took = since.elapsed();
        ensure!(took < TOLD_MAX, "{what} took {took:?}: {}", line.document);
        Ok((row_of(&line, action, name).context("it is gone")?, took))
    }

    /// An alert about a download in a container, with its destination: events flow.
    fn ensure_sees(&mut self) -> Result<()> {
        let container = self.world.container("seen", CURL)?;
        ensure!(container.run()?.status.success(), "curl itself failed");
        let alert = self.agent.await_line(ALERT_MAX, "an alert", |line| line.is_alert_of(&container.id))?;
        alert.ensure_field("destination.ip", &"10.201.0.1".into())
    }

    /// Ends it: nothing may stay in the kernel.
    fn end(mut self) -> Result<()> {
        let (status, _) = self.agent.stop()?;
        ensure!(status.success(), "it ended with {status}; its log:\n{}", self.agent.log()?);
        Ok(())
    }
}

fn number<T: std::str::FromStr>(text: &str, key: &str) -> Option<T> {
    text.lines().find_map(|line| line.strip_prefix(key))?.trim().parse().ok()
}

fn row_of(line: &Line, action: &str, name: &str) -> Option<Value> {
    let rows = line.field("tidewaiter.tampering")?.as_array()?;
    rows.iter().find(|row| row["action"] == action && row["name"] == name).cloned()
}

fn command(words: &[&str]) -> Command {
    let mut command = bound(Path::new(env!("CARGO_BIN_EXE_deed")));
    command.arg("tamper").args(words).stdin(Stdio::null());
    command
}

/// Does a deed to its end; what the kernel answered, 0 for done.
fn deed(words: &[&str]) -> Result<i64> {
    let output = command(words).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "deed tamper {words:?} ended with {}", output.status);
    let told: Value = serde_json::from_slice(&output.stdout)?;
    Ok(told["errno"].as_i64().unwrap_or(0))
}

fn begin(words: &[&str]) -> Result<Child> {
    Ok(command(words).stdout(Stdio::null()).spawn()?)
}

fn ensure_mended(row: &Value) -> Result<()> {
    ensure!(row["mended"] == "proven", "it was not put right: {row}");
    ensure!(row["from"].is_string() && row["to"].is_string(), "when was it blind? {row}");
    Ok(())
}

/// Names of the kernel half's programs by the attach type of their link.
fn program(attach_type: u32) -> Option<&'static str> {
    Some(match attach_type {
        0 => "dns_answer",
        1 => "dns_query",
        2 => "inet_socket_create",
        10 => "connect4",
        11 => "connect6",
        14 => "sendmsg4",
        15 => "sendmsg6",
        34 => "sock_release",
        _ => return None,
    })
}

fn comes_back_detached(world: &World) -> Result<String> {
    let mut target = Target::start(world, "detached")?;
    let links = target.links()?;
    ensure!(links.len() >= 7, "only {links:?} are attached: this test would prove little");
    let mut slowest = Duration::ZERO;
    for (attach_type, link) in &links {
        let name = program(*attach_type).with_context(|| format!("what is attached as {attach_type}?"))?;
        let began = Instant::now();
        ensure!(deed(&["detach", "--id", &link.to_string()])? == 0, "the kernel detaches nothing");
        let (row, took) = target.told("detached", name, began)?;
        ensure_mended(&row)?;
        slowest = slowest.max(took);
    }
    let again = target.links()?;
    ensure!(again.len() == links.len(), "before: {links:?}; now: {again:?}");
    ensure!(again.iter().all(|link| !links.contains(link)), "a detached link is attached? {again:?}");
    target.ensure_sees()?;
    let what = "a heartbeat with the gaps";
    let beat = target.agent.await_line(BEAT_MAX, what, |line| {
        let gaps = line.field("tidewaiter.heartbeat.gaps").and_then(Value::as_array);
        gaps.is_some_and(|gaps| gaps.len() == links.len() && gaps.iter().all(|gap| gap["to"].is_string()))
    })?;
    beat.ensure_field("tidewaiter.heartbeat.hooks.detached", &links.len().into())?;
    beat.ensure_field("tidewaiter.heartbeat.hooks.blind", &0.into())?;
    target.end()?;
    Ok(format!("{} links told, back and proven; the slowest after {} ms", links.len(), slowest.as_millis()))
}

fn comes_back_replaced(world: &World) -> Result<String> {
    let mut target = Target::start(world, "replaced")?;
    let links = target.links()?;
    let (_, link) = links.iter().find(|(kind, _)| *kind == CONNECT4).context("connect4 has no link")?;
    let began = Instant::now();
    ensure!(deed(&["replace", "--id", &link.to_string()])? == 0, "the kernel replaces nothing");
    let (row, took) = target.told("replaced", "connect4", began)?;
    ensure_mended(&row)?;
    target.ensure_sees()?;
    target.end()?;
    Ok(format!("told and put right after {} ms", took.as_millis()))
}

fn keeps_its_maps(world: &World) -> Result<String> {
    /// What the kernel says of a frozen map (errno.h).
    const EPERM: i64 = 1;
    let mut target = Target::start(world, "frozen")?;
    for name in FROZEN {
        let id = target.map(name)?.to_string();
        let answer = deed(&["map_update", "--id", &id])?;
        ensure!(answer == EPERM, "writing {name}: {answer}");
    }
    for name in ["SECRET_NAMES", "RECENT"] {
        let answer = deed(&["map_empty", "--id", &target.map(name)?.to_string()])?;
        ensure!(answer == EPERM || name == "RECENT", "emptying {name}: {answer}");
    }
    target.ensure_sees()?;
    target.end()?;
    Ok(format!("{} maps cannot be written", FROZEN.len()))
}

/// Rows that somebody takes out of the books are counted all the same, for the sums are in a map that is frozen.
fn counts_without_rows(world: &World) -> Result<String> {
    let mut target = Target::start(world, "emptied")?;
    for name in ["ACCOUNTS", "AGGREGATES", "FLOWS"] {
        let answer = deed(&["map_empty", "--id", &target.map(name)?.to_string()])?;
        ensure!(answer == 0, "emptying {name}: {answer}");
    }
    target.ensure_sees()?;
    let (status, _) = target.agent.stop()?;
    ensure!(status.success(), "it ended with {status}");
    let last = target.agent.await_line(ALERT_MAX, "its last word", |line| line.is("stopped"))?;
    let books = last.field("tidewaiter.ledger").and_then(Value::as_array).context("no ledger")?;
    ensure!(books.iter().all(|row| row["difference"] == 0), "the books do not balance: {books:?}");
    Ok(format!("{} rows of books balance, and the download alerts", books.len()))
}

fn knows_a_thief(world: &World) -> Result<String> {
    let mut target = Target::start(world, "held")?;
    let began = Instant::now();
    let mut thief =
        begin(&["map_hold", "--id", &target.map("SECRET_NAMES")?.to_string(), "--seconds", STAY])?;
    let told = target.told("loaded", "deed", began);
    thief.wait()?;
    let (row, took) = told?;
    ensure!(row["map"] == "SECRET_NAMES", "it does not say which map: {row}");
    target.end()?;
    Ok(format!("told after {} ms", took.as_millis()))
}

fn knows_a_neighbour(world: &World) -> Result<String> {
    let mut target = Target::start(world, "beside")?;
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let is_root = |line: &&str| line.contains(" - cgroup2 ") && line.split(' ').nth(3) == Some("/");
    let root =
        mounts.lines().find(is_root).and_then(|line| line.split(' ').nth(4)).context("no v2 hierarchy")?;
    let began = Instant::now();
    let mut neighbour = begin(&["beside", "--path", root, "--seconds", STAY])?;
    let told = target.told("beside", "connect4", began);
    neighbour.wait()?;
    let (row, took) = told?;
    ensure!(row["detail"].as_str().is_some_and(|detail| detail.ends_with("deed")), "who is it? {row}");
    target.end()?;
    Ok(format!("told after {} ms", took.as_millis()))
}

fn keeps_its_place(world: &World) -> Result<String> {
    let mut target = Target::start(world, "ring")?;
    let began = Instant::now();
    deed(&["ring", "--id", &target.map("RECORDS")?.to_string(), "--bytes", "4096"])?;
    let (_, took) = target.told("moved", "RECORDS", began)?;
    target.ensure_sees()?;
    target.end()?;
    Ok(format!("told after {} ms, and set back", took.as_millis()))
}

fn knows_it_was_stopped(world: &World) -> Result<String> {
    let mut target = Target::start(world, "stopped")?;
    let container = world.container("unwatched", CURL)?;
    let mut stop = begin(&["stop", "--target-pid", &target.agent.id().to_string(), "--seconds", STOP])?;
    ensure!(container.run()?.status.success(), "curl itself failed");
    ensure!(stop.wait()?.success(), "it could not be stopped");
    let (row, took) = target.told("stopped", "tidewaiter", Instant::now())?;
    let suspects = row["by"].as_array().context("nobody is named")?;
    let pid = stop.id();
    ensure!(
        suspects.iter().any(|one| one["pid"] == pid && one["program"] == "deed"),
        "it was not {pid}: {row}"
    );
    let late = "an alert about what was done meanwhile";
    target.agent.await_line(ALERT_MAX, late, |line| line.is_alert_of(&container.id))?;
    target.end()?;
    Ok(format!(
        "told {} ms after it went on, with what was done meanwhile: {}",
        took.as_millis(),
        row["detail"]
    ))
}

fn knows_it_was_killed(world: &World) -> Result<String> {
    let outbox = world.directory().join("outbox/killed-again").display().to_string();
    // Who has no receiver but a pipe keeps nothing, and has no place for a mark.
    let receiver = format!("tcp://{}", world.rsyslog.address);
    let arguments = ["--outbox", outbox.as_str(), "--syslog", receiver.as_str()];
    let mut first = world.another_agent("killed-first", &arguments)?;
    first.await_ready()?;
    first.kill()?;
    let began = Instant::now();
    let mut agent = world.another_agent("killed-second", &arguments)?;
    agent.await_ready()?;
    let mut second = Target { world, agent };
    let (row, took) = second.told("killed", "tidewaiter", began)?;
    ensure!(row["from"].is_string() && row["to"].is_string(), "when was nothing watched? {row}");
    second.end()?;
    let mut agent = world.another_agent("killed-third", &arguments)?;
    agent.await_ready()?;
    let mut third = Target { world, agent };
    third.ensure_sees()?;
    let told = third.agent.lines_so_far(|line| row_of(line, "killed", "tidewaiter").is_some())?;
    ensure!(told.is_empty(), "the second ended in order: {:?}", told.first().map(|line| &line.document));
    third.end()?;
    Ok(format!("the next run tells it {} ms after its start: {}", took.as_millis(), row["detail"]))
}
