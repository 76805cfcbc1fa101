//! Matches that mean something together, from records to accounts.

use super::file::change;
use super::pending::{START, named, pipeline_of, rule};
use super::*;
use crate::alert::{Correlation, Step};
use crate::event::{LINEAGE_MAX, field};

const SECOND: u64 = 1000 * MILLISECOND;
/// When everything that gathers or waits for order has been told, and nothing has ended yet.
const SOON: u64 = START + 10 * SECOND;

fn member(id: u8, name: &str, category: &str, selection: &str) -> String {
    let detection = format!("  s:\n    {selection}\n  condition: s\n");
    format!("name: {name}\n{}", rule(id, name, category, &detection))
}

fn correlation(title: &str, body: &str) -> String {
    let body = body.replace('\n', "\n  ");
    format!("title: {title}\nid: 3d1f1a52-8c0e-4f2b-9d57-0f6d5d9b7d01\nlevel: high\ncorrelation:\n  {body}\n")
}

fn secret() -> String {
    member(1, "secret", "file_access", "TargetFilename: /etc/shadow")
}

fn connects() -> String {
    member(2, "connects", "network_connection", "Initiated: true")
}

/// The four scenarios: a secret is read and then a connection made, much is sent, to many, or many programs start.
fn theft(by: &str) -> [String; 3] {
    let body = format!("type: temporal_ordered\nrules: [secret, connects]\ngroup-by: [{by}]\ntimespan: 1m");
    [secret(), connects(), correlation("Theft", &body)]
}

fn upload() -> [String; 2] {
    let flow = member(3, "flow", "network_flow", "BytesSentNew|gt: 0");
    let body = "type: value_sum\nrules: [flow]\ngroup-by: [ContainerId]\ntimespan: 1m\n\
                condition:\n  gt: 10000\n  field: BytesSentNew";
    [flow, correlation("Upload", body)]
}

fn scan() -> [String; 2] {
    let body = "type: value_count\nrules: [connects]\ngroup-by: [ProcessId]\ntimespan: 1m\n\
                condition:\n  gte: 3\n  field: DestinationIp";
    [connects(), correlation("Scan", body)]
}

fn burst() -> [String; 2] {
    let starts = member(4, "starts", "process_creation", "Image: /usr/bin/tool");
    let body =
        "type: event_count\nrules: [starts]\ngroup-by: [ContainerId]\ntimespan: 1m\ncondition:\n  gte: 3";
    [starts, correlation("Burst", body)]
}

fn read(time: u64, pid: u32) -> Record {
    change(time, pid, FileAction::Read, "/etc/shadow", None, 0)
}

fn connect_to(time: u64, pid: u32, last: u8) -> Record {
    let mut record = connect(time, pid, u64::from(last) + 100, 443, 6);
    if let RecordBody::Connect(connect) = &mut record.body {
        connect.address = IpAddr::from([10, 0, 0, last]);
    }
    record
}

fn close(time: u64, pid: u32, socket: u64, bytes_sent: u64) -> Record {
    let close = Close { socket, bytes_sent, bytes_received: 0, failure: None, is_share: false };
    record(time, pid, RecordBody::Close(close))
}

fn tool(time: u64, pid: u32) -> Record {
    exec(time, pid, 1, "/usr/bin/tool", &["tool"])
}

/// As from a second process that has the pid of one that ended.
fn again(record: Record) -> Record {
    let actor = Actor { start_time: record.actor.start_time + 1, ..record.actor };
    Record { actor, ..record }
}

fn at(seconds: u64) -> u64 {
    START + seconds * SECOND
}

/// The findings among accounts: title, pids of the steps, group.
fn found(accounts: &[Account]) -> Vec<(&str, Vec<u32>, &Correlation)> {
    let of = |account: &'_ Account| {
        let (started, others): (Vec<&Step>, Vec<&Step>) =
            account.steps.iter().partition(|step| matches!(step.action, Action::Executed { .. }));
        // Where the matches are no starts, those only say who it was.
        let matches = if others.is_empty() { started } else { others };
        matches.into_iter().map(|step| step.pid).collect()
    };
    accounts
        .iter()
        .filter_map(|account| {
            let title = account.detections().next()?.title.as_str();
            Some((title, of(account), account.correlation()?))
        })
        .collect()
}

