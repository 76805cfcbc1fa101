//! Somebody floods the sensor from one container: what another one does is seen, and nothing is lost in
//! silence.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tests::wait;

use crate::observer::{Told, told};
use crate::{DEED, Stage};

/// Uploads that must all be seen.
const UPLOADS: usize = 50;
/// For an alert under load.
const ALERT_MAX: Duration = Duration::from_secs(30);
/// Events of the long run.
const GENERATED_MIN: u64 = 10_000_000;

/// A flood's processes: two that connect, one that fails to exec, one that writes.
fn script(count: u64) -> String {
    let forever =
        |deed: &str| format!("(while :; do {DEED} flood {deed} --count {count} >/dev/null; done) &");
    let deeds = ["connect_udp", "connect_udp", "exec_fail", "file"];
    format!("{} wait", deeds.map(forever).join(" "))
}

const UPLOAD: &[&str] = &["curl", "-sS", "-T", "/lab/payload.bin", "http://10.201.0.1/upload/flood.bin"];

pub(crate) fn beside(stage: &Stage<'_>) -> Result<String> {
    let mut agent = stage.world.another_agent("flood", &[])?;
    agent.await_ready()?;
    let script = script(if stage.full { 1_000_000 } else { 200_000 });
    let flood = stage.container("flood", &["sh", "-c", &script])?;
    let victim = stage.world.container("victim", &["sleep", "3600"])?;
    victim.start()?;
    flood.start()?;
    let began = Instant::now();
    for number in 0..UPLOADS {
        let ended = victim.exec(UPLOAD)?;
        ensure!(ended.status.success(), "upload {number}: {}", ended.output);
    }
    let what = format!("{UPLOADS} alerts about uploads");
    let seen = wait::until(ALERT_MAX, &what, || {
        let seen = agent.alerts_of(&victim.id)?.len();
        Ok((seen >= UPLOADS).then_some(seen))
    })?;
    ensure!(seen == UPLOADS, "{seen} alerts about {UPLOADS} uploads");
    let least = if stage.full { GENERATED_MIN } else { 0 };
    let rate = Duration::from_secs(if stage.full { 30 } else { 0 });
    // Time under measurement is time that passes.
    std::thread::sleep(rate.saturating_sub(began.elapsed()));
    let cpu = agent.cpu_time()?;
    let took = began.elapsed();
    drop(flood);
    let told = told(&mut agent)?;
    let generated = told.ensure_balanced()?;
    ensure!(told.sum().aggregated > 0, "nobody flooded anything: {}", summary(&told));
    ensure!(generated >= least, "only {generated} events were generated");
    Ok(format!("{seen} of {UPLOADS} seen; {}; agent {:.0} % of a core", summary(&told), share(cpu, took)))
}

fn share(cpu: Duration, took: Duration) -> f64 {
    100.0 * cpu.as_secs_f64() / took.as_secs_f64()
}

fn summary(told: &Told) -> String {
    let sum = told.sum();
    format!(
        "{} generated = {} delivered + {} aggregated + {} filtered + {} lost",
        sum.generated, sum.delivered, sum.aggregated, sum.filtered, sum.lost
    )
}

/// How long the agent is stopped.
const STOPPED_FULL: Duration = Duration::from_secs(30);
const STOPPED_SHORT: Duration = Duration::from_secs(3);

pub(crate) fn stopped(stage: &Stage<'_>) -> Result<String> {
    let mut agent = stage.world.another_agent("stopped", &[])?;
    agent.await_ready()?;
    let flood = stage.container("flood", &["sh", "-c", &script(200_000)])?;
    flood.start()?;
    let pid = Pid::from_raw(i32::try_from(agent.id())?).ok_or_else(|| anyhow::anyhow!("no such process"))?;
    kill_process(pid, Signal::STOP)?;
    // Time under measurement is time that passes.
    std::thread::sleep(if stage.full { STOPPED_FULL } else { STOPPED_SHORT });
    kill_process(pid, Signal::CONT)?;
    let loss = agent.await_line(ALERT_MAX, "a word about what was lost", |line| line.is("loss"))?;
    drop(flood);
    let told = told(&mut agent)?;
    told.ensure_balanced()?;
    let sum = told.sum();
    let said: u64 = told
        .lines
        .iter()
        .filter_map(|line| line.field("tidewaiter.losses")?.as_array())
        .flatten()
        .filter(|row| row.get("reason").and_then(Value::as_str) == Some("ring full"))
        .filter_map(|row| row.get("count").and_then(Value::as_u64))
        .sum();
    ensure!(said == sum.lost, "{} lost, {said} told: {}", sum.lost, loss.document);
    Ok(format!("{}; every loss told", summary(&told)))
}
