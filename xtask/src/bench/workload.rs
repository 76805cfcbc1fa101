//! What is measured: ordinary things that programs do, each in a loop of known length.
//!
//! A workload is a process of its own, pinned to one processor, so that it neither wanders nor shares caches
//! with the agent by chance. It prints the nanoseconds its loop took. Nothing here knows the sensor.

use std::fmt;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{Read, Write, stdout};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::parent_id;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::command;

/// The task that runs one workload; not shown to people.
pub(crate) const CHILD: &str = "bench-workload";

/// What a small file holds: a line of a log, a key, a lock.
const SMALL: [u8; 128] = [b'x'; 128];

/// Files that are written again and again: so many that no one of them is special.
const FILES: u32 = 1_000;

/// One write of the bulk transfer.
const MEBIBYTE: usize = 1 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// The cheapest system call: what every system call pays
    Getppid,
    /// Start /bin/true and wait for its end
    Exec,
    /// TCP connect to a listener on loopback, accept, close both
    Connect,
    /// Open, write and close the same small files again and again, in memory
    FileTmpfs,
    /// The same on the disk
    FileDisk,
    /// Open, write and close each small file once, in memory: the sensor tells of every one
    FileFirst,
    /// 2 GiB through one TCP connection on loopback
    Bulk,
    /// rustc, optimising, on a generated crate
    Compile,
}

impl fmt::Display for Workload {
    /// As it is typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Getppid => "getppid",
            Self::Exec => "exec",
            Self::Connect => "connect",
            Self::FileTmpfs => "file-tmpfs",
            Self::FileDisk => "file-disk",
            Self::FileFirst => "file-first",
            Self::Bulk => "bulk",
            Self::Compile => "compile",
        })
    }
}

impl Workload {
    /// What it does, in a table.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Getppid => "getppid",
            Self::Exec => "fork + exec of /bin/true",
            Self::Connect => "TCP connect, accept, close",
            Self::FileTmpfs => "open, write, close; tmpfs",
            Self::FileDisk => "open, write, close; disk",
            Self::FileFirst => "the same, each file once",
            Self::Bulk => "bulk TCP, one MiB",
            Self::Compile => "rustc, one function",
        }
    }

    /// Operations in a run, such that one takes 0.1 to 1.5 seconds here.
    pub(super) fn count(self) -> u32 {
        match self {
            Self::Getppid => 4_000_000,
            Self::Exec => 1_000,
            // Fewer than there are ports (28,000), since each closed connection keeps one for a minute.
            Self::Connect => 15_000,
            Self::FileTmpfs | Self::FileDisk => 200_000,
            // Each takes a page of memory.
            Self::FileFirst => 40_000,
            Self::Bulk => 2_048,
            Self::Compile => 120,
        }
    }

    /// The ratio that is to be met.
    pub(super) fn goal(self) -> f64 {
        match self {
            Self::Getppid | Self::Bulk | Self::Compile => 1.01,
            Self::Exec => 1.03,
            Self::Connect => 1.04,
            Self::FileTmpfs | Self::FileDisk | Self::FileFirst => 1.06,
        }
    }

    /// Makes the files that a run expects. It is not for the run to do: files that the same process made a
    /// moment ago would be left out by the sensor.
    pub(super) fn prepare(self, scratch: &Scratch) -> Result<()> {
        for name in names(self.different_files()) {
            fs::write(scratch.path().join(name), SMALL).context("cannot prepare small files")?;
        }
        Ok(())
    }

    fn different_files(self) -> u32 {
        match self {
            Self::FileTmpfs | Self::FileDisk => FILES,
            Self::FileFirst => self.count(),
            Self::Getppid | Self::Exec | Self::Connect | Self::Bulk | Self::Compile => 0,
        }
    }

    pub(super) fn needs_network(self) -> bool {
        matches!(self, Self::Connect | Self::Bulk)
    }

    pub(super) fn writes_to_memory(self) -> bool {
        matches!(self, Self::FileTmpfs | Self::FileFirst)
    }

    /// Is the workload: runs it in the working directory and prints the nanoseconds.
    pub(crate) fn perform(self) -> Result<()> {
        pin()?;
        let count = self.count();
        let time = match self {
            Self::Getppid => getppid(count),
            Self::Exec => exec(count)?,
            Self::Connect => connect(count)?,
            Self::FileTmpfs | Self::FileDisk | Self::FileFirst => files(count, self.different_files())?,
            Self::Bulk => bulk(count)?,
            Self::Compile => compile(count)?,
        };
        writeln!(stdout(), "{}", time.as_nanos()).context("cannot print the time")
    }
}

