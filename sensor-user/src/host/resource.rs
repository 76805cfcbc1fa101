//! What a container's cgroup says that it uses.
//!
//! CPU time is `usage_usec` of `cpu.stat` in cgroup v2 (Documentation/admin-guide/cgroup-v2.rst), which is there
//! without any controller, and `cpuacct.usage` in v1 (cgroup-v1/cpuacct.rst). Memory is `anon` or `total_rss` of
//! `memory.stat`: what belongs to processes, those of cgroups below included. A hybrid host has the first in v2 and
//! the second in v1.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::file;
use super::hierarchy::Hierarchy;
use crate::state::resource::ResourceReading;

/// Longest of these files, bytes: `memory.stat` has some 60 lines, and `/proc/self/mounts` one for every mount.
const FILE_MAX: u64 = 256 * 1024;
/// Most paths remembered, as many as containers are. Beyond it they are asked for anew each time.
const PATHS_MAX: usize = 4_096;

/// Where the hierarchies are mounted, and where containers are in them.
#[derive(Debug, Default)]
pub struct CgroupMeter {
    roots: Roots,
    paths: FxHashMap<Arc<str>, Paths>,
}

/// Mount points. None: there is no such hierarchy.
#[derive(Debug, Default, PartialEq, Eq)]
struct Roots {
    unified: Option<Hierarchy>,
    cpuacct: Option<PathBuf>,
    memory: Option<PathBuf>,
}

/// Folders of one container. A container keeps them as long as it lives, also when its first process has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Paths {
    unified: Option<PathBuf>,
    cpuacct: Option<PathBuf>,
    memory: Option<PathBuf>,
}

impl CgroupMeter {
    /// Looks where the hierarchies of v1 are; that of v2 is known.
    #[must_use]
    pub fn read(unified: Hierarchy) -> Self {
        let mounts = text(Path::new("/proc/self/mounts")).unwrap_or_default();
        Self { roots: Roots::parse(&mounts, Some(unified)), paths: FxHashMap::default() }
    }

    /// What the container uses, by the cgroups of a process that is or was in it.
    pub fn measure(&mut self, id: &Arc<str>, pid: u32) -> ResourceReading {
        if let Some(paths) = self.paths.get(id) {
            return paths.measure();
        }
        let Some(cgroups) = text(&PathBuf::from(format!("/proc/{pid}/cgroup"))) else {
            return ResourceReading::default();
        };
        let paths = self.roots.paths(id, &cgroups);
        if paths != Paths::default() && self.paths.len() < PATHS_MAX {
            self.paths.insert(Arc::clone(id), paths.clone());
        }
        paths.measure()
    }

    /// Forgets containers that are gone.
    pub fn keep(&mut self, is_present: impl Fn(&str) -> bool) {
        self.paths.retain(|id, _| is_present(id));
    }
}

impl Roots {
    /// Of `/proc/self/mounts`; the first mount of each hierarchy of v1.
    fn parse(mounts: &str, unified: Option<Hierarchy>) -> Self {
        let mut roots = Self { unified, ..Self::default() };
        for line in mounts.lines() {
            let mut fields = line.split(' ').skip(1);
            let (Some(place), Some(kind), Some(options)) = (fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let has = |name: &str| kind == "cgroup" && options.split(',').any(|option| option == name);
            let place = || Some(PathBuf::from(place));
            if has("cpuacct") {
                roots.cpuacct = roots.cpuacct.or_else(place);
            } else if has("memory") {
                roots.memory = roots.memory.or_else(place);
            }
        }
        roots
    }

    /// The container's own folders, of `/proc/<pid>/cgroup` of a process in it.
    fn paths(&self, id: &str, cgroups: &str) -> Paths {
        let told = |controller: &str| {
            let mut lines = cgroups.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
            lines
                .find(|(controllers, _)| controllers.split(',').any(|name| name == controller))
                .map(|(_, path)| path)
        };
        let unified = |hierarchy: &Hierarchy| {
            let path = hierarchy.absolute(told("")?);
            Some(hierarchy.root().join(own(id, &path)?))
        };
        let path =
            |root: &Option<PathBuf>, controller: &str| Some(root.as_ref()?.join(own(id, told(controller)?)?));
        Paths {
            unified: self.unified.as_ref().and_then(unified),
            cpuacct: path(&self.cpuacct, "cpuacct"),
            memory: path(&self.memory, "memory"),
        }
    }
}

impl Paths {
    fn measure(&self) -> ResourceReading {
        let stat = |folder: &Option<PathBuf>, name: &str, key: &str| {
            number_of(&text(&folder.as_ref()?.join(name))?, key)
        };
        let nanoseconds = || text(&self.cpuacct.as_ref()?.join("cpuacct.usage"))?.trim().parse::<u64>().ok();
        ResourceReading {
            cpu: stat(&self.unified, "cpu.stat", "usage_usec")
                .or_else(|| nanoseconds().map(|time| time / 1_000)),
            memory: stat(&self.unified, "memory.stat", "anon")
                .or_else(|| stat(&self.memory, "memory.stat", "total_rss")),
        }
    }
}

/// The part of a cgroup's path up to the container's own folder, which has its id in its name: whatever is below
/// belongs to it. Relative to the root of the hierarchy. None: the path is another's, or is seen from within a
/// cgroup namespace.
fn own<'a>(id: &str, path: &'a str) -> Option<&'a str> {
    let path = path.strip_prefix('/')?;
    if id.is_empty() || path.split('/').any(|name| name == "..") {
        return None;
    }
    let is_own = |name: &str| {
        name.split_once(id).is_some_and(|(before, after)| {
            !before.ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric)
        })
    };
    let mut end = 0;
    let ends = path.split('/').map(|name| {
        end += name.len() + 1;
        (end - 1, is_own(name))
    });
    let end = ends.filter_map(|(end, is_own)| is_own.then_some(end)).last()?;
    path.get(..end)
}

