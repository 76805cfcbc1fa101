//! What a busy and honest host does, steadily: nothing may be lost.

use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use serde_json::Value;
use tests::docker::Ended;

use crate::{DEED, Stage, truth};

/// Containers that share the load, since each may only make so many records of a kind.
const CONTAINERS: usize = 3;
/// Deeds a second of each. A deed makes 1.2 events on average: a file two or three, a program four.
const RATE: &str = "18000";
const SECONDS_FULL: u64 = 300;
const SECONDS_SHORT: u64 = 10;
/// Of memory, resident.
const RSS_MAX_KIB: u64 = 96 * 1024;

pub(crate) fn run(stage: &Stage<'_>) -> Result<String> {
    let seconds = if stage.full { SECONDS_FULL } else { SECONDS_SHORT };
    // Rules and stories besides: `run`, as people run it.
    let mut agent = stage.world.another_agent("pace", &[])?;
    agent.await_ready()?;
    let before = agent.cpu_time()?;
    let began = Instant::now();
    let length = seconds.to_string();
    let words = [DEED, "pace", "mixed", "--count", RATE, "--seconds", &length];
    let containers = (0..CONTAINERS).map(|_| stage.container("pace", &words)).collect::<Result<Vec<_>>>()?;
    let outcomes = std::thread::scope(|scope| {
        let runs: Vec<_> = containers.iter().map(|one| scope.spawn(|| one.run())).collect();
        let ended =
            |run: ScopedJoinHandle<'_, Result<Ended>>| run.join().map_err(|_| anyhow!("it panicked"))?;
        runs.into_iter().map(ended).collect::<Result<Vec<_>>>()
    })?;
    let took = began.elapsed();
    let cpu = agent.cpu_time()? - before;
    let rss = agent.rss_kib()?;
    let (mut late, mut connects, mut programs) = (0, 0, 0);
    for outcome in &outcomes {
        let truth = truth(outcome)?;
        let number = |name: &str| truth.get(name).and_then(Value::as_u64).unwrap_or_default();
        late += number("late_slices");
        connects += number("connects");
        programs += number("programs");
    }
    let told = crate::observer::told(&mut agent)?;
    told.ensure_balanced()?;
    let sum = told.sum();
    let rate = rate(sum.delivered, took);
    // A sensor that sees nothing loses nothing.
    let delivered = |kind: &str| told.ledger.get(kind).map_or(0, |row| row.delivered);
    let (told_connects, told_programs) = (delivered("network_connect"), delivered("process_exec"));
    ensure!(connects > 0 && told_connects >= connects, "{connects} connects, {told_connects} told");
    ensure!(programs > 0 && told_programs >= programs, "{programs} programs, {told_programs} told");
    ensure!(sum.lost == 0, "{} lost of {} generated", sum.lost, sum.generated);
    ensure!(rss < RSS_MAX_KIB, "{rss} KiB resident");
    let share = 100.0 * cpu.as_secs_f64() / took.as_secs_f64();
    ensure!(share <= 100.0, "the agent took {share:.0} % of a core");
    Ok(format!(
        "{rate:.0} delivered/s for {} s ({} aggregated), 0 lost, agent {share:.0} % of a core, {:.0} MiB; \
         {late} slices late",
        took.as_secs(),
        sum.aggregated,
        rss as f64 / 1024.0
    ))
}

fn rate(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}
