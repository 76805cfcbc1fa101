//! An event in a bounded number of bytes, valid all the same.
//!
//! Given up in this order: advice and what else it may be; what stands elsewhere (steps, arguments, processes of the
//! story); evidence but the first, and the ends of long texts and lists; then all that has no place in the schema, and
//! all but the beginnings of texts. Ids, sequence, rule, process, container and other end always stay.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::line;
use crate::sink::document::cut_text;

/// Longest id that stays whole, bytes: a digest with its algorithm.
const ID_MAX: usize = 72;

/// Mildest first; each keeps what those before it left.
const STAGES: [fn(&mut Map<String, Value>); 4] = [explanations, repeats, long, all_but_the_essential];

/// Advice of ours, and lists that repeat what stands as evidence.
const EXPLANATIONS: [&str; 1] = ["false_positives"];
const REPEATS: [&str; 5] = ["steps", "images", "related", "transfer", "cloud"];

/// One line of at most `room` bytes, from 4,000 on.
pub(super) fn fit(mut event: Value, room: usize) -> String {
    let mut text = line(&event);
    for cut in STAGES {
        if text.len() <= room {
            break;
        }
        if let Value::Object(event) = &mut event {
            cut(event);
            flag(event);
        }
        text = line(&event);
    }
    text
}

/// `unmapped.tidewaiter.truncated`, as in the document.
fn flag(event: &mut Map<String, Value>) {
    if let Some(own) = own(event) {
        own.insert("truncated".to_owned(), Value::Bool(true));
    }
}

fn own(event: &mut Map<String, Value>) -> Option<&mut Map<String, Value>> {
    let unmapped = event.entry("unmapped").or_insert_with(|| json!({})).as_object_mut()?;
    unmapped.entry("tidewaiter").or_insert_with(|| json!({})).as_object_mut()
}

fn explanations(event: &mut Map<String, Value>) {
    event.remove("remediation");
    if let Some(own) = own(event) {
        own.retain(|key, _| !EXPLANATIONS.contains(&key.as_str()));
        for hook in
            own.get_mut("coverage").and_then(|it| it.get_mut("hooks")?.as_array_mut()).into_iter().flatten()
        {
            hook.as_object_mut().and_then(|hook| hook.remove("refused"));
        }
    }
}

fn repeats(event: &mut Map<String, Value>) {
    if let Some(unmapped) = event.get_mut("unmapped").and_then(Value::as_object_mut) {
        unmapped.remove("process");
    }
    if let Some(own) = own(event) {
        own.retain(|key, _| !REPEATS.contains(&key.as_str()));
        if let Some(story) = own.get_mut("story").and_then(Value::as_object_mut) {
            story.remove("processes");
        }
    }
}

fn long(event: &mut Map<String, Value>) {
    const TEXT: usize = 400;
    const LIST: usize = 8;
    first_evidence(event);
    event.remove("observables");
    event.values_mut().for_each(|value| shorten(value, TEXT, LIST));
}

fn all_but_the_essential(event: &mut Map<String, Value>) {
    const TEXT: usize = 42;
    const LIST: usize = 2;
    first_evidence(event);
    let story = own(event).and_then(|own| own.get("story")?.get("id").cloned());
    let kind = event.get("unmapped").and_then(|unmapped| unmapped.get("kind").cloned());
    let mut unmapped = Map::new();
    unmapped.extend(kind.map(|kind| ("kind".to_owned(), kind)));
    unmapped.extend(story.map(|story| ("tidewaiter".to_owned(), json!({ "story": { "id": story } }))));
    event.insert("unmapped".to_owned(), Value::Object(unmapped));
    for evidence in event.get_mut("evidences").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(process) = evidence.get_mut("process").and_then(Value::as_object_mut) {
            process.remove("ancestry");
        }
        // A digest that is cut is none.
        if let Some(container) = evidence.get_mut("container").and_then(Value::as_object_mut) {
            container.remove("hash");
        }
    }
    if let Some(info) = event.get_mut("finding_info").and_then(Value::as_object_mut) {
        info.remove("related_analytics");
        info.remove("desc");
    }
    event.values_mut().for_each(|value| shorten(value, TEXT, LIST));
}

fn first_evidence(event: &mut Map<String, Value>) {
    if let Some(evidences) = event.get_mut("evidences").and_then(Value::as_array_mut) {
        evidences.truncate(1);
    }
}

/// Shortens every text to so many bytes and every list to so many items, however deep.
fn shorten(value: &mut Value, bytes: usize, items: usize) {
    match value {
        Value::String(text) => {
            let mut short = Cow::Borrowed(text.as_str());
            cut_text(&mut short, bytes);
            if let Cow::Owned(short) = short {
                *text = short;
            }
        }
        Value::Array(list) => {
            list.truncate(items);
            list.iter_mut().for_each(|value| shorten(value, bytes, items));
        }
        Value::Object(object) => {
            for (key, value) in object {
                // Ids that are whole tell more than any text.
                let bytes = if key == "uid" { bytes.max(ID_MAX) } else { bytes };
                shorten(value, bytes, items);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
