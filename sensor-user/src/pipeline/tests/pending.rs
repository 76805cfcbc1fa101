//! A container's name arrives late: alerts go out in time and are told again with it, and what depends on it
//! is decided when it is known.

use super::*;
use crate::state::container::CgroupIdentity;

pub(super) const SECOND: u64 = 1000 * MILLISECOND;
pub(super) const START: u64 = 5000 * SECOND;

/// All of a container's answer.
pub(super) fn named(image: &str) -> Container {
    let identity = CgroupIdentity {
        id: ID.to_owned(),
        runtime: Runtime::Docker,
        pod_uid: None,
        outer: Vec::new(),
        user: None,
    };
    Container {
        name: Some("web".to_owned()),
        image: Some(image.to_owned()),
        confirmation: Confirmation::Known,
        ..Container::from_cgroup(&identity)
    }
}

/// Name and whether it amends, of each account.
pub(super) fn told(accounts: &[Account]) -> Vec<(Option<&str>, bool)> {
    let name = |account: &Account| account.container.as_ref().map(|container| container.name.is_some());
    accounts
        .iter()
        .map(|account| (name(account).map(|is| if is { "named" } else { "unnamed" }), account.is_amendment))
        .collect()
}

#[test]
fn an_alert_goes_out_in_time_and_again_when_its_container_is_named() {
    let mut pipeline = pipeline();
    feed(&mut pipeline, [exec(START, 4, 1, "/usr/bin/curl", CURL), exit(START + 5 * MILLISECOND, 4)]);
    let first = pipeline.accounts(START + 200 * MILLISECOND);
    assert_eq!(told(&first), [(Some("unnamed"), false)], "it does not wait");
    assert!(pipeline.accounts(START + 20 * SECOND).is_empty(), "its story is over");
    pipeline.containers.complete(ID, named("shop/web:1"));
    let again = pipeline.accounts(START + 20 * SECOND);
    assert_eq!(told(&again), [(Some("named"), true)]);
    assert_eq!((again[0].number, again[0].time), (first[0].number, first[0].time));
    assert_eq!(again[0].steps, first[0].steps);
    pipeline.containers.complete(ID, named("shop/web:1"));
    assert!(pipeline.accounts(START + 21 * SECOND).is_empty(), "once for each arrival");
}

#[test]
fn what_is_named_while_it_gathers_is_told_once() {
    let mut pipeline = pipeline();
    feed(&mut pipeline, [exec(START, 4, 1, "/usr/bin/curl", CURL)]);
    assert!(pipeline.accounts(START + MILLISECOND).is_empty());
    pipeline.containers.complete(ID, named("shop/web:1"));
    assert!(pipeline.accounts(START + 2 * MILLISECOND).is_empty());
    assert_eq!(told(&pipeline.accounts(START + SECOND)), [(Some("named"), false)]);
    assert!(pipeline.accounts(START + 40 * SECOND).is_empty());
}

#[test]
fn a_story_that_goes_on_is_told_with_its_name_as_far_as_it_is_and_then_with_its_end() {
    let mut pipeline = pipeline();
    feed(&mut pipeline, [exec(START, 4, 1, "/usr/bin/curl", CURL)]);
    assert_eq!(told(&pipeline.accounts(START + SECOND)), [(Some("unnamed"), false)]);
    feed(&mut pipeline, [connect(START + 2 * SECOND, 4, 9, 80, 6)]);
    pipeline.containers.complete(ID, named("shop/web:1"));
    let again = pipeline.accounts(START + 3 * SECOND);
    assert_eq!(told(&again), [(Some("named"), true)]);
    assert_eq!(again[0].steps.len(), 2, "with the connection: {:?}", again[0].steps);
    assert!(pipeline.accounts(START + 4 * SECOND).is_empty());
    feed(&mut pipeline, [exit(START + 5 * SECOND, 4)]);
    let end = pipeline.accounts(START + 6 * SECOND);
    assert_eq!(told(&end), [(Some("named"), true)]);
    assert_eq!(end[0].steps.len(), 3);
}