#[test]
fn a_secret_is_read_and_then_a_connection_made() {
    let start = || tool(at(0), 4);
    let cases: [(&str, &str, Vec<Record>, usize); 7] = [
        ("in order", "ProcessId", vec![start(), read(at(1), 4), connect_to(at(2), 4, 2)], 1),
        ("connected before", "ProcessId", vec![start(), connect_to(at(1), 4, 2), read(at(2), 4)], 0),
        (
            // fanotify tells of files later than the ring of connections.
            "the record of the read comes late",
            "ProcessId",
            vec![start(), connect_to(at(2), 4, 2), read(at(1), 4)],
            1,
        ),
        (
            "another process",
            "ProcessId",
            vec![start(), tool(at(0), 5), read(at(1), 4), connect_to(at(2), 5, 2)],
            0,
        ),
        (
            "another one of the container, the first has ended",
            "ContainerId",
            vec![start(), read(at(1), 4), exit(at(1), 4), tool(at(2), 5), connect_to(at(2), 5, 2)],
            1,
        ),
        (
            "its pid is used again",
            "ProcessId",
            vec![
                start(),
                read(at(1), 4),
                exit(at(2), 4),
                again(tool(at(3), 4)),
                again(connect_to(at(3), 4, 2)),
            ],
            0,
        ),
        ("beyond the timespan", "ProcessId", vec![start(), read(at(0), 4), connect_to(at(61), 4, 2)], 0),
    ];
    for (case, by, records, expected) in cases {
        let mut pipeline = pipeline_of(&theft(by));
        feed(&mut pipeline, records);
        let accounts = pipeline.accounts(at(70));
        let found = found(&accounts);
        assert_eq!(found.len(), expected, "{case}: {found:?}");
        assert_eq!(accounts.len(), expected, "{case}: its rules say nothing by themselves");
        if let Some((title, pids, finding)) = found.first() {
            assert_eq!((*title, pids.len(), finding.matches), ("Theft", 2, 2), "{case}");
            let actions = accounts[0].steps.iter().map(|step| &step.action);
            let actions: Vec<_> =
                actions.filter(|action| !matches!(action, Action::Executed { .. })).collect();
            assert!(matches!(actions[..], [Action::Read { .. }, Action::Connected { .. }]), "{actions:?}");
        }
    }
}

#[test]
fn bytes_of_a_container_add_up_over_its_connections() {
    let mut pipeline = pipeline_of(&upload());
    feed(&mut pipeline, [tool(at(0), 4), tool(at(0), 5), connect_to(at(1), 4, 2), connect_to(at(1), 5, 3)]);
    feed(&mut pipeline, [exit(at(2), 4), close(at(2) + 1, 4, 102, 6_000)]);
    assert!(pipeline.accounts(at(3)).is_empty());
    // The process is gone, its container goes on.
    feed(&mut pipeline, [close(at(4), 5, 103, 4_001)]);
    let accounts = pipeline.accounts(SOON);
    let [(title, pids, finding)] = &found(&accounts)[..] else { panic!("one: {accounts:?}") };
    assert_eq!((*title, &pids[..]), ("Upload", &[4, 5][..]));
    assert!((finding.value - 10_001.0).abs() < f64::EPSILON, "{}", finding.value);
    assert_eq!(finding.group, [("ContainerId".to_owned(), Some(ID.to_owned()))]);
    let bytes = accounts[0].steps.iter().filter_map(|step| {
        let Action::Disconnected { bytes_sent, .. } = step.action else { return None };
        Some(bytes_sent)
    });
    assert_eq!(bytes.sum::<u64>(), 10_001, "each connection once");
}

