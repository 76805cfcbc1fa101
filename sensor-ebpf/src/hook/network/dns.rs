//! DNS messages, so that addresses get their names and rules see what was asked. Only packets from and
//! to port 53 are looked into.

use aya_ebpf::EbpfContext as _;
use aya_ebpf::helpers::generated::bpf_skb_load_bytes;
use aya_ebpf::macros::cgroup_skb;
use aya_ebpf::programs::SkBuffContext;
use sensor_ebpf::wire::Kind;
use sensor_ebpf::wire::network::Dns;
use sensor_ebpf::wire::setting::trial;
use sensor_ebpf::wire::text::{DNS_MAX, Text};

use super::connect::{ALLOW, destination};
use super::{TCP, bytes, cgroup_id, header_of_cgroup, mapped};
use crate::emit::{self, Ticket};
use crate::read::{Address, offset};
use crate::task::under_trial;

/// Port of name servers (RFC 1035, section 4.2).
const DNS: u16 = 53;
/// `IPPROTO_UDP`.
const UDP: u16 = 17;
/// `ETH_P_IP` and `ETH_P_IPV6` (include/uapi/linux/if_ether.h).
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
/// Length of the headers of IPv6 (RFC 8200) and UDP (RFC 768).
const IPV6_HEADER: usize = 40;
const UDP_HEADER: usize = 8;

/// `BPF_CGROUP_INET_INGRESS`: packets as their socket gets them
/// <https://github.com/torvalds/linux/blob/v6.12/net/core/filter.c#L154>
#[cgroup_skb]
pub fn dns_answer(ctx: SkBuffContext) -> i32 {
    message(&ctx, Dns::ANSWER);
    ALLOW
}

/// `BPF_CGROUP_INET_EGRESS`: packets as their socket lets them go
/// <https://github.com/torvalds/linux/blob/v6.12/net/ipv4/ip_output.c#L329>
#[cgroup_skb]
pub fn dns_query(ctx: SkBuffContext) -> i32 {
    message(&ctx, 0);
    ALLOW
}

/// Where the parts of a packet are.
struct Packet {
    /// Offset of the transport header.
    transport: usize,
    protocol: u16,
    /// The name server's address.
    server: [u32; 4],
}

#[inline(always)]
fn message(ctx: &SkBuffContext, flags: u32) {
    let is_answer = flags & Dns::ANSWER != 0;
    let Some((transport, protocol)) = transport(ctx) else { return };
    // Source port first, then the destination's (RFC 768, RFC 9293).
    let place = if is_answer { transport } else { transport + 2 };
    if ctx.load::<u16>(place).map(u16::from_be) != Ok(DNS) {
        return;
    }
    let header = if protocol == TCP {
        let Ok(offset) = ctx.load::<u8>(transport + 12) else { return };
        (offset >> 4) as usize * 4
    } else {
        UDP_HEADER
    };
    let packet = Packet { transport: transport + header, protocol, server: server(ctx, is_answer) };
    tell(ctx, &packet, flags);
}

/// Where the transport header begins, and which it is: UDP, TCP, or not ours.
#[inline(always)]
fn transport(ctx: &SkBuffContext) -> Option<(usize, u16)> {
    let (offset, protocol) = match network(ctx) {
        IPV4 => {
            let first: u8 = ctx.load(0).ok()?;
            ((first & 0xf) as usize * 4, ctx.load::<u8>(9).ok()?)
        }
        IPV6 => (IPV6_HEADER, ctx.load::<u8>(6).ok()?),
        _ => return None,
    };
    let protocol = protocol as u16;
    (protocol == UDP || protocol == TCP).then_some((offset, protocol))
}

#[inline(always)]
fn network(ctx: &SkBuffContext) -> u16 {
    // SAFETY: the context is valid while the program runs.
    u16::from_be(unsafe { (*ctx.skb.skb).protocol } as u16)
}