#[test]
fn an_end_told_with_the_name_needs_no_amendment_more() {
    let mut pipeline = pipeline();
    feed(&mut pipeline, [exec(START, 4, 1, "/usr/bin/curl", CURL)]);
    assert_eq!(told(&pipeline.accounts(START + SECOND)), [(Some("unnamed"), false)]);
    feed(&mut pipeline, [exit(START + 2 * SECOND, 4)]);
    pipeline.containers.complete(ID, named("shop/web:1"));
    assert_eq!(told(&pipeline.accounts(START + 3 * SECOND)), [(Some("named"), true)], "both in one");
    assert!(pipeline.accounts(START + 40 * SECOND).is_empty());
}

/// Asks as the agent does, until nobody is asked any more.
pub(super) fn give_up(pipeline: &mut Pipeline) {
    for step in 0..600 {
        assert!(pipeline.unnamed(START + step * SECOND / 10, usize::MAX).len() < 2);
    }
}

#[test]
fn nothing_is_amended_while_no_runtime_knows_the_container() {
    let mut pipeline = pipeline();
    feed(&mut pipeline, [exec(START, 4, 1, "/usr/bin/curl", CURL), exit(START + 5 * MILLISECOND, 4)]);
    assert_eq!(pipeline.accounts(START + SECOND).len(), 1);
    give_up(&mut pipeline);
    assert!(pipeline.accounts(START + 61 * SECOND).is_empty());
    pipeline.containers.complete(ID, named("shop/web:1"));
    assert_eq!(
        told(&pipeline.accounts(START + 62 * SECOND)),
        [(Some("named"), true)],
        "better late than never"
    );
}

#[test]
fn accounts_that_wait_are_bounded_and_counted() {
    let mut pipeline = pipeline();
    for number in 0..600_u32 {
        let pid = 1000 + number;
        let time = START + u64::from(number) * MILLISECOND;
        feed(&mut pipeline, [exec(time, pid, 1, "/usr/bin/curl", CURL), exit(time, pid)]);
    }
    assert_eq!(pipeline.accounts(START + 2 * SECOND).len(), 600);
    let dropped = || ("amendment with a container's name", 88);
    assert!(pipeline.dropped().contains(&dropped()), "{:?}", pipeline.dropped());
    pipeline.containers.complete(ID, named("shop/web:1"));
    assert_eq!(pipeline.accounts(START + 3 * SECOND).len(), 512);
}

/// One rule that is true of any connect, and is on what is known of the container.
pub(super) fn rule(id: u8, title: &str, category: &str, detection: &str) -> String {
    format!(
        "title: {title}\nid: 3d1f1a52-8c0e-4f2b-9d57-0f6d5d9b7c{id:02}\nstatus: test\nlevel: medium\n\
         logsource:\n  product: linux\n  category: {category}\ndetection:\n{detection}"
    )
}

pub(super) fn pipeline_of(rules: &[String]) -> Pipeline {
    let set = RuleSet::load(
        [sigma::Source::new("rules", rules.join("---\n"))],
        &Fields,
        &sigma::Placeholders::default(),
    );
    let engine = Engine::new(set.expect("the rules load"));
    let detections = Catalogue::default().bind(engine.rules()).expect("and bind");
    Pipeline::new(engine, detections, Stories::default())
}

pub(super) fn foreign_image() -> String {
    rule(
        1,
        "Foreign image",
        "network_connection",
        "  connect:\n    DestinationPort: 80\n  allowed:\n    ContainerImage|startswith: registry.example/\n  \
         condition: connect and not allowed\n",
    )
}

pub(super) fn titles(accounts: &[Account]) -> Vec<&str> {
    let of = |account| Account::detections(account).map(|detection| detection.title.as_str());
    accounts.iter().flat_map(of).collect()
}

