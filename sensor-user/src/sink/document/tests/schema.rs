//! Every sample against the published schema, and every small deviation from it.

use std::sync::LazyLock;

use jsonschema::Validator;

use super::*;
use crate::alert::Alert;

static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let text = include_str!("../../../../../docs/schema/message.schema.json");
    jsonschema::draft202012::new(&serde_json::from_str(text).unwrap()).unwrap()
});

/// Everything that alerts can say, and each notice.
pub(super) fn samples() -> Vec<Message> {
    let boxed = |alert: Alert| Message::Alert(Box::new(alert));
    let mut amendment = sample::alert();
    amendment.is_amendment = true;
    amendment.pending = vec!["container.name"];
    vec![
        sample::message(),
        boxed(amendment),
        boxed(sample::connections()),
        boxed(sample::stranger()),
        boxed(sample::chain()),
        boxed(sample::in_pod()),
        boxed(sample::correlated()),
        boxed(sample::hostile()),
        sample::coverage(),
        sample::loss(),
        sample::tampering(),
        sample::aggregation(),
        sample::reload(),
        sample::refusal(),
        sample::cost(),
        sample::heartbeat(),
        sample::canary_failed(),
        sample::canary_well(),
        sample::stopped(),
    ]
}

#[test]
fn there_is_a_sample_of_every_kind() {
    let samples = samples();
    for kind in Kind::ALL {
        assert!(samples.iter().any(|message| Kind::of(message) == kind), "{}", kind.name());
    }
}

fn mistakes(document: &Value) -> Vec<String> {
    SCHEMA.iter_errors(document).map(|error| format!("{} at {}", error, error.instance_path())).collect()
}

#[test]
fn every_message_is_as_the_schema_says() {
    for message in samples() {
        let document = value(&message);
        assert_eq!(mistakes(&document), Vec::<String>::new(), "{document}");
    }
}

#[test]
fn so_is_every_message_that_was_cut() {
    for message in samples() {
        for room in [0, 4_000, 6_000, 8_000, 16_000] {
            let line = fit(Document::new(&message, &sample::origin()), room);
            let document: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(mistakes(&document), Vec::<String>::new(), "{document}");
        }
    }
}

/// Calls back with every document that differs from this one in one place: a key that nobody knows, or a value of another
/// type.
fn deviations(whole: &Value, each: &mut dyn FnMut(&Value, &str)) {
    let mut pointers = vec![String::new()];
    let mut at = 0;
    while let Some(pointer) = pointers.get(at).cloned() {
        at += 1;
        match whole.pointer(&pointer).unwrap() {
            Value::Object(object) => {
                let key = |key: &String| key.replace('~', "~0").replace('/', "~1");
                pointers.extend(object.keys().map(|name| format!("{pointer}/{}", key(name))));
                // What matches have in common goes by names that rules give.
                if !pointer.ends_with("/group") {
                    let mut other = whole.clone();
                    other.pointer_mut(&pointer).unwrap()["unheard_of"] = json!(1);
                    each(&other, &format!("{pointer} has a key too many"));
                }
            }
            Value::Array(list) => {
                pointers.extend((0..list.len()).map(|number| format!("{pointer}/{number}")));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        for wrong in [json!(null), json!({"a": [1]}), json!([[true]])] {
            let mut other = whole.clone();
            *other.pointer_mut(&pointer).unwrap() = wrong;
            each(&other, &pointer);
        }
        let is_text = whole.pointer(&pointer).unwrap().is_string();
        let mut other = whole.clone();
        *other.pointer_mut(&pointer).unwrap() = if is_text { json!(-7) } else { json!("no number") };
        each(&other, &pointer);
    }
}

#[test]
fn nothing_else_is() {
    let mut count = 0_u32;
    for message in samples().into_iter().filter(|message| !is_long(message)) {
        deviations(&value(&message), &mut |document, place| {
            count += 1;
            assert!(!SCHEMA.is_valid(document), "{place}: {document}");
        });
    }
    assert!(count > 5_000, "{count}");
}

/// It repeats what others have.
fn is_long(message: &Message) -> bool {
    matches!(message, Message::Alert(alert) if alert.steps.len() > 40)
}

#[test]
fn what_every_message_has_is_asked_for() {
    let document = value(&sample::message());
    for pointer in [
        "/@timestamp",
        "/kind",
        "/event/id",
        "/event/sequence",
        "/rule",
        "/process",
        "/host/hostname",
        "/agent/id",
        "/tidewaiter/schema",
        "/tidewaiter/story",
    ] {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let mut other = document.clone();
        other.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key).unwrap();
        assert!(!SCHEMA.is_valid(&other), "{pointer}");
    }
    let mut mixed = value(&sample::heartbeat());
    mixed["tidewaiter"]["story"] = document["tidewaiter"]["story"].clone();
    assert!(!SCHEMA.is_valid(&mixed), "a heartbeat tells no story");
    let mut wrong = value(&sample::heartbeat());
    wrong["kind"] = json!("stopped");
    assert!(!SCHEMA.is_valid(&wrong), "a heartbeat is no end");
}
