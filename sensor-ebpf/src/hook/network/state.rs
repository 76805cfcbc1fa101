//! The life of TCP connections: taken from outside, failed, ended with how many bytes.

use aya_ebpf::EbpfContext as _;
use aya_ebpf::helpers::generated::bpf_get_func_ret;
use aya_ebpf::macros::{fexit, raw_tracepoint};
use aya_ebpf::programs::{FExitContext, RawTracePointContext};
use sensor_ebpf::wire::Kind;
use sensor_ebpf::wire::flow::FlowKey;
use sensor_ebpf::wire::network::{Close, Connect};
use sensor_ebpf::wire::setting::trial;

use super::connect::destination;
use super::flow::accepted;
use super::{TCP, bytes, cgroup_id, connection, header_of_cgroup, peer};
use crate::emit::{self, Ticket};
use crate::map::{ACCEPTED, FLOWS};
use crate::read::{Address, offset};
use crate::task::{Current, Task, under_trial};

/// States (include/net/tcp_states.h).
const ESTABLISHED: u32 = 1;
const SYN_SENT: u32 = 2;
const SYN_RECEIVED: u32 = 3;
const CLOSE: u32 = 7;
const LISTEN: u32 = 10;
/// `RCV_SHUTDOWN` (include/net/sock.h): a FIN was received.
const RECEIVED_FIN: u8 = 1;

/// `TP_PROTO(const struct sock *sk, const int oldstate, const int newstate)`
/// <https://github.com/torvalds/linux/blob/v6.12/include/trace/events/sock.h#L141>
#[raw_tracepoint(tracepoint = "inet_sock_set_state")]
pub fn tcp_state(ctx: RawTracePointContext) -> i32 {
    let sock = Address(ctx.arg(0));
    let old: u32 = ctx.arg(1);
    let new: u32 = ctx.arg(2);
    let is_told = new == CLOSE && old != LISTEN || old == CLOSE && new == SYN_SENT || old == SYN_RECEIVED;
    if !is_told || sock.get::<u16>(offset!(sock_protocol)) != TCP {
        return 0;
    }
    if new == CLOSE {
        ended(sock, old);
    } else if new == SYN_SENT {
        begun(sock);
    } else if new == ESTABLISHED {
        // Who takes it is not known here: the last packet of the handshake interrupts anybody.
        let _ = ACCEPTED.insert(&sock.0, &0, 0);
    }
    0
}

/// A connection that no `connect4/6` saw: part of a Multipath TCP connection.
#[inline(always)]
fn begun(sock: Address) {
    let current = Current::get();
    if current.is_agent() {
        return;
    }
    let key = FlowKey { socket: sock.0, pid: current.pid, digest: 0 };
    if FLOWS.get_ptr(&key).is_some() {
        return;
    }
    let (address, port) = peer(sock);
    let ticket = Ticket::new(Kind::NetworkConnect, current.cgroup_id());
    if !ticket.is_within_limit() {
        ticket.aggregate(destination(bytes(address), port, TCP));
        return;
    }
    let header = Task::current().header(Kind::NetworkConnect, size_of::<Connect>());
    ticket.fixed(&connection(header, sock, TCP, Connect::SUBFLOW));
}

#[inline(always)]
fn ended(sock: Address, old: u32) {
    // Not by the current task, as elsewhere: whoever is interrupted by the last packet is that.
    let cookie: u64 = sock.get(offset!(sock_cookie));
    if cookie != 0 && cookie == under_trial(trial::SOCKET) {
        emit::own(Kind::NetworkClose);
        return;
    }
    if cookie != 0 && cookie == under_trial(trial::PEER) {
        let _ = ACCEPTED.remove(&sock.0);
        return;
    }
    let cgroup_id = cgroup_id(sock);
    if let Some(told) = ACCEPTED.get_ptr(&sock.0) {
        // SAFETY: a value of the map; one that is evicted meanwhile yields an old number.
        let told = unsafe { core::ptr::read_volatile(told) };
        let _ = ACCEPTED.remove(&sock.0);
        if told == 0 {
            untold(sock, cgroup_id);
        }
    }
    let ticket = Ticket::new(Kind::NetworkClose, cgroup_id);
    if !ticket.is_within_limit() {
        let (address, port) = peer(sock);
        ticket.aggregate(destination(bytes(address), port, TCP));
        return;
    }
    let sent: u64 = sock.get(offset!(tcp_bytes_sent));
    let again: u64 = sock.get(offset!(tcp_bytes_retransmitted));
    let received: u64 = sock.get(offset!(tcp_bytes_received));
    // The FIN takes one number of the sequence space and is counted as a byte (RFC 9293, 3.4).
    let shutdown: u8 = sock.get(offset!(sock_shutdown));
    let fin = (shutdown & RECEIVED_FIN) as u64;
    let has_failed = old == SYN_SENT;
    ticket.fixed(&Close {
        header: header_of_cgroup(Kind::NetworkClose, size_of::<Close>(), cgroup_id),
        socket: sock.0,
        bytes_sent: sent.saturating_sub(again),
        bytes_received: received.saturating_sub(fin),
        flags: if has_failed { Close::FAILED } else { 0 },
        error: if has_failed { sock.get(offset!(sock_error)) } else { 0 },
    });
}

/// A connection from outside ended before a process moved a byte over it.
#[inline(always)]
fn untold(sock: Address, cgroup_id: u64) {
    let (address, port) = peer(sock);
    let ticket = Ticket::new(Kind::NetworkAccept, cgroup_id);
    if !ticket.is_within_limit() {
        ticket.aggregate(destination(bytes(address), port, TCP));
        return;
    }
    let header = header_of_cgroup(Kind::NetworkAccept, size_of::<Connect>(), cgroup_id);
    ticket.fixed(&connection(header, sock, TCP, Connect::INBOUND | Connect::NO_ACTOR));
}

/// `struct sock *inet_csk_accept(struct sock *sk, struct proto_accept_arg *arg)`
/// <https://github.com/torvalds/linux/blob/v6.12/net/ipv4/inet_connection_sock.c#L664>
#[fexit(function = "inet_csk_accept")]
pub fn tcp_accept(ctx: FExitContext) -> i32 {
    let mut sock = 0;
    // SAFETY: the helper takes the context of this program type and writes one word.
    if unsafe { bpf_get_func_ret(ctx.as_ptr(), &raw mut sock) } == 0 {
        accept(Address(sock));
    }
    0
}

/// `struct sock *inet_csk_accept(struct sock *sk, int flags, int *err, bool kern)`, for kernels without
/// the helper (5.17)
/// <https://github.com/torvalds/linux/blob/v5.10/net/ipv4/inet_connection_sock.c#L447>
#[fexit(function = "inet_csk_accept")]
pub fn tcp_accept_by_position(ctx: FExitContext) -> i32 {
    accept(Address(ctx.arg(4)));
    0
}

#[inline(always)]
fn accept(sock: Address) {
    if sock.is_null() {
        return;
    }
    if Current::get().is_agent() {
        emit::own(Kind::NetworkAccept);
        return;
    }
    accepted(sock);
}
