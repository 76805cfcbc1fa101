//! What a guest tells over its console, and what follows from it. Pure: lines in, checks out.
//!
//! A line for us begins with `@tidewaiter` and one of: `start RELEASE`, `pass NAME`, `fail NAME`,
//! `expect FIELD VALUE` (of the alert), `alert JSON`, `coverage JSON`, `way LINE` (of the way matrix's column),
//! `kernel LINE` (of its log), `end STATUS`. All other lines are the console's.

use std::fmt;

use serde_json::Value;

const PREFIX: &str = "@tidewaiter ";

/// What a kernel says when something in it has gone wrong, after the time stamp; the newest of lines like these are
/// in lib/bug.c, kernel/panic.c, arch/x86/mm/fault.c, arch/x86/kernel/traps.c, kernel/rcu/tree_stall.h.
const FAULTS: [&str; 9] = [
    "Kernel panic",
    "BUG: ",
    "Oops",
    "WARNING: ",
    "kernel BUG at",
    "general protection fault",
    "stack segment",
    "invalid opcode",
    "rcu: INFO: ",
];

/// Enough of a console for an oops with its registers and its stack, or for the end of a verifier's log.
const EXCERPT_LINES: usize = 60;

/// What stands before the fault often says what led to it.
const LINES_BEFORE_FAULT: usize = 5;

/// What a guest said so far.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// The guest's kernel, as `uname -r` names it.
    pub(crate) release: String,
    /// The script's exit status; meaningful once it has ended.
    pub(crate) status: i32,
    /// All other lines.
    console: Vec<String>,
    ended: bool,
    checks: Vec<Check>,
    expected: Vec<(String, String)>,
    alert: Option<String>,
    coverage: Option<String>,
    /// What the way matrix told for its page.
    ways: Vec<String>,
    /// Number of the first console line that tells a fault of the kernel.
    fault: Option<usize>,
}

/// What a kernel offers the agent's hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tier {
    /// All of it.
    First,
    /// Tracepoints, cgroups and fanotify; no program attaches to its functions.
    Second,
}

/// Hooks that have no place but a function on a kernel before Linux 6.3, which brought tracepoints for bytes.
const NEED_FUNCTIONS: usize = 13;

/// Where the agent's hooks found their places.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Hooks {
    /// On a place that sees everything.
    first: usize,
    second: usize,
    /// Purposes of those that attached nowhere.
    missing: Vec<String>,
}

/// One thing that was to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Check {
    pub(crate) name: String,
    /// Why it does not hold.
    pub(crate) failure: Option<String>,
}

/// How many tests went which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
}

impl Verdict {
    /// Takes one line; whether it was for us.
    pub(crate) fn read(&mut self, line: &str) -> bool {
        let Some((verb, rest)) =
            line.strip_prefix(PREFIX).map(|rest| rest.split_once(' ').unwrap_or((rest, "")))
        else {
            self.note(line);
            return false;
        };
        match verb {
            "start" => self.release = rest.to_owned(),
            "pass" => self.checks.push(Check { name: rest.to_owned(), failure: None }),
            "fail" => {
                let failure = Some("it did not".to_owned());
                self.checks.push(Check { name: rest.to_owned(), failure });
            }
            "expect" => {
                let (field, value) = rest.split_once(' ').unwrap_or((rest, ""));
                self.expected.push((field.to_owned(), value.to_owned()));
            }
            "alert" => self.alert = Some(rest.to_owned()),
            "coverage" => self.coverage = Some(rest.to_owned()),
            "way" => self.ways.push(rest.to_owned()),
            "kernel" => self.note(rest),
            "end" => {
                self.status = rest.parse().unwrap_or(-1);
                self.ended = true;
            }
            unknown => self.checks.push(Check {
                name: "the guest's lines are understood".to_owned(),
                failure: Some(format!("it said {unknown:?}")),
            }),
        }
        true
    }

    fn note(&mut self, line: &str) {
        if self.fault.is_none() && is_fault(line) {
            self.fault = Some(self.console.len());
        }
        self.console.push(line.to_owned());
    }