#[test]
fn a_process_that_connects_to_many_is_told_once_and_what_follows_counted() {
    let mut pipeline = pipeline_of(&scan());
    feed(&mut pipeline, [tool(at(0), 4), tool(at(0), 5)]);
    // Out of order, twice to one of them; another process has a count of its own.
    let to = [(2, 4, 2), (1, 4, 3), (3, 4, 2), (3, 5, 4), (4, 5, 5)];
    feed(&mut pipeline, to.map(|(time, pid, last)| connect_to(at(time), pid, last)));
    assert!(pipeline.accounts(at(5)).is_empty());
    feed(&mut pipeline, [connect_to(at(6), 4, 6)]);
    let accounts = pipeline.accounts(SOON);
    let [(title, pids, finding)] = &found(&accounts)[..] else { panic!("one: {accounts:?}") };
    assert_eq!(
        (*title, pids.len(), finding.matches, finding.repeats),
        ("Scan", 3, 4, 0),
        "one of them twice"
    );
    assert_eq!(finding.duration, 5 * SECOND);
    assert!(accounts[0].time <= at(1));
    feed(&mut pipeline, (7..12).map(|last| connect_to(at(7), 4, last)));
    assert!(pipeline.accounts(SOON + SECOND).is_empty(), "not again so soon");
}

#[test]
fn starts_of_a_program_are_counted_by_container() {
    let mut pipeline = pipeline_of(&burst());
    feed(&mut pipeline, [tool(at(0), 4), exit(at(0), 4), tool(at(1), 5), tool(at(62), 6), tool(at(63), 7)]);
    assert!(pipeline.accounts(at(64)).is_empty(), "not three within a minute");
    let mut elsewhere = tool(at(64), 8);
    if let RecordBody::Exec(exec) = &mut elsewhere.body {
        exec.cgroup = exec.cgroup.replace("8f3a", "0000");
    }
    elsewhere.actor = Actor { cgroup_id: 78, mnt_ns: 15, pid_ns: 16, ..elsewhere.actor };
    feed(&mut pipeline, [elsewhere, tool(at(65), 9)]);
    let accounts = pipeline.accounts(at(70));
    let [(title, pids, _)] = &found(&accounts)[..] else { panic!("one: {accounts:?}") };
    assert_eq!((*title, &pids[..]), ("Burst", &[6, 7, 9][..]));
    let account = &accounts[0];
    assert_eq!(account.process.key.pid, 9, "of the last step");
    assert_eq!(account.container.as_ref().map(|container| container.id.as_str()), Some(ID));
    assert_eq!(pipeline.passed().correlated, 1);
}

#[test]
fn what_waits_for_a_containers_name_is_joined_when_that_is_there() {
    let mut pipeline = pipeline_of(&theft("ContainerName"));
    feed(&mut pipeline, [tool(at(0), 4), read(at(1), 4), connect_to(at(2), 4, 2), exit(at(2), 4)]);
    assert!(pipeline.accounts(at(4)).is_empty(), "whose it is is not known");
    pipeline.containers.complete(ID, named("shop/web:1"));
    let accounts = pipeline.accounts(at(5));
    let [(title, _, finding)] = &found(&accounts)[..] else { panic!("one: {accounts:?}") };
    assert_eq!(*title, "Theft");
    assert_eq!(finding.group, [("ContainerName".to_owned(), Some("web".to_owned()))]);
    assert_eq!(accounts[0].container.as_ref().and_then(|it| it.name.as_deref()), Some("web"));
    assert!(pipeline.undecided(at(20), true).is_empty());
    // A name that never comes is told as what it left open.
    let mut pipeline = pipeline_of(&theft("ContainerName"));
    feed(&mut pipeline, [tool(at(0), 4), read(at(1), 4)]);
    assert!(pipeline.drain().is_empty());
    let losses = pipeline.undecided(at(5), true);
    let told: Vec<_> = losses.iter().map(|loss| (loss.what.as_str(), loss.count)).collect();
    assert_eq!(told, [("match of \"Theft\"", 1)]);
}

