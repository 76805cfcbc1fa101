//! A container uses more than it used to.

use super::*;
use crate::event::{Resource, ResourceUse};
use crate::state::resource::{RESOURCE_PERIOD, ResourceReading};

const SECOND: u64 = 1_000_000_000;

#[test]
fn whose_use_rises_is_told_with_the_first_process_of_the_container() {
    let mut pipeline = pipeline();
    assert_eq!(pipeline.to_measure(9), [], "nobody would be told");
    pipeline.observe();
    assert_eq!(pipeline.to_measure(9), [], "there is no container");
    feed(&mut pipeline, [exec(SECOND, 40, 1, "/bin/sh", &["sh"])]);
    pipeline.settle(2 * SECOND, &mut Paper::default());
    assert_eq!(pipeline.to_measure(0), [], "none in this turn");
    let [(id, pid)] = &pipeline.to_measure(9)[..] else { panic!("one container") };
    assert_eq!((&**id, *pid), (ID, 40));
    let mut cpu = 0;
    for turn in 1..=18_u64 {
        // A hundredth of a CPU, and at last one and a half.
        cpu += if turn > 15 { 15_000_000 } else { 100_000 };
        let reading = ResourceReading { cpu: Some(cpu), memory: None };
        pipeline.measured(turn * RESOURCE_PERIOD, id, reading, &mut Paper::default());
    }
    let events: Vec<Event> =
        pipeline.observed().filter(|event| matches!(event.body, Body::ContainerResource(_))).collect();
    let [event] = &events[..] else { panic!("one event: {events:?}") };
    let expected = ResourceUse { resource: Resource::Cpu, value: 1_500, normal: 10 };
    assert!(matches!(event.body, Body::ContainerResource(used) if used == expected), "{:?}", event.body);
    assert_eq!((event.process.key.pid, event.time), (40, 18 * RESOURCE_PERIOD));
    assert_eq!(event.container.as_ref().map(|container| &*container.id), Some(ID));
    for (field, expected) in [
        (Field::ContainerResource, "cpu"),
        (Field::ContainerResourceValue, "1500"),
        (Field::ContainerResourceNormal, "10"),
        (Field::ContainerResourceRatio, "150"),
    ] {
        assert_eq!(values(event, field), [expected], "{field:?}");
    }
}

#[test]
fn a_container_that_is_gone_is_measured_no_more() {
    let mut pipeline = pipeline();
    pipeline.observe();
    feed(&mut pipeline, [exec(SECOND, 40, 1, "/bin/sh", &["sh"])]);
    pipeline.settle(2 * SECOND, &mut Paper::default());
    let known = pipeline.to_measure(9);
    let cgroup = Cgroup { id: 77, hierarchy: 0, path: String::new(), target_pid: 0, target_start_time: 0 };
    let gone = Record { time: 3 * SECOND, actor: actor(1), body: RecordBody::CgroupRemove(cgroup) };
    feed(&mut pipeline, [gone]);
    assert_eq!(known.len(), 1);
    assert_eq!(pipeline.to_measure(9), []);
}