/// A shell forks a tool that connects, writes and ends; the shell lives on.
pub(super) fn transfer() -> [Record; 6] {
    let fork =
        Fork { child_pid: 11, child_start_time: actor(11).start_time, child_cgroup_id: 77, child_pid_ns: 6 };
    [
        exec(START, 10, 1, "/bin/sh", &["sh"]),
        record(START + MILLISECOND, 10, RecordBody::Fork(fork)),
        exec(START + 2 * MILLISECOND, 11, 10, "/usr/bin/tool", &["tool"]),
        connect(START + 3 * MILLISECOND, 11, 5, 80, 6),
        write(START + 4 * MILLISECOND, 11, "/layer/tmp/x"),
        exit(START + 5 * MILLISECOND, 11),
    ]
}

#[test]
fn a_rule_on_what_is_not_known_does_not_fire_early() {
    let mut pipeline = pipeline_of(&[foreign_image()]);
    feed(&mut pipeline, transfer());
    assert!(pipeline.accounts(START + 20 * SECOND).is_empty());
    pipeline.containers.complete(ID, named("registry.example/web:1"));
    assert!(pipeline.accounts(START + 20 * SECOND).is_empty(), "the image is allowed");
    assert!(pipeline.undecided(START + 20 * SECOND, true).is_empty(), "and that is decided");
    feed(&mut pipeline, [connect(START + 21 * SECOND, 10, 6, 80, 6)]);
    assert!(pipeline.drain().is_empty());
}

#[test]
fn what_is_decided_late_is_told_as_it_happened() {
    let mut late = pipeline_of(&[foreign_image()]);
    let mut early = pipeline_of(&[foreign_image()]);
    let mut records = transfer().into_iter();
    // In one the name is there when the first program runs, in the other when all is over.
    feed(&mut early, records.by_ref().take(1));
    early.containers.complete(ID, named("docker.io/library/web:1"));
    feed(&mut early, records);
    feed(&mut late, transfer());
    assert!(late.accounts(START + 20 * SECOND).is_empty());
    late.containers.complete(ID, named("docker.io/library/web:1"));
    let (late_told, early_told) = (late.accounts(START + 20 * SECOND), early.accounts(START + SECOND));
    assert_eq!(titles(&late_told), ["Foreign image"]);
    let [told, expected] = [&late_told[0], &early_told[0]];
    assert_eq!(
        (told.time, told.is_amendment, told.process.key),
        (expected.time, false, expected.process.key)
    );
    let steps = |account: &Account| -> Vec<(u64, u32, Action)> {
        account.steps.iter().map(|step| (step.offset, step.pid, step.action.clone())).collect()
    };
    assert!(
        matches!(told.steps[0].action, Action::Executed { .. }) && told.steps.len() == 4,
        "{:?}",
        told.steps
    );
    // Of a process that is over nobody can be asked for the size of a file.
    let sized = |action: &Action| {
        let Action::Wrote { path, bytes, .. } = action else { return action.clone() };
        Action::Wrote { path: path.clone(), bytes: *bytes, size: None }
    };
    let expected: Vec<_> =
        steps(expected).iter().map(|(offset, pid, action)| (*offset, *pid, sized(action))).collect();
    assert_eq!(steps(told), expected);
    assert_eq!(
        told.container.as_ref().and_then(|container| container.image.as_deref()),
        Some("docker.io/library/web:1")
    );
    assert!(late.accounts(START + 60 * SECOND).is_empty(), "once, and nothing is left of it");
    assert!(late.stories.follows(&key(&actor(10))) == early.stories.follows(&key(&actor(10))));
}

