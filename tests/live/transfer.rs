//! Every tool the first detections are about, each in a container of its own: one alert, with the
//! right facts, on stdout and at rsyslogd.

mod table;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use jiff::Timestamp;
use serde_json::Value;
use tests::agent::{Agent, Line};
use tests::bare::KEPT_DATAGRAM;
use tests::docker::{Container, IMAGE};
use tests::rsyslog::Received;
use tests::wait;
use tests::world::World;

use self::table::TRANSFERS;
use crate::Case;

/// Longest wait for an alert: its absence is the failure, the usual delay is told.
pub(crate) const ALERT_MAX: Duration = Duration::from_secs(10);

const EXECUTABLE: &str = "process.executable";
const FETCHED: &str = "/tmp/payload.bin";

/// One use of one tool.
struct Transfer {
    name: &'static str,
    /// The detection's folder under `rules/`.
    detection: &'static str,
    /// What `sh -c` runs in the container; none: the tool itself.
    script: Option<&'static str>,
    /// The tool's own arguments.
    command: &'static [&'static str],
    executable: &'static str,
    to: SocketAddr,
    moved: Moved,
}

/// Where the payload is afterwards.
#[derive(Clone, Copy)]
enum Moved {
    /// In the container, at [`FETCHED`].
    In,
    /// At the server, under this name in its `upload` folder.
    Out(&'static str),
    /// The same, with something around it.
    Wrapped(&'static str),
    /// Its first bytes, in the datagram that the bare socket kept.
    Datagram,
}

pub(crate) fn cases() -> Vec<Case> {
    let case = |transfer: Transfer| {
        Case::new(format!("transfer: {}", transfer.name), move |world| transfer.run(world))
    };
    TRANSFERS.into_iter().map(case).collect()
}

impl Transfer {
    fn run(&self, world: &World) -> Result<String> {
        let through_shell = self.script.map(|script| ["sh", "-c", script]);
        let command = through_shell.as_ref().map_or(self.command, |command| command.as_slice());
        let container = world.container("transfer", command)?;
        let ended = container.run()?;
        ensure!(ended.status.success(), "the tool itself ended with {}: {}", ended.status, ended.output);
        self.ensure_moved(world, &container)?;

        let what = format!("an alert about {}", container.id);
        let alert = world.agent().await_line(ALERT_MAX, &what, |line| line.is_alert_of(&container.id))?;
        self.ensure_facts(&alert, &container)
            .map_err(|error| anyhow!("{error}; the alert: {}", alert.document))?;
        let delay = alert.delay()?;
        let syslog_delay = ensure_at_rsyslogd(world, &alert)?;

        mark(world)?;
        let count = world.agent().alerts_of(&container.id)?.len();
        ensure!(count == 1, "{count} alerts about one transfer");
        Ok(format!(
            "alert after {:>4} ms, at rsyslogd after {:>4} ms",
            delay.as_millis(),
            syslog_delay.as_millis()
        ))
    }

    /// The tool did its work: without that, its alert would prove little.
    fn ensure_moved(&self, world: &World, container: &Container<'_>) -> Result<()> {
        let (bytes, whole) = match self.moved {
            Moved::In => (container.read(FETCHED)?, true),
            Moved::Out(name) => (uploaded(world, name)?, true),
            Moved::Wrapped(name) => {
                let bytes = uploaded(world, name)?;
                let payload = bytes.windows(world.payload.len()).find(|part| *part == world.payload);
                (payload.context("the payload is not in what was uploaded")?.to_vec(), true)
            }
            Moved::Datagram => (uploaded(world, KEPT_DATAGRAM)?, false),
        };
        let right = if whole { bytes == world.payload } else { world.payload.starts_with(&bytes) };
        ensure!(right && !bytes.is_empty(), "{} bytes arrived, and not those that were sent", bytes.len());
        Ok(())
    }

    fn ensure_facts(&self, alert: &Line, container: &Container<'_>) -> Result<()> {
        ensure_container(alert, container)?;
        let is = |field: &str, expected: Value| alert.ensure_field(field, &expected);
        is(EXECUTABLE, self.executable.into())?;
        is("process.args", self.command.into())?;
        is("process.command_line", self.command.join(" ").into())?;
        is("destination.ip", self.to.ip().to_string().into())?;
        is("destination.port", self.to.port().into())?;
        is("network.type", if self.to.is_ipv4() { "ipv4" } else { "ipv6" }.into())?;
        let datagram = matches!(self.moved, Moved::Datagram);
        is("network.transport", if datagram { "udp" } else { "tcp" }.into())?;
        if let Moved::In = self.moved {
            is("file.path", FETCHED.into())?;
        }
        is("tidewaiter.detection", self.detection.into())?;
        for field in ["event.id", "rule.name"] {
            ensure!(!alert.text(field).is_empty(), "there is no {field}");
        }
        Ok(())
    }
}

fn uploaded(world: &World, name: &str) -> Result<Vec<u8>> {
    wait::until(ALERT_MAX, "the upload", || world.servers.uploaded(name))
}

/// The alert names this container in full, with nothing left to be learned later.
pub(crate) fn ensure_container(alert: &Line, container: &Container<'_>) -> Result<()> {
    for (field, expected) in [
        ("container.id", container.id.as_str()),
        ("container.name", &container.name),
        ("container.image.name", IMAGE),
        ("container.runtime", "docker"),
    ] {
        alert.ensure_field(field, &expected.into())?;
    }
    let pending = alert.field("tidewaiter.pending");
    ensure!(pending.is_none(), "it awaits {pending:?}");
    Ok(())
}

/// The same alert came through syslog and was understood there. Returns its delay.
pub(crate) fn ensure_at_rsyslogd(world: &World, alert: &Line) -> Result<Duration> {
    let id = alert.text("event.id");
    let began = alert.delay()?;
    let message = world
        .rsyslog
        .await_message(ALERT_MAX, &format!("{id} at rsyslogd"), |message| message.event_id() == id)?;
    let waited = Duration::try_from(Timestamp::now().duration_since(alert.arrival))?;
    ensure_rfc5424(&message, alert)
        .map_err(|error| anyhow!("{error}; rsyslogd's reading: {}", message.properties))?;
    Ok(began + waited)
}

/// What a collector files and filters by says the same as the alert.
pub(crate) fn ensure_rfc5424(message: &Received, alert: &Line) -> Result<()> {
    // syslog-ng tells none; what it reads in another form has no MSGID and no structured data.
    let version = message.text("protocol-version");
    ensure!(
        version == "1" || message.properties.get("protocol-version").is_none(),
        "its version is {version:?}"
    );
    ensure!(message.text("msgid") == "alert", "its msgid is {:?}", message.text("msgid"));
    ensure_filed(message, alert)?;
    let parameters = message.parameters().context("its structured data is not the agent's")?;
    for (parameter, field) in [
        ("id", "event.id"),
        ("level", "rule.level"),
        ("rule", "rule.id"),
        ("detection", "tidewaiter.detection"),
        ("container", "container.id"),
        ("container_name", "container.name"),
    ] {
        let (found, expected) = (parameters.get(parameter).map(String::as_str), alert.text(field));
        ensure!(found.unwrap_or_default() == expected, "{parameter} is {found:?}, {field} {expected:?}");
        ensure!(found.is_none() == alert.field(field).is_none(), "{parameter} is empty, not absent");
    }
    Ok(())
}

/// The same, for what every form of syslog has: who, how severe, and the whole document.
pub(crate) fn ensure_filed(message: &Received, alert: &Line) -> Result<()> {
    // The numbers of RFC 5424 section 6.2.1, under the names that rsyslog gives the numbers.
    let severity = match alert.text("rule.level") {
        "critical" => "crit",
        "high" => "err",
        "medium" => "warning",
        "low" => "notice",
        "informational" => "info",
        other => bail!("{other:?} is no level"),
    };
    for (property, expected) in
        [("app-name", "tidewaiter"), ("syslogfacility-text", "authpriv"), ("syslogseverity-text", severity)]
    {
        let found = message.text(property);
        ensure!(found == expected, "its {property} is {found:?}, not {expected:?}");
    }
    let document = message.document().context("its message is not JSON")?;
    // A frame has less room than a line, and says when that made it give something up.
    let cut = document.pointer("/tidewaiter/truncated") == Some(&true.into());
    ensure!(cut || document == alert.document, "its document differs from the alert");
    for part in ["event", "rule", "container", "destination", "file"] {
        let (found, expected) = (document.get(part), alert.document.get(part));
        ensure!(found == expected, "its {part} is {found:?}, the alert's {expected:?}");
    }
    Ok(())
}

/// Does something that must alert, on the host, and waits for that: all that happened before has been
/// judged by then.
pub(crate) fn mark(world: &World) -> Result<Line> {
    mark_for(world, &mut world.agent())
}

/// The same for another agent.
pub(crate) fn mark_for(world: &World, agent: &mut Agent) -> Result<Line> {
    let file = world.directory().join("marker").display().to_string();
    let marker =
        world.run_on_host("curl", &["-sS", "-o", &file, "http://10.201.0.1/download/payload.bin"])?;
    let what = format!("the marker's alert, about process {marker}");
    agent.await_line(ALERT_MAX, &what, |line| line.is_alert_of_process(marker))
}
