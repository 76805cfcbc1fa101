//! Alerts under load while the agent is killed: nothing that was accepted is missing at the end.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tests::agent::Agent;
use tests::rsyslog::{Rsyslog, free_address};
use tests::wait;

use crate::Stage;
use crate::marker::{Markers, RULE, Random};

/// How often the agent is killed.
const KILLS_FULL: u32 = 100;
const KILLS_SHORT: u32 = 8;
/// Killed, the agent is back within this time.
const BACK_MAX: Duration = Duration::from_secs(2);
/// For everything that is kept to arrive, once nobody is maltreated any more.
const ARRIVE_MAX: Duration = Duration::from_secs(60);

pub(crate) fn agent_killed(stage: &Stage<'_>) -> Result<String> {
    let kills = if stage.full { KILLS_FULL } else { KILLS_SHORT };
    let address = free_address()?;
    let receiver = Rsyslog::start(&stage.world.directory().join("rsyslog-kills"), address)?;
    let options = options(stage, "kills", &address.to_string())?;
    let markers = Markers::start();
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut slowest = Duration::ZERO;
    for kill in 0..kills {
        let mut agent = start(stage, &format!("kills-{kill}"), &options)?;
        let line = agent.await_ready()?;
        slowest = slowest.max(line.age);
        std::thread::sleep(Duration::from_millis(200 + random.below(1500)));
        agent.kill()?;
    }
    let mut last = start(stage, "kills-last", &options)?;
    last.await_ready()?;
    let made = markers.end()?;
    let (status, _) = last.stop()?;
    ensure!(status.success(), "it ended with {status}");
    let stopped = last.await_line(ARRIVE_MAX, "the last notice", |line| line.is("stopped"))?;
    let end = stopped.field("event.sequence").and_then(serde_json::Value::as_u64).context("no number")?;
    let numbers = await_number(&receiver, end)?;
    let missing: Vec<u64> = (1..=end).filter(|number| !numbers.contains_key(number)).collect();
    ensure!(missing.is_empty(), "{} of {end} are missing: {missing:?}", missing.len());
    ensure!(slowest < BACK_MAX, "back after {slowest:?}");
    Ok(format!(
        "{kills} kills, {made} markers: numbers 1 to {end} all came; back after {} ms at most",
        slowest.as_millis()
    ))
}

/// What an agent of these cases is started with; its outbox is the case's, whatever its own name.
fn options(stage: &Stage<'_>, case: &str, receiver: &str) -> Result<Vec<String>> {
    let directory = stage.world.directory();
    let rule = directory.join("load-marker.yml");
    fs::write(&rule, RULE)?;
    let outbox = directory.join(format!("outbox-{case}")).display().to_string();
    let syslog = format!("tcp://{receiver}");
    let rule = rule.display().to_string();
    let words = ["--no-embedded-rules", "--rules", &rule, "--syslog", &syslog, "--outbox", &outbox];
    Ok(words.map(str::to_owned).to_vec())
}

fn start(stage: &Stage<'_>, name: &str, options: &[String]) -> Result<Agent> {
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    stage.world.another_agent(name, &options)
}

/// Waits until the receiver has this number; then number and id of all. A number that stands for two messages fails.
fn await_number(receiver: &Rsyslog, last: u64) -> Result<BTreeMap<u64, String>> {
    wait::until(ARRIVE_MAX, &format!("message {last} at the receiver"), || {
        let mut numbers = BTreeMap::new();
        for message in receiver.messages()? {
            let document = message.document().context("a message without a document")?;
            let number = document.pointer("/event/sequence").and_then(serde_json::Value::as_u64);
            let number = number.context("a message without a number")?;
            let id = message.event_id();
            let known = numbers.insert(number, id.clone());
            ensure!(known.is_none_or(|known| known == id), "{number} stands for two messages");
        }
        Ok(numbers.contains_key(&last).then_some(numbers))
    })
}
