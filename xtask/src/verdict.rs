//! What a guest tells over its console, and what follows from it. Pure: lines in, checks out.
//!
//! A line for us begins with `@tidewaiter` and one of: `start RELEASE`, `pass NAME`, `fail NAME`,
//! `expect FIELD VALUE` (of the alert), `alert JSON`, `end STATUS`. All other lines are the console's.

use std::fmt;

use serde_json::Value;

const PREFIX: &str = "@tidewaiter ";

/// What a guest said so far.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// The guest's kernel, as `uname -r` names it.
    pub(crate) release: String,
    /// The script's exit status; meaningful once it has ended.
    pub(crate) status: i32,
    /// All other lines.
    pub(crate) console: String,
    ended: bool,
    checks: Vec<Check>,
    expected: Vec<(String, String)>,
    alert: Option<String>,
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
            self.console.push_str(line);
            self.console.push('\n');
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

    pub(crate) fn has_started(&self) -> bool {
        !self.release.is_empty()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// All checks: the script's own, then each expectation against the alert. A script that failed or checked
    /// nothing is a failure too, so that silence never passes.
    pub(crate) fn checks(&self) -> Vec<Check> {
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
        let failed = checks.iter().any(|check| check.failure.is_some());
        if !failed && (self.status != 0 || checks.is_empty()) {
            let failure = Some(format!("it ended with status {} after {} checks", self.status, checks.len()));
            checks.push(Check { name: "the guest's script runs to its end".to_owned(), failure });
        }
        checks
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
        assert_eq!(verdict.console, "noise\n");
        let checks = verdict.checks();
        assert_eq!(Tally::of(&checks), Tally { passed: 3, failed: 1, skipped: 0 });
        assert_eq!(checks[3].failure.as_deref(), Some("the alert has no such field"));
    }

    #[test]
    fn a_missing_alert_fails_every_expectation() {
        let checks = verdict(&["@tidewaiter expect container.id abc", "@tidewaiter end 0"]).checks();
        assert_eq!(checks[0].failure.as_deref(), Some("no alert came that is JSON"));
    }

    #[test]
    fn silence_does_not_pass() {
        assert_eq!(Tally::of(&verdict(&["@tidewaiter end 0"]).checks()).failed, 1);
        assert_eq!(Tally::of(&verdict(&["@tidewaiter pass a", "@tidewaiter end 1"]).checks()).failed, 1);
        assert_eq!(Tally::of(&verdict(&["@tidewaiter pass a", "@tidewaiter end 0"]).checks()).failed, 0);
    }

    #[test]
    fn cargo_says_how_tests_went() {
        let line =
            "test result: \u{1b}[32mok\u{1b}[m. 12 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out";
        assert_eq!(Tally::read(line), Some(Tally { passed: 12, failed: 0, skipped: 3 }));
        assert_eq!(Tally::read("test a::b ... ok"), None);
    }
}
