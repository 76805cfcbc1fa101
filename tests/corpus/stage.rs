//! The stage: a network, a dockerd, the everyday image, an agent that judges and one that learns.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rustix::process::geteuid;
use tempfile::TempDir;
use tests::agent::{Agent, Line};
use tests::child::{bound, run};
use tests::docker::{Container, Docker};
use tests::network::Network;
use tests::wait;
use tests::world::artefact;

use crate::work::{SERVERS, Server, WORKS, Work};

/// Of Docker's hub, as most images are.
const IMAGE: &str = "everyday/corpus:1";

/// The same as a baseline names it.
const LEARNED: &str = "everyday/corpus";

/// A server is up within seconds; a health check comes every second.
const HEALTHY_MAX: Duration = Duration::from_secs(60);

/// From the marker to its alert.
const ALERT_MAX: Duration = Duration::from_secs(20);

/// Longer than all of it: the learner is told when to end.
const LEARN: &str = "1h";

pub(crate) struct Stage {
    judge: Agent,
    learner: Agent,
    docker: Docker,
    _network: Network,
    binary: PathBuf,
    config: PathBuf,
    directory: TempDir,
}

impl Stage {
    pub(crate) fn start() -> Result<Self> {
        ensure!(geteuid().is_root(), "the corpus loads kernel programs and runs containers: run it as root");
        let binary = artefact("TIDEWAITER_BIN", "target/release/tidewaiter", "cargo xtask build --release")?;
        let tar = artefact("TIDEWAITER_LAB", "target/lab", "cargo xtask setup")?.join("corpus.tar");
        ensure!(tar.is_file(), "the lab has no {}: make it with `cargo xtask setup`", tar.display());
        let directory = TempDir::with_prefix("tidewaiter-corpus-")?;
        let network = Network::start()?;
        let docker = Docker::start(directory.path(), &network)?;
        docker.import_as(&tar, IMAGE)?;
        fs::create_dir(directory.path().join("keys"))?;
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/script"), &directory.path().join("script"))?;
        // The default configuration, but for where this dockerd keeps its containers, and a socket of its own.
        let config = directory.path().join("tidewaiter.yaml");
        let (roots, socket) = (docker.data_root(), directory.path().join("run/agent.sock"));
        let (roots, socket) = (roots.display(), socket.display());
        let text =
            format!("containers:\n  docker: [{roots}]\ncontrol: {socket}\nmetrics: {{socket: null}}\n");
        fs::write(&config, text)?;
        let mut command = bound(&binary);
        command.args(["run", "--format", "json", "--config"]).arg(&config);
        let mut judge = Agent::start(command, directory.path().join("judge.log"))?;
        judge.await_ready()?;
        let mut command = bound(&binary);
        command
            .args(["baseline", "learn", "--for", LEARN, "--out"])
            .arg(directory.path().join("learned.json"));
        command.arg("--config").arg(&config);
        let learner = Agent::start(command, directory.path().join("learner.log"))?;
        Ok(Self { judge, learner, docker, _network: network, binary, config, directory })
    }

    /// Does all of it; returns the alerts. What happened meanwhile has been learned, and by that the same work is
    /// nothing new, and other work is.
    pub(crate) fn play(&mut self) -> Result<Vec<Line>> {
        let Self { judge, learner, docker, directory, binary, config, .. } = self;
        let scene = Scene::open(docker, directory.path())?;
        let marker = scene.play()?;
        judge.await_line(ALERT_MAX, "the marker's alert", |line| line.is_alert_of(&marker))?;
        let alerts = judge.lines_so_far(|line| line.is("alert") && line.text("container.id") != marker)?;
        let (status, _) = learner.stop()?;
        ensure!(status.success(), "learning ended with {status}: {}", learner.log()?);
        let learned = directory.path().join("learned.json");
        println!("{}", ensure_learned(&learned)?);
        let mut command = bound(&*binary);
        command.args(["run", "--format", "json", "--config"]).arg(config).arg("--baseline").arg(learned);
        command.arg("--control").arg(directory.path().join("run/third.sock"));
        let mut third = Agent::start(command, directory.path().join("third.log"))?;
        third.await_ready()?;
        println!("{}", scene.ensure_news(&mut third)?);
        Ok(alerts)
    }
}

/// The servers, and where containers are made that reach them.
struct Scene<'s> {
    docker: &'s Docker,
    directory: &'s Path,
    /// Options that name the servers to a container.
    hosts: Vec<String>,
    servers: Vec<(&'static str, Container<'s>)>,
}

impl<'s> Scene<'s> {
    /// Starts the servers and waits until they are well.
    fn open(docker: &'s Docker, directory: &'s Path) -> Result<Self> {
        let mut scene = Self { docker, directory, hosts: Vec::new(), servers: Vec::new() };
        for server in &SERVERS {
            let container = scene.serve(server)?;
            scene.hosts.push(format!("--add-host={}:{}", server.name, container.address()?));
            scene.servers.push((server.name, container));
        }
        for (name, container) in &scene.servers {
            wait::until(HEALTHY_MAX, &format!("the health of {name}"), || container.healthy())
                .with_context(|| container.output().unwrap_or_default())?;
        }
        Ok(scene)
    }

