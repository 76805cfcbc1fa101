//! Secrets in command lines: the detection still alerts, and nothing that leaves any agent has a byte of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tests::agent::Agent;
use tests::docker::Container;
use tests::rsyslog::free_address;
use tests::wait;
use tests::world::{CONTROL, World};

use crate::Case;
use crate::transfer::ALERT_MAX;

/// Longest wait for what has an alert already to have it everywhere.
const SETTLED_MAX: Duration = Duration::from_secs(20);

const URL: &str = "http://10.201.0.1/download/payload.bin";

/// Made up, each found nowhere else.
const SECRETS: [&str; 4] = [
    "Kv7-first-Secret-91",
    "Kv7.second.Secret.92",
    "Kv7thirdSecret93",
    "ghp_Kv7fourthSecret94000000000000000000",
];

/// Ends where a secret begins.
const RULE: &str = "title: Lab secret\nlogsource:\n  product: linux\n  category: process_creation\nlevel: high\n\
                    detection:\n  found:\n    CommandLine|contains: ";

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("redact: curl with secrets, every way out", leaves_no_secret),
        Case::new("redact: switched off, all of it is told", tells_all),
    ]
}

/// It stays, so that a picture has it too.
fn script() -> String {
    let [bearer, password, key, token] = SECRETS;
    format!(
        "curl -sS -H 'Authorization: Bearer {bearer}' -u bob:{password} -o /tmp/payload {URL}; \
         API_KEY={key} curl -sS -o /tmp/again '{URL}?token={token}'; sleep 600"
    )
}

fn container<'w>(world: &'w World, name: &str) -> Result<Container<'w>> {
    world.container(name, &["sh", "-c", &script()])
}

fn leaves_no_secret(world: &World) -> Result<String> {
    let folder = world.directory().join("redact");
    fs::create_dir_all(&folder)?;
    let rule = world.directory().join("redact.yml");
    fs::write(&rule, format!("{RULE}{}\n  condition: found\n", SECRETS[0]))?;
    let more = format!("log: trace\nrules: [{}]\n", rule.display());
    let mut agent = agent(world, "redact", &folder, &more)?;
    agent.await_ready()?;
    let container = container(world, "redact")?;
    let mut observer = world.observer("redact-events", &["--container", &container.id])?;
    observer.await_ready()?;
    container.start()?;

    // It is in the kernel, so that what is searched for below can be found.
    let pid = container.pid()?;
    let real = fs::read(format!("/proc/{pid}/cmdline"))?;
    ensure!(SECRETS.iter().all(|secret| has(&real, secret)), "the container does not run what it should");

    let what = format!("an alert about {}", container.id);
    let alert = agent.await_line(ALERT_MAX, &what, |line| line.is_alert_of(&container.id))?;
    ensure_shape(&alert.document)?;
    // One rule asks for the program, the other for the secret: both see the truth.
    for name in ["Lab secret", "curl"] {
        let of_both = |text: &str| text.contains(name);
        agent.await_line(ALERT_MAX, name, |line| {
            let evidence = line.field("tidewaiter.story.evidence").map(Value::to_string).unwrap_or_default();
            line.text("container.id") == container.id && of_both(&evidence)
        })?;
    }
    observer.await_line(ALERT_MAX, "the second curl's end", |line| {
        line.text("event.action") == "exit" || line.text("process.command_line").contains("/tmp/again")
    })?;
    let id = alert.text("event.id").to_owned();
    let ways = [folder.join("ecs"), folder.join("ocsf"), folder.join("cef"), folder.join("falco")];
    for way in &ways {
        let there = || Ok(fs::read(way).ok().filter(|bytes| has(bytes, &id)));
        wait::until(SETTLED_MAX, &format!("the alert in {}", way.display()), there)?;
    }
    // A receiver that is away: all of it stays on the disk.
    let kept = wait::until(SETTLED_MAX, "the alert on the disk", || {
        Ok(Some(read_all(&folder.join("outbox"))?).filter(|bytes| has(bytes, &id)))
    })?;
    ensure!(has(&kept, "<redacted:header:"), "the outbox has no mark");
    // The shared agent saw it as well, and filed it at rsyslogd.
    let filed = world.agent().await_line(ALERT_MAX, &what, |line| line.is_alert_of(&container.id))?;
    let filed = filed.text("event.id").to_owned();
    world.rsyslog.await_message(ALERT_MAX, "the alert at rsyslogd", |one| one.event_id() == filed)?;
    let picture = ps(world, &container.id)?;
    ensure!(has(&picture, "<redacted:"), "no mark: {}", String::from_utf8_lossy(&picture));

    let mut told: Vec<(String, Vec<u8>)> = vec![("ps".to_owned(), picture), ("outbox".to_owned(), kept)];
    for (name, agent) in [("stdout", &mut agent), ("events", &mut observer)] {
        let lines = agent.lines_so_far(|_| true)?;
        let text: String = lines.iter().map(|line| line.document.to_string() + "\n").collect();
        told.push((name.to_owned(), text.into_bytes()));
        told.push((format!("log of {name}"), agent.log()?.into_bytes()));
        agent.stop()?;
    }
    let text: Vec<String> =
        world.agent().lines_so_far(|_| true)?.iter().map(|line| line.document.to_string()).collect();
    told.push(("stdout of the shared agent".to_owned(), text.join("\n").into_bytes()));
    told.push(("log of the shared agent".to_owned(), world.agent().log()?.into_bytes()));
    told.push(("rsyslogd".to_owned(), fs::read(world.rsyslog.file())?));
    told.push(("all outboxes".to_owned(), read_all(&world.directory().join("outbox"))?));
    for way in ways {
        told.push((way.display().to_string(), fs::read(&way)?));
    }
    let mut bytes = 0;
    for (name, text) in &told {
        bytes += text.len();
        for secret in SECRETS {
            ensure!(!has(text, secret), "{name} has {secret}");
        }
    }
    Ok(format!("{} ways, {bytes} bytes, none of {} secrets", told.len(), SECRETS.len()))
}

