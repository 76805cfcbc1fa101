//! `tidewaiter verify`: whether a received log has everything that the agents sent.

mod table;

use std::fs::File;
use std::io::{BufReader, IsTerminal as _, stdin, stdout};
use std::path::{Path, PathBuf};

use anstream::{AutoStream, ColorChoice};
use clap::Args;

use super::table::print;
use super::{Exit, Failure};
use crate::sink::json;
use crate::sink::stdout::terminal_width;
use crate::verify::{Report, Verifier, VerifyError};

pub(super) const ABOUT: &str = "\
Prove that a received log is complete

Every agent numbers its messages from 1 without a gap (agent.id, event.sequence). This reads what a receiver wrote and \
says for each agent which numbers are there, which came twice, which are missing, and how far nothing is. Files are \
taken together, in any order, in any form of a syslog daemon that has the JSON whole: as it is, behind a syslog head, or \
escaped in a text of the daemon's own JSON (`msg`). Lines of other programs are counted and passed over; lines of ours \
that are cut or broken are named.

A number that is missing is proven by a greater one that came: what is lost at the very end shows with the next \
heartbeat, 30 s later. A log that begins in the middle (rotated away) says where. What the agent itself told as lost \
(records of the kernel, messages of a full queue) is summed up beside it.

It proves completeness, not authorship: who can write to the log can write anything. It needs no privilege.";

pub(super) const EXAMPLES: &str = "\
Examples:
  tidewaiter verify /var/log/tidewaiter.log
      What the receiver wrote
  zcat -f /var/log/syslog* | tidewaiter verify -
      All that was rotated, packed or not; the order does not matter
  tidewaiter verify --from-start run.jsonl
      Nothing may be missing from the first message on
  tidewaiter verify --json messages | jq '.agents[] | select(.verdict == \"gaps\") | .missing'
      {complete, lines, documents, foreign, damaged: {count, first}, agents: [{agent, host, verdict,
      complete_up_to, first, last, received, duplicates, conflicts, missing: {count, ranges,
      first}, runs, heartbeat, losses}]}";

pub(super) const STATUS: &str = "\
Exit status:
  0  nothing is missing, as far as the log goes
  1  numbers are missing, one number is two messages, lines are damaged, or not all could be judged
  2  it could not run: usage, a file that cannot be read or is compressed, no message in any line";

/// Options of `verify`.
#[derive(Clone, Debug, Args)]
pub struct VerifyOptions {
    /// What a receiver wrote; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// What is missing before an agent's first message is a gap too
    #[arg(long)]
    pub from_start: bool,
    /// One JSON document; without a terminal that is what comes anyway
    #[arg(long)]
    pub json: bool,
}

/// Negative when anything is missing, or may be.
pub(super) fn verify(options: &VerifyOptions) -> Result<Exit, Failure> {
    let report = report(options)?;
    if options.json || !stdout().is_terminal() {
        print(&(json::encode(&report) + "\n"));
    } else {
        let colour = AutoStream::choice(&stdout()) != ColorChoice::Never;
        print(&table::text(&report, terminal_width(), colour));
    }
    Ok(if report.complete { Exit::Good } else { Exit::Negative })
}

fn report(options: &VerifyOptions) -> Result<Report, VerifyError> {
    let mut verifier = Verifier::new(options.from_start);
    for path in &options.files {
        if path.as_os_str() == "-" {
            verifier.read("-", stdin().lock())?;
        } else {
            read(&mut verifier, path)?;
        }
    }
    verifier.finish()
}

fn read(verifier: &mut Verifier, path: &Path) -> Result<(), VerifyError> {
    /// Read from the disk at once, bytes.
    const BUFFER: usize = 256 << 10;
    let name = path.display().to_string();
    match File::open(path) {
        Ok(file) => verifier.read(&name, BufReader::with_capacity(BUFFER, file)),
        Err(source) => Err(VerifyError::Unreadable { file: name, source }),
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        Self::new("cannot verify", &error, error.remedy())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn options(path: &Path) -> VerifyOptions {
        VerifyOptions { files: vec![path.to_owned()], from_start: false, json: true }
    }

    fn refusal(options: &VerifyOptions) -> String {
        Failure::from(report(options).unwrap_err()).render(false)
    }

    fn line(number: u64) -> String {
        format!(
            r#"{{"@timestamp":"2026-11-21T12:03:14.281042Z","kind":"alert","event":{{"id":"{number}","sequence":{number},"module":"tidewaiter"}},"agent":{{"id":"5d0c2b7e-8f43-4a55-9a3e-0a4f0c9d1b22"}}}}"#
        ) + "\n"
    }

    #[test]
    fn files_are_judged_and_input_that_is_no_log_is_told_with_its_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, line(1) + &line(2)).unwrap();
        assert!(report(&options(&path)).unwrap().complete);
        fs::write(&path, line(1) + &line(3)).unwrap();
        assert!(!report(&options(&path)).unwrap().complete);
        fs::write(&path, line(1) + line(2).get(..90).unwrap()).unwrap();
        assert!(!report(&options(&path)).unwrap().complete);
        fs::write(&path, line(3)).unwrap();
        assert!(report(&options(&path)).unwrap().complete);
        assert!(!report(&VerifyOptions { from_start: true, ..options(&path) }).unwrap().complete);

        fs::write(&path, "Nov 22 11:00:00 host sshd[1]: hello\n").unwrap();
        let told = refusal(&options(&path));
        assert!(told.starts_with("tidewaiter: cannot verify: none of its 1 lines holds a message"), "{told}");
        fs::write(&path, b"\x1f\x8b\x08\x00").unwrap();
        let told = refusal(&options(&path));
        assert!(told.contains("log is compressed") && told.contains("zcat"), "{told}");
        let told = refusal(&options(&folder.path().join("none")));
        assert!(told.contains("none: No such file"), "{told}");
        let told = refusal(&options(folder.path()));
        assert!(told.contains("Is a directory"), "{told}");
    }
}
