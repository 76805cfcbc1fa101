//! Runs one workload as a process of its own and reads the time it took.
//!
//! The workload takes its own time, so starting it, its preparation and its tidying are not in the figure.

use std::env::current_exe;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::bench::workload::{CHILD, Scratch, Workload};
use crate::command::line;

/// A run is made to take a second or less; on the slowest machine it still ends.
const RUN_MAX: Duration = Duration::from_secs(30);

/// Becomes the workload in a network namespace of its own: no traffic of others, no leftovers for others, and
/// closed connections (`TIME_WAIT`) of the last run do not slow the next one's search for a port.
const IN_NETWORK: [&str; 5] = ["--net", "--", "sh", "-c", r#"ip link set lo up && exec "$0" "$@""#];

/// Runs it once, on one processor.
pub(super) fn run(workload: Workload, scratch: &Scratch) -> Result<Duration> {
    let own = current_exe().context("cannot find this program's own file")?;
    let mut command = if workload.needs_network() {
        let mut command = Command::new("unshare");
        command.args(IN_NETWORK).arg(own);
        command
    } else {
        Command::new(own)
    };
    command.arg(CHILD).arg(workload.to_string()).current_dir(scratch.path());
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", line(&command)))?;
    let said = read_all(&mut child)?;
    let status = child.wait()?;
    if !status.success() {
        bail!("`{}` ended with {status}", line(&command));
    }
    let nanoseconds = said.trim().parse().with_context(|| format!("`{}` said {said:?}", line(&command)))?;
    Ok(Duration::from_nanos(nanoseconds))
}

/// Everything it prints; one that does not end in time is killed.
fn read_all(child: &mut Child) -> Result<String> {
    let mut stdout = child.stdout.take().context("a workload has no output")?;
    let (sender, said) = channel();
    thread::spawn(move || {
        let mut text = String::new();
        // Whoever waited may have given up; then nobody wants it.
        let _ = sender.send(stdout.read_to_string(&mut text).map(|_| text));
    });
    match said.recv_timeout(RUN_MAX) {
        Ok(text) => text.context("cannot read what a workload says"),
        Err(_) => {
            child.kill()?;
            child.wait()?;
            bail!("a workload took more than {} s and was ended", RUN_MAX.as_secs())
        }
    }
}
