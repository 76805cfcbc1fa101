//! What becomes of files.

use super::*;
use crate::decode::FileNames;

pub(super) fn change(
    time: u64,
    pid: u32,
    action: FileAction,
    path: &str,
    bytes: Option<u64>,
    size: u64,
) -> Record {
    use sensor_ebpf::wire::file::Change as Flags;
    let flags = Flags::FROM_MOUNT | if bytes.is_some() { Flags::BYTES_EXACT } else { 0 };
    let change = ChangeRecord {
        file: FileId::default(),
        path: path.to_owned(),
        is_from_mount: true,
        bytes: bytes.unwrap_or(0),
        size,
        mode: 0,
        flags,
    };
    record(time, pid, RecordBody::File(action, change))
}

#[test]
fn what_becomes_of_a_file_is_told() {
    let mut pipeline = pipeline();
    let start = 90_000 * MILLISECOND;
    let at = |milliseconds: u64| start + milliseconds * MILLISECOND;
    let link = FileNames {
        file: FileId::default(),
        is_symbolic: false,
        from: "/layer/t/b".to_owned(),
        to: "/layer/t/c".to_owned(),
    };
    feed(
        &mut pipeline,
        [
            exec(start, 90, 1, "/usr/bin/curl", CURL),
            change(at(1), 90, FileAction::Write, "/t/a", None, 0),
            change(at(2), 90, FileAction::Close, "/t/a", Some(4096), 4096),
            change(at(3), 90, FileAction::Close, "/t/a", Some(4), 4100),
            // Open to write and not written.
            change(at(4), 90, FileAction::Close, "/t/idle", Some(0), 7),
            change(at(5), 90, FileAction::Mode, "/t/a", None, 4100),
            record(
                at(6),
                90,
                RecordBody::Name(
                    FileAction::Rename,
                    FileNames { from: "/layer/t/a".to_owned(), to: "/layer/t/b".to_owned(), ..link.clone() },
                ),
            ),
            record(at(7), 90, RecordBody::Name(FileAction::Link, link)),
            change(at(8), 90, FileAction::Delete, "/t/b", None, 0),
            change(at(9), 90, FileAction::Read, "/etc/shadow", None, 0),
            change(at(10), 90, FileAction::Read, "/srv/shadow", None, 0),
        ],
    );
    assert_eq!(pipeline.passed().no_secrets, 1, "/srv/shadow only looks like one");
    let accounts = pipeline.drain();
    let [account] = accounts.as_slice() else { panic!("one account, got {}", accounts.len()) };
    let actions: Vec<Action> = account.steps.iter().skip(1).map(|step| step.action.clone()).collect();
    let path = |path: &str| path.to_owned();
    assert_eq!(
        actions,
        [
            Action::Wrote { path: path("/t/a"), bytes: Some(4100), size: Some(4100) },
            Action::MadeExecutable { path: path("/t/a") },
            Action::Renamed { from: path("/t/a"), to: path("/t/b") },
            Action::Linked { from: path("/t/b"), to: path("/t/c") },
            Action::Deleted { path: path("/t/b") },
            Action::Read { path: path("/etc/shadow") },
        ]
    );
}

#[test]
fn who_wants_to_see_all_gets_what_no_rule_looks_at() {
    let start = 90_000 * MILLISECOND;
    let records = || {
        [
            exec(start, 90, 1, "/bin/true", &["true"]),
            change(start + MILLISECOND, 90, FileAction::Write, "/t/a", None, 0),
        ]
    };
    let mut unobserved = pipeline();
    feed(&mut unobserved, records());
    assert_eq!(unobserved.observed().count(), 0);

    let mut observed = pipeline();
    observed.observe();
    feed(&mut observed, records());
    let events: Vec<_> = observed.observed().map(|event| event.category()).collect();
    assert_eq!(events, [Category::ProcessCreation, Category::ContainerEvent, Category::FileEvent]);
    assert_eq!(observed.observed().count(), 0, "each is handed out once");
}

fn seen(pipeline: &mut Pipeline, milliseconds: u64, pid: u32, deed: HostDeed) {
    let time = 100_000 * MILLISECOND + milliseconds * MILLISECOND;
    pipeline.host_file(HostFile { time, pid, deed }, &mut Paper::default());
}

