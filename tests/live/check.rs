//! The doctor on this machine: as root, as nobody, and with receivers that are there, away and not to be believed.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tests::authority::Authority;
use tests::receiver::{Kind, Receiver};
use tests::rsyslog::free_address;
use tests::world::{World, output_under};

use crate::Case;

/// Something would go unseen or undelivered.
const NEGATIVE: i32 = 1;
const NOBODY: &[&str] = &["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
/// The port of tcpmux (RFC 1078), at which nobody has listened for decades.
const AWAY: &str = "127.0.0.1:1";
/// Hooks and their proofs take some 0.3 s, a receiver that is silent 5.
const TIME_MAX: Duration = Duration::from_secs(8);

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("check: hooks and the detections they weaken", names_what_suffers),
        Case::new("check: as nobody it looks at what it may", looks_at_what_it_may),
        Case::new("check: receivers there, away, and not believed", tries_receivers),
        Case::new("check: what is missing hides nothing else", hides_nothing),
    ]
}

/// What it told, and how it ended.
struct Checked {
    document: Value,
    status: Option<i32>,
}

fn check(world: &World, prefix: &[&str], options: &[&str]) -> Result<Checked> {
    let begun = Instant::now();
    let output = output_under(prefix, world.binary(), &[&["check", "--json"], options].concat())?;
    let took = begun.elapsed();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let document = serde_json::from_slice(&output.stdout).with_context(|| format!("it said: {said}"))?;
    ensure!(took < TIME_MAX, "it took {took:?}");
    Ok(Checked { document, status: output.status.code() })
}

impl Checked {
    fn findings(&self) -> impl Iterator<Item = &Value> {
        self.document["findings"].as_array().into_iter().flatten()
    }

    /// The finding of a check, about this if it is about one of several.
    fn finding(&self, check: &str, subject: Option<&str>) -> Result<&Value> {
        let is_it = |finding: &&Value| {
            finding["check"] == check && subject.is_none_or(|subject| finding["subject"] == subject)
        };
        self.findings()
            .find(is_it)
            .with_context(|| format!("nothing of {check} {subject:?}: {}", self.document))
    }
}

/// A text of a finding; empty where it has none.
fn text<'v>(finding: &'v Value, key: &str) -> &'v str {
    finding[key].as_str().unwrap_or_default()
}

