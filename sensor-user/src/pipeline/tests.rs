//! Records in, accounts out: transfers as the kernel tells them, without a kernel.

use std::net::IpAddr;

use sensor_ebpf::wire::{COMM_SIZE, FileId};
use sigma::{FieldId, Record as _, RuleSet, Value};

use super::*;
use crate::alert::{Action, Place};
use crate::decode::{Cgroup, Close, Connect, Exec, FileChange as ChangeRecord, Fork};
use crate::detection::Catalogue;
use crate::event::field::{Field, Fields};
use crate::event::{FileAction, Protocol};
use crate::state::container::{Confirmation, Container, Runtime};
use crate::story::GATHER;

mod process;
mod network;
mod file;
mod identity;
mod system;
mod life;
mod resource;
mod pending;
mod late;
mod pod;
mod reload;
mod suppressed;
mod picture;
mod correlation;

const ID: &str = "8f3a2c91d0b4aa0b1c2d3e4f5061728394a5b6c7d8e9f0011223344556677889";
const MILLISECOND: u64 = 1_000_000;
const SERVER: [u8; 4] = [10, 0, 0, 2];

/// A host that knows one overlay layer and one user, and counts what it is asked of paths.
#[derive(Default)]
struct Paper {
    paths_asked: u32,
}

impl Host for Paper {
    fn entered(&mut self, _mnt_ns: u32, _container: &Arc<str>, _pid: u32, _now: u64) {}

    fn user(&mut self, uid: u32, _pid: u32, _mnt_ns: u32, _now: u64) -> Option<Arc<str>> {
        (uid == 0).then(|| Arc::from("root"))
    }

    fn path(&mut self, _device: u32, path: &str, _mnt_ns: u32, _pid: u32, _now: u64) -> Option<String> {
        self.paths_asked += 1;
        path.strip_prefix("/layer").map(str::to_owned)
    }

    fn path_of_host(&mut self, path: &str, mnt_ns: u32, pid: u32, now: u64) -> Option<String> {
        self.path(0, path, mnt_ns, pid, now)
    }

    fn size(&mut self, path: &str, _mnt_ns: u32) -> Option<u64> {
        (path == "/tmp/x").then_some(4096)
    }

    fn date(&mut self, _time: u64) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn namespaces(&mut self, _pid: u32) -> Option<Namespaces> {
        None
    }

    fn is_overlay_scratch(&self, path: &str, _mnt_ns: u32) -> bool {
        path.starts_with("/work/")
    }
}

fn pipeline() -> Pipeline {
    of(&Catalogue::built_in())
}

fn of(catalogue: &Catalogue) -> Pipeline {
    let lists = crate::config::Config::default().placeholders().expect("the default allow-lists are sound");
    let set = RuleSet::load(catalogue.sources(), &Fields, &lists).expect("the built-in rules load");
    let engine = Engine::new(set);
    let detections = catalogue.bind(engine.rules()).expect("and bind");
    Pipeline::new(engine, detections, Stories::default())
}

fn actor(pid: u32) -> Actor {
    let mut comm = [0; COMM_SIZE];
    comm[..4].copy_from_slice(b"test");
    Actor {
        start_time: u64::from(pid) * 1000 * MILLISECOND,
        cgroup_id: 77,
        pid,
        tid: pid,
        uid: 0,
        gid: 0,
        mnt_ns: 5,
        pid_ns: 6,
        comm,
    }
}

fn exec(time: u64, pid: u32, parent: u32, path: &str, arguments: &[&str]) -> Record {
    let exec = Exec {
        parent_pid: parent,
        parent_start_time: actor(parent).start_time,
        old_tid: pid,
        // Nobody writes to it.
        file: FileId { inode: 4711, ..FileId::default() },
        streams: Default::default(),
        flags: 0,
        effective_uid: 0,
        login_uid: None,
        terminal: None,
        net_ns: 7,
        user_ns: 8,
        path: path.to_owned(),
        filename: path.to_owned(),
        interpreter: None,
        directory: "/".to_owned(),
        cgroup: format!("/docker/{ID}"),
        arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
        argument_count: u32::try_from(arguments.len()).expect("few"),
        arguments_size: 0,
        arguments_truncated: false,
        last_arguments: Vec::new(),
        environment: Vec::new(),
    };
    Record { time, actor: actor(pid), body: RecordBody::Exec(Box::new(exec)) }
}

