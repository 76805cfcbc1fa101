//! The same deed many times, as fast as one thread can: what a sensor must survive and count.

use std::ffi::CString;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd as _;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
use rustix::process::{Signal, WaitOptions, kill_process, waitpid};

use crate::group;
use crate::place::Place;
use crate::request::Request;
use crate::sys;
use crate::sys::process::Birth;
use crate::table::{Deed, deed, privileged};
use crate::truth::Truth;

pub(crate) const DEEDS: &[Deed] = &[
    deed("flood", "connect_udp", connect_udp),
    deed("flood", "exec_fail", exec_fail),
    deed("flood", "file", file),
    privileged("flood", "sleepers", sleepers),
];

/// Times unless told: seconds of work.
const COUNT: u64 = 100_000;

/// The ports of the connects: below them are those that are looked at twice, above ephemeral ones.
const PORT_FIRST: u16 = 20_000;
const PORT_LAST: u16 = 29_999;

/// Names that the files take turns in having.
const NAMES: usize = 64;

fn count(request: &Request) -> u64 {
    request.count.unwrap_or(COUNT)
}

fn told(count: u64, took: Duration) -> Truth {
    let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
    Truth::new().with("count", count).with("nanoseconds", nanoseconds)
}

/// One socket, which is connected again and again to the next port.
fn connect_udp(request: &Request) -> Result<Truth> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    let (mut ports, mut done) = ((PORT_FIRST..=PORT_LAST).cycle(), 0);
    let start = Instant::now();
    while done < count(request) {
        let port = ports.next().context("the ports never end")?;
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        connect(&socket, &to).with_context(|| format!("connecting to {to}"))?;
        done += 1;
    }
    let truth = told(done, start.elapsed()).with("protocol", "udp").with("address", "127.0.0.1");
    Ok(truth.with("port_first", PORT_FIRST).with("port_last", PORT_LAST))
}

/// A program that is not there.
fn exec_fail(request: &Request) -> Result<Truth> {
    let place = Place::new(request)?;
    let path = place.join("absent");
    let text = CString::new(path.to_string_lossy().as_bytes())?;
    let words = [text.clone()];
    let mut done = 0;
    let start = Instant::now();
    while done < count(request) {
        let error = sys::process::execve(&text, &words);
        ensure!(Errno::from_io_error(&error) == Some(Errno::NOENT), "{}: {error}", path.display());
        done += 1;
    }
    Ok(told(done, start.elapsed()).with_path("path", &path))
}

/// Files opened (the first time: made), written and closed. Not cut before: ext4 would wait for the disk.
fn file(request: &Request) -> Result<Truth> {
    let place = Place::new(request)?;
    let paths: Vec<_> = (0..NAMES).map(|number| place.join(&format!("flood-{number}"))).collect();
    let (mut names, mut done) = (paths.iter().cycle(), 0);
    let start = Instant::now();
    while done < count(request) {
        let path = names.next().context("the names never end")?;
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .with_context(|| format!("opening {}", path.display()))?;
        file.write_all(b"flood\n")?;
        done += 1;
    }
    Ok(told(done, start.elapsed()).with_path("dir", place.path()).with("names", NAMES))
}

/// The most children that sleep at once: fewer than there are pids by default (32,768).
const SLEEPERS_MAX: u64 = 30_000;

/// Children that do nothing, born in turn in the groups below the directory that is told; they end when
/// standard input does. When all are there, the file `ready` is.
fn sleepers(request: &Request) -> Result<Truth> {
    let count = request.count.unwrap_or(SLEEPERS_MAX);
    ensure!(count <= SLEEPERS_MAX, "{count} are more than {SLEEPERS_MAX}");
    let root = request.path.as_deref().context("--path says below what the groups are")?;
    let mut groups = Vec::new();
    for entry in fs::read_dir(root).with_context(|| format!("listing {}", root.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            groups.push(entry.path());
        }
    }
    ensure!(!groups.is_empty(), "there is no group below {}", root.display());
    let mut children = Vec::new();
    // Group by group: few are open at once.
    for (number, path) in (0_u64..).zip(&groups) {
        let group = group::open(path)?;
        let all = u64::try_from(groups.len())?;
        let share = count / all + u64::from(number < count % all);
        for _ in 0..share {
            let child = sys::process::clone3(Birth::Group(group.as_fd()), || {
                loop {
                    thread::park();
                }
            });
            children.push(child.context("making a child")?);
        }
    }
    let place = Place::new(request)?;
    fs::write(place.join("ready"), children.len().to_string())?;
    let told = Truth::new().with("count", children.len()).with("groups", groups.len());
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).context("waiting for the end")?;
    for child in children {
        kill_process(child, Signal::KILL)?;
        waitpid(Some(child), WaitOptions::empty())?;
    }
    Ok(told)
}
