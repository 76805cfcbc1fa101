//! Whose a process is, and what is told when its witnesses differ.

use super::*;
use crate::decode::{Cgroup, Namespace};
use crate::event::SystemChange;
use crate::state::container::Confirmation;
use crate::state::phase::{Phase, START_GRACE};
use crate::state::standing::{Claim, Entry, Trick};

const HOST: Namespaces = Namespaces { mount: 1, pid: 2 };
const INSIDE: Namespaces = Namespaces { mount: 5, pid: 6 };
const SHIM: u32 = 2;
const SECOND: u64 = 1000 * MILLISECOND;
/// A cgroup of the host, and the container's.
const SERVICE: (u64, &str) = (10, "/system.slice/docker.service");
const WEB: (u64, &str) = (77, "/docker/8f3a2c91d0b4aa0b1c2d3e4f5061728394a5b6c7d8e9f0011223344556677889");

/// A program starts at second `time`, in a cgroup and namespaces.
fn start(pid: u32, parent: u32, path: &str, cgroup: (u64, &str), namespaces: Namespaces) -> Record {
    let mut record = exec(u64::from(pid) * SECOND, pid, parent, path, &[path]);
    if let RecordBody::Exec(exec) = &mut record.body {
        exec.cgroup = cgroup.1.to_owned();
        exec.file.inode = path.bytes().map(u64::from).sum();
    }
    record.actor.cgroup_id = cgroup.0;
    (record.actor.mnt_ns, record.actor.pid_ns) = (namespaces.mount, namespaces.pid);
    record
}

fn child(parent: &Record, pid: u32) -> Record {
    let fork = Fork {
        child_pid: pid,
        child_start_time: actor(pid).start_time,
        child_cgroup_id: parent.actor.cgroup_id,
        child_pid_ns: parent.actor.pid_ns,
    };
    Record { time: u64::from(pid) * SECOND, actor: parent.actor, body: RecordBody::Fork(fork) }
}

/// A host with a shim and one container, whose command is process 20.
fn with_container() -> Pipeline {
    let mut pipeline = pipeline();
    pipeline.set_host(HOST);
    pipeline.observe();
    let shim = start(SHIM, 1, "/usr/bin/containerd-shim", SERVICE, HOST);
    let entrypoint = start(20, SHIM, "/usr/sbin/nginx", WEB, INSIDE);
    feed(&mut pipeline, [shim.clone(), child(&shim, 20), entrypoint]);
    pipeline
}

fn tricks(pipeline: &mut Pipeline) -> Vec<(u32, Trick)> {
    let told = pipeline.observed().filter_map(|event| {
        let Body::SystemChange(SystemChange::Identity { trick }) = event.body else { return None };
        Some((event.process.key.pid, trick))
    });
    told.collect()
}

fn process(pipeline: &mut Pipeline, pid: u32) -> Arc<Process> {
    pipeline.processes.get(key(&actor(pid))).expect("it is known")
}

fn phase(pipeline: &Pipeline, time: u64, process: &Process) -> Option<&'static str> {
    let container = pipeline.containers.get(process.container.as_deref()?)?;
    pipeline.phase(time, process, &container).map(Phase::name)
}

fn shim_starts(pipeline: &mut Pipeline, pid: u32, path: &str, cgroup: (u64, &str), namespaces: Namespaces) {
    let shim = start(SHIM, 1, "/usr/bin/containerd-shim", SERVICE, HOST);
    feed(pipeline, [child(&shim, pid), start(pid, SHIM, path, cgroup, namespaces)]);
}

#[test]
fn a_container_is_entered_by_its_command_and_by_exec() {
    let mut pipeline = with_container();
    let main = process(&mut pipeline, 20);
    assert_eq!((main.container.as_deref(), main.standing.entry), (Some(ID), Entry::Main));
    assert_eq!(main.standing.mount, Claim::Container(ID.into()), "learnt from it");
    shim_starts(&mut pipeline, 30, "/bin/sh", WEB, INSIDE);
    let further = process(&mut pipeline, 30);
    let entry = Entry::Exec { has_terminal: false };
    assert_eq!((further.container.as_deref(), further.standing.entry), (Some(ID), entry));
    // What either of them starts came in by the same door.
    let shell = start(30, SHIM, "/bin/sh", WEB, INSIDE);
    feed(&mut pipeline, [child(&shell, 31), start(31, 30, "/usr/bin/curl", WEB, INSIDE)]);
    assert_eq!(process(&mut pipeline, 31).standing.entry, entry);
    assert_eq!(tricks(&mut pipeline), []);
    assert_eq!(phase(&pipeline, 21 * SECOND, &main), Some("start"));
    assert_eq!(phase(&pipeline, 20 * SECOND + START_GRACE, &main), Some("steady"));
}

