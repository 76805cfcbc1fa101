//! How much memory the tables take when a host is as full as hosts get, and beyond: measured in this process, which
//! does nothing else.
//!
//! Everything goes in by the doors that the agent uses: the inventory, records, what runtimes say, mount tables. The
//! figures are those of docs/cost.md and README.md; `cargo test -p tests --test scale -- --nocapture` prints them.
#![expect(clippy::expect_used, reason = "a measurement that cannot go on ends with its reason")]

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use jiff::Timestamp;
use sensor_ebpf::wire::{Actor, COMM_SIZE, FileId};
use sensor_user::config::Config;
use sensor_user::decode::{Body, Exec, Fork, Record};
use sensor_user::detection::Catalogue;
use sensor_user::event::field::Fields;
use sensor_user::pipeline::{Host, Pipeline};
use sensor_user::state::cgroup_path;
use sensor_user::state::container::{Confirmation, Container, Owner, Pod};
use sensor_user::state::mount::{MountTable, Mounts};
use sensor_user::state::process::{Executable, Process, ProcessKey, Session};
use sensor_user::state::standing::{Namespaces, Standing};
use sensor_user::story::Stories;
use sigma::{Engine, RuleSet};

/// What must fit.
const CONTAINERS: u32 = 2_000;
const PROCESSES: u32 = 30_000;
/// Of each container.
const SHARE: u32 = PROCESSES / CONTAINERS;
/// What it may take, KiB: the tables, without the rules and what the agent is itself.
const FULL_MAX_KIB: u64 = 64 * 1024;
/// What they may take however many come.
const EVER_MAX_KIB: u64 = 128 * 1024;

const SECOND: u64 = 1_000_000_000;
/// Namespaces of the host, and the first of a container.
const HOST: Namespaces = Namespaces { mount: 4_026_531_841, pid: 4_026_531_836 };
const FIRST_NAMESPACE: u32 = 4_026_532_000;

/// A host that knows root.
struct Paper;

impl Host for Paper {
    fn entered(&mut self, _mnt_ns: u32, _container: &Arc<str>, _pid: u32, _now: u64) {}

    fn user(&mut self, uid: u32, _pid: u32, _mnt_ns: u32, _now: u64) -> Option<Arc<str>> {
        (uid == 0).then(|| Arc::from("root"))
    }

    fn path(&mut self, _device: u32, _path: &str, _mnt_ns: u32, _pid: u32, _now: u64) -> Option<String> {
        None
    }

    fn path_of_host(&mut self, _path: &str, _mnt_ns: u32, _pid: u32, _now: u64) -> Option<String> {
        None
    }

    fn size(&mut self, _path: &str, _mnt_ns: u32) -> Option<u64> {
        None
    }

    fn date(&mut self, _time: u64) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn namespaces(&mut self, _pid: u32) -> Option<Namespaces> {
        None
    }

    fn is_overlay_scratch(&self, _path: &str, _mnt_ns: u32) -> bool {
        false
    }
}

/// What usual containers run, as their first program and below it: path and arguments.
fn program(number: u32) -> (String, Vec<String>) {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    match number % 10 {
        0 => ("/usr/sbin/nginx".into(), words("nginx: master process nginx -g daemon\u{a0}off;")),
        1 | 2 => ("/usr/sbin/nginx".into(), words("nginx: worker process")),
        3 => {
            ("/usr/bin/dash".into(), words("/bin/sh -c exec\u{a0}/opt/service/bin/start\u{a0}--profile=prod"))
        }
        4 => (
            "/usr/lib/postgresql/16/bin/postgres".into(),
            words(&format!("postgres: app orders 10.42.7.{}(48122) idle", number % 250)),
        ),
        5 | 6 => (
            "/usr/local/bin/python3.12".into(),
            words(
                "/usr/local/bin/python3.12 /srv/app/.venv/bin/gunicorn --bind 0.0.0.0:8000 --workers 8 \
                 --access-logfile - shop.wsgi:application",
            ),
        ),
        7 => ("/usr/local/bin/node".into(), words("node --max-old-space-size=512 /srv/app/dist/server.js")),
        8 => ("/opt/agent/bin/exporter".into(), words("/opt/agent/bin/exporter --web.listen-address=:9100")),
        _ => (
            "/usr/lib/jvm/java-21-openjdk-amd64/bin/java".into(),
            words(&format!(
                "java -Xms256m -Xmx1024m -XX:+UseG1GC -XX:MaxGCPauseMillis=200 -Dspring.profiles.active=prod \
                 -Dserver.port=8080 -cp {} com.example.orders.Application",
                "/srv/app/lib/some-library-1.2.3.jar:".repeat(12)
            )),
        ),
    }
}

