//! What leaves and enters over sockets. Destinations come from the kernel's own copy, in the caller's
//! context, whichever system call or io_uring operation led there; bytes from where every call that
//! moves some ends.

mod connect;
mod state;
mod flow;
mod socket;
mod dns;

use sensor_ebpf::wire::network::Connect;
use sensor_ebpf::wire::{Actor, COMM_SIZE, Header, Kind, VERSION};

use crate::read::{Address, offset};
use crate::task::now;

/// Families of sockets (include/linux/socket.h).
const UNIX: u16 = 1;
const INET: u16 = 2;
const INET6: u16 = 10;
const PACKET: u16 = 17;
const VSOCK: u16 = 40;
/// `IPPROTO_TCP`.
const TCP: u16 = 6;

/// An IPv4 address in its IPv6-mapped form, words in network order.
#[inline(always)]
fn mapped(address: u32) -> [u32; 4] {
    [0, 0, u32::to_be(0x0000_ffff), address]
}

/// Sixteen bytes, as records have them.
#[inline(always)]
fn bytes(address: [u32; 4]) -> [u8; 16] {
    // SAFETY: sixteen bytes either way.
    unsafe { core::mem::transmute(address) }
}

/// The other end of a connected socket; port 0 when it is not connected.
#[inline(always)]
fn peer(sock: Address) -> ([u32; 4], u16) {
    let port = u16::from_be(sock.get(offset!(sock_dport)));
    let address = if sock.get::<u16>(offset!(sock_family)) == INET6 {
        sock.get(offset!(sock_v6_daddr))
    } else {
        mapped(sock.get(offset!(sock_daddr)))
    };
    (address, port)
}

/// The cgroup a socket was made in; zero where the kernel keeps a v1 class there instead of a pointer
/// (`struct sock_cgroup_data`, include/linux/cgroup-defs.h, before 5.15: the lowest bit tells).
#[inline(always)]
fn cgroup_id(sock: Address) -> u64 {
    let cgroup = sock.follow(offset!(sock_cgroup));
    if cgroup.0 & 1 != 0 {
        return 0;
    }
    cgroup.follow(offset!(cgroup_kn)).get(offset!(kernfs_node_id))
}

/// The header of a record that no task of its own made: only the cgroup says who.
#[inline(always)]
fn header_of_cgroup(kind: Kind, size: usize, cgroup_id: u64) -> Header {
    let actor = Actor {
        start_time: 0,
        cgroup_id,
        pid: 0,
        tid: 0,
        uid: 0,
        gid: 0,
        mnt_ns: 0,
        pid_ns: 0,
        comm: [0; COMM_SIZE],
    };
    Header { version: VERSION, kind: kind as u16, size: size as u32, time: now(), actor }
}

/// A record about a connection.
#[inline(always)]
fn connection(header: Header, sock: Address, protocol: u16, flags: u32) -> Connect {
    let (address, port) = peer(sock);
    Connect { header, socket: sock.0, address: bytes(address), port, protocol, flags }
}