fn stat(inode: u64, size: u64) -> HostStat {
    HostStat { inode, size, links: 1, is_regular: true, born: Some(0), ..HostStat::default() }
}

/// What a story of curl tells after what fanotify saw of it.
fn told(deeds: impl IntoIterator<Item = HostDeed>) -> Vec<Action> {
    let mut pipeline = pipeline();
    feed(&mut pipeline, [exec(100_000 * MILLISECOND, 91, 1, "/usr/bin/curl", CURL)]);
    for (milliseconds, deed) in (1..).zip(deeds) {
        seen(&mut pipeline, milliseconds, 91, deed);
    }
    let accounts = pipeline.drain();
    let [account] = accounts.as_slice() else { panic!("one account, got {}", accounts.len()) };
    account.steps.iter().skip(1).map(|step| step.action.clone()).collect()
}

fn path(name: &str) -> String {
    format!("/layer/t/{name}")
}

fn wrote(name: &str, size: u64) -> Action {
    Action::Wrote { path: format!("/t/{name}"), bytes: None, size: Some(size) }
}

#[test]
fn a_file_made_and_written_at_once_is_written() {
    let made = HostDeed::Created { path: path("a"), stat: Some(stat(1, 7)) };
    let again = HostDeed::Created { path: path("a"), stat: Some(stat(1, 9)) };
    assert_eq!(told([made, again]), [Action::Wrote { path: "/t/a".to_owned(), bytes: None, size: None }]);
    let empty = HostDeed::Created { path: path("a"), stat: Some(stat(1, 0)) };
    assert_eq!(told([empty]), [Action::Opened { path: "/t/a".to_owned() }]);
    let link = HostDeed::Created { path: path("b"), stat: Some(HostStat { links: 2, ..stat(1, 7) }) };
    assert_eq!(told([link]), [Action::Linked { from: String::new(), to: "/t/b".to_owned() }]);
    let directory = HostDeed::Created { path: path("d"), stat: Some(HostStat::default()) };
    assert_eq!(told([directory]), []);
}

#[test]
fn a_close_tells_the_size_and_a_write_that_nobody_saw() {
    let close = |stat| HostDeed::Closed { path: path("a"), stat };
    assert_eq!(told([close(Some(stat(1, 7)))]), [wrote("a", 7)]);
    assert_eq!(told([close(Some(stat(1, 7))), close(Some(stat(1, 9)))]), [wrote("a", 9)]);
    let old = HostStat { changed: 5_000 * MILLISECOND, ..stat(1, 7) };
    assert_eq!(told([close(Some(old))]), [], "open for writing, and not written");
    assert_eq!(told([close(Some(stat(1, 0)))]), []);
    assert_eq!(told([close(None)]), [], "gone");
}

#[test]
fn a_change_of_mode_is_told_where_it_is_one() {
    let changed = |stat| HostDeed::Changed { path: path("a"), stat: Some(stat) };
    let plain = stat(1, 7);
    let program = HostStat { is_executable: true, ..plain };
    let made = Action::MadeExecutable { path: "/t/a".to_owned() };
    assert_eq!(told([changed(program)]), std::slice::from_ref(&made), "it is new");
    assert_eq!(told([changed(program), changed(program)]), std::slice::from_ref(&made), "touched");
    let old = HostStat { born: Some(3_600_000 * MILLISECOND), ..program };
    assert_eq!(told([changed(old)]), [], "chown of an old program looks the same");
    let before = HostStat { is_executable: false, ..old };
    assert_eq!(told([changed(before), changed(old)]), [made], "seen before without");
    assert_eq!(told([changed(plain)]), []);
}

#[test]
fn an_overlay_hides_what_is_deleted() {
    let renamed = |from: &str, to: String, is_whiteout| HostDeed::Renamed {
        from: from.to_owned(),
        to,
        stat: Some(HostStat { is_whiteout, ..HostStat::default() }),
    };
    let deleted = Action::Deleted { path: "/t/low".to_owned() };
    assert_eq!(told([renamed("/work/#1", path("low"), true)]), std::slice::from_ref(&deleted));
    assert_eq!(told([renamed("/work/#1", path("low"), false)]), [], "copied up");
    assert_eq!(told([HostDeed::Deleted { path: "/work/#1".to_owned() }]), []);
    assert_eq!(told([HostDeed::Deleted { path: path("low") }]), [deleted]);
}