#[test]
fn a_story_decided_late_goes_on_while_its_process_lives() {
    let mut pipeline = pipeline_of(&[foreign_image()]);
    feed(&mut pipeline, transfer().into_iter().take(5));
    pipeline.containers.complete(ID, named("docker.io/library/web:1"));
    assert!(pipeline.accounts(START + 100 * MILLISECOND).is_empty(), "it gathers as any other");
    feed(&mut pipeline, [write(START + 200 * MILLISECOND, 11, "/layer/tmp/y")]);
    let told = pipeline.accounts(START + SECOND);
    assert_eq!(titles(&told), ["Foreign image"]);
    assert!(
        told[0]
            .steps
            .iter()
            .any(|step| matches!(&step.action, Action::Wrote { path, .. } if path == "/tmp/y"))
    );
    feed(&mut pipeline, [write(START + 2 * SECOND, 11, "/layer/tmp/z"), exit(START + 3 * SECOND, 11)]);
    let ended = pipeline.accounts(START + 20 * SECOND);
    assert_eq!((ended.len(), ended[0].is_amendment, ended[0].number), (1, true, told[0].number));
    assert!(pipeline.accounts(START + 40 * SECOND).is_empty());
    assert!(!pipeline.stories.follows(&key(&actor(11))), "and is over with its end");
}

#[test]
fn a_match_decided_late_joins_the_alert_that_did_not_wait() {
    let connects =
        rule(2, "Connects", "network_connection", "  a:\n    DestinationPort: 80\n  condition: a\n");
    // Named while it gathers: one alert.
    let mut pipeline = pipeline_of(&[foreign_image(), connects.clone()]);
    feed(&mut pipeline, transfer().into_iter().take(4));
    pipeline.containers.complete(ID, named("docker.io/library/web:1"));
    let told = pipeline.accounts(START + SECOND);
    assert_eq!((told.len(), titles(&told)), (1, vec!["Connects", "Foreign image"]));
    // Named when it was told: another account, with all that belongs to it.
    let mut pipeline = pipeline_of(&[foreign_image(), connects]);
    feed(&mut pipeline, transfer().into_iter().take(4));
    assert_eq!(titles(&pipeline.accounts(START + SECOND)), ["Connects"]);
    feed(&mut pipeline, [write(START + 2 * SECOND, 11, "/layer/tmp/x")]);
    pipeline.containers.complete(ID, named("docker.io/library/web:1"));
    let told = pipeline.accounts(START + 3 * SECOND);
    assert_eq!(
        titles(&told),
        ["Connects", "Foreign image", "Connects"],
        "amended with the name, and the next one"
    );
    assert_eq!((told[0].is_amendment, told[1].is_amendment), (true, false));
    assert_ne!(told[0].number, told[1].number);
    let steps = [&told[0], &told[1]].map(|account| account.steps.len());
    assert_eq!(steps, [3, 3], "each with the file that was written since");
}

#[test]
fn a_container_no_runtime_knows_stays_undecided_and_that_is_told() {
    let unverified = rule(
        3,
        "Unverified",
        "process_creation",
        "  a:\n    Image: /usr/bin/tool\n    ContainerVerified: false\n  condition: a\n",
    );
    let mut pipeline = pipeline_of(&[foreign_image(), unverified]);
    feed(&mut pipeline, transfer());
    give_up(&mut pipeline);
    let told = pipeline.accounts(START + 40 * SECOND);
    assert_eq!(titles(&told), ["Unverified"], "the one rule that asks for just that");
    assert_eq!(
        told[0].container.as_ref().map(|container| container.confirmation),
        Some(Confirmation::Unknown)
    );
    let losses = pipeline.undecided(START + 40 * SECOND, false);
    let [loss] = losses.as_slice() else { panic!("one loss: {losses:?}") };
    assert_eq!((loss.what.as_str(), loss.count), ("match of \"Foreign image\"", 1));
    assert_eq!(loss.reason, "undecided: no runtime knows the container");
    assert_eq!(loss.container.as_ref().map(|container| container.id.as_str()), Some(ID));
    // What it does later is as undecidable; it is told once a minute.
    feed(
        &mut pipeline,
        [connect(START + 41 * SECOND, 10, 7, 80, 6), connect(START + 42 * SECOND, 10, 8, 80, 6)],
    );
    assert!(pipeline.undecided(START + 43 * SECOND, false).is_empty());
    let later = pipeline.undecided(START + 101 * SECOND, false);
    assert_eq!(later.iter().map(|loss| loss.count).collect::<Vec<_>>(), [2]);
    let last = pipeline.drain();
    assert!(
        last.iter().all(|account| account.is_amendment),
        "its story goes on, and no rule matched: {last:?}"
    );
}

