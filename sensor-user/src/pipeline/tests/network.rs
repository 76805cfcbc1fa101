//! Connections, their bytes and names: records and rows in, events and accounts out.

use sensor_ebpf::wire::flow::{Flow as Row, FlowKey};
use sigma::{Placeholders, Source};

use super::*;
use crate::decode::{Dns, Socket as SocketRecord};

const START: u64 = 90_000 * MILLISECOND;
const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

/// A pipeline with one rule: what `detection` says of records of a category.
fn with_rule(category: &str, detection: &str) -> Pipeline {
    let rule = format!(
        "title: t\nid: 3d1f1a52-8c0e-4f2b-9d57-0f6d5d9b7c11\nstatus: test\nlevel: low\n\
         logsource:\n  product: linux\n  category: {category}\n\
         detection:\n  a:\n    {detection}\n  condition: a\n"
    );
    let set = RuleSet::load([Source::new("rule", rule.as_str())], &Fields, &Placeholders::default())
        .expect("the rule loads");
    let engine = Engine::new(set);
    let detections = Catalogue::default().bind(engine.rules()).expect("and binds");
    Pipeline::new(engine, detections, Stories::default())
}

fn close(time: u64, socket: u64, sent: u64, received: u64, failure: Option<u32>) -> Record {
    let close = Close { socket, bytes_sent: sent, bytes_received: received, failure, is_share: false };
    Record { actor: Actor { pid: 0, start_time: 0, ..actor(0) }, ..record(time, 0, RecordBody::Close(close)) }
}

