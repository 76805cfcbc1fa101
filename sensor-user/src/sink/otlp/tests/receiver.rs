//! The receiver, and what it wrote down.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::sink::sample::{PATIENCE, free_port};

/// Its two ways in.
pub(super) const OVER: [&str; 2] = ["http", "grpc"];

/// Below this crate's folder.
const SCRIPT: &str = "../tests/support/otlp.py";

pub(super) struct Receiver {
    python: PathBuf,
    child: Child,
    folder: tempfile::TempDir,
    ports: [u16; 2],
    pair: Option<(PathBuf, PathBuf)>,
}

/// A record, with the resource it came under.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) row: Value,
    resource: Value,
}

impl Record {
    pub(super) fn attribute(&self, key: &str) -> Option<&Value> {
        value(&self.row["attributes"], key)
    }

    /// A text, or the first of several where the key ends in `[0]`.
    pub(super) fn text(&self, key: &str) -> &str {
        let found = match key.strip_suffix("[0]") {
            Some(list) => self.attribute(list).map(|list| &list["arrayValue"]["values"][0]),
            None => self.attribute(key),
        };
        found
            .and_then(|value| value["stringValue"].as_str())
            .unwrap_or_else(|| panic!("no {key} in {}", self.row))
    }

    pub(super) fn resource(&self, key: &str) -> &str {
        let value = value(&self.resource["attributes"], key).and_then(|value| value["stringValue"].as_str());
        value.unwrap_or_else(|| panic!("no {key} in {}", self.resource))
    }

    /// Protobuf's JSON form has 64-bit numbers as texts.
    pub(super) fn sequence(&self) -> u64 {
        let value = self.attribute("event.sequence").and_then(|value| value["intValue"].as_str());
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no number in {}", self.row))
    }
}

fn value<'v>(pairs: &'v Value, key: &str) -> Option<&'v Value> {
    pairs.as_array()?.iter().find(|pair| pair["key"] == key).map(|pair| &pair["value"])
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Receiver {
    /// Over TLS with a certificate and its key. None: the lab's Python lacks what it takes.
    pub(super) async fn start(pair: Option<(PathBuf, PathBuf)>) -> Option<Self> {
        let python = python()?;
        let folder = tempfile::tempdir().unwrap();
        let ports = [free_port().await, free_port().await];
        let child = spawn(&python, folder.path(), ports, pair.as_ref());
        let mut receiver = Self { python, child, folder, ports, pair };
        receiver.await_ready().await;
        Some(receiver)
    }

    /// Its own child, so the pid cannot be another's.
    pub(super) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// At the same ports, with the same files.
    pub(super) async fn restart(&mut self) {
        self.child = spawn(&self.python, self.folder.path(), self.ports, self.pair.as_ref());
        self.await_ready().await;
    }

    async fn await_ready(&mut self) {
        let begun = Instant::now();
        for port in self.ports {
            while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                let ended = self.child.try_wait().unwrap();
                assert!(
                    ended.is_none() && begun.elapsed() < PATIENCE,
                    "it does not come up: {}",
                    self.errors()
                );
                sleep(Duration::from_millis(5)).await;
            }
        }
    }

    pub(super) fn url(&self, over: &str) -> String {
        let [http, grpc] = self.ports;
        let port = if over == "http" { http } else { grpc };
        format!("{over}{}://localhost:{port}", if self.pair.is_some() { "s" } else { "" })
    }

    /// How the next requests are answered.
    pub(super) fn answer(&self, answers: &[Value]) {
        let lines: String = answers.iter().map(|answer| format!("{answer}\n")).collect();
        std::fs::write(self.folder.path().join("answers"), lines).unwrap();
    }

    /// Every request so far.
    pub(super) fn rows(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join("received")).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |at| &text[..at]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits until so many requests came, however they were answered.
    pub(super) async fn asked(&self, count: usize) {
        while self.rows().len() < count {
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until it has taken so many records; those.
    pub(super) async fn records(&self, count: usize) -> Vec<Record> {
        let begun = Instant::now();
        loop {
            let rows = self.rows();
            let taken = rows.iter().filter(|row| {
                let answer = &row["answer"];
                row["refused"] == false && answer["code"].is_null() && answer["status"].is_null()
            });
            let records: Vec<_> = taken.flat_map(|row| records(&row["request"])).collect();
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

fn records(request: &Value) -> Vec<Record> {
    let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let mut all = Vec::new();
    for logs in list(request, "resourceLogs") {
        for scope in list(&logs, "scopeLogs") {
            assert_eq!(scope["scope"]["name"], "tidewaiter");
            let rows = list(&scope, "logRecords").into_iter();
            all.extend(rows.map(|row| Record { row, resource: logs["resource"].clone() }));
        }
    }
    all
}

fn spawn(python: &Path, folder: &Path, ports: [u16; 2], pair: Option<&(PathBuf, PathBuf)>) -> Child {
    let mut command = Command::new(python);
    command.arg("-B").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(SCRIPT)).arg(folder);
    command.args(ports.map(|port| port.to_string()));
    if let Some((certificate, key)) = pair {
        command.args([certificate, key]);
    }
    let errors = std::fs::File::create(folder.join("errors")).unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors).spawn().unwrap()
}

/// The Python of the lab, if it has OpenTelemetry's definitions; else it says why not.
fn python() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/lab");
    let lab = std::env::var_os("TIDEWAITER_LAB").map_or(target, PathBuf::from);
    let python = lab.join("python/bin/python");
    let asked = Command::new(&python)
        .args(["-B", "-c", "import grpc, google.rpc.status_pb2, opentelemetry.proto.logs.v1.logs_pb2"])
        .output();
    if asked.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    println!(
        "not checked against OpenTelemetry's definitions: {} is not there or lacks them; `cargo xtask setup` makes it",
        python.display()
    );
    None
}
