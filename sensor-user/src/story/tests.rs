//! Stories begin, gather, are told once and end; their bounds hold.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use sigma::Level;

use super::*;
use crate::alert::Action;
use crate::event::{Body, Connection, Direction, FileAction, FileChange, Flow, FlowState, Protocol};
use crate::state::process::{Executable, Session};

mod chain;

const MILLISECOND: u64 = 1_000_000;
const START: u64 = 100_000 * MILLISECOND;
/// When a story that has nothing more to tell is over.
const OVER: u64 = LATER + 400_000 * MILLISECOND;
const LATER: u64 = START + 10_000 * MILLISECOND;

fn process(pid: u32) -> Arc<Process> {
    Arc::new(Process {
        key: ProcessKey { pid, start_time: START },
        parent: None,
        executable: Executable { path: "/usr/bin/nc".to_owned(), ..Executable::default() },
        arguments: vec!["nc".to_owned()].into(),
        arguments_truncated: false,
        command: None,
        session: Session::default(),
        directory: None,
        comm: "nc".to_owned(),
        uid: 0,
        gid: 0,
        effective_uid: 0,
        mnt_ns: 1,
        pid_ns: 1,
        cgroup_id: 1,
        container: None,
        standing: crate::state::standing::Standing::default(),
        exec_time: START,
    })
}

fn event(pid: u32, time: u64, body: Body) -> Event {
    Event {
        time,
        date: jiff::Timestamp::UNIX_EPOCH,
        process: process(pid),
        ancestors: Vec::new(),
        container: None,
        phase: None,
        user: None,
        sent_in_hour: None,
        baseline: None,
        body,
    }
}

fn detection(id: &str, level: Level) -> Detection {
    Detection {
        id: id.to_owned(),
        title: id.to_owned(),
        name: id.to_owned(),
        level,
        techniques: Vec::new(),
        tactics: Vec::new(),
        false_positives: Vec::new(),
        response: Vec::new(),
    }
}

fn leading(accounts: &[Account]) -> Vec<&str> {
    accounts
        .iter()
        .filter_map(|account| account.detections().next())
        .map(|detection| detection.id.as_str())
        .collect()
}

#[test]
fn the_gravest_match_leads_and_the_others_are_related() {
    let mut stories = Stories::default();
    let started = event(1, START, Body::ProcessCreation);
    stories.matched(&started, detection("low", Level::Low));
    stories.matched(&started, detection("high", Level::High));
    stories.matched(&started, detection("high", Level::High));
    let accounts = stories.due(LATER);
    let [account] = accounts.as_slice() else { panic!("one account") };
    assert_eq!(
        account.detections().map(|detection| detection.id.as_str()).collect::<Vec<_>>(),
        ["high", "low"]
    );
}

#[test]
fn a_rule_told_is_counted_and_another_is_told() {
    let mut stories = Stories::default();
    let started = event(1, START, Body::ProcessCreation);
    stories.matched(&started, detection("first", Level::Low));
    assert_eq!(leading(&stories.due(LATER)), ["first"]);
    stories.matched(&started, detection("first", Level::Low));
    assert!(stories.due(u64::MAX).is_empty());
    assert_eq!(stories.repeats(), 1);
    stories.matched(&event(1, LATER, Body::ProcessCreation), detection("second", Level::Low));
    assert_eq!(leading(&stories.due(u64::MAX)), ["second"]);
}

#[test]
fn a_server_that_ran_for_long_begins_with_what_it_did() {
    let mut stories = Stories::default();
    let wrote = FileChange { path: "/tmp/x".to_owned(), ..FileChange::default() };
    let event = event(1, START + 3_600_000 * MILLISECOND, Body::FileEvent(wrote));
    stories.matched(&event, detection("write", Level::Low));
    stories.observe(&event);
    let accounts = stories.drain();
    let [account] = accounts.as_slice() else { panic!("one account") };
    assert_eq!(account.time, event.time);
    let [step] = account.steps.as_slice() else { panic!("one step: {:?}", account.steps) };
    assert_eq!((step.offset, step.program.as_str()), (0, "nc"));
}

#[test]
fn steps_beyond_the_bound_are_counted() {
    let mut stories = Stories::default();
    stories.matched(&event(1, START, Body::ProcessCreation), detection("scan", Level::Low));
    for port in 1..=200 {
        stories.observe(&event(1, START, connection(port)));
    }
    let accounts = stories.drain();
    let [account] = accounts.as_slice() else { panic!("one account") };
    assert_eq!(account.steps.len(), STEPS_MAX);
    assert_eq!(account.steps_omitted, 201 - u32::try_from(STEPS_MAX).expect("fits"));
}

