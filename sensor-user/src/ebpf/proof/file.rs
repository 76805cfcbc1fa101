//! Deeds on files of a private directory.

use std::fs::{self, File, FileTimes, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::{FallocateFlags, copy_file_range, fallocate, sendfile};
use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, splice};
use sensor_ebpf::wire::Kind;

use super::{BYTES, NAMES, Proof, Prover, SECRET, has, unprovable, whole};
use crate::ebpf::hook::Tier;
use crate::ebpf::sys::Mapping;

/// Mode of new files: nobody else may look, nobody may run them.
const MODE: u32 = 0o600;
/// The owner may run it.
const EXECUTABLE: u32 = 0o700;
/// Room for what is stored through mappings, bytes.
const ROOM: u64 = 1;

impl Prover<'_> {
    /// Opens a file of its own that is named as a secret.
    pub(super) fn read(&self, directory: &Path) -> Proof {
        let path = directory.join(SECRET);
        match File::create(&path) {
            Ok(_) => self.moves(Kind::FileRead, || File::open(&path).map(drop)),
            Err(error) => unprovable(error),
        }
    }

    /// Writes to a file.
    pub(super) fn write(&self, directory: &Path) -> Proof {
        self.changes(create(directory).and_then(old), |mut file| file.write_all(BYTES))
    }

    /// Maps a file to write, and stores through the mapping: the first tier sees the one, the second
    /// the other.
    pub(super) fn map(&self, directory: &Path) -> Proof {
        self.changes(roomy(directory), |file| {
            let mut mapping = Mapping::writable(file.as_fd())?;
            // Mapping a file is an access.
            old(file)?;
            mapping.store()
        })
    }

    /// The same with a mapping that was made to read.
    pub(super) fn protect(&self, directory: &Path) -> Proof {
        let mapping = roomy(directory).and_then(|file| {
            let mapping = Mapping::readable(file.as_fd())?;
            old(file)?;
            Ok(mapping)
        });
        self.changes(mapping, |mut mapping| {
            mapping.make_writable()?;
            mapping.store()
        })
    }

    /// Cuts a file in the middle.
    pub(super) fn truncate(&self, directory: &Path) -> Proof {
        let file = create(directory).and_then(|mut file| file.write_all(BYTES).map(|()| file)).and_then(old);
        self.changes(file, |file| file.set_len(ROOM))
    }

    /// Allocates room for a file.
    pub(super) fn allocate(&self, directory: &Path) -> Proof {
        self.changes(create(directory), |file| Ok(fallocate(file, FallocateFlags::empty(), 0, ROOM)?))
    }

    fn changes<T>(&self, prepared: io::Result<T>, act: impl FnOnce(T) -> io::Result<()>) -> Proof {
        match prepared {
            Ok(prepared) => self.moves(Kind::FileWrite, || act(prepared)),
            Err(error) => unprovable(error),
        }
    }

    /// Closes a file that was written to, and before that lets the kernel move data into it in each way
    /// that the tier has programs for.
    pub(super) fn close_written(&self, directory: &Path, tier: Tier) -> Proof {
        let files = pair(directory);
        let (source, target) = match &files {
            Ok((source, target)) => (source, target),
            Err(error) => return Proof::Unprovable(error.to_string()),
        };
        let kind = Kind::FileClose;
        let sent = has(tier, "sendfile_end")
            .then(|| self.moves(kind, || Ok(sendfile(target, source, Some(&mut 0), BYTES.len()).map(drop)?)));
        // Nothing, since what is copied may pass through the function of sendfile within.
        let copied = has(tier, "copy_end").then(|| {
            self.moves(kind, || Ok(copy_file_range(source, Some(&mut 0), target, None, 0).map(drop)?))
        });
        let spliced = has(tier, "splice_end").then(|| match full_pipe() {
            Ok(pipe) => self.moves(kind, || {
                Ok(splice(pipe, None, target, None, BYTES.len(), SpliceFlags::empty()).map(drop)?)
            }),
            Err(error) => unprovable(error),
        });
        let closed = self.moves(kind, || create(directory)?.write_all(BYTES));
        whole([Some(closed), sent, copied, spliced].into_iter().flatten())
    }
}

