//! Facts of other machines, and what is made of them.

mod page;

use std::path::Path;

use jiff::Timestamp;

use super::clock::ClockFacts;
use super::receiver::Reached;
use super::runtime::{ApiAnswer, RuntimeFacts};
use super::storage::FolderFacts;
use super::*;
use crate::alert::HookCoverage;
use crate::ebpf::btf::BtfError;
use crate::ebpf::offset::OffsetError;
use crate::ebpf::proof::Proof;
use crate::host::capability::Sets;

/// What is wrong by a finding, or how well it is.
fn told(finding: &Finding) -> &'static str {
    finding.problem.map_or(finding.verdict.name(), |problem| problem.row().name)
}

fn denied() -> Unread {
    std::io::Error::from(ErrorKind::PermissionDenied).into()
}

#[test]
fn the_age_of_a_kernel_is_read_from_its_name() {
    for (release, machine, expected) in [
        ("6.12.9-amd64", "x86_64", "good"),
        ("5.10.0-33-amd64", "x86_64", "good"),
        ("7.2-rc3", "x86_64", "good"),
        ("5.9.16", "x86_64", "untried"),
        ("5.4.0-200-generic", "x86_64", "too_old"),
        ("4.18.0-553.el8_10.x86_64", "x86_64", "too_old"),
        ("6.12.107+deb13-cloud-arm64", "aarch64", "good"),
        ("6.6.31", "riscv64", "untried_processor"),
        ("mainline", "x86_64", "unreadable"),
        ("", "", "unreadable"),
    ] {
        assert_eq!(told(&kernel::release(release, machine)), expected, "{release}");
    }
}

#[test]
fn without_its_type_information_a_kernel_is_not_watched() {
    assert_eq!(told(&kernel::btf(Ok(&[]))), "good");
    let lacking = kernel::btf(Ok(&["sock_cookie", "inode_uid"]));
    assert_eq!(
        (told(&lacking), lacking.what.as_str()),
        ("incomplete", "it does not tell sock_cookie, inode_uid")
    );
    let of = |kind: ErrorKind| {
        let error = OffsetError::Unreadable { path: "/sys/kernel/btf/vmlinux".into(), source: kind.into() };
        kernel::btf(Err(&error))
    };
    assert_eq!(told(&of(ErrorKind::NotFound)), "unusable");
    assert_eq!(told(&of(ErrorKind::PermissionDenied)), "unknown");
    let malformed =
        OffsetError::Malformed { path: "/sys/kernel/btf/vmlinux".into(), source: BtfError::Magic(0) };
    assert_eq!(told(&kernel::btf(Err(&malformed))), "unusable");
}

#[test]
fn only_confidentiality_blinds_the_sensor() {
    for (modes, expected) in [
        (Ok("none [integrity] confidentiality\n"), "good"),
        (Ok("[none] integrity confidentiality\n"), "good"),
        (Ok("none integrity [confidentiality]\n"), "confidentiality"),
        (Ok("what"), "unknown"),
        (Err(Unread::Absent), "good"),
        (Err(denied()), "unknown"),
    ] {
        assert_eq!(told(&kernel::lockdown(&modes.map(str::to_owned))), expected);
    }
    for (value, expected) in [
        (Ok("0\n"), "allowed"),
        (Ok("1\n"), "good"),
        (Ok("2\n"), "good"),
        (Err(Unread::Absent), "good"),
        (Err(denied()), "unknown"),
    ] {
        assert_eq!(told(&kernel::unprivileged_bpf(&value.map(str::to_owned))), expected);
    }
}

/// Mount tables as systemd, Docker and old distributions make them.
const UNIFIED: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
const HYBRID: &str = "30 23 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                      41 23 0:37 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
const LEGACY: &str = "30 23 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                      31 23 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
const BELOW: &str = "41 23 0:37 /docker/x /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n";

#[test]
fn the_whole_v2_hierarchy_is_wanted_wherever_it_is() {
    let (host, own): (Fact<u64>, Fact<u64>) = (Ok(0xEFFF_FFFB), Ok(4_026_532_999));
    let of = |root: Option<&str>, table: &str, namespace: &Fact<u64>| {
        hierarchy::cgroup(root.map(Path::new), &Ok(table.to_owned()), namespace)
    };
    for (root, table, expected) in [
        (Some("/sys/fs/cgroup"), UNIFIED, "good"),
        (Some("/sys/fs/cgroup/unified"), HYBRID, "good"),
        (None, LEGACY, "absent"),
        (None, BELOW, "absent"),
        (None, "", "absent"),
        (None, "x\n - \n", "absent"),
    ] {
        assert_eq!(told(&of(root, table, &host)), expected, "{table}");
    }
    let pod = of(Some("/host/cgroup"), UNIFIED, &own);
    assert_eq!(told(&pod), "good");
    assert!(pod.what.contains("namespace of its own"), "{}", pod.what);
    assert!(of(None, BELOW, &own).what.contains("only a part"));
    let hybrid = of(Some("/sys/fs/cgroup/unified"), HYBRID, &host);
    assert_eq!(hybrid.what, "v2 at /sys/fs/cgroup/unified, v1 beside it with 1 hierarchies");
    assert_eq!(told(&hierarchy::cgroup(None, &Err(denied()), &host)), "unknown");
    assert_eq!(told(&hierarchy::pid_namespace(&Ok(0xEFFF_FFFC))), "good");
    assert_eq!(told(&hierarchy::pid_namespace(&Ok(4_026_532_198))), "own");
    assert_eq!(told(&hierarchy::pid_namespace(&Err(denied()))), "unknown");
}