#[test]
fn a_rule_that_matches_late_is_joined_with_its_own_time() {
    let foreign = member(2, "connects", "network_connection", "ContainerImage: shop/web:1");
    let [secret, _, theft] = theft("ProcessId");
    for (image, expected) in [("shop/web:1", 1), ("shop/other:1", 0)] {
        let mut pipeline = pipeline_of(&[secret.clone(), foreign.clone(), theft.clone()]);
        feed(&mut pipeline, [tool(at(0), 4), read(at(1), 4), connect_to(at(2), 4, 2)]);
        assert!(pipeline.accounts(at(4)).is_empty());
        pipeline.containers.complete(ID, named(image));
        let accounts = pipeline.accounts(at(5));
        assert_eq!(found(&accounts).len(), expected, "{image}");
        assert!(accounts.first().is_none_or(|account| account.time <= at(1)));
    }
}

#[test]
fn a_finding_told_before_its_containers_name_is_told_again_with_it() {
    let mut pipeline = pipeline_of(&theft("ProcessId"));
    feed(&mut pipeline, [tool(at(0), 4), read(at(1), 4), connect_to(at(2), 4, 2)]);
    let first = pipeline.accounts(at(3));
    assert_eq!((found(&first).len(), first[0].is_amendment), (1, false));
    pipeline.containers.complete(ID, named("shop/web:1"));
    let second = pipeline.accounts(at(4));
    assert_eq!((found(&second).len(), second[0].is_amendment), (1, true));
    assert_eq!(second[0].number, first[0].number);
    assert_eq!(found(&second), found(&first), "the same finding");
    assert!(pipeline.accounts(at(30)).is_empty());
}

#[test]
fn two_groups_of_one_process_tree_are_two_findings_of_its_story() {
    let loud = member(2, "connects", "network_connection", "Initiated: true");
    let body = "type: event_count\nrules: [connects]\ngenerate: true\ngroup-by: [DestinationIp]\ntimespan: 1m\n\
                condition:\n  gte: 2";
    let mut pipeline = pipeline_of(&[loud, correlation("Often", body)]);
    feed(&mut pipeline, [tool(at(0), 4)]);
    for (time, last) in [(1, 2), (2, 3), (3, 2), (4, 3)] {
        feed(&mut pipeline, [connect_to(at(time), 4, last), close(at(time), 4, u64::from(last) + 100, 1)]);
    }
    let accounts = pipeline.accounts(SOON);
    let [account] = accounts.as_slice() else { panic!("one story: {}", accounts.len()) };
    let titles: Vec<&str> = account.detections().map(|it| it.title.as_str()).collect();
    assert_eq!(titles, ["Often", "connects"], "`generate`: the rule is told by itself, too");
    let proofs = account.evidence.iter().filter_map(|proof| proof.correlation.as_deref());
    let groups: Vec<_> = proofs.map(|finding| finding.group[0].1.clone()).collect();
    assert_eq!(groups, [Some("10.0.0.2".to_owned()), Some("10.0.0.3".to_owned())]);
}

#[test]
fn what_a_filter_keeps_back_is_counted_and_joins_nothing() {
    let site = |selection: &str| {
        format!(
            "title: Site\nid: 3d1f1a52-8c0e-4f2b-9d57-0f6d5d9b7e01\n\
             logsource: {{product: linux, category: network_connection}}\n\
             filter:\n  rules: [connects]\n  s:\n    {selection}\n  condition: s\n"
        )
    };
    for (selection, expected, suppressed) in [
        ("Image: /usr/bin/tool", 0, 1),
        ("Image: /usr/bin/other", 1, 0),
        // Known when the container is named.
        ("ContainerImage: shop/web:1", 0, 1),
        ("ContainerImage: shop/other:1", 1, 0),
    ] {
        let documents = [theft("ProcessId").to_vec(), vec![site(selection)]].concat();
        let mut pipeline = pipeline_of(&documents);
        feed(&mut pipeline, [tool(at(0), 4), read(at(1), 4), connect_to(at(2), 4, 2)]);
        pipeline.containers.complete(ID, named("shop/web:1"));
        let accounts = pipeline.accounts(at(5));
        assert_eq!(found(&accounts).len(), expected, "{selection}");
        assert_eq!(pipeline.passed().suppressed, suppressed, "{selection}");
    }
}

