//! Containers to act in: made here, known by one label, and gone at the end.
//!
//! They have no network but loopback. What scripts talk to is started on this machine within that network.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::process::{Child, Command};

use super::command::{last_line, output, program, run};
use super::runtime::Runtime;
use super::stage::Stage;
use super::{Request, ValidateError, bundle, root};

/// An address in a container's network that is neither private nor loopback by its number, and nobody's: RFC 5737.
pub(super) const REMOTE: &str = "203.0.113.7";

/// A further address of loopback, which rules do not take for a health check.
pub(super) const ADDRESS: &str = "127.0.0.2";

/// How long a container's own program waits: one that nobody removed ends by itself.
pub(super) const LIFE_SECONDS: &str = "3600";

/// Where a container finds the programs that stand in for others: no part of its own files.
pub(super) const STAND: &str = "/opt/tidewaiter";

/// What all of one run carry, with its id.
const LABEL: &str = "tidewaiter.validate";

/// As runtimes set it where an image does not.
pub(super) const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Brings loopback up and gives it the address; loopback is the only device there.
const NETWORK: &str = r#"ip link set lo up && ip address add "$0/32" dev lo"#;

/// How containers are made, and which are there.
#[derive(Debug)]
pub(super) struct Containers {
    runtime: Runtime,
    stage: Arc<Stage>,
    image: String,
    is_own_image: bool,
    /// What the scripts' stand-ins lie in, and what names are asked for at.
    stand: PathBuf,
    resolver: PathBuf,
    count: AtomicU32,
    /// Of runc and crun, which know no labels.
    bundles: Mutex<Vec<String>>,
    /// Where these two keep their state.
    state: Option<PathBuf>,
}

/// One that is there. It is removed by [`Containers::remove`], at last by [`Containers::clear`].
#[derive(Debug)]
pub(super) struct Container {
    /// As the agent tells it; none: this machine.
    pub(super) id: Option<String>,
    /// The word that removes it.
    name: String,
    /// Command that runs its arguments inside.
    pub(super) inside: String,
    /// Command that runs its arguments here, in its network.
    pub(super) beside: String,
    /// Command that runs its arguments in another of the same kind, and where their ids are noted.
    pub(super) spare: Option<(PathBuf, PathBuf)>,
    /// Whether stand-ins can be laid where it sees them.
    pub(super) stand: Option<PathBuf>,
    pub(super) born: Instant,
    /// Keeps the network of a place that is no container.
    _keeper: Option<Child>,
}

impl Containers {
    /// Chooses the runtime and sees to the image.
    ///
    /// # Errors
    /// There is no runtime or no such image.
    pub(super) async fn prepare(stage: Arc<Stage>, request: &Request) -> Result<Self, ValidateError> {
        let runtime = Runtime::choose(request.runtime).await?;
        let image = request.image.clone();
        let stand = stage.open_folder("stand")?;
        let resolver = stage.open_folder("resolver")?.join("resolv.conf");
        std::fs::write(&resolver, format!("nameserver {REMOTE}\n"))
            .map_err(ValidateError::file(&resolver))?;
        let containers = Self {
            runtime,
            is_own_image: image.is_none() && runtime.is_engine(),
            image: image.unwrap_or_else(|| format!("tidewaiter-validate:{}", stage.id)),
            stage,
            stand,
            resolver,
            count: AtomicU32::new(0),
            bundles: Mutex::new(Vec::new()),
            state: request.state.clone().filter(|_| matches!(runtime, Runtime::Runc | Runtime::Crun)),
        };
        if containers.is_own_image {
            containers.import().await?;
        } else if runtime.is_engine() {
            containers.ensure_image().await?;
        } else if !containers.image.ends_with(&containers.stage.id) {
            return Err(ValidateError::Imageless(runtime.name()));
        }
        Ok(containers)
    }

    pub(super) fn runtime(&self) -> Runtime {
        self.runtime
    }

    fn client(&self) -> Command {
        let mut command = program(self.runtime.name());
        if let Some(state) = &self.state {
            command.arg("--root").arg(state);
        }
        command
    }

    /// Makes an image of a root that has nothing but folders.
    async fn import(&self) -> Result<(), ValidateError> {
        let folder = self.stage.folder("root")?;
        root::lay_out(&folder)?;
        let archive = self.stage.path("root.tar");
        run("packing a root", program("tar").arg("-cf").arg(&archive).arg("-C").arg(&folder).arg("."))
            .await?;
        let change = format!("ENV {PATH}");
        let mut import = self.client();
        import.args(["import", "--change", &change]).arg(&archive).arg(&self.image);
        run("importing an image", &mut import).await.map(drop)
    }

