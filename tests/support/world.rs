//! The set-up that the live tests share: one network, one dockerd, one of each server, one rsyslogd,
//! one agent. Made once, on the main thread, and taken down in the reverse order of need.

use std::cell::{Cell, OnceCell, RefCell, RefMut};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::geteuid;
use tempfile::TempDir;

use crate::agent::Agent;
use crate::bundle::{Bundle, BundleSpec, Program};
use crate::child::bound;
use crate::containerd::Containerd;
use crate::docker::{Container, Docker, PAUSE};
use crate::network::Network;
use crate::podman::Podman;
use crate::rsyslog::{self, Rsyslog};
use crate::server::Servers;

/// Bytes that every transfer moves: more than one TCP window, little enough to be quick. They repeat
/// after 252, so that no block equals its neighbour.
const PAYLOAD_BYTES: usize = 256 * 1024;

/// Where a container finds the client key, ssh's settings, the payload and an sftp batch.
pub const SHARED: &str = "/lab";

/// The same on the host, below the tests' directory.
const SHARED_FOLDER: &str = "shared";

/// ssh's settings in the containers, taken up by `-F`: no questions, nothing remembered.
const SSH_CONFIG: &str = "\
IdentityFile /lab/key
StrictHostKeyChecking no
UserKnownHostsFile /dev/null
LogLevel ERROR
";

/// Every agent's configuration, below the tests' directory.
const CONFIGURATION: &str = "tidewaiter.yaml";

/// Where the first agent answers, below the tests' directory.
pub const CONTROL: &str = "run/agent.sock";

/// Where monitoring asks the first agent, below the tests' directory.
pub const METRICS: &str = "run/metrics.sock";

/// All parts. Fields fall in the order in which they are written.
#[derive(Debug)]
pub struct World {
    agent: RefCell<Agent>,
    pub rsyslog: Rsyslog,
    containerd: OnceCell<Containerd>,
    pub docker: Docker,
    pub servers: Servers,
    network: Network,
    /// What every transfer moves.
    pub payload: Vec<u8>,
    binary: PathBuf,
    mount: String,
    count: Cell<u32>,
    directory: TempDir,
}

