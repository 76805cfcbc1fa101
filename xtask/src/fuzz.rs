//! `cargo xtask fuzz`: random rules, records and texts against the rule engine, guided by coverage.
//!
//! The engine has no `unsafe` code, so no sanitizer has anything to find: without one the cases run several times
//! faster, and the stable compiler builds them. What a case checks is in `sigma/fuzz`; a few thousand of them are
//! part of `cargo test`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::command;
use crate::place::Place;
use crate::progress;
use crate::setup;

/// The fuzzer's ways into the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Target {
    /// Any text as a rule document
    Load,
    /// Random rules over random records: answers that must agree
    Match,
    /// Random correlations over random streams of matches
    Correlate,
}

/// Longest input, bytes. A case of `load` may also repeat a part of it, up to 64 KiB.
const LENGTH_MAX: u32 = 4096;

/// Seconds of the clock on the wall after which a case hangs. Cases measure their CPU time themselves, against a
/// bound of 100 ms; this one only ends what never comes back.
const HANG: u32 = 60;

/// Memory at which a case is a finding, MiB. The longest document and its mistakes take some dozen.
const MEMORY_MAX: u32 = 1024;

/// Seconds that are spent on making the input of a finding smaller.
const MINIMISING: u32 = 60;

impl Target {
    fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Match => "match",
            Self::Correlate => "correlate",
        }
    }
}

/// Runs so many cases of each target, or fewer where the time is up.
pub(crate) fn fuzz(place: &Place, targets: &[Target], cases: u64, seconds: Option<u64>) -> Result<()> {
    setup::ensure(&[setup::Part::Fuzzer], place)?;
    progress::title("Fuzzing the rule engine");
    build(place)?;
    let all = if targets.is_empty() { Target::value_variants() } else { targets };
    for target in all {
        let doing = format!("{cases} cases; what it says: {}", log(place, *target).display());
        progress::step(target.name(), &doing, || run(place, *target, cases, seconds))?;
    }
    Ok(())
}

fn build(place: &Place) -> Result<()> {
    let mut cargo = Command::new(place.tools().join("bin/cargo-fuzz"));
    // Counters at each comparison would find magic words, which the dictionary has, for half of the pace.
    cargo.args(["fuzz", "build", "--sanitizer", "none", "--no-trace-compares", "--fuzz-dir"]);
    cargo.arg(place.root.join("sigma/fuzz"));
    cargo.arg("--target-dir").arg(place.fuzz());
    progress::step("targets", "building them with coverage counters, some minutes the first time", || {
        command::log(cargo.current_dir(&place.root), &place.log("fuzz-build"))?;
        Ok("built".to_owned())
    })
}

fn run(place: &Place, target: Target, cases: u64, seconds: Option<u64>) -> Result<String> {
    let found = place.fuzz().join("found").join(target.name());
    let corpus = place.fuzz().join("corpus").join(target.name());
    for directory in [&found, &corpus] {
        fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    }
    let before = inputs(&found)?;
    let mut fuzzer = program(place, target)?;
    fuzzer.arg(format!("-runs={cases}")).arg("-print_final_stats=1");
    fuzzer.args(seconds.map(|seconds| format!("-max_total_time={seconds}")));
    fuzzer.arg(format!("-dict={}", place.root.join("sigma/fuzz/dictionary.txt").display()));
    fuzzer.arg(format!("-artifact_prefix={}/", found.display())).arg(&corpus).args(seeds(place, target)?);
    let outcome = command::log(&mut fuzzer, &log(place, target));
    let said = fs::read(log(place, target)).map(|said| String::from_utf8_lossy(&said).into_owned())?;
    let Err(error) = outcome else { return figures(&said).context("the fuzzer told no figures") };
    match inputs(&found)?.into_iter().find(|input| !before.contains(input)) {
        Some(input) => bail!(
            "a finding{}: {}\nagain: {} {}\n{}",
            figures(&said).map(|figures| format!(" ({figures})")).unwrap_or_default(),
            reason(&said),
            binary(place, target)?.display(),
            minimised(place, target, &input)?.display(),
            command::tail(&said)
        ),
        None => Err(error),
    }
}