    /// Does all of it, and at last what must alert: once that alert is here, all before has been judged. Returns the
    /// container of the last.
    fn play(&self) -> Result<String> {
        for work in &WORKS {
            let began = Instant::now();
            self.work(work)?;
            println!("ok      {:<12} {:.1} s", work.name, began.elapsed().as_secs_f32());
        }
        let central = self.servers.iter().find(|(name, _)| *name == "logs").map(|(_, container)| container);
        let central = central.context("no log server")?;
        wait::until(ALERT_MAX, "the last line at the log server", || {
            let text = central.exec(&["tail", "-n", "1", "/var/log/central.log"])?;
            Ok(text.output.contains("the last order").then_some(()))
        })?;
        Ok(self.run("marker", "marker.sh")?.id.clone())
    }

    /// By what was learned: the same work is nothing new, and other work is.
    fn ensure_news(&self, agent: &mut Agent) -> Result<String> {
        let same = self.run("again", "pip.sh")?.id.clone();
        let other = self.run("news", "news.sh")?.id.clone();
        for title in ["Program new for its image", "Destination new for its image"] {
            agent.await_line(ALERT_MAX, title, |line| {
                line.is_alert_of(&other) && line.document.to_string().contains(title)
            })?;
        }
        let told = agent.alerts_of(&same)?;
        let wrong = told.iter().find(|line| line.document.to_string().contains("new for its image"));
        ensure!(
            wrong.is_none(),
            "the same work is said to be new: {}",
            wrong.map_or("", |line| line.text("message"))
        );
        Ok("by what was learned the same work is nothing new, and other work is".to_owned())
    }

    fn container(&self, name: &str, options: &[&str], script: &str) -> Result<Container<'s>> {
        let volumes = ["script:/corpus:ro", "keys:/keys"]
            .map(|volume| format!("--volume={}/{volume}", self.directory.display()));
        let mut all: Vec<&str> = self.hosts.iter().chain(&volumes).map(String::as_str).collect();
        all.extend(options);
        self.docker.create_of(IMAGE, name, &all, &["sh", &format!("/corpus/{script}")])
    }

    fn serve(&self, server: &Server) -> Result<Container<'s>> {
        let health = format!("--health-cmd={}", server.health);
        let user = format!("--user={}", server.user);
        let options = [&health, "--health-interval=1s", "--health-retries=60", &user];
        let container = self.container(server.name, &options, server.script)?;
        container.start()?;
        Ok(container)
    }

    fn work(&self, work: &Work) -> Result<()> {
        let Some((_, server)) = self.servers.iter().find(|(name, _)| Some(*name) == work.within) else {
            return self.run(work.name, work.script).map(drop);
        };
        let ended = server.exec(&["sh", &format!("/corpus/{}", work.script)])?;
        ensure!(ended.status.success(), "{} ended with {}: {}", work.name, ended.status, ended.output);
        Ok(())
    }

    /// Runs a script in a container of its own to the end.
    fn run(&self, name: &str, script: &str) -> Result<Container<'s>> {
        let container = self.container(name, &[], script)?;
        let ended = container.run()?;
        ensure!(ended.status.success(), "{name} ended with {}: {}", ended.status, ended.output);
        Ok(container)
    }
}

/// What happened was learned.
fn ensure_learned(path: &Path) -> Result<String> {
    let baseline: serde_json::Value = serde_json::from_str(&fs::read_to_string(path)?)?;
    let normal = baseline.pointer("/images").and_then(|images| images.get(LEARNED));
    let normal = normal.with_context(|| format!("{LEARNED} was not learned: {baseline}"))?;
    let executables: Vec<&str> = normal
        .get("executables")
        .and_then(|list| list.as_array())
        .into_iter()
        .flatten()
        .filter_map(|it| it.as_str())
        .collect();
    for path in ["/usr/sbin/nginx", "/usr/bin/rsync", "/usr/bin/apt-get"] {
        ensure!(executables.contains(&path), "{path} was not learned: {executables:?}");
    }
    let destinations =
        normal.get("destinations").and_then(|map| map.as_object()).context("no destinations")?;
    let pushed =
        destinations.iter().find(|(name, _)| name.ends_with(":873")).context("rsync was not learned")?;
    ensure!(pushed.1.as_u64() > Some(10_000), "the backup sent more than {}", pushed.1);
    Ok(format!(
        "learned {} executables and {} destinations; {} had {} bytes",
        executables.len(),
        destinations.len(),
        pushed.0,
        pushed.1
    ))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    run(bound("cp").arg("-r").arg(from).arg(to)).map(drop)
}
