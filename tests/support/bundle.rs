//! A container that no engine knows: an OCI bundle, and runc or crun alone to run it.
//!
//! Its id is a word and its cgroup lies where the bundle says, as with those who write bundles by hand. The
//! runtime's state lies in the tests' directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use serde_json::{Value, json};

use crate::child::{find, run};
use crate::docker::{Ended, ended};
use crate::network::Network;

/// Which program runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Runc,
    Crun,
}

/// A container that exists until this value is dropped.
#[derive(Debug)]
pub struct Bundle<'n> {
    network: &'n Network,
    program: Program,
    runtime: PathBuf,
    state: PathBuf,
    directory: PathBuf,
    pub id: String,
}

/// What a bundle is made of.
#[derive(Clone, Copy, Debug)]
pub struct BundleSpec<'s> {
    pub id: &'s str,
    /// Root file system, read-only.
    pub root: &'s Path,
    /// A path on the host and where the container finds it, read-only.
    pub mount: (&'s Path, &'s str),
    pub command: &'s [&'s str],
}

/// crun refuses version 2 of cgroups beside version 1 when both have controllers. Before its own eyes only
/// version 2 is there; the mount is seen by this process only.
const V2_ALONE: &str = r#"unified=/sys/fs/cgroup/unified
if [ -d "$unified" ]; then mount --bind "$unified" /sys/fs/cgroup; fi
exec "$0" "$@""#;

impl Program {
    /// Its name, which is also that of its state below the tests' directory.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Runc => "runc",
            Self::Crun => "crun",
        }
    }

    /// Where it keeps the state of containers made below `directory`.
    #[must_use]
    pub fn state(self, directory: &Path) -> PathBuf {
        directory.join("standalone").join(self.name())
    }
}

impl<'n> Bundle<'n> {
    /// Writes a bundle below `directory` and starts nothing.
    ///
    /// # Errors
    /// The runtime is missing.
    pub fn make(
        directory: &Path,
        network: &'n Network,
        program: Program,
        spec: &BundleSpec<'_>,
    ) -> Result<Self> {
        let name = program.name();
        let places = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"];
        let places = places.map(|place| format!("{place}/{name}"));
        let runtime = find(&places.each_ref().map(String::as_str), &format!("install {name}"))?;
        let state = program.state(directory);
        let directory = directory.join("bundle").join(spec.id);
        fs::create_dir_all(&directory)?;
        fs::write(directory.join("config.json"), spec.configuration().to_string())?;
        Ok(Self { network, program, runtime, state, directory, id: spec.id.to_owned() })
    }

    /// Runs its command to the end.
    ///
    /// # Errors
    /// The runtime cannot be started; a command that fails is no error.
    pub fn run(&self) -> Result<Ended> {
        ended(self.runtime().args(["run", "--bundle"]).arg(&self.directory).arg(&self.id))
    }

    fn runtime(&self) -> Command {
        let mut command = match self.program {
            Program::Runc => self.network.inside(&self.runtime.display().to_string()),
            Program::Crun => {
                let mut command = self.network.inside("unshare");
                command.args(["--mount", "--", "sh", "-c", V2_ALONE]).arg(&self.runtime);
                command
            }
        };
        command.arg("--root").arg(&self.state);
        command
    }
}

impl BundleSpec<'_> {
    /// OCI runtime specification, config.md. There is no network namespace: it has that of its runtime.
    fn configuration(&self) -> Value {
        let mount = |destination: &str, kind: &str, source: &str, options: &[&str]| json!({"destination": destination, "type": kind, "source": source, "options": options});
        let namespaces = ["pid", "mount", "ipc", "uts"].map(|kind| json!({"type": kind}));
        let (from, to) = (self.mount.0.display().to_string(), self.mount.1);
        json!({
            "ociVersion": "1.0.2",
            "process": {
                "user": {"uid": 0, "gid": 0},
                "args": self.command,
                "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
                "cwd": "/",
            },
            "root": {"path": self.root, "readonly": true},
            "hostname": self.id,
            "mounts": [
                mount("/proc", "proc", "proc", &[]),
                mount("/dev", "tmpfs", "tmpfs", &["nosuid", "mode=755"]),
                mount("/tmp", "tmpfs", "tmpfs", &["nosuid", "nodev"]),
                mount(to, "bind", &from, &["rbind", "ro"]),
            ],
            "linux": {
                "cgroupsPath": format!("/{}", self.id),
                "namespaces": namespaces,
            },
        })
    }
}

impl Drop for Bundle<'_> {
    fn drop(&mut self) {
        // After `run` it is gone by itself: this is for one that was stopped half-way.
        drop(run(self.runtime().args(["delete", "--force", &self.id])));
    }
}