#[test]
fn limits_of_memory_stand_in_either_hierarchy() {
    let legacy = "8:memory:/system.slice/x\n7:cpu,cpuacct:/y\n0::/init\n";
    let memory = ("/sys/fs/cgroup/memory", "/system.slice/x", "memory.limit_in_bytes");
    assert_eq!(hierarchy::memory(legacy, LEGACY), [memory]);
    let unified = ("/sys/fs/cgroup", "/system.slice/x", "memory.max");
    assert_eq!(hierarchy::memory("0::/system.slice/x\n", UNIFIED), [unified]);
    assert_eq!(hierarchy::memory("nonsense\n1:\n", HYBRID), []);
}

#[test]
fn a_proc_that_hides_others_is_weak_unless_the_sensor_sees_past_it() {
    let of = |options: &str, own: &str, may_trace| {
        let table = format!("22 1 0:20 / /proc rw,nosuid{options} shared:5 - proc proc rw{own}\n");
        told(&hierarchy::procfs(&Ok(table), may_trace))
    };
    assert_eq!(of("", "", false), "good");
    assert_eq!(of("", ",hidepid=invisible", false), "hidden");
    assert_eq!(of("", ",gid=4,hidepid=2", false), "hidden");
    assert_eq!(of(",hidepid=1", "", false), "hidden");
    assert_eq!(of("", ",hidepid=2", true), "good");
    assert_eq!(of("", ",hidepid=0", false), "good");
    assert_eq!(told(&hierarchy::procfs(&Ok(UNIFIED.to_owned()), true)), "absent");
    assert_eq!(told(&hierarchy::procfs(&Err(Unread::Absent), true)), "absent");
    let over = "22 1 0:20 / /proc rw - proc proc rw\n80 22 0:20 / /proc rw - proc proc rw,hidepid=2\n";
    assert_eq!(told(&hierarchy::procfs(&Ok(over.to_owned()), false)), "hidden", "the last mount is seen");
}

fn capabilities(effective: u64, permitted: u64) -> Vec<&'static str> {
    let status = format!("Name:\tx\nCapPrm:\t{permitted:016x}\nCapEff:\t{effective:016x}\n");
    privilege::capabilities(&Ok(status)).iter().map(told).collect()
}

#[test]
fn each_capability_is_missed_by_itself() {
    let all = (1 << 41) - 1;
    assert_eq!(capabilities(all, all), ["good"]);
    assert_eq!(capabilities(0, 0), ["missing", "no_ptrace", "no_search", "no_admin", "no_bind"]);
    assert_eq!(capabilities(all & !(1 << 19), all), ["good", "no_ptrace"]);
    let status = "CapPrm:\t000001ffffffffff\nCapEff:\t0000000000000000\n".to_owned();
    assert!(privilege::capabilities(&Ok(status))[0].what.contains("not effective"));
    assert_eq!(privilege::capabilities(&Ok(String::new()))[0].verdict, Verdict::Unknown);
    assert_eq!(privilege::capabilities(&Err(denied()))[0].verdict, Verdict::Unknown);
}

#[test]
fn a_hook_is_judged_by_where_it_is() {
    let first = HookCoverage {
        purpose: "file written",
        attached: Some("fentry rw_verify_area".to_owned()),
        tier: 1,
        refused: Vec::new(),
        weakens: None,
    };
    let of = |hook: &HookCoverage, proof| hook::hook(hook, proof, "avoided");
    assert_eq!(told(&of(&first, Some(&Proof::Proven))), "good");
    let nowhere = Proof::Unprovable("no directory".to_owned());
    let unprovable = of(&first, Some(&nowhere));
    assert_eq!(unprovable.verdict, Verdict::Good);
    assert!(unprovable.what.ends_with("it cannot be proven here: no directory"), "{}", unprovable.what);

    let refused = |reason: &str| vec![("fentry rw_verify_area".to_owned(), reason.to_owned())];
    let second = HookCoverage {
        attached: Some("tracepoint writeback_mark_inode_dirty".to_owned()),
        tier: 2,
        refused: refused("Permission denied"),
        weakens: Some("some writes"),
        ..first.clone()
    };
    let weak = of(&second, Some(&Proof::Proven));
    assert_eq!((told(&weak), &*weak.means), ("lower_tier", "not seen: some writes"));
    assert!(weak.what.contains("refused: fentry rw_verify_area: Permission denied"), "{}", weak.what);
    let same = HookCoverage { weakens: None, ..second.clone() };
    assert_eq!(told(&of(&same, Some(&Proof::Proven))), "good", "another place that sees the same");
    let none = HookCoverage { attached: None, tier: 0, ..second.clone() };
    assert_eq!(told(&of(&none, None)), "missing");
    let avoided = HookCoverage { refused: refused("avoided"), ..second };
    assert_eq!(told(&of(&avoided, Some(&Proof::Proven))), "avoided");
}

