//! Both sockets of a real systemd-journald, which runs in a mount namespace whose /run is a folder of the test. That takes
//! root, or a kernel that lets others make one; where it cannot be had this says so and checks nothing.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::*;
use crate::sink::syslog::journal::{encode, send};

const BINARY: &str = "/usr/lib/systemd/systemd-journald";

/// Nothing of the host comes in, and nothing goes out; no message is dropped for coming too fast.
const SETTINGS: &str = "[Journal]\nStorage=volatile\nAudit=\nReadKMsg=no\nRateLimitIntervalSec=0\n\
     ForwardToSyslog=no\nForwardToKMsg=no\nForwardToConsole=no\nForwardToWall=no\n";

struct Journald {
    child: Child,
    folder: tempfile::TempDir,
}

impl Drop for Journald {
    fn drop(&mut self) {
        // Its own child, so the pid cannot be another's.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Journald {
    async fn start() -> Option<Self> {
        if !Path::new(BINARY).exists() {
            println!("not checked against journald: {BINARY} is not installed");
            return None;
        }
        if !unshare().arg("true").stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
            println!("not checked against journald: this user cannot make a mount namespace");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let settings = folder.path().join("systemd/journald.conf.d");
        std::fs::create_dir_all(&settings).unwrap();
        std::fs::create_dir_all(folder.path().join("systemd/journal")).unwrap();
        std::fs::create_dir_all(folder.path().join("log/journal")).unwrap();
        std::fs::write(settings.join("tests.conf"), SETTINGS).unwrap();
        let journald = Self { child: spawn(folder.path()), folder };
        journald.await_up().await;
        Some(journald)
    }

    async fn start_again(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        for name in ["socket", "dev-log", "stdout"] {
            std::fs::remove_file(self.socket(name)).unwrap();
        }
        self.child = spawn(self.folder.path());
        self.await_up().await;
    }

    async fn await_up(&self) {
        soon("journald", async {
            while std::os::unix::net::UnixDatagram::unbound().unwrap().connect(self.socket("socket")).is_err()
            {
                sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }

    fn socket(&self, name: &str) -> PathBuf {
        self.folder.path().join("systemd/journal").join(name)
    }

    /// The entries of the agent, in order, once there are so many.
    async fn entries(&self, count: usize) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let output = Command::new("journalctl")
                .args(["--output", "json", "--all", "--identifier", "tidewaiter", "--directory"])
                .arg(self.folder.path().join("log/journal"))
                .output()
                .unwrap();
            let lines = String::from_utf8(output.stdout).unwrap();
            let lines: Vec<Value> = lines
                .lines()
                .filter(|line| line.starts_with('{'))
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            if lines.len() >= count {
                return lines;
            }
            let numbers =
                || lines.iter().map(|line| line["TIDEWAITER_SEQUENCE"].to_string()).collect::<Vec<_>>();
            assert!(begun.elapsed() < PATIENCE, "of {count} entries there are {:?}", numbers());
            sleep(Duration::from_millis(50)).await;
        }
    }
}

fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private"]);
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command
}

/// `unshare` and the shell become journald: the child is it.
fn spawn(folder: &Path) -> Child {
    let log = std::fs::File::create(folder.join("err")).unwrap();
    unshare()
        .args(["sh", "-ec", "mount --bind \"$0\" /run; exec \"$1\""])
        .arg(folder)
        .arg(BINARY)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

fn text<'v>(entry: &'v Value, field: &str) -> &'v str {
    entry[field].as_str().unwrap_or_else(|| panic!("{field} of {entry}"))
}

fn with_steps(sequence: u64, count: usize) -> Arc<Message> {
    let mut alert = sample::alert();
    alert.sequence = sequence;
    alert.steps = vec![alert.steps[0].clone(); count];
    Arc::new(Message::Alert(Box::new(alert)))
}

fn notice(number: u64) -> Arc<Message> {
    let mut message = sample::loss();
    if let Message::Notice(notice) = &mut message {
        notice.sequence = number;
    }
    Arc::new(message)
}

