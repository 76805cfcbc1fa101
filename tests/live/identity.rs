//! Whose doing it was: a command brought into a running container, a container that is gone before
//! anybody could ask about it, and nobody's container at all.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tests::agent::Line;
use tests::wait;
use tests::world::World;

use crate::Case;
use crate::transfer::{ALERT_MAX, ensure_at_rsyslogd, ensure_container, mark};

/// A container that lives less than this cannot be asked about while it lives.
const SHORT_LIFE: Duration = Duration::from_millis(100);

/// Containers to try until one lives that short: a loaded machine lets even curl wait.
const SHORT_LIVES_MAX: usize = 5;

/// Sigma's levels, mildest first.
const LEVELS: [&str; 5] = ["informational", "low", "medium", "high", "critical"];

const URL: &str = "http://10.201.0.1/download/payload.bin";

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("identity: docker exec, below a shell", names_what_is_executed),
        Case::new("identity: gone at once", names_the_short_lived),
        Case::new("identity: host, download", |world| {
            let file = world.directory().join("host.bin").display().to_string();
            lowers_on_host(world, &["-sS", "-o", &file, URL], &["-sS", "-o", "/tmp/host.bin", URL])
        }),
        Case::new("identity: host, upload", |world| {
            let url = "http://10.201.0.1/upload/host.bin";
            let file = world.directory().join("shared/payload.bin").display().to_string();
            lowers_on_host(world, &["-sS", "-T", &file, url], &["-sS", "-T", "/lab/payload.bin", url])
        }),
    ]
}

fn names_what_is_executed(world: &World) -> Result<String> {
    let container = world.container("exec", &["sleep", "600"])?;
    container.start()?;
    // The second command keeps the shell: it has to fork for the first.
    let script = format!("curl -sS -o /tmp/payload.bin {URL}; exit $?");
    let ended = container.exec(&["sh", "-c", &script])?;
    ensure!(ended.status.success(), "the tool itself ended with {}: {}", ended.status, ended.output);
    ensure!(container.read("/tmp/payload.bin")? == world.payload, "not the payload arrived");

    let alert = world.agent().await_line(ALERT_MAX, "an alert", |line| line.is_alert_of(&container.id))?;
    ensure_container(&alert, &container)?;
    let shell = format!("sh -c {script}");
    for (field, expected) in [
        ("process.executable", "/usr/bin/curl"),
        ("file.path", "/tmp/payload.bin"),
        ("process.parent.executable", "/usr/bin/dash"),
        ("process.parent.command_line", &shell),
    ] {
        alert.ensure_field(field, &expected.into())?;
    }
    ensure_lineage(&alert, &container.id)?;
    ensure_at_rsyslogd(world, &alert)?;
    mark(world)?;
    let count = world.agent().alerts_of(&container.id)?.len();
    ensure!(count == 1, "{count} alerts about one transfer");
    Ok(format!("below {shell:?}"))
}

/// Nearest first: the shell in the container, then what brought it in, outside.
fn ensure_lineage(alert: &Line, container: &str) -> Result<()> {
    let lineage = alert.field("tidewaiter.lineage").and_then(Value::as_array).context("no lineage")?;
    let told = || lineage.iter().map(|one| format!("\n  {one}")).collect::<String>();
    let inside = |one: &&Value| one.get("container").and_then(Value::as_str) == Some(container);
    let shell = lineage.first().context("the lineage is empty")?;
    ensure!(inside(&shell), "the shell is not in the container:{}", told());
    ensure!(shell.get("executable") == Some(&"/usr/bin/dash".into()), "no shell is the parent:{}", told());
    for name in ["pid", "entity_id"] {
        let parent = alert.field(&format!("process.parent.{name}"));
        ensure!(shell.get(name) == parent, "the parent's {name} is {parent:?}, its lineage:{}", told());
    }
    let last = lineage.last().context("the lineage is empty")?;
    ensure!(last.get("container").is_none(), "the lineage does not leave the container:{}", told());
    Ok(())
}

fn names_the_short_lived(world: &World) -> Result<String> {
    let mut lives = Vec::new();
    for _ in 0..SHORT_LIVES_MAX {
        let container = world.container_with(
            "short",
            &["--entrypoint", "/usr/bin/curl"],
            &["-sS", "-o", "/tmp/payload.bin", URL],
        )?;
        let ended = container.run()?;
        ensure!(ended.status.success(), "curl itself ended with {}: {}", ended.status, ended.output);
        let what = format!("an alert about {}", container.id);
        let alert = world.agent().await_line(ALERT_MAX, &what, |line| line.is_alert_of(&container.id))?;
        ensure_container(&alert, &container)?;
        // The daemon notes the end after the client has seen it.
        let life = wait::until(ALERT_MAX, "the container's end", || Ok(container.life().ok()))?;
        lives.push(format!("{} ms", life.as_millis()));
        if life < SHORT_LIFE {
            return Ok(format!("named in full after a life of {}", lives.join(", ")));
        }
    }
    anyhow::bail!("none lived less than {} ms: {}", SHORT_LIFE.as_millis(), lives.join(", "))
}

/// The same act is one level milder where no container is; what is informational stays so.
fn lowers_on_host(world: &World, on_host: &[&str], inside: &[&str]) -> Result<String> {
    let container = world.container("level", &[&["curl"], inside].concat())?;
    let ended = container.run()?;
    ensure!(ended.status.success(), "curl itself ended with {}: {}", ended.status, ended.output);
    let id = world.run_on_host("curl", on_host)?;
    let in_container =
        world.agent().await_line(ALERT_MAX, "an alert", |line| line.is_alert_of(&container.id))?;
    let what = format!("an alert about process {id}");
    let host = world.agent().await_line(ALERT_MAX, &what, |line| line.is_alert_of_process(id))?;

    let level = |alert: &Line| LEVELS.iter().position(|level| *level == alert.text("rule.level"));
    let (inside, outside) = (level(&in_container), level(&host));
    ensure!(
        inside.is_some() && inside.map(|level| level.saturating_sub(1)) == outside,
        "in the container {:?}, on the host {:?}",
        in_container.text("rule.level"),
        host.text("rule.level")
    );
    host.ensure_field("rule.id", in_container.field("rule.id").context("no rule.id")?)?;
    for field in ["container", "tidewaiter.container", "orchestrator", "tidewaiter.pending"] {
        ensure!(host.field(field).is_none(), "the host's alert has {field}: {}", host.document);
    }
    // Compares what stands in structured data too, where nothing of a container may stand.
    ensure_at_rsyslogd(world, &host)?;
    mark(world)?;
    let count = world.agent().lines_so_far(|line| line.is_alert_of_process(id))?.len();
    ensure!(count == 1, "{count} alerts about one transfer");
    Ok(format!(
        "{} in the container, {} on the host",
        in_container.text("rule.level"),
        host.text("rule.level")
    ))
}
