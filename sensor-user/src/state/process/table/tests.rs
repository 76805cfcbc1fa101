//! Lives of processes: forks, execs, exits, and the inventory between them.

use super::abridge::FRESH_KEPT;
use super::*;
use crate::state::process::{Executable, Session};
use crate::state::standing::Claim;

const SECOND: u64 = 1_000_000_000;

fn key(pid: u32, start_time: u64) -> ProcessKey {
    ProcessKey { pid, start_time }
}

fn exec(key: ProcessKey, parent: Option<ProcessKey>, path: &str, container: Option<&str>) -> Process {
    Process {
        key,
        parent,
        executable: Executable { path: path.to_owned(), ..Executable::default() },
        arguments: vec![path.to_owned(), "-x".to_owned()].into(),
        arguments_truncated: false,
        command: None,
        session: Session::default(),
        directory: Some("/".to_owned()),
        comm: "x".to_owned(),
        uid: 0,
        gid: 0,
        effective_uid: 0,
        mnt_ns: 1,
        pid_ns: 1,
        cgroup_id: 1,
        container: container.map(Into::into),
        standing: Standing::default(),
        exec_time: key.start_time,
    }
}

fn fork(parent: ProcessKey, child: ProcessKey, container: Option<&str>) -> Fork {
    Fork {
        parent,
        child,
        uid: 0,
        gid: 0,
        mnt_ns: 1,
        pid_ns: 1,
        cgroup_id: 1,
        container: container.map(Into::into),
        comm: "x".to_owned(),
    }
}

/// Ancestors by the key alone: empty where the process is not known.
fn line(table: &mut ProcessTable, key: ProcessKey) -> Vec<Arc<Process>> {
    let Some(process) = table.get(key) else { return Vec::new() };
    table.ancestors(&process, 16)
}

fn paths(line: &[Arc<Process>]) -> Vec<&str> {
    line.iter().map(|process| process.executable.path.as_str()).collect()
}

#[test]
fn lineage_goes_through_parents_that_have_exited() {
    let (a, b, c) = (key(10, SECOND), key(11, 2 * SECOND), key(12, 3 * SECOND));
    let mut table = ProcessTable::default();
    table.insert_exec(exec(a, None, "/bin/sh", Some("web")));
    table.insert_fork(fork(a, b, None));
    table.insert_fork(fork(b, c, None));
    table.exit(b, 4 * SECOND);
    table.exit(a, 5 * SECOND);
    assert_eq!(table.before(c, None).0, Claim::Container("web".into()), "inherited twice");
    // Adopted by init meanwhile: the record names it, the fork knew better.
    table.insert_exec(exec(c, Some(key(1, 1)), "/bin/wget", None));
    let line = line(&mut table, c);
    assert_eq!(paths(&line), ["/bin/sh", "/bin/sh"]);
    assert_eq!((line[0].key, line[1].key), (b, a));
    let process = table.get(c).unwrap();
    assert_eq!(table.ancestors(&process, 1).len(), 1);
}

#[test]
fn a_fork_runs_its_parents_program_under_its_own_identity() {
    let (a, b) = (key(10, SECOND), key(11, 2 * SECOND + 7));
    let mut table = ProcessTable::default();
    table.insert_exec(exec(a, None, "/usr/sbin/nginx", Some("web")));
    table.insert_fork(Fork { uid: 33, ..fork(a, b, None) });
    let child = table.get_by_pid(11, 0).unwrap();
    assert_eq!((child.key, child.parent, child.uid, child.exec_time), (b, Some(a), 33, b.start_time));
    assert_eq!((child.command_line(), child.container.as_deref()), ("/usr/sbin/nginx -x", Some("web")));
}

#[test]
fn a_child_is_where_its_parent_is_and_a_strangers_where_its_cgroup_says() {
    let (a, b, c) = (key(10, SECOND), key(11, 2 * SECOND), key(12, 3 * SECOND));
    let mut table = ProcessTable::default();
    table.insert_exec(exec(a, None, "/usr/bin/dockerd", None));
    table.insert_fork(fork(a, b, Some("web")));
    assert_eq!(table.get(b).unwrap().container, None, "put into a cgroup at birth, and no program run there");
    assert_eq!(table.before(b, None).0, Claim::Host);
    table.insert_fork(fork(key(99, SECOND), c, Some("web")));
    assert_eq!(table.before(c, None).0, Claim::Container("web".into()));
    table.insert_fork(fork(key(99, SECOND), key(13, 4 * SECOND), None));
    assert_eq!(table.before(key(13, 4 * SECOND), None).0, Claim::Unknown, "nobody knows where it was");
    assert_eq!(table.before(key(14, 5 * SECOND), Some(a)).0, Claim::Host, "its parent speaks for it");
}