fn record(time: u64, pid: u32, body: RecordBody) -> Record {
    Record { time, actor: actor(pid), body }
}

fn connect(time: u64, pid: u32, socket: u64, port: u16, protocol: u16) -> Record {
    let address = IpAddr::from(SERVER);
    let connect =
        Connect { socket, address, port, protocol, is_datagram: false, has_actor: true, is_subflow: false };
    record(time, pid, RecordBody::Connect(connect))
}

fn write(time: u64, pid: u32, path: &str) -> Record {
    let change = ChangeRecord {
        file: FileId::default(),
        path: path.to_owned(),
        is_from_mount: false,
        bytes: 0,
        size: 0,
        mode: 0,
        flags: 0,
    };
    record(time, pid, RecordBody::File(FileAction::Write, change))
}

fn exit(time: u64, pid: u32) -> Record {
    record(time, pid, RecordBody::Exit { code: 0 })
}

fn feed(pipeline: &mut Pipeline, records: impl IntoIterator<Item = Record>) {
    for record in records {
        pipeline.record(record, &mut Paper::default());
    }
}

const CURL: &[&str] = &["curl", "-o", "/tmp/x", "http://10.0.0.2/x"];

#[test]
fn a_download_is_one_account_with_all_that_belongs_to_it() {
    let mut pipeline = pipeline();
    let start = 5_000 * MILLISECOND;
    let close = RecordBody::Close(Close {
        socket: 9,
        bytes_sent: 80,
        bytes_received: 4096,
        failure: None,
        is_share: false,
    });
    feed(
        &mut pipeline,
        [
            exec(start - MILLISECOND, 3, 1, "/bin/sh", &["sh"]),
            exec(start, 4, 3, "/usr/bin/curl", CURL),
            // getaddrinfo asking for its own address is no step.
            connect(start + MILLISECOND, 4, 8, 0, 17),
            connect(start + 2 * MILLISECOND, 4, 9, 80, 6),
            write(start + 3 * MILLISECOND, 4, "/layer/tmp/x"),
            write(start + 4 * MILLISECOND, 4, "/layer/tmp/x"),
            exit(start + 5 * MILLISECOND, 4),
            // The socket closes after its process.
            record(start + 6 * MILLISECOND, 4, close),
        ],
    );
    assert!(pipeline.accounts(start + 50 * MILLISECOND).is_empty(), "it still gathers");
    let accounts = pipeline.accounts(start + 200 * MILLISECOND);
    let [account] = accounts.as_slice() else { panic!("one account, got {}", accounts.len()) };
    assert_eq!(
        account.detections().map(|detection| detection.name.as_str()).collect::<Vec<_>>(),
        ["curl_download"]
    );
    assert_eq!(account.container.as_ref().map(|container| container.id.as_str()), Some(ID));
    assert_eq!(account.user.as_deref(), Some("root"));
    assert_eq!(account.ancestors.first().map(|parent| parent.command_line()), Some("sh"));
    let place = Place { protocol: Protocol::Tcp, address: IpAddr::from(SERVER), port: 80, name: None };
    let actions: Vec<&Action> = account.steps.iter().map(|step| &step.action).collect();
    assert_eq!(
        actions,
        [
            &Action::Executed {
                arguments: CURL.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>().into()
            },
            &Action::Connected { place: place.clone(), direction: Direction::Outbound },
            &Action::Wrote { path: "/tmp/x".to_owned(), bytes: None, size: Some(4096) },
            &Action::Exited { status: Some(0), signal: None },
            &Action::Disconnected { place: place.clone(), bytes_sent: 80, bytes_received: 4096 },
        ]
    );
    assert!(pipeline.drain().is_empty(), "told once");
}

