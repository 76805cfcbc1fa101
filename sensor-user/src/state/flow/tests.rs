//! Who moved what: transfers as records and rows tell them.

use proptest::prelude::*;

use super::*;
use crate::state::flow::{FlowTable, Opened};
use sensor_ebpf::wire::flow::{Flow, FlowKey};
use sensor_ebpf::wire::network::Connect as ConnectFlags;

const SOCKET: u64 = 0xffff_8880_0000_1000;
const SECOND: u64 = 1_000_000_000;

fn process(pid: u32) -> ProcessKey {
    ProcessKey { pid, start_time: u64::from(pid) * SECOND }
}

fn end(number: u16, port: u16) -> End {
    End { number, address: IpAddr::from([10, 0, 0, 2]), port }
}

fn opened(socket: u64, number: u16) -> Opened {
    let direction = Direction::Outbound;
    Opened { socket, end: end(number, 80), direction, is_datagram: false, is_subflow: false }
}

fn bytes(sent: u64, received: u64) -> Bytes {
    Bytes { sent, received }
}

fn row(socket: u64, pid: u32, of: End, flags: u32, sent: u64, received: u64) -> (FlowKey, Flow) {
    let IpAddr::V4(address) = of.address else { panic!("IPv4") };
    let digest = match flags {
        ConnectFlags::DATAGRAM if of.port == 0 => FlowKey::FROM_ANYWHERE,
        ConnectFlags::DATAGRAM => FlowKey::digest(of.words(), of.port),
        _ => 0,
    };
    let flow = Flow {
        sent,
        received,
        start_time: process(pid).start_time,
        cgroup_id: 1,
        address: address.to_ipv6_mapped().octets(),
        port: of.port,
        protocol: of.number,
        flags,
    };
    (FlowKey { socket, pid, digest }, flow)
}

fn all_live(_: ProcessKey) -> Option<bool> {
    Some(true)
}

fn told(parts: &[Part]) -> Vec<(u32, u64, u64, FlowState)> {
    parts.iter().map(|part| (part.process.pid, part.bytes.sent, part.bytes.received, part.state)).collect()
}

#[test]
fn the_end_of_a_connection_tells_its_owner_all() {
    let mut flows = FlowTable::default();
    let (is_news, over) = flows.opened(SECOND, process(1), &opened(SOCKET, 6));
    assert!(is_news && over.is_empty());
    assert_eq!(flows.owner(SOCKET), Some(process(1)));
    let parts = flows.closed(SOCKET, bytes(100, 2_000), None);
    assert_eq!(told(&parts), [(1, 100, 2_000, FlowState::Closed)]);
    assert_eq!(parts.first().map(|part| part.direction), Some(Direction::Outbound));
    assert!(flows.is_empty());
    assert!(flows.closed(SOCKET, bytes(1, 1), None).is_empty(), "nobody's");
}

#[test]
fn a_refused_connection_has_its_reason() {
    let mut flows = FlowTable::default();
    flows.opened(SECOND, process(1), &opened(SOCKET, 6));
    let parts = flows.closed(SOCKET, Bytes::default(), Some(111));
    assert_eq!(told(&parts), [(1, 0, 0, FlowState::Failed(111))]);
}

#[test]
fn what_another_process_moved_over_a_passed_socket_is_its_own() {
    for is_released_late in [false, true] {
        let mut flows = FlowTable::default();
        flows.opened(SECOND, process(1), &opened(SOCKET, 6));
        let used = Opened { direction: Direction::Unknown, ..opened(SOCKET, 6) };
        assert!(flows.opened(SECOND, process(2), &used).0, "another process: that is news");
        assert!(!flows.opened(SECOND, process(2), &used).0, "once");
        let wanted = flows.rows_of_socket(SOCKET);
        assert_eq!(wanted, [FlowKey { socket: SOCKET, pid: 2, digest: 0 }]);
        let mut parts = Vec::new();
        if is_released_late {
            // Its row went when it let go; the record of that stands behind the end of the connection.
            flows.row_gone(&wanted[0]);
            assert!(flows.closed(SOCKET, bytes(1_000, 100), None).is_empty(), "it waits");
            parts.extend(flows.released(SECOND, process(2), SOCKET, bytes(600, 0)));
        } else {
            let (key, flow) = row(SOCKET, 2, end(6, 80), ConnectFlags::FIRST_TRAFFIC, 600, 0);
            flows.row(SECOND, &key, &flow, true);
            parts.extend(flows.closed(SOCKET, bytes(1_000, 100), None));
        }
        let expected = [(2, 600, 0, FlowState::Closed), (1, 400, 100, FlowState::Closed)];
        assert_eq!(told(&parts), expected, "late: {is_released_late}");
        assert!(flows.settle(0).is_empty() && flows.is_empty());
    }
}

