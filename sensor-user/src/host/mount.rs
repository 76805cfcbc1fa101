//! Reads mount tables for [`crate::state::mount`].

use std::path::PathBuf;

use super::file::{self, FileError};
use super::procfs;
use crate::keeper::Kind;
use crate::octet;
use crate::state::mount::{MountTable, Mounts};

/// Longest mountinfo read, bytes: some ten thousand mounts with long overlay options.
const MOUNTINFO_MAX: u64 = 16 * 1024 * 1024;
/// The host's mounts, to begin with. `now` is boot time, nanoseconds.
pub fn host(now: u64) -> Result<Mounts, FileError> {
    let pid = procfs::host_pid();
    let (host_ns, table) = (procfs::namespace(pid, Kind::Mount), read(pid)?);
    Ok(host_ns.zip(table).map_or_else(Mounts::default, |(host_ns, table)| Mounts::new(host_ns, table, now)))
}

/// Reads the table of `mnt_ns`, in which process `pid` was seen, if it is wanted. Nothing happens
/// where the process is gone or has moved to another namespace.
pub fn refresh(mounts: &mut Mounts, mnt_ns: u32, pid: u32, now: u64) -> Result<(), FileError> {
    if !mounts.wants(mnt_ns, now) {
        return Ok(());
    }
    let pid = if mnt_ns == mounts.host_ns() { procfs::host_pid() } else { pid };
    if let Some(table) = read(pid)?
        && procfs::namespace(pid, Kind::Mount) == Some(mnt_ns)
    {
        mounts.insert(mnt_ns, table, now);
    }
    Ok(())
}

/// The mount table of a process's namespace. None: the process is gone.
pub fn read(pid: u32) -> Result<Option<MountTable>, FileError> {
    let path = PathBuf::from(format!("/proc/{pid}/mountinfo"));
    let Some((bytes, _is_whole)) = file::read_head(&path, MOUNTINFO_MAX)? else { return Ok(None) };
    // A process that has left its namespace (a zombie) has an empty table: not one to remember.
    let table = MountTable::parse(&octet::text(&bytes));
    Ok((!table.is_empty()).then_some(table))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_finds_its_own_root() {
        let table = read(std::process::id()).unwrap().unwrap();
        let (device, path) = table.place("/proc/self").unwrap();
        assert_eq!(path, "/self");
        assert_eq!(table.locate(device, &path).as_deref(), Some("/proc/self"));
        assert_eq!(table.refused(), 0);
    }

    #[test]
    fn a_table_is_read_once_while_fresh() {
        let mut mounts = host(0).unwrap();
        let (own, mnt_ns) = (std::process::id(), procfs::namespace(std::process::id(), Kind::Mount).unwrap());
        refresh(&mut mounts, mnt_ns, own, 0).unwrap();
        assert!(!mounts.wants(mnt_ns, 0));
        refresh(&mut mounts, mnt_ns + 1, own, 0).unwrap();
        assert!(mounts.wants(mnt_ns + 1, 0), "the process is not there");
    }

    #[test]
    fn a_missing_process_has_no_table() {
        assert!(read(u32::MAX).unwrap().is_none());
    }
}