#[test]
fn a_runtime_shows_by_a_folder_or_by_a_socket() {
    let of = |folder: Fact<()>, sockets: &[&str]| {
        let sockets = sockets.iter().map(|socket| (*socket).to_owned()).collect();
        let facts = RuntimeFacts { name: "Docker", folders: vec![("/d".to_owned(), folder)], sockets };
        runtime::runtimes(&[facts]).iter().map(told).collect::<Vec<_>>()
    };
    assert_eq!(of(Ok(()), &[]), ["good"]);
    assert_eq!(of(Ok(()), &["/run/docker.sock"]), ["good"]);
    assert_eq!(of(Err(Unread::Absent), &["/run/docker.sock"]), ["hidden"]);
    assert_eq!(of(Err(denied()), &["/run/docker.sock"]), ["unreadable"]);
    assert_eq!(of(Err(denied()), &[]), ["unreadable"]);
    assert_eq!(of(Err(Unread::Absent), &[]), ["none"]);
    assert_eq!(told(&runtime::socket("/s", &Ok(()))), "good");
    assert_eq!(told(&runtime::socket("/s", &Err("no answer within 1 second".to_owned()))), "silent");
    let (server, node) = ("https://k:6443".to_owned(), "node-1".to_owned());
    let reason = "not here".to_owned();
    for (answer, expected) in [
        (ApiAnswer::Off, "good"),
        (ApiAnswer::Told { server: server.clone(), node }, "good"),
        (ApiAnswer::NoAccess { reason: reason.clone(), remedy: "mend" }, "no_access"),
        (ApiAnswer::Silent { server, reason, remedy: "mend" }, "silent"),
    ] {
        let finding = runtime::kubernetes(&answer);
        assert_eq!(told(&finding), expected);
        assert!(finding.verdict == Verdict::Good || finding.remedy == "mend");
    }
}

#[test]
fn mistakes_in_rules_are_told_with_their_place() {
    use crate::rule::RuleFiles;

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rule.yml");
    std::fs::write(
        &path,
        "title: X\nlogsource: {category: process_creation}\ndetection: {a: {Imge: x}, condition: a}\n",
    )
    .unwrap();
    let read = |paths: Vec<std::path::PathBuf>, allow: Vec<std::path::PathBuf>| {
        let mut files = RuleFiles { paths, ..RuleFiles::default() };
        files.allow.paths = allow;
        let read = files.read();
        rule::rules(read.as_ref(), 0)
    };
    let mistaken = read(vec![path.clone()], Vec::new());
    assert_eq!(mistaken.iter().map(told).collect::<Vec<_>>(), ["mistaken"]);
    assert!(mistaken[0].what.starts_with(&format!("{}:3:", path.display())), "{}", mistaken[0].what);
    assert_eq!(read(Vec::new(), Vec::new()).iter().map(told).collect::<Vec<_>>(), ["none", "good"]);
    let allow = read(Vec::new(), vec![directory.path().join("missing.yaml")]);
    assert_eq!(allow.iter().map(told).collect::<Vec<_>>(), ["unknown", "mistaken"]);
    assert_eq!(told(&rule::baseline(None)), "none");
    assert_eq!(told(&rule::baseline(Some((&path, Ok(3))))), "good");
    let error = crate::config::read_baseline(&path).unwrap_err();
    assert_eq!(told(&rule::baseline(Some((&path, Err(&error))))), "mistaken");
}

#[test]
fn what_came_of_a_receiver_is_told_with_its_name() {
    let reason = || "no".to_owned();
    for (reached, expected) in [
        (Reached::Yes { how: "connected" }, "good"),
        (Reached::Perhaps, "unproven"),
        (Reached::Files { reason: reason(), remedy: reason() }, "files"),
        (Reached::Away { reason: reason() }, "away"),
        (Reached::Refused { reason: reason() }, "refused"),
        (Reached::Unwritable { reason: reason() }, "unwritable"),
    ] {
        let findings = receiver::receivers(&[("tcp://a:1".to_owned(), reached)]);
        assert_eq!((told(&findings[0]), findings[0].subject.as_deref()), (expected, Some("tcp://a:1")));
    }
    assert_eq!(told(&receiver::receivers(&[])[0]), "none");
}