#[test]
fn an_end_by_signal_is_no_status() {
    let mut stories = Stories::default();
    stories.matched(&event(1, START, Body::ProcessCreation), detection("x", Level::Low));
    let process = process(1);
    stories.exited(START + MILLISECOND, &process.key, Some(&process), 9);
    let accounts = stories.due(START + 200 * MILLISECOND);
    let last = accounts.first().and_then(|account| account.steps.last()).map(|step| step.action.clone());
    assert_eq!(last, Some(Action::Exited { status: None, signal: Some(9) }));
}

#[test]
fn a_story_ends_with_its_last_process() {
    let mut stories = Stories::default();
    let parent = process(1).key;
    let child = ProcessKey { pid: 2, start_time: START };
    stories.matched(&event(1, START, Body::ProcessCreation), detection("x", Level::Low));
    stories.forked(&parent, child);
    stories.exited(START, &parent, None, 0);
    assert_eq!(stories.due(LATER).len(), 1);
    assert_eq!((stories.open.len(), stories.members.len()), (1, 1), "the child lives");
    stories.exited(LATER, &child, None, 0);
    assert!(stories.due(LATER + 1000 * MILLISECOND).is_empty(), "nothing new");
    assert_eq!((stories.open.len(), stories.members.len()), (1, 0), "more may match");
    assert!(stories.due(OVER).is_empty(), "nothing new");
    assert_eq!((stories.open.len(), stories.members.len()), (0, 0));
}

fn connection(port: u16) -> Body {
    Body::NetworkConnection(Connection {
        socket: u64::from(port),
        hostname: None,
        direction: Direction::Outbound,
        protocol: Protocol::Tcp,
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        port,
        connected: true,
    })
}

#[test]
fn a_long_transfer_is_amended_with_its_end() {
    let mut stories = Stories::default();
    let started = event(1, START, Body::ProcessCreation);
    stories.matched(&started, detection("upload", Level::High));
    stories.observe(&event(1, START + MILLISECOND, connection(443)));
    let first = stories.due(START + 800 * MILLISECOND);
    let [first] = first.as_slice() else { panic!("told while it runs") };
    assert!(!first.is_amendment);
    assert!(stories.due(LATER).is_empty(), "nothing new");
    let process = process(1);
    stories.exited(LATER, &process.key, Some(&process), 0);
    assert!(stories.due(LATER + 99 * MILLISECOND).is_empty(), "its connections have a moment to end");
    stories.observe(&event(1, LATER + MILLISECOND, flow(443, 2_000_000_000, FlowState::Closed)));
    let ended = stories.due(LATER + 200 * MILLISECOND);
    let [ended] = ended.as_slice() else { panic!("amended once, got {}", ended.len()) };
    assert!(ended.is_amendment);
    assert_eq!(ended.number, first.number);
    assert!(
        ended
            .steps
            .iter()
            .any(|step| matches!(step.action, Action::Disconnected { bytes_sent: 2_000_000_000, .. }))
    );
    assert!(stories.due(OVER).is_empty() && stories.open.is_empty() && stories.settling.is_empty());
}

#[test]
fn a_tree_that_lives_on_is_amended_when_its_root_and_when_all_have_ended() {
    let mut stories = Stories::default();
    let (parent, child) = (process(1).key, process(2).key);
    stories.matched(&event(1, START, Body::ProcessCreation), detection("x", Level::Low));
    stories.forked(&parent, child);
    assert_eq!(stories.due(LATER).len(), 1);
    stories.observe(&event(2, LATER, connection(1)));
    stories.exited(LATER, &parent, None, 0);
    let second = 1000 * MILLISECOND;
    assert_eq!(stories.due(LATER + second).len(), 1, "the root has ended");
    for port in 2..200 {
        stories.observe(&event(2, LATER + second, connection(port)));
        assert!(stories.due(LATER + 2 * second).is_empty(), "not at every step");
    }
    stories.exited(LATER + 2 * second, &child, None, 0);
    assert_eq!(stories.due(LATER + 4 * second).len(), 1, "all have");
    assert!(stories.due(LATER + 20 * second).is_empty(), "their connections never ended");
    assert!(stories.due(OVER).is_empty() && stories.open.is_empty());
}

