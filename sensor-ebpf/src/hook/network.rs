//! Connections: the kernel's own copy of the address, in the caller's context, whichever system call
//! or io_uring operation led there; and what went over a TCP connection when it ends.

use aya_ebpf::EbpfContext as _;
use aya_ebpf::helpers::generated::bpf_get_socket_cookie;
use aya_ebpf::macros::{cgroup_sock_addr, raw_tracepoint};
use aya_ebpf::programs::{RawTracePointContext, SockAddrContext};
use sensor_ebpf::wire::network::{Close, Connect};
use sensor_ebpf::wire::setting::trial;
use sensor_ebpf::wire::{FileId, Kind};

use crate::emit;
use crate::map::{RECENT, Recent};
use crate::read::{Address, offset};
use crate::task::{Task, now, under_trial};

/// The verdict of a cgroup program that lets the call through. This sensor never blocks.
const ALLOW: i32 = 1;
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
    connect(&ctx, ipv4(&ctx), Connect::DATAGRAM);
    ALLOW
}

/// `BPF_CGROUP_UDP6_SENDMSG`: `udpv6_sendmsg` of an unconnected socket
/// <https://github.com/torvalds/linux/blob/v6.12/net/ipv6/udp.c#L1551>
#[cgroup_sock_addr(sendmsg6)]
pub fn sendmsg6(ctx: SockAddrContext) -> i32 {
    connect(&ctx, ipv6(&ctx), Connect::DATAGRAM | Connect::IPV6_SOCKET);
    ALLOW
}

/// The IPv4 destination in its IPv6-mapped form, words in network order.
#[inline(always)]
fn ipv4(ctx: &SockAddrContext) -> [u32; 4] {
    // SAFETY: the context is valid while the program runs; each field is read as a whole word.
    let address = unsafe { (*ctx.sock_addr).user_ip4 };
    [0, 0, u32::to_be(0x0000_ffff), address]
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

#[inline(always)]
fn connect(ctx: &SockAddrContext, address: [u32; 4], flags: u32) {
    let task = Task::current();
    if task.is_agent() {
        emit::own(Kind::NetworkConnect);
        return;
    }
    // SAFETY: as in `ipv4`.
    let port = unsafe { (*ctx.sock_addr).user_port };
    // SAFETY: as in `ipv4`.
    let protocol = unsafe { (*ctx.sock_addr).protocol };
    let port = u16::from_be(port as u16);
    // SAFETY: the helper takes the context of this program type.
    let cookie = unsafe { bpf_get_socket_cookie(ctx.as_ptr()) };
    if flags & Connect::DATAGRAM != 0 && told_lately(cookie, address, port) {
        emit::filtered(Kind::NetworkConnect);
        return;
    }
    // SAFETY: sixteen bytes either way.
    let address: [u8; 16] = unsafe { core::mem::transmute(address) };
    let record = Connect {
        header: task.header(Kind::NetworkConnect, size_of::<Connect>()),
        cookie,
        address,
        port,
        protocol: protocol as u16,
        flags,
    };
    emit::fixed(Kind::NetworkConnect, &record);
}

#[inline(always)]
fn told_lately(cookie: u64, address: [u32; 4], port: u16) -> bool {
    let key = Recent {
        object: FileId {
            inode: (address[0] as u64) << 32 | address[1] as u64,
            device: address[2],
            generation: address[3],
        },
        owner: cookie,
        number: port as u32,
        kind: Kind::NetworkConnect as u32,
    };
    recent(&key, DATAGRAM_WINDOW)
}

/// Was this told within the window? If not, it is now.
#[inline(always)]
pub fn recent(key: &Recent, window: u64) -> bool {
    let time = now();
    // SAFETY: an entry that is evicted meanwhile yields an old or a foreign time: told once more.
    if let Some(last) = unsafe { RECENT.get(key) }
        && time.wrapping_sub(*last) < window
    {
        return true;
    }
    // A full LRU map evicts; failing to remember only repeats a record.
    let _ = RECENT.insert(key, time, 0);
    false
}

/// `TCP_SYN_SENT` and `TCP_CLOSE` (include/net/tcp_states.h).
const SYN_SENT: u32 = 2;
const CLOSE: u32 = 7;
/// `IPPROTO_TCP`.
const TCP: u16 = 6;
/// `RCV_SHUTDOWN` (include/net/sock.h): a FIN was received.
const RECEIVED_FIN: u8 = 1;

/// `TP_PROTO(const struct sock *sk, const int oldstate, const int newstate)`
/// <https://github.com/torvalds/linux/blob/v6.12/include/trace/events/sock.h#L141>
#[raw_tracepoint(tracepoint = "inet_sock_set_state")]
pub fn tcp_close(ctx: RawTracePointContext) -> i32 {
    let sock = Address(ctx.arg(0));
    let old: u32 = ctx.arg(1);
    let new: u32 = ctx.arg(2);
    if new != CLOSE || old == SYN_SENT || sock.get::<u16>(offset!(sock_protocol)) != TCP {
        return 0;
    }
    // Only connections seen at connect have a cookie that the agent knows.
    let cookie: u64 = sock.get(offset!(sock_cookie));
    if cookie == 0 {
        return 0;
    }
    // Not by the current task, as elsewhere: whoever is interrupted by the last packet is that.
    if cookie == under_trial(trial::SOCKET) {
        emit::own(Kind::NetworkClose);
        return 0;
    }
    let sent: u64 = sock.get(offset!(tcp_bytes_sent));
    let again: u64 = sock.get(offset!(tcp_bytes_retransmitted));
    let received: u64 = sock.get(offset!(tcp_bytes_received));
    // The FIN takes one number of the sequence space and is counted as a byte (RFC 9293, 3.4).
    let shutdown: u8 = sock.get(offset!(sock_shutdown));
    let fin = (shutdown & RECEIVED_FIN) as u64;
    let record = Close {
        header: Task::current().header(Kind::NetworkClose, size_of::<Close>()),
        cookie,
        bytes_sent: sent.saturating_sub(again),
        bytes_received: received.saturating_sub(fin),
    };
    emit::fixed(Kind::NetworkClose, &record);
    0
}