fn id(container: u32) -> String {
    format!("{:016x}{:048x}", u64::from(container).wrapping_mul(0x9e37_79b9_7f4a_7c15), container)
}

fn cgroup(container: u32) -> String {
    format!("/kubepods/burstable/pod{}/{}", pod_uid(container), id(container))
}

fn pod_uid(container: u32) -> String {
    format!("0f3c{container:04x}-8d55-4a0e-9f21-7b6a5c4d{container:04x}")
}

fn key(number: u32) -> ProcessKey {
    ProcessKey { pid: 1_000 + number, start_time: u64::from(number) * 20_000_000 + 1_234_567 }
}

/// As the inventory tells it, start by the tick.
fn found(number: u32) -> (Process, String) {
    let (path, arguments) = program(number);
    let container = number / SHARE;
    let exact = key(number);
    let key = ProcessKey { start_time: exact.start_time / 10_000_000 * 10_000_000, ..exact };
    let first = container * SHARE;
    let parent = (number != first).then(|| {
        let parent = self::key(first);
        ProcessKey { start_time: parent.start_time / 10_000_000 * 10_000_000, ..parent }
    });
    let process = Process {
        key,
        parent,
        executable: Executable {
            file: Some(FileId { inode: number.into(), device: 53, generation: 0 }),
            path,
            ..Executable::default()
        },
        arguments: arguments.into(),
        arguments_truncated: false,
        command: None,
        session: Session {
            net_ns: FIRST_NAMESPACE + container,
            user_ns: 4_026_531_837,
            ..Session::default()
        },
        directory: Some("/srv/app".to_owned()),
        comm: "some-program".to_owned(),
        uid: 1000,
        gid: 1000,
        effective_uid: 1000,
        mnt_ns: FIRST_NAMESPACE + container * 2,
        pid_ns: FIRST_NAMESPACE + container * 2 + 1,
        cgroup_id: u64::from(container) + 5_000,
        container: None,
        standing: Standing::default(),
        exec_time: key.start_time,
    };
    (process, cgroup(container))
}

/// What a runtime's bundle says, with what the API adds.
fn named(container: u32) -> Container {
    let identity = cgroup_path::identify(&cgroup(container)).expect("a container's path");
    let labels = [
        ("app.kubernetes.io/name", "orders"),
        ("app.kubernetes.io/part-of", "shop"),
        ("app.kubernetes.io/version", "4.17.2"),
        ("pod-template-hash", "5d8f7c9b64"),
        ("topology.kubernetes.io/zone", "eu-central-1b"),
    ];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let pod = Pod {
        name: format!("orders-5d8f7c9b64-{container:05}"),
        namespace: "production".to_owned(),
        uid: pod_uid(container),
        labels: BTreeMap::from(labels),
        owner: Some(Owner { kind: "Deployment".to_owned(), name: "orders".to_owned() }),
        node: Some("node-17.eu-central-1.example".to_owned()),
        service_account: Some("orders".to_owned()),
    };
    Container {
        name: Some("orders".to_owned()),
        image: Some(format!("registry.example/shop/orders:4.17.{}", container % 9)),
        image_id: Some(format!("sha256:{}", id(container % 40))),
        image_digest: Some(format!("sha256:{}", id(container % 40 + 100))),
        pod: Some(pod),
        confirmation: Confirmation::Known,
        probes: vec![["curl", "-fsS", "http://127.0.0.1:8080/health"].map(str::to_owned).to_vec()],
        ..Container::from_cgroup(&identity)
    }
}