#[test]
fn beyond_the_bound_the_oldest_is_told_early() {
    let mut stories = Stories::default();
    let count = u32::try_from(STORIES_MAX).expect("fits") + 3;
    for pid in 1..=count {
        stories.matched(&event(pid, START, Body::ProcessCreation), detection("x", Level::Low));
    }
    let early = stories.overflow();
    assert_eq!(early.iter().map(|account| account.process.key.pid).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(stories.open.len(), STORIES_MAX);
    assert_eq!(stories.members.len(), STORIES_MAX);
}

fn flow(port: u16, bytes_sent: u64, state: FlowState) -> Body {
    let Body::NetworkConnection(connection) = connection(port) else { panic!("a connection") };
    Body::NetworkFlow(Flow {
        connection,
        bytes_sent,
        bytes_received: 300,
        bytes_sent_new: bytes_sent,
        bytes_received_new: 300,
        state,
    })
}

#[test]
fn a_connection_that_outlives_its_process_is_awaited_for_a_while() {
    let mut stories = Stories::default();
    stories.matched(&event(1, START, Body::ProcessCreation), detection("upload", Level::High));
    stories.observe(&event(1, START + MILLISECOND, connection(443)));
    stories.observe(&event(1, START + MILLISECOND, connection(80)));
    let process = process(1);
    stories.exited(LATER, &process.key, Some(&process), 0);
    assert_eq!(stories.due(LATER + 1000 * MILLISECOND).len(), 1, "the alert does not wait");
    stories.observe(&event(1, LATER + 2000 * MILLISECOND, flow(443, 5, FlowState::Closed)));
    let amended = stories.due(LATER + 2001 * MILLISECOND);
    assert_eq!(amended.len(), 1, "its end is told");
    assert!(stories.follows(&process.key), "the other one may end too");
    assert!(stories.due(LATER + 20_000 * MILLISECOND).is_empty() && stories.settling.is_empty());
    assert!(stories.due(OVER).is_empty());
    assert!(stories.open.is_empty() && stories.settling.is_empty() && stories.members.is_empty());
}

#[test]
fn a_connection_that_goes_on_is_told_as_far_as_it_is() {
    let mut stories = Stories::default();
    stories.matched(&event(1, START, Body::ProcessCreation), detection("upload", Level::High));
    stories.observe(&event(1, START, connection(443)));
    for second in 1..4 {
        stories.observe(&event(1, START + second, flow(443, second * 1000, FlowState::Open)));
    }
    let accounts = stories.due(START + 1000 * MILLISECOND);
    let [account] = accounts.as_slice() else { panic!("one account") };
    let moved: Vec<u64> = account
        .steps
        .iter()
        .filter_map(|step| {
            let Action::Transferred { bytes_sent, .. } = step.action else { return None };
            Some(bytes_sent)
        })
        .collect();
    assert_eq!(moved, [3000], "once, with the latest sum");
    stories.observe(&event(1, START + 9, flow(443, 4000, FlowState::Closed)));
    let ended = stories.drain();
    let [ended] = ended.as_slice() else { panic!("amended") };
    assert!(!ended.steps.iter().any(|step| matches!(step.action, Action::Transferred { .. })));
    assert!(
        ended.steps.iter().any(|step| matches!(step.action, Action::Disconnected { bytes_sent: 4000, .. }))
    );
}

#[test]
fn bytes_of_connections_beyond_the_bound_are_summed() {
    let mut stories = Stories::default();
    stories.matched(&event(1, START, Body::ProcessCreation), detection("scan", Level::Low));
    let bound = u16::try_from(STEPS_MAX).expect("fits");
    for port in 1..=bound + 5 {
        stories.observe(&event(1, START, connection(port)));
        stories.observe(&event(1, START, flow(port, 10, FlowState::Open)));
        stories.observe(&event(1, START, flow(port, 10, FlowState::Closed)));
    }
    let accounts = stories.drain();
    let [account] = accounts.as_slice() else { panic!("one account") };
    assert_eq!(account.steps.len(), STEPS_MAX);
    let told = account.steps.iter().filter(|step| matches!(step.action, Action::Disconnected { .. })).count();
    let told = u64::try_from(told).expect("few");
    assert_eq!(told * 10 + account.bytes_omitted.0, u64::from(bound + 5) * 10);
}
