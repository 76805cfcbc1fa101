//! 32-bit system calls from a 64-bit program: `int 0x80`, with the numbers and layouts of i386.
//!
//! Everything they point to lies below 4 GiB. A kernel without them (`CONFIG_IA32_EMULATION`) answers with a
//! signal that ends the caller, so a child tries first.

#[cfg(target_arch = "x86_64")]
pub(crate) use self::i386::Gate;
#[cfg(not(target_arch = "x86_64"))]
pub(crate) use self::other::Gate;

#[cfg(target_arch = "x86_64")]
mod i386 {
    use std::arch::asm;
    use std::ffi::{CStr, CString};
    use std::io;
    use std::net::SocketAddrV4;
    use std::os::fd::{AsRawFd, BorrowedFd};

    use rustix::process::{WaitOptions, waitpid};

    use super::super::memory::Pages;
    use super::super::process::fork;

    /// Numbers of arch/x86/entry/syscalls/syscall_32.tbl.
    const WRITE: u32 = 4;
    const EXECVE: u32 = 11;
    const GETPID: u32 = 20;
    const SOCKETCALL: u32 = 102;
    const CONNECT: u32 = 362;

    /// What `socketcall(2)` is to do: `SYS_CONNECT` and `SYS_SENDTO` of include/uapi/linux/net.h.
    const SOCKETCALL_CONNECT: u32 = 3;
    const SOCKETCALL_SENDTO: u32 = 11;

    /// `AF_INET`.
    const FAMILY_V4: u16 = 2;

    /// Bytes of `struct sockaddr_in`.
    const ADDRESS_LENGTH: u32 = 16;

    /// Room for the arguments of any call here: a path, a few texts, an address.
    const ARENA_LENGTH: usize = 16 << 10;

    /// # Safety
    /// The arguments must be what the call wants; addresses among them must lead to memory that may be
    /// read (none of the calls above writes to it).
    unsafe fn call(number: u32, arguments: [u32; 5]) -> i32 {
        let [first, second, third, fourth, fifth] = arguments;
        let result: i32;
        // SAFETY: the registers are those of the i386 convention, rbx by exchange as the compiler keeps it
        // for itself; older kernels clear r8 to r11; the rest is the caller's promise.
        unsafe {
            asm!(
                "xchg rbx, {first:r}",
                "int 0x80",
                "xchg rbx, {first:r}",
                first = inout(reg) u64::from(first) => _,
                inlateout("eax") number => result,
                in("ecx") second,
                in("edx") third,
                in("esi") fourth,
                in("edi") fifth,
                out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            );
        }
        result
    }

