//! The program `deed`: what it can do, and one thing of it done.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

/// Loads, which repeat a way that has its own cell: the cost of them is measured elsewhere. And what is done to the sensor
/// itself, which the live tests do.
const LOADS: [&str; 4] = ["flood", "race", "pace", "tamper"];

/// Needs a container to go into, which there is in the live tests.
const ELSEWHERE: [&str; 1] = ["identity namespace_enter"];

/// The exit status of a deed that has no way here.
const MISSING: i32 = 77;

/// A path that the sensor takes for a secret's.
const SECRET: [&str; 2] = [".ssh", "id_rsa"];

/// A name that the sensor takes for a container runtime's socket.
const RUNTIME: &str = "docker.sock";

/// One action in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deed {
    pub(crate) action: String,
    pub(crate) way: String,
}

/// What came of a deed.
#[derive(Debug)]
pub(crate) enum Done {
    /// It tells this of it.
    Told(Value),
    /// This kernel has no such way, for this reason.
    Missing(String),
    Failed(String),
}

/// The program itself.
#[derive(Debug)]
pub(crate) struct Deeds(PathBuf);

impl Deeds {
    /// As cargo built it; in a guest, where it lies in PATH.
    pub(crate) fn find() -> Result<Self> {
        let built = PathBuf::from(env!("CARGO_BIN_EXE_deed"));
        let path = if built.is_file() { built } else { PathBuf::from("/usr/bin/deed") };
        ensure!(path.is_file(), "there is no {}; `cargo build -p tests --bin deed` makes it", path.display());
        Ok(Self(path))
    }

    /// The ways whose names have one of `words`, or all; and the actions that are no ways.
    pub(crate) fn list(&self, words: &[String]) -> Result<(Vec<Deed>, Vec<String>)> {
        let output = self.output(&["list".as_ref()])?;
        ensure!(output.status.success(), "deed list ended with {}", output.status);
        let text = String::from_utf8(output.stdout).context("a list is text")?;
        let words: Vec<_> = words.iter().filter(|word| !word.starts_with('-')).collect();
        let (mut deeds, mut left_out) = (Vec::new(), Vec::new());
        for line in text.lines() {
            let (action, way) = line.split_once(' ').with_context(|| format!("{line:?} is no way"))?;
            if LOADS.contains(&action) || ELSEWHERE.contains(&line) {
                left_out.push(if LOADS.contains(&action) { action } else { line }.to_owned());
            } else if words.is_empty() || words.iter().any(|word| line.contains(word.as_str())) {
                deeds.push(Deed { action: action.to_owned(), way: way.to_owned() });
            }
        }
        left_out.dedup();
        Ok((deeds, left_out))
    }

    /// Does it, in a directory of its own below `place`.
    pub(crate) fn act(&self, deed: &Deed, place: &Path, agent: u32) -> Result<Done> {
        let Deed { action, way } = deed;
        let directory = place.join(format!("{action}-{way}"));
        fs::create_dir(&directory).with_context(|| format!("making {}", directory.display()))?;
        let mut words = vec![action.as_ref(), way.as_ref(), OsStr::new("--dir"), directory.as_os_str()];
        let (secret, socket, pid) = (
            SECRET.iter().fold(directory.clone(), |path, part| path.join(part)),
            directory.join(RUNTIME),
            agent.to_string(),
        );
        // Alive until the deed is done.
        let mut _listener = None;
        match (action.as_str(), way.as_str()) {
            ("read", _) => {
                fs::create_dir(directory.join(SECRET[0]))?;
                fs::write(&secret, "no secret\n")?;
                words.extend([OsStr::new("--path"), secret.as_os_str()]);
            }
            // The usual case is a file that has been there for long.
            ("write", _) => words.push(OsStr::new("--settled")),
            ("socket", "unix") => {
                _listener = Some(UnixListener::bind(&socket)?);
                words.extend([OsStr::new("--path"), socket.as_os_str()]);
            }
            ("system", "signal") => words.extend([OsStr::new("--target-pid"), OsStr::new(&pid)]),
            _ => {}
        }
        done(&self.output(&words)?)
    }

    /// Runs a program that does nothing, with `marker` among its arguments.
    pub(crate) fn mark(&self, marker: &str) -> Result<()> {
        let output = self.output(&["noop".as_ref(), marker.as_ref()])?;
        ensure!(output.status.success(), "deed noop ended with {}", output.status);
        Ok(())
    }

    fn output(&self, words: &[&OsStr]) -> Result<Output> {
        let mut command = Command::new(&self.0);
        command.args(words).stdin(Stdio::null());
        command.output().with_context(|| format!("starting {command:?}"))
    }
}

fn done(output: &Output) -> Result<Done> {
    let complaint = String::from_utf8_lossy(&output.stderr);
    let complaint = complaint.trim().trim_start_matches("deed: ").to_owned();
    Ok(match output.status.code() {
        Some(0) => Done::Told(serde_json::from_slice(&output.stdout).context("reading what deed told")?),
        Some(MISSING) => Done::Missing(complaint),
        Some(_) => Done::Failed(complaint),
        None => bail!("deed was ended: {}", output.status),
    })
}