impl World {
    /// Makes all of it.
    ///
    /// # Errors
    /// Not root, the lab or the agent's binary is absent, or a part does not come up.
    pub fn start() -> Result<Self> {
        ensure!(
            geteuid().is_root(),
            "the live tests load kernel programs and run containers: run them as root"
        );
        let binary = artefact("TIDEWAITER_BIN", "target/release/tidewaiter", "cargo xtask build --release")?;
        let lab = artefact("TIDEWAITER_LAB", "target/lab", "cargo xtask setup")?;
        let tar = lab.join("image.tar");
        ensure!(tar.is_file(), "the lab has no {}: make it with `cargo xtask setup`", tar.display());

        let directory = TempDir::with_prefix("tidewaiter-live-")?;
        // The refusal tests run the binary as nobody, who must be able to reach it.
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755))?;
        let own_binary = directory.path().join("tidewaiter");
        fs::copy(&binary, &own_binary).with_context(|| format!("copying {}", binary.display()))?;

        // Without what `curl -d` leaves out of a file.
        let bytes = (0..u8::MAX).filter(|byte| !b"\0\n\r".contains(byte));
        let payload = bytes.cycle().take(PAYLOAD_BYTES).collect::<Vec<_>>();
        let network = Network::start()?;
        let docker = Docker::start(directory.path(), &network)?;
        docker.import_image(&tar)?;
        let servers = Servers::start(directory.path(), &tar, &network, &payload)?;
        let rsyslog = Rsyslog::start(&directory.path().join("rsyslog"), rsyslog::free_address()?)?;
        let mount = share(directory.path(), &servers, &payload)?;
        fs::write(directory.path().join(CONFIGURATION), configuration(directory.path(), &docker))?;
        let receiver = format!("tcp://{}", rsyslog.address);
        let mut agent = spawn(&own_binary, directory.path(), "shared", &["--syslog", &receiver])?;
        agent.await_ready()?;
        let agent = RefCell::new(agent);
        Ok(Self {
            agent,
            rsyslog,
            containerd: OnceCell::new(),
            docker,
            servers,
            network,
            payload,
            binary: own_binary,
            mount,
            count: Cell::new(0),
            directory,
        })
    }

    /// containerd with the lab's image, started by whoever asks first.
    ///
    /// # Errors
    /// It does not come up, or does not take the image.
    pub fn containerd(&self) -> Result<&Containerd> {
        if let Some(containerd) = self.containerd.get() {
            return Ok(containerd);
        }
        let containerd = Containerd::start(self.directory(), &self.network, PAUSE)?;
        containerd.import(&self.archive()?)?;
        Ok(self.containerd.get_or_init(|| containerd))
    }

    /// A Podman with the lab's image.
    ///
    /// # Errors
    /// It does not take the image.
    pub fn podman(&self) -> Result<Podman<'_>> {
        Podman::start(self.directory(), &self.network, &self.archive()?)
    }

    /// A container that runc or crun alone runs, not started. Its root is the servers'.
    ///
    /// # Errors
    /// The program is missing.
    pub fn bundle(&self, program: Program, id: &str, command: &[&str]) -> Result<Bundle<'_>> {
        let mount = (self.shared(), SHARED);
        let spec = BundleSpec { id, root: &self.servers.root, mount: (&mount.0, mount.1), command };
        Bundle::make(self.directory(), &self.network, program, &spec)
    }

    /// The lab's image as other runtimes take it.
    fn archive(&self) -> Result<PathBuf> {
        let archive = self.directory().join("image.tar");
        if !archive.exists() {
            self.docker.save_images(&archive)?;
        }
        Ok(archive)
    }

    /// What containers find at [`SHARED`]: its path on the host.
    #[must_use]
    pub fn shared(&self) -> PathBuf {
        self.directory().join(SHARED_FOLDER)
    }

    /// What Docker and Podman need as `--volume`, so that a container finds [`SHARED`].
    #[must_use]
    pub fn volume(&self) -> &str {
        &self.mount
    }

    /// The agent that all transfer and silence tests share.
    pub fn agent(&self) -> RefMut<'_, Agent> {
        self.agent.borrow_mut()
    }

    /// Another agent with its own log, for tests of its start and end.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn another_agent(&self, name: &str, arguments: &[&str]) -> Result<Agent> {
        spawn(&self.binary, self.directory.path(), name, arguments)
    }

    /// Another agent, with more in its configuration.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn agent_with(&self, name: &str, settings: &str) -> Result<Agent> {
        let own = fs::read_to_string(self.directory().join(CONFIGURATION))?;
        let path = self.directory().join(format!("{name}.yaml"));
        fs::write(&path, own + settings)?;
        let mut command = bound(&self.binary);
        command.args(["run", "--format", "json", "--config"]).arg(path);
        Agent::start(command, self.directory().join(format!("agent-{name}.log")))
    }

    /// An agent that tells every event instead of alerts.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn observer(&self, name: &str, arguments: &[&str]) -> Result<Agent> {
        launch(&self.binary, self.directory.path(), "events", name, arguments)
    }

    /// A container of the lab's image, not started, that runs `command`.
    ///
    /// # Errors
    /// What `docker create` says.
    pub fn container(&self, name: &str, command: &[&str]) -> Result<Container<'_>> {
        self.container_with(name, &[], command)
    }

    /// The same with further options of `docker create`.
    ///
    /// # Errors
    /// What `docker create` says.
    pub fn container_with(&self, name: &str, options: &[&str], command: &[&str]) -> Result<Container<'_>> {
        let number = self.count.get() + 1;
        self.count.set(number);
        let options = [&["--volume", &self.mount], options].concat();
        self.docker.create(&format!("{name}-{number}"), &options, command)
    }

    /// Runs `program` on the host, outside of any container but in the tests' network, to its end; returns
    /// the process id it had.
    ///
    /// # Errors
    /// It cannot be started, or fails.
    pub fn run_on_host(&self, program: &str, arguments: &[&str]) -> Result<u32> {
        // `inside` executes its way from program to program: the id stays.
        let mut command = self.network.inside(program);
        let mut child = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let id = child.id();
        let status = child.wait()?;
        ensure!(status.success(), "{program} on the host ended with {status}");
        Ok(id)
    }

    /// Where the servers are.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The agent's binary, where everybody may run it.
    #[must_use]
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// Every agent's configuration.
    #[must_use]
    pub fn configuration(&self) -> PathBuf {
        self.directory().join(CONFIGURATION)
    }

    /// A directory that goes with the tests.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

