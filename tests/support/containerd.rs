//! A private containerd with its CRI plug-in, and pods in it, made as the kubelet makes them.
//!
//! It runs in the tests' network, and its pods have that of the node, which is the same. Root, state and
//! sockets lie in the tests' directory. It keeps its hands off what this machine may refuse: AppArmor and
//! the scores of processes that the kernel kills first.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use uuid::Uuid;

use crate::cgroup::{self, CgroupRoot};
use crate::child::{Child, find, run};
use crate::cri::{Bind, ContainerSpec, Cri, Ended, PodSpec};
use crate::docker::{self, ended};
use crate::network::Network;
use crate::wait;

/// It is up within a second; a loaded machine takes longer.
const READY_MAX: Duration = Duration::from_secs(60);

/// Longest life of a container that is awaited.
const END_MAX: Duration = Duration::from_secs(60);

/// Below its directory: bundles lie there.
const STATE: &str = "state";

const REMEDY: &str = "install containerd";

/// Namespace of the CRI plug-in within containerd.
const NAMESPACE: &str = "k8s.io";

/// `ctr`'s own namespace within containerd, and so its cgroup.
const BY_HAND: &str = "default";

/// `ctr` gives a command no search path when there is no image to give one.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Kubernetes' namespace of all pods.
pub const POD_NAMESPACE: &str = "lab";

/// The kubelet's cgroup of pods that ask for nothing, below every hierarchy.
pub(crate) const PODS: &str = "kubepods/besteffort";

/// The daemon.
#[derive(Debug)]
pub struct Containerd {
    cri: Cri,
    client: PathBuf,
    socket: PathBuf,
    directory: PathBuf,
    _daemon: Child,
    /// Falls after the containers have gone.
    _cgroups: CgroupRoot,
}

/// A pod that exists until this value is dropped.
#[derive(Debug)]
pub struct Pod<'c> {
    containerd: &'c Containerd,
    /// Id of its sandbox: 64 hexadecimal digits.
    pub sandbox: String,
    pub spec: PodSpec,
}

/// A container of a pod; it goes with it.
#[derive(Debug)]
pub struct PodContainer<'p> {
    pod: &'p Pod<'p>,
    /// 64 hexadecimal digits.
    pub id: String,
    pub name: String,
}

impl Containerd {
    /// Where a daemon started below `directory` keeps its bundles.
    #[must_use]
    pub fn state(directory: &Path) -> PathBuf {
        directory.join("containerd").join(STATE)
    }

    /// Starts the daemon under `directory`, in `network`. Sandboxes are made of the image `pause`.
    ///
    /// # Errors
    /// containerd is missing, or does not come up.
    pub fn start(directory: &Path, network: &Network, pause: &str) -> Result<Self> {
        let daemon = find(&["/usr/bin/containerd", "/usr/local/bin/containerd"], REMEDY)?;
        let client = find(&["/usr/bin/ctr", "/usr/local/bin/ctr"], REMEDY)?;
        let state = Self::state(directory);
        let directory = directory.join("containerd");
        fs::create_dir_all(&directory)?;
        let cgroups = CgroupRoot::watch(&["kubepods", PODS, BY_HAND]);
        let socket = directory.join("containerd.sock");
        let settings = directory.join("config.toml");
        fs::write(&settings, configuration(&directory, &state, &socket, pause))?;
        let mut command = network.inside(&daemon.display().to_string());
        command.arg("--config").arg(&settings);
        let mut daemon = Child::start("containerd", command, directory.join("log"))?;
        let mut cri = None;
        daemon.await_ready(READY_MAX, "its answer over CRI", || {
            cri = Cri::connect(&socket).ok().filter(|cri| cri.version().is_ok());
            Ok(cri.is_some())
        })?;
        let cri = cri.context("containerd was ready and is not")?;
        Ok(Self { cri, client, socket, directory, _daemon: daemon, _cgroups: cgroups })
    }

    /// Takes images over from an archive of Docker's or of OCI.
    ///
    /// # Errors
    /// What `ctr` says.
    pub fn import(&self, archive: &Path) -> Result<()> {
        let mut client = Command::new(&self.client);
        client.arg("--address").arg(&self.socket).args(["--namespace", NAMESPACE, "image", "import"]);
        run(client.arg(archive)).map(drop)
    }

    /// Runs a command to the end in a container that `ctr` makes of a root file system, as people do by hand:
    /// under any id, with no image and no pod. `mount` is a path on the host and where the container finds it.
    ///
    /// # Errors
    /// `ctr` cannot be started; a command that fails is no error.
    pub fn run_by_hand(
        &self,
        id: &str,
        root: &Path,
        mount: (&Path, &str),
        command: &[&str],
    ) -> Result<docker::Ended> {
        let mount = format!("type=bind,src={},dst={},options=rbind:ro", mount.0.display(), mount.1);
        let mut client = Command::new(&self.client);
        client.arg("--address").arg(&self.socket).args(["--namespace", BY_HAND, "run", "--rm"]);
        client.args(["--net-host", "--mount", &mount, "--runc-root"]).arg(self.directory.join("runc"));
        client.args(["--env", PATH, "--rootfs"]).arg(root).arg(id).args(command);
        ended(&mut client)
    }

