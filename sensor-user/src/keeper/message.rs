//! What agent and keeper say to each other: one message a packet, in Protocol Buffers, with descriptors beside it.
//!
//! Both are the same build, so there is no version. Decoding is total: what is no message is refused.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use prost::Message as _;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Longest message, bytes: a list of some hundred programs or folders, below what a socket takes at once
/// (`net.core.wmem_default`, 208 KiB).
pub(super) const MESSAGE_MAX: usize = 64 * 1024;
/// How each begins: one of no bytes would look like the end.
const MARK: u8 = b'K';
/// Most descriptors beside one: what some events of a turn are about, far below what a packet takes (`SCM_MAX_FD`, 253).
pub(super) const DESCRIPTORS_MAX: usize = 32;

/// What is asked for. `serve.rs` has the rules for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(super) enum Deed {
    None = 0,
    /// The first one: what is needed from now on. The keeper gives up the rest.
    Begin = 1,
    Namespace = 2,
    Root = 3,
    RootFolder = 4,
    Folder = 5,
    Passwd = 6,
    Size = 7,
    State = 8,
    StateOfUser = 9,
    Discover = 10,
    Canary = 11,
    Mark = 12,
    MarkFiles = 13,
    ByHandles = 14,
    Name = 15,
    Opened = 16,
    Programs = 17,
    Attach = 18,
    GiveBack = 19,
    CgroupPrograms = 20,
}

/// A question, or an answer. What numbers and texts mean depends on the deed.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Message {
    /// In an answer the number of an error, or 0.
    #[prost(enumeration = "Deed", tag = "1")]
    pub(super) deed: i32,
    #[prost(int32, tag = "2")]
    pub(super) error: i32,
    #[prost(uint64, repeated, tag = "3")]
    pub(super) numbers: Vec<u64>,
    #[prost(bytes = "vec", repeated, tag = "4")]
    pub(super) texts: Vec<Vec<u8>>,
}

impl Message {
    pub(super) fn ask(deed: Deed) -> Self {
        Self { deed: deed.into(), ..Self::default() }
    }

    pub(super) fn numbers(mut self, numbers: impl IntoIterator<Item = u64>) -> Self {
        self.numbers.extend(numbers);
        self
    }

    pub(super) fn text(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.texts.push(text.into());
        self
    }

    /// What a packet says. None: it is no message.
    pub(super) fn read(packet: &[u8]) -> Option<Self> {
        Self::decode(packet.strip_prefix(&[MARK])?).ok()
    }

    /// As a packet.
    pub(super) fn packet(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![MARK];
        self.encode(&mut bytes).map_err(|_| io::Error::from(Errno::MSGSIZE))?;
        if bytes.len() > MESSAGE_MAX { Err(Errno::MSGSIZE.into()) } else { Ok(bytes) }
    }

    /// A number, 0 where there is none.
    pub(super) fn number(&self, index: usize) -> u64 {
        self.numbers.get(index).copied().unwrap_or(0)
    }

    /// The same as the number of a process or a mode.
    pub(super) fn small(&self, index: usize) -> u32 {
        u32::try_from(self.number(index)).unwrap_or(0)
    }

    /// A text, empty where there is none.
    pub(super) fn bytes(&self, index: usize) -> &[u8] {
        self.texts.get(index).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Sends a message; waits where the other end is behind.
pub(super) fn send(
    socket: BorrowedFd<'_>,
    message: &Message,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let bytes = message.packet()?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(Errno::MSGSIZE.into());
    }
    loop {
        match sendmsg(socket, &[IoSlice::new(&bytes)], &mut beside, SendFlags::NOSIGNAL) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Waits for a message. None: the other end is gone.
pub(super) fn receive(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
) -> io::Result<Option<(Message, Vec<OwnedFd>)>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let mut place = [IoSliceMut::new(buffer)];
        match recvmsg(socket, &mut place, &mut beside, RecvFlags::CMSG_CLOEXEC) {
            Ok(received) => break received,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    };
    let mut descriptors = Vec::new();
    for message in beside.drain() {
        if let RecvAncillaryMessage::ScmRights(all) = message {
            descriptors.extend(all);
        }
    }
    if received.bytes == 0 {
        return Ok(None);
    }
    if received.flags.contains(ReturnFlags::TRUNC) {
        return Err(Errno::MSGSIZE.into());
    }
    let message = buffer.get(..received.bytes).and_then(Message::read).ok_or(Errno::BADMSG)?;
    Ok(Some((message, descriptors)))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;

    #[test]
    fn messages_arrive_with_their_descriptors_and_nonsense_is_refused() {
        let flags = SocketFlags::CLOEXEC;
        let (here, there) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        let file = std::fs::File::open("/proc/self/stat").unwrap();
        let asked = Message::ask(Deed::Folder).numbers([7]).text("etc").text(b"\xff".as_slice());
        send(here.as_fd(), &asked, &[file.as_fd()]).unwrap();
        let mut buffer = vec![0; MESSAGE_MAX];
        let (message, descriptors) = receive(there.as_fd(), &mut buffer).unwrap().unwrap();
        assert_eq!((message.clone(), descriptors.len()), (asked, 1));
        assert_eq!((message.small(0), message.number(1), message.bytes(1)), (7, 0, &b"\xff"[..]));

        send(here.as_fd(), &Message::default(), &[]).unwrap();
        assert!(
            receive(there.as_fd(), &mut buffer).unwrap().is_some(),
            "one without anything is one as well"
        );
        for nonsense in [&b"\xff\xff"[..], b"K\xff\xff", b"x"] {
            rustix::io::write(&here, nonsense).unwrap();
            let error = receive(there.as_fd(), &mut buffer).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(Errno::BADMSG.raw_os_error()), "{nonsense:?}");
        }
        drop(here);
        assert!(receive(there.as_fd(), &mut buffer).unwrap().is_none(), "gone");
    }

    #[test]
    fn what_is_too_long_is_not_sent() {
        let flags = SocketFlags::CLOEXEC;
        let (here, _there) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        let long = Message::ask(Deed::Size).text(vec![b'x'; MESSAGE_MAX]);
        assert!(send(here.as_fd(), &long, &[]).is_err());
    }
}
