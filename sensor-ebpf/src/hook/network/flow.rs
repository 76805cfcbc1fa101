//! Bytes per process and socket, counted where every call that moves some ends: in the caller's context,
//! with what the kernel took or gave. So the sender is right for a socket that was handed over or was
//! there before the sensor.

use aya_ebpf::EbpfContext as _;
use aya_ebpf::macros::{cgroup_sock, fexit, raw_tracepoint};
use aya_ebpf::programs::{FExitContext, RawTracePointContext, SockContext};
use sensor_ebpf::wire::Kind;
use sensor_ebpf::wire::flow::{Flow, FlowKey};
use sensor_ebpf::wire::network::Connect;

use super::connect::{ALLOW, destination, share};
use super::socket::used;
use super::{INET, INET6, PACKET, TCP, VSOCK, bytes, connection, peer};
use crate::emit::{self, Ticket, add};
use crate::map::{ACCEPTED, DATAGRAMS, FLOWS, NO_EXIST};
use crate::read::{Address, offset};
use crate::task::{Current, Task};

/// `MSG_PEEK` (include/linux/socket.h): the bytes stay and are given again.
const PEEK: u32 = 2;

/// Which way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Sent,
    Received,
}

/// `TP_PROTO(struct sock *sk, int ret, int flags)`, since 6.3
/// <https://github.com/torvalds/linux/blob/v6.12/include/trace/events/sock.h#L291>
#[raw_tracepoint(tracepoint = "sock_send_length")]
pub fn bytes_sent(ctx: RawTracePointContext) -> i32 {
    traffic(Address(ctx.arg(0)), ctx.arg(1), Direction::Sent);
    0
}

/// As [`bytes_sent`].
#[raw_tracepoint(tracepoint = "sock_recv_length")]
pub fn bytes_received(ctx: RawTracePointContext) -> i32 {
    let flags: u32 = ctx.arg(2);
    if flags & PEEK == 0 {
        traffic(Address(ctx.arg(0)), ctx.arg(1), Direction::Received);
    }
    0
}

/// `int inet_sendmsg(struct socket *sock, struct msghdr *msg, size_t size)`, for kernels before 6.3
/// <https://github.com/torvalds/linux/blob/v6.1/net/ipv4/af_inet.c#L813>
#[fexit(function = "inet_sendmsg")]
pub fn inet_sendmsg(ctx: FExitContext) -> i32 {
    traffic(of_socket(ctx.arg(0)), ctx.arg(3), Direction::Sent);
    0
}

/// As [`inet_sendmsg`].
#[fexit(function = "inet6_sendmsg")]
pub fn inet6_sendmsg(ctx: FExitContext) -> i32 {
    traffic(of_socket(ctx.arg(0)), ctx.arg(3), Direction::Sent);
    0
}

/// `ssize_t inet_sendpage(struct socket *sock, struct page *page, int offset, size_t size, int flags)`:
/// sendfile and splice
/// <https://github.com/torvalds/linux/blob/v6.1/net/ipv4/af_inet.c#L826>
#[fexit(function = "inet_sendpage")]
pub fn inet_sendpage(ctx: FExitContext) -> i32 {
    traffic(of_socket(ctx.arg(0)), ctx.arg(5), Direction::Sent);
    0
}

/// `int inet_recvmsg(struct socket *sock, struct msghdr *msg, size_t size, int flags)`
/// <https://github.com/torvalds/linux/blob/v6.1/net/ipv4/af_inet.c#L842>
#[fexit(function = "inet_recvmsg")]
pub fn inet_recvmsg(ctx: FExitContext) -> i32 {
    received(&ctx);
    0
}

/// As [`inet_recvmsg`].
#[fexit(function = "inet6_recvmsg")]
pub fn inet6_recvmsg(ctx: FExitContext) -> i32 {
    received(&ctx);
    0
}

#[inline(always)]
fn received(ctx: &FExitContext) {
    let flags: u32 = ctx.arg(3);
    if flags & PEEK == 0 {
        traffic(of_socket(ctx.arg(0)), ctx.arg(4), Direction::Received);
    }
}

/// The `struct sock` of a `struct socket`.
#[inline(always)]
fn of_socket(socket: u64) -> Address {
    Address(socket).follow(offset!(socket_sk))
}

#[inline(always)]
fn traffic(sock: Address, result: i32, direction: Direction) {
    if result <= 0 {
        return;
    }
    let family: u16 = sock.get(offset!(sock_family));
    if family == INET || family == INET6 {
        count(sock, result as u64, direction);
    } else if family == PACKET || family == VSOCK {
        used(sock, family);
    }
}

