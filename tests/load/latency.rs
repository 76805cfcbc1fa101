//! From a system call to the bytes at a receiver over TCP, while the host is busy.

use std::collections::HashMap;
use std::fs;
use std::io::{BufReader, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::Value;
use tests::docker::Ended;

use crate::marker::{PACE, RULE};
use crate::{DEED, Stage, truth};

/// Containers that share the load.
const CONTAINERS: usize = 3;
/// Deeds a second of each: a deed makes 1.2 events, and all together some 10,000 a second.
const RATE: &str = "3300";
const SECONDS_FULL: u64 = 60;
const SECONDS_SHORT: u64 = 10;
/// What half of the alerts, and all but one in a hundred, may take when stories are not waited for.
const HALF_MAX: Duration = Duration::from_millis(50);
const MOST_MAX: Duration = Duration::from_millis(300);
/// For the last alert to come.
const LAST_MAX: Duration = Duration::from_secs(20);

type Arrival = (u64, Instant);

pub(crate) fn run(stage: &Stage<'_>) -> Result<String> {
    let seconds = if stage.full { SECONDS_FULL } else { SECONDS_SHORT };
    let directory = stage.world.directory();
    let rule = directory.join("latency-marker.yml");
    fs::write(&rule, RULE)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let (sender, arrivals) = channel();
    std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| listen(stream, &sender)));
    let settings = format!(
        "story: {{gather: 0}}\nrules: [{}]\nsyslog: [\"tcp://{address}\"]\noutbox: {{directory: {}}}\n",
        rule.display(),
        directory.join("outbox-latency").display()
    );
    let mut agent = stage.world.agent_with("latency", &settings)?;
    agent.await_ready()?;
    let length = seconds.to_string();
    let words = [DEED, "pace", "mixed", "--count", RATE, "--seconds", &length];
    let containers =
        (0..CONTAINERS).map(|_| stage.container("latency", &words)).collect::<Result<Vec<_>>>()?;
    let (outcomes, begun) = std::thread::scope(|scope| {
        let runs: Vec<_> = containers.iter().map(|one| scope.spawn(|| one.run())).collect();
        let begun = mark(Duration::from_secs(seconds));
        let ended =
            |run: ScopedJoinHandle<'_, Result<Ended>>| run.join().map_err(|_| anyhow!("it panicked"))?;
        let outcomes = runs.into_iter().map(ended).collect::<Result<Vec<_>>>()?;
        Ok::<_, anyhow::Error>((outcomes, begun?))
    })?;
    let mut arrived: HashMap<u64, Instant> = HashMap::new();
    while arrived.len() < begun.len() {
        let (number, at) = arrivals
            .recv_timeout(LAST_MAX)
            .with_context(|| format!("{} of {} alerts came", arrived.len(), begun.len()))?;
        arrived.entry(number).or_insert(at);
    }
    let told = crate::observer::told(&mut agent)?;
    ensure!(told.sum().lost == 0, "{} records lost", told.sum().lost);
    let mut late = 0;
    for outcome in &outcomes {
        late += truth(outcome)?.get("late_slices").and_then(Value::as_u64).unwrap_or_default();
    }
    let mut took: Vec<Duration> =
        (0..).zip(&begun).filter_map(|(number, begun)| Some(*arrived.get(&number)? - *begun)).collect();
    took.sort_unstable();
    let part = |of_hundred: usize| took.get((took.len() - 1) * of_hundred / 100).copied().unwrap_or_default();
    let (half, most, all) = (part(50), part(99), part(100));
    ensure!(
        half <= HALF_MAX && most <= MOST_MAX,
        "half within {half:?}, 99 % within {most:?}, all within {all:?}"
    );
    Ok(format!(
        "{} alerts beside {} records/s: half within {} ms, 99 % within {} ms, all within {} ms; {late} slices late",
        took.len(),
        told.sum().delivered / seconds,
        half.as_millis(),
        most.as_millis(),
        all.as_millis()
    ))
}

/// Starts marker programs at a steady pace; when each was about to be.
fn mark(time: Duration) -> Result<Vec<Instant>> {
    let start = Instant::now();
    let mut begun = Vec::new();
    while start.elapsed() < time {
        let word = format!("load-marker-{}", begun.len());
        begun.push(Instant::now());
        Command::new("/bin/true").arg(word).stdout(Stdio::null()).status()?;
        let next = start + PACE * u32::try_from(begun.len())?;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    Ok(begun)
}

/// Reads frames to the end of a connection, and tells each marker's alert when its last byte is there.
fn listen(stream: TcpStream, arrivals: &Sender<Arrival>) {
    let mut stream = BufReader::new(stream);
    while let Some(frame) = frame(&mut stream) {
        let at = Instant::now();
        if let Some(number) = marker(&frame) {
            // The case may have ended.
            _ = arrivals.send((number, at));
        }
    }
}

/// One octet-counted frame (RFC 6587 section 3.4.1); none: the connection has ended.
fn frame(stream: &mut impl Read) -> Option<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        match byte {
            [b' '] => break,
            [digit] => length = length * 10 + usize::from(digit.checked_sub(b'0')?),
        }
    }
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame).ok()?;
    Some(frame)
}

/// The number of the marker that an alert is about.
fn marker(frame: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(frame).ok()?;
    let document: Value = serde_json::from_str(text.get(text.find('{')?..)?).ok()?;
    if document.get("kind")? != "alert" {
        return None;
    }
    let line = document.pointer("/process/command_line")?.as_str()?;
    line.split_once("load-marker-")?.1.parse().ok()
}
