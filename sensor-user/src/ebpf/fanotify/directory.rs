//! From the directory handles in an event to host paths.
//!
//! A handle is opened on a mount of its file system and asked for its path, once per directory:
//! the answer is kept until a directory is renamed anywhere. So a path is what the directory was
//! called when the event was read, not when the rename happened. Nothing is guessed: a directory
//! that is gone, or lies on a file system that was never added, has no path.

use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};

use super::FanotifyError;
use super::opened::OpenedHandles;
use super::record::{Handle, PlaceRef};
use super::root::number;
use super::stat::Stat;
use crate::host::procfs::{self, Root};
use crate::keeper;
use crate::octet;

/// Directories whose paths are remembered, about 1 MiB. A full table is emptied: that costs three
/// system calls for each directory seen again, and loses nothing.
const DIRECTORIES_MAX: usize = 4096;
/// What the kernel adds to the path of a directory that is removed but still open somewhere.
const DELETED: &str = " (deleted)";

/// A name in a directory, to be looked at later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    fsid: u64,
    kind: i32,
    handle: Box<[u8]>,
    name: Box<[u8]>,
}

impl From<&PlaceRef<'_>> for Place {
    fn from(place: &PlaceRef<'_>) -> Self {
        let (handle, name) = (place.handle.into(), place.name.into());
        Self { fsid: place.fsid, kind: place.handle_type, handle, name }
    }
}

impl Place {
    pub(super) fn borrow(&self) -> PlaceRef<'_> {
        let Self { fsid, kind, handle, name } = self;
        PlaceRef { fsid: *fsid, handle_type: *kind, handle, directory: handle, name }
    }
}

/// Processes of one mount namespace through which its file systems are reached: the first, and those
/// that started a program last.
const WITNESSES_MAX: usize = 4;

/// The marked file systems and the directories seen on them.
#[derive(Default)]
pub(super) struct Directories {
    file_systems: Vec<FileSystem>,
    known: HashMap<Box<[u8]>, Arc<str>>,
    /// By mount namespace.
    witnesses: HashMap<u32, Witnesses>,
    /// Whose event is read now: it may be there still.
    actor: u32,
    opened: OpenedHandles,
}

/// Processes of one mount namespace, oldest first.
#[derive(Default)]
struct Witnesses {
    pids: Vec<u32>,
    /// Of the last one: a runtime changes it before it starts the container's program.
    root: Option<Root>,
}

struct FileSystem {
    /// Where it was found.
    path: PathBuf,
    /// `st_dev`.
    device: u64,
    /// `f_fsid`: how events name the file system.
    fsid: u64,
    reach: Reach,
}

/// How a mount is reached on which handles can be opened.
enum Reach {
    /// Open for good, of the host's own. Keeps that mount busy while the agent runs.
    Held(OwnedFd),
    /// Of another mount namespace, which is to go whenever its processes want: opened when it is needed.
    Through { mnt_ns: u32 },
}

impl Directories {
    pub(super) fn knows_device(&self, device: u64) -> bool {
        self.file_systems.iter().any(|known| known.device == device)
    }

    /// The same by the kernel's own number, as mountinfo has it.
    pub(super) fn knows_number(&self, device: u32) -> bool {
        self.file_systems.iter().any(|known| number(known.device) == Some(device))
    }

    /// How many file systems are marked.
    pub(super) fn len(&self) -> usize {
        self.file_systems.len()
    }

    /// Takes up the file system of a directory, unless it is known.
    pub(super) fn add_path(&mut self, path: &Path) -> rustix::io::Result<()> {
        let directory = open_directory(path)?;
        let device = rustix::fs::fstat(&directory)?.st_dev;
        if self.knows_device(device) { Ok(()) } else { self.add(path, directory, device) }
    }

    /// Takes up the file system that `directory`, opened as `path`, lies on.
    pub(super) fn add(&mut self, path: &Path, directory: OwnedFd, device: u64) -> rustix::io::Result<()> {
        let fsid = rustix::fs::fstatvfs(&directory)?.f_fsid;
        let reach = Reach::Held(whole_mount(path, device).unwrap_or(directory));
        self.file_systems.push(FileSystem { path: path.to_owned(), device, fsid, reach });
        Ok(())
    }

    /// Takes up a file system of another mount namespace, mounted at `point` there.
    pub(super) fn add_of(
        &mut self,
        mnt_ns: u32,
        point: &Path,
        directory: &OwnedFd,
        device: u64,
    ) -> rustix::io::Result<()> {
        let fsid = rustix::fs::fstatvfs(directory)?.f_fsid;
        let path = point.to_owned();
        self.file_systems.push(FileSystem { path, device, fsid, reach: Reach::Through { mnt_ns } });
        Ok(())
    }

    /// A process is in this namespace. True: nobody with its root was seen there before.
    pub(super) fn witness(&mut self, mnt_ns: u32, pid: u32) -> bool {
        let root = procfs::root(pid);
        let witnesses = self.witnesses.entry(mnt_ns).or_default();
        if !witnesses.pids.contains(&pid) {
            if witnesses.pids.len() >= WITNESSES_MAX {
                witnesses.pids.remove(1);
            }
            witnesses.pids.push(pid);
        }
        let is_new = root.is_some() && root != witnesses.root;
        witnesses.root = root.or(witnesses.root);
        is_new
    }