fn weakens(finding: &Value) -> BTreeSet<&str> {
    finding["weakens"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// What is not attached is told with the detections that suffer, and the status follows.
fn names_what_suffers(world: &World) -> Result<String> {
    let checked = check(world, &["env"], &[])?;
    let hooks = checked.document["hooks"].as_array().context("no hooks")?;
    ensure!(hooks.len() > 30, "{} hooks", hooks.len());
    let mut missing = 0;
    for hook in hooks {
        let purpose = text(hook, "purpose");
        let finding = checked.finding("hook", Some(purpose))?;
        let expected = match (hook["attached"].is_null(), hook["not_seen"].is_null()) {
            (true, _) => "bad",
            (false, false) => "weak",
            (false, true) => "good",
        };
        ensure!(finding["verdict"] == expected, "{purpose} is {finding}, not {expected}");
        missing += usize::from(expected == "bad");
        if purpose == "namespace entered" && expected == "bad" {
            let named = weakens(finding);
            ensure!(named.contains("container_entered") && named.contains("container_left"), "{named:?}");
            ensure!(!named.contains("curl_download"), "{named:?}");
        }
    }
    let is_well = checked.findings().all(|it| matches!(text(it, "verdict"), "good" | "note"));
    ensure!(checked.document["is_well"] == is_well, "is_well is {}", checked.document["is_well"]);
    let expected = if is_well { 0 } else { NEGATIVE };
    ensure!(checked.status == Some(expected), "it ended with {:?}, not {expected}", checked.status);
    for check in
        ["release", "btf", "lockdown", "cgroup", "pid_namespace", "proc", "capability", "rules", "clock"]
    {
        checked.finding(check, None)?;
    }
    let weakened = checked.document["weakened"].as_array().map_or(0, Vec::len);
    Ok(format!("{} hooks, {missing} missing; {weakened} detections weakened", hooks.len()))
}

fn looks_at_what_it_may(world: &World) -> Result<String> {
    let checked = check(world, NOBODY, &[])?;
    ensure!(checked.status == Some(NEGATIVE), "it ended with {:?}", checked.status);
    let capability = checked.finding("capability", None)?;
    ensure!(capability["verdict"] == "bad" && text(capability, "what").contains("CAP_BPF"), "{capability}");
    let all = checked.document["detections"].as_u64();
    let named = u64::try_from(weakens(capability).len()).ok();
    ensure!(named == all && all > Some(60), "{named:?} of {all:?} detections are named");
    let hook = checked.finding("hook", None)?;
    ensure!(hook["verdict"] == "unknown" && text(hook, "remedy").contains("sudo"), "{hook}");
    for check in ["release", "btf", "cgroup", "pid_namespace", "proc", "rules", "clock"] {
        let finding = checked.finding(check, None)?;
        ensure!(finding["verdict"] != "unknown", "nobody may see that: {finding}");
    }
    Ok(text(capability, "what").to_owned())
}

/// The daemon is rsyslogd, over TCP and over TLS; another authority signed nothing of it.
fn tries_receivers(world: &World) -> Result<String> {
    let directory = world.directory().join("check");
    let ours = Authority::make(&directory.join("ours"))?;
    let other = Authority::make(&directory.join("other"))?;
    let tls = free_address()?;
    let secure = Receiver::start(Kind::RsyslogTls, &directory.join("tls"), tls, &ours)?;
    // Once the other one listens, so that it is another port.
    let tcp = free_address()?;
    let plain = Receiver::start(Kind::RsyslogTcp, &directory.join("tcp"), tcp, &ours)?;
    let port = tls.port();
    let settings = format!(
        "syslog:\n  - {}\n  - {}\n  - \"tcp://{AWAY}\"\n  - {{url: \"tls://127.0.0.1:{port}\", ca: \"{}\"}}\n\
         file:\n  - path: {}/alerts.json\n  - path: /proc/alerts.json\noutbox:\n  directory: {}/outbox\n",
        secure.entry(),
        plain.entry(),
        other.ca.display(),
        directory.display(),
        directory.display(),
    );
    let path = directory.join("config.yaml");
    fs::write(&path, settings)?;
    let checked = check(world, &["env"], &["--config", &path.display().to_string()])?;
    let of = |name: &str| checked.finding("receiver", Some(name));
    let verified = of(&format!("syslog tls://localhost:{port}"))?;
    ensure!(verified["verdict"] == "good" && text(verified, "what").contains("verified"), "{verified}");
    ensure!(of(&format!("syslog tcp://{tcp}"))?["verdict"] == "good", "{}", checked.document);
    let silent = of(&format!("syslog tcp://{AWAY}"))?;
    ensure!(silent["problem"] == "away" && text(silent, "what").contains("refused"), "{silent}");
    let stranger = of(&format!("syslog tls://127.0.0.1:{port}"))?;
    ensure!(stranger["problem"] == "refused" && text(stranger, "what").contains("`ca`"), "{stranger}");
    let file = directory.join("alerts.json");
    ensure!(of(&format!("file {}", file.display()))?["verdict"] == "good", "{}", checked.document);
    ensure!(!file.exists(), "it made the file");
    ensure!(of("file /proc/alerts.json")?["problem"] == "unwritable", "{}", checked.document);
    let outbox = checked.finding("outbox", None)?;
    ensure!(outbox["verdict"] == "good" && !directory.join("outbox").exists(), "{outbox}");
    for receiver in [&secure, &plain] {
        let messages = receiver.messages()?;
        ensure!(messages.is_empty(), "{} was sent {messages:?}", receiver.kind.name());
    }
    Ok(text(stranger, "what").to_owned())
}

/// Broken rules, a baseline that is none, a pid namespace of its own: each is told, and the hooks are tried.
fn hides_nothing(world: &World) -> Result<String> {
    let directory = world.directory().join("check-broken");
    fs::create_dir_all(&directory)?;
    let (rule, baseline) = (directory.join("rule.yml"), directory.join("baseline.json"));
    fs::write(
        &rule,
        "title: Broken\nlogsource: {category: process_creation}\ndetection: {a: {Imge: x}, condition: a}\n",
    )?;
    fs::write(&baseline, "no baseline")?;
    let (rule, baseline) = (rule.display().to_string(), baseline.display().to_string());
    let prefix = ["unshare", "--pid", "--fork", "--mount-proc"];
    let checked = check(world, &prefix, &["--rules", &rule, "--baseline", &baseline])?;
    ensure!(checked.status == Some(NEGATIVE), "it ended with {:?}", checked.status);
    let rules = checked.finding("rules", None)?;
    ensure!(text(rules, "what").starts_with(&format!("{rule}:3:")), "{rules}");
    for (check, problem) in [("baseline", "mistaken"), ("pid_namespace", "own")] {
        let finding = checked.finding(check, None)?;
        ensure!(finding["problem"] == problem, "{finding}");
    }
    ensure!(
        checked.document["hooks"].as_array().is_some_and(|hooks| !hooks.is_empty()),
        "no hooks were tried"
    );
    Ok(text(rules, "what").to_owned())
}
