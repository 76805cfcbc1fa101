//! Every tool the first detections are about, each in a container of its own: one alert, with the
//! right facts, on stdout and at rsyslogd.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use jiff::Timestamp;
use serde_json::Value;
use tests::agent::Line;
use tests::docker::Container;
use tests::network;
use tests::server::{HTTP, RSYNC, SSH};
use tests::world::World;

use crate::Case;

/// Longest wait for an alert: its absence is the failure, the usual delay is told.
pub(crate) const ALERT_MAX: Duration = Duration::from_secs(10);

const EXECUTABLE: &str = "process.executable";
const FETCHED: &str = "/tmp/payload.bin";
const SSH_COMMAND: &str = "ssh -F /lab/ssh_config";

/// One use of one tool.
struct Transfer {
    name: &'static str,
    /// The detection's folder under `rules/`.
    detection: &'static str,
    command: &'static [&'static str],
    executable: &'static str,
    port: u16,
    moved: Moved,
}

/// Where the payload is afterwards.
#[derive(Clone, Copy)]
enum Moved {
    /// In the container, at [`FETCHED`].
    In,
    /// At the server, under this name in its `upload` folder.
    Out(&'static str),
}

const TRANSFERS: [Transfer; 12] = [
    Transfer {
        name: "rsync, daemon, pull",
        detection: "rsync_pull",
        command: &["rsync", "rsync://10.201.0.1/lab/download/payload.bin", FETCHED],
        executable: "/usr/bin/rsync",
        port: RSYNC,
        moved: Moved::In,
    },
    Transfer {
        name: "rsync, daemon, push",
        detection: "rsync_push",
        command: &["rsync", "/lab/payload.bin", "rsync://10.201.0.1/lab/upload/rsync.bin"],
        executable: "/usr/bin/rsync",
        port: RSYNC,
        moved: Moved::Out("rsync.bin"),
    },
    Transfer {
        name: "rsync, ssh, pull",
        detection: "rsync_pull",
        command: &["rsync", "-e", SSH_COMMAND, "root@10.201.0.1:/srv/lab/download/payload.bin", FETCHED],
        executable: "/usr/bin/rsync",
        port: SSH,
        moved: Moved::In,
    },
    Transfer {
        name: "rsync, ssh, push",
        detection: "rsync_push",
        command: &[
            "rsync",
            "-e",
            SSH_COMMAND,
            "/lab/payload.bin",
            "root@10.201.0.1:/srv/lab/upload/rsync-ssh.bin",
        ],
        executable: "/usr/bin/rsync",
        port: SSH,
        moved: Moved::Out("rsync-ssh.bin"),
    },
    Transfer {
        name: "scp, pull",
        detection: "scp_pull",
        command: &["scp", "-F", "/lab/ssh_config", "root@10.201.0.1:/srv/lab/download/payload.bin", FETCHED],
        executable: "/usr/bin/scp",
        port: SSH,
        moved: Moved::In,
    },
    Transfer {
        name: "scp, push",
        detection: "scp_push",
        command: &[
            "scp",
            "-F",
            "/lab/ssh_config",
            "/lab/payload.bin",
            "root@10.201.0.1:/srv/lab/upload/scp.bin",
        ],
        executable: "/usr/bin/scp",
        port: SSH,
        moved: Moved::Out("scp.bin"),
    },
    Transfer {
        name: "sftp, get",
        detection: "sftp_get",
        command: &["sftp", "-F", "/lab/ssh_config", "root@10.201.0.1:/srv/lab/download/payload.bin", FETCHED],
        executable: "/usr/bin/sftp",
        port: SSH,
        moved: Moved::In,
    },
    Transfer {
        name: "sftp, put",
        detection: "sftp_transfer",
        command: &["sftp", "-F", "/lab/ssh_config", "-b", "/lab/put", "root@10.201.0.1"],
        executable: "/usr/bin/sftp",
        port: SSH,
        moved: Moved::Out("sftp.bin"),
    },
    Transfer {
        name: "curl -o",
        detection: "curl_download",
        command: &["curl", "-sS", "-o", FETCHED, "http://10.201.0.1/download/payload.bin"],
        executable: "/usr/bin/curl",
        port: HTTP,
        moved: Moved::In,
    },
    Transfer {
        name: "curl -T",
        detection: "curl_upload",
        command: &["curl", "-sS", "-T", "/lab/payload.bin", "http://10.201.0.1/upload/curl.bin"],
        executable: "/usr/bin/curl",
        port: HTTP,
        moved: Moved::Out("curl.bin"),
    },
    Transfer {
        name: "wget",
        detection: "wget_download",
        command: &["wget", "-q", "-O", FETCHED, "http://10.201.0.1/download/payload.bin"],
        executable: "/usr/bin/wget",
        port: HTTP,
        moved: Moved::In,
    },
    Transfer {
        name: "BusyBox wget",
        detection: "busybox_download",
        command: &["busybox", "wget", "-q", "-O", FETCHED, "http://10.201.0.1/download/payload.bin"],
        executable: "/usr/bin/busybox",
        port: HTTP,
        moved: Moved::In,
    },
];

pub(crate) fn cases() -> Vec<Case> {
    let case = |transfer: Transfer| {
        Case::new(format!("transfer: {}", transfer.name), move |world| transfer.run(world))
    };
    TRANSFERS.into_iter().map(case).collect()
}

impl Transfer {
    fn run(&self, world: &World) -> Result<String> {
        let container = world.container("transfer", self.command)?;
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
        let bytes = match self.moved {
            Moved::In => container.read(FETCHED)?,
            Moved::Out(name) => world.servers.uploaded(name)?.context("nothing was uploaded")?,
        };
        ensure!(bytes == world.payload, "{} bytes arrived, and not those that were sent", bytes.len());
        Ok(())
    }