/// A new, empty file to read and write.
pub(super) fn create(directory: &Path) -> io::Result<File> {
    let [name, _] = NAMES;
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(MODE)
        .open(directory.join(name))
}

/// Makes the times of a file lie in the past. A write in the clock tick of the file's creation or of its
/// last change would change no time, or leave it no newer than that of access, and on tmpfs the second
/// tier knows a write by that.
fn old(file: File) -> io::Result<File> {
    let past = SystemTime::UNIX_EPOCH;
    file.set_times(FileTimes::new().set_accessed(past).set_modified(past))?;
    Ok(file)
}

/// A file with room for what is stored through a mapping, and no page yet.
fn roomy(directory: &Path) -> io::Result<File> {
    let file = create(directory)?;
    file.set_len(ROOM)?;
    Ok(file)
}

/// A file with something in it, and an empty one.
fn pair(directory: &Path) -> io::Result<(File, File)> {
    let mut source = create(directory)?;
    source.write_all(BYTES)?;
    let [_, target] = NAMES;
    Ok((source, File::create(directory.join(target))?))
}

/// The end of a pipe that can be read from.
fn full_pipe() -> io::Result<std::os::fd::OwnedFd> {
    let (end, beginning) = pipe_with(PipeFlags::CLOEXEC)?;
    File::from(beginning).write_all(BYTES)?;
    Ok(end)
}

pub(super) fn rename(directory: &Path) -> io::Result<()> {
    let [from, to] = NAMES;
    create(directory)?;
    fs::rename(directory.join(from), directory.join(to))
}

/// Gives a file a second name, and takes it away.
pub(super) fn link(directory: &Path) -> io::Result<()> {
    let [from, to] = NAMES.map(|name| directory.join(name));
    create(directory)?;
    // What an earlier trial may have left.
    let _ = fs::remove_file(&to);
    fs::hard_link(from, &to)?;
    fs::remove_file(to)
}

/// Makes a symbolic link that leads to a name beside it, and takes it away.
pub(super) fn symlink(directory: &Path) -> io::Result<()> {
    let [target, name] = NAMES;
    let name = directory.join(name);
    // What an earlier trial may have left.
    let _ = fs::remove_file(&name);
    std::os::unix::fs::symlink(target, &name)?;
    fs::remove_file(name)
}

pub(super) fn delete(directory: &Path) -> io::Result<()> {
    let [name, _] = NAMES;
    create(directory)?;
    fs::remove_file(directory.join(name))
}

/// Makes a file executable that was not.
pub(super) fn permit(directory: &Path) -> io::Result<()> {
    let file = create(directory)?;
    file.set_permissions(Permissions::from_mode(MODE))?;
    file.set_permissions(Permissions::from_mode(EXECUTABLE))?;
    file.set_permissions(Permissions::from_mode(MODE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn a_store_through_a_mapping_reaches_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = roomy(directory.path()).unwrap();
        let mut mapping = Mapping::readable(file.as_fd()).unwrap();
        assert_eq!(mapping.store().unwrap_err().raw_os_error(), Some(libc::EFAULT));
        mapping.make_writable().unwrap();
        mapping.store().unwrap();
        file.set_len(0).unwrap();
        assert!(mapping.store().is_err(), "behind the end of the file there is an error and no signal");
    }

    #[test]
    fn the_kernel_moves_data_in_each_of_the_ways() {
        let directory = tempfile::tempdir().unwrap();
        let (source, target) = pair(directory.path()).unwrap();
        sendfile(&target, &source, Some(&mut 0), BYTES.len()).unwrap();
        copy_file_range(&source, Some(&mut 0), &target, None, BYTES.len()).unwrap();
        splice(full_pipe().unwrap(), None, &target, None, BYTES.len(), SpliceFlags::empty()).unwrap();
        let mut got = Vec::new();
        File::open(directory.path().join(NAMES[1])).unwrap().read_to_end(&mut got).unwrap();
        assert_eq!(got, BYTES.repeat(3));
    }
}
