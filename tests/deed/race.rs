//! An address that changes while the kernel is given it: what is told is where the sockets went.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::io::Errno;
use rustix::net::sockopt::set_socket_linger;
use rustix::net::{AddressFamily, SocketFlags, SocketType, getpeername, socket_with};
use serde_json::json;

use crate::network::connect::await_connected;
use crate::request::Request;
use crate::sys::socket::{Destinations, SharedAddress, connect_shared};
use crate::table::{Deed, deed};
use crate::truth::Truth;

pub(crate) const DEEDS: &[Deed] = &[deed("race", "connect", connect)];

/// Times unless told; with `--seconds` they are spread over these.
const COUNT: u64 = 100_000;

/// The addresses that take turns, both this machine's.
const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2)];

/// So long it may be ahead of its pace: shorter sleeps are not kept to.
const SLICE: Duration = Duration::from_millis(10);

/// Tries to find two ports that are free on both addresses.
const TRIES: usize = 16;

/// Calls `connect` while another thread changes port and address, one after the other.
fn connect(request: &Request) -> Result<Truth> {
    let listeners = listeners()?;
    let ports = ports(&listeners)?;
    let shared = SharedAddress::new(SocketAddrV4::new(Ipv4Addr::LOCALHOST, ports[0]));
    let over = AtomicBool::new(false);
    if request.tcp {
        for listener in listeners {
            // Ends with the process; until then its queue must not fill.
            thread::spawn(move || while listener.accept().is_ok() {});
        }
    }
    let count = request.count.unwrap_or(COUNT);
    let (destinations, failed) = thread::scope(|scope| {
        scope.spawn(|| flip(&shared, ports, &over));
        let outcome = connect_often(&shared, count, request);
        over.store(true, Ordering::Relaxed);
        outcome
    })?;
    let destinations: Vec<_> = destinations
        .iter()
        .map(|(to, count)| json!({"address": to.ip().to_string(), "port": to.port(), "count": count}))
        .collect();
    let truth = Truth::new().with("protocol", if request.tcp { "tcp" } else { "udp" });
    Ok(truth.with("destinations", destinations).with("count", count - failed).with("failed", failed))
}

/// One for each pair of address and port; UDP needs none, but then the ports are nobody else's for TCP.
fn listeners() -> Result<Vec<TcpListener>> {
    let [one, two] = ADDRESSES;
    let pair = || -> Result<[TcpListener; 2]> {
        let first = TcpListener::bind((one, 0))?;
        let second = TcpListener::bind((two, first.local_addr()?.port()))?;
        Ok([first, second])
    };
    let mut found = Vec::new();
    for _ in 0..TRIES {
        found.extend(pair().into_iter().flatten());
        if found.len() >= ADDRESSES.len() * 2 {
            return Ok(found);
        }
    }
    bail!("no two ports are free on {one} and {two}")
}

fn ports(listeners: &[TcpListener]) -> Result<[u16; 2]> {
    let mut ports = Vec::new();
    for listener in listeners {
        ports.push(listener.local_addr()?.port());
    }
    ports.dedup();
    ports.try_into().ok().context("two ports were asked for")
}

/// Until it is over, each combination of address and port in turn.
fn flip(shared: &SharedAddress, ports: [u16; 2], over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        for port in ports {
            shared.set_port(port);
            ADDRESSES.into_iter().for_each(|address| shared.set_address(address));
        }
    }
}

/// Where the sockets went, and how many connects failed.
fn connect_often(shared: &SharedAddress, count: u64, request: &Request) -> Result<(Destinations, u64)> {
    let (mut destinations, mut failed) = (Destinations::new(), 0);
    let (start, all) = (Instant::now(), Duration::from_secs(request.seconds.unwrap_or(0)));
    for number in 0..count {
        match connect_once(shared, request.tcp)? {
            Some(to) => *destinations.entry(to).or_default() += 1,
            None => failed += 1,
        }
        let due = start + all.mul_f64((number + 1) as f64 / count as f64);
        if let Some(early) = due.checked_duration_since(Instant::now()).filter(|early| *early >= SLICE) {
            thread::sleep(early);
        }
    }
    Ok((destinations, failed))
}

/// A fresh socket, connected: where to, as the kernel has it.
fn connect_once(shared: &SharedAddress, tcp: bool) -> Result<Option<SocketAddr>> {
    let kind = if tcp { SocketType::STREAM } else { SocketType::DGRAM };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket: OwnedFd = socket_with(AddressFamily::INET, kind, flags, None)?;
    if tcp {
        // Reset rather than closed in order: no port waits a minute for stray packets.
        set_socket_linger(&socket, Some(Duration::ZERO))?;
    }
    match connect_shared(socket.as_fd(), shared) {
        Ok(()) => {}
        Err(error) if Errno::from_io_error(&error) == Some(Errno::INPROGRESS) => {
            if await_connected(&socket).is_err() {
                return Ok(None);
            }
        }
        Err(_) => return Ok(None),
    }
    let peer = getpeername(&socket)?.context("the socket has no peer")?;
    Ok(Some(peer.try_into().context("the peer has no internet address")?))
}
