//! The sink against a real rsyslogd, started here on loopback with files of its own, stopped by its
//! own pid. Runs without root. Where rsyslogd is not installed it says so and checks nothing.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::*;

const BINARIES: [&str; 2] = ["/usr/sbin/rsyslogd", "/usr/local/sbin/rsyslogd"];

pub(super) struct Rsyslogd {
    child: Child,
    folder: tempfile::TempDir,
}

impl Drop for Rsyslogd {
    fn drop(&mut self) {
        // Its own child, so the pid cannot be another's. It has no state worth an orderly end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Rsyslogd {
    pub(super) fn start(inputs: impl Fn(&Path) -> String) -> Option<Self> {
        if !BINARIES.iter().any(|path| Path::new(path).exists()) {
            println!("not checked against rsyslogd: it is installed at none of {BINARIES:?}");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let configuration = folder.path().join("rsyslog.conf");
        // The message as it was understood: priority, name, structured data, text.
        let text = format!(
            "global(workDirectory=\"{folder}\" maxMessageSize=\"8k\")\n\
             template(name=\"seen\" type=\"string\" string=\"%syslogtag%|%pri%|%structured-data%|%msg%\\n\")\n\
             {inputs}\n\
             ruleset(name=\"file\") {{ action(type=\"omfile\" file=\"{out}\" template=\"seen\") }}\n",
            folder = folder.path().display(),
            inputs = inputs(folder.path()),
            out = folder.path().join("out").display(),
        );
        std::fs::write(&configuration, text).unwrap();
        Some(Self { child: spawn(folder.path()), folder })
    }

    pub(super) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    /// Kills it and starts another one that goes on with its files.
    pub(super) fn start_again(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let _ = std::fs::remove_file(self.folder.path().join("pid"));
        self.child = spawn(self.folder.path());
    }

    pub(super) fn errors(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("err")).unwrap_or_default()
    }

    pub(super) fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    /// Waits until so many lines have been written.
    async fn lines(&self, count: usize) -> Vec<String> {
        let begun = Instant::now();
        loop {
            let text = std::fs::read_to_string(self.out()).unwrap_or_default();
            if text.lines().count() >= count {
                return text.lines().map(str::to_owned).collect();
            }
            let errors = self.errors();
            assert!(begun.elapsed() < PATIENCE, "{} of {count} lines; {errors}", text.lines().count());
            sleep(Duration::from_millis(20)).await;
        }
    }
}

fn spawn(folder: &Path) -> Child {
    let binary = BINARIES.iter().find(|path| Path::new(path).exists()).expect("it was there");
    Command::new(binary)
        .args(["-n", "-C", "-f"])
        .arg(folder.join("rsyslog.conf"))
        .arg("-i")
        .arg(folder.join("pid"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(folder.join("err")).unwrap())
        .spawn()
        .unwrap()
}

/// Delivers one of each kind, the hostile alert among them, and looks at what rsyslogd understood.
async fn check(rsyslogd: &Rsyslogd, target: &str, structured: bool) {
    check_at(rsyslogd, target.parse().unwrap(), structured).await;
}

pub(super) async fn check_at(rsyslogd: &Rsyslogd, target: SyslogTarget, structured: bool) {
    let set = start_at(target);
    let hostile = Message::Alert(Box::new(sample::hostile()));
    let messages = [sample::coverage(), sample::message(), hostile, sample::loss(), sample::stopped()];
    for (number, mut message) in (1..).zip(messages) {
        match &mut message {
            Message::Alert(alert) => alert.sequence = number,
            Message::Notice(notice) => notice.sequence = number,
        }
        set.deliver(&Arc::new(message));
    }
    let lines = rsyslogd.lines(5).await;
    // Anything forged or cut in two would be a line more.
    assert_eq!(soon("the flush", set.flush(PATIENCE)).await, []);
    let mut kinds = BTreeSet::new();
    for line in &lines {
        let mut parts = line.splitn(2, '|');
        assert_eq!(parts.next(), Some("tidewaiter[77]").filter(|_| structured).or(Some("tidewaiter[77]:")));
        let (_, rest) = parts.next().unwrap().split_once('|').unwrap();
        let (data, text) = rest.split_once("|{").or_else(|| rest.split_once("| {")).expect(line);
        let document: Value = serde_json::from_str(&format!("{{{text}")).expect(line);
        let id = document["event"]["id"].as_str().unwrap().to_owned();
        assert_eq!(data.contains(&format!("[tidewaiter@32473 id=\"{id}\"")), structured, "{data}");
        kinds.insert(document["kind"].as_str().unwrap().to_owned());
    }
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["alert", "coverage", "loss", "stopped"]);
}

#[tokio::test]
async fn rsyslogd_understands_tcp() {
    let port = free_port().await;
    let inputs = |_: &Path| {
        format!(
            "module(load=\"imtcp\")\n\
             input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\" ruleset=\"file\")"
        )
    };
    let Some(rsyslogd) = Rsyslogd::start(inputs) else { return };
    check(&rsyslogd, &format!("tcp://127.0.0.1:{port}"), true).await;
}

#[tokio::test]
async fn rsyslogd_understands_udp() {
    let free = UdpSocket::bind(LOOPBACK).await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let inputs = |_: &Path| {
        format!(
            "module(load=\"imudp\")\n\
             input(type=\"imudp\" address=\"127.0.0.1\" port=\"{port}\" ruleset=\"file\")"
        )
    };
    let Some(rsyslogd) = Rsyslogd::start(inputs) else { return };
    check(&rsyslogd, &format!("udp://127.0.0.1:{port}"), true).await;
}

#[tokio::test]
async fn rsyslogd_understands_the_local_socket() {
    let inputs = |folder: &Path| {
        format!(
            "module(load=\"imuxsock\" SysSock.Use=\"off\")\n\
             input(type=\"imuxsock\" Socket=\"{}\" ruleset=\"file\")",
            folder.join("log").display()
        )
    };
    let Some(rsyslogd) = Rsyslogd::start(inputs) else { return };
    let target = format!("unix://{}", rsyslogd.folder.path().join("log").display());
    check(&rsyslogd, &target, false).await;
}