    fn ensure_facts(&self, alert: &Line, container: &Container<'_>) -> Result<()> {
        let is = |field: &str, expected: Value| -> Result<()> {
            let found = alert.field(field);
            ensure!(found == Some(&expected), "{field} is {found:?}, not {expected}");
            Ok(())
        };
        is("container.id", container.id.as_str().into())?;
        is("container.name", container.name.as_str().into())?;
        is(EXECUTABLE, self.executable.into())?;
        is("process.args", self.command.into())?;
        is("process.command_line", self.command.join(" ").into())?;
        is("destination.ip", network::ADDRESS.to_string().into())?;
        is("destination.port", self.port.into())?;
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

/// The same alert came through syslog and was understood there. Returns its delay.
pub(crate) fn ensure_at_rsyslogd(world: &World, alert: &Line) -> Result<Duration> {
    let id = alert.text("event.id");
    let began = alert.delay()?;
    let message = world
        .rsyslog
        .await_message(ALERT_MAX, &format!("{id} at rsyslogd"), |message| message.event_id() == id)?;
    let waited = Duration::try_from(Timestamp::now().duration_since(alert.arrival))?;
    ensure!(message.text("app-name") == "tidewaiter", "its app-name is {:?}", message.text("app-name"));
    ensure!(message.text("protocol-version") == "1", "it is not RFC 5424: {}", message.properties);
    Ok(began + waited)
}

/// Does something that must alert, and waits for that: all that happened before has been judged by then.
pub(crate) fn mark(world: &World) -> Result<Line> {
    let marker = world.container(
        "marker",
        &["curl", "-sS", "-o", "/tmp/marker", "http://10.201.0.1/download/payload.bin"],
    )?;
    let ended = marker.run()?;
    ensure!(ended.status.success(), "the marker itself ended with {}: {}", ended.status, ended.output);
    let what = format!("the marker's alert, about {}", marker.id);
    world.agent().await_line(ALERT_MAX, &what, |line| line.is_alert_of(&marker.id))
}