/// Stays on the last processor that we may use; interrupts of a small machine are mostly on the first.
fn pin() -> Result<()> {
    let allowed = sched_getaffinity(None).context("cannot read the allowed processors")?;
    let last =
        (0..CpuSet::MAX_CPU).rev().find(|cpu| allowed.is_set(*cpu)).context("no processor is allowed")?;
    let mut one = CpuSet::new();
    one.set(last);
    sched_setaffinity(None, &one).context("cannot stay on one processor")
}

fn getppid(count: u32) -> Duration {
    let start = Instant::now();
    for _ in 0..count {
        black_box(parent_id());
    }
    start.elapsed()
}

fn exec(count: u32) -> Result<Duration> {
    let start = Instant::now();
    for _ in 0..count {
        let status = Command::new("/bin/true").status().context("cannot start /bin/true")?;
        ensure!(status.success(), "/bin/true ended with {status}");
    }
    Ok(start.elapsed())
}

fn connect(count: u32) -> Result<Duration> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen on loopback")?;
    let address = listener.local_addr()?;
    let start = Instant::now();
    for _ in 0..count {
        // The kernel completes it before it is accepted, so one thread does.
        let client = TcpStream::connect(address).context("cannot connect to loopback")?;
        let (server, _) = listener.accept()?;
        drop(client);
        drop(server);
    }
    Ok(start.elapsed())
}

/// Open, write, close, over the same files again and again or through fresh ones.
fn files(count: u32, different: u32) -> Result<Duration> {
    let names: Vec<PathBuf> = names(different).collect();
    let turns = usize::try_from(count).context("more files than this machine can count")?;
    let start = Instant::now();
    for name in names.iter().cycle().take(turns) {
        let mut file = File::options().write(true).open(name).context("a prepared file is missing")?;
        file.write_all(&SMALL)?;
    }
    Ok(start.elapsed())
}

fn names(count: u32) -> impl Iterator<Item = PathBuf> {
    (0..count).map(|number| format!("{number:05}").into())
}

fn bulk(mebibytes: u32) -> Result<Duration> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen on loopback")?;
    let address = listener.local_addr()?;
    let sender = thread::spawn(move || -> Result<()> {
        let mut stream = TcpStream::connect(address).context("cannot connect to loopback")?;
        let block = vec![b'x'; MEBIBYTE];
        for _ in 0..mebibytes {
            stream.write_all(&block)?;
        }
        Ok(())
    });
    let (mut stream, _) = listener.accept()?;
    let mut block = vec![0; MEBIBYTE];
    let mut received = 0;
    let start = Instant::now();
    loop {
        match stream.read(&mut block)? {
            0 => break,
            bytes => received += bytes,
        }
    }
    let time = start.elapsed();
    if sender.join().is_err() {
        bail!("the sending thread broke");
    }
    ensure!(u32::try_from(received / MEBIBYTE) == Ok(mebibytes), "{received} bytes arrived");
    Ok(time)
}

fn compile(functions: u32) -> Result<Duration> {
    let mut source = String::from("use std::collections::BTreeMap;\n");
    for number in 0..functions {
        source += &format!(
            "pub fn count_{number}(text: &str) -> u64 {{\n    \
                 let mut words = BTreeMap::new();\n    \
                 for (place, word) in text.split(' ').enumerate() {{\n        \
                     *words.entry(word.len() % {}).or_insert({number}_u64) += place as u64;\n    \
                 }}\n    \
                 words.into_values().sum()\n\
             }}\n",
            number + 1
        );
    }
    fs::write("words.rs", source).context("cannot write the crate to compile")?;
    let mut rustc = command::rustc();
    rustc.args(["--edition=2024", "--crate-type=lib", "-Copt-level=2", "words.rs"]);
    let start = Instant::now();
    command::show(&mut rustc)?;
    Ok(start.elapsed())
}

/// A directory that goes away with the run.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn create(path: PathBuf) -> Result<Self> {
        fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed lies under a name that tells whose it is; there is nobody left to ask.
        let _ = fs::remove_dir_all(&self.0);
    }
}
