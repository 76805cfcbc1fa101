//! Names are found as rules write them.

use sigma::{LogSource, Taxonomy};

use super::*;

#[test]
fn a_field_is_found_by_its_sigma_name_only() {
    assert_eq!(Fields.field("Image"), Some(FieldId(Field::Image as u16)));
    assert_eq!(Fields.field("image"), None);
    for (field, name, ..) in TABLE {
        assert_eq!(Fields.field(name), Some(FieldId(*field as u16)));
    }
}

#[test]
fn labels_that_are_still_to_come_are_neither_there_nor_absent() {
    use crate::sink::sample;
    use crate::state::container::Container;

    let event = |awaits_pod| {
        let container = Container { awaits_pod, ..Container::clone(&sample::container()) };
        Event { container: Some(container.into()), ..sample::event() }
    };
    let presence = |event: &Event, field: Field| event.visit(FieldId(field as u16), &mut |_| {});
    for field in [Field::PodLabels, Field::PodOwner, Field::PodServiceAccount, Field::NodeName] {
        assert_eq!(presence(&event(true), field), Presence::Pending);
        assert_eq!(presence(&event(false), field), Presence::Absent);
    }
    let mut told = Vec::new();
    let event = Event { container: sample::in_pod().container, ..sample::event() };
    for field in [Field::PodLabels, Field::PodOwner] {
        event.visit(FieldId(field as u16), &mut |value| {
            if let Value::Text(text) = value {
                told.push(text.to_owned());
            }
        });
    }
    assert_eq!(told, ["app=web", "tier=front", "Deployment/web"]);
}

#[test]
fn only_linux_endpoint_sources_are_supported() {
    let source = |category: &str, product: Option<&str>| LogSource {
        category: Some(category.to_owned()),
        product: product.map(str::to_owned),
        ..LogSource::default()
    };
    assert_eq!(Fields.supports(&source("file_event", Some("linux"))), Some(Category::FileEvent.id()));
    assert_eq!(Fields.supports(&source("file_event", None)), Some(Category::FileEvent.id()));
    assert_eq!(Fields.supports(&source("file_event", Some("windows"))), None);
    assert_eq!(Fields.supports(&source("registry_event", Some("linux"))), None);
}

/// Everything that a container's runtime tells is pending until then: what rules see before that stays true.
#[test]
fn no_field_changes_its_mind_when_a_container_is_named() {
    use crate::state::container::{CgroupIdentity, Confirmation, Owner, Pod, Role};
    use crate::state::phase::Phase;
    let seen = |event: &Event| -> Vec<(Presence, Vec<String>)> {
        let visit = |(field, ..): &(Field, _, _, _)| {
            let mut values = Vec::new();
            let presence =
                event.visit(FieldId(*field as u16), &mut |value| values.push(format!("{value:?}")));
            (presence, values)
        };
        TABLE.iter().map(visit).collect()
    };
    let mut event = crate::sink::sample::event();
    let named = Container {
        pod: Some(Pod {
            labels: [("app".to_owned(), "web".to_owned())].into(),
            owner: Some(Owner::default()),
            node: Some("node-1".to_owned()),
            service_account: Some("default".to_owned()),
            ..Pod::default()
        }),
        pod_uid: Some("uid".to_owned()),
        image_digest: Some("sha256:0".to_owned()),
        ..crate::sink::sample::container()
    };
    let bare = Container { pod: None, pod_uid: None, ..named.clone() };
    let identity = CgroupIdentity {
        id: named.id.clone(),
        runtime: Runtime::Unknown,
        pod_uid: None,
        outer: Vec::new(),
        user: None,
    };
    (event.container, event.phase) = (Some(Container::from_cgroup(&identity).into()), Some(Phase::Start));
    let before = seen(&event);
    let mut outcomes = vec![(bare, Phase::Steady), (Container { role: Role::Build, ..named }, Phase::Build)];
    let given_up = Container { confirmation: Confirmation::Unknown, ..Container::from_cgroup(&identity) };
    outcomes.push((given_up, Phase::Start));
    for (container, phase) in outcomes {
        (event.container, event.phase) = (Some(container.into()), Some(phase));
        for ((before, after), (field, ..)) in before.iter().zip(seen(&event)).zip(TABLE) {
            let is_open = before.0 == Presence::Pending;
            assert!(is_open || *before == after, "{field:?} was {before:?} and became {after:?}");
        }
    }
    let open = before.iter().zip(TABLE).filter(|((presence, _), _)| *presence == Presence::Pending);
    let open: Vec<&str> = open.map(|(_, (_, name, ..))| *name).collect();
    assert_eq!(
        open,
        [
            "ContainerName",
            "ContainerImage",
            "ContainerImageId",
            "ContainerImageDigest",
            "ContainerVerified",
            "ContainerRole",
            "ContainerPhase",
            "ContainerRuntime",
            "PodName",
            "Namespace",
            "PodUid",
            "PodLabels",
            "PodOwner",
            "PodServiceAccount",
            "NodeName",
            "ContainerImageRegistry",
        ]
    );
}
