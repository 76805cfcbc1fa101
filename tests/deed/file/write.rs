//! Files changed by every call that changes one.

use std::fs::{self, File, OpenOptions};
use std::io::{IoSlice, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};

use anyhow::{Context as _, Result, bail, ensure};
use io_uring::opcode;
use rustix::fs::{FallocateFlags, copy_file_range, fallocate, sendfile};
use rustix::io::{Errno, ReadWriteFlags, pwritev2, writev};
use rustix::pipe::{SpliceFlags, splice};

use super::change::{Change, Subject, changed};
use super::{text, writable};
use crate::child::pipe;
use crate::place::Place;
use crate::request::Request;
use crate::sys;
use crate::sys::compat::Gate;
use crate::sys::memory::Pages;
use crate::sys::ring::{Mode, Ring};
use crate::table::{Deed, deed};
use crate::truth::{OrMissing as _, Truth};

pub(crate) const DEEDS: &[Deed] = &[
    deed("write", "write", |request| {
        overwritten(request, |file, subject| Ok((&*file).write(&subject.bytes)?))
    }),
    deed("write", "pwrite", |request| {
        overwritten(request, |file, subject| Ok(file.write_at(&subject.bytes, 0)?))
    }),
    deed("write", "writev", |request| {
        overwritten(request, |file, subject| Ok(writev(file, &halves(&subject.bytes))?))
    }),
    deed("write", "pwritev2", |request| {
        overwritten(request, |file, subject| {
            Ok(pwritev2(file, &halves(&subject.bytes), 0, ReadWriteFlags::DSYNC)?)
        })
    }),
    deed("write", "append", |request| changed(request, append)),
    deed("write", "sendfile", |request| {
        overwritten(request, |file, subject| Ok(sendfile(file, source(subject)?, None, subject.bytes.len())?))
    }),
    deed("write", "splice", |request| overwritten(request, by_splice)),
    deed("write", "copy_file_range", |request| {
        overwritten(request, |file, subject| {
            Ok(copy_file_range(source(subject)?, None, file, None, subject.bytes.len())?)
        })
    }),
    deed("write", "io_uring", |request| by_ring(request, Mode::Inline)),
    deed("write", "io_uring_async", |request| by_ring(request, Mode::Async)),
    deed("write", "aio", |request| {
        overwritten(request, |file, subject| Ok(sys::file::write_by_aio(file.as_fd(), &subject.bytes, 0)?))
    }),
    deed("write", "direct", |request| changed(request, direct)),
    deed("write", "mmap", |request| overwritten(request, by_mmap)),
    deed("write", "truncate", |request| {
        changed(request, |subject| {
            let length = i64::try_from(subject.bytes.len())?;
            sys::file::truncate(&text(&subject.path)?, length)?;
            Ok(Change::Resized)
        })
    }),
    deed("write", "ftruncate", |request| {
        changed(request, |subject| {
            writable(&subject.path)?.set_len(u64::try_from(subject.bytes.len())?)?;
            Ok(Change::Resized)
        })
    }),
    deed("write", "fallocate", |request| changed(request, grow)),
    deed("write", "compat32", |request| {
        let gate = Gate::open()?;
        overwritten(request, |file, subject| Ok(gate.write(file.as_fd(), &subject.bytes)?))
    }),
    deed("write", "create_write", create_write),
];

/// Bytes that one write through a pipe moves; a pipe holds them.
const PIPE: usize = 64 << 10;

/// Direct writes want lengths that are whole blocks: no disk's are longer than this.
const BLOCK: usize = 4096;

/// Writes from the start of the file on by `act`, which gives the bytes that it wrote.
fn overwritten(request: &Request, act: impl FnOnce(&File, &Subject) -> Result<usize>) -> Result<Truth> {
    changed(request, |subject| Ok(Change::Overwritten(act(&writable(&subject.path)?, subject)?)))
}

/// The bytes in two parts, so that a vector is one.
fn halves(bytes: &[u8]) -> [IoSlice<'_>; 2] {
    let (one, two) = bytes.split_at(bytes.len() / 2);
    [IoSlice::new(one), IoSlice::new(two)]
}

/// Another file with the bytes to write, open.
fn source(subject: &Subject) -> Result<File> {
    let path = subject.place.join("source");
    fs::write(&path, &subject.bytes)?;
    Ok(File::open(&path)?)
}

fn append(subject: &Subject) -> Result<Change> {
    let mut file = OpenOptions::new().append(true).open(&subject.path)?;
    Ok(Change::Appended(file.write(&subject.bytes)?))
}

fn by_splice(file: &File, subject: &Subject) -> Result<usize> {
    let (from, into) = pipe()?;
    let mut written = 0;
    for piece in subject.bytes.chunks(PIPE) {
        let mut left = rustix::io::write(&into, piece)?;
        while left > 0 {
            match splice(&from, None, file, None, left, SpliceFlags::empty())? {
                0 => bail!("the file takes no more than {written} bytes"),
                moved => {
                    left = left.saturating_sub(moved);
                    written += moved;
                }
            }
        }
    }
    Ok(written)
}

fn by_ring(request: &Request, mode: Mode) -> Result<Truth> {
    let mut ring = Ring::new(mode, opcode::Write::CODE)?;
    overwritten(request, |file, subject| Ok(ring.write(file, &subject.bytes, 0)?))
}

fn direct(subject: &Subject) -> Result<Change> {
    let length = subject.bytes.len();
    ensure!(length.is_multiple_of(BLOCK), "{length} bytes are no whole blocks of {BLOCK}");
    let mut pages = Pages::new(length)?;
    pages.as_mut_slice().copy_from_slice(&subject.bytes);
    let file = OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_DIRECT)
        .open(&subject.path)
        .or_missing(&[Errno::INVAL], "this file system has no direct writes")?;
    Ok(Change::Overwritten((&file).write(pages.as_slice())?))
}

fn by_mmap(file: &File, subject: &Subject) -> Result<usize> {
    let length = subject.bytes.len();
    let size = usize::try_from(file.metadata()?.len())?;
    ensure!(length <= size, "a mapping cannot add to a file of {size} bytes");
    let mut pages = Pages::of(file.as_fd(), size)?;
    let start = pages.as_mut_slice().get_mut(..length).context("the mapping is shorter than the file")?;
    start.copy_from_slice(&subject.bytes);
    pages.sync()?;
    Ok(length)
}

fn grow(subject: &Subject) -> Result<Change> {
    let file = writable(&subject.path)?;
    let (size, more) = (file.metadata()?.len(), u64::try_from(subject.bytes.len())?);
    fallocate(&file, FallocateFlags::empty(), size, more)?;
    Ok(Change::Resized)
}

/// A new file, written as soon as it is there, by the process that made it.
fn create_write(request: &Request) -> Result<Truth> {
    let place = Place::new(request)?;
    let path = place.join("created");
    match fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let bytes = vec![b'c'; request.bytes.unwrap_or(BLOCK)];
    let mut file = File::create_new(&path).with_context(|| format!("creating {}", path.display()))?;
    let written = file.write(&bytes)?;
    let truth = Truth::new().with_path("path", &path).with("made_by", std::process::id());
    Ok(truth.with("bytes", written).with("size", file.metadata()?.len()))
}