#[test]
fn a_shell_of_the_host_in_a_containers_cgroup_is_not_in_it() {
    let mut pipeline = with_container();
    shim_starts(&mut pipeline, 30, "/bin/bash", SERVICE, HOST);
    // It writes itself there, forks, and the child runs curl.
    let mut moved = start(30, SHIM, "/bin/bash", WEB, HOST);
    let cgroup = Cgroup {
        id: WEB.0,
        hierarchy: 0,
        path: WEB.1.to_owned(),
        target_pid: 30,
        target_start_time: actor(30).start_time,
    };
    moved.body = RecordBody::CgroupAttach(cgroup);
    let fork = child(&moved, 31);
    feed(&mut pipeline, [moved, fork, start(31, 30, "/usr/bin/curl", WEB, HOST)]);
    let curl = process(&mut pipeline, 31);
    assert_eq!((&curl.container, curl.standing.trick), (&None, Some(Trick::CgroupJoined)));
    assert_eq!((&curl.standing.cgroup, &curl.standing.mount), (&Claim::Container(ID.into()), &Claim::Host));
    // And what that one starts is no news.
    let curl = start(31, 30, "/usr/bin/curl", WEB, HOST);
    feed(&mut pipeline, [child(&curl, 32), start(32, 31, "/bin/ls", WEB, HOST)]);
    assert_eq!(tricks(&mut pipeline), [(31, Trick::CgroupJoined)]);
    assert_eq!(process(&mut pipeline, 32).container, None);
}

#[test]
fn who_leaves_its_cgroup_or_its_mounts_stays_its_containers() {
    let mut pipeline = with_container();
    let main = start(20, SHIM, "/usr/sbin/nginx", WEB, INSIDE);
    let attach = |pid: u32| {
        let target_start_time = actor(pid).start_time;
        let cgroup = Cgroup { id: 1, hierarchy: 0, path: "/".to_owned(), target_pid: pid, target_start_time };
        Record { body: RecordBody::CgroupAttach(cgroup), ..main.clone() }
    };
    feed(&mut pipeline, [child(&main, 21), attach(21), start(21, 20, "/usr/bin/curl", (1, "/"), INSIDE)]);
    let left = process(&mut pipeline, 21);
    assert_eq!((left.container.as_deref(), &left.standing.cgroup), (Some(ID), &Claim::Host));
    // setns to the host's mounts, seen by the kernel's hook or by the next program.
    let mut entered = start(22, 20, "/bin/sh", WEB, INSIDE);
    entered.body = RecordBody::Namespace(Namespace { mnt_ns: 1, pid_ns: 6, net_ns: 7 });
    feed(&mut pipeline, [child(&main, 22), entered, start(22, 20, "/bin/sh", WEB, HOST)]);
    feed(&mut pipeline, [child(&main, 23), start(23, 20, "/bin/sh", WEB, HOST)]);
    assert_eq!(
        tricks(&mut pipeline),
        [(21, Trick::CgroupLeft), (22, Trick::NamespaceLeft), (23, Trick::NamespaceLeft)]
    );
    assert_eq!(process(&mut pipeline, 23).container.as_deref(), Some(ID));
}

/// The runtime's stage is in the container's cgroup before it starts itself again: the container begins with its
/// command all the same, and not with whoever is executed there an hour later.
#[test]
fn a_container_begins_with_its_command_however_early_the_stage_is_in_its_cgroup() {
    let mut pipeline = pipeline();
    pipeline.set_host(HOST);
    shim_starts(&mut pipeline, 18, "/usr/bin/runc", SERVICE, HOST);
    let create = start(18, SHIM, "/usr/bin/runc", SERVICE, HOST);
    feed(&mut pipeline, [child(&create, 19), start(19, 18, "/usr/bin/runc", WEB, HOST)]);
    assert_eq!(pipeline.containers.first(ID), None, "a stage is nobody's command");
    let stage = start(19, 18, "/usr/bin/runc", WEB, HOST);
    feed(&mut pipeline, [child(&stage, 20), start(20, 19, "/usr/sbin/nginx", WEB, INSIDE)]);
    assert_eq!(pipeline.containers.first(ID), Some((20 * SECOND, key(&actor(20)))));
    assert_eq!(process(&mut pipeline, 20).standing.entry, Entry::Main);
    shim_starts(&mut pipeline, 90, "/bin/sh", WEB, INSIDE);
    let shell = process(&mut pipeline, 90);
    assert_eq!(phase(&pipeline, 90 * SECOND, &shell), Some("steady"));
}

