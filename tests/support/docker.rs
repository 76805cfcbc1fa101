//! A private dockerd on the tests' own bridge, and containers that run one command each.
//!
//! Its data, sockets and process ids lie in the tests' directory. It asks for no privilege beyond what
//! Docker gives every container, and never for the machine's own daemon.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use rustix::mount::{UnmountFlags, unmount};

use crate::child::{Child, find, run};
use crate::engine::Engine;
use crate::network::{BRIDGE, Network, PREFIX_V6};

/// dockerd with its containerd is up within a second or two; a loaded machine takes longer.
const READY_MAX: Duration = Duration::from_secs(60);

/// The daemon's data root below its directory.
const DATA: &str = "data";

/// Its socket, there as well.
const SOCKET: &str = "docker.sock";

/// Name of the image.
pub const IMAGE: &str = "lab.invalid/tools:live";

/// Docker adds a search path where an image has none; other runtimes take the image at its word.
const PATH: &str = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The same root that only waits: what a pod's sandbox is made of.
pub const PAUSE: &str = "lab.invalid/pause:live";

const REMEDY: &str = "install docker.io";

/// The daemon.
#[derive(Debug)]
pub struct Docker {
    client: PathBuf,
    socket: String,
    directory: PathBuf,
    daemon: Child,
}

/// A container that exists until this value is dropped.
#[derive(Debug)]
pub struct Container<'d> {
    docker: &'d Docker,
    /// 64 hexadecimal digits.
    pub id: String,
    /// The name it was given.
    pub name: String,
}

/// How a container's command ended.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    /// Both its streams, stdout first.
    pub output: String,
}

impl Docker {
    /// Starts the daemon under `directory`, in `network`.
    ///
    /// # Errors
    /// Docker is missing, or does not come up.
    pub fn start(directory: &Path, network: &Network) -> Result<Self> {
        let daemon_path = find(&["/usr/sbin/dockerd", "/usr/bin/dockerd", "/usr/local/bin/dockerd"], REMEDY)?;
        let client = find(&["/usr/bin/docker", "/usr/local/bin/docker"], REMEDY)?;
        let directory = directory.join("docker");
        fs::create_dir_all(&directory)?;
        // The machine's own /etc/docker/daemon.json is none of ours.
        let settings = directory.join("daemon.json");
        fs::write(&settings, "{}")?;
        let socket = format!("unix://{}", directory.join(SOCKET).display());

        let mut command = network.inside(&daemon_path.display().to_string());
        command
            .arg("--config-file")
            .arg(&settings)
            .arg("--data-root")
            .arg(directory.join(DATA))
            .arg("--exec-root")
            .arg(directory.join("exec"))
            .arg("--pidfile")
            .arg(directory.join("pid"))
            .args(["--host", &socket, "--bridge", BRIDGE, "--log-level", "warn"])
            .args(["--ipv6", "--fixed-cidr-v6", PREFIX_V6, "--ip6tables=false"])
            .args(["--iptables=false", "--ip-forward=false", "--ip-masq=false", "--userland-proxy=false"]);
        let daemon = Child::start("dockerd", command, directory.join("log"))?;
        let mut docker = Self { client, socket, directory, daemon };
        let mut probe = docker.client();
        probe.args(["version"]).stdout(Stdio::null()).stderr(Stdio::null());
        docker
            .daemon
            .await_ready(READY_MAX, "its answer to `docker version`", || Ok(probe.status()?.success()))?;
        Ok(docker)
    }

    /// Where it keeps what it knows of its containers.
    #[must_use]
    pub fn data_root(&self) -> PathBuf {
        self.directory.join(DATA)
    }

    /// Its API without its command line.
    #[must_use]
    pub fn engine(&self) -> Engine {
        Engine { socket: self.directory.join(SOCKET) }
    }

    /// Where its API is, as `DOCKER_HOST` has it.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.socket
    }

    /// What a command of the client writes, without the newline at its end.
    ///
    /// # Errors
    /// What the client says.
    pub fn ask(&self, arguments: &[&str]) -> Result<String> {
        let output = run(self.client().args(arguments))?;
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Makes an image of a root file system, called [`IMAGE`].
    ///
    /// # Errors
    /// What `docker import` says.
    pub fn import_image(&self, tar: &Path) -> Result<()> {
        self.import_as(tar, IMAGE)
    }

    /// The same under another name.
    ///
    /// # Errors
    /// As [`Docker::import_image`].
    pub fn import_as(&self, tar: &Path, image: &str) -> Result<()> {
        run(self.client().args(["import", "--change", PATH]).arg(tar).arg(image)).map(drop)
    }

    /// Writes [`IMAGE`] and [`PAUSE`] into one archive, for other runtimes.
    ///
    /// # Errors
    /// What `docker commit` or `docker save` says.
    pub fn save_images(&self, archive: &Path) -> Result<()> {
        // A sandbox that outlives a killed test ends by itself.
        let waiting = self.create("pause", &[], &["sleep", "3600"])?;
        run(self.client().args(["commit", &waiting.id, PAUSE]))?;
        run(self.client().arg("save").arg("--output").arg(archive).args([IMAGE, PAUSE])).map(drop)
    }

    /// Makes a container of [`IMAGE`] and does not start it. `options` are those of `docker create`.
    ///
    /// # Errors
    /// What `docker create` says.
    pub fn create(&self, name: &str, options: &[&str], command: &[&str]) -> Result<Container<'_>> {
        self.create_of(IMAGE, name, options, command)
    }

    /// The same of another image.
    ///
    /// # Errors
    /// As [`Docker::create`].
    pub fn create_of(
        &self,
        image: &str,
        name: &str,
        options: &[&str],
        command: &[&str],
    ) -> Result<Container<'_>> {
        let output =
            run(self.client().args(["create", "--name", name]).args(options).arg(image).args(command))?;
        let id = String::from_utf8(output.stdout)?.trim().to_owned();
        ensure!(id.len() == 64, "`docker create` gave the id {id:?}");
        Ok(Container { docker: self, id, name: name.to_owned() })
    }

    fn client(&self) -> Command {
        let mut command = Command::new(&self.client);
        command.args(["--host", &self.socket]).env("DOCKER_CONFIG", &self.directory).stdin(Stdio::null());
        command
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        // Nobody is left to tell.
        drop(self.daemon.end());
        // It leaves the mount behind that keeps the network of containers without one of their own
        // (`--network=host`), here the tests': a mount keeps its directory.
        let kept = self.directory.join("exec/netns/default");
        if kept.exists() {
            unmount(&kept, UnmountFlags::DETACH).ok();
        }
    }
}

