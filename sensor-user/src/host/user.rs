//! Names of users, from the passwd file of the root a process sees.
//!
//! A container may write anything into its passwd, so a name is a claim; the uid is the fact. Names
//! from directories (LDAP, systemd-homed) are not asked for: that would be a wait.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{file, mount, procfs};
use crate::keeper::{self, Kind};
use crate::octet;

/// Longest passwd read, bytes: ten thousand users.
const PASSWD_MAX: u64 = 1024 * 1024;
/// Most users taken from one file: more serve to fill memory, not to tell names.
const USERS_MAX: usize = 16_384;
/// Longest name taken, bytes (`LOGIN_NAME_MAX`, limits.h of Linux).
const NAME_MAX: usize = 256;
/// Most roots remembered. The one read longest ago makes room.
const ROOTS_MAX: usize = 1_024;
/// How long a file's names are used, nanoseconds: users are added rarely, and a wrong name is only
/// ever a claim.
const FRESH: u64 = 60 * 1_000_000_000;

type Names = FxHashMap<u32, Arc<str>>;

/// User names by mount namespace.
#[derive(Debug)]
pub struct UserNames {
    host_ns: u32,
    roots: FxHashMap<u32, (u64, Names)>,
    evicted: u64,
}

impl UserNames {
    /// `host_ns`: the host's mount namespace ([`crate::state::mount::Mounts::host_ns`]).
    #[must_use]
    pub fn new(host_ns: u32) -> Self {
        Self { host_ns, roots: FxHashMap::default(), evicted: 0 }
    }

    /// Name of `uid` in the root of process `pid`, which lives in the mount namespace `mnt_ns`; `now`
    /// is boot time in nanoseconds. Names read before are used when the process is gone.
    pub fn name(&mut self, uid: u32, pid: u32, mnt_ns: u32, now: u64) -> Option<Arc<str>> {
        let is_fresh =
            self.roots.get(&mnt_ns).is_some_and(|(read_at, _)| now.saturating_sub(*read_at) < FRESH);
        // Anybody may make a chrooted process in the host's namespace (`unshare --user --root`): its
        // passwd must not name the host's users.
        let pid = if mnt_ns == self.host_ns { procfs::host_pid() } else { pid };
        if !is_fresh
            && let Some(names) = read(pid)
            && procfs::namespace(pid, Kind::Mount) == Some(mnt_ns)
        {
            self.make_room(mnt_ns);
            self.roots.insert(mnt_ns, (now, names));
        }
        self.roots.get(&mnt_ns).and_then(|(_, names)| names.get(&uid)).cloned()
    }

    /// Roots dropped because the cache was full.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    fn make_room(&mut self, mnt_ns: u32) {
        if self.roots.len() < ROOTS_MAX || self.roots.contains_key(&mnt_ns) {
            return;
        }
        // Once per new root at most, and only when full.
        if let Some(oldest) = self.roots.iter().min_by_key(|(_, (read_at, _))| *read_at).map(|(ns, _)| *ns) {
            self.roots.remove(&oldest);
            self.evicted += 1;
        }
    }
}

/// Names in the root of a process. None: it is gone, or its root is not one to look into. A root
/// without a readable passwd has no names, which is an answer.
fn read(pid: u32) -> Option<Names> {
    // A file system served by a process may never answer; who serves it may be who is observed.
    let table = mount::read(pid).ok()??;
    if table.root_type().is_none_or(|fs_type| fs_type.starts_with("fuse")) {
        return None;
    }
    let root = keeper::root_folder(pid).ok()?;
    // Below that root whatever its links say, and not into another mount: neither the agent's own
    // files nor a mount that hangs can be put in place of it.
    let opened = keeper::passwd(root.as_fd(), true);
    match opened.and_then(|passwd| file::read_open(File::from(passwd), PASSWD_MAX)) {
        Ok(Some((bytes, _is_whole))) => Some(parse(&bytes)),
        // The root itself still there: it has no names. Else the process went between two steps.
        Ok(None) | Err(_) => {
            Path::new(&format!("/proc/{pid}/root")).symlink_metadata().ok().map(|_| Names::default())
        }
    }
}

/// `name:password:uid:gid:comment:home:shell` (passwd(5)). Of two lines for one uid the first counts,
/// as for getpwuid(3). What is not such a line is passed over.
fn parse(passwd: &[u8]) -> Names {
    let mut names = Names::default();
    for line in passwd.split(|byte| *byte == b'\n') {
        let mut fields = line.split(|byte| *byte == b':');
        let (Some(name), Some(_password), Some(uid)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let Some(uid) = str::from_utf8(uid).ok().and_then(|uid| uid.parse::<u32>().ok()) else { continue };
        if names.len() < USERS_MAX && !name.is_empty() && name.len() <= NAME_MAX {
            names.entry(uid).or_insert_with(|| octet::text(name).into());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuzzed_passwd_lines_are_read_or_passed_over() {
        let seeds = [b"root:x:0:0:root:/root:/bin/sh\nweb:x:1000:\n:x:7:7\n".to_vec()];
        crate::fuzz::run(&seeds, |bytes, _| {
            let names = parse(bytes);
            assert!(names.values().all(|name| !name.is_empty() && !name.contains(['\n', ':'])));
        });
    }

    #[test]
    fn passwd_lines_are_read_and_others_passed_over() {
        let names = parse(
            b"root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\n\nwww-data:x:33:33::/:\n\
              # comment\nbad:x:minus:0::/:\n+::::::\n:x:7:7::/:\n\xff\xfe:x:8:8::/:\nlast:x:4294967294:0",
        );
        let mut names: Vec<(u32, &str)> = names.iter().map(|(uid, name)| (*uid, &**name)).collect();
        names.sort_unstable();
        assert_eq!(names, [(0, "root"), (8, "\u{efff}\u{effe}"), (33, "www-data"), (4_294_967_294, "last")]);
    }

    #[test]
    fn names_of_the_gone_are_remembered() {
        let own = std::process::id();
        let mnt_ns = procfs::namespace(own, Kind::Mount).unwrap();
        let mut names = UserNames::new(0);
        let root = names.name(0, own, mnt_ns, 0);
        assert_eq!(root.as_deref(), Some("root"));
        let later = names.name(0, u32::MAX, mnt_ns, 2 * FRESH);
        assert_eq!(later, root, "the process is gone, its root's names are not");
        assert_eq!(names.name(0, own, mnt_ns + 1, 0), None, "the process is not there");
    }

    #[test]
    fn roots_are_bounded() {
        let mut names = UserNames::new(0);
        for mnt_ns in (0..).take(ROOTS_MAX + 1) {
            names.make_room(mnt_ns);
            names.roots.insert(mnt_ns, (u64::from(mnt_ns), Names::default()));
        }
        assert_eq!((names.roots.len(), names.evicted()), (ROOTS_MAX, 1));
        assert!(!names.roots.contains_key(&0), "the oldest went");
    }
}