/// Source of an answer, destination of a query.
#[inline(always)]
fn server(ctx: &SkBuffContext, is_answer: bool) -> [u32; 4] {
    if network(ctx) == IPV4 {
        mapped(ctx.load(if is_answer { 12 } else { 16 }).unwrap_or_default())
    } else {
        ctx.load(if is_answer { 8 } else { 24 }).unwrap_or_default()
    }
}

#[inline(always)]
fn tell(ctx: &SkBuffContext, packet: &Packet, flags: u32) {
    // To the kernel the context is the `struct sk_buff`.
    let sock = Address(ctx.as_ptr() as u64).follow(offset!(sk_buff_sk));
    let cookie: u64 = sock.get(offset!(sock_cookie));
    if cookie != 0 && cookie == under_trial(trial::SOCKET) {
        emit::own(Kind::NetworkDns);
        return;
    }
    let size = ctx.len().saturating_sub(packet.transport as u32);
    if size == 0 {
        return;
    }
    let cgroup_id = cgroup_id(sock);
    let ticket = Ticket::new(Kind::NetworkDns, cgroup_id);
    if !ticket.is_within_limit() {
        ticket.aggregate(destination(bytes(packet.server), DNS, packet.protocol));
        return;
    }
    let flags = flags | if packet.protocol == TCP { Dns::TCP } else { 0 };
    // A record filled in the ring has one of two sizes: most messages are short.
    if size <= SHORT as u32 {
        fill::<SHORT>(ctx, packet, size, flags, ticket, sock);
    } else {
        fill::<LONG>(ctx, packet, size, flags, ticket, sock);
    }
}

/// Room for a message, bytes. Powers of two: a mask is a bound that every verifier understands.
const SHORT: usize = 256;
const LONG: usize = DNS_MAX.next_power_of_two();

/// A record with room for its message.
#[repr(C)]
struct Message<const ROOM: usize> {
    record: Dns,
    bytes: [u8; ROOM],
}

#[inline(always)]
fn fill<const ROOM: usize>(
    ctx: &SkBuffContext,
    packet: &Packet,
    size: u32,
    flags: u32,
    ticket: Ticket,
    sock: Address,
) {
    let Some(mut entry) = ticket.reserve::<Message<ROOM>>() else { return ticket.lose() };
    let target: *mut Message<ROOM> = entry.as_mut_ptr();
    // SAFETY: the entry has room for all of it; what is not written is not told.
    let message = unsafe { load(ctx, packet.transport, size, (&raw mut (*target).bytes).cast(), ROOM) };
    let mut header = header_of_cgroup(Kind::NetworkDns, 0, cgroup_id(sock));
    // What lies behind the message in the ring is not part of the record.
    header.size = size_of::<Dns>() as u32 + message.size as u32;
    let record = Dns { header, socket: sock.0, address: bytes(packet.server), flags, message };
    // SAFETY: as above.
    unsafe { core::ptr::write(&raw mut (*target).record, record) };
    ticket.submit(entry);
}

/// Copies a message, up to [`DNS_MAX`] bytes.
///
/// # Safety
/// `target` has `room` bytes, a power of two.
#[inline(always)]
unsafe fn load(ctx: &SkBuffContext, offset: usize, size: u32, target: *mut u8, room: usize) -> Text {
    let is_cut = size > DNS_MAX as u32;
    let mut have = if is_cut { DNS_MAX as u32 } else { size };
    // Past the compiler, and masked: it would else drop the bounds that the verifier wants to see.
    let have = &raw mut have;
    // SAFETY: a local.
    let have = unsafe { core::ptr::read_volatile(have) };
    let size = (have.wrapping_sub(1) & (room as u32 - 1)) + 1;
    // SAFETY: the helper takes the context of this program type and writes `size` bytes, `room` at most.
    let result = unsafe { bpf_skb_load_bytes(ctx.as_ptr().cast(), offset as u32, target.cast(), size) };
    if result != 0 {
        return Text { size: 0, flags: Text::UNREADABLE };
    }
    Text { size: size as u16, flags: if is_cut { Text::TRUNCATED } else { 0 } }
}
