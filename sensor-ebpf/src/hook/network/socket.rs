//! Sockets that go past TCP and UDP: raw, packet, to the hypervisor, and those with a name in the file
//! system, behind which a container runtime may listen.

use aya_ebpf::macros::{cgroup_sock, fentry, raw_tracepoint};
use aya_ebpf::programs::{FEntryContext, RawTracePointContext, SockContext};
use sensor_ebpf::wire::network::{Socket, UnixConnect};
use sensor_ebpf::wire::{FileId, Header, Kind};

use super::connect::ALLOW;
use super::{PACKET, UNIX, VSOCK};
use crate::emit::{self, Ticket};
use crate::hook::process::file_id;
use crate::hook::{admit, within_limit};
use crate::map::{PATH_SCRATCH, Recent, SECRET_NAMES, Slot, Small};
use crate::path::name;
use crate::read::{Address, offset};
use crate::task::{Current, Task};

/// `SOCK_RAW` and `SOCK_PACKET` (include/linux/net.h); above these bits of a type are flags.
const RAW: u16 = 3;
const OLD_PACKET: u16 = 10;
const TYPE: u32 = 0xf;
/// The same socket in use is told again after this long, nanoseconds.
const USED_WINDOW: u64 = 30_000_000_000;

/// `int security_socket_create(int family, int type, int protocol, int kern)`, in `__sock_create`
/// <https://github.com/torvalds/linux/blob/v6.12/security/security.c#L4559>
#[fentry(function = "security_socket_create")]
pub fn socket_create(ctx: FEntryContext) -> i32 {
    let family: u32 = ctx.arg(0);
    let kind: u32 = ctx.arg(1);
    let protocol: u32 = ctx.arg(2);
    let is_for_kernel: u32 = ctx.arg(3);
    if is_for_kernel == 0 {
        made(family as u16, (kind & TYPE) as u16, protocol as u16);
    }
    0
}

/// `BPF_CGROUP_INET_SOCK_CREATE`, in `inet_create`: IPv4 and IPv6 only
/// <https://github.com/torvalds/linux/blob/v6.12/net/ipv4/af_inet.c#L387>
#[cgroup_sock(sock_create)]
pub fn inet_socket_create(ctx: SockContext) -> i32 {
    // SAFETY: the context is valid while the program runs; each field is read as a whole word.
    let family = unsafe { (*ctx.sock).family };
    // SAFETY: as above.
    let kind = unsafe { (*ctx.sock).type_ };
    // SAFETY: as above.
    let protocol = unsafe { (*ctx.sock).protocol };
    made(family as u16, kind as u16, protocol as u16);
    ALLOW
}

#[inline(always)]
fn made(family: u16, kind: u16, protocol: u16) {
    let is_told = kind == RAW || kind == OLD_PACKET || family == PACKET || family == VSOCK;
    let current = Current::get();
    if !is_told {
        // Of the agent's own any kind is the proof: a raw one takes a privilege that it has given up when the hook is
        // proven again.
        if current.is_agent() {
            emit::own(Kind::NetworkSocket);
        }
        return;
    }
    let Some(ticket) = admit(Kind::NetworkSocket, current) else { return };
    ticket.fixed(&Socket { header: header(), family, kind, protocol, flags: 0 });
}

/// A packet or hypervisor socket moved data: where no hook sees it made, this does.
#[inline(always)]
pub(super) fn used(sock: Address, family: u16) {
    let current = Current::get();
    if current.is_agent() {
        emit::own(Kind::NetworkSocket);
        return;
    }
    let object = FileId { inode: sock.0, device: 0, generation: 0 };
    let key = Recent { object, owner: 0, number: current.pid, kind: Kind::NetworkSocket as u32 };
    let ticket = Ticket::new(Kind::NetworkSocket, current.cgroup_id());
    if key.is_repeat(USED_WINDOW) {
        ticket.filter();
        return;
    }
    let Some(ticket) = within_limit(ticket, current.pid) else { return };
    let kind = sock.get(offset!(sock_type));
    let protocol = sock.get(offset!(sock_protocol));
    ticket.fixed(&Socket { header: header(), family, kind, protocol, flags: Socket::USED });
}

#[inline(always)]
fn header() -> Header {
    Task::current().header(Kind::NetworkSocket, size_of::<Socket>())
}

/// `int security_unix_stream_connect(struct sock *sock, struct sock *other, struct sock *newsk)`
/// <https://github.com/torvalds/linux/blob/v6.12/security/security.c#L4507>
#[fentry(function = "security_unix_stream_connect")]
pub fn unix_connect(ctx: FEntryContext) -> i32 {
    let sock: u64 = ctx.arg(0);
    unix(Address(sock), Address(ctx.arg(1)), Slot::UnixConnect);
    0
}

/// `TP_PROTO(struct sock *sk, int ret, int flags)`, since 6.3: data goes to a socket with a name. The other
/// end carries the path of the listener it came from (`unix_stream_connect`, net/unix/af_unix.c)
/// <https://github.com/torvalds/linux/blob/v6.12/include/trace/events/sock.h#L291>
#[raw_tracepoint(tracepoint = "sock_send_length")]
pub fn unix_traffic(ctx: RawTracePointContext) -> i32 {
    let sock = Address(ctx.arg(0));
    let result: i32 = ctx.arg(1);
    if result > 0 && sock.get::<u16>(offset!(sock_family)) == UNIX {
        unix(sock, sock.follow(offset!(unix_sock_peer)), Slot::UnixTraffic);
    }
    0
}

#[inline(always)]
fn unix(sock: Address, other: Address, slot: Slot) {
    let dentry = other.member(offset!(unix_sock_path)).follow(offset!(path_dentry));
    if dentry.is_null() {
        return;
    }
    if SECRET_NAMES.get_ptr(&name(dentry)).is_none() {
        return;
    }
    let current = Current::get();
    if current.is_agent() {
        emit::own(Kind::NetworkUnix);
        return;
    }
    let object = FileId { inode: sock.0, device: 0, generation: 0 };
    let key = Recent { object, owner: 0, number: current.pid, kind: Kind::NetworkUnix as u32 };
    let ticket = Ticket::new(Kind::NetworkUnix, current.cgroup_id());
    if key.is_repeat(USED_WINDOW) {
        ticket.filter();
        return;
    }
    let Some(ticket) = within_limit(ticket, current.pid) else { return };
    let Some(scratch) = PATH_SCRATCH.get_ptr_mut(slot as u32) else { return ticket.lose() };
    // SAFETY: the slot belongs to one program, which the kernel does not enter twice on a CPU.
    let scratch = unsafe { &mut *scratch };
    scratch.position = size_of::<UnixConnect>() as u32;
    let path = scratch.path(Small::mask(), Address::NULL, dentry);
    // SAFETY: the area is larger than a UnixConnect and aligned to 8.
    let record = unsafe { &mut *scratch.bytes.as_mut_ptr().cast::<UnixConnect>() };
    record.header = Task::current().header(Kind::NetworkUnix, 0);
    record.file = file_id(dentry.follow(offset!(dentry_inode)));
    record.reserved = 0;
    record.path = path;
    ticket.scratch(scratch);
}
