//! Connections and datagrams as they are asked for: the programs get the address that the kernel has
//! copied, so a thread that rewrites the caller's memory changes nothing.

use aya_ebpf::EbpfContext as _;
use aya_ebpf::macros::cgroup_sock_addr;
use aya_ebpf::programs::SockAddrContext;
use sensor_ebpf::wire::counter::AggregateKey;
use sensor_ebpf::wire::flow::{Flow, FlowKey};
use sensor_ebpf::wire::network::{Close, Connect};
use sensor_ebpf::wire::{FileId, Kind};

use super::{bytes, mapped};
use crate::emit::{self, Ticket};
use crate::map::{DATAGRAMS, Datagram, FLOWS, Recent};
use crate::read::{Address, offset};
use crate::task::{Current, Task};

/// The verdict of a cgroup program that lets the call through. This sensor never blocks.
pub(super) const ALLOW: i32 = 1;
/// The same destination of the same unconnected socket is told again after this long, nanoseconds:
/// a resolver's queries stay visible, a flood of datagrams does not fill the ring.
const DATAGRAM_WINDOW: u64 = 30_000_000_000;

/// `BPF_CGROUP_INET4_CONNECT`: `tcp_v4_pre_connect`, `udp_pre_connect`, `ping_v4_pre_connect`
/// <https://github.com/torvalds/linux/blob/v6.12/net/ipv4/tcp_ipv4.c#L209>
#[cgroup_sock_addr(connect4)]
pub fn connect4(ctx: SockAddrContext) -> i32 {
    connect(&ctx, ipv4(&ctx), 0);
    ALLOW
}

/// `BPF_CGROUP_INET6_CONNECT`: `tcp_v6_pre_connect`, `udpv6_pre_connect`
/// <https://github.com/torvalds/linux/blob/v6.12/net/ipv6/tcp_ipv6.c#L125>
#[cgroup_sock_addr(connect6)]
pub fn connect6(ctx: SockAddrContext) -> i32 {
    connect(&ctx, ipv6(&ctx), Connect::IPV6_SOCKET);
    ALLOW
}

/// `BPF_CGROUP_UDP4_SENDMSG`: `udp_sendmsg` of an unconnected socket
/// <https://github.com/torvalds/linux/blob/v6.12/net/ipv4/udp.c#L1380>
#[cgroup_sock_addr(sendmsg4)]
pub fn sendmsg4(ctx: SockAddrContext) -> i32 {
    datagram(&ctx, ipv4(&ctx), Connect::DATAGRAM);
    ALLOW
}

/// `BPF_CGROUP_UDP6_SENDMSG`: `udpv6_sendmsg` of an unconnected socket
/// <https://github.com/torvalds/linux/blob/v6.12/net/ipv6/udp.c#L1551>
#[cgroup_sock_addr(sendmsg6)]
pub fn sendmsg6(ctx: SockAddrContext) -> i32 {
    datagram(&ctx, ipv6(&ctx), Connect::DATAGRAM | Connect::IPV6_SOCKET);
    ALLOW
}

#[inline(always)]
fn ipv4(ctx: &SockAddrContext) -> [u32; 4] {
    // SAFETY: the context is valid while the program runs; each field is read as a whole word.
    mapped(unsafe { (*ctx.sock_addr).user_ip4 })
}

#[inline(always)]
fn ipv6(ctx: &SockAddrContext) -> [u32; 4] {
    // SAFETY: as in `ipv4`.
    let context = unsafe { &*ctx.sock_addr };
    [
        word(&context.user_ip6[0]),
        word(&context.user_ip6[1]),
        word(&context.user_ip6[2]),
        word(&context.user_ip6[3]),
    ]
}

/// The verifier wants each word of an address read by itself, at a constant offset.
#[inline(always)]
fn word(word: &u32) -> u32 {
    // SAFETY: a reference is valid; volatile so that no two reads become one.
    unsafe { core::ptr::read_volatile(word) }
}

/// The socket behind a context: the context is a `struct bpf_sock_addr_kern` to the kernel.
#[inline(always)]
fn socket(ctx: &SockAddrContext) -> Address {
    Address(ctx.as_ptr() as u64).follow(offset!(sock_addr_kern_sk))
}