#[test]
fn nsenter_is_the_hosts_and_a_runtimes_own_stage_is_nothing() {
    let mut pipeline = with_container();
    shim_starts(&mut pipeline, 30, "/bin/sh", SERVICE, INSIDE);
    assert_eq!(tricks(&mut pipeline), [(30, Trick::NamespaceEntered)]);
    assert_eq!(process(&mut pipeline, 30).container, None);
    // runc starts itself again where the container's cgroup is, and then the command.
    shim_starts(&mut pipeline, 40, "/usr/bin/runc", SERVICE, HOST);
    let stage = start(40, SHIM, "/usr/bin/runc", SERVICE, HOST);
    let stages = [child(&stage, 41), start(41, 40, "/usr/bin/runc", WEB, HOST)];
    feed(&mut pipeline, stages);
    feed(&mut pipeline, [start(41, 40, "/bin/ps", WEB, INSIDE)]);
    assert_eq!(tricks(&mut pipeline), []);
    assert_eq!(process(&mut pipeline, 41).container.as_deref(), Some(ID));
}

/// A runtime's stage leaves behind whom it brought in; who runs its own program anew in there, alone, and
/// ends at once, is none.
#[test]
fn who_starts_itself_again_in_a_container_and_leaves_nobody_is_no_runtime() {
    let mut pipeline = with_container();
    shim_starts(&mut pipeline, 30, "/bin/busybox", SERVICE, HOST);
    let shell = start(30, SHIM, "/bin/busybox", SERVICE, HOST);
    feed(&mut pipeline, [child(&shell, 31), start(31, 30, "/bin/busybox", WEB, HOST)]);
    assert_eq!(tricks(&mut pipeline), [], "a runtime begins like this");
    feed(&mut pipeline, [exit(32 * SECOND, 31)]);
    assert_eq!(tricks(&mut pipeline), [(31, Trick::CgroupJoined)]);

    shim_starts(&mut pipeline, 40, "/usr/bin/runc", SERVICE, HOST);
    let (create, stage) =
        (start(40, SHIM, "/usr/bin/runc", SERVICE, HOST), start(41, 40, "/usr/bin/runc", WEB, HOST));
    feed(&mut pipeline, [child(&create, 41), stage.clone(), child(&stage, 42), exit(43 * SECOND, 41)]);
    assert_eq!(tricks(&mut pipeline), []);
}

/// Born in a hand-made cgroup by `CLONE_INTO_CGROUP`, and the cgroup is gone before anybody was asked.
#[test]
fn a_forged_id_is_told_after_its_cgroup_is_gone() {
    let mut pipeline = with_container();
    let made = format!("/docker/{}", ID.replace('8', "7"));
    shim_starts(&mut pipeline, 30, "/bin/busybox", SERVICE, HOST);
    let shell = start(30, SHIM, "/bin/busybox", SERVICE, HOST);
    let born = start(31, 30, "/bin/busybox", (79, &made), HOST);
    let cgroup = Cgroup { id: 79, hierarchy: 0, path: made.clone(), target_pid: 0, target_start_time: 0 };
    let removed = Record { body: RecordBody::CgroupRemove(cgroup), ..shell.clone() };
    feed(&mut pipeline, [child(&shell, 31), born, exit(32 * SECOND, 31), removed]);
    for second in 33..60 {
        pipeline.unnamed(second * SECOND, 64);
        pipeline.settle(second * SECOND, &mut Paper::default());
    }
    // The container of the host was never confirmed either.
    assert_eq!(tricks(&mut pipeline), [(20, Trick::CgroupForged), (31, Trick::CgroupForged)]);
}

#[test]
fn namespaces_of_a_container_that_has_ended_are_nobodys() {
    let mut pipeline = with_container();
    let gone =
        Cgroup { id: WEB.0, hierarchy: 0, path: WEB.1.to_owned(), target_pid: 0, target_start_time: 0 };
    // Ends are read last in a turn: the number is another's before the first program's end is known.
    feed(&mut pipeline, [record(25 * SECOND, SHIM, RecordBody::CgroupRemove(gone))]);
    shim_starts(&mut pipeline, 30, "/usr/sbin/sshd", SERVICE, INSIDE);
    assert_eq!(tricks(&mut pipeline), []);
    assert_eq!(process(&mut pipeline, 30).standing.mount, Claim::Unknown);
}

#[test]
fn who_is_half_inside_is_bounded_and_counted() {
    let mut pipeline = with_container();
    for pid in 1_000..2_100 {
        shim_starts(&mut pipeline, pid, "/usr/bin/containerd-shim", WEB, HOST);
    }
    assert!(pipeline.dropped().contains(&("identity event", 1_100 - 1_024)), "{:?}", pipeline.dropped());
}