/// The message of a name server about `example.com`: an alias, then the address.
fn answer(time: u64, socket: u64) -> Record {
    let mut message = vec![0, 7, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0];
    message.extend(b"\x07example\x03com\x00\x00\x01\x00\x01");
    message.extend(b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x06\x03cdn\xc0\x0c");
    message.extend(b"\xc0\x29\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x0a\x00\x00\x02");
    let server = IpAddr::from([10, 0, 0, 53]);
    let dns = Dns { socket, server, is_answer: true, is_tcp: false, message, is_truncated: false };
    let of_cgroup = Actor { start_time: 0, pid: 0, ..actor(0) };
    Record { time, actor: of_cgroup, body: RecordBody::Dns(dns) }
}

fn places(accounts: &[Account]) -> Vec<Place> {
    let steps = accounts.iter().flat_map(|account| &account.steps);
    let connected = steps.filter_map(|step| {
        let Action::Connected { place, .. } = &step.action else { return None };
        Some(place.clone())
    });
    connected.filter(|place| place.port != 53).collect()
}

fn ends(accounts: &[Account]) -> Vec<(u32, u64, u64)> {
    let steps = accounts.iter().flat_map(|account| &account.steps);
    let ended = steps.filter_map(|step| {
        let Action::Disconnected { bytes_sent, bytes_received, .. } = step.action else { return None };
        Some((step.pid, bytes_sent, bytes_received))
    });
    ended.collect()
}

#[test]
fn a_connection_has_the_name_that_was_asked_for() {
    let mut pipeline = pipeline();
    feed(
        &mut pipeline,
        [
            exec(START, 4, 3, "/usr/bin/curl", CURL),
            connect(START + 1, 4, 8, 53, 17),
            answer(START + 2, 8),
            connect(START + 3, 4, 9, 443, 6),
        ],
    );
    let places = places(&pipeline.drain());
    assert_eq!(places.iter().map(|place| place.name.as_deref()).collect::<Vec<_>>(), [Some("example.com")]);
}

#[test]
fn a_name_is_learnt_for_the_container_when_nobody_is_known_to_have_asked() {
    let mut pipeline = pipeline();
    feed(
        &mut pipeline,
        [
            exec(START, 4, 3, "/usr/bin/curl", CURL),
            // A socket that was there before the sensor: only its cgroup is known.
            answer(START + 2, 77_777),
            connect(START + 3, 4, 9, 443, 6),
        ],
    );
    let named = places(&pipeline.drain());
    assert_eq!(named.iter().map(|place| place.name.as_deref()).collect::<Vec<_>>(), [Some("example.com")]);
}

#[test]
fn rules_see_questions_and_answers_with_their_process() {
    let cases = [
        ("QueryName: example.com", 1),
        ("QueryStatus: NOERROR", 1),
        ("QueryType: A", 1),
        ("QueryResults: 10.0.0.2", 1),
        ("QueryResults: cdn.example.com", 1),
        ("DestinationIp: 10.0.0.53", 1),
        ("Image: /usr/bin/curl", 1),
        ("QueryStatus: NXDOMAIN", 0),
        ("DestinationHostname: example.com", 0),
    ];
    for (detection, expected) in cases {
        let mut pipeline = with_rule("dns_query", detection);
        feed(
            &mut pipeline,
            [
                exec(START, 4, 3, "/usr/bin/curl", CURL),
                connect(START + 1, 4, 8, 53, 17),
                answer(START + 2, 8),
            ],
        );
        assert_eq!(pipeline.drain().len(), expected, "{detection}");
    }
}

#[test]
fn rules_see_how_much_was_moved_and_where() {
    let cases = [
        ("BytesSent: 5000", 1),
        ("BytesSent|gte: 5001", 0),
        ("BytesReceived|lt: 100", 1),
        ("FlowState: closed", 1),
        ("FlowState: failed", 0),
        ("Direction: egress", 1),
        ("DestinationPort: 443", 1),
        ("DestinationHostname: example.com", 1),
    ];
    for (detection, expected) in cases {
        let mut pipeline = with_rule("network_flow", detection);
        feed(
            &mut pipeline,
            [
                exec(START, 4, 3, "/usr/bin/curl", CURL),
                answer(START + 2, 1),
                connect(START + 3, 4, 9, 443, 6),
                exit(START + 4, 4),
                close(START + 5, 9, 5_000, 10, None),
            ],
        );
        assert_eq!(pipeline.drain().len(), expected, "{detection}");
    }
}

#[test]
fn a_refused_connection_says_so() {
    let mut pipeline = pipeline();
    feed(
        &mut pipeline,
        [
            exec(START, 4, 3, "/usr/bin/curl", CURL),
            connect(START + 1, 4, 9, 80, 6),
            close(START + 2, 9, 0, 0, Some(111)),
        ],
    );
    let accounts = pipeline.drain();
    let steps = accounts.iter().flat_map(|account| &account.steps);
    assert_eq!(steps.filter(|step| matches!(step.action, Action::Failed { error: 111, .. })).count(), 1);
    assert_eq!(ends(&accounts), []);
}

#[test]
fn bytes_of_an_open_connection_are_told_and_then_the_end() {
    let mut pipeline = pipeline();
    feed(&mut pipeline, [exec(START, 4, 3, "/usr/bin/curl", CURL), connect(START + 1, 4, 9, 80, 6)]);
    let key = FlowKey { socket: 9, pid: 4, digest: 0 };
    let row = Row {
        sent: 700,
        received: 1,
        start_time: actor(4).start_time,
        cgroup_id: 77,
        address: std::net::Ipv4Addr::new(10, 0, 0, 2).to_ipv6_mapped().octets(),
        port: 80,
        protocol: 6,
        flags: 0,
    };
    let second = 1_000 * MILLISECOND;
    assert!(pipeline.poll(START + second, &[(key, row)], &mut Paper::default()).is_empty());
    let told = pipeline.accounts(START + 2 * second);
    let [account] = told.as_slice() else { panic!("one account") };
    let place = Place { protocol: Protocol::Tcp, address: ADDRESS, port: 80, name: None };
    let moved = Action::Transferred { place, socket: 9, bytes_sent: 700, bytes_received: 1 };
    assert!(account.steps.iter().any(|step| step.action == moved), "{:?}", account.steps);

    feed(&mut pipeline, [exit(START + 3 * second, 4), close(START + 4 * second, 9, 900, 1, None)]);
    let ended = pipeline.accounts(START + 5 * second);
    assert_eq!(ends(&ended), [(4, 900, 1)]);
    assert!(ended.iter().all(|account| account.is_amendment));
}

#[test]
fn bytes_over_a_passed_socket_are_told_of_who_moved_them() {
    let mut pipeline = pipeline();
    let fork =
        Fork { child_pid: 5, child_start_time: actor(5).start_time, child_cgroup_id: 77, child_pid_ns: 6 };
    let used = |pid| {
        let RecordBody::Connect(used) = connect(0, 4, 9, 80, 6).body else { panic!("a connect") };
        record(START + 3, pid, RecordBody::Traffic(used))
    };
    feed(
        &mut pipeline,
        [
            exec(START, 4, 3, "/usr/bin/curl", CURL),
            connect(START + 1, 4, 9, 80, 6),
            record(START + 2, 4, RecordBody::Fork(fork)),
            used(5),
        ],
    );
    let end = close(START + 4, 9, 1_000, 50, None);
    assert_eq!(pipeline.wanted_rows(&end), [FlowKey { socket: 9, pid: 5, digest: 0 }]);
    pipeline.row_taken(START + 4, &FlowKey { socket: 9, pid: 5, digest: 0 }, None);
    let share = Close { socket: 9, bytes_sent: 1_000, bytes_received: 0, failure: None, is_share: true };
    feed(&mut pipeline, [end, record(START + 5, 5, RecordBody::Close(share))]);
    let mut told = ends(&pipeline.drain());
    told.sort_unstable();
    assert_eq!(told, [(4, 0, 50), (5, 1_000, 0)]);
}

#[test]
fn a_connection_that_nobody_took_is_counted() {
    let mut pipeline = pipeline();
    let RecordBody::Connect(taken) = connect(0, 4, 9, 80, 6).body else { panic!("a connect") };
    let untaken = Connect { has_actor: false, ..taken };
    feed(&mut pipeline, [record(START, 0, RecordBody::Accept(untaken))]);
    let passed = pipeline.passed();
    assert_eq!((passed.untaken_connections, passed.unknown_process, passed.events), (1, 0, 0));
}

#[test]
fn sockets_that_go_past_tcp_and_udp_are_events() {
    let cases = [
        (2, 3, "raw"),
        (10, 3, "raw"),
        (17, 3, "packet"),
        (2, 10, "packet"),
        (40, 1, "vsock"),
        (30, 5, "other"),
    ];
    for (family, kind, name) in cases {
        let mut pipeline = with_rule("network_socket", &format!("SocketType: {name}"));
        let socket = SocketRecord { family, kind, protocol: 1, is_used: false };
        feed(
            &mut pipeline,
            [exec(START, 4, 3, "/usr/bin/ping", &["ping"]), record(START + 1, 4, RecordBody::Socket(socket))],
        );
        assert_eq!(pipeline.drain().len(), 1, "{name}");
    }
    let mut pipeline = with_rule("network_socket", "SocketPath: /run/docker.sock");
    let path = "/layer/run/docker.sock".to_owned();
    let body = RecordBody::UnixConnect { file: FileId::default(), path };
    feed(&mut pipeline, [exec(START, 4, 3, "/bin/x", &["x"]), record(START + 1, 4, body)]);
    assert_eq!(pipeline.drain().len(), 1, "the path as the container sees it");
}

#[test]
fn what_is_no_message_is_counted() {
    let mut pipeline = pipeline();
    let RecordBody::Dns(dns) = answer(0, 1).body else { panic!("a message") };
    let dns = Dns { message: vec![0xff; 40], ..dns };
    feed(&mut pipeline, [record(START, 0, RecordBody::Dns(dns))]);
    assert_eq!(pipeline.passed().refused_names, 1);
}
