//! A message as an event of OCSF 1.5.0 (<https://schema.ocsf.io/1.5.0/>).
//!
//! An alert is a Detection Finding (class 2004): created by the alert, updated by its amendments, under one
//! `finding_info.uid`. What the sensor says of itself is Application Lifecycle (class 6002), whose `app` it is: it
//! starts (`coverage`), stops (`stopped`), reads rules anew (`reload`), and all else, heartbeats before all, is its
//! activity "Other" by name. Event Log Activity would be about a log that somebody clears or turns off, Base Event
//! about nothing.
//!
//! What the schema has no place for stands under `unmapped`, as the document has it. Attributes of profiles are not used,
//! but for `device` (profile `host`).

mod cut;
mod evidence;

use serde_json::{Map, Value, json};

use super::view::View;
use crate::sink::json::encode;

/// The schema's version.
const VERSION: &str = "1.5.0";

const DETECTION_FINDING: u64 = 2004;
const APPLICATION_LIFECYCLE: u64 = 6002;

/// An object that leaves out what is not known.
#[derive(Default)]
struct Object(Map<String, Value>);

impl Object {
    fn put(&mut self, key: &str, value: impl Into<Value>) -> &mut Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    fn known(&mut self, key: &str, value: Option<impl Into<Value>>) -> &mut Self {
        if let Some(value) = value {
            self.put(key, value);
        }
        self
    }

    /// None: nothing is known.
    fn some(self) -> Option<Value> {
        (!self.0.is_empty()).then_some(Value::Object(self.0))
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object.0)
    }
}

/// At most `room` bytes, which must be 4,000 at least.
pub(super) fn render(document: &Value, room: usize) -> String {
    let view = View(document);
    let event = if view.is_alert() { finding(view) } else { lifecycle(view) };
    cut::fit(event.into(), room)
}

fn finding(view: View<'_>) -> Object {
    let (activity, name) = if view.text("kind") == Some("amendment") { (2, "Update") } else { (1, "Create") };
    let mut event = base(view, DETECTION_FINDING, (activity, name));
    event.put("category_uid", 2).put("category_name", "Findings").put("class_name", "Detection Finding");
    event.put("type_name", format!("Detection Finding: {name}")).put("status_id", 1).put("status", "New");
    let begin = view.milliseconds("@timestamp").unwrap_or_default();
    let duration = i64::try_from(view.number("event.duration").unwrap_or_default() / 1_000_000);
    let duration = duration.unwrap_or(i64::MAX);
    event.put("start_time", begin).put("end_time", begin.saturating_add(duration)).put("duration", duration);
    event.put("finding_info", finding_info(view));
    event.put("evidences", evidence::evidences(view));
    event.put("observables", evidence::observables(view));
    let resources = evidence::resources(view);
    event.known("resources", (!resources.is_empty()).then_some(resources));
    let advice = view.texts("tidewaiter.response").collect::<Vec<_>>();
    event.known("remediation", (!advice.is_empty()).then(|| json!({ "desc": advice.join("\n") })));
    event.put("unmapped", unmapped(view, &["schema", "files", "lineage", "response"]));
    event
}

fn lifecycle(view: View<'_>) -> Object {
    let kind = view.text("kind").unwrap_or("message");
    let (activity, name) = match kind {
        "coverage" => (3, "Start"),
        "stopped" => (4, "Stop"),
        "reload" => (8, "Update"),
        _ => (99, kind),
    };
    let type_name = if activity == 99 { "Other" } else { name };
    let mut event = base(view, APPLICATION_LIFECYCLE, (activity, name));
    event.put("category_uid", 6).put("category_name", "Application Activity");
    event.put("class_name", "Application Lifecycle");
    event.put("type_name", format!("Application Lifecycle: {type_name}"));
    let (status, word) = match view.text("tidewaiter.reload.outcome") {
        Some("refused") => (2, "Failure"),
        _ => (1, "Success"),
    };
    event.put("status_id", status).put("status", word);
    let mut app = product(view);
    app.known("uid", view.text("agent.id"));
    event.put("app", app).put("unmapped", unmapped(view, &["schema"]));
    event
}

/// What every event has.
fn base(view: View<'_>, class: u64, (activity, name): (u64, &str)) -> Object {
    let mut event = Object::default();
    event.put("class_uid", class).put("activity_id", activity).put("activity_name", name);
    event.put("type_uid", class * 100 + activity);
    event.put("time", view.milliseconds("@timestamp").unwrap_or_default());
    let (severity, word) = severity(view.number("event.severity").unwrap_or_default());
    event.put("severity_id", severity).put("severity", word);
    event.known("message", view.text("message"));
    event.put("metadata", metadata(view)).put("device", device(view));
    event
}

fn severity(severity: u64) -> (u8, &'static str) {
    match severity {
        0 => (1, "Informational"),
        1..=25 => (2, "Low"),
        26..=50 => (3, "Medium"),
        51..=75 => (4, "High"),
        76.. => (5, "Critical"),
    }
}