#[test]
fn strangers_are_those_of_a_cgroup_who_are_in_no_container() {
    let mut table = ProcessTable::default();
    let (runc, web, child) = (key(1, 1_000 * TICK), key(2, 2_000 * TICK), key(3, 3_000 * TICK));
    table.insert_exec(exec(runc, None, "/usr/bin/runc", None));
    table.insert_exec(Process { cgroup_id: 77, ..exec(web, Some(runc), "/bin/web", None) });
    table.insert_fork(Fork { cgroup_id: 77, ..fork(web, child, None) });
    table.insert_exec(Process { cgroup_id: 77, ..exec(key(4, 3_000 * TICK), None, "/bin/x", Some("other")) });
    table.exit(web, 4_000 * TICK);
    assert_eq!(table.strangers(77), [web, child]);
}

#[test]
fn the_inventory_and_a_record_within_a_tick_are_one_process() {
    let (seen, exact) = (key(10, 100 * TICK), key(10, 100 * TICK + 9_999_999));
    let mut table = ProcessTable::default();
    table.seed([exec(seen, None, "/bin/sh", None), exec(key(11, 101 * TICK), Some(seen), "/bin/cat", None)]);
    // A fork record made before the inventory but read after it.
    table.insert_fork(fork(exact, key(11, 101 * TICK + 5), None));
    assert_eq!(table.get(exact).unwrap().key, exact);
    assert_eq!(table.get(seen).unwrap().key, exact, "what was learnt stays");
    let line = line(&mut table, key(11, 101 * TICK + 5));
    assert_eq!((paths(&line), line[0].key), (vec!["/bin/sh"], exact));
    assert_eq!(table.get_by_pid(11, 0).unwrap().executable.path, "/bin/cat", "the inventory saw more");
    let stats = table.stats();
    assert_eq!((stats.live, stats.exited, stats.merged, stats.exit_missed), (2, 0, 2, 0));
    // One tick later it is another process, and the first must have ended.
    table.insert_fork(fork(key(11, 101 * TICK), key(10, 101 * TICK), None));
    assert_eq!((table.stats().live, table.stats().exited, table.stats().exit_missed), (2, 1, 1));
}

#[test]
fn the_exited_stay_ten_minutes_where_somebody_may_ask_for_them() {
    let (shell, child, author, leaf) = (key(10, SECOND), key(11, SECOND), key(12, SECOND), key(13, SECOND));
    let mut table = ProcessTable::default();
    for process in [shell, child, author, leaf] {
        let arguments = vec!["sh".to_owned(), "-c".to_owned(), "x".to_owned()];
        let session = Session { environment: vec!["A=b".to_owned()], ..Session::default() };
        let parent = (process == child).then_some(shell);
        let process =
            Process { arguments: arguments.into(), session, ..exec(process, parent, "/bin/sh", None) };
        table.insert_exec(process);
    }
    table.note_author(author);
    for process in [shell, author, leaf] {
        assert!(table.exit(process, 2 * SECOND).is_some());
    }
    assert_eq!(table.sweep(2 * SECOND + FRESH_KEPT - 1).exited, 3);
    assert_eq!(table.get(shell).unwrap().arguments.iter().len(), 3, "whole, for records that come late");
    let stats = table.sweep(2 * SECOND + FRESH_KEPT);
    assert_eq!((stats.exited, stats.expired), (2, 1), "nobody is below who wrote nothing and forked nobody");

    assert_eq!(table.sweep(2 * SECOND + EXITED_KEPT - 1).exited, 2);
    assert!(table.get(shell).is_some() && table.get_by_pid(10, 0).is_none());
    let child = table.get(child).unwrap();
    let line = table.ancestors(&child, 16);
    assert_eq!(line[0].command_line(), "sh -c x", "as rules ask for it");
    assert!(line[0].arguments.is_empty() && line[0].session.environment.is_empty());
    let stats = table.sweep(2 * SECOND + EXITED_KEPT);
    assert_eq!((stats.exited, stats.expired), (0, 3));
    assert!(table.get(shell).is_none() && table.exit(shell, 0).is_none());
    assert_eq!(table.stats().unknown, 2 + 1, "the look-ups by pid, by key, and the exit");
}

