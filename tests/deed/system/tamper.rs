//! What somebody with the host's root does to a sensor that is running: to what it has in the kernel, by the kernel's ids
//! for it, and to its process. Each only does it; what is told is what the kernel answered.

use std::fs;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::target::await_stop;
use crate::child::number;
use crate::request::Request;
use crate::sys::program::{self, Kind};
use crate::sys::trace::{Trace, ptrace, redirect};
use crate::table::{Deed, privileged};
use crate::truth::Truth;

pub(crate) const DEEDS: &[Deed] = &[
    privileged("tamper", "detach", detach),
    privileged("tamper", "replace", replace),
    privileged("tamper", "map_update", map_update),
    privileged("tamper", "map_empty", map_empty),
    privileged("tamper", "map_hold", map_hold),
    privileged("tamper", "beside", beside),
    privileged("tamper", "ring", ring),
    privileged("tamper", "stop", stop),
    privileged("tamper", "call", call),
];

/// `BPF_PROG_TYPE_CGROUP_SOCK_ADDR` for `BPF_CGROUP_INET4_CONNECT`, include/uapi/linux/bpf.h.
const CONNECT4: Kind = Kind { program_type: 18, attach_type: 10 };

/// Most elements that are taken out of a map: more than any of the sensor's has.
const ELEMENTS_MAX: usize = 100_000;

fn id(request: &Request) -> Result<u32> {
    request.id.context("--id: of what")
}

/// Takes a link from its place.
fn detach(request: &Request) -> Result<Truth> {
    let id = id(request)?;
    let link = program::link_by_id(id).context("getting hold of the link")?;
    Ok(outcome(program::detach(link.as_fd())).with("id", id))
}

/// Gives a link a program that lets everything pass.
fn replace(request: &Request) -> Result<Truth> {
    let id = id(request)?;
    let link = program::link_by_id(id).context("getting hold of the link")?;
    let blind = program::load(CONNECT4, None).context("loading a program")?;
    Ok(outcome(program::replace(link.as_fd(), blind.as_fd())).with("id", id))
}

/// Key and value size of a map.
fn sizes(map: BorrowedFd<'_>) -> Result<(usize, usize)> {
    let told = fs::read_to_string(format!("/proc/self/fdinfo/{}", map.as_raw_fd()))?;
    let value = |name: &str| told.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok();
    value("key_size:").zip(value("value_size:")).context("this map has no sizes")
}

/// Writes ones to the first element.
fn map_update(request: &Request) -> Result<Truth> {
    let map = program::map_by_id(id(request)?).context("getting hold of the map")?;
    let (key_size, value_size) = sizes(map.as_fd())?;
    let mut key = vec![0; key_size];
    // An empty map gets the key of zeros.
    program::next_key(map.as_fd(), None, &mut key).ok();
    Ok(outcome(program::update(map.as_fd(), &key, &vec![u8::MAX; value_size])).with("id", id(request)?))
}

/// Takes out whatever is in a map.
fn map_empty(request: &Request) -> Result<Truth> {
    let map = program::map_by_id(id(request)?).context("getting hold of the map")?;
    let (key_size, _) = sizes(map.as_fd())?;
    let (mut key, mut taken) = (vec![0; key_size], 0_u64);
    let mut last = Ok(());
    for _ in 0..ELEMENTS_MAX {
        if program::next_key(map.as_fd(), None, &mut key).is_err() {
            break;
        }
        last = program::delete(map.as_fd(), &key);
        if last.is_err() {
            break;
        }
        taken += 1;
    }
    Ok(outcome(last).with("id", id(request)?).with("taken", taken))
}

/// Has a program of its own hold a map, for some seconds.
fn map_hold(request: &Request) -> Result<Truth> {
    let map = program::map_by_id(id(request)?).context("getting hold of the map")?;
    let _program = program::load(CONNECT4, Some(map.as_fd())).context("loading a program")?;
    linger(request);
    Ok(Truth::new().with("id", id(request)?))
}

/// Attaches a program to the v2 hierarchy's root (`--path`), for some seconds.
fn beside(request: &Request) -> Result<Truth> {
    let path = request.path.as_ref().context("--path: where the v2 hierarchy is")?;
    let root = fs::File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let blind = program::load(CONNECT4, None).context("loading a program")?;
    let _link = program::attach(root.as_fd(), blind.as_fd(), CONNECT4).context("attaching it")?;
    linger(request);
    Ok(Truth::new())
}

/// Moves the reader's place in a ring to behind what is there.
fn ring(request: &Request) -> Result<Truth> {
    let ring = program::map_by_id(id(request)?).context("getting hold of the ring")?;
    let bytes = u64::try_from(request.bytes.unwrap_or(64))?;
    let before = program::move_reader(ring.as_fd(), bytes).context("mapping it")?;
    Ok(Truth::new().with("id", id(request)?).with("before", before))
}

/// Stops a process for some seconds.
fn stop(request: &Request) -> Result<Truth> {
    let target: Pid = request.target_pid.context("--target-pid: whom")?;
    kill_process(target, Signal::STOP).context("SIGSTOP")?;
    linger(request);
    kill_process(target, Signal::CONT).context("SIGCONT")?;
    Ok(Truth::new().with("target_pid", number(target)))
}

/// How long a process is looked at until it stands behind a system call, where idle ones do, and how often.
const LOOK_MAX: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(5);

/// Has a process do a system call (`--id`: its number), as somebody does who has taken it over.
fn call(request: &Request) -> Result<Truth> {
    let target: Pid = request.target_pid.context("--target-pid: whom")?;
    let number = u64::from(id(request)?);
    let begun = Instant::now();
    while begun.elapsed() < LOOK_MAX {
        ptrace(Trace::Attach, target).context("attaching")?;
        await_stop(target)?;
        let is_redirected = redirect(target, number).context("setting its registers")?;
        ptrace(Trace::Detach, target).context("letting it go")?;
        if is_redirected {
            return Ok(Truth::new().with("id", number));
        }
        sleep(PAUSE);
    }
    bail!("it does not wait in a system call")
}

/// The time is the deed.
fn linger(request: &Request) {
    sleep(Duration::from_secs(request.seconds.unwrap_or(1)));
}

/// Done, or what the kernel said.
fn outcome(done: std::io::Result<()>) -> Truth {
    let error = done.err().map(|error| error.raw_os_error().unwrap_or_default());
    Truth::new().with("errno", error)
}
