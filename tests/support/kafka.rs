//! A cluster of Kafka brokers, librdkafka's own, whose records its consumer reads back (`kafka.py`), in the lab's Python.
//! What these brokers keep ends with them, so it is read back before they are killed.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::child::{Child, bound};
use crate::world::artefact;

/// Python and the brokers are up within a second; on a loaded machine later.
const READY_MAX: Duration = Duration::from_secs(30);

/// The topic, and its partitions.
const TOPIC: (&str, u32) = ("alerts", 6);

/// One life of a cluster.
#[derive(Debug)]
pub struct Brokers {
    folder: PathBuf,
    daemon: Child,
}

/// What the consumer read.
#[derive(Clone, Debug)]
pub struct Record {
    /// `topic`, `partition`, `offset`, `key`, `headers`, `time`.
    pub row: Value,
    pub document: Value,
}

impl Record {
    /// A header; empty where there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.row.get("headers").and_then(|headers| headers.get(name)?.as_str()).unwrap_or_default()
    }
}

/// How the agent's command line names the topic.
#[must_use]
pub fn url(doors: &[SocketAddr]) -> String {
    let doors: Vec<String> = doors.iter().map(ToString::to_string).collect();
    format!("kafka://{}/{}", doors.join(","), TOPIC.0)
}

impl Brokers {
    /// Starts one broker behind each of the doors, which are addresses of 127.0.0.1, with its files in `folder`; what was
    /// read from earlier ones stays there.
    ///
    /// # Errors
    /// The lab's Python is missing, or they do not come up.
    pub fn start(folder: &Path, doors: &[SocketAddr]) -> Result<Self> {
        let lab = artefact("TIDEWAITER_LAB", "target/lab", "cargo xtask setup")?;
        let python = lab.join("python/bin/python");
        ensure!(python.is_file(), "the lab has no {}: `cargo xtask setup` makes it", python.display());
        fs::create_dir_all(folder)?;
        let control = folder.join("control");
        if control.exists() {
            fs::remove_file(&control)?;
        }
        let ports: Vec<u16> = doors.iter().map(SocketAddr::port).collect();
        let settings = json!({"ports": ports, "topics": {TOPIC.0: TOPIC.1}});
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/kafka.py");
        let mut command = bound(python);
        command.arg("-B").arg(script).arg(folder).arg(settings.to_string());
        let mut daemon = Child::start("kafka.py", command, folder.join("log"))?;
        daemon.await_ready(READY_MAX, "its socket", || Ok(UnixStream::connect(&control).is_ok()))?;
        Ok(Self { folder: folder.to_owned(), daemon })
    }

    /// Tells them something, as the script has it, and waits until it is done.
    ///
    /// # Errors
    /// They have ended, or cannot do that.
    pub fn tell(&self, command: &Value) -> Result<()> {
        let mut stream = UnixStream::connect(self.folder.join("control"))?;
        writeln!(stream, "{command}")?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer)?;
        ensure!(answer == "{}\n", "they did not do {command}: {answer:?}");
        Ok(())
    }

    /// Another of them leads each partition from now on.
    ///
    /// # Errors
    /// As [`Brokers::tell`].
    pub fn lead(&self, broker: u32) -> Result<()> {
        (0..TOPIC.1).try_for_each(|partition| {
            self.tell(&json!({"do": "leader", "topic": TOPIC.0, "partition": partition, "broker": broker}))
        })
    }

    /// Cuts every connection, whatever is under way on it, reads what they took, and kills them.
    ///
    /// # Errors
    /// They had ended.
    pub fn kill(&mut self) -> Result<()> {
        self.tell(&json!({"do": "seal"}))?;
        self.daemon.signal(Signal::KILL)?;
        self.daemon.end()
    }

    /// Stops them: their kernel goes on taking connections and what is sent over them, as long as there is room.
    ///
    /// # Errors
    /// They had ended.
    pub fn pause(&mut self) -> Result<()> {
        self.daemon.signal(Signal::STOP)
    }

    /// Lets them go on.
    ///
    /// # Errors
    /// They had ended.
    pub fn resume(&mut self) -> Result<()> {
        self.daemon.signal(Signal::CONT)
    }

    /// Every record so far, of these and of earlier ones, in the order in which they were read.
    ///
    /// # Errors
    /// A line is not JSON, or a value is no document.
    pub fn records(&self) -> Result<Vec<Record>> {
        rows(&self.folder.join("received"))?.into_iter().map(record).collect()
    }
}

fn record(row: Value) -> Result<Record> {
    let value = row.get("value").and_then(Value::as_str).context("a record without a value")?;
    let document = serde_json::from_str(value).with_context(|| format!("no document: {value}"))?;
    Ok(Record { document, row })
}

fn rows(path: &Path) -> Result<Vec<Value>> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |at| text.get(..at).unwrap_or_default());
    whole
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("it wrote {line:?}")))
        .collect()
}