#[test]
fn an_ancestor_goes_with_the_last_of_its_descendants() {
    let (shell, subshell, first, second) =
        (key(10, SECOND), key(11, SECOND), key(12, SECOND), key(13, SECOND));
    let mut table = ProcessTable::default();
    table.insert_exec(exec(shell, None, "/bin/sh", None));
    for (parent, child) in [(shell, subshell), (subshell, first), (subshell, second)] {
        table.insert_fork(fork(parent, child, None));
    }
    for process in [shell, subshell, first] {
        table.exit(process, 2 * SECOND);
    }
    assert_eq!(table.sweep(30 * SECOND).exited, 2, "the second child lives");
    assert_eq!(paths(&line(&mut table, second)), ["/bin/sh", "/bin/sh"]);
    table.exit(second, 31 * SECOND);
    assert_eq!(table.sweep(31 * SECOND + FRESH_KEPT).exited, 0);
    assert_eq!(table.stats().bytes, 0, "what is added is taken away again");
}

#[test]
fn a_pid_used_again_is_another_process() {
    let (first, second) = (key(10, SECOND), key(10, 2 * SECOND));
    let mut table = ProcessTable::default();
    table.insert_exec(exec(first, None, "/first", None));
    table.insert_exec(exec(second, None, "/second", None));
    assert_eq!(table.get_by_pid(10, 0).unwrap().executable.path, "/second");
    assert_eq!(table.get(first).unwrap().executable.path, "/first");
    // The first one's exit, read late, does not end the second.
    table.exit(first, 3 * SECOND);
    assert_eq!(table.stats().live, 1);
}

#[test]
fn a_flood_of_forks_pushes_out_neither_lineage_nor_daemons() {
    let (init, shell) = (key(1, 0), key(2, SECOND));
    let mut table = ProcessTable::default();
    table.insert_exec(exec(init, None, "/sbin/init", None));
    table.insert_exec(exec(shell, Some(init), "/bin/sh", None));
    let child = |number: u32| key(100 + number, 2 * SECOND + u64::from(number) * TICK);
    let (script, daemon) = (key(3, SECOND), key(4, SECOND));
    table.insert_exec(exec(script, Some(init), "/bin/start", None));
    table.insert_fork(fork(script, daemon, None));
    table.exit(script, 2 * SECOND);
    for number in 0..100_000 {
        table.insert_fork(fork(shell, child(number), None));
        table.exit(child(number), 3 * SECOND);
    }
    let stats = table.stats();
    assert_eq!((stats.live, stats.exited), (3, FRESH_MAX + 1));
    assert_eq!(stats.evicted_exited, 100_000 - FRESH_MAX as u64);
    let started = table.get(daemon).unwrap();
    assert_eq!(
        paths(&table.ancestors(&started, 16)),
        ["/bin/start", "/sbin/init"],
        "who started it has ended"
    );

    // Now they stay alive.
    for number in 100_000..200_000 {
        table.insert_fork(fork(shell, child(number), None));
    }
    let stats = table.stats();
    assert_eq!((stats.live, stats.evicted_live), (LIVE_MAX, 100_003 - LIVE_MAX as u64));
    assert_eq!(paths(&line(&mut table, child(199_999))), ["/bin/sh", "/sbin/init"]);
    assert!(table.get(shell).is_some());
    assert!(table.arrivals.len() <= 2 * LIVE_MAX + 1024);
}

#[test]
fn lost_records_leave_gaps_but_no_circles() {
    let (a, b) = (key(10, SECOND), key(11, 2 * SECOND));
    let mut table = ProcessTable::default();
    table.insert_fork(fork(a, b, None));
    assert!(line(&mut table, b).is_empty());
    assert_eq!(table.get(b).unwrap().executable.path, "", "not guessed");
    // A parent as young as its child, and its child's child.
    table.insert_exec(exec(a, Some(a), "/a", None));
    assert!(line(&mut table, b).len() <= 16);
    assert_eq!(table.stats().unknown, 1);
}

#[test]
fn long_arguments_cannot_fill_the_memory() {
    let mut table = ProcessTable::default();
    for number in 0..10_000 {
        let key = key(number, u64::from(number) * TICK);
        let arguments = vec!["x".repeat(8192)];
        table.insert_exec(Process { arguments: arguments.into(), ..exec(key, None, "/bin/sh", None) });
        if number % 2 == 0 {
            table.exit(key, key.start_time);
        }
        assert!(table.stats().bytes <= BYTES_MAX);
    }
    let stats = table.stats();
    assert!(stats.bytes > BYTES_MAX / 10 * 9 && stats.evicted_exited > 0 && stats.evicted_live > 0);
    assert_eq!(stats.live as u64 + stats.evicted_live, 5_000);
    let mut kept = Weights::default();
    table.entries.values().for_each(|entry| kept.add(&entry.memory));
    assert_eq!(stats.bytes, kept.bytes(), "what is added is taken away again");
}