fn metadata(view: View<'_>) -> Object {
    let mut metadata = Object::default();
    metadata.put("version", VERSION).put("product", product(view)).put("profiles", json!(["host"]));
    metadata.known("uid", view.text("event.id")).known("sequence", view.number("event.sequence"));
    metadata.known("log_name", view.text("event.dataset")).put("log_provider", "tidewaiter");
    // With its microseconds.
    metadata.known("original_time", view.text("@timestamp"));
    metadata.known("correlation_uid", view.text("tidewaiter.story.id"));
    let schema = view.number("tidewaiter.schema");
    metadata.known("log_version", schema.map(|schema| schema.to_string()));
    metadata
}

fn product(view: View<'_>) -> Object {
    let mut product = Object::default();
    product.put("name", "Tidewaiter").put("vendor_name", "Tidewaiter");
    product.known("version", view.text("agent.version"));
    product
}

fn device(view: View<'_>) -> Object {
    let mut device = Object::default();
    let name = view.text("host.hostname").unwrap_or("unknown");
    device.put("name", name).put("hostname", name).put("type_id", 0).put("type", "Unknown");
    device.known("boot_uid", view.text("host.boot.id"));
    let mut os = Object::default();
    os.put("name", "Linux").put("type_id", 200).put("type", "Linux");
    os.known("kernel_release", view.text("host.os.kernel"));
    device.put("os", os);
    let mut agent = Object::default();
    agent.put("name", "tidewaiter").put("vendor_name", "Tidewaiter").put("type_id", 1);
    agent.put("type", "Endpoint Detection and Response");
    agent.known("uid", view.text("agent.id")).known("uid_alt", view.text("agent.ephemeral_id"));
    agent.known("version", view.text("agent.version"));
    device.put("agent_list", vec![Value::from(agent)]);
    device
}

fn finding_info(view: View<'_>) -> Object {
    let mut info = Object::default();
    info.put("uid", view.text("event.id").unwrap_or("unknown"));
    info.put("title", view.text("rule.name").unwrap_or("unknown"));
    info.known("desc", view.text("message"));
    info.known("created_time", view.milliseconds("@timestamp"));
    info.put("analytic", analytic(view.text("rule.id"), view.text("rule.name")));
    info.known("types", view.text("tidewaiter.detection").map(|detection| json!([detection])));
    info.put("data_sources", json!(["eBPF"]));
    let attacks = attacks(view);
    info.known("attacks", (!attacks.is_empty()).then_some(attacks));
    let related = view.list("tidewaiter.related");
    let related: Vec<Value> =
        related.map(|rule| analytic(rule.text("id"), rule.text("name")).into()).collect();
    info.known("related_analytics", (!related.is_empty()).then_some(related));
    info
}

fn analytic(id: Option<&str>, name: Option<&str>) -> Object {
    let mut analytic = Object::default();
    analytic.put("type_id", 1).put("type", "Rule").known("uid", id).put("name", name.unwrap_or("unknown"));
    analytic
}

/// Rules do not say which technique serves which tactic: a lone tactic stands with each, several stand alone.
fn attacks(view: View<'_>) -> Vec<Value> {
    let tactics: Vec<&str> = view.texts("threat.tactic.name").collect();
    let named = |tactic: &str| json!({ "name": tactic });
    let lone = if let [tactic] = tactics.as_slice() { Some(named(tactic)) } else { None };
    let mut attacks: Vec<Value> = Vec::new();
    for id in view.texts("threat.technique.id") {
        let mut attack = Object::default();
        let technique = id.split_once('.').map_or(id, |(technique, _)| technique);
        attack.put("technique", json!({ "uid": technique }));
        attack.known("sub_technique", id.contains('.').then(|| json!({ "uid": id })));
        attack.known("tactic", lone.clone());
        attacks.push(attack.into());
    }
    if attacks.is_empty() || lone.is_none() {
        attacks.extend(tactics.into_iter().map(|tactic| json!({ "tactic": named(tactic) })));
    }
    attacks
}

/// What has no place in the schema, but for `mapped`.
fn unmapped(view: View<'_>, mapped: &[&str]) -> Object {
    let mut own = view.get("tidewaiter").and_then(Value::as_object).cloned().unwrap_or_default();
    own.retain(|key, _| !mapped.contains(&key.as_str()));
    let mut unmapped = Object::default();
    unmapped.put("tidewaiter", Value::Object(own));
    unmapped.known("kind", view.text("kind"));
    unmapped.known("rule", view.text("rule.level").map(|level| json!({ "level": level })));
    let mut process = Object::default();
    process.known("args", view.get("process.args").cloned());
    process.known("effective_user", view.get("process.user.effective").cloned());
    unmapped.known("process", process.some());
    unmapped
}

/// As it leaves.
fn line(event: &Value) -> String {
    encode(event)
}