/// As /proc/PID/mountinfo of a container shows them: an overlay, and what runtimes mount besides.
fn mounts(container: u32) -> MountTable {
    let layers = "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots";
    let lower: Vec<_> = (0..8).map(|layer| format!("{layers}/{}/fs", container % 40 + layer)).collect();
    let mut text = format!(
        "1000 900 0:{} / / rw,relatime - overlay overlay rw,lowerdir={},upperdir={layers}/{container}/fs,workdir={layers}/{container}/work\n",
        container + 60,
        lower.join(":")
    );
    for (number, (path, kind)) in [
        ("/proc", "proc"),
        ("/dev", "tmpfs"),
        ("/dev/pts", "devpts"),
        ("/dev/mqueue", "mqueue"),
        ("/sys", "sysfs"),
        ("/sys/fs/cgroup", "cgroup2"),
        ("/etc/hosts", "ext4"),
        ("/dev/termination-log", "ext4"),
        ("/etc/hostname", "ext4"),
        ("/etc/resolv.conf", "ext4"),
        ("/dev/shm", "tmpfs"),
        ("/run/secrets/kubernetes.io/serviceaccount", "tmpfs"),
        ("/proc/bus", "proc"),
        ("/proc/kcore", "tmpfs"),
        ("/proc/keys", "tmpfs"),
        ("/sys/firmware", "tmpfs"),
    ]
    .into_iter()
    .enumerate()
    {
        text += &format!(
            "{} 1000 0:{} /pods/{container}/volume {path} rw,nosuid,relatime - {kind} {kind} rw\n",
            1001 + number,
            container * 20 + 3000
        );
    }
    MountTable::parse(&text)
}

fn actor(process: ProcessKey, container: u32) -> Actor {
    let mut comm = [0; COMM_SIZE];
    comm[..12].copy_from_slice(b"some-program");
    Actor {
        start_time: process.start_time,
        cgroup_id: u64::from(container) + 5_000,
        pid: process.pid,
        tid: process.pid,
        uid: 1000,
        gid: 1000,
        mnt_ns: FIRST_NAMESPACE + container * 2,
        pid_ns: FIRST_NAMESPACE + container * 2 + 1,
        comm,
    }
}

/// A process is forked by its container's first one and starts a program with `arguments`.
fn start(pipeline: &mut Pipeline, number: u32, container: u32, arguments: Vec<String>) {
    let (parent, child) = (key(container * SHARE), key(number));
    let time = child.start_time;
    let fork = Fork {
        child_pid: child.pid,
        child_start_time: child.start_time,
        child_cgroup_id: u64::from(container) + 5_000,
        child_pid_ns: FIRST_NAMESPACE + container * 2 + 1,
    };
    pipeline.record(Record { time, actor: actor(parent, container), body: Body::Fork(fork) }, &mut Paper);
    let path = program(number).0;
    let exec = Exec {
        parent_pid: parent.pid,
        parent_start_time: parent.start_time,
        old_tid: child.pid,
        file: FileId { inode: number.into(), device: 53, generation: 0 },
        streams: Default::default(),
        flags: 0,
        effective_uid: 1000,
        login_uid: None,
        terminal: None,
        net_ns: FIRST_NAMESPACE + container,
        user_ns: 4_026_531_837,
        filename: path.clone(),
        path,
        interpreter: None,
        directory: "/srv/app".to_owned(),
        cgroup: cgroup(container),
        argument_count: u32::try_from(arguments.len()).expect("few"),
        arguments_size: 0,
        arguments,
        arguments_truncated: false,
        last_arguments: Vec::new(),
        environment: vec!["LANG=C.UTF-8".to_owned(), "HOSTNAME=orders".to_owned()],
    };
    let record = Record { time, actor: actor(child, container), body: Body::Exec(Box::new(exec)) };
    pipeline.record(record, &mut Paper);
}

/// Resident memory of this process, KiB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("/proc/self/status");
    let value = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    value.trim().trim_end_matches("kB").trim().parse().expect("a number")
}