#[test]
fn what_belongs_to_a_process_or_container_ends_a_little_after_it() {
    for (by, end) in [
        ("ProcessId", exit(at(2), 4)),
        ("ContainerId", Record { time: at(2), actor: actor(1), body: RecordBody::CgroupRemove(cgroup()) }),
    ] {
        let mut pipeline = pipeline_of(&theft(by));
        feed(&mut pipeline, [tool(at(0), 4), read(at(1), 4), end]);
        assert!(pipeline.accounts(at(10)).is_empty());
        assert_eq!(pipeline.correlations.stats().groups, 1, "{by}: what comes late has its place");
        assert!(pipeline.accounts(at(18)).is_empty());
        assert_eq!(pipeline.correlations.stats().groups, 0, "{by}");
    }
    // A container that was started again under its id has not ended.
    let mut pipeline = pipeline_of(&theft("ContainerId"));
    let ended = Record { time: at(2), actor: actor(1), body: RecordBody::CgroupRemove(cgroup()) };
    let mut restarted = tool(at(3), 5);
    restarted.actor.cgroup_id = 78;
    feed(&mut pipeline, [tool(at(0), 4), read(at(1), 4), ended, restarted]);
    assert!(pipeline.accounts(at(18)).is_empty());
    assert_eq!(pipeline.correlations.stats().groups, 1);
}

fn cgroup() -> Cgroup {
    Cgroup { id: 77, hierarchy: 0, path: format!("/docker/{ID}"), target_pid: 0, target_start_time: 0 }
}

#[test]
fn windows_that_are_over_are_decided_without_a_record() {
    let body =
        "type: event_count\nrules: [starts]\ngroup-by: [ContainerId]\ntimespan: 10s\ncondition:\n  lt: 3";
    let [starts, _] = burst();
    let mut pipeline = pipeline_of(&[starts, correlation("Few", body)]);
    feed(
        &mut pipeline,
        [exec(at(0), 3, 1, "/bin/sh", &["sh"]), exec(at(0), 4, 3, "/usr/bin/tool", &["tool"])],
    );
    let mut told = Vec::new();
    for second in 1..60 {
        told.extend(pipeline.accounts(at(second)));
    }
    let [(title, pids, _)] = &found(&told)[..] else { panic!("one: {told:?}") };
    assert_eq!((*title, &pids[..]), ("Few", &[4][..]));
    assert!(told[0].ancestors.len() <= LINEAGE_MAX);
    assert_eq!(told[0].ancestors.first().map(|parent| parent.command_line()), Some("sh"));
}

#[test]
fn what_may_be_used_again_belongs_to_someone() {
    use sigma::{Lifetime, Taxonomy as _};
    for (name, expected) in [
        ("ProcessId", Lifetime::Process),
        ("ContainerId", Lifetime::Container),
        ("MountNamespace", Lifetime::Container),
        ("ParentProcessId", Lifetime::Lasting),
        ("ContainerName", Lifetime::Lasting),
        ("PodUid", Lifetime::Lasting),
    ] {
        let id = Fields.field(name).expect("a field");
        assert_eq!(Fields.lifetime(id), expected, "{name}");
    }
    assert_ne!(field::container_owner(ID), field::container_owner("web"));
}

#[test]
fn of_a_chain_the_outermost_is_told() {
    let [starts, burst] = burst();
    let inner = format!("name: inner\n{}", burst.replace("7d01", "7d02").replace("gte: 3", "gte: 2"));
    let body = "type: temporal_ordered\nrules: [inner, connects]\ngroup-by: [ContainerId]\ntimespan: 1m";
    let mut pipeline = pipeline_of(&[starts, connects(), inner, correlation("Outer", body)]);
    feed(&mut pipeline, [tool(at(0), 4), connect_to(at(1), 4, 2), tool(at(2), 5), connect_to(at(3), 5, 2)]);
    let accounts = pipeline.accounts(SOON);
    let [(title, pids, _)] = &found(&accounts)[..] else { panic!("one: {accounts:?}") };
    assert_eq!((*title, pids.last()), ("Outer", Some(&5)));
    assert_eq!((accounts.len(), pipeline.passed().correlated), (1, 2));
}
