//! Every kind of receiver at once, each the real daemon: what it files of hostile messages and of long ones, and what it
//! has after it was killed and stopped.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::TcpStream;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use tests::agent::Agent;
use tests::authority::Authority;
use tests::docker::Container;
use tests::received::Received;
use tests::receiver::{Kind, Receiver};
use tests::rsyslog::free_address;
use tests::wait;
use tests::world::World;

use crate::Case;
use crate::transfer::{ALERT_MAX, ensure_rfc5424};

/// A file's name that would end a line, an element of structured data or a JSON text, if anybody let it.
const HOSTILE: &str =
    "/tmp/a\"]} \\\u{1b}[2J\u{7}\r\u{9b}31m\u{202e}é\n<34>1 - forged tidewaiter - alert - {}\n9 <34>1 - -";

const URL: &str = "http://10.201.0.1/download/payload.bin";

/// Longest frame that receivers are to be given, without the count before it.
const FRAME_MAX: usize = 8192;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("receiver: hostile file name at every kind", files_what_is_hostile),
        Case::new("receiver: killed, stopped and started again, every kind", goes_on),
        Case::new("receiver: frames of 8192 bytes", takes_long_frames),
    ]
}

/// One of each kind, and an agent that sends to all.
struct Bench {
    receivers: Vec<Receiver>,
    agent: Agent,
}

impl Bench {
    fn start(world: &World, name: &str) -> Result<Self> {
        let directory = world.directory().join(name);
        let authority = Authority::make(&directory)?;
        let start =
            |kind: Kind| Receiver::start(kind, &directory.join(kind.name()), free_address()?, &authority);
        let receivers = Kind::ALL.into_iter().map(start).collect::<Result<Vec<_>>>()?;
        let entries: Vec<_> =
            receivers.iter().map(|receiver| format!("  - {}\n", receiver.entry())).collect();
        let outbox = directory.join("outbox");
        let settings = format!("syslog:\n{}outbox: {{directory: {}}}\n", entries.concat(), outbox.display());
        let mut agent = world.agent_with(name, &settings)?;
        agent.await_ready()?;
        Ok(Self { receivers, agent })
    }

    /// Provokes an alert; its id.
    fn alert(&mut self, world: &World) -> Result<String> {
        let container: Container<'_> =
            world.container("receiver", &["curl", "-sS", "-o", "/tmp/payload", URL])?;
        container.start()?;
        let alert = self.agent.await_line(ALERT_MAX, "an alert", |line| line.is_alert_of(&container.id))?;
        Ok(alert.text("event.id").to_owned())
    }

    /// Sequence numbers of its messages at a receiver. Another run of these tests may look for its own one at this port.
    fn numbers(&self, receiver: &Receiver) -> Result<BTreeSet<u64>> {
        let own = self.agent.id().to_string();
        let number = |message: &Received| message.document()?.pointer("/event/sequence")?.as_u64();
        let messages = receiver.messages()?.into_iter().filter(|message| message.text("procid") == own);
        messages.map(|message| number(&message).context("a message without a number")).collect()
    }
}

fn files_what_is_hostile(world: &World) -> Result<String> {
    let mut bench = Bench::start(world, "receivers-hostile")?;
    let container = world.container("hostile", &["curl", "-sS", "-o", HOSTILE, URL])?;
    container.run()?;
    let alert = bench.agent.await_line(ALERT_MAX, "an alert", |line| line.is_alert_of(&container.id))?;
    alert.ensure_field("file.path", &HOSTILE.into())?;
    let marker = bench.alert(world)?;
    for receiver in &bench.receivers {
        let name = receiver.kind.name();
        let id = alert.text("event.id");
        // Each keeps the order: when the marker is there, all copies of the alert are.
        receiver
            .await_message(ALERT_MAX, &format!("the marker at {name}"), |one| one.event_id() == marker)?;
        let messages = receiver.messages()?;
        let copies: Vec<_> = messages.iter().filter(|one| one.event_id() == id).collect();
        ensure!(copies.len() == 1, "{} records of one alert at {name}", copies.len());
        for message in copies {
            ensure_rfc5424(message, &alert)
                .map_err(|error| anyhow!("at {name}: {error}; its reading: {}", message.properties))?;
        }
        let strange = messages.iter().find(|one| one.event_id().is_empty() || one.parameters().is_none());
        ensure!(strange.is_none(), "{name} has a record that is no message of the agent: {strange:?}");
    }
    Ok(format!("one record at each of {}", bench.receivers.len()))
}