    fn counted(result: i32) -> io::Result<usize> {
        usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))
    }

    fn number(descriptor: BorrowedFd<'_>) -> io::Result<u32> {
        u32::try_from(descriptor.as_raw_fd()).map_err(io::Error::other)
    }

    /// Memory below 2 GiB that arguments are copied to, one behind the other.
    struct Arena {
        pages: Pages,
        start: u32,
        used: usize,
    }

    impl Arena {
        fn new(length: usize) -> io::Result<Self> {
            let pages = Pages::low(length)?;
            let start = u32::try_from(pages.address()).map_err(io::Error::other)?;
            u32::try_from(length)
                .ok()
                .and_then(|length| start.checked_add(length))
                .ok_or(io::ErrorKind::OutOfMemory)?;
            Ok(Self { pages, start, used: 0 })
        }

        /// A copy of `bytes`, and its address.
        fn put(&mut self, bytes: &[u8]) -> io::Result<u32> {
            let from = self.used.next_multiple_of(8);
            let to = from + bytes.len();
            let room = self.pages.as_mut_slice().get_mut(from..to).ok_or(io::ErrorKind::OutOfMemory)?;
            room.copy_from_slice(bytes);
            self.used = to;
            Ok(self.start + u32::try_from(from).map_err(io::Error::other)?)
        }

        fn put_numbers(&mut self, numbers: &[u32]) -> io::Result<u32> {
            self.put(&numbers.iter().flat_map(|number| number.to_ne_bytes()).collect::<Vec<_>>())
        }

        fn put_address(&mut self, address: SocketAddrV4) -> io::Result<u32> {
            let family = FAMILY_V4.to_ne_bytes();
            let (port, ip) = (address.port().to_be_bytes(), address.ip().octets());
            self.put(&[family.as_slice(), &port, &ip, &[0; 8]].concat())
        }
    }

    /// The way into the kernel, known to be there.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Gate(());

    impl Gate {
        /// Tries it in a child. Before other threads are made.
        ///
        /// # Errors
        /// `ENOSYS` when the kernel has no such gate.
        pub(crate) fn open() -> io::Result<Self> {
            let child = fork(|| {
                // SAFETY: getpid takes no arguments.
                let pid = unsafe { call(GETPID, [0; 5]) };
                i32::from(pid <= 0)
            })?;
            let ended = waitpid(Some(child), WaitOptions::empty())?;
            match ended.and_then(|(_, status)| status.exit_status()) {
                Some(0) => Ok(Self(())),
                _ => Err(io::Error::from_raw_os_error(libc::ENOSYS)),
            }
        }

        /// Comes back only with an error.
        pub(crate) fn execve(self, path: &CStr, arguments: &[CString]) -> io::Error {
            let attempt = || -> io::Result<usize> {
                let mut arena = Arena::new(ARENA_LENGTH)?;
                let path = arena.put(path.to_bytes_with_nul())?;
                let mut list = arguments
                    .iter()
                    .map(|text| arena.put(text.to_bytes_with_nul()))
                    .collect::<io::Result<Vec<_>>>()?;
                list.push(0);
                let list = arena.put_numbers(&list)?;
                let environment = arena.put_numbers(&[0])?;
                // SAFETY: a path and two lists that end with null, all in the arena, which lives across the call.
                counted(unsafe { call(EXECVE, [path, list, environment, 0, 0]) })
            };
            attempt().err().unwrap_or_else(|| io::Error::other("execve came back without an error"))
        }

        /// # Errors
        /// Those of `connect(2)`.
        pub(crate) fn connect(self, socket: BorrowedFd<'_>, to: SocketAddrV4) -> io::Result<()> {
            let mut arena = Arena::new(ARENA_LENGTH)?;
            let address = arena.put_address(to)?;
            // SAFETY: the socket is borrowed; the address is in the arena and as long as told.
            counted(unsafe { call(CONNECT, [number(socket)?, address, ADDRESS_LENGTH, 0, 0]) }).map(drop)
        }

        /// The same by `socketcall(2)`, as C libraries for i386 did it until Linux 4.3.
        ///
        /// # Errors
        /// Those of `connect(2)`.
        pub(crate) fn socketcall_connect(self, socket: BorrowedFd<'_>, to: SocketAddrV4) -> io::Result<()> {
            let mut arena = Arena::new(ARENA_LENGTH)?;
            let address = arena.put_address(to)?;
            let arguments = arena.put_numbers(&[number(socket)?, address, ADDRESS_LENGTH])?;
            // SAFETY: three arguments and what they point to are in the arena, which lives across the call.
            counted(unsafe { call(SOCKETCALL, [SOCKETCALL_CONNECT, arguments, 0, 0, 0]) }).map(drop)
        }

        /// At most [`ARENA_LENGTH`] bytes less the address, as a datagram.
        ///
        /// `sendto` takes six arguments and the sixth, the address' length, lies in `ebp`, which a compiler
        /// keeps for itself; `socketcall(2)` takes them in memory.
        ///
        /// # Errors
        /// Those of `sendto(2)`.
        pub(crate) fn send_to(
            self,
            socket: BorrowedFd<'_>,
            bytes: &[u8],
            to: SocketAddrV4,
        ) -> io::Result<usize> {
            let mut arena = Arena::new(ARENA_LENGTH + bytes.len())?;
            let address = arena.put_address(to)?;
            let (start, length) = (arena.put(bytes)?, u32::try_from(bytes.len()).map_err(io::Error::other)?);
            let arguments =
                arena.put_numbers(&[number(socket)?, start, length, 0, address, ADDRESS_LENGTH])?;
            // SAFETY: six arguments and what they point to are in the arena, which lives across the call.
            counted(unsafe { call(SOCKETCALL, [SOCKETCALL_SENDTO, arguments, 0, 0, 0]) })
        }

        /// # Errors
        /// Those of `write(2)`.
        pub(crate) fn write(self, file: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
            let mut arena = Arena::new(ARENA_LENGTH + bytes.len())?;
            let (start, length) = (arena.put(bytes)?, u32::try_from(bytes.len()).map_err(io::Error::other)?);
            // SAFETY: the bytes are in the arena and as long as told; the file is borrowed.
            counted(unsafe { call(WRITE, [number(file)?, start, length, 0, 0]) })
        }
    }
}

/// Other machines have no such gate.
#[cfg(not(target_arch = "x86_64"))]
mod other {
    use std::convert::Infallible;
    use std::ffi::{CStr, CString};
    use std::io;
    use std::net::SocketAddrV4;
    use std::os::fd::BorrowedFd;

    /// The way into the kernel: never there.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Gate(Infallible);

    impl Gate {
        /// # Errors
        /// Always `ENOSYS`.
        pub(crate) fn open() -> io::Result<Self> {
            Err(io::Error::from_raw_os_error(libc::ENOSYS))
        }

        pub(crate) fn execve(self, _: &CStr, _: &[CString]) -> io::Error {
            match self.0 {}
        }

        pub(crate) fn connect(self, _: BorrowedFd<'_>, _: SocketAddrV4) -> io::Result<()> {
            match self.0 {}
        }

        pub(crate) fn socketcall_connect(self, _: BorrowedFd<'_>, _: SocketAddrV4) -> io::Result<()> {
            match self.0 {}
        }

        pub(crate) fn send_to(self, _: BorrowedFd<'_>, _: &[u8], _: SocketAddrV4) -> io::Result<usize> {
            match self.0 {}
        }

        pub(crate) fn write(self, _: BorrowedFd<'_>, _: &[u8]) -> io::Result<usize> {
            match self.0 {}
        }
    }
}
