//! The root of a container without an image: a few empty folders, and this machine's own tools bound into them.
//!
//! Nothing is copied and nothing is pulled. What the host merged into /usr is merged here too.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::ValidateError;

/// Where programs and their libraries lie, as far as a host has them.
const TOOLS: [&str; 6] = ["usr", "bin", "sbin", "lib", "lib32", "lib64"];

/// What programs read of /etc to find others, libraries and names. No secrets.
const SETTINGS: [&str; 7] = [
    "etc/alternatives",
    "etc/ld.so.cache",
    "etc/nsswitch.conf",
    "etc/protocols",
    "etc/services",
    "etc/ssl/certs",
    "etc/ssl/openssl.cnf",
];

/// Empty folders, and who may write to them.
const FOLDERS: [(&str, u32); 12] = [
    ("dev", 0o755),
    ("etc", 0o755),
    ("etc/ssl", 0o755),
    ("home", 0o755),
    ("opt", 0o755),
    ("proc", 0o755),
    ("root", 0o700),
    ("run", 0o755),
    ("sys", 0o755),
    ("tmp", 0o1777),
    ("var", 0o755),
    ("var/tmp", 0o1777),
];

/// Who is who in the container.
const PASSWD: &str =
    "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nnogroup:x:65534:\n";

/// What is bound into a root: the same absolute path on both sides, read-only.
pub(super) fn tools() -> Vec<PathBuf> {
    let bound = |name: &&str| {
        let path = Path::new("/").join(name);
        fs::symlink_metadata(&path).is_ok_and(|about| !about.is_symlink())
    };
    TOOLS.iter().chain(&SETTINGS).filter(|name| bound(name)).map(|name| Path::new("/").join(name)).collect()
}

/// Lays the root out at `path`, an empty folder.
///
/// # Errors
/// As the system says.
pub(super) fn lay_out(path: &Path) -> Result<(), ValidateError> {
    for (name, mode) in FOLDERS {
        let folder = path.join(name);
        let made = DirBuilder::new().mode(0o755).create(&folder);
        // The umask is the caller's.
        let moded = made.and_then(|()| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)));
        moded.map_err(ValidateError::file(&folder))?;
    }
    for (name, text) in [("etc/passwd", PASSWD), ("etc/group", GROUP)] {
        let file = path.join(name);
        let made = fs::write(&file, text)
            .and_then(|()| fs::set_permissions(&file, fs::Permissions::from_mode(0o644)));
        made.map_err(ValidateError::file(&file))?;
    }
    for name in TOOLS {
        let place = path.join(name);
        let Ok(target) = fs::read_link(Path::new("/").join(name)) else { continue };
        symlink(target, &place).map_err(ValidateError::file(&place))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_tools_are_bound_or_linked_and_never_both() {
        let folder = tempfile::tempdir().unwrap();
        lay_out(folder.path()).unwrap();
        let bound = tools();
        assert!(bound.contains(&PathBuf::from("/usr")), "{bound:?}");
        for name in TOOLS {
            let (host, link) = (Path::new("/").join(name), folder.path().join(name));
            let is_linked = fs::symlink_metadata(&link).is_ok_and(|about| about.is_symlink());
            let is_there = fs::symlink_metadata(&host).is_ok();
            assert_eq!(is_there, is_linked != bound.contains(&host), "{name}");
        }
        assert_eq!(fs::metadata(folder.path().join("tmp")).unwrap().permissions().mode() & 0o7777, 0o1777);
    }
}
