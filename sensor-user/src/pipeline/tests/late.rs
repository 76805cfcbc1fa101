//! Whether a container's name comes first or last, the same is told: random deeds of a process tree, judged
//! by rules that need the name.

use proptest::prelude::*;

use super::pending::{
    SECOND, START, foreign_image, give_up, named, pipeline_of, rule, titles, told, transfer,
};
use super::*;

#[derive(Clone, Copy, Debug)]
enum Deed {
    Exec,
    /// Of the process with this number.
    Fork(u32),
    Connect(u16),
    Write(u8),
    Exit,
}

const PIDS: std::ops::Range<u32> = 10..15;

fn deed() -> impl Strategy<Value = (u32, Deed)> {
    let deed = prop_oneof![
        2 => Just(Deed::Exec),
        2 => PIDS.prop_map(Deed::Fork),
        3 => prop::sample::select(vec![80, 443, 22]).prop_map(Deed::Connect),
        3 => (0..3_u8).prop_map(Deed::Write),
        1 => Just(Deed::Exit),
    ];
    (PIDS, deed)
}

fn record_of(time: u64, pid: u32, deed: Deed) -> Record {
    match deed {
        Deed::Exec => exec(time, pid, 1, "/usr/bin/tool", &["tool"]),
        Deed::Fork(child) => {
            let start = actor(child).start_time;
            let fork =
                Fork { child_pid: child, child_start_time: start, child_cgroup_id: 77, child_pid_ns: 6 };
            record(time, pid, RecordBody::Fork(fork))
        }
        Deed::Connect(port) => connect(time, pid, time, port, 6),
        Deed::Write(name) => write(time, pid, &format!("/layer/tmp/{name}")),
        Deed::Exit => exit(time, pid),
    }
}

/// Without what cannot be: a process that is forked when it has been there, or that acts when it is over.
fn possible(deeds: Vec<(u32, Deed)>) -> Vec<(u32, Deed)> {
    let (mut known, mut over) = (Vec::new(), Vec::new());
    let mut is_possible = |(pid, deed): &(u32, Deed)| {
        let is_new = |pid: &u32| !known.contains(pid);
        let can_be = match deed {
            Deed::Fork(child) => is_new(child) && child != pid && !over.contains(pid),
            Deed::Exec | Deed::Exit | Deed::Connect(_) | Deed::Write(_) => !over.contains(pid),
        };
        if can_be {
            known.push(*pid);
            match deed {
                Deed::Fork(child) => known.push(*child),
                Deed::Exit => over.push(*pid),
                Deed::Exec | Deed::Connect(_) | Deed::Write(_) => {}
            }
        }
        can_be
    };
    deeds.into_iter().filter(|deed| is_possible(deed)).collect()
}

/// All that an account says but the sizes of files, which are asked of who still lives.
fn said(account: &Account) -> String {
    let step = |step: &crate::alert::Step| {
        let action = if let Action::Wrote { path, .. } = &step.action {
            format!("wrote {path}")
        } else {
            format!("{:?}", step.action)
        };
        format!("{} {} {action}", step.offset, step.pid)
    };
    let steps: Vec<String> = account.steps.iter().map(step).collect();
    let titles: Vec<&str> = account.detections().map(|detection| detection.title.as_str()).collect();
    let name = account.container.as_ref().and_then(|container| container.image.as_deref());
    format!("{titles:?} {} {:?} {name:?}\n{}", account.time, account.process.key, steps.join("\n"))
}

fn rules() -> [String; 2] {
    let writes = rule(
        4,
        "Foreign write",
        "file_event",
        "  write:\n    TargetFilename: /tmp/1\n  allowed:\n    ContainerImage: registry.example/x\n  \
         condition: write and not allowed\n",
    );
    [foreign_image(), writes]
}

/// What is told of these deeds where the container's name comes before the deed of this number.
fn told_of(deeds: &[(u32, Deed)], image: &str, named_before: usize) -> Vec<String> {
    let mut pipeline = pipeline_of(&rules());
    // The container is there from the start, with a process that does nothing.
    feed(&mut pipeline, [exec(START - 1, 9, 1, "/sbin/init", &["init"])]);
    for (number, (pid, deed)) in deeds.iter().enumerate() {
        if number == named_before {
            pipeline.containers.complete(ID, named(image));
            assert!(pipeline.accounts(0).is_empty());
        }
        let time = START + u64::try_from(number).expect("few") * MILLISECOND;
        feed(&mut pipeline, [record_of(time, *pid, *deed)]);
    }
    pipeline.containers.complete(ID, named(image));
    let told = pipeline.drain().iter().map(said).collect();
    assert!(pipeline.undecided(START, true).is_empty(), "all of it is decided");
    told
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_name_that_comes_last_changes_nothing(
        deeds in prop::collection::vec(deed(), 1..40).prop_map(possible),
        when in 0..40_usize,
        allowed in prop::bool::weighted(0.2),
    ) {
        let image = if allowed { "registry.example/x" } else { "docker.io/library/web:1" };
        prop_assert_eq!(told_of(&deeds, image, when), told_of(&deeds, image, 0));
    }
}

/// One in some 100,000 of the cases above: a script's processes are in two stories, and one more of them joins the story
/// that the script led to last.
#[test]
fn what_leads_to_two_stories_leads_to_the_later_one() {
    let connect = Deed::Connect(80);
    let deeds = [
        (12, Deed::Fork(14)),
        (12, Deed::Fork(11)),
        (14, connect),
        (12, Deed::Exec),
        (11, Deed::Write(1)),
        (14, Deed::Write(1)),
        (12, Deed::Write(1)),
    ];
    for named_before in 1..=deeds.len() {
        let late = told_of(&deeds, "docker.io/library/web:1", named_before);
        assert_eq!(late, told_of(&deeds, "docker.io/library/web:1", 0), "{named_before}");
    }
}

#[test]
fn a_runtime_that_knows_only_the_id_leaves_time_for_one_that_knows_the_name() {
    let nameless = || Container { name: None, image: None, ..named("") };
    let mut pipeline = pipeline_of(&[foreign_image()]);
    feed(&mut pipeline, transfer());
    pipeline.containers.complete(ID, nameless());
    assert!(pipeline.accounts(START + SECOND).is_empty(), "a socket may still tell its image");
    pipeline.containers.complete(ID, named("registry.example/web:1"));
    assert!(pipeline.accounts(START + 2 * SECOND).is_empty(), "which is allowed");
    // One that has none: that is decided when nobody has told another.
    let mut pipeline = pipeline_of(&[foreign_image()]);
    feed(&mut pipeline, transfer());
    pipeline.containers.complete(ID, nameless());
    give_up(&mut pipeline);
    let decided = pipeline.accounts(START + 60 * SECOND);
    assert_eq!(titles(&decided), ["Foreign image"]);
    assert!(decided[0].container.as_ref().is_some_and(|container| container.is_verified()));
    assert!(pipeline.undecided(START + 60 * SECOND, true).is_empty());
    pipeline.containers.complete(ID, named("docker.io/web"));
    assert_eq!(told(&pipeline.accounts(START + 61 * SECOND)), [(Some("named"), true)]);
}
