//! Files opened by every call that opens one, and read.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use io_uring::opcode;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};

use super::text;
use crate::place::Place;
use crate::request::Request;
use crate::sys;
use crate::sys::memory::Pages;
use crate::sys::ring::{Mode as RingMode, Ring};
use crate::table::{Deed, deed, privileged};
use crate::truth::Truth;

pub(crate) const DEEDS: &[Deed] = &[
    deed("read", "open", |request| read(request, |path| Ok(sys::file::open(&text(path)?)?))),
    deed("read", "openat", |request| read(request, |path| Ok(openat(CWD, path, READING, Mode::empty())?))),
    deed("read", "openat2", |request| {
        read(request, |path| Ok(openat2(CWD, path, READING, Mode::empty(), ResolveFlags::empty())?))
    }),
    deed("read", "io_uring", |request| {
        let mut ring = Ring::new(RingMode::Inline, opcode::OpenAt::CODE)?;
        read(request, |path| Ok(ring.open(&text(path)?)?))
    }),
    privileged("read", "handle", |request| read(request, by_handle)),
    deed("read", "mmap", mapped),
];

const READING: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC);

/// What a file of one's own holds.
const CONTENT: &[u8] = b"something to read\n";

/// The most bytes read of a file: some never end.
const BYTES_MAX: u64 = 1 << 20;

/// The file that was told, or one that another process made.
fn file(request: &Request) -> Result<(Place, PathBuf)> {
    let place = Place::new(request)?;
    let path = match &request.path {
        Some(path) => std::path::absolute(path)?,
        None => place.foreign_file("file", CONTENT)?.0,
    };
    Ok((place, path))
}

/// Opens by `open` and reads.
fn read(request: &Request, open: impl FnOnce(&Path) -> Result<OwnedFd>) -> Result<Truth> {
    let (_place, path) = file(request)?;
    let file = File::from(open(&path).with_context(|| format!("opening {}", path.display()))?);
    let mut content = Vec::new();
    file.take(BYTES_MAX).read_to_end(&mut content).with_context(|| format!("reading {}", path.display()))?;
    ensure!(request.path.is_some() || content == CONTENT, "{} is another file", path.display());
    Ok(Truth::new().with_path("path", &path).with("bytes", content.len()))
}

fn by_handle(path: &Path) -> Result<OwnedFd> {
    let handle = sys::file::handle(&text(path)?)?;
    let directory = File::open(path.parent().context("a file has a directory")?)?;
    Ok(sys::file::open_by_handle(directory.as_fd(), &handle)?)
}

/// Reads by looking at a mapping of it.
fn mapped(request: &Request) -> Result<Truth> {
    let (_place, path) = file(request)?;
    let file = File::open(&path).with_context(|| format!("opening {}", path.display()))?;
    let length = usize::try_from(file.metadata()?.len().min(BYTES_MAX))?;
    let pages = Pages::view(file.as_fd(), length)?;
    ensure!(request.path.is_some() || pages.as_slice() == CONTENT, "{} is another file", path.display());
    // Each byte is looked at, as a mapping that is not touched reads nothing.
    let zeros = pages.as_slice().iter().filter(|byte| **byte == 0).count();
    Ok(Truth::new().with_path("path", &path).with("bytes", length).with("zeros", zeros))
}