#[inline(always)]
fn port(ctx: &SockAddrContext) -> u16 {
    // SAFETY: as in `ipv4`.
    u16::from_be(unsafe { (*ctx.sock_addr).user_port } as u16)
}

#[inline(always)]
fn protocol(ctx: &SockAddrContext) -> u16 {
    // SAFETY: as in `ipv4`.
    unsafe { (*ctx.sock_addr).protocol as u16 }
}

#[inline(always)]
fn connect(ctx: &SockAddrContext, address: [u32; 4], flags: u32) {
    let current = Current::get();
    if current.is_agent() {
        emit::own(Kind::NetworkConnect);
        return;
    }
    let (socket, port, protocol) = (socket(ctx).0, port(ctx), protocol(ctx));
    let task = Task::current();
    let cgroup_id = current.cgroup_id();
    let key = FlowKey { socket, pid: current.pid, digest: 0 };
    // A datagram socket may be connected again and again: what went before is told.
    // SAFETY: an entry that another CPU removes meanwhile yields old numbers.
    if let Some(before) = unsafe { FLOWS.get(&key) } {
        share(task, &key, before);
    }
    let address = bytes(address);
    let start_time = task.start_time();
    let flow = Flow { sent: 0, received: 0, start_time, cgroup_id, address, port, protocol, flags };
    // A full map counts the bytes at the first that are moved.
    let _ = FLOWS.insert(&key, &flow, 0);
    tell(task, cgroup_id, Target { socket, address, port, protocol, flags });
}

#[inline(always)]
fn datagram(ctx: &SockAddrContext, address: [u32; 4], flags: u32) {
    let current = Current::get();
    if current.is_agent() {
        emit::own(Kind::NetworkConnect);
        return;
    }
    let (socket, port, protocol) = (socket(ctx).0, port(ctx), protocol(ctx));
    let destination = Datagram { socket, address, port, reserved: [0; 3] };
    // Only the bytes of this one datagram lose their destination when this fails.
    let _ = DATAGRAMS.insert(&current.thread, &destination, 0);
    let cgroup_id = current.cgroup_id();
    let key = Recent {
        object: FileId {
            inode: (address[0] as u64) << 32 | address[1] as u64,
            device: address[2],
            generation: address[3],
        },
        // The process too: the kernel gives a socket's address to the next one at once.
        owner: socket ^ (current.pid as u64) << 32,
        number: port as u32,
        kind: Kind::NetworkConnect as u32,
    };
    if key.is_repeat(DATAGRAM_WINDOW) {
        Ticket::new(Kind::NetworkConnect, cgroup_id).filter();
        return;
    }
    tell(Task::current(), cgroup_id, Target { socket, address: bytes(address), port, protocol, flags });
}

/// Where to, over what.
struct Target {
    socket: u64,
    address: [u8; 16],
    port: u16,
    protocol: u16,
    flags: u32,
}

#[inline(always)]
fn tell(task: Task, cgroup_id: u64, target: Target) {
    let Target { socket, address, port, protocol, flags } = target;
    let ticket = Ticket::new(Kind::NetworkConnect, cgroup_id);
    if !ticket.is_within_limit() {
        ticket.aggregate(destination(address, port, protocol));
        return;
    }
    let header = task.header(Kind::NetworkConnect, size_of::<Connect>());
    ticket.fixed(&Connect { header, socket, address, port, protocol, flags });
}

/// What many connections have in common.
#[inline(always)]
pub(super) fn destination(address: [u8; 16], port: u16, protocol: u16) -> AggregateKey {
    AggregateKey { cgroup_id: 0, address, epoch: 0, pid: 0, kind: 0, protocol, port, reserved: 0 }
}

/// Tells what a process has moved over a socket that it lets go of.
#[inline(always)]
pub(super) fn share(task: Task, key: &FlowKey, flow: &Flow) {
    if flow.sent == 0 && flow.received == 0 {
        return;
    }
    let ticket = Ticket::new(Kind::NetworkClose, flow.cgroup_id);
    if !ticket.is_within_limit() {
        ticket.aggregate(destination(flow.address, flow.port, flow.protocol));
        return;
    }
    ticket.fixed(&Close {
        header: task.header(Kind::NetworkClose, size_of::<Close>()),
        socket: key.socket,
        bytes_sent: flow.sent,
        bytes_received: flow.received,
        flags: Close::SHARE,
        error: 0,
    });
}
