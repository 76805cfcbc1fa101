//! Alerts that arrive whatever becomes of the receiver, the agent and the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use tests::agent::{Agent, Line};
use tests::child;
use tests::docker::Container;
use tests::rsyslog::{Received, Rsyslog, free_address};
use tests::wait;
use tests::world::World;

use crate::Case;
use crate::transfer::ALERT_MAX;

/// A disk that takes writes again is in use within this time.
const REPAIR_MAX: Duration = Duration::from_secs(10);

/// An agent with a backlog begins to deliver within this time.
const BACK_MAX: Duration = Duration::from_secs(2);

const URL: &str = "http://10.201.0.1/download/payload.bin";

/// How often each case provokes an alert.
const ALERTS: usize = 3;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("outbox: agent killed while the receiver is away", survives_a_kill),
        Case::new("outbox: receiver killed and started again", survives_the_receiver),
        Case::new("outbox: disk full", survives_a_full_disk),
        Case::new("outbox: disk read-only after a fault", survives_a_read_only_disk),
    ]
}

fn survives_a_kill(world: &World) -> Result<String> {
    let address = free_address()?;
    let outbox = world.directory().join("outbox-killed").display().to_string();
    let options = ["--syslog", &format!("tcp://{address}"), "--outbox", &outbox];
    let mut told = BTreeSet::new();
    for name in ["outbox-first", "outbox-second"] {
        let mut agent = world.another_agent(name, &options)?;
        agent.await_ready()?;
        for _ in 0..ALERTS {
            told.insert(alert(world, &mut agent)?);
        }
        agent.kill()?;
    }
    let started = Instant::now();
    let mut agent = world.another_agent("outbox-third", &options)?;
    let receiver = Rsyslog::start(&world.directory().join("rsyslog-outbox"), address)?;
    agent.await_ready()?;
    let ready = started.elapsed();
    await_all(&receiver, &told)?;
    let messages = receiver.messages()?;
    let numbers = numbers(&messages)?;
    let gapless = (1..=numbers.last().copied().unwrap_or(0)).collect::<BTreeSet<_>>();
    ensure!(numbers == gapless, "of the numbers {gapless:?} only {numbers:?} came");
    let agents: BTreeSet<_> = messages.iter().filter_map(|message| text(message, "/agent/id")).collect();
    ensure!(agents.len() == 1, "one folder, one agent id: {agents:?}");
    ensure!(ready < BACK_MAX, "ready after {ready:?}");
    Ok(format!("{} alerts of two killed runs, {} messages without a gap", told.len(), numbers.len()))
}

fn survives_the_receiver(world: &World) -> Result<String> {
    let address = free_address()?;
    let mut agent = world.another_agent("outbox-receiver", &["--syslog", &format!("tcp://{address}")])?;
    agent.await_ready()?;
    let mut told = BTreeSet::new();
    let mut received = BTreeSet::new();
    for round in 0..3 {
        let receiver = Rsyslog::start(&world.directory().join(format!("rsyslog-round-{round}")), address)?;
        told.insert(alert(world, &mut agent)?);
        await_any(&receiver, told.last().context("no alert")?)?;
        received.extend(receiver.messages()?.iter().map(Received::event_id));
        // Killed: what it has read and not written is gone with it.
        drop(receiver);
        told.insert(alert(world, &mut agent)?);
    }
    let last = Rsyslog::start(&world.directory().join("rsyslog-round-last"), address)?;
    let missing: BTreeSet<_> = told.difference(&received).cloned().collect();
    await_all(&last, &missing)?;
    Ok(format!("{} alerts over four receivers, {} of them at the last", told.len(), missing.len()))
}

fn survives_a_full_disk(world: &World) -> Result<String> {
    let place = world.directory().join("outbox-full");
    fs::create_dir_all(&place)?;
    let disk = Disk::mount(&place)?;
    let outbox = place.join("outbox").display().to_string();
    let receiver = format!("tcp://{}", world.rsyslog.address);
    let mut agent = world.another_agent("outbox-full", &["--syslog", &receiver, "--outbox", &outbox])?;
    agent.await_ready()?;
    let mut told = BTreeSet::from([alert(world, &mut agent)?]);
    disk.fill()?;
    told.insert(alert(world, &mut agent)?);
    agent
        .await_log(ALERT_MAX, "a word about the disk", |line| line.contains("cannot be kept on the disk"))?;
    told.insert(alert(world, &mut agent)?);
    let repaired = Instant::now();
    fs::remove_file(place.join("filler"))?;
    agent.await_log(REPAIR_MAX, "the disk in use again", |line| line.contains("kept on the disk again"))?;
    let took = repaired.elapsed();
    await_all(&world.rsyslog, &told)?;
    let losses = agent.lines_so_far(|line| line.is("loss"))?;
    ensure!(
        losses.is_empty(),
        "nothing was lost, and it tells: {:?}",
        losses.first().map(|loss| &loss.document)
    );
    agent.stop()?;
    drop(disk);
    Ok(format!("{} alerts arrived; in use again after {} ms", told.len(), took.as_millis()))
}