fn goes_on(world: &World) -> Result<String> {
    let mut bench = Bench::start(world, "receivers-killed")?;
    bench.alert(world)?;
    bench.receivers.iter_mut().try_for_each(Receiver::pause)?;
    // In their kernels, unread.
    bench.alert(world)?;
    bench.receivers.iter_mut().try_for_each(Receiver::kill)?;
    bench.alert(world)?;
    bench.receivers.iter_mut().try_for_each(Receiver::start_again)?;
    let last = bench.alert(world)?;
    let mut counts = Vec::new();
    for receiver in &bench.receivers {
        let name = receiver.kind.name();
        receiver
            .await_message(ALERT_MAX, &format!("the last alert at {name}"), |one| one.event_id() == last)?;
        let numbers = wait::until(ALERT_MAX, &format!("every number at {name}"), || {
            let numbers = bench.numbers(receiver)?;
            Ok(missing(&numbers).is_empty().then_some(numbers))
        });
        let numbers = match numbers {
            Ok(numbers) => numbers,
            Err(error) => bail!("{error}; missing: {:?}", missing(&bench.numbers(receiver)?)),
        };
        counts.push(format!("{name} {}", numbers.len()));
    }
    Ok(counts.join(", "))
}

fn takes_long_frames(world: &World) -> Result<String> {
    let directory = world.directory().join("receivers-long");
    let authority = Authority::make(&directory)?;
    for kind in [Kind::RsyslogTcp, Kind::SyslogNgTcp] {
        let receiver = Receiver::start(kind, &directory.join(kind.name()), free_address()?, &authority)?;
        let head = "<86>1 2026-11-22T11:00:00.123456Z host tidewaiter 77 alert [tidewaiter@32473 id=\"1\"] ";
        let (before, after) = ("{\"event\":{\"id\":\"long\"},\"fill\":\"", "\"}");
        let room = FRAME_MAX - head.len() - before.len() - after.len();
        let body = format!("{before}{}{}{after}", "x".repeat(room % 2), "é".repeat(room / 2));
        ensure!(head.len() + body.len() == FRAME_MAX, "the test's own frame is wrong");
        let mut stream = TcpStream::connect(receiver.address)?;
        for _ in 0..2 {
            write!(stream, "{FRAME_MAX} {head}{body}")?;
        }
        let name = kind.name();
        let messages = wait::until(ALERT_MAX, &format!("two frames at {name}"), || {
            Ok(Some(receiver.messages()?).filter(|messages| messages.len() >= 2))
        })?;
        ensure!(messages.len() == 2, "{name} made {} records of two frames", messages.len());
        for message in messages {
            ensure!(
                message.text("msg") == body,
                "{name} has {} of {} bytes",
                message.text("msg").len(),
                body.len()
            );
            ensure!(
                message.parameters().is_some(),
                "{name} has other structured data: {}",
                message.properties
            );
        }
    }
    Ok("two in a row, whole, at rsyslog and syslog-ng".to_owned())
}

/// The first few below the last that are not among them.
fn missing(numbers: &BTreeSet<u64>) -> Vec<u64> {
    let all = 1..=numbers.last().copied().unwrap_or(0);
    all.filter(|number| !numbers.contains(number)).take(5).collect()
}
