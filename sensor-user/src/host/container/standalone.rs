//! runc and crun without an engine above them: their ids are any name and their cgroups lie anywhere, so
//! they are found by the cgroup's path in the state that both keep of each container.
//!
//! runc writes `<root>/<id>/state.json` (opencontainers/runc, libcontainer/container_linux.go), crun
//! `<root>/<id>/status` (containers/crun, src/libcrun/status.c): a little after the cgroup was made, before
//! the container's program runs.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustc_hash::FxHashMap;
use serde::Deserialize;

use super::STATE_MAX;
use super::root::{Root, Stamp};
use crate::state::cgroup_path;
use crate::state::container::{CgroupIdentity, Confirmation, Container, Runtime};

/// Most containers of one state directory known: as many as the container table holds.
const STATES_MAX: usize = 4_096;
/// Most state directories remembered: the host's few, and two for each user who runs containers now.
const ROOTS_MAX: usize = 64;
/// Most cgroups of one container: one for each hierarchy.
const PATHS_MAX: usize = 16;
/// Where cgroup hierarchies are mounted (systemd's "Control Group APIs and Delegation").
const MOUNT: &str = "/sys/fs/cgroup";

/// State directories as they were last read.
#[derive(Debug, Default)]
pub(super) struct Standalone {
    known: Mutex<FxHashMap<PathBuf, Scan>>,
}

#[derive(Debug, Default)]
struct Scan {
    /// Of the directory. None: a container's state was not there yet, so it must be looked at again.
    stamp: Option<Stamp>,
    states: FxHashMap<String, State>,
}

#[derive(Debug)]
struct State {
    stamp: Stamp,
    runtime: Runtime,
    paths: Vec<String>,
}

/// runc's.
#[derive(Deserialize)]
struct RuncState {
    /// Paths in the file system, by controller; the empty one is that of v2.
    #[serde(default)]
    cgroup_paths: FxHashMap<String, String>,
}

/// crun's.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct CrunStatus {
    #[serde(default)]
    cgroup_path: String,
}

impl Standalone {
    /// The container that one of these directories says the cgroup is of: its own or one above it.
    pub(super) fn find(&self, roots: &[Root], path: &str) -> Option<CgroupIdentity> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        roots.iter().find_map(|root| {
            let place = root.join("");
            let stamp = root.stamp(Path::new(""))?;
            if known.len() >= ROOTS_MAX && !known.contains_key(&place) {
                known.clear();
            }
            let scan = known.entry(place).or_default();
            if scan.stamp != Some(stamp) {
                scan.refresh(root, stamp);
            }
            scan.owner(path)
        })
    }
}

impl Standalone {
    /// A container that is told by its id: a state directory of that name is the proof.
    pub(super) fn named(roots: &[Root], identity: &CgroupIdentity) -> Option<Container> {
        let is_known = roots.iter().any(|root| read(root, &identity.id).is_some());
        is_known.then(|| Container { confirmation: Confirmation::Known, ..Container::from_cgroup(identity) })
    }
}

impl Scan {
    /// Reads what is new. `stamp` was taken before: what comes meanwhile is seen next time.
    fn refresh(&mut self, root: &Root, stamp: Stamp) {
        let names = root.names(Path::new(""), STATES_MAX);
        let mut is_whole = true;
        let mut states = FxHashMap::default();
        for name in names.into_iter().filter(|name| !name.starts_with('.')) {
            let read = match self.states.remove(&name) {
                Some(state) if root.stamp(&state.file(&name)) == Some(state.stamp) => Some(state),
                Some(_) | None => read(root, &name),
            };
            match read {
                Some(state) => drop(states.insert(name, state)),
                None => is_whole = false,
            }
        }
        self.states = states;
        self.stamp = is_whole.then_some(stamp);
    }

    /// The innermost that holds the path.
    fn owner(&self, path: &str) -> Option<CgroupIdentity> {
        let holds =
            |held: &str| path.strip_prefix(held).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let depth = |state: &State| state.paths.iter().filter(|held| holds(held)).map(String::len).max();
        let all = self.states.iter().filter_map(|(id, state)| Some((depth(state)?, id, state)));
        let (_, id, state) = all.max_by_key(|(depth, id, _)| (*depth, id.as_str()))?;
        Some(CgroupIdentity {
            id: id.clone(),
            runtime: state.runtime,
            pod_uid: None,
            outer: Vec::new(),
            user: cgroup_path::user(path),
        })
    }
}

impl State {
    fn file(&self, id: &str) -> PathBuf {
        Path::new(id).join(if self.runtime == Runtime::Crun { "status" } else { "state.json" })
    }
}

