//! Trees come out as they are, whatever the rows claim.

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::control::protocol::{Entry, IdentityRow, WriterRow};

const SECOND: u64 = 1_000_000_000;
const WEB: &str = "8f3a2c91d0b48f3a2c91d0b48f3a2c91d0b48f3a2c91d0b48f3a2c91d0b48f3a";
const SHOP: &str = "1122334455661122334455661122334455661122334455661122334455661122";

pub(crate) fn process(pid: u32, parent: u32, container: Option<&str>, command_line: &str) -> ProcessRow {
    let program = command_line.split(' ').next().unwrap_or_default();
    ProcessRow {
        pid,
        start: u64::from(pid) * SECOND,
        parent: Some(parent),
        container: container.map(str::to_owned),
        name: program.to_owned(),
        executable: format!("/usr/bin/{program}"),
        command_line: command_line.to_owned(),
        user: Some("root".to_owned()),
        ..ProcessRow::default()
    }
}

fn connection(pid: u32, port: u16, sent: u64) -> ConnectionRow {
    ConnectionRow {
        pid,
        transport: "tcp".to_owned(),
        direction: "egress".to_owned(),
        address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)),
        port,
        hostname: (port == 443).then(|| "files.example.com".to_owned()),
        is_connected: true,
        sent,
        received: 92,
        since: 7_000 * SECOND,
    }
}

/// A host with one container, one pod, and all that can be odd about a process.
pub(crate) fn rows() -> Rows {
    let web = ContainerRow {
        id: WEB.to_owned(),
        runtime: "docker".to_owned(),
        name: Some("web-1".to_owned()),
        image: Some("nginx:1.25".to_owned()),
        is_verified: Some(true),
        began: Some(100 * SECOND),
        role: "workload".to_owned(),
        ..ContainerRow::default()
    };
    let shop = ContainerRow {
        id: SHOP.to_owned(),
        runtime: "containerd".to_owned(),
        role: "workload".to_owned(),
        pod: Some(PodRow {
            namespace: "prod".to_owned(),
            name: "shop-7d9f".to_owned(),
            uid: "u-1".to_owned(),
            owner: Some("Deployment/shop".to_owned()),
            node: Some("node-1".to_owned()),
        }),
        pod_uid: Some("u-1".to_owned()),
        is_verified: Some(false),
        ..ContainerRow::default()
    };
    let written = WriterRow {
        time: 7_188 * SECOND,
        pid: 4242,
        image: "/usr/bin/curl".to_owned(),
        command_line: String::new(),
    };
    let identity = IdentityRow {
        cgroup: Some("host".to_owned()),
        mount: Some(WEB.to_owned()),
        trick: Some("cgroup_left".to_owned()),
        ..IdentityRow::default()
    };
    Rows {
        head: Head {
            version: 1,
            agent_version: "0.1.0".to_owned(),
            agent_pid: 77,
            hostname: "node-1".to_owned(),
            kernel: "6.18.5".to_owned(),
            started: 0,
            now: 7_200 * SECOND,
        },
        containers: vec![web, shop],
        processes: vec![
            ProcessRow {
                uid: 33,
                user: Some("www-data".to_owned()),
                ..process(120, 100, Some(WEB), "nginx worker")
            },
            process(100, 50, Some(WEB), "nginx -g daemon"),
            ProcessRow {
                is_upper_layer: true,
                written: Some(written),
                entry: Entry::Terminal,
                ..process(130, 50, Some(WEB), "x --quiet")
            },
            ProcessRow { identity: Some(identity), ..process(140, 50, Some(WEB), "sh -i") },
            ProcessRow { name: "miner".to_owned(), ..process(150, 60, Some(SHOP), "[kworker/0:1]") },
            process(50, 1, None, "containerd-shim"),
        ],
        connections: vec![connection(120, 80, 5), connection(120, 443, 3 << 20), connection(50, 80, 0)],
        end: End {
            processes: 216,
            host_processes: 211,
            connections: 3,
            omitted_processes: 210,
            omitted_connections: 0,
        },
        ..Rows::default()
    }
}

fn pids(ground: &Ground) -> Vec<(u32, usize, bool)> {
    ground.processes.iter().map(|node| (node.process.pid, node.depth, node.is_last)).collect()
}

#[test]
fn pods_come_first_the_host_last_and_children_below_their_parents() {
    let scene = Scene::new(rows(), &Choice::default());
    let ids: Vec<_> = scene.grounds.iter().map(|it| it.container.as_ref().map(|it| it.id.as_str())).collect();
    assert_eq!(ids, [Some(SHOP), Some(WEB), None]);
    let web = &scene.grounds[1];
    assert_eq!(pids(web), [(100, 0, false), (120, 1, true), (130, 0, false), (140, 0, true)]);
    let ports: Vec<u16> = web.processes[1].connections.iter().map(|it| it.port).collect();
    assert_eq!(ports, [443, 80], "who moved most comes first");
    assert_eq!(web.phase, Some(Phase::Steady));
}

#[test]
fn what_is_chosen_is_shown_and_nothing_else() {
    let chosen = |choice: &Choice| {
        let scene = Scene::new(rows(), choice);
        scene.grounds.iter().map(|it| (it.container.is_some(), it.processes.len())).collect::<Vec<_>>()
    };
    let container = |name: &str| Choice { container: Some(name.to_owned()), ..Choice::default() };
    for name in ["web-1", "8f3a", WEB] {
        assert_eq!(chosen(&container(name)), [(true, 4)], "{name}");
    }
    for name in ["8f3", "web", "host"] {
        assert!(chosen(&container(name)).is_empty(), "{name}");
    }
    for name in ["shop-7d9f", "prod/shop-7d9f", "u-1"] {
        let choice = Choice { pod: Some(name.to_owned()), ..Choice::default() };
        assert_eq!(chosen(&choice), [(true, 1)], "{name}");
    }
    let tree = |pid| Choice { pid: Some(pid), ..Choice::default() };
    assert_eq!(chosen(&tree(50)), [(true, 4), (false, 1)], "into the container");
    assert_eq!(chosen(&tree(130)), [(true, 1)]);
    assert!(Scene::new(rows(), &tree(7)).is_empty());
}

#[test]
fn a_container_that_just_began_is_starting() {
    let mut young = rows();
    young.head.now = 101 * SECOND;
    assert_eq!(Scene::new(young, &Choice::default()).grounds[1].phase, Some(Phase::Start));
}

#[test]
fn rows_that_go_in_a_circle_and_endless_chains_are_shown_once() {
    let chain = (1..60_000).map(|pid| process(pid, pid - 1, None, "sh"));
    let circle = [process(70_000, 70_001, None, "a"), process(70_001, 70_000, None, "b")];
    let rows = Rows { processes: chain.chain(circle).collect(), ..Rows::default() };
    let scene = Scene::new(rows, &Choice::default());
    let host = &scene.grounds[0];
    assert_eq!(host.processes.last().map(|node| node.depth), Some(1), "the circle is below the chain");
    assert_eq!(host.processes.len(), 60_001);
}
