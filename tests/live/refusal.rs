//! Whatever the agent cannot work with it refuses at once: status 2, a sentence that names the thing
//! and the remedy, and nothing started.

use std::fs;

use anyhow::{Result, ensure};
use tests::world::{World, output_under};

use crate::Case;

/// `EX_USAGE`-like status of everything the user can put right.
const REFUSED: i32 = 2;

const NOBODY: &[&str] = &["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];

pub(crate) fn cases() -> Vec<Case> {
    let without = |name: &'static str, capability: &'static str| {
        Case::new(format!("refusal: without {name}"), move |world| {
            // CAP_SYS_ADMIN stands in for CAP_BPF and CAP_PERFMON (bpf_capable, perfmon_capable; linux/capability.h).
            let set = format!("-sys_admin,-{capability}");
            refuses(world, &["setpriv", "--bounding-set", &set], &[], &[name])
        })
    };
    vec![
        Case::new("refusal: not root", |world| refuses(world, NOBODY, &[], &["CAP_BPF", "root"])),
        without("CAP_BPF", "bpf"),
        without("CAP_PERFMON", "perfmon"),
        without("CAP_NET_ADMIN", "net_admin"),
        Case::new("refusal: unknown option", |world| {
            refuses(world, &["env"], &["--nonsense"], &["--nonsense"])
        }),
        Case::new("refusal: unknown key in the configuration", |world| {
            let path = world.directory().join("unknown-key.yaml");
            fs::write(&path, "# a comment\nnonsense: 1\n")?;
            let path = path.display().to_string();
            refuses(world, &["env"], &["--config", &path], &[&format!("{path}:2:1"), "nonsense"])
        }),
        Case::new("refusal: broken rule", |world| {
            let folder = world.directory().join("broken-rule");
            fs::create_dir_all(&folder)?;
            let path = folder.join("rule.yml");
            fs::write(&path, BROKEN_RULE)?;
            let place = format!("{}:11:", path.display());
            refuses(world, &["env"], &["--rules", &folder.display().to_string()], &[&place, "nonsense"])
        }),
    ]
}

/// Line 11 names a modifier that does not exist.
const BROKEN_RULE: &str = "\
title: Broken on purpose
id: 9f7d2f0c-5a41-4f0e-9d0c-2f5f2a1b6c11
status: experimental
description: For the tests of refusals.
level: low
logsource:
  category: process_creation
  product: linux
detection:
  selection:
    Image|nonsense: /usr/bin/curl
  condition: selection
";

fn refuses(world: &World, prefix: &[&str], options: &[&str], expected: &[&str]) -> Result<String> {
    let arguments = [&["run", "--format", "json"], options].concat();
    let output = output_under(prefix, world.binary(), &arguments)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(REFUSED), "it ended with {}; it said: {said}", output.status);
    let missing = expected.iter().filter(|word| !said.contains(**word)).collect::<Vec<_>>();
    ensure!(missing.is_empty(), "it did not say {missing:?}; it said: {said}");
    ensure!(output.stdout.is_empty(), "it wrote to stdout: {}", String::from_utf8_lossy(&output.stdout));
    Ok(said.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned())
}