#[test]
fn what_waits_when_the_sensor_ends_is_told() {
    let mut pipeline = pipeline_of(&[foreign_image()]);
    feed(&mut pipeline, transfer());
    assert!(pipeline.drain().is_empty());
    let losses = pipeline.undecided(START + SECOND, true);
    assert_eq!(losses.len(), 1);
    assert_eq!(losses[0].reason, "undecided: the sensor ended before the runtime answered");
}

#[test]
fn what_waits_is_bounded_and_its_loss_told() {
    let mut pipeline = pipeline_of(&[foreign_image()]);
    feed(&mut pipeline, [exec(START, 10, 1, "/bin/scan", &["scan"])]);
    for socket in 0..300 {
        feed(&mut pipeline, [connect(START + MILLISECOND, 10, 100 + socket, 80, 6)]);
    }
    let losses = pipeline.undecided(START + SECOND, false);
    assert_eq!(
        losses.iter().map(|loss| (loss.count, loss.reason)).collect::<Vec<_>>(),
        [(44, "undecided: too many wait for a container's name")]
    );
    pipeline.containers.complete(ID, named("docker.io/library/web:1"));
    assert_eq!(titles(&pipeline.accounts(START + SECOND)), ["Foreign image"], "the first of them decide");
    // Nine containers that scan: the one that waited longest makes room.
    let mut pipeline = pipeline_of(&[foreign_image()]);
    for number in 0..9_u32 {
        let mut started = exec(START + u64::from(number), 20 + number, 1, "/bin/scan", &["scan"]);
        let RecordBody::Exec(exec) = &mut started.body else { panic!("an exec") };
        exec.cgroup = exec.cgroup.replace("8f3a", &format!("8f3{number}"));
        feed(&mut pipeline, [started]);
        for socket in 0..250 {
            let time = START + u64::from(number);
            feed(&mut pipeline, [connect(time, 20 + number, 1000 * u64::from(number) + socket, 80, 6)]);
        }
    }
    let losses = pipeline.undecided(START + SECOND, false);
    let [loss] = losses.as_slice() else { panic!("one container: {losses:?}") };
    assert_eq!((loss.count, loss.container.as_ref().map(|of| &of.id[..4])), (250, Some("8f30")));
}

#[test]
fn a_rule_on_the_phase_waits_for_what_the_runtime_says_of_it() {
    use crate::state::container::Role;
    let tool = |phase: &str| {
        rule(
            5,
            "Tool",
            "process_creation",
            &format!(
                "  tool:\n    Image: /usr/bin/tool\n  phase:\n    ContainerPhase: {phase}\n  condition: tool and not phase\n"
            ),
        )
    };
    for (phase, role, expected) in [
        ("build", Role::Build, &[][..]),
        ("build", Role::Workload, &["Tool"]),
        ("start", Role::Workload, &[]),
        ("start", Role::Build, &["Tool"]),
    ] {
        let mut pipeline = pipeline_of(&[tool(phase)]);
        feed(&mut pipeline, transfer());
        assert!(pipeline.accounts(START + SECOND).is_empty(), "{phase}: not known yet");
        pipeline.containers.complete(ID, Container { role, ..named("shop/web:1") });
        let told = pipeline.accounts(START + SECOND);
        assert_eq!(titles(&told), expected, "not {phase}, {role:?}");
    }
}
