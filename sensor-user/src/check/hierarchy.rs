//! What this process sees of the host: the cgroup hierarchy, the processes, /proc.

use std::path::Path;

use super::{Check, Fact, Finding, Problem};

/// Inode number of the initial cgroup namespace (`PROC_CGROUP_INIT_INO`, include/linux/proc_ns.h).
const HOST_CGROUPS: u64 = 0xEFFF_FFFB;
/// Inode number of the initial pid namespace (`PROC_PID_INIT_INO`, the same file).
const HOST_PIDS: u64 = 0xEFFF_FFFC;

/// A line of a mount table (proc(5), `mountinfo`).
struct Mount<'t> {
    root: &'t str,
    point: &'t str,
    options: &'t str,
    kind: &'t str,
    /// Of the file system itself.
    own: &'t str,
}

fn mounts(table: &str) -> impl DoubleEndedIterator<Item = Mount<'_>> {
    table.lines().filter_map(|line| {
        let (mount, source) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let (root, point, options) = (fields.next()?, fields.next()?, fields.next()?);
        let mut fields = source.split(' ');
        let kind = fields.next()?;
        Some(Mount { root, point, options, kind, own: fields.nth(1).unwrap_or_default() })
    })
}

/// By where the root of the hierarchy is found, which is all that matters; the mount table and the inode number of this
/// process's cgroup namespace say what stands in the way.
#[must_use]
pub fn cgroup(root: Option<&Path>, table: &Fact<String>, namespace: &Fact<u64>) -> Finding {
    let table = match table {
        Ok(table) => table,
        Err(error) => return Finding::unknown(Check::Cgroup, format!("the mount table: {error}")),
    };
    let v1 = mounts(table).filter(|mount| mount.kind == "cgroup").count();
    if let Some(root) = root {
        let beside = if v1 == 0 { String::new() } else { format!(", v1 beside it with {v1} hierarchies") };
        let is_own = namespace.as_ref().is_ok_and(|inode| *inode != HOST_CGROUPS);
        let from = if is_own { ", seen from a cgroup namespace of its own" } else { "" };
        return Finding::good(Check::Cgroup, format!("v2 at {}{beside}{from}", root.display()));
    }
    let part = mounts(table).find(|mount| mount.kind == "cgroup2");
    let what = match part {
        Some(mount) => format!("v2 at {}, but only a part of it", mount.point),
        None if v1 > 0 => format!("v1 alone, with {v1} hierarchies"),
        None => "no hierarchy is mounted".to_owned(),
    };
    Finding::problem(Problem::CgroupAbsent, what)
}

/// By the inode number of this process's pid namespace.
#[must_use]
pub fn pid_namespace(inode: &Fact<u64>) -> Finding {
    match inode {
        Ok(HOST_PIDS) => Finding::good(Check::PidNamespace, "the host's"),
        Ok(inode) => Finding::problem(Problem::PidNamespaceOwn, format!("another one ({inode})")),
        Err(error) => Finding::unknown(Check::PidNamespace, error.to_string()),
    }
}

/// By the mount table, and whether this process may look at others anyway (`CAP_SYS_PTRACE`).
#[must_use]
pub fn procfs(table: &Fact<String>, may_trace: bool) -> Finding {
    let table = match table {
        Ok(table) => table,
        // Without /proc there is no mount table either.
        Err(super::Unread::Absent) => return Finding::problem(Problem::ProcfsAbsent, "nothing is at /proc"),
        Err(error) => return Finding::unknown(Check::Procfs, format!("the mount table: {error}")),
    };
    // The last one mounted is the one that is seen.
    let Some(mount) = mounts(table).rfind(|mount| mount.point == "/proc" && mount.kind == "proc") else {
        return Finding::problem(Problem::ProcfsAbsent, "no proc file system is at /proc");
    };
    let hidden = mount.options.split(',').chain(mount.own.split(',')).find_map(|option| {
        let value = option.strip_prefix("hidepid=")?;
        (!matches!(value, "0" | "off")).then_some(value)
    });
    match hidden {
        Some(value) if !may_trace => {
            Finding::problem(Problem::ProcfsHidden, format!("mounted with hidepid={value}"))
        }
        Some(value) => {
            Finding::good(Check::Procfs, format!("hidepid={value}, which CAP_SYS_PTRACE looks past"))
        }
        None => Finding::good(Check::Procfs, "shows all processes"),
    }
}

/// Where a process's limits of memory stand: the root of the hierarchy, the way below it, the name of the file. By
/// `/proc/PID/cgroup` and the mount table; of both kinds of hierarchy, since a hybrid host has the controller in either.
#[must_use]
pub fn memory<'t>(cgroups: &'t str, table: &'t str) -> Vec<(&'t str, &'t str, &'static str)> {
    let mut places = Vec::new();
    for line in cgroups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let is_memory = |list: &str| list.split(',').any(|controller| controller == "memory");
        let (kind, file) = match controllers {
            "" => ("cgroup2", "memory.max"),
            list if is_memory(list) => ("cgroup", "memory.limit_in_bytes"),
            _ => continue,
        };
        let is_there = |mount: &Mount<'_>| {
            mount.kind == kind && mount.root == "/" && (kind == "cgroup2" || is_memory(mount.own))
        };
        places.extend(mounts(table).find(is_there).map(|mount| (mount.point, path, file)));
    }
    places
}