#[test]
fn an_id_that_nobody_confirms_is_said_to_be_forged_and_one_within_a_container_is_not() {
    let mut pipeline = with_container();
    let inner = format!("{}/docker/{}", WEB.1, ID.replace('8', "9"));
    let main = start(20, SHIM, "/usr/sbin/nginx", WEB, INSIDE);
    let deep = Namespaces { mount: 50, pid: 60 };
    feed(&mut pipeline, [child(&main, 21), start(21, 20, "/bin/sh", (78, &inner), deep)]);
    let made = format!("/docker/{}", ID.replace('8', "7"));
    shim_starts(&mut pipeline, 30, "/bin/bash", (79, &made), HOST);
    let mut named = pipeline.containers.get(ID).map(|it| Container::clone(&it)).expect("it is known");
    (named.name, named.confirmation) = (Some("web".to_owned()), Confirmation::Known);
    pipeline.containers.complete(ID, named);
    for second in 0..60 {
        pipeline.unnamed((30 + second) * SECOND, 64);
        pipeline.settle((30 + second) * SECOND, &mut Paper::default());
    }
    assert_eq!(tricks(&mut pipeline), [(30, Trick::CgroupForged)], "told once");
    assert_eq!(process(&mut pipeline, 30).standing.trick, Some(Trick::CgroupForged));
    let within = process(&mut pipeline, 21).container.clone().and_then(|id| pipeline.containers.get(&id));
    let within = within.expect("it is known");
    assert_eq!((within.name.as_deref(), within.nested.len()), (Some("web"), 1));
}

#[test]
fn a_probe_is_known_by_its_command_or_by_its_period() {
    let mut pipeline = with_container();
    let mut named = pipeline.containers.get(ID).map(|it| Container::clone(&it)).expect("it is known");
    (named.probes, named.confirmation) = (vec![vec!["/bin/ready".to_owned()]], Confirmation::Known);
    pipeline.containers.complete(ID, named);
    shim_starts(&mut pipeline, 30, "/bin/ready", WEB, INSIDE);
    let probe = process(&mut pipeline, 30);
    assert_eq!(phase(&pipeline, 30 * SECOND, &probe), Some("probe"));
    for pid in [100, 110, 120, 130] {
        shim_starts(&mut pipeline, pid, "/bin/pg_isready", WEB, INSIDE);
    }
    assert_eq!(process(&mut pipeline, 120).standing.entry, Entry::Exec { has_terminal: false });
    assert_eq!(process(&mut pipeline, 130).standing.entry, Entry::Probe, "the third time at that distance");
}

#[test]
fn who_was_there_before_is_judged_from_the_oldest_on() {
    let mut pipeline = pipeline();
    pipeline.set_host(HOST);
    pipeline.observe();
    let found = |pid: u32, parent: u32, cgroup: (u64, &str), namespaces: Namespaces| {
        let mut scratch = self::pipeline();
        feed(&mut scratch, [start(pid, parent, "/bin/x", cgroup, namespaces)]);
        let mut process = Process::clone(&process(&mut scratch, pid));
        (process.container, process.standing) = (None, crate::state::standing::Standing::default());
        (process, cgroup.1.to_owned())
    };
    let processes = vec![
        found(40, 21, (1, "/"), INSIDE),
        found(30, 3, WEB, HOST),
        found(21, 20, WEB, INSIDE),
        found(20, 3, WEB, INSIDE),
        found(3, 1, SERVICE, HOST),
    ];
    pipeline.seed(processes, 50 * SECOND);
    pipeline.settle(50 * SECOND, &mut Paper::default());
    assert_eq!(tricks(&mut pipeline), [(30, Trick::CgroupJoined), (40, Trick::CgroupLeft)]);
    let containers = [20, 21, 30, 40].map(|pid| process(&mut pipeline, pid).container.as_deref() == Some(ID));
    assert_eq!(containers, [true, true, false, true]);
}

#[test]
fn a_program_knows_who_wrote_it() {
    let mut pipeline = with_container();
    let file = FileId { inode: 99, device: 8, generation: 0 };
    let main = start(20, SHIM, "/usr/sbin/nginx", WEB, INSIDE);
    let mut wrote = write(21 * SECOND, 20, "/layer/tmp/x");
    wrote.actor = main.actor;
    if let RecordBody::File(_, change) = &mut wrote.body {
        change.file = file;
    }
    let mut run = start(22, 20, "/tmp/x", WEB, INSIDE);
    if let RecordBody::Exec(exec) = &mut run.body {
        exec.file = file;
    }
    feed(&mut pipeline, [wrote, child(&main, 22), run]);
    let written = process(&mut pipeline, 22).executable.written.clone().expect("it was seen");
    assert_eq!((written.by.pid, written.image.as_str(), written.time), (20, "/usr/sbin/nginx", 21 * SECOND));
    assert!(process(&mut pipeline, 20).executable.written.is_none());
}
