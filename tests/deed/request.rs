//! The command line: which deed, and where, how much, how often.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::Pid;

/// The most times that one deed is repeated: minutes of work, and no counter comes near its end.
pub(crate) const COUNT_MAX: u64 = 20_000_000;

/// The longest that a pace is kept.
pub(crate) const SECONDS_MAX: u64 = 3600;

/// The most bytes that one deed moves: they are in memory at once.
pub(crate) const BYTES_MAX: usize = 1 << 30;

const USAGE: &str = "usage: deed list [unprivileged] | deed ACTION WAY [--dir DIR] [--to ADDRESS:PORT] [--bytes N] [--count N] \
                     [--seconds N] [--path PATH] [--target-pid PID] [--id ID] [--tcp] [--settled]";

/// What the program is to do.
#[derive(Debug)]
pub(crate) enum Wish {
    /// Name the deeds: all, or only those that take no capability.
    List {
        everything: bool,
    },
    /// Be the program that an exec deed runs.
    Nothing,
    Deed {
        action: String,
        way: String,
        request: Request,
    },
}

/// What a deed may be told; each takes of it what applies.
#[derive(Debug, Default, Clone)]
pub(crate) struct Request {
    /// Where its files go, and stay; none: a temporary directory of its own.
    pub(crate) dir: Option<PathBuf>,
    /// Its peer; none: one of its own on loopback.
    pub(crate) to: Option<SocketAddr>,
    pub(crate) bytes: Option<usize>,
    pub(crate) count: Option<u64>,
    /// How long, of what keeps a pace.
    pub(crate) seconds: Option<u64>,
    /// A file or socket that exists.
    pub(crate) path: Option<PathBuf>,
    pub(crate) target_pid: Option<Pid>,
    /// The kernel's id of a link or map.
    pub(crate) id: Option<u32>,
    /// Race with TCP rather than UDP sockets.
    pub(crate) tcp: bool,
    /// Files that another process made are written back to their disk before they are used.
    pub(crate) settled: bool,
}

/// Reads the arguments behind the program's name.
pub(crate) fn read(arguments: impl Iterator<Item = OsString>) -> Result<Wish> {
    let mut words = arguments.map(|word| word.into_string().ok().context("an argument is not UTF-8"));
    let action = words.next().context(USAGE)??;
    match action.as_str() {
        "list" => return listed(words.next().transpose()?.as_deref()),
        "noop" => return Ok(Wish::Nothing),
        _ => {}
    }
    let way = words.next().context(USAGE)??;
    let mut request = Request::default();
    while let Some(option) = words.next() {
        let option = option?;
        match option.as_str() {
            "--tcp" => request.tcp = true,
            "--settled" => request.settled = true,
            _ => {
                let value = words.next().with_context(|| format!("{option} needs a value; {USAGE}"))??;
                request.take(&option, value).with_context(|| format!("reading {option}"))?;
            }
        }
    }
    Ok(Wish::Deed { action, way, request })
}

/// What to list.
fn listed(which: Option<&str>) -> Result<Wish> {
    match which {
        None => Ok(Wish::List { everything: true }),
        Some("unprivileged") => Ok(Wish::List { everything: false }),
        Some(other) => bail!("there is no list of {other}; {USAGE}"),
    }
}

impl Request {
    fn take(&mut self, option: &str, value: String) -> Result<()> {
        match option {
            "--dir" => self.dir = Some(value.into()),
            "--path" => self.path = Some(value.into()),
            "--to" => self.to = Some(value.parse()?),
            "--id" => self.id = Some(value.parse()?),
            "--target-pid" => {
                self.target_pid = Some(Pid::from_raw(value.parse()?).context("no process has it")?);
            }
            "--bytes" => {
                let bytes = value.parse()?;
                ensure!((1..=BYTES_MAX).contains(&bytes), "{bytes} is not between 1 and {BYTES_MAX}");
                self.bytes = Some(bytes);
            }
            "--count" => {
                let count = value.parse()?;
                ensure!((1..=COUNT_MAX).contains(&count), "{count} is not between 1 and {COUNT_MAX}");
                self.count = Some(count);
            }
            "--seconds" => {
                let seconds = value.parse()?;
                ensure!((1..=SECONDS_MAX).contains(&seconds), "{seconds} is not between 1 and {SECONDS_MAX}");
                self.seconds = Some(seconds);
            }
            _ => bail!("there is no such option; {USAGE}"),
        }
        Ok(())
    }
}
