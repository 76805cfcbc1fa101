//! Names are found as rules write them.

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
