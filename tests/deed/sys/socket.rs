//! Sockets: addresses as the kernel reads them, and families that have no safe form.

use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};

use super::{counted, owned};

/// An address in the form and length of its family.
#[derive(Clone, Copy)]
pub(super) enum Address {
    V4(libc::sockaddr_in),
    V6(libc::sockaddr_in6),
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(address) => Self::V4(libc::sockaddr_in {
                sin_family: FAMILY_V4,
                sin_port: address.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
                sin_zero: [0; 8],
            }),
            SocketAddr::V6(address) => Self::V6(libc::sockaddr_in6 {
                sin6_family: FAMILY_V6,
                sin6_port: address.port().to_be(),
                sin6_flowinfo: address.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
                sin6_scope_id: address.scope_id(),
            }),
        }
    }
}

/// `AF_INET` in the type that addresses have it.
const FAMILY_V4: libc::sa_family_t = 2;

/// `AF_INET6` in the type that addresses have it.
const FAMILY_V6: libc::sa_family_t = 10;

/// `AF_PACKET`, same.
const FAMILY_PACKET: libc::sa_family_t = 17;

/// `AF_VSOCK`, same.
const FAMILY_VSOCK: libc::sa_family_t = 40;

impl Address {
    pub(super) fn pointer(&self) -> *const libc::sockaddr {
        match self {
            Self::V4(address) => ptr::from_ref(address).cast(),
            Self::V6(address) => ptr::from_ref(address).cast(),
        }
    }

    /// Bytes; no family's address is longer than 128.
    pub(super) fn length(&self) -> libc::socklen_t {
        match self {
            Self::V4(_) => length::<libc::sockaddr_in>(),
            Self::V6(_) => length::<libc::sockaddr_in6>(),
        }
    }
}

/// The length of an address type, which the kernel takes in this width.
const fn length<T>() -> libc::socklen_t {
    assert!(size_of::<T>() <= size_of::<libc::sockaddr_storage>(), "no address is longer");
    #[expect(clippy::cast_possible_truncation, reason = "at most 128, as just asserted")]
    let length = size_of::<T>() as libc::socklen_t;
    length
}

/// An IPv4 address that one thread changes while another hands it to the kernel: the bytes of
/// `struct sockaddr_in`, with port and address in network order.
#[repr(C, align(8))]
#[derive(Debug)]
pub(crate) struct SharedAddress {
    family: u16,
    port: AtomicU16,
    address: AtomicU32,
    zero: [u8; 8],
}

impl SharedAddress {
    pub(crate) fn new(address: SocketAddrV4) -> Self {
        let shared =
            Self { family: FAMILY_V4, port: AtomicU16::new(0), address: AtomicU32::new(0), zero: [0; 8] };
        shared.set_port(address.port());
        shared.set_address(*address.ip());
        shared
    }

    pub(crate) fn set_port(&self, port: u16) {
        self.port.store(port.to_be(), Ordering::Relaxed);
    }

    pub(crate) fn set_address(&self, address: Ipv4Addr) {
        self.address.store(u32::from_ne_bytes(address.octets()), Ordering::Relaxed);
    }
}

/// `connect(2)` to what the memory holds at the moment when the kernel reads it.
///
/// # Errors
/// What the kernel says: `EINPROGRESS` for a TCP socket that does not block.
pub(crate) fn connect_shared(socket: BorrowedFd<'_>, address: &SharedAddress) -> io::Result<()> {
    let there = ptr::from_ref(address).cast::<libc::sockaddr>();
    // SAFETY: the pointer is to a whole `sockaddr_in` that lives across the call. The kernel only reads it;
    // that others store to it at the same time is harmless, as its changing members are atomics and any
    // mixture of their values is an address.
    counted(unsafe { libc::connect(socket.as_raw_fd(), there, length::<libc::sockaddr_in>()) }).map(drop)
}