fn pipeline() -> Pipeline {
    let catalogue = Catalogue::built_in();
    let lists = Config::default().placeholders().expect("the default allow-lists are sound");
    let set = RuleSet::load(catalogue.sources(), &Fields, &lists).expect("the built-in rules load");
    let engine = Engine::new(set);
    let detections = catalogue.bind(engine.rules()).expect("and bind");
    let mut pipeline = Pipeline::new(engine, detections, Stories::default());
    pipeline.set_host(HOST);
    pipeline
}

fn dropped(pipeline: &Pipeline, what: &str) -> u64 {
    pipeline.dropped().iter().filter(|(name, _)| *name == what).map(|(_, count)| count).sum()
}

#[test]
fn a_full_host_fits_and_more_is_dropped_and_counted() {
    let mut pipeline = pipeline();
    let empty = resident();

    // Half of them were there before, the other half come.
    let now = u64::from(PROCESSES) * 20_000_000 + SECOND;
    let (before, after) = (PROCESSES / 2, PROCESSES);
    pipeline.seed((0..before).map(found).collect(), now);
    let seeded = resident();
    for number in before..after {
        start(&mut pipeline, number, number / SHARE, program(number).1);
    }
    let started = resident();
    for container in 0..CONTAINERS {
        assert!(pipeline.containers.complete(&id(container), named(container)), "{container} is not known");
    }
    let known = resident();
    let mut tables = Mounts::new(HOST.mount, MountTable::parse(""), now);
    for container in 0..CONTAINERS {
        tables.insert(FIRST_NAMESPACE + container * 2, mounts(container), now);
    }
    let full = resident();

    let (processes, containers) = (pipeline.processes.stats(), pipeline.containers.stats());
    println!("{} processes, {} containers: {} KiB", processes.live, containers.known, full - empty);
    println!(
        "  inventory {} KiB, records {} KiB, names {} KiB, mounts {} KiB; processes by their own count {} KiB",
        seeded - empty,
        started - seeded,
        known - started,
        full - known,
        processes.bytes / 1024
    );
    assert_eq!((processes.live, containers.known), (PROCESSES as usize, CONTAINERS as usize));
    assert_eq!((dropped(&pipeline, "process"), dropped(&pipeline, "container")), (0, 0), "{processes:?}");
    assert!(full - empty <= FULL_MAX_KIB, "{} KiB", full - empty);
    // What the table believes is what it takes; containers come with the processes here.
    let (believed, taken) = (processes.bytes as u64 / 1024, started - empty);
    assert!(taken <= believed + believed / 4 + 4096, "{taken} KiB taken, {believed} KiB believed");

    // Whoever has many processes with long arguments, and containers without end.
    let (more, crowd) = (60_000, CONTAINERS * 3);
    for number in 0..more {
        let container = CONTAINERS + number / (more / crowd);
        start(&mut pipeline, PROCESSES + number, container, vec!["x".repeat(4096)]);
    }
    for container in CONTAINERS..CONTAINERS + crowd {
        pipeline.containers.complete(&id(container), named(container));
        tables.insert(FIRST_NAMESPACE + container * 2, mounts(container), now);
    }
    let beyond = resident();
    let (processes, containers) = (pipeline.processes.stats(), pipeline.containers.stats());
    println!(
        "beyond: {} KiB; {} processes and {} containers dropped",
        beyond - empty,
        dropped(&pipeline, "process"),
        dropped(&pipeline, "container")
    );
    assert!(beyond - empty <= EVER_MAX_KIB, "{} KiB", beyond - empty);
    let all = u64::from(PROCESSES + more);
    assert_eq!(
        processes.live as u64 + processes.evicted_live,
        all,
        "each is known or counted: {processes:?}"
    );
    assert_eq!(dropped(&pipeline, "process"), processes.evicted_live);
    assert!(processes.evicted_live > 0, "more came than fits: {processes:?}");
    assert_eq!(containers.known as u64 + containers.evicted, u64::from(CONTAINERS + crowd), "{containers:?}");
    assert!(dropped(&pipeline, "container") >= containers.evicted && containers.evicted > 0);
    assert!(tables.evicted() > 0, "the mount tables are bounded");
}
