//! A receiver of OpenTelemetry logs, over HTTP and gRPC, that decodes with OpenTelemetry's own definitions (`otlp.py`), in
//! the lab's Python.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::child::{Child, bound};
use crate::wait;
use crate::world::artefact;

/// Python takes a second to read the definitions; a loaded machine longer.
const READY_MAX: Duration = Duration::from_secs(30);

/// One receiver.
#[derive(Debug)]
pub struct Collector {
    received: PathBuf,
    daemon: Child,
}

/// A log record it took.
#[derive(Clone, Debug)]
pub struct Record {
    /// `http` or `grpc`.
    pub over: String,
    /// In protobuf's JSON form.
    pub row: Value,
}

impl Record {
    /// An attribute's value, a number or text as text; empty where there is none.
    #[must_use]
    pub fn attribute(&self, key: &str) -> &str {
        let value = || {
            let pairs = self.row.get("attributes")?.as_array()?;
            let pair = pairs.iter().find(|pair| pair.get("key").and_then(Value::as_str) == Some(key))?;
            let value = pair.get("value")?;
            value.get("stringValue").or_else(|| value.get("intValue"))?.as_str()
        };
        value().unwrap_or_default()
    }
}

impl Collector {
    /// Starts a receiver at two addresses of loopback with its files in `directory`; what an earlier one wrote down there
    /// stays.
    ///
    /// # Errors
    /// The lab's Python is missing, or it does not come up.
    pub fn start(directory: &Path, http: SocketAddr, grpc: SocketAddr) -> Result<Self> {
        let lab = artefact("TIDEWAITER_LAB", "target/lab", "cargo xtask setup")?;
        let python = lab.join("python/bin/python");
        anyhow::ensure!(
            python.is_file(),
            "the lab has no {}: `cargo xtask setup` makes it",
            python.display()
        );
        fs::create_dir_all(directory)?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/otlp.py");
        let mut command = bound(python);
        command.arg("-B").arg(script).arg(directory).args([http, grpc].map(|one| one.port().to_string()));
        let mut daemon = Child::start("otlp.py", command, directory.join("log"))?;
        daemon.await_ready(READY_MAX, "two accepted connections", || {
            Ok([http, grpc].iter().all(|address| TcpStream::connect(address).is_ok()))
        })?;
        Ok(Self { received: directory.join("received"), daemon })
    }

    /// Kills it, whatever it is at.
    ///
    /// # Errors
    /// It had ended.
    pub fn kill(&mut self) -> Result<()> {
        self.daemon.signal(rustix::process::Signal::KILL)?;
        self.daemon.end()
    }

    /// Every record so far, in order.
    ///
    /// # Errors
    /// The file cannot be read, or a whole line of it is not JSON.
    pub fn records(&self) -> Result<Vec<Record>> {
        let text = fs::read_to_string(&self.received).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |at| text.get(..at).unwrap_or_default());
        let mut all = Vec::new();
        for line in whole.lines() {
            let row: Value = serde_json::from_str(line).with_context(|| format!("it wrote {line:?}"))?;
            let over = row.get("over").and_then(Value::as_str).unwrap_or_default();
            let list = |value: &Value, key: &str| {
                value.get(key).and_then(Value::as_array).cloned().unwrap_or_default()
            };
            let request = row.get("request").context("a row without a request")?;
            let logs = list(request, "resourceLogs");
            let scopes = logs.iter().flat_map(|logs| list(logs, "scopeLogs"));
            let records = scopes.flat_map(|scope| list(&scope, "logRecords"));
            all.extend(records.map(|row| Record { over: over.to_owned(), row }));
        }
        Ok(all)
    }

    /// The first record, past or to come, for which `wanted` holds.
    ///
    /// # Errors
    /// None within `timeout`; `what` names it.
    pub fn await_record(
        &self,
        timeout: Duration,
        what: &str,
        wanted: impl Fn(&Record) -> bool,
    ) -> Result<Record> {
        wait::until(timeout, what, || Ok(self.records()?.into_iter().find(|record| wanted(record))))
    }
}