/// With an outbox of its own, unless `arguments` name one.
fn spawn(binary: &Path, directory: &Path, name: &str, arguments: &[&str]) -> Result<Agent> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let outbox = directory.join(format!("outbox/{number}-{name}")).display().to_string();
    let own = ["--outbox", &outbox];
    let own = if arguments.contains(&"--outbox") { &own[..0] } else { &own[..] };
    launch(binary, directory, "run", name, &[own, arguments].concat())
}

fn launch(binary: &Path, directory: &Path, what: &str, name: &str, arguments: &[&str]) -> Result<Agent> {
    let mut command = bound(binary);
    command.args([what, "--format", "json", "--config"]).arg(directory.join(CONFIGURATION)).args(arguments);
    Agent::start(command, directory.join(format!("agent-{name}.log")))
}

/// Names of containers stand in the files of the runtimes that made them.
fn configuration(directory: &Path, docker: &Docker) -> String {
    let list = |key: &str, paths: &[PathBuf]| {
        let paths = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
        format!("  {key}: [{}]\n", paths.join(", "))
    };
    let roots = [
        list("docker", &[docker.data_root()]),
        list("containerd", &[Containerd::state(directory)]),
        list("storage", &Podman::roots(directory)),
        list("runc", &[Program::Runc, Program::Crun].map(|program| program.state(directory))),
    ];
    // Whoever runs an agent on this machine keeps its socket. The tests' images come from no registry of the default list.
    let lists = "placeholders:\n  AllowedRegistries: [lab.invalid, docker.io]\n";
    let (control, metrics) = (directory.join(CONTROL), directory.join(METRICS));
    let sockets = format!("control: {}\nmetrics: {{socket: {}}}\n", control.display(), metrics.display());
    format!("containers:\n{}{sockets}{lists}", roots.concat())
}

/// Lays out what containers see at [`SHARED`]; returns the value of Docker's `--volume`.
fn share(directory: &Path, servers: &Servers, payload: &[u8]) -> Result<String> {
    let folder = directory.join(SHARED_FOLDER);
    fs::create_dir(&folder)?;
    fs::copy(&servers.client_key, folder.join("key"))?;
    fs::set_permissions(folder.join("key"), Permissions::from_mode(0o600))?;
    fs::write(folder.join("payload.bin"), payload)?;
    fs::write(folder.join("ssh_config"), SSH_CONFIG)?;
    fs::write(folder.join("put"), "put /lab/payload.bin /srv/lab/upload/sftp.bin\n")?;
    Ok(format!("{}:{SHARED}:ro", folder.display()))
}

/// What `variable` names, or `default` below the workspace.
///
/// # Errors
/// It is not there: the sentence names `remedy`.
pub fn artefact(variable: &str, default: &str, remedy: &str) -> Result<PathBuf> {
    let given = std::env::var_os(variable).map(PathBuf::from);
    // Cargo runs tests in their package's folder, one below the workspace.
    let path = given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(default));
    match path.canonicalize() {
        Ok(path) => Ok(path),
        Err(error) => {
            bail!("{}: {error}; make it with `{remedy}`, or name it in {variable}", path.display())
        }
    }
}

/// Seconds after which an agent that should have refused to start is ended (status 124).
const REFUSAL_MAX: &str = "10";

/// Runs the agent's binary to its end under `prefix`, a program that takes privileges away first.
///
/// # Errors
/// It cannot be started.
pub fn output_under(prefix: &[&str], binary: &Path, arguments: &[&str]) -> Result<std::process::Output> {
    let (program, leading) = prefix.split_first().context("an empty prefix")?;
    let mut command = Command::new("timeout");
    command.args([REFUSAL_MAX, program]).args(leading).arg(binary).args(arguments);
    command.output().with_context(|| format!("starting {command:?}"))
}
