//! A Podman of the tests' own, and containers that run one command each.
//!
//! Storage, state and settings lie in the tests' directory. Its containers have the network of whoever starts
//! them, which is the tests'. It leaves limits alone, which this machine may refuse to raise, and uses runc:
//! crun, its default, cannot do with the two versions of cgroups beside each other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::cgroup::CgroupRoot;
use crate::child::{find, run};
use crate::docker::{Ended, IMAGE, ended};
use crate::network::Network;

const REMEDY: &str = "install podman";

/// containers.conf(5).
const SETTINGS: &str = r#"[containers]
default_ulimits = []
netns = "host"
apparmor_profile = "unconfined"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
"#;

/// containers-policy.json(5): nothing is pulled, so nothing is to be verified.
const POLICY: &str = r#"{"default": [{"type": "insecureAcceptAnything"}]}"#;

/// Podman's cgroup around its containers, below every hierarchy.
const PARENT: &str = "libpod_parent";
/// Of those who watch them.
const CONMON: &str = "libpod_parent/conmon";

/// The program with its settings.
#[derive(Debug)]
pub struct Podman<'n> {
    network: &'n Network,
    client: PathBuf,
    directory: PathBuf,
    _parent: CgroupRoot,
}

/// A container that exists until this value is dropped.
#[derive(Debug)]
pub struct PodmanContainer<'p> {
    podman: &'p Podman<'p>,
    /// 64 hexadecimal digits.
    pub id: String,
}

impl<'n> Podman<'n> {
    /// Where a Podman below `directory` keeps its storage: what passes and what stays.
    #[must_use]
    pub fn roots(directory: &Path) -> [PathBuf; 2] {
        ["run", "graph"].map(|root| directory.join("podman").join(root))
    }

    /// Lays out settings under `directory` and takes the images of `archive` over.
    ///
    /// # Errors
    /// Podman is missing, or does not take the images.
    pub fn start(directory: &Path, network: &'n Network, archive: &Path) -> Result<Self> {
        let client = find(&["/usr/bin/podman", "/usr/local/bin/podman"], REMEDY)?;
        let podman = Self {
            network,
            client,
            directory: directory.join("podman"),
            _parent: CgroupRoot::watch(&[PARENT, CONMON]),
        };
        fs::create_dir_all(&podman.directory)?;
        fs::write(podman.directory.join("containers.conf"), SETTINGS)?;
        fs::write(podman.directory.join("policy.json"), POLICY)?;
        let [run_root, graph_root] = Self::roots(directory);
        let storage = format!(
            "[storage]\ndriver = \"overlay\"\nrunroot = \"{}\"\ngraphroot = \"{}\"\n",
            run_root.display(),
            graph_root.display()
        );
        fs::write(podman.directory.join("storage.conf"), storage)?;
        let policy = podman.directory.join("policy.json");
        run(podman
            .client()
            .args(["load", "--quiet", "--signature-policy"])
            .arg(policy)
            .arg("--input")
            .arg(archive))?;
        Ok(podman)
    }

    /// Makes a container of [`IMAGE`] and does not start it. `mount` is `podman create`'s `--volume`.
    ///
    /// # Errors
    /// What `podman create` says.
    pub fn create(&self, name: &str, mount: &str, command: &[&str]) -> Result<PodmanContainer<'_>> {
        let mut create = self.client();
        create.args(["create", "--pull", "never", "--name", name, "--volume", mount, IMAGE]).args(command);
        let id = String::from_utf8(run(&mut create)?.stdout)?.trim().to_owned();
        ensure!(id.len() == 64, "`podman create` gave the id {id:?}");
        Ok(PodmanContainer { podman: self, id })
    }

    fn client(&self) -> Command {
        let mut command = self.network.inside(&self.client.display().to_string());
        command
            .env("CONTAINERS_CONF", self.directory.join("containers.conf"))
            .env("CONTAINERS_STORAGE_CONF", self.directory.join("storage.conf"))
            .arg("--tmpdir")
            .arg(self.directory.join("tmp"));
        command
    }
}

impl Drop for Podman<'_> {
    fn drop(&mut self) {
        // It has no daemon: what its storage has mounted would stay. Nobody is left to tell.
        drop(run(self.client().args(["rm", "--all", "--force", "--time", "0"])));
    }
}

impl PodmanContainer<'_> {
    /// Runs its command to the end.
    ///
    /// # Errors
    /// The client cannot be started; a command that fails is no error.
    pub fn run(&self) -> Result<Ended> {
        ended(self.podman.client().args(["start", "--attach", &self.id]))
    }
}

impl Drop for PodmanContainer<'_> {
    fn drop(&mut self) {
        // Nobody is left to tell; Podman's own end takes whatever stays.
        drop(run(self.podman.client().args(["rm", "--force", "--time", "0", &self.id])));
    }
}