    /// The events that are read next are of this process.
    pub(super) fn attend(&mut self, pid: u32) {
        if self.actor != pid {
            // By way of this one it may be reached after all.
            self.opened.retry();
        }
        self.actor = pid;
    }

    /// How many namespaces are known.
    pub(super) fn namespaces(&self) -> usize {
        self.witnesses.len()
    }

    /// Forgets the namespaces that have no process any more, and what was mounted there: the device
    /// numbers of such file systems are given out again.
    pub(super) fn keep(&mut self, is_alive: &dyn Fn(u32) -> bool) {
        self.witnesses.retain(|mnt_ns, _| is_alive(*mnt_ns));
        let before = self.file_systems.len();
        self.file_systems.retain(|known| match &known.reach {
            Reach::Held(_) => true,
            Reach::Through { mnt_ns } => is_alive(*mnt_ns),
        });
        if self.file_systems.len() < before {
            self.forget();
        }
    }

    /// Asks for each file system whether it is to be kept.
    pub(super) fn try_retain(
        &mut self,
        is_kept: &mut dyn FnMut(&Path, BorrowedFd<'_>) -> Result<bool, FanotifyError>,
    ) -> Result<(), FanotifyError> {
        let mut kept = Vec::with_capacity(self.file_systems.len());
        let mut outcome = Ok(());
        for known in std::mem::take(&mut self.file_systems) {
            let answer = match (&outcome, self.reach(&known)) {
                // What was not asked about stays.
                (Err(_), _) => Ok(true),
                (Ok(()), Some(Mount::Held(mount))) => is_kept(&known.path, mount),
                (Ok(()), Some(Mount::Open(mount))) => is_kept(&known.path, mount.as_fd()),
                (Ok(()), None) => Ok(false),
            };
            match answer {
                Ok(true) => kept.push(known),
                Ok(false) => {}
                Err(error) => {
                    outcome = Err(error);
                    kept.push(known);
                }
            }
        }
        self.file_systems = kept;
        outcome
    }

    /// A directory was renamed, or may have been: every path below it, on any file system, is stale.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }

    /// Where the directory of `place` is now. `None`: it is gone, or it cannot be opened.
    pub(super) fn path(&mut self, place: &PlaceRef<'_>) -> Option<Arc<str>> {
        if let Some(path) = self.known.get(place.directory) {
            return Some(Arc::clone(path));
        }
        let directory = self.directory(place)?;
        let path: Arc<str> = resolve(&directory)?.into();
        if self.known.len() >= DIRECTORIES_MAX {
            self.known.clear();
        }
        self.known.insert(place.directory.into(), Arc::clone(&path));
        Some(path)
    }

    /// What is behind a name now.
    pub(super) fn stat(&mut self, place: &PlaceRef<'_>) -> Option<Stat> {
        let directory = self.directory(place)?;
        keeper::stat_of_name(directory.as_fd(), place.name)
    }

    /// The same between turns.
    pub(super) fn stat_again(&self, place: &PlaceRef<'_>) -> Option<Stat> {
        let directory = self.open(&place.in_directory())?;
        keeper::stat_of_name(directory.as_fd(), place.name)
    }

    /// What a file is now, whatever its name.
    pub(super) fn stat_file(&mut self, file: &Handle<'_>) -> Option<Stat> {
        Stat::of_file(self.opened(file)?.as_fd())
    }

    /// Whether the path of a directory has to be asked for.
    pub(super) fn is_known(&self, place: &PlaceRef<'_>) -> bool {
        self.known.contains_key(place.directory)
    }

    /// Opens, many at a time, what the next events are about.
    pub(super) fn prepare<'h>(&mut self, wanted: impl Iterator<Item = Handle<'h>>) {
        let mut by_mount: Vec<(u64, Vec<Handle<'h>>)> = Vec::new();
        for handle in wanted.filter(|handle| self.opened.get(handle).is_none()) {
            match by_mount.iter_mut().find(|(fsid, _)| *fsid == handle.fsid) {
                Some((_, handles)) if handles.contains(&handle) => {}
                Some((_, handles)) => handles.push(handle),
                None => by_mount.push((handle.fsid, vec![handle])),
            }
        }
        for (fsid, handles) in by_mount {
            let known = self.file_systems.iter().find(|known| known.fsid == fsid);
            // What is reached by way of a process is opened for each event: whoever acts may be the way.
            let Some(Reach::Held(mount)) = known.map(|known| &known.reach) else { continue };
            let opened =
                keeper::by_handles(mount.as_fd(), &handles.iter().map(Handle::parts).collect::<Vec<_>>());
            for (handle, open) in handles.iter().zip(opened) {
                self.opened.put(handle, open.map(Arc::new));
            }
        }
    }

    /// To be called behind each turn.
    pub(super) fn let_go(&mut self) {
        self.opened.clear();
    }

    fn directory(&mut self, place: &PlaceRef<'_>) -> Option<Arc<OwnedFd>> {
        self.opened(&place.in_directory())
    }

    /// What a handle leads to, opened once in a turn.
    fn opened(&mut self, handle: &Handle<'_>) -> Option<Arc<OwnedFd>> {
        if let Some(open) = self.opened.get(handle) {
            return open.clone();
        }
        let open = self.open(handle).map(Arc::new);
        self.opened.put(handle, open.clone());
        open
    }

    fn open(&self, handle: &Handle<'_>) -> Option<OwnedFd> {
        let known = self.file_systems.iter().find(|known| known.fsid == handle.fsid)?;
        let open = |mount: BorrowedFd<'_>| keeper::by_handles(mount, &[handle.parts()]).pop().flatten();
        match self.reach(known)? {
            Mount::Held(mount) => open(mount),
            Mount::Open(mount) => open(mount.as_fd()),
        }
    }

    /// Of several processes the newest first: the others may have ended.
    fn reach<'k>(&self, known: &'k FileSystem) -> Option<Mount<'k>> {
        match &known.reach {
            Reach::Held(mount) => Some(Mount::Held(mount.as_fd())),
            Reach::Through { mnt_ns } => {
                let witnesses = self.witnesses.get(mnt_ns)?.pids.iter().rev();
                let pids = std::iter::once(&self.actor).chain(witnesses);
                // The actor may be elsewhere, and something else be mounted there by now.
                let is_it =
                    |mount: &OwnedFd| rustix::fs::fstat(mount).is_ok_and(|stat| stat.st_dev == known.device);
                pids.filter_map(|pid| open_in_root(*pid, &known.path)).find(is_it).map(Mount::Open)
            }
        }
    }
}