    /// Makes a pod and starts its sandbox.
    ///
    /// # Errors
    /// What CRI says.
    pub fn pod(&self, name: &str) -> Result<Pod<'_>> {
        self.pod_as(name, Uuid::new_v4().to_string())
    }

    /// The same under a uid that somebody else knows it by.
    ///
    /// # Errors
    /// What CRI says.
    pub fn pod_as(&self, name: &str, uid: String) -> Result<Pod<'_>> {
        self.sandbox(name, uid, false)
    }

    /// One that sees the processes of the node (`hostPID`).
    ///
    /// # Errors
    /// What CRI says.
    pub fn pod_of_host(&self, name: &str) -> Result<Pod<'_>> {
        self.sandbox(name, Uuid::new_v4().to_string(), true)
    }

    fn sandbox(&self, name: &str, uid: String, is_host_pid: bool) -> Result<Pod<'_>> {
        let logs = self.directory.join("log-of-pods").join(&uid);
        fs::create_dir_all(&logs)?;
        let spec = PodSpec {
            name: name.to_owned(),
            namespace: POD_NAMESPACE.to_owned(),
            uid,
            log_directory: logs.display().to_string(),
            is_host_pid,
        };
        let sandbox = self.cri.run_pod(&spec)?;
        Ok(Pod { containerd: self, sandbox, spec })
    }
}

/// `version = 2` is what 1.x reads and later ones take over.
fn configuration(directory: &Path, state: &Path, socket: &Path, pause: &str) -> String {
    let (directory, state, socket) = (directory.display(), state.display(), socket.display());
    format!(
        r#"version = 2
root = "{directory}/root"
state = "{state}"
[grpc]
address = "{socket}"
[ttrpc]
address = "{socket}.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
path = "{directory}/opt"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
disable_apparmor = true
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
Root = "{directory}/runc"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{directory}/cni"
conf_dir = "{directory}/cni"
"#
    )
}

impl Drop for Containerd {
    fn drop(&mut self) {
        // Shims outlive containerd by design: a test that failed half-way may have left pods. Nobody is left
        // to tell of those that do not go.
        for pod in self.cri.pods().unwrap_or_default() {
            drop(self.cri.remove_pod(&pod));
        }
    }
}

impl Pod<'_> {
    /// Makes a container of `image` in it and does not start it. `mount` is a path on the host and where the
    /// container finds it.
    ///
    /// # Errors
    /// What CRI says.
    pub fn container(
        &self,
        name: &str,
        image: &str,
        mount: Option<(&str, &str)>,
        command: &[&str],
    ) -> Result<PodContainer<'_>> {
        let bind =
            |(from, to): (&str, &str)| Bind { from: from.to_owned(), to: to.to_owned(), is_read_only: true };
        self.container_of(&ContainerSpec {
            name: name.to_owned(),
            image: image.to_owned(),
            command: command.iter().copied().map(str::to_owned).collect(),
            mounts: mount.map(bind).into_iter().collect(),
            ..ContainerSpec::default()
        })
    }

    /// The same of whatever a manifest may say.
    ///
    /// # Errors
    /// What CRI says.
    pub fn container_of(&self, container: &ContainerSpec) -> Result<PodContainer<'_>> {
        let id = self.containerd.cri.create(&self.sandbox, &self.spec, container)?;
        Ok(PodContainer { pod: self, id, name: container.name.clone() })
    }
}

impl Drop for Pod<'_> {
    fn drop(&mut self) {
        // Nobody is left to tell; the end of containerd tries once more.
        drop(self.containerd.cri.remove_pod(&self.sandbox));
        // Made by runc on the way, and the kubelet's to remove.
        cgroup::remove(&format!("{PODS}/pod{}", self.spec.uid));
    }
}

impl PodContainer<'_> {
    /// Starts its command and leaves it running.
    ///
    /// # Errors
    /// What CRI says.
    pub fn start(&self) -> Result<()> {
        self.cri().start(&self.id)
    }

    /// Runs its command to the end.
    ///
    /// # Errors
    /// What CRI says, or it does not end; a command that fails is no error.
    pub fn run(&self) -> Result<Ended> {
        self.start()?;
        let status = self.ended()?;
        Ok(Ended { status, output: self.log()? })
    }

    /// Awaits the end of its command, and gives the exit status.
    ///
    /// # Errors
    /// What CRI says, or it does not end.
    pub fn ended(&self) -> Result<i32> {
        wait::until(END_MAX, "a container's end", || self.cri().exit_status(&self.id))
    }

    /// What it has written by now: a line has a time, a stream, `F` or `P` and the text (Kubernetes, "CRI Container Log").
    ///
    /// # Errors
    /// There is none.
    pub fn log(&self) -> Result<String> {
        let log = Path::new(&self.pod.spec.log_directory).join(format!("{}.log", self.name));
        fs::read_to_string(&log).with_context(|| format!("reading {}", log.display()))
    }

    /// Asks its command to end.
    ///
    /// # Errors
    /// What CRI says.
    pub fn stop(&self) -> Result<()> {
        self.cri().stop(&self.id)
    }

    /// Runs another command in it, while it runs, to the end.
    ///
    /// # Errors
    /// What CRI says; a command that fails is no error.
    pub fn exec(&self, command: &[&str]) -> Result<Ended> {
        self.cri().exec(&self.id, command)
    }

    fn cri(&self) -> &Cri {
        &self.pod.containerd.cri
    }
}