#[test]
fn an_end_waits_no_longer_than_for_the_records_that_are_there() {
    let mut flows = FlowTable::default();
    flows.opened(SECOND, process(1), &opened(SOCKET, 6));
    flows.opened(SECOND, process(2), &Opened { direction: Direction::Unknown, ..opened(SOCKET, 6) });
    flows.row_gone(&FlowKey { socket: SOCKET, pid: 2, digest: 0 });
    assert!(flows.closed(SOCKET, bytes(10, 0), None).is_empty());
    assert!(flows.settle(5).is_empty(), "somebody may still read");
    assert_eq!(
        told(&flows.settle(5 + 1_000_000_000)),
        [(1, 10, 0, FlowState::Closed)],
        "the record was lost"
    );
}

#[test]
fn a_connection_that_moves_data_is_told_as_far_as_it_is() {
    let mut flows = FlowTable::default();
    flows.opened(SECOND, process(1), &opened(SOCKET, 6));
    let at = |sent| [row(SOCKET, 1, end(6, 80), 0, sent, 0)];
    assert_eq!(told(&flows.poll(2 * SECOND, &at(0), all_live).parts), [], "nothing yet");
    assert_eq!(told(&flows.poll(7 * SECOND, &at(50), all_live).parts), [(1, 50, 0, FlowState::Open)]);
    assert_eq!(told(&flows.poll(12 * SECOND, &at(50), all_live).parts), [], "no news");
    // After a minute the row goes; what comes later is added to what was.
    let idle = flows.poll(80 * SECOND, &at(50), all_live);
    assert_eq!(idle.removable.len(), 1);
    let polled = flows.poll(85 * SECOND, &at(7), all_live);
    assert_eq!(told(&polled.parts), [(1, 57, 0, FlowState::Open)]);
    assert_eq!(told(&flows.closed(SOCKET, bytes(57, 3), None)), [(1, 57, 3, FlowState::Closed)]);
}

#[test]
fn a_connection_that_is_silent_keeps_its_row_for_a_while() {
    let mut flows = FlowTable::default();
    let now = 10_000 * SECOND;
    flows.opened(now, process(1), &opened(SOCKET, 6));
    let silent = [row(SOCKET, 1, end(6, 80), 0, 0, 0)];
    assert!(flows.poll(now + POLL, &silent, all_live).removable.is_empty());
    assert_eq!(flows.poll(now + POLL + 60 * SECOND, &silent, all_live).removable.len(), 1);
}

#[test]
fn a_process_that_is_gone_has_let_go() {
    let mut flows = FlowTable::default();
    flows.opened(SECOND, process(1), &opened(SOCKET, 6));
    let rows = [
        row(SOCKET, 1, end(6, 80), 0, 10, 0),
        row(SOCKET, 2, end(6, 80), ConnectFlags::FIRST_TRAFFIC, 20, 0),
    ];
    let polled = flows.poll(SECOND, &rows, |_| Some(false));
    assert_eq!(polled.removable.len(), 2);
    let expected = [(1, 10, 0, FlowState::Open), (2, 20, 0, FlowState::Closed)];
    assert_eq!(told(&polled.parts), expected, "the end of the connection tells the owner's");
    assert_eq!(told(&flows.closed(SOCKET, bytes(35, 0), None)), [(1, 15, 0, FlowState::Closed)]);
}

#[test]
fn connected_datagrams_are_told_when_the_socket_goes() {
    let mut flows = FlowTable::default();
    flows.opened(SECOND, process(1), &opened(SOCKET, 17));
    let parts = flows.released(SECOND, process(1), SOCKET, bytes(30, 40));
    assert_eq!(told(&parts), [(1, 30, 40, FlowState::Closed)]);
    assert!(flows.is_empty(), "the next socket at this address is another one");
}

#[test]
fn datagrams_of_an_unconnected_socket_are_told_at_the_end_of_the_process() {
    let mut flows = FlowTable::default();
    let to = |port| Opened { end: end(17, port), is_datagram: true, ..opened(SOCKET, 17) };
    flows.opened(SECOND, process(1), &to(53));
    let anywhere = End::many(17);
    let wanted = flows.rows_of_process(process(1));
    let rows = [
        row(SOCKET, 1, end(17, 53), ConnectFlags::DATAGRAM, 60, 0),
        row(SOCKET, 1, anywhere, ConnectFlags::DATAGRAM, 0, 500),
    ];
    assert_eq!(wanted, rows.map(|(key, _)| key), "the kernel half's own keys");
    for (key, flow) in &rows {
        flows.row(SECOND, key, flow, true);
    }
    let parts = flows.exited(process(1));
    assert_eq!(told(&parts), [(1, 60, 500, FlowState::Closed)], "the answers came from where it asked");
    assert!(parts.iter().all(|part| !part.connected && part.end.port == 53));
    assert!(flows.is_empty());

    // With two destinations nobody knows which of them answered.
    for port in [53, 54] {
        flows.opened(SECOND, process(1), &to(port));
    }
    let second = row(SOCKET, 1, end(17, 54), ConnectFlags::DATAGRAM, 7, 0);
    for (key, flow) in rows.iter().chain([&second]) {
        flows.row(SECOND, key, flow, true);
    }
    let mut parts = told(&flows.exited(process(1)));
    parts.sort_by_key(|(_, sent, received, _)| (*sent, *received));
    let closed = FlowState::Closed;
    assert_eq!(parts, [(1, 0, 500, closed), (1, 7, 0, closed), (1, 60, 0, closed)]);
}

