//! The Kubernetes source against a real API server: what it tells, and what it does when the server refuses, hangs,
//! forgets or breaks off.
//!
//! Run with `cargo xtask test cluster [-- WORD]`; WORD keeps the cases whose name has it.
#![expect(clippy::print_stdout, reason = "this is the test runner: its report is its purpose")]

mod ask;
mod fail;
mod pod;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use sensor_user::source::kubernetes::{Kubernetes, Mode, Patience, start_with};
use sensor_user::state::pod::PodUpdate;
use tests::cluster::Cluster;
use tests::wait;

/// An update comes within milliseconds; a pause after a failure and a busy machine are within this.
const TOLD_MAX: Duration = Duration::from_secs(20);
/// The node that the source is of.
const NODE: &str = "node-1";
/// The account and its rights as they are handed out.
const ACCOUNT: &str = include_str!("../../deploy/kubernetes/base/account.yaml");
const RIGHTS: &str = include_str!("../../deploy/kubernetes/component/api/rbac.yaml");

/// One thing that must hold.
struct Case {
    name: &'static str,
    run: fn(&World) -> Result<()>,
}

/// The server, and how to reach it.
struct World {
    cluster: RefCell<Cluster>,
}

/// A source at work, and all it has told.
struct Source {
    take: Box<dyn FnMut() -> Option<PodUpdate>>,
    told: Vec<PodUpdate>,
}

impl World {
    fn start(directory: &Path) -> Result<Self> {
        let lab = std::env::var_os("TIDEWAITER_LAB").map(PathBuf::from);
        let lab = lab.context("TIDEWAITER_LAB is not set: run `cargo xtask test cluster`")?;
        let cluster = Cluster::start(&lab, directory)?;
        cluster.create(ACCOUNT).context("deploy/kubernetes/base/account.yaml")?;
        cluster.create(RIGHTS).context("deploy/kubernetes/component/api/rbac.yaml")?;
        cluster.create(pod::NAMESPACE)?;
        Ok(Self { cluster: RefCell::new(cluster) })
    }

    /// A kubeconfig of the account of `deploy/kubernetes`, through `port`.
    fn kubeconfig(&self, port: u16) -> Result<PathBuf> {
        let cluster = self.cluster.borrow();
        let token = cluster.token("tidewaiter", "tidewaiter")?;
        cluster.kubeconfig("kubeconfig", &token, port, true)
    }

    /// A source with those rights.
    fn source(&self) -> Result<Source> {
        let port = self.cluster.borrow().port();
        Source::start(&self.kubeconfig(port)?)
    }
}

impl Source {
    /// With times to wait that suit a test.
    fn start(kubeconfig: &Path) -> Result<Self> {
        let settings = Kubernetes {
            mode: Mode::On,
            kubeconfig: Some(kubeconfig.to_owned()),
            node: Some(NODE.to_owned()),
        };
        let patience = Patience {
            connect: Duration::from_secs(2),
            answer: Duration::from_secs(3),
            watch: Duration::from_secs(3),
            silence: Duration::from_secs(2),
            pause: Duration::from_millis(50),
            pause_max: Duration::from_millis(400),
            refused: Duration::from_secs(600),
        };
        let mut updates = start_with(&settings, patience)?.context("nobody is asked")?;
        Ok(Self { take: Box::new(move || updates.try_recv().ok()), told: Vec::new() })
    }

    /// Waits for the first update from now on of which `want` makes something.
    fn until<T>(&mut self, what: &str, mut want: impl FnMut(&PodUpdate) -> Option<T>) -> Result<T> {
        let found = wait::until(TOLD_MAX, what, || {
            while let Some(update) = (self.take)() {
                let wanted = want(&update);
                self.told.push(update);
                if wanted.is_some() {
                    return Ok(wanted);
                }
            }
            Ok(None)
        });
        found.with_context(|| format!("the last that were told: {:#?}", self.last()))
    }

    /// Waits until it listens, or has found that it cannot.
    fn until_listening(&mut self, is_listening: bool) -> Result<()> {
        self.until(&format!("listening to be {is_listening}"), |update| {
            (*update == PodUpdate::Listening(is_listening)).then_some(())
        })
    }

    /// Lists that were told so far.
    fn lists(&self) -> usize {
        self.told.iter().filter(|update| matches!(update, PodUpdate::Listed(_))).count()
    }

    fn last(&self) -> &[PodUpdate] {
        const LAST: usize = 4;
        self.told.get(self.told.len().saturating_sub(LAST)..).unwrap_or_default()
    }
}

fn main() -> ExitCode {
    let words = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect::<Vec<_>>();
    let chosen = |case: &Case| words.is_empty() || words.iter().any(|word| case.name.contains(word.as_str()));
    let cases: Vec<Case> = ask::cases().into_iter().chain(fail::cases()).filter(chosen).collect();
    let began = Instant::now();
    let directory = match tempfile::tempdir() {
        Ok(directory) => directory,
        Err(error) => {
            println!("no directory for the server: {error}");
            return ExitCode::FAILURE;
        }
    };
    let world = match World::start(directory.path()) {
        Ok(world) => world,
        Err(error) => {
            println!("the API server cannot start: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    println!("{} tests; API server up in {:.1} s\n", cases.len(), began.elapsed().as_secs_f32());
    let failed = cases.iter().filter(|case| !passes(case, &world)).count();
    // The closing line of cargo's own harness: whoever counts tests counts these as well.
    println!(
        "\ntest result: {}. {} passed; {failed} failed; 0 ignored; finished in {:.1}s",
        if failed == 0 { "ok" } else { "FAILED" },
        cases.len() - failed,
        began.elapsed().as_secs_f32()
    );
    if failed == 0 && !cases.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn passes(case: &Case, world: &World) -> bool {
    let start = Instant::now();
    match (case.run)(world) {
        Ok(()) => {
            println!("ok      {:<64} {:.1} s", case.name, start.elapsed().as_secs_f32());
            true
        }
        Err(error) => {
            println!("FAILED  {}\n{error:#}", case.name);
            false
        }
    }
}