/// `connect(2)` of a new `AF_VSOCK` stream socket that does not block: some hosts never answer.
///
/// # Errors
/// `EAFNOSUPPORT` without `CONFIG_VSOCKETS`, `ENODEV` without a transport; else what the kernel says.
pub(crate) fn connect_vsock(context: u32, port: u32) -> (io::Result<OwnedFd>, io::Result<()>) {
    // SAFETY: takes three numbers.
    let socket = unsafe {
        libc::socket(libc::AF_VSOCK, libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0)
    };
    let socket = owned(socket);
    let connected = match &socket {
        Ok(socket) => {
            // SAFETY: numbers only; all zero is one of its values.
            let mut address: libc::sockaddr_vm = unsafe { mem::zeroed() };
            address.svm_family = FAMILY_VSOCK;
            address.svm_cid = context;
            address.svm_port = port;
            let there = ptr::from_ref(&address).cast();
            // SAFETY: the address is of the length that is told, lives across the call and is only read.
            counted(unsafe { libc::connect(socket.as_raw_fd(), there, length::<libc::sockaddr_vm>()) })
                .map(drop)
        }
        Err(_) => Ok(()),
    };
    (socket, connected)
}

/// A new `AF_PACKET` datagram socket, and one frame of `protocol` sent through interface `index`.
///
/// # Errors
/// `EAFNOSUPPORT` without `CONFIG_PACKET`, `EPERM` without `CAP_NET_RAW`.
pub(crate) fn send_packet(index: i32, protocol: u16, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: takes three numbers. Protocol zero: it receives nothing.
    let socket = owned(unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: numbers only; all zero is one of its values.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = FAMILY_PACKET;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = index;
    address.sll_halen = 6;
    let (there, told) = (ptr::from_ref(&address).cast(), length::<libc::sockaddr_ll>());
    // SAFETY: bytes and address are as long as told, live across the call and are only read.
    counted(unsafe { libc::sendto(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0, there, told) })
}

/// `SO_ZEROCOPY`: what is sent with `MSG_ZEROCOPY` may be read by the kernel until the peer has it.
///
/// # Errors
/// `ENOPROTOOPT` before Linux 4.14, `EOPNOTSUPP` for other protocols.
pub(crate) fn allow_zerocopy(socket: BorrowedFd<'_>) -> io::Result<()> {
    let on: libc::c_int = 1;
    let (value, told) = (ptr::from_ref(&on).cast(), length::<libc::c_int>());
    // SAFETY: the option is a number, as long as told, and only read.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_ZEROCOPY, value, told) };
    counted(result).map(drop)
}

/// How often each destination was met.
pub(crate) type Destinations = BTreeMap<SocketAddr, u64>;

/// Bytes to one destination by `sendmsg(2)` laid out for io_uring; everything it points to is its own or
/// outlives it.
pub(super) struct Message<'a> {
    address: Address,
    vector: libc::iovec,
    header: libc::msghdr,
    bytes: std::marker::PhantomData<&'a [u8]>,
}

impl<'a> Message<'a> {
    /// Boxed, so that the addresses within stay what they are.
    pub(super) fn new(bytes: &'a [u8], to: SocketAddr) -> Box<Self> {
        let vector = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        // SAFETY: pointers and numbers only; all zero is one of its values, an empty message.
        let header: libc::msghdr = unsafe { mem::zeroed() };
        let mut message =
            Box::new(Self { address: to.into(), vector, header, bytes: std::marker::PhantomData });
        message.header.msg_name = message.address.pointer().cast_mut().cast();
        message.header.msg_namelen = message.address.length();
        message.header.msg_iov = &raw mut message.vector;
        message.header.msg_iovlen = 1;
        message
    }

    pub(super) fn header(&self) -> *const libc::msghdr {
        &raw const self.header
    }
}

/// The raw number of anything open, for interfaces that take numbers.
pub(super) fn number(descriptor: impl AsFd) -> i32 {
    descriptor.as_fd().as_raw_fd()
}