/// Who may choose pids (`set_tid` of clone3) gets the same one twice within microseconds.
#[test]
fn a_pid_used_again_within_its_tick_is_another_process() {
    let parent = key(9, SECOND);
    let lives: Vec<_> = (0..3).map(|number| key(10, 2 * SECOND + 7 + number * 1000)).collect();
    let mut table = ProcessTable::default();
    table.insert_exec(exec(parent, None, "/bin/sh", None));
    for (number, life) in lives.iter().enumerate() {
        table.insert_fork(fork(parent, *life, Some("web")));
        table.insert_exec(exec(*life, None, &format!("/{number}"), None));
        // Ends are read last of what came at once: the first ends after the second began.
        if let Some(before) = number.checked_sub(1) {
            table.exit(lives[before], 2 * SECOND + 8);
        }
    }
    for (number, life) in lives.iter().enumerate() {
        let process = table.get(*life).unwrap();
        assert_eq!((process.key, process.executable.path.clone()), (*life, format!("/{number}")));
        assert_eq!(table.is_live(*life), Some(number == 2));
    }
    assert_eq!(table.get_by_pid(10, 0).unwrap().key, lives[2]);
    assert_eq!(table.stats().live, 2);
}

/// The inventory met the first of a pid, and a record of the next came within the same tick.
#[test]
fn what_the_inventory_knows_by_the_tick_is_one_process_only() {
    let (seen, exact) = (key(10, 100 * TICK), key(10, 100 * TICK + 5));
    let next = key(10, 100 * TICK + 9);
    let mut table = ProcessTable::default();
    table.seed([exec(seen, None, "/first", None)]);
    assert_eq!(table.get(exact).unwrap().executable.path, "/first");
    table.insert_fork(fork(key(9, SECOND), next, None));
    table.insert_exec(exec(next, None, "/next", None));
    assert_eq!(table.get(exact).unwrap().executable.path, "/first");
    assert_eq!(table.get(next).unwrap().executable.path, "/next");
    assert_eq!((table.stats().live, table.stats().exited), (1, 1));
}

/// The parent ended between the attach and the inventory, which then names who adopted the child.
#[test]
fn the_inventory_does_not_hide_who_made_a_process() {
    let (init, shell, child) = (key(1, 0), key(10, 90 * TICK), key(11, 100 * TICK + 5));
    let mut table = ProcessTable::default();
    let adopted = exec(key(11, 100 * TICK), Some(init), "/bin/sleep", None);
    table.seed([exec(init, None, "/sbin/init", None), adopted]);
    // A record that names nobody known is no better than the adoption.
    table.insert_fork(fork(shell, child, None));
    assert_eq!(paths(&line(&mut table, child)), ["/sbin/init"]);

    let mut table = ProcessTable::default();
    let adopted = exec(key(11, 100 * TICK), Some(init), "/bin/sleep", None);
    table.seed([exec(init, None, "/sbin/init", None), adopted]);
    table.insert_fork(fork(init, shell, None));
    table.insert_exec(exec(shell, None, "/bin/sh", None));
    table.insert_fork(fork(shell, child, None));
    table.exit(shell, 101 * TICK);
    assert_eq!(paths(&line(&mut table, child)), ["/bin/sh", "/sbin/init"]);
}

/// A forked child keeps its parent's program in memory, also when nobody else runs it any more.
#[test]
fn programs_that_only_forks_still_run_count_as_memory() {
    let shell = key(1, SECOND);
    let mut table = ProcessTable::default();
    for number in 0..10_000u32 {
        let arguments = vec!["x".repeat(8192)];
        table.insert_exec(Process { arguments: arguments.into(), ..exec(shell, None, "/bin/sh", None) });
        table.insert_fork(fork(shell, key(10 + number, SECOND + u64::from(number) * TICK), None));
        assert!(table.stats().bytes <= BYTES_MAX);
    }
    let stats = table.stats();
    assert!(stats.evicted_live > 5_000 && stats.bytes > BYTES_MAX / 10 * 9, "{stats:?}");
    assert!(table.get(shell).is_some());
}

#[test]
fn who_lives_in_a_mount_namespace_is_told_oldest_first() {
    let mut table = ProcessTable::default();
    for (pid, start, mnt_ns) in [(10, 4, 2), (11, 2, 2), (12, 1, 3), (13, 3, 2), (14, 5, 2)] {
        let process = exec(key(pid, start * SECOND), None, "/bin/sh", Some("web"));
        table.insert_exec(Process { mnt_ns, ..process });
    }
    table.exit(key(13, 3 * SECOND), 6 * SECOND);
    assert_eq!(table.in_mount_namespace(2, 8), [11, 10, 14]);
    assert_eq!(table.in_mount_namespace(2, 1), [11]);
    assert!(table.in_mount_namespace(4, 8).is_empty());
}
