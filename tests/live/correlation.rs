//! Correlations and filters by a folder of rules: what several programs of one container do is told once, with
//! all that it is made of, and not of the container that a filter keeps back.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tests::agent::Line;
use tests::world::World;

use crate::Case;
use crate::transfer::{ALERT_MAX, ensure_container, mark_for};

/// Ports that nobody listens at, each tried by a program of its own.
const SCAN: &str =
    "for port in 7101 7102 7103 7104 7105; do curl -s --max-time 2 http://10.201.0.1:$port/; done; true";
/// A file of secrets is read by one program, and another one connects.
const THEFT: &str = "cat /etc/shadow; curl -s --max-time 2 http://10.201.0.1:7106/; true";
/// The image has no such file.
const TREASURE: &str = "echo nobody:x > /etc/shadow";

const RULES: &str = "\
title: A connection
id: 0f6f3d52-5f0e-4f0e-9c53-6a2f0c5c1b01
name: connection
status: test
level: low
logsource: {category: network_connection, product: linux}
detection:
  out: {Initiated: true, DestinationPort|gte: 7101, DestinationPort|lte: 7106}
  condition: out
---
title: A secret
id: 0f6f3d52-5f0e-4f0e-9c53-6a2f0c5c1b02
name: secret
status: test
level: low
logsource: {category: file_access, product: linux}
detection:
  shadow: {TargetFilename: /etc/shadow, ContainerId|exists: true}
  condition: shadow
---
title: Many ports
id: 0f6f3d52-5f0e-4f0e-9c53-6a2f0c5c1b03
level: high
correlation:
  type: value_count
  rules: [connection]
  group-by: [ContainerId]
  timespan: 1m
  condition: {field: DestinationPort, gte: 5}
---
title: Secret, then out
id: 0f6f3d52-5f0e-4f0e-9c53-6a2f0c5c1b04
level: high
correlation:
  type: temporal_ordered
  rules: [secret, connection]
  group-by: [ContainerId]
  timespan: 1m
";

const FILTER: &str = "\
title: The quiet ones may
id: 0f6f3d52-5f0e-4f0e-9c53-6a2f0c5c1b05
logsource: {category: network_connection, product: linux}
filter:
  rules: [connection]
  quiet: {ContainerName|startswith: quiet-}
  condition: quiet
";

const MANY: &str = "Many ports";
const SECRET: &str = "Secret, then out";

pub(crate) fn cases() -> Vec<Case> {
    vec![Case::new("correlation: told once, and not where filtered", correlates)]
}

fn is_of(line: &Line, rule: &str) -> bool {
    line.is("alert") && line.text("rule.name") == rule
}

fn correlates(world: &World) -> Result<String> {
    let folder = world.directory().join("correlation");
    fs::create_dir(&folder)?;
    fs::write(folder.join("rules.yml"), RULES)?;
    fs::write(folder.join("filter.yml"), FILTER)?;
    let rules = folder.display().to_string();
    let mut agent = world.another_agent("correlation", &["--rules", &rules])?;
    agent.await_ready()?;
    for (name, script) in [("quiet", SCAN), ("loud", SCAN), ("thief", THEFT)] {
        // In a container that is there already: where fentry is refused, what its first program does in its first
        // milliseconds to a secret is not seen.
        let container = world.container(name, &["sleep", "600"])?;
        container.start()?;
        if name == "thief" {
            container.exec(&["sh", "-c", TREASURE])?;
        }
        let ended = container.exec(&["sh", "-c", script])?;
        ensure!(ended.status.success(), "{name} ended with {}: {}", ended.status, ended.output);
        let rule = match name {
            "loud" => MANY,
            "thief" => SECRET,
            _ => continue,
        };
        let alert = agent.await_line(ALERT_MAX, rule, |line| is_of(line, rule))?;
        ensure_container(&alert, &container)?;
        let group = json!({"ContainerId": container.id});
        alert.ensure_field("tidewaiter.correlation.group", &group)?;
        ensure_steps(&alert, rule)?;
    }
    mark_for(world, &mut agent)?;
    for rule in [MANY, SECRET] {
        let told = agent.lines_so_far(|line| is_of(line, rule))?;
        ensure!(told.len() == 1, "\"{rule}\" was told {} times: {:?}", told.len(), told.last());
    }
    let alone =
        agent.lines_so_far(|line| ["A connection", "A secret"].iter().any(|rule| is_of(line, rule)))?;
    ensure!(alone.is_empty(), "a rule of a correlation was told by itself: {}", alone[0].document);
    Ok("five ports by five programs, a secret and a connection; not of the quiet one".to_owned())
}

/// Each match is a step, by the program that made it.
fn ensure_steps(alert: &Line, rule: &str) -> Result<()> {
    let steps = alert.field("tidewaiter.steps").and_then(Value::as_array).context("no steps")?;
    let text = |step: &Value, key: &str| step.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let told = steps.iter().map(|step| (text(step, "program"), text(step, "action")));
    // The story has more: who it was, and what came of it.
    let told: Vec<(String, String)> =
        told.filter(|(_, action)| ["connected", "read"].contains(&action.as_str())).collect();
    // Whoever made the secret opened it, too; whether that is seen depends on what the kernel grants.
    let last = if rule == MANY { 5 } else { 2 };
    let told = told.get(told.len().saturating_sub(last)..).unwrap_or_default();
    let expected: &[(&str, &str)] =
        if rule == MANY { &[("curl", "connected"); 5] } else { &[("cat", "read"), ("curl", "connected")] };
    let is_same =
        told.iter().map(|(program, action)| (program.as_str(), action.as_str())).eq(expected.iter().copied());
    ensure!(is_same, "the steps are {told:?}");
    alert.ensure_field("tidewaiter.correlation.value", &last.into())
}
