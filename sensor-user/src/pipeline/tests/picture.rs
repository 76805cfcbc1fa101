//! The picture of now: of connections as far as they are, of a full host without holding up the loop.

use std::time::Instant;

use sensor_ebpf::wire::flow::{Flow as Row, FlowKey};

use super::*;
use crate::sink::sample;
use crate::state::container::CgroupIdentity;
use crate::state::process::ProcessKey;

const SECOND: u64 = 1_000_000_000;
const TCP: u16 = 6;

fn row(pid: u32, socket: u64, sent: u64) -> (FlowKey, Row) {
    let row = Row {
        sent,
        received: 7,
        start_time: key(&actor(pid)).start_time,
        cgroup_id: 0,
        address: std::net::Ipv4Addr::from(SERVER).to_ipv6_mapped().octets(),
        port: 80,
        protocol: TCP,
        flags: 0,
    };
    (FlowKey { socket, pid, digest: 0 }, row)
}

#[test]
fn connections_are_told_as_far_as_they_are_and_told_as_news_later_all_the_same() {
    let mut pipeline = pipeline();
    let start = 50_000 * MILLISECOND;
    feed(&mut pipeline, [exec(start, 50, 1, "/usr/bin/curl", &["curl"]), connect(start, 50, 9, 80, TCP)]);
    let sent = |pipeline: &Pipeline| {
        let picture = pipeline.picture(start + SECOND);
        let [named] = &picture.connections[..] else { panic!("{picture:?}") };
        assert_eq!(named.connection.part.end.port, 80);
        (named.connection.part.bytes.sent, named.connection.since == start)
    };
    assert_eq!(sent(&pipeline), (0, true), "nothing moved yet");
    pipeline.refresh(start + SECOND, &[row(50, 9, 5)]);
    assert_eq!(sent(&pipeline), (5, true));
    // What was shown is still news to rules and stories.
    let polled = pipeline.flows.poll(start + SECOND, &[row(50, 9, 5)], |_| Some(true));
    assert_eq!(polled.parts.len(), 1);
    feed(&mut pipeline, [exit(start + SECOND, 50)]);
    let picture = pipeline.picture(start + SECOND);
    assert!(picture.connections.is_empty() && picture.processes.is_empty());
}

#[test]
fn a_full_host_is_pictured_without_holding_up_the_loop() {
    const PROCESSES: u32 = 30_000;
    const CONTAINERS: u32 = 2_000;
    const CONNECTIONS: u32 = 10_000;
    let mut pipeline = pipeline();
    for number in 0..CONTAINERS {
        let identity = CgroupIdentity {
            id: format!("{number:064x}"),
            runtime: Runtime::Docker,
            pod_uid: None,
            outer: Vec::new(),
            user: None,
        };
        pipeline.containers.see(u64::from(number) + 10, &identity, SECOND);
    }
    let sample = (*sample::event().process).clone();
    let found = (1..=PROCESSES).map(|pid| {
        let container = Some(format!("{:064x}", pid % CONTAINERS).as_str().into());
        // Of its arguments only the words: each holds them for itself.
        Process { key: key(&actor(pid)), container, command: None, ..sample.clone() }
    });
    pipeline.processes.seed(found);
    let rows: Vec<_> = (1..=CONNECTIONS).map(|pid| row(pid, u64::from(pid) + 1_000, 5)).collect();
    pipeline.refresh(SECOND, &rows);

    let began = Instant::now();
    pipeline.refresh(2 * SECOND, &rows);
    let refreshed = began.elapsed();
    let picture = pipeline.picture(2 * SECOND);
    println!("refresh {refreshed:?}, picture {:?}", began.elapsed() - refreshed);
    assert_eq!(picture.processes.len(), PROCESSES as usize);
    assert_eq!(picture.containers.len(), CONTAINERS as usize);
    assert_eq!(picture.connections.len(), CONNECTIONS as usize);
    // Handed out, not copied: the loop pays for a reference each.
    let held = pipeline.processes.get(ProcessKey { pid: 7, start_time: 0 }).expect("it lives");
    let given = picture.processes.into_iter().find(|it| it.key().pid == 7).expect("it is in the picture");
    assert!(Arc::ptr_eq(&held, &given.process()));
}