#[test]
fn what_a_child_does_belongs_to_its_parent() {
    let mut pipeline = pipeline();
    let start = 20_000 * MILLISECOND;
    let fork =
        Fork { child_pid: 11, child_start_time: actor(11).start_time, child_cgroup_id: 77, child_pid_ns: 6 };
    feed(
        &mut pipeline,
        [
            exec(start, 10, 1, "/usr/bin/scp", &["scp", "u@10.0.0.2:/x", "/tmp/"]),
            record(start + MILLISECOND, 10, RecordBody::Fork(fork)),
            exec(start + 2 * MILLISECOND, 11, 10, "/usr/bin/ssh", &["ssh", "10.0.0.2", "sftp"]),
            connect(start + 3 * MILLISECOND, 11, 5, 22, 6),
            write(start + 4 * MILLISECOND, 10, "/layer/tmp/x"),
        ],
    );
    let accounts = pipeline.accounts(start + u64::try_from(GATHER.as_nanos()).expect("fits"));
    let [account] = accounts.as_slice() else { panic!("one account, got {}", accounts.len()) };
    assert_eq!(account.process.executable.path, "/usr/bin/scp");
    let of_child = account.steps.iter().filter(|step| step.pid == 11).count();
    assert_eq!(of_child, 2, "the child's start and its connection: {:?}", account.steps);
}

#[test]
fn a_temporary_file_is_told_by_its_final_name() {
    let mut pipeline = pipeline();
    let start = 30_000 * MILLISECOND;
    feed(
        &mut pipeline,
        [
            exec(start, 30, 1, "/usr/bin/wget", &["wget", "http://10.0.0.2/x"]),
            write(start + MILLISECOND, 30, "/layer/tmp/.x.tmp"),
        ],
    );
    let rename = |from: &str, to: &str| HostFile {
        time: start + 2 * MILLISECOND,
        pid: 30,
        deed: HostDeed::Renamed { from: from.to_owned(), to: to.to_owned(), stat: None },
    };
    pipeline.host_file(rename("/layer/tmp/.x.tmp", "/layer/tmp/x"), &mut Paper::default());
    pipeline.host_file(rename("/work/#35", "/layer/tmp/gone"), &mut Paper::default());
    let accounts = pipeline.drain();
    let [account] = accounts.as_slice() else { panic!("one account, got {}", accounts.len()) };
    let renames: Vec<&Action> = account
        .steps
        .iter()
        .map(|step| &step.action)
        .filter(|it| matches!(it, Action::Renamed { .. }))
        .collect();
    assert_eq!(renames, [&Action::Renamed { from: "/tmp/.x.tmp".to_owned(), to: "/tmp/x".to_owned() }]);
}

#[test]
fn the_container_is_named_when_its_runtime_has_spoken() {
    let mut pipeline = pipeline();
    let start = 40_000 * MILLISECOND;
    feed(&mut pipeline, [exec(start, 40, 1, "/usr/bin/curl", CURL)]);
    let asked = pipeline.unnamed(start, usize::MAX);
    assert_eq!(asked.iter().map(|identity| identity.id.as_str()).collect::<Vec<_>>(), [ID]);
    let [identity] = asked.as_slice() else { panic!("one question") };
    assert_eq!(identity.runtime, Runtime::Docker);
    let named = Container {
        name: Some("web".to_owned()),
        confirmation: Confirmation::Known,
        ..Container::from_cgroup(identity)
    };
    pipeline.containers.complete(ID, named);
    let accounts = pipeline.drain();
    let name = accounts.first().and_then(|account| account.container.as_ref()?.name.as_deref());
    assert_eq!(name, Some("web"), "although it was not known at the match");
}

