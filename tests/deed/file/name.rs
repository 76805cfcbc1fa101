//! Names and modes of files that another process made.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, chmodat, fchmod, linkat, renameat_with};
use rustix::io::Errno;

use super::writable;
use crate::child::number;
use crate::place::Place;
use crate::request::Request;
use crate::table::{Deed, deed};
use crate::truth::{OrMissing as _, Truth};

pub(crate) const DEEDS: &[Deed] = &[
    deed("name", "rename", |request| named(request, |old, new| Ok(fs::rename(old, new)?), is_moved)),
    deed("name", "renameat2_exchange", exchange),
    deed("name", "link", |request| named(request, |old, new| Ok(fs::hard_link(old, new)?), is_linked)),
    deed("name", "symlink", |request| {
        named(
            request,
            |old, new| Ok(std::os::unix::fs::symlink(old, new)?),
            |old, new| Ok(fs::read_link(new)? == old),
        )
    }),
    deed("name", "unlink", |request| {
        let (_place, truth, path) = file(request)?;
        fs::remove_file(&path)?;
        ensure!(!path.exists(), "{} is still there", path.display());
        Ok(truth)
    }),
    deed("name", "tmpfile_link", tmpfile_link),
    deed("name", "chmod", |request| {
        executable(request, |path| Ok(fs::set_permissions(path, Permissions::from_mode(EXECUTABLE))?))
    }),
    deed("name", "fchmod", |request| {
        executable(request, |path| Ok(fchmod(writable(path)?, Mode::from_raw_mode(EXECUTABLE))?))
    }),
    deed("name", "fchmodat", |request| {
        executable(request, |path| Ok(chmodat(CWD, path, Mode::from_raw_mode(EXECUTABLE), AtFlags::empty())?))
    }),
];

/// A program's mode.
const EXECUTABLE: u32 = 0o755;

/// The bits of a mode that can be set.
const MODE_BITS: u32 = 0o7777;

/// What the file holds.
const CONTENT: &[u8] = b"content\n";

/// A file that another process made, and what is told of it.
fn file(request: &Request) -> Result<(Place, Truth, PathBuf)> {
    let place = Place::new(request)?;
    let (path, maker) = place.foreign_file("file", CONTENT)?;
    let truth = Truth::new().with_path("path", &path).with("made_by", number(maker));
    Ok((place, truth.with("size", CONTENT.len()), path))
}

/// Makes the name `new` of a file by `act`; `is_done` looks at it.
fn named(
    request: &Request,
    act: impl FnOnce(&Path, &Path) -> Result<()>,
    is_done: impl FnOnce(&Path, &Path) -> Result<bool>,
) -> Result<Truth> {
    let (place, truth, old) = file(request)?;
    let new = vacant(&place)?;
    act(&old, &new).with_context(|| format!("{} to {}", old.display(), new.display()))?;
    ensure!(is_done(&old, &new)?, "{} is not what it should be", new.display());
    Ok(truth.with_path("to", &new))
}

/// A name that nothing has.
fn vacant(place: &Place) -> Result<PathBuf> {
    let path = place.join("new");
    match fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(path),
    }
}

fn is_moved(old: &Path, new: &Path) -> Result<bool> {
    Ok(!old.exists() && fs::read(new)? == CONTENT)
}

fn is_linked(old: &Path, new: &Path) -> Result<bool> {
    Ok(fs::metadata(old)?.ino() == fs::metadata(new)?.ino())
}

fn exchange(request: &Request) -> Result<Truth> {
    let (place, truth, old) = file(request)?;
    let (new, _) = place.foreign_file("new", b"other\n")?;
    renameat_with(CWD, &old, CWD, &new, RenameFlags::EXCHANGE)
        .or_missing(&[Errno::INVAL], "this file system exchanges no names")?;
    ensure!(fs::read(&new)? == CONTENT && fs::read(&old)? == b"other\n", "the names are not exchanged");
    Ok(truth.with_path("to", &new))
}

/// A file without a name, written, and then given one.
fn tmpfile_link(request: &Request) -> Result<Truth> {
    let place = Place::new(request)?;
    let new = vacant(&place)?;
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let unnamed = rustix::fs::open(place.path(), flags, Mode::RUSR | Mode::WUSR)
        .or_missing(&[Errno::ISDIR, Errno::NOENT], "this file system has no files without names")?;
    let mut unnamed = fs::File::from(unnamed);
    unnamed.write_all(CONTENT)?;
    // The link of /proc is what linkat(2) says to use without CAP_DAC_READ_SEARCH.
    let old = PathBuf::from(format!("/proc/self/fd/{}", unnamed.as_raw_fd()));
    linkat(CWD, &old, CWD, &new, AtFlags::SYMLINK_FOLLOW).context("linking the file")?;
    ensure!(fs::read(&new)? == CONTENT, "{} is another file", new.display());
    let truth = Truth::new().with_path("path", &new).with("made_by", std::process::id());
    Ok(truth.with("bytes", CONTENT.len()).with("size", CONTENT.len()))
}

fn executable(request: &Request, act: impl FnOnce(&Path) -> Result<()>) -> Result<Truth> {
    let (_place, truth, path) = file(request)?;
    act(&path)?;
    let mode = fs::metadata(&path)?.mode() & MODE_BITS;
    ensure!(mode == EXECUTABLE, "the mode of {} is {mode:o}", path.display());
    Ok(truth.with("mode", format!("{mode:04o}")))
}