impl Container<'_> {
    /// Runs its command to the end.
    ///
    /// # Errors
    /// The client cannot be started; a command that fails is no error.
    pub fn run(&self) -> Result<Ended> {
        ended(self.docker.client().args(["start", "--attach", &self.id]))
    }

    /// Runs another command in it, while it runs, to the end.
    ///
    /// # Errors
    /// The client cannot be started; a command that fails is no error.
    pub fn exec(&self, command: &[&str]) -> Result<Ended> {
        ended(self.docker.client().args(["exec", &self.id]).args(command))
    }

    /// How long its command ran, by the daemon's clock; zero when it ended before its start was noted.
    ///
    /// # Errors
    /// Its end is not noted yet, or what `docker inspect` says.
    pub fn life(&self) -> Result<Duration> {
        let format = "{{.State.Status}} {{.State.StartedAt}} {{.State.FinishedAt}}";
        let output = run(self.docker.client().args(["inspect", "--format", format, &self.id]))?;
        let text = String::from_utf8(output.stdout)?;
        let times = text.trim().strip_prefix("exited ").context("its end is not noted yet")?;
        let (started, finished) = times.split_once(' ').context("docker inspect gave no two times")?;
        let life = finished.parse::<Timestamp>()?.duration_since(started.parse()?);
        Ok(Duration::try_from(life).unwrap_or_default())
    }

    /// Starts its command and leaves it running.
    ///
    /// # Errors
    /// What `docker start` says.
    pub fn start(&self) -> Result<()> {
        run(self.docker.client().args(["start", &self.id])).map(drop)
    }

    /// Id of its first process, on the host.
    ///
    /// # Errors
    /// It does not run, or what `docker inspect` says.
    pub fn pid(&self) -> Result<u32> {
        let output = run(self.docker.client().args(["inspect", "--format", "{{.State.Pid}}", &self.id]))?;
        let pid = String::from_utf8(output.stdout)?.trim().parse()?;
        ensure!(pid != 0, "{} does not run", self.name);
        Ok(pid)
    }

    /// Its address on the bridge.
    ///
    /// # Errors
    /// It does not run, or what `docker inspect` says.
    pub fn address(&self) -> Result<String> {
        let address = self.inspect("{{.NetworkSettings.IPAddress}}")?;
        ensure!(!address.is_empty(), "{} has no address", self.name);
        Ok(address)
    }

    /// Something when its health check has said that it is well; nothing while none has.
    ///
    /// # Errors
    /// It has ended, or what `docker inspect` says.
    pub fn healthy(&self) -> Result<Option<()>> {
        let state = self.inspect("{{.State.Status}} {{.State.Health.Status}}")?;
        ensure!(state.starts_with("running"), "{} is {state}", self.name);
        Ok(state.ends_with(" healthy").then_some(()))
    }

    /// What it has written so far.
    ///
    /// # Errors
    /// The client cannot be started.
    pub fn output(&self) -> Result<String> {
        Ok(ended(self.docker.client().args(["logs", &self.id]))?.output)
    }

    fn inspect(&self, format: &str) -> Result<String> {
        let output = run(self.docker.client().args(["inspect", "--format", format, &self.id]))?;
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Reads a file of it, running or ended.
    ///
    /// # Errors
    /// There is none, or it cannot be copied out.
    pub fn read(&self, path: &str) -> Result<Vec<u8>> {
        let copy = self.docker.directory.join(format!("{}.copy", self.id));
        run(self.docker.client().arg("cp").arg(format!("{}:{path}", self.id)).arg(&copy))?;
        let bytes = fs::read(&copy).with_context(|| format!("reading the copy of {path}"))?;
        fs::remove_file(&copy)?;
        Ok(bytes)
    }
}

/// Runs a client to its end, whatever that is.
pub(crate) fn ended(command: &mut Command) -> Result<Ended> {
    let output = command.output()?;
    let said = [output.stdout, output.stderr].concat();
    Ok(Ended { status: output.status, output: String::from_utf8_lossy(&said).into_owned() })
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        // Nobody is left to tell; dockerd's own end takes whatever stays.
        drop(run(self.docker.client().args(["rm", "--force", &self.id])));
    }
}