#[test]
fn an_idle_destination_is_over_and_may_begin_anew() {
    let mut flows = FlowTable::default();
    let to = Opened { is_datagram: true, ..opened(SOCKET, 17) };
    flows.opened(SECOND, process(1), &to);
    let at = |sent| [row(SOCKET, 1, end(17, 80), ConnectFlags::DATAGRAM, sent, 0)];
    assert_eq!(told(&flows.poll(2 * SECOND, &at(9), all_live).parts), [(1, 9, 0, FlowState::Open)]);
    let polled = flows.poll(70 * SECOND, &at(9), all_live);
    assert_eq!(told(&polled.parts), [(1, 9, 0, FlowState::Closed)]);
    assert_eq!(polled.removable.len(), 1);
    let polled = flows.poll(72 * SECOND, &at(4), all_live);
    assert_eq!(told(&polled.parts), [(1, 4, 0, FlowState::Open)], "told by itself");
}

#[test]
fn parts_of_a_multipath_connection_are_one() {
    let mut flows = FlowTable::default();
    let (part, whole, other) = (SOCKET, SOCKET + 1, SOCKET + 2);
    assert!(flows.opened(SECOND, process(1), &opened(part, 6)).0);
    let used = Opened { direction: Direction::Unknown, ..opened(whole, MULTIPATH) };
    assert!(!flows.opened(SECOND, process(1), &used).0, "the connect was news");
    let subflow = Opened { is_subflow: true, ..opened(other, 6) };
    assert!(!flows.opened(SECOND, process(1), &subflow).0);
    assert!(flows.closed(part, bytes(1_100, 0), None).is_empty(), "sent twice where a way was slow");
    assert!(flows.closed(other, bytes(50, 0), None).is_empty());
    let parts = flows.released(SECOND, process(1), whole, bytes(1_000, 9));
    assert_eq!(told(&parts), [(1, 1_000, 9, FlowState::Closed)]);
    assert!(parts.iter().all(|part| part.direction == Direction::Outbound));
}

#[test]
fn bytes_that_had_no_row_of_their_own_are_their_process_s() {
    let mut flows = FlowTable::default();
    let (mut key, flow) = row(0, 1, end(6, 80), ConnectFlags::FIRST_TRAFFIC, 5, 6);
    key.socket = 0;
    let polled = flows.poll(SECOND, &[(key, flow)], all_live);
    assert_eq!(told(&polled.parts), [(1, 5, 6, FlowState::Open)]);
    assert!(polled.parts.iter().all(|part| part.end.address.is_unspecified() && part.end.port == 0));
}

#[test]
fn what_is_not_there_any_more_is_forgotten() {
    let mut flows = FlowTable::default();
    flows.opened(SECOND, process(1), &opened(SOCKET, 17));
    flows.opened(SECOND, process(1), &opened(SOCKET + 1, 6));
    flows.poll(20 * SECOND, &[], all_live);
    assert_eq!(flows.len(), 1, "a TCP connection tells its end");
    flows.poll(200 * SECOND, &[], |_| Some(false));
    assert!(flows.is_empty(), "its record was lost");
}

#[test]
fn the_table_is_bounded() {
    let mut flows = FlowTable::default();
    for socket in 0..100_000 {
        flows.opened(SECOND, process(1), &opened(socket + 1, 6));
    }
    assert_eq!(flows.len(), 32_768);
    assert_eq!(flows.forgotten(), 100_000 - 32_768, "each is counted");
    let mut flows = FlowTable::default();
    for port in 1..10_000 {
        let to = Opened { end: end(17, port), is_datagram: true, ..opened(SOCKET, 17) };
        flows.opened(SECOND, process(1), &to);
    }
    assert!(flows.rows_of_process(process(1)).len() <= 257);
    assert!(flows.forgotten() > 0);
}