/// A mount that is open, for good or for now.
enum Mount<'k> {
    Held(BorrowedFd<'k>),
    Open(OwnedFd),
}

/// A directory as a process sees it. What it links to is looked for in its root, not in the agent's.
pub(super) fn open_in_root(pid: u32, point: &Path) -> Option<OwnedFd> {
    let root = keeper::root_folder(pid).ok()?;
    keeper::folder(root.as_fd(), point).ok()
}

fn resolve(directory: &OwnedFd) -> Option<String> {
    let link = format!("/proc/self/fd/{}", directory.as_raw_fd());
    let target = rustix::fs::readlink(link, Vec::new()).ok()?;
    let path = octet::text(target.as_bytes());
    // A directory may also be named so: only one without links is deleted.
    let removed =
        path.ends_with(DELETED) && rustix::fs::fstat(directory).is_ok_and(|stat| stat.st_nlink == 0);
    let path = if removed { path.strip_suffix(DELETED)? } else { &path };
    path.starts_with('/').then(|| path.to_owned())
}

/// A mount that shows the whole of the file system `device`, best the one that `path` is below.
///
/// Seen through a mount of a part of it (a bind mount, a subvolume), directories outside that part
/// would get a path that leads nowhere. Mount points with escaped characters are left out.
fn whole_mount(path: &Path, device: u64) -> Option<OwnedFd> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let points = whole_mount_points(&text, device);
    let point = points.iter().find(|point| path.starts_with(point)).or(points.first())?;
    let mount = open_directory(point).ok()?;
    // Another file system may be mounted over it.
    (rustix::fs::fstat(&mount).ok()?.st_dev == device).then_some(mount)
}

/// proc_pid_mountinfo(5): `id parent major:minor root mount-point ...`.
fn whole_mount_points(mountinfo: &str, device: u64) -> Vec<PathBuf> {
    let wanted = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    let points = mountinfo.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(2);
        let (number, root, point) = (fields.next()?, fields.next()?, fields.next()?);
        (number == wanted && root == "/" && !point.contains('\\')).then(|| PathBuf::from(point))
    });
    points.collect()
}

/// Opened for reading: neither a mark nor a handle may be asked of an `O_PATH` descriptor.
pub(super) fn open_directory(path: &Path) -> rustix::io::Result<OwnedFd> {
    rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn only_mounts_of_a_whole_file_system_count() {
        let text = "26 1 254:0 / / rw - ext4 /dev/vda rw\n\
                    30 26 254:0 /srv/docker /var/lib/docker rw - ext4 /dev/vda rw\n\
                    31 26 0:40 / /mnt/a\\040b rw - tmpfs x rw\n\
                    32 26 254:0 / /mnt/again rw - ext4 /dev/vda rw\n\
                    short line\n";
        let root = rustix::fs::makedev(254, 0);
        assert_eq!(whole_mount_points(text, root), [Path::new("/"), Path::new("/mnt/again")]);
        assert!(whole_mount_points(text, rustix::fs::makedev(0, 40)).is_empty());
    }

    #[test]
    fn a_directory_on_a_file_system_never_added_has_no_path() {
        let place = PlaceRef { fsid: 1, handle_type: 1, handle: &[0; 8], directory: &[0; 24], name: b"x" };
        assert_eq!(Directories::default().path(&place), None);
    }
}
