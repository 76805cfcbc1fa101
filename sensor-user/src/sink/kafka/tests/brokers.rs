//! The brokers (`tests/support/kafka.py`), and what was read back from them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

use crate::sink::sample::{PATIENCE, free_port};

/// Below this crate's folder.
const SCRIPT: &str = "../tests/support/kafka.py";

pub(super) const TOPIC: &str = "alerts";

pub(super) struct Brokers {
    python: PathBuf,
    child: Child,
    folder: tempfile::TempDir,
    pub(super) ports: Vec<u16>,
    more: Value,
}

impl Drop for Brokers {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Brokers {
    /// So many, with a topic of six partitions; `more` is what else the script is to be told. None: the lab's Python lacks what it takes.
    pub(super) async fn start(count: usize, more: Value) -> Option<Self> {
        let mut ports = Vec::new();
        for _ in 0..count {
            ports.push(free_port().await);
        }
        Self::at(ports, more).await
    }

    pub(super) async fn at(ports: Vec<u16>, more: Value) -> Option<Self> {
        let python = python()?;
        let folder = tempfile::tempdir().unwrap();
        let child = spawn(&python, folder.path(), &ports, &more);
        let mut brokers = Self { python, child, folder, ports, more };
        brokers.await_ready().await;
        Some(brokers)
    }

    /// Its own child, so the pid cannot be another's.
    pub(super) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// At the same ports, with nothing of what they knew.
    pub(super) async fn restart(&mut self) {
        std::fs::remove_file(self.control()).unwrap();
        self.child = spawn(&self.python, self.folder.path(), &self.ports, &self.more);
        self.await_ready().await;
    }

    fn control(&self) -> PathBuf {
        self.folder.path().join("control")
    }

    async fn await_ready(&mut self) {
        let begun = Instant::now();
        while UnixStream::connect(self.control()).is_err() {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "they do not come up: {}", self.errors());
            sleep(Duration::from_millis(5)).await;
        }
    }

    pub(super) fn url(&self) -> String {
        let host = if self.more.get("tls").is_some() { "s://localhost" } else { "://127.0.0.1" };
        format!("kafka{host}:{}/{TOPIC}", self.ports[0])
    }

    /// Tells the brokers something, and waits until it is done. On a thread of its own: a sink may have to go on for it.
    pub(super) async fn tell(&self, command: Value) {
        let control = self.control();
        let told = tokio::task::spawn_blocking(move || {
            let mut stream = UnixStream::connect(control)?;
            writeln!(stream, "{command}")?;
            BufReader::new(stream).read_line(&mut String::new())
        });
        assert_eq!(told.await.unwrap().unwrap(), "{}\n".len(), "{}", self.errors());
    }

    /// The numbers of errors that the next batches are answered with.
    pub(super) async fn answer(&self, codes: &[i16]) {
        self.tell(json!({"do": "errors", "api": 0, "codes": codes})).await;
    }

    fn rows(&self, file: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join(file)).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |at| &text[..at]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Every batch that came, whatever became of it.
    pub(super) fn produced(&self) -> Vec<Value> {
        self.rows("produced")
    }

    /// Waits until the consumer has read so many records; those.
    pub(super) async fn records(&self, count: usize) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let records = self.rows("received");
            if records.len() >= count {
                assert_eq!(records.len(), count, "more came than were sent");
                return records;
            }
            assert!(begun.elapsed() < PATIENCE, "only {} came: {}", records.len(), self.errors());
            sleep(Duration::from_millis(5)).await;
        }
    }

    fn errors(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("errors")).unwrap_or_default()
    }
}

fn spawn(python: &Path, folder: &Path, ports: &[u16], more: &Value) -> Child {
    let mut settings = json!({"ports": ports, "topics": {TOPIC: 6}});
    settings.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    let errors = std::fs::File::create(folder.join("errors")).unwrap();
    let mut command = Command::new(python);
    command
        .arg("-B")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(SCRIPT))
        .arg(folder)
        .arg(settings.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors).spawn().unwrap()
}

/// The Python of the lab, if it has librdkafka; else it says why not.
fn python() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/lab");
    let lab = std::env::var_os("TIDEWAITER_LAB").map_or(target, PathBuf::from);
    let python = lab.join("python/bin/python");
    let asked = Command::new(&python).args(["-B", "-c", "import confluent_kafka"]).output();
    if asked.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    println!(
        "not checked against librdkafka's brokers: {} is not there or lacks them; `cargo xtask setup` makes it",
        python.display()
    );
    None
}