#[test]
fn secrets_are_told_as_they_were_looked_for() {
    let opened = HostDeed::Opened { path: "/root/.ssh/id_rsa".to_owned() };
    assert_eq!(told([opened]), [Action::Read { path: "/root/.ssh/id_rsa".to_owned() }]);
}

#[test]
fn a_file_without_a_name_is_told_when_it_has_one() {
    let mut pipeline = pipeline();
    let start = 100_000 * MILLISECOND;
    feed(&mut pipeline, [exec(start, 91, 1, "/usr/bin/curl", CURL), write(start + 1, 91, "/")]);
    let linked = HostDeed::Created { path: path("a"), stat: Some(stat(1, 7)) };
    seen(&mut pipeline, 1, 91, linked);
    let accounts = pipeline.drain();
    let files: Vec<_> = accounts.iter().flat_map(|account| account.steps.iter().skip(1)).collect();
    let [step] = files.as_slice() else { panic!("{files:?}") };
    assert!(matches!(&step.action, Action::Wrote { path, .. } if path == "/t/a"));
}

#[test]
fn a_rule_on_files_sees_processes_of_no_story() {
    const RULE: &str = "title: t\nid: 3d1f1a52-8c0e-4f2b-9d57-0f6d5d9b7c11\nstatus: test\nlevel: low\n\
        logsource:\n  product: linux\n  category: file_event\n\
        detection:\n  a:\n    TargetFilename: /b\n  condition: a\n";
    let set = RuleSet::load([sigma::Source::new("file", RULE)], &Fields, &sigma::Placeholders::default())
        .expect("the rule loads");
    let engine = Engine::new(set);
    let detections = Catalogue::default().bind(engine.rules()).expect("and binds");
    let mut pipeline = Pipeline::new(engine, detections, Stories::default());
    let start = 70_000 * MILLISECOND;
    feed(
        &mut pipeline,
        [exec(start, 70, 1, "/usr/bin/cp", &["cp", "/a", "/b"]), write(start, 70, "/layer/b")],
    );
    assert_eq!(pipeline.drain().len(), 1);
}

/// curl writes into a pipe, tar out of it into a file: what tar wrote came from where curl was.
#[test]
fn a_program_written_from_a_pipe_came_from_where_the_pipe_was_fed() {
    use sensor_ebpf::wire::process::Stream;
    let mut pipeline = pipeline();
    let pipe = Stream { mode: 0o010_600, inode: 900, ..Stream::default() };
    let mut curl = exec(MILLISECOND, 90, 1, "/usr/bin/curl", &["curl", "http://10.0.0.2/x"]);
    let mut tar = exec(MILLISECOND, 91, 1, "/usr/bin/tar", &["tar", "x"]);
    let (RecordBody::Exec(from), RecordBody::Exec(to)) = (&mut curl.body, &mut tar.body) else { panic!() };
    (from.streams[1], to.streams[0]) = (pipe, pipe);
    let dropped = FileId { inode: 7, device: 1, generation: 0 };
    let mut written = write(4 * MILLISECOND, 91, "/tmp/x");
    let RecordBody::File(_, change) = &mut written.body else { panic!() };
    change.file = dropped;
    let mut run = exec(9 * MILLISECOND, 92, 1, "/tmp/x", &["/tmp/x"]);
    let RecordBody::Exec(started) = &mut run.body else { panic!() };
    started.file = dropped;
    let connected = connect(2 * MILLISECOND, 90, 0xabc, 80, 6);
    feed(&mut pipeline, [curl, tar, connected, written, run]);
    let event = event_of(&mut pipeline, 92, Body::ProcessCreation);
    assert_eq!(values(&event, Field::ExeWriterImage), ["/usr/bin/tar"]);
    assert_eq!(values(&event, Field::ExeWriterBytesReceived), ["0"], "connected, nothing counted yet");
}