/// What the alert says in their places.
fn ensure_shape(document: &Value) -> Result<()> {
    let text = document.to_string();
    for mark in ["<redacted:header:", "<redacted:login:"] {
        ensure!(text.contains(mark), "no {mark} in {text}");
    }
    let count = document.pointer("/tidewaiter/redacted").and_then(Value::as_u64);
    ensure!(count.is_some_and(|count| count > 3), "it counts {count:?}");
    let args: Vec<&str> = document
        .pointer("/process/args")
        .and_then(Value::as_array)
        .context("no arguments")?
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let line = document.pointer("/process/command_line").and_then(Value::as_str);
    ensure!(line == Some(&args.join(" ")), "{line:?} is not {args:?}");
    ensure!(document.pointer("/process/args_count") == Some(&args.len().into()), "{args:?}");
    Ok(())
}

fn tells_all(world: &World) -> Result<String> {
    let folder = world.directory().join("redact-off");
    fs::create_dir_all(&folder)?;
    let mut agent = agent(world, "redact-off", &folder, "redact: {off: true}\n")?;
    agent.await_ready()?;
    let container = container(world, "redact-off")?;
    container.start()?;
    let what = format!("an alert about {}", container.id);
    let alert = agent.await_line(ALERT_MAX, &what, |line| line.is_alert_of(&container.id))?;
    let text = alert.document.to_string();
    ensure!(text.contains(SECRETS[0]) && text.contains(SECRETS[1]), "{text}");
    ensure!(!text.contains("<redacted:") && alert.field("tidewaiter.redacted").is_none(), "{text}");
    agent.stop()?;
    Ok("both secrets of the command line, no mark".to_owned())
}

/// An agent with a file for each form, and a receiver that never comes.
fn agent(world: &World, name: &str, folder: &Path, more: &str) -> Result<Agent> {
    let file = |form: &str| format!("  - {{path: {}, format: {form}}}\n", folder.join(form).display());
    let files: String = ["ecs", "ocsf", "cef", "falco"].map(file).concat();
    let settings = format!(
        "{more}syslog: [\"tcp://{}\"]\noutbox: {{directory: {}}}\nfile:\n{files}",
        free_address()?,
        folder.join("outbox").display(),
    );
    world.agent_with(name, &settings)
}

fn ps(world: &World, container: &str) -> Result<Vec<u8>> {
    let mut command = Command::new(world.binary());
    command.args(["ps", "--format", "json", "--container", container, "--socket"]);
    let output = command.arg(world.directory().join(CONTROL)).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

/// Every file below a folder, one behind the other.
fn read_all(folder: &Path) -> Result<Vec<u8>> {
    let (mut bytes, mut folders) = (Vec::new(), vec![PathBuf::from(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                // It may go while it is looked at.
                bytes.extend(fs::read(&path).unwrap_or_default());
            }
        }
    }
    Ok(bytes)
}