#[tokio::test]
async fn journald_has_fields_and_the_whole_document() {
    let Some(journald) = Journald::start().await else { return };
    let set = start(&format!("journal://{}", journald.socket("socket").display()));
    let mut hostile = sample::hostile();
    hostile.sequence = 2;
    let messages = [
        numbered(1),
        Arc::new(Message::Alert(Box::new(hostile))),
        // Beyond a syslog frame.
        with_steps(3, 200),
        notice(4),
    ];
    for message in &messages {
        set.deliver(message);
    }
    let entries = journald.entries(4).await;
    assert_eq!(soon("the flush", set.flush(PATIENCE)).await, []);
    assert_eq!(entries.len(), 4, "anything forged would be one more");
    for (entry, message) in entries.iter().zip(&messages) {
        let kept = sink::encode::encode(message, &sample::origin());
        assert_eq!(text(entry, "TIDEWAITER_DOCUMENT"), kept.document);
        assert_eq!(text(entry, "TIDEWAITER_SEQUENCE"), kept.sequence.to_string());
        assert_eq!(text(entry, "PRIORITY"), kept.severity.to_string());
        assert_eq!((text(entry, "SYSLOG_FACILITY"), text(entry, "_TRANSPORT")), ("10", "journal"));
        assert_eq!(text(entry, "MESSAGE_ID").len(), 32);
        let document: Value = serde_json::from_str(&kept.document).unwrap();
        assert_eq!(text(entry, "TIDEWAITER_EVENT_ID"), document["event"]["id"]);
        assert_eq!(text(entry, "TIDEWAITER_KIND"), document["kind"]);
    }
}

/// Longer than any alert is, and than the kernel takes as a datagram.
#[tokio::test]
async fn journald_has_what_is_too_long_for_a_datagram() {
    let Some(journald) = Journald::start().await else { return };
    let socket = UnixDatagram::unbound().unwrap();
    socket.connect(journald.socket("socket")).unwrap();
    let mut envelope = sink::encode::encode(&numbered(1), &sample::origin());
    envelope.document = format!("{{\"kind\":\"alert\",\"fill\":\"{}\"}}", "é".repeat(1 << 20));
    let entry = encode(&envelope, Facility::default());
    assert!(socket.send(&entry).await.is_err(), "it is no longer than a datagram");
    send(&socket, &entry).await.unwrap();
    let entries = journald.entries(1).await;
    assert_eq!(text(&entries[0], "TIDEWAITER_DOCUMENT"), envelope.document);
}

#[tokio::test]
async fn journald_understands_the_older_form() {
    let Some(journald) = Journald::start().await else { return };
    let set = start(&format!("unix://{}", journald.socket("dev-log").display()));
    set.deliver(&numbered(1));
    set.deliver(&with_steps(2, 200));
    let entries = journald.entries(2).await;
    assert_eq!(soon("the flush", set.flush(PATIENCE)).await, []);
    for (entry, number) in entries.iter().zip(1..) {
        assert_eq!((text(entry, "_TRANSPORT"), text(entry, "SYSLOG_PID")), ("syslog", "77"));
        assert_eq!((text(entry, "PRIORITY"), text(entry, "SYSLOG_FACILITY")), ("3", "10"));
        let document: Value = serde_json::from_str(text(entry, "MESSAGE")).unwrap();
        assert_eq!(document["event"]["sequence"], number);
        assert_eq!(document["tidewaiter"].get("truncated").is_some(), number == 2);
    }
}

/// What it had is in its files; what comes while it is away waits.
#[tokio::test]
async fn a_journald_that_is_killed_is_waited_for() {
    let Some(mut journald) = Journald::start().await else { return };
    let (log, _guard) = Log::start();
    let set = start(&format!("journal://{}", journald.socket("socket").display()));
    set.deliver(&numbered(1));
    journald.entries(1).await;
    journald.child.kill().unwrap();
    soon("its end", async { journald.child.wait().unwrap() }).await;
    set.deliver(&numbered(2));
    soon("a refusal", log.holds("is away")).await;
    set.deliver(&with_steps(3, 200));
    journald.start_again().await;
    let entries = journald.entries(3).await;
    assert_eq!(soon("the flush", set.flush(PATIENCE)).await, []);
    let numbers: Vec<_> = entries.iter().map(|entry| text(entry, "TIDEWAITER_SEQUENCE")).collect();
    assert_eq!(numbers, ["1", "2", "3"]);
}
