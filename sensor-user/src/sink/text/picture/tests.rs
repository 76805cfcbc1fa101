//! What people see of the picture.

use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthStr;

use super::*;
use crate::control::client::Rows;
use crate::control::scene::Choice;
use crate::control::scene::tests::rows;
use crate::sink::sample::HOSTILE;
use crate::sink::text::escape::is_unsafe;

fn show(rows: Rows, width: usize) -> String {
    let scene = Scene::new(rows, &Choice::default());
    render(&scene, &View { width, colour: false, zone: TimeZone::UTC })
}

#[test]
fn a_tree_reads_from_pod_to_connection() {
    let expected = "\
node-1  Linux 6.18.5   agent 77 up 2 h 00 min   2 containers · 216 processes · 3 connections

\x20                    pod prod/shop-7d9f  Deployment/shop  node-1
                     └─ 112233445566  containerd  steady  unverified: no runtime knows this id
    150  root           └─ miner as [kworker/0:1]
                     web-1  8f3a2c91d0b4  nginx:1.25  docker  steady
    100  root        ├─ nginx -g daemon
    120  www-data    │  └─ nginx worker
                     │        → 10.0.0.2:443 tcp  files.example.com   ↑ 3.0 MiB   ↓ 92 B       3 min 20 s
                     │        → 10.0.0.2:80 tcp                       ↑ 5 B       ↓ 92 B       3 min 20 s
    130  root        ├─ at a terminal: x --quiet
                     │     ! not in image; written 12.0 s ago by curl[4242]
    140  root        └─ sh -i
                           ! cgroup left: cgroup says host, mount namespace says web-1
                     host  210 more without a connection (--all shows them)
     50  root        └─ containerd-shim
                           → 10.0.0.2:80 tcp   ↑ 0 B       ↓ 92 B       3 min 20 s
";
    assert_eq!(show(rows(), 120), expected);
}

#[test]
fn nothing_is_wider_than_the_terminal_or_can_move_its_cursor() {
    let hostile = HOSTILE.repeat(24);
    let mut rows = rows();
    for process in &mut rows.processes {
        for text in [&mut process.name, &mut process.command_line, &mut process.executable] {
            text.clone_from(&hostile);
        }
        process.user = Some(hostile.clone());
        if let Some(written) = &mut process.written {
            written.image.clone_from(&hostile);
        }
        if let Some(identity) = &mut process.identity {
            identity.trick = Some(hostile.clone());
            identity.mount = Some(hostile.clone());
        }
    }
    for container in &mut rows.containers {
        container.name = Some(hostile.clone());
        container.image = Some(hostile.clone());
        container.outer = vec![hostile.clone()];
        container.runtime.clone_from(&hostile);
        if let Some(pod) = &mut container.pod {
            pod.name.clone_from(&hostile);
            pod.owner = Some(hostile.clone());
        }
    }
    for connection in &mut rows.connections {
        connection.hostname = Some(hostile.clone());
        connection.transport.clone_from(&hostile);
    }
    rows.head.hostname = hostile;
    let scene = Scene::new(rows, &Choice::default());
    let lines = |width, colour| {
        render(&scene, &View { width, colour, zone: TimeZone::UTC })
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let count = lines(100, true).len();
    for width in [40, 80, 140] {
        let lines = lines(width, false);
        assert_eq!(lines.len(), count);
        for line in lines {
            assert!(!line.chars().any(is_unsafe), "{line:?}");
            assert!(line.width() <= width, "{width}: {line}");
        }
    }
}