/// One container's state. None: not written yet, or no such.
fn read(root: &Root, id: &str) -> Option<State> {
    let runc = Path::new(id).join("state.json");
    if let Some(stamp) = root.stamp(&runc) {
        let state: RuncState = root.read_json(&runc, STATE_MAX).ok()??;
        return Some(State { stamp, runtime: Runtime::Runc, paths: paths(&state.cgroup_paths) });
    }
    let crun = Path::new(id).join("status");
    let stamp = root.stamp(&crun)?;
    let status: CrunStatus = root.read_json(&crun, STATE_MAX).ok()??;
    // Without a cgroup of its own (`--cgroup-manager=disabled`) the path is empty or the root's.
    let paths = Some(status.cgroup_path).filter(|path| path.len() > 1).into_iter().collect();
    Some(State { stamp, runtime: Runtime::Crun, paths })
}

/// Paths within their hierarchies: as the kernel tells them.
fn paths(cgroup_paths: &FxHashMap<String, String>) -> Vec<String> {
    let is_hybrid = cgroup_paths.len() > 1;
    let within = |(controller, path): (&String, &String)| {
        let below = path.strip_prefix(MOUNT)?;
        if controller.is_empty() && !is_hybrid {
            return Some(below.to_owned());
        }
        // Each hierarchy is mounted in a directory of its own, v2 in `unified`.
        let (_hierarchy, path) = below.strip_prefix('/')?.split_once('/')?;
        Some(format!("/{path}"))
    };
    let mut paths: Vec<String> =
        cgroup_paths.iter().filter_map(within).filter(|path| path.len() > 1).collect();
    paths.sort_unstable();
    paths.dedup();
    paths.truncate(PATHS_MAX);
    paths
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn find(standalone: &Standalone, directory: &Path, path: &str) -> Option<(String, Runtime)> {
        let found = standalone.find(&[Root::of_host(directory)], path)?;
        Some((found.id, found.runtime))
    }

    #[test]
    fn containers_are_found_by_any_of_their_cgroups_as_soon_as_their_state_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let standalone = Standalone::default();
        assert_eq!(find(&standalone, directory.path(), "/web-runc"), None);
        fs::create_dir(directory.path().join("web")).unwrap();
        assert_eq!(find(&standalone, directory.path(), "/web-runc"), None, "its state is not written yet");
        // As runc 1.1 writes it on a host with both versions, shortened.
        let state = r#"{"id": "web", "init_process_pid": 13438, "config": {"labels": ["bundle=/srv/web"]},
            "cgroup_paths": {"": "/sys/fs/cgroup/unified/web-runc", "memory": "/sys/fs/cgroup/memory/a/b/web-runc"}}"#;
        fs::write(directory.path().join("web/state.json"), state).unwrap();
        let web = Some(("web".to_owned(), Runtime::Runc));
        for path in ["/web-runc", "/web-runc/system.slice/x", "/a/b/web-runc"] {
            assert_eq!(find(&standalone, directory.path(), path), web, "{path}");
        }
        for path in ["/", "", "/web-runc2", "/b/web-runc"] {
            assert_eq!(find(&standalone, directory.path(), path), None, "{path}");
        }
        // The same name again, elsewhere.
        fs::remove_dir_all(directory.path().join("web")).unwrap();
        fs::create_dir(directory.path().join("web")).unwrap();
        let state = r#"{"cgroup_paths": {"": "/sys/fs/cgroup/other"}}"#;
        fs::write(directory.path().join("web/state.json"), state).unwrap();
        assert_eq!(find(&standalone, directory.path(), "/other"), web);
        assert_eq!(find(&standalone, directory.path(), "/web-runc"), None);
    }

    #[test]
    fn crun_tells_the_path_as_the_kernel_does() {
        let directory = tempfile::tempdir().unwrap();
        let write = |id: &str, status: &str| {
            fs::create_dir(directory.path().join(id)).unwrap();
            fs::write(directory.path().join(id).join("status"), status).unwrap();
        };
        write("outer", r#"{"pid": 16171, "cgroup-path": "/any", "owner": "root"}"#);
        write("inner", r#"{"pid": 16172, "cgroup-path": "/any/where", "owner": "root"}"#);
        write("none", r#"{"pid": 16173, "cgroup-path": "/"}"#);
        write("broken", r#"{"pid": "#);
        let standalone = Standalone::default();
        let found = |path| find(&standalone, directory.path(), path).map(|(id, _)| id);
        assert_eq!(found("/any/where/deep").as_deref(), Some("inner"));
        assert_eq!(found("/any/else").as_deref(), Some("outer"));
        assert_eq!(found("/elsewhere"), None);
    }
}
