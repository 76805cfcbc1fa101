//! What becomes of files.

use super::*;
use crate::decode::FileNames;

fn change(time: u64, pid: u32, action: FileAction, path: &str, bytes: Option<u64>, size: u64) -> Record {
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