#[test]
fn a_clock_that_nobody_keeps_is_told_and_one_that_is_wrong_is_bad() {
    let now: Timestamp = "2026-11-22T19:00:00Z".parse().unwrap();
    let kept = ClockFacts { is_synchronised: true, error_max: 2_500 };
    let finding = clock::clock(now, &Ok(kept), Some("b0"));
    assert_eq!((told(&finding), finding.what.as_str()), ("good", "synchronised, within 3 ms; boot b0"));
    let loose = ClockFacts { is_synchronised: false, error_max: 16_000_000 };
    assert_eq!(told(&clock::clock(now, &Ok(loose), None)), "not_synchronised");
    assert_eq!(told(&clock::clock(now, &Err(denied()), None)), "unknown");
    for date in ["1970-01-01T00:00:09Z", "2106-02-07T06:28:16Z"] {
        assert_eq!(told(&clock::clock(date.parse().unwrap(), &Ok(kept), None)), "wrong");
    }
}

#[test]
fn the_outbox_needs_a_folder_with_room() {
    const MEBIBYTE: u64 = 1 << 20;
    let well = FolderFacts {
        path: "/var/lib/tidewaiter".to_owned(),
        is_there: true,
        is_writable: true,
        is_read_only: false,
        free: 200 * MEBIBYTE,
        used: 0,
    };
    let of = |facts: Fact<FolderFacts>| told(&storage::outbox(Some((&facts, 64 * MEBIBYTE)), true));
    assert_eq!(of(Ok(well.clone())), "good");
    assert_eq!(of(Ok(FolderFacts { is_there: false, ..well.clone() })), "good");
    assert_eq!(of(Ok(FolderFacts { is_read_only: true, is_writable: false, ..well.clone() })), "read_only");
    assert_eq!(of(Ok(FolderFacts { is_writable: false, ..well.clone() })), "unwritable");
    assert_eq!(of(Ok(FolderFacts { free: 10 * MEBIBYTE, ..well.clone() })), "small");
    let used = FolderFacts { free: 10 * MEBIBYTE, used: 60 * MEBIBYTE, ..well };
    assert_eq!(of(Ok(used)), "good", "what is in it already needs no room");
    assert_eq!(of(Err(denied())), "unknown");
    assert_eq!(of(Err(Unread::Absent)), "unwritable");
    assert_eq!(told(&storage::outbox(None, true)), "none");
    assert_eq!(told(&storage::outbox(None, false)), "good");
}

#[test]
fn limits_count_where_the_kernel_counts() {
    let none = Sets { effective: 0, permitted: 0 };
    let old = Some((5, 10));
    let of = |version, limit, sets: &Sets| told(&resource::locked_memory(version, limit, Some(sets)));
    assert_eq!(of(Some((6, 1)), Some(65_536), &none), "good");
    assert_eq!(of(None, Some(65_536), &none), "good");
    assert_eq!(of(old, Some(65_536), &none), "low");
    assert_eq!(of(old, Some(64 << 20), &none), "good");
    assert_eq!(of(old, None, &none), "good");
    assert_eq!(of(old, Some(65_536), &Sets { effective: 1 << 24, permitted: 0 }), "good");
    assert_eq!(told(&resource::memory(&Ok(None))), "good");
    assert_eq!(told(&resource::memory(&Ok(Some(64 << 20)))), "low");
    assert_eq!(told(&resource::memory(&Ok(Some(256 << 20)))), "good");
    assert_eq!(told(&resource::memory(&Err(denied()))), "unknown");
    assert_eq!(told(&resource::agent(Some("/s"), &Ok(9))), "runs");
    assert_eq!(told(&resource::agent(Some("/s"), &Err(Unread::Absent))), "good");
    assert_eq!(told(&resource::agent(Some("/s"), &Err(denied()))), "unknown");
    assert_eq!(told(&resource::agent(None, &Err(Unread::Absent))), "good");
}

#[test]
fn every_problem_belongs_to_its_check_and_says_what_to_do() {
    for check in Check::ALL {
        let row = check.row();
        let mut names = Vec::new();
        for problem in row.problems {
            let of = problem.row();
            assert_eq!(of.check, *check);
            assert!(of.verdict != Verdict::Good && of.verdict != Verdict::Unknown, "{problem:?}");
            assert!(!of.means.is_empty() && !of.remedy.is_empty() && !of.means.ends_with('.'), "{problem:?}");
            assert!(!names.contains(&of.name), "{problem:?}");
            names.push(of.name);
        }
    }
}