    /// The first thing the kernel had to complain of.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.console.get(self.fault?).map(|line| line.trim())
    }

    /// The console around the kernel's first complaint, or its end, indented.
    pub(crate) fn excerpt(&self) -> String {
        let lines: Vec<_> = self.console.iter().filter(|line| !line.trim().is_empty()).collect();
        let fault = lines.iter().position(|line| is_fault(line));
        let start = fault.unwrap_or(lines.len().saturating_sub(EXCERPT_LINES));
        let lines = lines.iter().skip(start.saturating_sub(fault.map_or(0, |_| LINES_BEFORE_FAULT)));
        lines.take(EXCERPT_LINES).map(|line| format!("    | {line}")).collect::<Vec<_>>().join("\n")
    }

    /// The column of the way matrix, if one came.
    pub(crate) fn ways(&self) -> &[String] {
        &self.ways
    }

    /// The console's lines that have one of `words`.
    pub(crate) fn lines_with(&self, words: &[&str]) -> impl Iterator<Item = &str> {
        let has = |line: &&String| words.iter().any(|word| line.contains(word));
        self.console.iter().filter(move |line| has(line)).map(String::as_str)
    }

    /// The sum of what cargo's and our own test programs said in closing; `None` when none ran.
    pub(crate) fn counted(&self) -> Option<Tally> {
        self.console.iter().filter_map(|line| Tally::read(line)).reduce(Tally::with)
    }

    /// Where the agent's hooks are, if it told.
    pub(crate) fn hooks(&self) -> Option<Hooks> {
        let coverage: Value = serde_json::from_str(self.coverage.as_deref()?).ok()?;
        let mut hooks = Hooks::default();
        for hook in coverage.pointer("/tidewaiter/coverage/hooks")?.as_array()? {
            match hook.get("tier").and_then(Value::as_u64) {
                // A lower place that sees as much is as good: kernels differ in what they have.
                Some(tier) if tier == 1 || hook.get("weakens").is_none() => hooks.first += 1,
                Some(_) => hooks.second += 1,
                None => hooks.missing.extend(hook.get("purpose").map(text)),
            }
        }
        Some(hooks)
    }

    pub(crate) fn has_started(&self) -> bool {
        !self.release.is_empty()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// All checks: the script's own, then each expectation against the alert. A script that failed or checked
    /// nothing is a failure too, so that silence never passes.
    pub(crate) fn checks(&self, tier: Tier) -> Vec<Check> {
        let mut checks = self.checks.clone();
        let alert: Option<Value> = self.alert.as_deref().and_then(|alert| serde_json::from_str(alert).ok());
        for (field, value) in &self.expected {
            let found = alert
                .as_ref()
                .and_then(|alert| field.split('.').try_fold(alert, |value, key| value.get(key)));
            let failure = match found {
                None if alert.is_none() => Some("no alert came that is JSON".to_owned()),
                None => Some("the alert has no such field".to_owned()),
                Some(found) if text(found) == *value => None,
                Some(found) => Some(format!("the alert says {found}")),
            };
            checks.push(Check { name: format!("the alert's {field} is {value}"), failure });
        }
        if let Some(hooks) = self.hooks() {
            let (name, holds) = match tier {
                Tier::First => ("every hook attaches, and none is weakened", hooks.are_first()),
                Tier::Second => ("every hook attaches that needs no function", hooks.are_second()),
            };
            let failure = (!holds).then(|| hooks.to_string());
            checks.push(Check { name: name.to_owned(), failure });
        }
        if let Some(fault) = self.fault() {
            let failure = Some(fault.to_owned());
            checks.push(Check { name: "the kernel has nothing to complain of".to_owned(), failure });
        }
        let failed = checks.iter().any(|check| check.failure.is_some());
        if !failed && (self.status != 0 || checks.is_empty()) {
            let failure = Some(format!("it ended with status {} after {} checks", self.status, checks.len()));
            checks.push(Check { name: "the guest's script runs to its end".to_owned(), failure });
        }
        checks
    }
}

/// Whether this is the kernel's and tells a fault: `[   12.345678] BUG: ...`, perhaps in the middle of our own line.
/// A script may print such words too, but no time stamp before them.
fn is_fault(line: &str) -> bool {
    line.match_indices("] ").any(|(end, _)| {
        let stamp = line[..end].rsplit('[').next().unwrap_or_default();
        let said = &line[end + 2..];
        stamp.trim_start().parse::<f64>().is_ok() && FAULTS.iter().any(|fault| said.contains(fault))
    })
}

impl Hooks {
    /// Nothing but local policy keeps a hook from its first tier, and a guest has none.
    fn are_first(&self) -> bool {
        self.first > 0 && self.second == 0 && self.missing.is_empty()
    }

    fn are_second(&self) -> bool {
        self.first > 0 && self.missing.len() <= NEED_FUNCTIONS
    }
}

impl fmt::Display for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, second, missing } = self;
        write!(f, "hooks: {first} whole, {second} weakened")?;
        if !missing.is_empty() {
            write!(f, ", none for {}", missing.join(", "))?;
        }
        Ok(())
    }
}

