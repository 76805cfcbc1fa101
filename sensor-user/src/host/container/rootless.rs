//! Where a user's own runtimes keep their state: rootless Podman, Docker, runc and crun.
//!
//! What lies there is that user's word. It is asked only for cgroups in the user's own slice, and only
//! where root's runtimes do not know the container: so a user can name what the user runs, and nothing else.

use std::path::{Path, PathBuf};

use super::root::Root;
use crate::host::file;

/// The users of this host (passwd(5)).
const PASSWD: &str = "/etc/passwd";
/// Longest passwd read, bytes: ten thousand users.
const PASSWD_MAX: u64 = 1024 * 1024;

/// Graph root and run root of Podman (containers-storage.conf(5)), below home and runtime directory.
const STORAGE: (&str, &str) = (".local/share/containers/storage", "containers");
/// Data root and containerd's state of Docker (Docker's documentation, "Rootless mode").
const DOCKER: (&str, &str) = (".local/share/docker", "docker/containerd/daemon");
/// runc's and crun's, below the runtime directory.
const STANDALONE: [&str; 2] = ["runc", "crun"];

/// Ways from a user's folder to the state of runtimes: all that may be asked for there.
pub(crate) const USER_WAYS: [&str; 6] =
    [STORAGE.0, STORAGE.1, DOCKER.0, DOCKER.1, STANDALONE[0], STANDALONE[1]];

/// One user's directories.
#[derive(Debug, Default)]
pub(super) struct UserRoots {
    pub(super) docker: Vec<Root>,
    pub(super) storage: Vec<Root>,
    pub(super) containerd: Vec<Root>,
    pub(super) runc: Vec<Root>,
}

/// Those of a user of this host.
pub(super) fn roots(uid: u32) -> UserRoots {
    let passwd = file::read(Path::new(PASSWD), PASSWD_MAX).ok().flatten().unwrap_or_default();
    below(home(&passwd, uid).as_deref(), &PathBuf::from(format!("/run/user/{uid}")), uid)
}

fn below(home: Option<&Path>, runtime: &Path, uid: u32) -> UserRoots {
    let of_home = |way| home.and_then(|home| Root::of_user(home, way, uid));
    let of_runtime = |way| Root::of_user(runtime, way, uid);
    UserRoots {
        docker: of_home(DOCKER.0).into_iter().collect(),
        storage: of_home(STORAGE.0).into_iter().chain(of_runtime(STORAGE.1)).collect(),
        containerd: of_runtime(DOCKER.1).into_iter().collect(),
        runc: STANDALONE.iter().filter_map(|way| of_runtime(way)).collect(),
    }
}

/// `name:password:uid:gid:comment:home:shell`, the first line of that uid.
fn home(passwd: &[u8], uid: u32) -> Option<PathBuf> {
    let text = String::from_utf8_lossy(passwd);
    text.lines().find_map(|line| {
        let mut fields = line.split(':').skip(2);
        let is_theirs = fields.next()?.parse() == Ok(uid);
        let home = PathBuf::from(fields.nth(2)?);
        (is_theirs && home.is_absolute()).then_some(home)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use super::super::tests::{ID, claim};
    use super::super::{Remembered, search_user};
    use super::*;
    use crate::state::container::{CgroupIdentity, Runtime};

    #[test]
    fn homes_are_found_by_uid() {
        let passwd = b"root:x:0:0:root:/root:/bin/sh\nanna:x:1000:1000:Anna,,,:/home/anna:/bin/sh\nx:x:7\n";
        assert_eq!(home(passwd, 1000), Some(PathBuf::from("/home/anna")));
        assert_eq!((home(passwd, 7), home(passwd, 8)), (None, None));
    }

    #[test]
    fn a_users_word_is_heard_below_the_users_own_directories_only() {
        let directory = tempfile::tempdir().unwrap();
        let uid = directory.path().metadata().unwrap().uid();
        let storage = directory.path().join(STORAGE.0).join("overlay-containers");
        std::fs::create_dir_all(&storage).unwrap();
        let list = format!(r#"[{{"id": "{ID}", "names": ["web"]}}]"#);
        let identity = CgroupIdentity { user: Some(uid), ..claim(Runtime::Podman) };
        let asked = |uid| {
            let roots = below(Some(directory.path()), &directory.path().join("run"), uid);
            search_user(&roots, &identity, &Remembered::default())
        };
        assert_eq!(asked(uid).unwrap(), None);

        std::fs::write(storage.join("containers.json"), &list).unwrap();
        let found = asked(uid).unwrap().unwrap();
        assert_eq!((found.name.as_deref(), found.is_verified()), (Some("web"), true));
        assert_eq!(asked(uid + 1).unwrap(), None, "not that user's home");

        // The same list, by a link out of the home.
        let elsewhere = tempfile::tempdir().unwrap();
        std::fs::write(elsewhere.path().join("list"), &list).unwrap();
        std::fs::remove_file(storage.join("containers.json")).unwrap();
        symlink(elsewhere.path().join("list"), storage.join("containers.json")).unwrap();
        assert!(asked(uid).is_err());
        std::fs::remove_dir_all(&storage).unwrap();
        symlink(elsewhere.path(), &storage).unwrap();
        std::fs::rename(elsewhere.path().join("list"), elsewhere.path().join("containers.json")).unwrap();
        assert!(!matches!(asked(uid), Ok(Some(_))));
    }
}
