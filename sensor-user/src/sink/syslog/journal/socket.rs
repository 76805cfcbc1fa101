//! Sending an entry: as a datagram, or, where that is too long for the kernel, as a file in memory.

use std::fs::File;
use std::io::{self, IoSlice, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::AsFd as _;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::io::Interest;
use tokio::net::UnixDatagram;

/// Sends one entry.
///
/// # Errors
/// journald is not there, or the kernel has no room.
pub(in crate::sink::syslog) async fn send(socket: &UnixDatagram, entry: &[u8]) -> io::Result<()> {
    match socket.send(entry).await {
        Err(error) if is_too_long(&error) => send_file(socket, entry).await,
        sent => sent.map(drop),
    }
}

fn is_too_long(error: &io::Error) -> bool {
    let too_long = [Errno::MSGSIZE, Errno::NOBUFS].map(Errno::raw_os_error);
    error.raw_os_error().is_some_and(|code| too_long.contains(&code))
}

/// journald takes a file only when nobody can change it any more.
async fn send_file(socket: &UnixDatagram, entry: &[u8]) -> io::Result<()> {
    let mut file =
        File::from(memfd_create("tidewaiter-entry", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
    file.write_all(entry)?;
    fcntl_add_seals(&file, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
    let send = || -> io::Result<()> {
        let files = [file.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(&files)) {
            return Err(Errno::NOBUFS.into());
        }
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        Ok(sendmsg(socket, &[] as &[IoSlice<'_>], &mut control, flags).map(drop)?)
    };
    socket.async_io(Interest::WRITABLE, send).await
}
