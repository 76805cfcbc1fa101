//! Sockets of other families, each with one harmless thing sent.

use std::io::Read as _;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::{UnixListener, UnixStream};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::io::Errno;
use rustix::net::netdevice::name_to_index;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto, recv, sendto, socket_with,
};

use crate::place::Place;
use crate::request::Request;
use crate::sys::socket::{connect_vsock, send_packet};
use crate::table::{Deed, deed, privileged};
use crate::truth::Truth;

pub(crate) const DEEDS: &[Deed] = &[
    privileged("socket", "raw", raw),
    privileged("socket", "packet", packet),
    deed("socket", "vsock", vsock),
    deed("socket", "unix", unix),
];

/// "Local experimental" EtherType 1 (IEEE 802): nobody takes these frames.
const EXPERIMENTAL: u16 = 0x88b5;

/// An ICMP echo request of nothing, number 1 of identifier 0, with its checksum (RFC 792).
const ECHO: [u8; 8] = [8, 0, 0xf7, 0xfe, 0, 0, 0, 1];

/// The type of the answer (RFC 792).
const ECHO_REPLY: u8 = 0;

/// Bytes of an IPv4 header without options, which raw sockets give too.
const IP_HEADER: usize = 20;

/// Messages of others that may come before the answer.
const STRAYS_MAX: usize = 1000;

/// `VMADDR_CID_LOCAL`, include/uapi/linux/vm_sockets.h: this machine itself, since Linux 5.6.
const CONTEXT_LOCAL: u32 = 1;

/// A port where nobody listens, or somebody does: either is told.
const VSOCK_PORT: u32 = 4242;

fn raw(_: &Request) -> Result<Truth> {
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::INET, SocketType::RAW, flags, Some(ipproto::ICMP))?;
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let sent = sendto(&socket, &ECHO, SendFlags::empty(), &to)?;
    let wait = Some(std::time::Duration::from_secs(5));
    rustix::net::sockopt::set_socket_timeout(&socket, rustix::net::sockopt::Timeout::Recv, wait)?;
    let mut room = [0; 128];
    for _ in 0..STRAYS_MAX {
        recv(&socket, &mut room, RecvFlags::empty()).context("no answer to the echo")?;
        // The request itself comes by on loopback, and so do other people's messages.
        if room.get(IP_HEADER) == Some(&ECHO_REPLY) {
            let truth = Truth::new().with_peer("icmp", to);
            return Ok(truth.with("bytes", sent).with("bytes_sent", sent));
        }
    }
    bail!("{STRAYS_MAX} other messages came before the answer")
}

fn packet(_: &Request) -> Result<Truth> {
    let any = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    let index = name_to_index(&any, "lo").context("there is no interface lo")?;
    let sent = send_packet(i32::try_from(index)?, EXPERIMENTAL, &[0; 64])?;
    Ok(Truth::new().with("interface", "lo").with("bytes", sent).with("bytes_sent", sent))
}

/// What the connection came to is told: the attempt is the deed.
fn vsock(_: &Request) -> Result<Truth> {
    let (socket, connected) = connect_vsock(CONTEXT_LOCAL, VSOCK_PORT);
    let _socket = socket?;
    let truth = Truth::new().with("context", CONTEXT_LOCAL).with("port", VSOCK_PORT);
    Ok(match connected {
        Ok(()) => truth.with("errno", 0),
        Err(error) => truth.with("errno", error.raw_os_error()),
    })
}

/// One byte to a socket in the file system.
fn unix(request: &Request) -> Result<Truth> {
    let place = Place::new(request)?;
    let (path, listener) = match &request.path {
        Some(path) => (path.clone(), None),
        None => {
            let path = place.join("socket");
            match rustix::fs::unlink(&path) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error).with_context(|| format!("removing {}", path.display())),
            }
            let listener =
                UnixListener::bind(&path).with_context(|| format!("listening at {}", path.display()))?;
            (path, Some(listener))
        }
    };
    let mut stream =
        UnixStream::connect(&path).with_context(|| format!("connecting to {}", path.display()))?;
    let sent = stream.write(b"u")?;
    drop(stream);
    if let Some(listener) = listener {
        let mut received = Vec::new();
        listener.accept()?.0.read_to_end(&mut received)?;
        ensure!(received == b"u", "{received:?} arrived");
    }
    Ok(Truth::new().with_path("path", &path).with("bytes", sent).with("bytes_sent", sent))
}