/// The built target with the bounds of every run.
fn program(place: &Place, target: Target) -> Result<Command> {
    let mut fuzzer = Command::new(binary(place, target)?);
    fuzzer.arg(format!("-max_len={LENGTH_MAX}")).arg(format!("-timeout={HANG}"));
    fuzzer.arg(format!("-rss_limit_mb={MEMORY_MAX}"));
    Ok(fuzzer)
}

fn binary(place: &Place, target: Target) -> Result<PathBuf> {
    let version = command::read(command::rustc().arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    Ok(place.fuzz().join(host).join("release").join(target.name()))
}

fn log(place: &Place, target: Target) -> PathBuf {
    place.log(&format!("fuzz-{}", target.name()))
}

/// Folders of documents to begin with: the seeds, the findings of old, the project's own rules.
fn seeds(place: &Place, target: Target) -> Result<Vec<PathBuf>> {
    let home = place.root.join("sigma/fuzz");
    let mut folders = vec![home.join("regression").join(target.name())];
    if target == Target::Load {
        let rules = place.fuzz().join("rules");
        fs::create_dir_all(&rules).with_context(|| format!("cannot create {}", rules.display()))?;
        for folder in fs::read_dir(place.root.join("rules")).context("cannot list rules")? {
            let folder = folder?;
            let rule = folder.path().join("rule.yml");
            if rule.exists() {
                let name = Path::new(&folder.file_name()).with_extension("yml");
                fs::copy(&rule, rules.join(name))
                    .with_context(|| format!("cannot copy {}", rule.display()))?;
            }
        }
        folders.extend([home.join("seed"), rules]);
    }
    folders.retain(|folder| folder.is_dir());
    Ok(folders)
}

fn inputs(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    Ok(entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?)
}

/// A smaller input with the same outcome, or the same one where none is found in time.
fn minimised(place: &Place, target: Target, input: &Path) -> Result<PathBuf> {
    let small = input.with_extension("min");
    let mut fuzzer = program(place, target)?;
    fuzzer.args(["-minimize_crash=1", &format!("-max_total_time={MINIMISING}")]);
    fuzzer.arg(format!("-exact_artifact_path={}", small.display())).arg(input);
    let is_good = |command: &mut Command| {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().is_ok_and(|status| status.success())
    };
    // How it ends says nothing, and an empty file may be left behind: what is smaller must fail again.
    _ = is_good(&mut fuzzer);
    let fails = small.exists() && !is_good(program(place, target)?.arg(&small));
    Ok(if fails { small } else { input.to_owned() })
}

/// What the fuzzer counted, as a line.
fn figures(said: &str) -> Option<String> {
    let number = |name: &str| {
        let line = said.lines().rev().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line?.trim().parse::<u64>().ok()
    };
    let cases = number("stat::number_of_executed_units")?;
    let pace = number("stat::average_exec_per_sec")?;
    let longest = said.lines().rev().find_map(|line| line.strip_prefix("longest: ")).unwrap_or("not told");
    Some(format!("{cases} cases, {pace}/s, longest {longest} of CPU time"))
}

/// The sentence of the panic, or of the fuzzer.
fn reason(said: &str) -> String {
    let mut lines = said.lines().skip_while(|line| !line.contains("panicked at"));
    let panic = lines.nth(1);
    let own = said.lines().find(|line| line.contains("ERROR: libFuzzer"));
    panic.or(own).unwrap_or("no reason was told").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "longest: 0.100 ms (load)\nlongest: 8.852 ms (load)\n\
        stat::number_of_executed_units: 63751\nstat::average_exec_per_sec:     787\n";

    #[test]
    fn the_figures_are_the_last_ones() {
        let expected = "63751 cases, 787/s, longest 8.852 ms (load) of CPU time";
        assert_eq!(figures(SAID).as_deref(), Some(expected));
        assert_eq!(figures("nothing"), None);
    }

    #[test]
    fn a_panic_is_told_rather_than_what_libfuzzer_makes_of_it() {
        let said = "thread '<unnamed>' panicked at src/load.rs:1:2:\nthe reason\n==1== ERROR: libFuzzer: deadly signal";
        assert_eq!(reason(said), "the reason");
        assert_eq!(
            reason("==1== ERROR: libFuzzer: timeout after 60 seconds"),
            "==1== ERROR: libFuzzer: timeout after 60 seconds"
        );
    }
}