/// runc with no engine above it: the cgroup may have any name, and its state is written after it was made.
#[test]
fn a_cgroup_that_turns_out_to_be_a_containers_takes_its_processes_along() {
    let mut pipeline = pipeline();
    let start = 40_000 * MILLISECOND;
    let path = "/any/where".to_owned();
    let made = Cgroup { id: 77, hierarchy: 0, path: path.clone(), target_pid: 0, target_start_time: 0 };
    feed(&mut pipeline, [Record { time: start, actor: actor(1), body: RecordBody::CgroupCreate(made) }]);
    assert_eq!(pipeline.strangers(start), [(77, path.clone())]);
    let mut curl = exec(start, 40, 1, "/usr/bin/curl", CURL);
    if let RecordBody::Exec(exec) = &mut curl.body {
        exec.cgroup = path.clone();
    }
    feed(&mut pipeline, [curl]);
    assert_eq!(pipeline.strangers(start), [(77, path)], "a program started: its runtime must know by now");
    let identity = CgroupIdentity {
        id: "web".to_owned(),
        runtime: Runtime::Runc,
        pod_uid: None,
        outer: vec![],
        user: None,
    };
    let web = Container {
        name: Some("web".to_owned()),
        confirmation: Confirmation::Known,
        ..Container::from_cgroup(&identity)
    };
    pipeline.adopt(77, web.clone());
    pipeline.adopt(78, web);
    assert_eq!(pipeline.containers.by_cgroup(77).as_deref(), Some("web"));
    assert_eq!(pipeline.containers.by_cgroup(78), None, "nobody asked about that");
    let curl = pipeline.processes.get_by_pid(40, 0).unwrap();
    assert_eq!(curl.container.as_deref(), Some("web"));
    let accounts = pipeline.drain();
    let container = accounts.first().and_then(|account| account.container.clone()).unwrap();
    assert_eq!((container.name.as_deref(), container.runtime), (Some("web"), Runtime::Runc));
}

#[test]
fn records_of_an_unknown_process_are_counted() {
    let mut pipeline = pipeline();
    feed(&mut pipeline, [connect(MILLISECOND, 99, 1, 80, 6), write(MILLISECOND, 99, "/x")]);
    assert_eq!(pipeline.passed().unknown_process, 2);
    assert_eq!(pipeline.passed().events, 0);
}

#[test]
fn nothing_is_asked_for_what_no_rule_and_no_story_wants() {
    let mut catalogue = Catalogue::built_in();
    catalogue.retain(|source| *source.name == *"built-in:curl_download");
    let mut pipeline = of(&catalogue);
    let mut host = Paper::default();
    let start = 60_000 * MILLISECOND;
    for record in [exec(start, 60, 1, "/usr/bin/cp", &["cp", "/a", "/b"]), write(start, 60, "/layer/b")] {
        pipeline.record(record, &mut host);
    }
    assert_eq!(host.paths_asked, 0, "no rule looks at files, and cp is in no story");
    for record in [exec(start, 61, 1, "/usr/bin/curl", CURL), write(start, 61, "/layer/tmp/x")] {
        pipeline.record(record, &mut host);
    }
    assert_eq!(host.paths_asked, 1, "curl is");
    assert_eq!(pipeline.passed().events, 4, "each counts as seen");
}

#[test]
fn a_local_copy_is_no_story() {
    let mut pipeline = pipeline();
    let start = 50_000 * MILLISECOND;
    feed(
        &mut pipeline,
        [
            exec(start, 50, 1, "/usr/bin/cp", &["cp", "/a", "/tmp/b"]),
            write(start + MILLISECOND, 50, "/layer/tmp/b"),
            exit(start + 2 * MILLISECOND, 50),
        ],
    );
    assert!(pipeline.drain().is_empty());
}

/// What a rule would see in a field.
fn values(event: &Event, field: Field) -> Vec<String> {
    let mut values = Vec::new();
    event.visit(FieldId(field as u16), &mut |value| {
        values.push(match value {
            Value::Text(text) => text.to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            Value::Ip(address) => address.to_string(),
        });
    });
    values
}

fn event_of(pipeline: &mut Pipeline, pid: u32, body: Body) -> Event {
    let process = pipeline.processes.get(key(&actor(pid))).expect("it is known");
    Event {
        time: 0,
        date: Timestamp::UNIX_EPOCH,
        process,
        ancestors: Vec::new(),
        container: None,
        phase: None,
        user: None,
        sent_in_hour: None,
        baseline: None,
        body,
    }
}
