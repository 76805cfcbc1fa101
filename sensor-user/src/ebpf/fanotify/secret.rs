//! Files that hold secrets: each has a mark of its own, so opening any other file costs nothing.
//!
//! What is there now is marked, of the host at start and of a container when its first program starts; a
//! file that gets such a name later is found by its name's event, which makes the agent look again.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::Dir;
use rustix::io::Errno;

use super::FanotifyError;
use crate::capture::{SecretPath, matches_name};
use crate::ebpf::sys;
use crate::keeper::{self, FileKey};
use crate::state::mount::MountTable;

/// Most marks in one root: ten users with a few keys each.
const ROOT_MARKS_MAX: usize = 64;
/// Most paths that are tried in one root: all of `capture.secrets` in every home directory that is looked into. A path
/// without `*` is tried before anybody knows whether there is such a file.
const ROOT_PATHS_MAX: usize = 2048;
/// Most marks in all: each keeps an inode in memory, about 1 KiB.
const MARKS_MAX: usize = 8192;
/// Most home directories that are looked into.
const HOMES_MAX: usize = 64;
/// Most names of one directory that are compared.
const NAMES_MAX: usize = 256;
/// Longest passwd file that is read, bytes.
const PASSWD_MAX: usize = 64 * 1024;
/// Where `**` at the start of a path is looked for besides home directories.
const BASES: [&str; 2] = ["", "run"];
/// How the names of file systems begin that ask another machine or program: they may not answer.
const REMOTE: [&str; 8] = ["nfs", "cifs", "smb", "autofs", "fuse", "ceph", "9p", "afs"];

/// The marked files.
pub(super) struct SecretWatch {
    pub(super) group: OwnedFd,
    paths: HashMap<FileKey, Secret>,
}

struct Secret {
    path: String,
    mnt_ns: u32,
}

impl SecretWatch {
    pub(super) fn open() -> Result<Self, FanotifyError> {
        let group = sys::open_group().map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::INVAL | Errno::NOSYS) => FanotifyError::Unsupported,
            Some(Errno::PERM) => FanotifyError::NotPermitted,
            Some(_) | None => FanotifyError::Open(error),
        })?;
        Ok(Self { group, paths: HashMap::new() })
    }

    /// Marks the secrets that a process sees below its root. A file that cannot be marked is left out:
    /// most do not exist. False: the process is gone, and nothing was looked for.
    pub(super) fn add_root(
        &mut self,
        mnt_ns: u32,
        pid: u32,
        secrets: &[SecretPath],
        table: &MountTable,
    ) -> bool {
        let Ok(root) = keeper::root_folder(pid) else { return false };
        let search = Search { root: &root, table };
        let bases = search.bases();
        let mut found = Vec::new();
        for secret in secrets {
            let parts: Vec<&str> = secret.parts().collect();
            match parts.split_first() {
                Some((&"**", rest)) => bases.iter().for_each(|base| search.find(base, rest, &mut found)),
                Some(_) => search.find("", &parts, &mut found),
                None => {}
            }
        }
        let paths: Vec<&Path> = found.iter().map(Path::new).collect();
        let most = ROOT_MARKS_MAX.min(MARKS_MAX - self.paths.len().min(MARKS_MAX));
        for (place, key) in keeper::mark_files(self.group.as_fd(), root.as_fd(), &paths, most) {
            let path = found.get(place).map(|path| format!("/{path}")).unwrap_or_default();
            self.paths.insert(key, Secret { path, mnt_ns });
        }
        true
    }

    /// The path of a marked file.
    pub(super) fn path(&self, file: FileKey) -> Option<&str> {
        self.paths.get(&file).map(|secret| secret.path.as_str())
    }

    /// Forgets the files of namespaces that are gone; their marks went with them.
    pub(super) fn keep(&mut self, is_alive: &dyn Fn(u32) -> bool) {
        self.paths.retain(|_, secret| is_alive(secret.mnt_ns));
    }
}

/// Looks for files below one root.
struct Search<'a> {
    root: &'a OwnedFd,
    table: &'a MountTable,
}

impl Search<'_> {
    /// Directories that `**` stands for, without slashes at their ends: bounded, since all would be too
    /// many.
    fn bases(&self) -> Vec<String> {
        let mut bases: Vec<String> = BASES.iter().map(|base| (*base).to_owned()).collect();
        bases.push("root".to_owned());
        let passwd = self.passwd();
        let homes = passwd.lines().filter_map(|line| line.split(':').nth(5));
        for home in homes.map(|home| home.trim_matches('/')) {
            if bases.len() < HOMES_MAX && !bases.iter().any(|base| base == home) && !home.contains("..") {
                bases.push(home.to_owned());
            }
        }
        bases.retain(|base| self.is_local(base));
        bases
    }

    fn passwd(&self) -> String {
        let Ok(file) = keeper::passwd(self.root.as_fd(), false) else { return String::new() };
        let mut bytes = vec![0; PASSWD_MAX];
        let length = rustix::io::read(&file, &mut bytes[..]).unwrap_or(0);
        bytes.truncate(length);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn is_local(&self, path: &str) -> bool {
        let fs_type = self.table.type_at(&format!("/{path}")).unwrap_or_default();
        !REMOTE.iter().any(|remote| fs_type.starts_with(remote))
    }

    /// Adds what `parts` lead to from `directory`. `**` within a path stands for no directory here: the
    /// links that Kubernetes makes lead past it.
    fn find(&self, directory: &str, parts: &[&str], found: &mut Vec<String>) {
        if found.len() >= ROOT_PATHS_MAX {
            return;
        }
        let below = |name: &str| {
            if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
        };
        match parts {
            [] => {}
            ["**", rest @ ..] => self.find(directory, rest, found),
            [part, rest @ ..] if part.contains('*') => {
                let names = self.names(directory).into_iter();
                for name in names.filter(|name| matches_name(part, name)).take(ROOT_MARKS_MAX) {
                    match rest {
                        [] => found.push(below(&name)),
                        rest => self.find(&below(&name), rest, found),
                    }
                }
            }
            [part] => found.push(below(part)),
            [part, rest @ ..] => self.find(&below(part), rest, found),
        }
    }

    fn names(&self, directory: &str) -> Vec<String> {
        // No process's own files are marked: /proc makes them anew each time.
        if directory == "proc" || !self.is_local(directory) {
            return Vec::new();
        }
        let path = if directory.is_empty() { "." } else { directory };
        let directory = keeper::folder(self.root.as_fd(), Path::new(path));
        let Some(entries) = directory.ok().and_then(|directory| Dir::new(directory).ok()) else {
            return Vec::new();
        };
        let names = entries.take(NAMES_MAX).filter_map(Result::ok);
        names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }
}