/// What ext4 does after a fault: nothing is written any more before it is mounted anew.
fn survives_a_read_only_disk(world: &World) -> Result<String> {
    let place = world.directory().join("outbox-read-only");
    let faulty = Faulty::make(&place)?;
    let outbox = faulty.mounted.join("outbox").display().to_string();
    let receiver = Rsyslog::start(&place.join("rsyslog"), free_address()?)?;
    let options = ["--syslog", &format!("tcp://{}", receiver.address), "--outbox", &outbox];
    let mut agent = world.another_agent("outbox-read-only", &options)?;
    agent.await_ready()?;
    let mut told = BTreeSet::from([alert(world, &mut agent)?]);
    await_all(&receiver, &told)?;
    faulty.fail()?;
    told.insert(alert(world, &mut agent)?);
    agent
        .await_log(ALERT_MAX, "a word about the disk", |line| line.contains("cannot be kept on the disk"))?;
    told.insert(alert(world, &mut agent)?);
    await_all(&receiver, &told)?;
    agent.stop()?;
    faulty.repair()?;
    let mut again = world.another_agent("outbox-repaired", &options)?;
    again.await_ready()?;
    told.insert(alert(world, &mut again)?);
    await_all(&receiver, &told)?;
    // What two messages of one agent stand for must be two numbers.
    let mut known: BTreeMap<(String, u64), String> = BTreeMap::new();
    for message in receiver.messages()? {
        let agent = text(&message, "/agent/id").context("a message without an agent")?;
        let number = number(&message).context("a message without a number")?;
        let id = known.entry((agent, number)).or_insert_with(|| message.event_id());
        ensure!(*id == message.event_id(), "{number} stands for two messages");
    }
    for agent in [&mut agent, &mut again] {
        let losses = agent.lines_so_far(|line| line.is("loss"))?;
        ensure!(losses.is_empty(), "it tells losses: {:?}", losses.first().map(|loss| &loss.document));
    }
    Ok(format!("{} alerts arrived, {} messages, each number once", told.len(), known.len()))
}

/// Provokes an alert; its id.
fn alert(world: &World, agent: &mut Agent) -> Result<String> {
    let container: Container<'_> = world.container("outbox", &["curl", "-sS", "-o", "/tmp/payload", URL])?;
    container.start()?;
    let alert: Line = agent.await_line(ALERT_MAX, "an alert", |line| line.is_alert_of(&container.id))?;
    Ok(alert.text("event.id").to_owned())
}

fn await_any(receiver: &Rsyslog, id: &str) -> Result<()> {
    receiver
        .await_message(ALERT_MAX, &format!("{id} at the receiver"), |message| message.event_id() == id)?;
    Ok(())
}

fn await_all(receiver: &Rsyslog, ids: &BTreeSet<String>) -> Result<()> {
    wait::until(ALERT_MAX, "every alert at the receiver", || {
        let there: BTreeSet<String> = receiver.messages()?.iter().map(Received::event_id).collect();
        Ok(ids.is_subset(&there).then_some(()))
    })
}

fn text(message: &Received, pointer: &str) -> Option<String> {
    message.document()?.pointer(pointer)?.as_str().map(str::to_owned)
}

/// Sequence numbers of all messages, each of which has one.
fn numbers(messages: &[Received]) -> Result<BTreeSet<u64>> {
    messages.iter().map(|message| number(message).context("a message without a number")).collect()
}

fn number(message: &Received) -> Option<u64> {
    message.document()?.pointer("/event/sequence")?.as_u64()
}

/// A file system of its own that can be filled. Dropping it unmounts it.
struct Disk<'p> {
    place: &'p Path,
}

impl<'p> Disk<'p> {
    fn mount(place: &'p Path) -> Result<Self> {
        mount("tmpfs", place, "tmpfs", MountFlags::empty(), c"size=2m").context("mounting a tmpfs")?;
        Ok(Self { place })
    }

    /// Until not a byte more is taken.
    fn fill(&self) -> Result<()> {
        let filler = fs::write(self.place.join("filler"), vec![0; 4 << 20]);
        ensure!(filler.is_err(), "it took more than it has");
        Ok(())
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = unmount(self.place, UnmountFlags::DETACH);
    }
}

/// An ext4 of its own in a file, which a fault makes read-only. Dropping it unmounts it.
struct Faulty {
    image: PathBuf,
    mounted: PathBuf,
}

impl Faulty {
    fn make(place: &Path) -> Result<Self> {
        let faulty = Self { image: place.join("image"), mounted: place.join("mounted") };
        fs::create_dir_all(&faulty.mounted)?;
        fs::File::create(&faulty.image)?.set_len(32 << 20)?;
        child::run(Command::new("mkfs.ext4").arg("-q").arg(&faulty.image))?;
        faulty.mount()?;
        Ok(faulty)
    }

    fn mount(&self) -> Result<()> {
        let mut command = Command::new("mount");
        command.args(["-o", "loop,errors=remount-ro"]).arg(&self.image).arg(&self.mounted);
        child::run(&mut command).map(drop)
    }

    /// As if the kernel had found the file system damaged.
    fn fail(&self) -> Result<()> {
        let source = child::run(Command::new("findmnt").args(["-no", "SOURCE"]).arg(&self.mounted))?;
        let source = String::from_utf8(source.stdout)?;
        let device = source.trim().rsplit('/').next().context("no device")?;
        Ok(fs::write(format!("/sys/fs/ext4/{device}/trigger_fs_error"), "1")?)
    }

    fn repair(&self) -> Result<()> {
        unmount(&self.mounted, UnmountFlags::empty())?;
        // 1: mistakes were found and mended.
        Command::new("e2fsck").args(["-fy"]).arg(&self.image).output()?;
        self.mount()
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        _ = unmount(&self.mounted, UnmountFlags::DETACH);
    }
}