    async fn ensure_image(&self) -> Result<(), ValidateError> {
        let inspect = async |kind: &str| {
            let mut command = self.client();
            let outcome = output("asking for the image", command.args([kind, "inspect", &self.image])).await;
            outcome.map(|output| output.status.success())
        };
        if inspect("image").await? {
            return Ok(());
        }
        let is_container = inspect("container").await?;
        let image = self.image.clone();
        Err(if is_container { ValidateError::Foreign(image) } else { ValidateError::NoImage(image) })
    }

    /// Makes a new one, with its network, and starts it.
    ///
    /// # Errors
    /// The runtime says no, or runs it on another machine.
    pub(super) async fn make(&self) -> Result<Container, ValidateError> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let name = format!("tidewaiter-validate-{}-{number}", self.stage.id);
        match self.runtime {
            Runtime::Docker | Runtime::Podman => self.make_by_engine(name).await,
            Runtime::Runc | Runtime::Crun => self.make_bundle(name).await,
            Runtime::Host => self.make_network(name).await,
        }
    }

    /// This machine, for what needs no container.
    pub(super) fn host() -> Container {
        Container {
            id: None,
            name: String::new(),
            inside: String::new(),
            beside: String::new(),
            spare: None,
            stand: None,
            born: Instant::now(),
            _keeper: None,
        }
    }

    async fn make_by_engine(&self, name: String) -> Result<Container, ValidateError> {
        let mut command = self.client();
        command.args(["run", "--detach", "--name", &name, "--network", "none"]).args(self.options());
        command.args(["--entrypoint", "sleep", &self.image, LIFE_SECONDS]);
        let id = run("making a container", &mut command).await?;
        let mut inspect = self.client();
        inspect.args(["inspect", "--format", "{{.State.Pid}}", &id]);
        let pid = run("asking for the container's process", &mut inspect).await?;
        // The agent sees this machine only.
        let cgroups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        if !cgroups.contains(&id) {
            return Err(ValidateError::Elsewhere(name));
        }
        let beside = join_network(&pid).await?;
        let spare = Some(self.write_spare(&name)?);
        let inside = format!("{} exec -i {name}", self.runtime.name());
        Ok(self.container(Some(id), name, inside, beside, spare))
    }

    /// Options that all share, but for name and network.
    fn options(&self) -> Vec<String> {
        let bind = |from: &Path, to: &str| {
            ["--mount".to_owned(), format!("type=bind,source={},target={to},readonly", from.display())]
        };
        // Its program waits and takes no notice of anything gentler; runtimes would wait for it.
        let mut options = vec![format!("--label={LABEL}={}", self.stage.id), "--stop-signal=KILL".to_owned()];
        if self.is_own_image {
            options.extend(root::tools().iter().flat_map(|path| bind(path, &path.display().to_string())));
        } else {
            // Nothing is fetched: the image is there, or it is told that it is not.
            options.push("--pull=never".to_owned());
        }
        options.extend(bind(&self.resolver, "/etc/resolv.conf"));
        options.extend(bind(&self.stand, STAND));
        options
    }

    /// A script that runs its arguments in another container of the same image and network, and notes its id.
    fn write_spare(&self, name: &str) -> Result<(PathBuf, PathBuf), ValidateError> {
        let folder = self.stage.folder("spare")?;
        let ids = folder.join("ids");
        let options: String = self.options().iter().map(|option| format!(" '{option}'")).collect();
        let text = format!(
            "#!/bin/sh\nprogram=$1\nshift\n\
             id=$({client} create --network 'container:{name}'{options} --entrypoint \"$program\" '{image}' \"$@\") || exit\n\
             echo \"$id\" >>'{ids}'\n\
             {client} start --attach \"$id\"\nstatus=$?\n\
             {client} rm --force --volumes \"$id\" >/dev/null\nexit \"$status\"\n",
            client = self.runtime.name(),
            image = self.image,
            ids = ids.display(),
        );
        Ok((self.stage.write(folder.join("spare"), &text)?, ids))
    }

    async fn make_bundle(&self, name: String) -> Result<Container, ValidateError> {
        let folder = self.stage.folder("bundle")?;
        let mounts = [(self.resolver.as_path(), "/etc/resolv.conf"), (self.stand.as_path(), STAND)];
        bundle::write(&folder, &name, &mounts)?;
        self.bundles.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
        let id_file = folder.join("pid");
        let mut command = self.client();
        command.args(["run", "--detach", "--bundle"]).arg(&folder).arg("--pid-file").arg(&id_file).arg(&name);
        // Its program has the streams of whoever starts it, and would hold a pipe open.
        let said = folder.join("said");
        let file = std::fs::File::create(&said).map_err(ValidateError::file(&said))?;
        command.stdout(Stdio::null()).stderr(file);
        let mut running = command.spawn().map_err(|error| failed("making a container", &error))?;
        let status = running.wait().await.map_err(|error| failed("making a container", &error))?;
        if !status.success() {
            let reason = std::fs::read(&said).ok().and_then(|said| last_line(&said));
            return Err(failed("making a container", &reason.unwrap_or_else(|| status.to_string())));
        }
        let pid = std::fs::read_to_string(&id_file).map_err(ValidateError::file(&id_file))?;
        let beside = join_network(pid.trim()).await?;
        let state =
            self.state.as_ref().map(|state| format!("--root {} ", state.display())).unwrap_or_default();
        let inside = format!("{} {state}exec {name}", self.runtime.name());
        Ok(self.container(Some(name.clone()), name, inside, beside, None))
    }

    /// No container, only a network: a process that waits for the end of its input keeps it.
    async fn make_network(&self, name: String) -> Result<Container, ValidateError> {
        let mut command = program("unshare");
        command.args(["--net", "--", "sh", "-c", "echo ready; exec cat"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = command.spawn().map_err(|error| failed("making a network", &error))?;
        let mut word = [0; "ready".len()];
        if let Some(stdout) = keeper.stdout.as_mut() {
            let read = tokio::io::AsyncReadExt::read_exact(stdout, &mut word).await;
            read.map_err(|error| failed("making a network", &error))?;
        }
        let pid = keeper.id().map(|id| id.to_string()).unwrap_or_default();
        let beside = join_network(&pid).await?;
        let mut container = self.container(None, name, beside.clone(), beside, None);
        container.stand = None;
        container._keeper = Some(keeper);
        Ok(container)
    }

    fn container(
        &self,
        id: Option<String>,
        name: String,
        inside: String,
        beside: String,
        spare: Option<(PathBuf, PathBuf)>,
    ) -> Container {
        let (stand, born) = (Some(self.stand.clone()), Instant::now());
        Container { id, name, inside, beside, spare, stand, born, _keeper: None }
    }

    /// Removes one that this value made.
    ///
    /// # Errors
    /// The runtime says no.
    pub(super) async fn remove(&self, container: Container) -> Result<(), ValidateError> {
        let mut command = self.client();
        match self.runtime {
            Runtime::Host => return Ok(()),
            Runtime::Docker | Runtime::Podman if container.id.is_none() => return Ok(()),
            Runtime::Docker | Runtime::Podman => {
                command.args(["rm", "--force", "--volumes", &container.name])
            }
            Runtime::Runc | Runtime::Crun => {
                let mut bundles = self.bundles.lock().unwrap_or_else(PoisonError::into_inner);
                bundles.retain(|name| *name != container.name);
                command.args(["delete", "--force", &container.name])
            }
        };
        run("removing a container", &mut command).await.map(drop)
    }

    /// Removes all that is left: containers by their label, then the image.
    ///
    /// # Errors
    /// The runtime says no.
    pub(super) async fn clear(&self) -> Result<(), ValidateError> {
        if self.runtime.is_engine() {
            let filter = format!("label={LABEL}={}", self.stage.id);
            let mut list = self.client();
            list.args(["ps", "--all", "--quiet", "--no-trunc", "--filter", &filter]);
            let left = run("asking for containers that are left", &mut list).await?;
            if !left.is_empty() {
                let mut command = self.client();
                command.args(["rm", "--force", "--volumes"]).args(left.split_whitespace());
                run("removing containers", &mut command).await?;
            }
            if self.is_own_image {
                run("removing the image", self.client().args(["image", "rm", &self.image])).await?;
            }
        }
        let bundles = std::mem::take(&mut *self.bundles.lock().unwrap_or_else(PoisonError::into_inner));
        for name in bundles {
            run("removing a container", self.client().args(["delete", "--force", &name])).await?;
        }
        Ok(())
    }
}

fn failed(what: &str, reason: &dyn std::fmt::Display) -> ValidateError {
    ValidateError::Command { what: what.to_owned(), reason: reason.to_string() }
}

/// Gives the network of a process its address; returns the command that runs its arguments there.
async fn join_network(pid: &str) -> Result<String, ValidateError> {
    let beside = format!("nsenter --net=/proc/{pid}/ns/net");
    let mut words = beside.split_whitespace();
    let mut command = program(words.next().unwrap_or_default());
    command.args(words).args(["sh", "-c", NETWORK, REMOTE]);
    run("giving a container an address", &mut command).await?;
    Ok(beside)
}