/// The number behind a key, of lines of a key and a number.
fn number_of(stat: &str, key: &str) -> Option<u64> {
    stat.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

fn text(path: &Path) -> Option<String> {
    let (bytes, _) = file::read_head(path, FILE_MAX).ok()??;
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3f4c8ad1c9b07e5d2a6f10b8e7c4d93526a1f0de8b7c6a5948372615f0e1d2c3";

    #[test]
    fn hierarchies_are_found_hybrid_and_v2() {
        let hybrid = "tmpfs /sys/fs/cgroup tmpfs rw,mode=755 0 0\n\
            cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0\n\
            cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0\n\
            cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n\
            cgroup2 /mnt/other cgroup2 rw 0 0\n";
        let place = |name: &str| Some(Path::new("/sys/fs/cgroup").join(name));
        let unified = Hierarchy::of(Path::new("/sys/fs/cgroup/unified"), "/");
        let roots = Roots::parse(hybrid, Some(unified.clone()));
        let expected =
            Roots { unified: Some(unified), cpuacct: place("cpu,cpuacct"), memory: place("memory") };
        assert_eq!(roots, expected);
        let cgroups =
            format!("4:memory:/docker/{ID}\n3:cpu,cpuacct:/docker/{ID}\n0::/docker/{ID}/init.scope\n");
        let own = format!("docker/{ID}");
        let expected = Paths {
            unified: place(&format!("unified/{own}")),
            cpuacct: place(&format!("cpu,cpuacct/{own}")),
            memory: place(&format!("memory/{own}")),
        };
        assert_eq!(roots.paths(ID, &cgroups), expected);
        assert_eq!(
            roots.paths(ID, "4:memory:/\n0::/user.slice\n"),
            Paths::default(),
            "another process by now"
        );
        let modern = "cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate,memory_recursiveprot 0 0\n";
        let modern = Roots::parse(modern, None);
        assert_eq!((modern.cpuacct, modern.memory), (None, None));
    }

    #[test]
    fn a_container_is_found_from_within_a_cgroup_namespace() {
        let hierarchy = Hierarchy::of(Path::new("/sys/fs/cgroup"), "/kubepods.slice/agent");
        let roots = Roots::parse("", Some(hierarchy));
        let paths = roots.paths(ID, &format!("0::/../cri-{ID}.scope/init\n"));
        let folder = format!("/sys/fs/cgroup/kubepods.slice/cri-{ID}.scope");
        assert_eq!(paths.unified.as_deref(), Some(Path::new(&folder)));
    }

    #[test]
    fn a_folder_with_the_id_in_its_name_is_the_containers() {
        let scope = format!("/kubepods.slice/crio-{ID}.scope/container/app");
        assert_eq!(own(ID, &scope), Some(&scope[1..scope.len() - "/container/app".len()]));
        assert_eq!(own(ID, &format!("/../{ID}")), None);
        assert_eq!(own(ID, "/"), None);
        assert_eq!(own("", "/docker"), None);
        assert_eq!(own("web", "/lxc.payload.web/system.slice/webmin"), Some("lxc.payload.web"));
    }

    #[test]
    fn numbers_are_read_from_real_files() {
        let folder = std::env::temp_dir().join(format!("tidewaiter-resource-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let put = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("a file");
        put("cpu.stat", "usage_usec 1500\nuser_usec 1000\n");
        put("memory.stat", "anon_thp 7\nanon 4096\nfile 9\nrss 1\ntotal_rss 8192\n");
        put("cpuacct.usage", "2500999\n");
        let at = |place: &Path| Some(place.to_owned());
        let v2 = Paths { unified: at(&folder), ..Paths::default() };
        assert_eq!(v2.measure(), ResourceReading { cpu: Some(1500), memory: Some(4096) });
        let v1 = Paths { unified: None, cpuacct: at(&folder), memory: at(&folder) };
        assert_eq!(v1.measure(), ResourceReading { cpu: Some(2500), memory: Some(8192) });
        std::fs::remove_dir_all(&folder).expect("it goes");
        assert_eq!(v2.measure(), ResourceReading::default());
    }
}