#[inline(always)]
fn count(sock: Address, size: u64, direction: Direction) {
    let current = Current::get();
    if current.is_agent() {
        if accepted_untold(sock) {
            emit::own(Kind::NetworkAccept);
        }
        emit::own(Kind::NetworkFlow);
        return;
    }
    let (mut address, mut port) = peer(sock);
    let mut key = FlowKey { socket: sock.0, pid: current.pid, digest: 0 };
    let is_connected = port != 0;
    if !is_connected {
        key.digest = FlowKey::FROM_ANYWHERE;
        if direction == Direction::Sent
            // SAFETY: an entry that is evicted meanwhile is that of another thread: it does not fit.
            && let Some(sent) = unsafe { DATAGRAMS.get(&current.thread) }
            && sent.socket == sock.0
        {
            (address, port) = (sent.address, sent.port);
            key.digest = FlowKey::digest(address, port);
        }
    }
    if moved(&key, size, direction) {
        return;
    }
    let task = Task::current();
    let cgroup_id = current.cgroup_id();
    let protocol = sock.get(offset!(sock_protocol));
    let first = Flow {
        sent: if direction == Direction::Sent { size } else { 0 },
        received: if direction == Direction::Received { size } else { 0 },
        start_time: task.start_time(),
        cgroup_id,
        address: bytes(address),
        port,
        protocol,
        flags: if is_connected { Connect::FIRST_TRAFFIC } else { Connect::DATAGRAM },
    };
    if is_connected && accepted_untold(sock) {
        remember(key, &first, direction, cgroup_id);
        tell(sock, Kind::NetworkAccept, Connect::INBOUND);
        return;
    }
    if remember(key, &first, direction, cgroup_id) && is_connected {
        tell(sock, Kind::NetworkFlow, Connect::FIRST_TRAFFIC);
    }
}

/// Adds to a row that is there.
#[inline(always)]
fn moved(key: &FlowKey, size: u64, direction: Direction) -> bool {
    let Some(flow) = FLOWS.get_ptr_mut(key) else { return false };
    let column = match direction {
        Direction::Sent => core::mem::offset_of!(Flow, sent),
        Direction::Received => core::mem::offset_of!(Flow, received),
    };
    // SAFETY: the column lies within the row.
    add(unsafe { flow.byte_add(column) }.cast(), size);
    true
}

/// Makes a row. When the map is full, the bytes go to a row of the process alone; when there is none
/// either, they are lost and counted as that. True: this is news.
#[inline(always)]
fn remember(key: FlowKey, first: &Flow, direction: Direction, cgroup_id: u64) -> bool {
    if FLOWS.insert(&key, first, NO_EXIST).is_ok() {
        return true;
    }
    let size = first.sent + first.received;
    if moved(&key, size, direction) {
        return false;
    }
    let rest = FlowKey { socket: 0, pid: key.pid, digest: 0 };
    if !moved(&rest, size, direction) && FLOWS.insert(&rest, first, NO_EXIST).is_err() {
        Ticket::new(Kind::NetworkFlow, cgroup_id).lose();
    }
    false
}

/// Is this a connection from outside whose taker was not told yet? Then it counts as told from now on.
#[inline(always)]
fn accepted_untold(sock: Address) -> bool {
    let Some(told) = ACCEPTED.get_ptr_mut(&sock.0) else { return false };
    // SAFETY: a value of the map; evicted meanwhile, it is told twice or as a flow.
    if unsafe { core::ptr::read_volatile(told) } != 0 {
        return false;
    }
    // SAFETY: as above.
    unsafe { core::ptr::write_volatile(told, 1) };
    true
}

/// A process took a connection from outside.
#[inline(always)]
pub(super) fn accepted(sock: Address) {
    let current = Current::get();
    let (address, port) = peer(sock);
    let task = Task::current();
    let flow = Flow {
        sent: 0,
        received: 0,
        start_time: task.start_time(),
        cgroup_id: current.cgroup_id(),
        address: bytes(address),
        port,
        protocol: TCP,
        flags: Connect::INBOUND,
    };
    let _ = FLOWS.insert(&FlowKey { socket: sock.0, pid: current.pid, digest: 0 }, &flow, 0);
    let _ = ACCEPTED.insert(&sock.0, &1, 0);
    tell(sock, Kind::NetworkAccept, Connect::INBOUND);
}

#[inline(always)]
fn tell(sock: Address, kind: Kind, flags: u32) {
    let protocol = sock.get(offset!(sock_protocol));
    let ticket = Ticket::new(kind, Current::get().cgroup_id());
    if !ticket.is_within_limit() {
        let (address, port) = peer(sock);
        ticket.aggregate(destination(bytes(address), port, protocol));
        return;
    }
    let header = Task::current().header(kind, size_of::<Connect>());
    ticket.fixed(&connection(header, sock, protocol, flags));
}

/// `BPF_CGROUP_INET_SOCK_RELEASE`, in `inet_release`: nobody holds the socket any more (since 5.9)
/// <https://github.com/torvalds/linux/blob/v6.12/net/ipv4/af_inet.c#L411>
#[cgroup_sock(sock_release)]
pub fn sock_release(ctx: SockContext) -> i32 {
    let current = Current::get();
    if current.is_agent() {
        // SAFETY: the context is valid while the program runs; the field is read as a whole word.
        let protocol = unsafe { (*ctx.sock).protocol };
        // The end of a TCP connection is for another program to prove.
        if protocol != TCP as u32 {
            emit::own(Kind::NetworkClose);
        }
        return ALLOW;
    }
    // To the kernel the context is the `struct sock`.
    let socket = ctx.as_ptr() as u64;
    let key = FlowKey { socket, pid: current.pid, digest: 0 };
    // SAFETY: only the agent removes rows besides, and only of processes that are gone.
    let Some(flow) = (unsafe { FLOWS.get(&key) }) else { return ALLOW };
    // The end of a TCP connection tells its own count; a share of it is told when it is not all.
    if flow.protocol != TCP || flow.flags & Connect::FIRST_TRAFFIC != 0 {
        share(Task::current(), &key, flow);
    }
    let _ = FLOWS.remove(&key);
    ALLOW
}
