//! `deed`: does one thing in one way, for real, and tells the truth of it as one line of JSON.
//!
//! A test compares that line with what the sensor saw. This program knows nothing of the sensor: what it
//! tells comes from the kernel's own answers (return values, `getsockname`, `fstat`, `/proc`). It acts on
//! files that it made, on loopback and on its own children, unless it is told another place.
//!
//! Exit status: 0 done; 77 this kernel or its configuration has no such way; 1 failed. Why is on stderr.

mod sys;
mod request;
mod truth;
mod child;
mod place;
mod group;
mod table;
mod process;
mod identity;
mod network;
mod file;
mod system;
mod flood;
mod pace;
mod race;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use self::request::{Request, Wish};
use self::truth::Truth;

/// What automake's test drivers take as "skipped"; nothing else here ends with it.
const MISSING: u8 = 77;

fn main() -> ExitCode {
    let done = run();
    let code = done.as_ref().err().map_or(0, |error| if truth::is_missing(error) { MISSING } else { 1 });
    if let Err(error) = done {
        // Nobody is left to tell when stderr is closed.
        drop(writeln!(std::io::stderr(), "deed: {error:#}"));
    }
    ExitCode::from(code)
}

fn run() -> Result<()> {
    match request::read(std::env::args_os().skip(1))? {
        Wish::List { everything } => {
            let mut listed = table::all().filter(|deed| everything || !deed.privileged);
            listed.try_for_each(|deed| say(&format!("{} {}", deed.action, deed.way)))
        }
        Wish::Nothing => say(&process::told_by_program()?.line()),
        Wish::Deed { action, way, request } => say(&act(&action, &way, &request)?.line()),
    }
}

/// Does the deed: what it tells, with what is told of each.
fn act(action: &str, way: &str, request: &Request) -> Result<Truth> {
    let deed = table::find(action, way)?;
    let truth = (deed.run)(request).with_context(|| format!("{action} by {way}"))?;
    let truth = truth.with("action", deed.action).with("way", deed.way);
    Ok(if truth.number("pid").is_some() { truth } else { truth.with("pid", std::process::id()) })
}

fn say(line: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{line}").context("writing to stdout")
}