/// A JSON value as a script would write it.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Tally {
    pub(crate) fn of(checks: &[Check]) -> Self {
        checks.iter().fold(Self::default(), |tally, check| match check.failure {
            None => Self { passed: tally.passed + 1, ..tally },
            Some(_) => Self { failed: tally.failed + 1, ..tally },
        })
    }

    /// Reads a closing line of cargo's test harness: `test result: ok. 3 passed; 0 failed; 1 ignored; ...`.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let (_, counts) = line.split_once("test result: ")?;
        let count = |what: &str| -> Option<u32> {
            let (before, _) = counts.split_once(&format!(" {what}"))?;
            before.rsplit(' ').next()?.parse().ok()
        };
        Some(Self { passed: count("passed")?, failed: count("failed")?, skipped: count("ignored")? })
    }

    /// Both together.
    pub(crate) fn with(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(lines: &[&str]) -> Verdict {
        let mut verdict = Verdict::default();
        for line in lines {
            verdict.read(line);
        }
        verdict
    }

    #[test]
    fn an_alert_is_held_against_what_was_expected() {
        let verdict = verdict(&[
            "@tidewaiter start 6.1.0",
            "noise",
            "@tidewaiter pass the agent gets ready",
            "@tidewaiter expect process.command_line curl -o /x",
            "@tidewaiter expect destination.port 8080",
            "@tidewaiter expect container.id abc",
            r#"@tidewaiter alert {"process":{"command_line":"curl -o /x"},"destination":{"port":8080}}"#,
            "@tidewaiter end 0",
        ]);
        assert!(verdict.has_started() && verdict.has_ended());
        assert_eq!(verdict.excerpt(), "    | noise");
        assert_eq!(verdict.fault(), None);
        let checks = verdict.checks(Tier::First);
        assert_eq!(Tally::of(&checks), Tally { passed: 3, failed: 1, skipped: 0 });
        assert_eq!(checks[3].failure.as_deref(), Some("the alert has no such field"));
    }

    #[test]
    fn a_missing_alert_fails_every_expectation() {
        let checks =
            verdict(&["@tidewaiter expect container.id abc", "@tidewaiter end 0"]).checks(Tier::First);
        assert_eq!(checks[0].failure.as_deref(), Some("no alert came that is JSON"));
    }

    #[test]
    fn silence_does_not_pass() {
        assert_eq!(Tally::of(&verdict(&["@tidewaiter end 0"]).checks(Tier::First)).failed, 1);
        assert_eq!(
            Tally::of(&verdict(&["@tidewaiter pass a", "@tidewaiter end 1"]).checks(Tier::First)).failed,
            1
        );
        assert_eq!(
            Tally::of(&verdict(&["@tidewaiter pass a", "@tidewaiter end 0"]).checks(Tier::First)).failed,
            0
        );
    }

    #[test]
    fn a_fault_of_the_kernel_is_found_and_shown_with_what_follows() {
        let noise: Vec<_> = (0..100).map(|n| format!("[   {n}.5] eth0: link {n}")).collect();
        let mut lines: Vec<&str> = noise.iter().map(String::as_str).collect();
        lines.push("@tidewaiter start 6.1.0");
        lines.push("a script says BUG: and WARNING: as it likes, [here] BUG: too");
        let quiet = verdict(&lines);
        assert_eq!(quiet.fault(), None);
        assert!(quiet.excerpt().lines().count() == EXCERPT_LINES);

        lines.push("half a line[  101.000000] BUG: unable to handle page fault for address: ffff");
        lines.push("[  101.000001] Kernel panic - not syncing: Fatal exception");
        let crashed = verdict(&lines);
        assert_eq!(crashed.fault(), Some(lines[lines.len() - 2]));
        let excerpt = crashed.excerpt();
        assert_eq!(excerpt.lines().count(), LINES_BEFORE_FAULT + 2);
        assert!(excerpt.ends_with("not syncing: Fatal exception"));
    }

    #[test]
    fn what_the_kernel_logged_fails_a_test_that_passed() {
        let lines = ["@tidewaiter pass a", "@tidewaiter kernel [    9.1] WARNING: CPU: 0 at x.c:1"];
        let checks = verdict(&[lines[0], lines[1], "@tidewaiter end 0"]).checks(Tier::First);
        assert_eq!(Tally::of(&checks), Tally { passed: 1, failed: 1, skipped: 0 });
    }

    #[test]
    fn hooks_are_counted_by_tier() {
        let coverage = r#"@tidewaiter coverage {"tidewaiter":{"coverage":{"hooks":[{"purpose":"a","tier":1},
            {"purpose":"b","tier":2,"weakens":"x"},{"purpose":"c","refused":[]}]}}}"#;
        let verdict = verdict(&[coverage, "@tidewaiter end 0"]);
        assert_eq!(Tally::of(&verdict.checks(Tier::First)), Tally { passed: 0, failed: 1, skipped: 0 });
        let hooks = verdict.hooks().unwrap();
        assert_eq!(hooks, Hooks { first: 1, second: 1, missing: vec!["c".to_owned()] });
        assert_eq!(hooks.to_string(), "hooks: 1 whole, 1 weakened, none for c");
    }

    #[test]
    fn cargo_says_how_tests_went() {
        let line =
            "test result: \u{1b}[32mok\u{1b}[m. 12 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out";
        assert_eq!(Tally::read(line), Some(Tally { passed: 12, failed: 0, skipped: 3 }));
        assert_eq!(Tally::read("test a::b ... ok"), None);
        let twice = Tally { passed: 24, failed: 0, skipped: 6 };
        assert_eq!(verdict(&[line, "between", line]).counted(), Some(twice));
        assert_eq!(verdict(&["between"]).counted(), None);
    }
}
