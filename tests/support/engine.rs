//! Docker's HTTP API, for tests that are in a hurry: its command line takes longer than a short container.
//!
//! HTTP/1.0, one request a connection: the answer ends where the connection does, and nothing has to be parsed
//! but its first line. Docker Engine API 1.41, <https://docs.docker.com/reference/api/engine/version/v1.41/>.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::docker::IMAGE;

/// Longest answer awaited; with many at once, each waits for the others.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// The way to a daemon. Threads may share it.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(crate) socket: PathBuf,
}

impl Engine {
    /// Makes a container of [`IMAGE`] on the tests' own network, starts `command` in it and has it removed as soon
    /// as that ends, as `docker run --rm --detach` does. Returns its id.
    ///
    /// # Errors
    /// What the daemon says.
    pub fn run(&self, name: &str, command: &[&str]) -> Result<String> {
        let wanted = json!({
            "Image": IMAGE,
            "Cmd": command,
            "HostConfig": { "NetworkMode": "host", "AutoRemove": true },
        });
        let made = self.ask("POST", &format!("/containers/create?name={name}"), &wanted.to_string())?;
        let id = made.get("Id").and_then(Value::as_str).context("no id was given")?.to_owned();
        self.ask("POST", &format!("/containers/{id}/start"), "")?;
        Ok(id)
    }

    /// Names of all containers that are there, ended ones included, without the slash before them.
    ///
    /// # Errors
    /// What the daemon says.
    pub fn names(&self) -> Result<Vec<String>> {
        let all = self.ask("GET", "/containers/json?all=1", "")?;
        let names = all.as_array().into_iter().flatten().filter_map(|one| one.pointer("/Names/0")?.as_str());
        Ok(names.map(|name| name.trim_start_matches('/').to_owned()).collect())
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Result<Value> {
        let mut stream = UnixStream::connect(&self.socket).context("connecting to dockerd")?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        write!(
            stream,
            "{method} /v1.41{path} HTTP/1.0\r\nHost: docker\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).with_context(|| format!("awaiting the answer to {path}"))?;
        let (head, body) = answer.split_once("\r\n\r\n").context("an answer without an end of its head")?;
        let status = head.split(' ').nth(1).context("an answer without status")?;
        ensure!(status.starts_with('2'), "{method} {path}: {status} {}", body.trim());
        match body.trim() {
            "" => Ok(Value::Null),
            text => match serde_json::from_str(text) {
                Ok(value) => Ok(value),
                Err(error) => bail!("{method} {path} answered {text:?}: {error}"),
            },
        }
    }
}
