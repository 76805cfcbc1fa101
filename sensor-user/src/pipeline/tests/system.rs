//! What processes do to each other and to the ground under them.

use super::*;
use crate::event::{ProcessAccess, SystemChange};

#[test]
fn what_changes_the_ground_has_its_fields() {
    let mut pipeline = pipeline();
    feed(&mut pipeline, [exec(MILLISECOND, 95, 1, "/bin/sh", &["sh"])]);
    let mount = SystemChange::Mount {
        source: "/dev/vda".to_owned(),
        kind: String::new(),
        target: "/mnt".to_owned(),
        flags: 0,
    };
    let event = event_of(&mut pipeline, 95, Body::SystemChange(mount));
    for (field, expected) in [
        (Field::EventAction, &["mount"][..]),
        (Field::MountSource, &["/dev/vda"]),
        (Field::MountTarget, &["/mnt"]),
        (Field::MountType, &[]),
        (Field::ModuleName, &[]),
    ] {
        assert_eq!(values(&event, field), expected, "{field:?}");
    }
    let target = pipeline.processes.get(key(&actor(95)));
    let access = ProcessAccess { target, target_pid: 95, signal: Some(9) };
    let event = event_of(&mut pipeline, 95, Body::ProcessAccess(access));
    assert_eq!(values(&event, Field::TargetImage), ["/bin/sh"]);
    assert_eq!(values(&event, Field::TargetProcessId), ["95"]);
    assert_eq!(values(&event, Field::SignalNumber), ["9"]);
    assert_eq!(values(&event, Field::EventAction), ["signal"]);
}

#[test]
fn rules_see_programs_loaded_and_namespaces_that_are_new() {
    const RULE: &str = "title: t\nid: 3d1f1a52-8c0e-4f2b-9d57-0f6d5d9b7c12\nstatus: test\nlevel: low\n\
        logsource:\n  product: linux\n  category: system_change\n\
        detection:\n  a:\n    BpfProgramType: kprobe\n  b:\n    NewNetNamespace: 9\n    \
        NewMountNamespace|exists: false\n  condition: a or b\n";
    let set = RuleSet::load([sigma::Source::new("system", RULE)], &Fields, &sigma::Placeholders::default())
        .expect("the rule loads");
    let engine = Engine::new(set);
    let detections = Catalogue::default().bind(engine.rules()).expect("and binds");
    let mut pipeline = Pipeline::new(engine, detections, Stories::default());
    let namespace = crate::decode::Namespace { mnt_ns: 5, pid_ns: 6, net_ns: 9 };
    feed(
        &mut pipeline,
        [
            exec(MILLISECOND, 96, 1, "/bin/sh", &["sh"]),
            record(MILLISECOND, 96, RecordBody::BpfLoad { program_type: 2, name: "x".to_owned() }),
            record(MILLISECOND, 96, RecordBody::BpfLoad { program_type: 6, name: "x".to_owned() }),
            record(MILLISECOND, 96, RecordBody::Namespace(namespace)),
        ],
    );
    assert_eq!(pipeline.passed().matches, 2);
}