proptest! {
    /// Whatever comes in which order: no byte of a TCP connection is told twice, and none is lost.
    #[test]
    fn shares_add_up_to_the_whole(
        moved in prop::collection::vec((1..5_u32, 0..10_000_u64, 0..10_000_u64), 0..12),
        polls in prop::collection::vec(any::<bool>(), 12),
    ) {
        let mut flows = FlowTable::default();
        flows.opened(SECOND, process(1), &opened(SOCKET, 6));
        let mut rows: std::collections::BTreeMap<u32, Bytes> = std::collections::BTreeMap::new();
        let mut whole = Bytes::default();
        let mut now = SECOND;
        for ((pid, sent, received), poll) in moved.into_iter().zip(polls) {
            let flow = rows.entry(pid).or_default();
            *flow = flow.plus(bytes(sent, received));
            whole = whole.plus(bytes(sent, received));
            now += POLL;
            if poll {
                let seen: Vec<_> = rows.iter().map(|(pid, it)| {
                    row(SOCKET, *pid, end(6, 80), ConnectFlags::FIRST_TRAFFIC, it.sent, it.received)
                }).collect();
                let polled = flows.poll(now, &seen, all_live);
                for key in polled.removable {
                    rows.remove(&key.pid);
                }
            }
        }
        for (pid, it) in rows.iter().filter(|(pid, _)| **pid != 1) {
            let (key, flow) = row(SOCKET, *pid, end(6, 80), ConnectFlags::FIRST_TRAFFIC, it.sent, it.received);
            flows.row(now, &key, &flow, true);
        }
        let parts = flows.closed(SOCKET, whole, None);
        let sum = parts.iter().fold(Bytes::default(), |sum, part| sum.plus(part.bytes));
        prop_assert_eq!(sum, whole);
    }
}

/// What was told anew, over all parts of a process.
fn sum(parts: &[Part], pid: u32) -> Bytes {
    let of_process = parts.iter().filter(|part| part.process == process(pid));
    of_process.fold(Bytes::default(), |sum, part| sum.plus(part.news))
}

#[test]
fn what_was_told_anew_adds_up_to_the_whole() {
    // A TCP connection: told twice while it goes on, then its end, with what moved since.
    let mut flows = FlowTable::default();
    flows.opened(SECOND, process(1), &opened(SOCKET, 6));
    let mut parts = Vec::new();
    for (time, sent, received) in [(5, 100, 0), (10, 100, 0), (15, 250, 40)] {
        let rows = [row(SOCKET, 1, end(6, 80), 0, sent, received)];
        parts.extend(flows.poll(time * SECOND, &rows, all_live).parts);
    }
    assert_eq!(parts.iter().map(|part| part.news).collect::<Vec<_>>(), [bytes(100, 0), bytes(150, 40)]);
    parts.extend(flows.closed(SOCKET, bytes(1_000, 50), None));
    assert_eq!(sum(&parts, 1), bytes(1_000, 50));
    assert_eq!(parts.last().map(|part| part.bytes), Some(bytes(1_000, 50)));

    // Another process had a share in it.
    let mut flows = FlowTable::default();
    flows.opened(SECOND, process(1), &opened(SOCKET, 6));
    let used = Opened { direction: Direction::Unknown, ..opened(SOCKET, 6) };
    flows.opened(SECOND, process(2), &used);
    let rows = [
        row(SOCKET, 1, end(6, 80), 0, 300, 0),
        row(SOCKET, 2, end(6, 80), ConnectFlags::FIRST_TRAFFIC, 200, 0),
    ];
    let mut parts = flows.poll(5 * SECOND, &rows, all_live).parts;
    parts.extend(flows.released(6 * SECOND, process(2), SOCKET, bytes(600, 0)));
    parts.extend(flows.closed(SOCKET, bytes(1_000, 100), None));
    assert_eq!((sum(&parts, 1), sum(&parts, 2)), (bytes(400, 100), bytes(600, 0)));

    // Datagrams to one destination, answered from anywhere, then to a second one as well.
    let mut flows = FlowTable::default();
    let datagram = Opened { is_datagram: true, ..opened(SOCKET, 17) };
    flows.opened(SECOND, process(1), &datagram);
    let anywhere = End { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), ..end(17, 0) };
    let mut rows = vec![
        row(SOCKET, 1, anywhere, ConnectFlags::DATAGRAM, 0, 500),
        row(SOCKET, 1, end(17, 80), ConnectFlags::DATAGRAM, 10, 0),
    ];
    let mut parts = flows.poll(5 * SECOND, &rows, all_live).parts;
    assert_eq!(sum(&parts, 1), bytes(10, 500));
    flows.opened(6 * SECOND, process(1), &Opened { end: end(17, 81), ..datagram });
    rows.push(row(SOCKET, 1, end(17, 81), ConnectFlags::DATAGRAM, 7, 0));
    parts.extend(flows.poll(10 * SECOND, &rows, all_live).parts);
    parts.extend(flows.exited(process(1)));
    assert_eq!(sum(&parts, 1), bytes(17, 500), "{parts:?}");
}
