//! Stories that outlast their alert: told while they run, amended with their end.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tests::world::World;

use crate::Case;
use crate::transfer::ALERT_MAX;

/// Two downloads over one connection, a second apart: the story is told between them.
const COMMAND: &[&str] = &[
    "curl",
    "-sS",
    "--rate",
    "1/s",
    "-o",
    "/tmp/first",
    "http://10.201.0.1/download/payload.bin",
    "-o",
    "/tmp/second",
    "http://10.201.0.1/download/payload.bin",
];

pub(crate) fn cases() -> Vec<Case> {
    vec![Case::new("story: a long download is amended with its end", long_download)]
}

fn long_download(world: &World) -> Result<String> {
    let container = world.container("story", COMMAND)?;
    let ended = container.run()?;
    ensure!(ended.status.success(), "curl ended with {}: {}", ended.status, ended.output);

    let alert = world.agent().await_line(ALERT_MAX, "the alert", |line| line.is_alert_of(&container.id))?;
    let payload = 2 * world.payload.len() as u64;
    // What an open connection has moved is looked at every few seconds: there may be a figure already.
    let bytes = alert.field("destination.bytes").and_then(Value::as_u64);
    ensure!(bytes.is_none_or(|bytes| bytes < payload), "told before its end: {bytes:?}");

    let amendment = world.agent().await_line(ALERT_MAX, "its amendment", |line| {
        line.is("amendment") && line.text("container.id") == container.id
    })?;
    ensure!(amendment.text("event.id") == alert.text("event.id"), "an amendment has its alert's id");
    let bytes = amendment.field("destination.bytes").and_then(Value::as_u64).unwrap_or(0);
    ensure!(bytes > payload, "{bytes} bytes received, the payloads alone have {payload}");
    let files = amendment.field("tidewaiter.files");
    ensure!(files == Some(&json!(["/tmp/first", "/tmp/second"])), "the files are {files:?}");
    ensure!(world.agent().alerts_of(&container.id)?.len() == 1, "an amendment is no second alert");
    Ok(format!("alert, then its end: {bytes} bytes received"))
}
