//! Deeds at a steady rate: what a busy but honest host does all day.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};

use crate::place::Place;
use crate::request::Request;
use crate::table::{Deed, deed};
use crate::truth::Truth;

pub(crate) const DEEDS: &[Deed] = &[deed("pace", "mixed", mixed)];

/// Deeds a second and seconds, unless told.
const RATE: u64 = 1_000;
const SECONDS: u64 = 10;

/// Time is kept in slices of this: what is behind is caught up within one.
const SLICE: Duration = Duration::from_millis(10);
const SLICES: u64 = 100;

/// Of a hundred deeds so many are files and programs; the rest are connects.
const FILES: u64 = 20;
const PROGRAMS: u64 = 1;

/// Ports of the connects take turns.
const PORT_FIRST: u16 = 30_000;
const PORTS: u64 = 1_000;

/// UDP connects, files that are made, written and removed, programs that run.
#[derive(Default)]
struct Done {
    connects: u64,
    files: u64,
    programs: u64,
}

/// `--count` deeds a second, `--seconds` long.
fn mixed(request: &Request) -> Result<Truth> {
    let place = Place::new(request)?;
    let (rate, seconds) = (request.count.unwrap_or(RATE), request.seconds.unwrap_or(SECONDS));
    let (mut done, mut late) = (Done::default(), 0_u64);
    let start = Instant::now();
    for slice in 0..seconds * SLICES {
        for number in 0..rate / SLICES {
            act(&place, slice * rate / SLICES + number, &mut done)?;
        }
        let due = start + SLICE * u32::try_from(slice + 1)?;
        match due.checked_duration_since(Instant::now()) {
            Some(rest) => std::thread::sleep(rest),
            None => late += 1,
        }
    }
    let took = u64::try_from(start.elapsed().as_millis())?;
    let truth = Truth::new().with("connects", done.connects).with("files", done.files);
    Ok(truth.with("programs", done.programs).with("milliseconds", took).with("late_slices", late))
}

fn act(place: &Place, number: u64, done: &mut Done) -> Result<()> {
    match number % 100 {
        kind if kind < PROGRAMS => {
            let status = Command::new("/proc/self/exe")
                .arg("noop")
                .stdout(Stdio::null())
                .status()
                .context("running a program")?;
            ensure!(status.success(), "it ended with {status}");
            done.programs += 1;
        }
        kind if kind < PROGRAMS + FILES => {
            let path = place.join(&format!("pace-{number}"));
            fs::write(&path, b"pace\n").with_context(|| format!("writing {}", path.display()))?;
            fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
            done.files += 1;
        }
        _ => {
            let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
            let port = PORT_FIRST + u16::try_from(number % PORTS)?;
            connect(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
            done.connects += 1;
        }
    }
    Ok(())
}
