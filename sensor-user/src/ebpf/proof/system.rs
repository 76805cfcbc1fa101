//! Deeds on what the whole system shares. Each leaves it as it was: the agent goes where it is already, or
//! the kernel refuses the call behind the hook.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd as _;
use std::path::Path;

use aya::programs::loaded_programs;
use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, mount_bind};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::host::hierarchy::Hierarchy;

/// Moves this thread to the cgroup it is in. A lone thread cannot be moved to the cgroup of another
/// process (cgroups(7), "Threaded mode"), so it stays whatever the path means here; and for the current
/// one the kernel takes no lock that all forks wait for.
pub(super) fn stay(hierarchy: &Hierarchy) -> io::Result<()> {
    const CURRENT_THREAD: &str = "0";
    let own = fs::read_to_string("/proc/self/cgroup")?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::")).ok_or(io::ErrorKind::NotFound)?;
    fs::write(hierarchy.directory(path).join("cgroup.threads"), CURRENT_THREAD)
}

/// Enters the namespace of host names this thread is in: of all namespaces the one with the least in it.
pub(super) fn reenter() -> io::Result<()> {
    let namespace = File::open("/proc/thread-self/ns/uts")?;
    let kind = LinkNameSpaceType::HostNameAndNISDomainName;
    Ok(move_into_link_name_space(namespace.as_fd(), Some(kind))?)
}

/// Gets hold of a loaded program by its id: of the first there is.
pub(super) fn get_program() -> io::Result<()> {
    loaded_programs().next().ok_or(io::ErrorKind::NotFound)?.map(drop).map_err(io::Error::other)
}

/// Asks for a second mount of what does not exist, which is refused behind the hook. (A file system type
/// that does not exist would have the kernel look for a module.)
pub(super) fn mount(directory: &Path) -> io::Result<()> {
    refused(mount_bind(directory.join("missing"), directory), Errno::NOENT)
}

/// Asks to move what is no mount onto itself, which is refused behind the hook.
pub(super) fn move_mount(directory: &Path) -> io::Result<()> {
    let moved = rustix::mount::move_mount(CWD, directory, CWD, directory, MoveMountFlags::empty());
    refused(moved, Errno::INVAL)
}

/// The error that tells that the call came as far as it should is none.
fn refused(outcome: Result<(), Errno>, behind_hook: Errno) -> io::Result<()> {
    match outcome {
        Err(error) if error == behind_hook => Ok(()),
        outcome => Ok(outcome?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_error_from_behind_the_hook_is_none() {
        assert!(refused(Err(Errno::NOENT), Errno::NOENT).is_ok());
        assert!(refused(Err(Errno::PERM), Errno::NOENT).is_err(), "refused before the hook, perhaps");
    }
}
