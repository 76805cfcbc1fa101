//! Reads the facts, has each judged, and names the detections that suffer.

use std::path::Path;

use jiff::Timestamp;

use super::wait::Wait;
use crate::alert::HookCoverage;
use crate::check::dependence::Dependence;
use crate::check::{
    Check, Finding, Problem, clock, hierarchy, hook, kernel, privilege, receiver, resource, rule, runtime,
    storage,
};
use crate::config::{Config, ConfigError, read_baseline};
use crate::ebpf::load::{AVOIDED, load};
use crate::ebpf::offset::{Layout, OffsetError, VMLINUX};
use crate::ebpf::proof::Proof;
use crate::host::capability::{Capability, Sets, lacking};
use crate::host::fact;
use crate::host::hierarchy::Hierarchy;
use crate::host::runtime::Socket;
use crate::rule::RuleFiles;
use crate::sink::{self, Target};
use crate::source::kubernetes;

const STATUS: &str = "/proc/self/status";
const MOUNTS: &str = "/proc/self/mountinfo";
const LOCKDOWN: &str = "/sys/kernel/security/lockdown";
const UNPRIVILEGED_BPF: &str = "/proc/sys/kernel/unprivileged_bpf_disabled";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// All that was found.
pub(super) struct Examination {
    pub(super) findings: Vec<Finding>,
    /// As they turned out; empty where none could be tried.
    pub(super) hooks: Vec<(HookCoverage, Option<Proof>)>,
    /// Names of all; empty where the rules cannot be read.
    pub(super) detections: Vec<String>,
    /// Members that the kernel's type information lacks.
    pub(super) missing_offsets: Vec<&'static str>,
}

impl Examination {
    /// Looks at everything, one thing after the other but for what others have to answer.
    pub(super) async fn of(config: &Config, wait: &Wait) -> Self {
        let status = fact::text(STATUS);
        let sets = status.as_ref().ok().and_then(|status| Sets::parse(status));
        let (release, machine) = fact::system();
        let layout = Layout::read(Path::new(VMLINUX));
        let missing_offsets = layout.as_ref().map(Layout::missing).unwrap_or_default();

        let mut findings = host(&release, &machine, &layout, &missing_offsets, sets.as_ref());
        findings.extend(privilege::capabilities(&status));
        wait.on("trying the hooks");
        let (of_hooks, hooks) = hooks(config, &layout, sets.as_ref());
        findings.extend(of_hooks);
        wait.on("asking runtimes and receivers");
        let (of_runtimes, of_receivers) = tokio::join!(runtimes(config), receivers(config));
        findings.extend(of_runtimes);
        wait.on("reading the rules");
        let (of_rules, dependence) = rules(config);
        findings.extend(of_rules);
        findings.extend(of_receivers);
        findings.extend(rest(config, &release, sets.as_ref()));

        let mut detections = Vec::new();
        if let Some(mut dependence) = dependence {
            hook::name_detections(&mut findings, &mut dependence);
            detections = dependence.all();
        }
        Self { findings, hooks, detections, missing_offsets }
    }

    /// Names of the detections that anything weakens which counts for the exit status.
    pub(super) fn weakened(&self) -> Vec<String> {
        let of = |name: &&String| {
            let counts = self.findings.iter().filter(|finding| !finding.verdict.is_well());
            counts.into_iter().any(|finding| finding.weakens.contains(name))
        };
        self.detections.iter().filter(of).cloned().collect()
    }
}

/// The kernel and what of the host is seen from here.
fn host(
    release: &str,
    machine: &str,
    layout: &Result<Layout, OffsetError>,
    missing: &[&str],
    sets: Option<&Sets>,
) -> Vec<Finding> {
    let mounts = fact::text(MOUNTS);
    let root = Hierarchy::read();
    let may_trace = sets.is_some_and(|sets| sets.has(Capability::SYS_PTRACE));
    vec![
        kernel::release(release, machine),
        kernel::btf(layout.as_ref().map(|_| missing)),
        kernel::lockdown(&fact::text(LOCKDOWN)),
        kernel::unprivileged_bpf(&fact::text(UNPRIVILEGED_BPF)),
        hierarchy::cgroup(root.as_ref().map(Hierarchy::root), &mounts, &fact::namespace("cgroup")),
        hierarchy::pid_namespace(&fact::namespace("pid")),
        hierarchy::procfs(&mounts, may_trace),
    ]
}

/// Attached for as long as it takes to know that they can be; dropping detaches.
fn hooks(
    config: &Config,
    layout: &Result<Layout, OffsetError>,
    sets: Option<&Sets>,
) -> (Vec<Finding>, Vec<(HookCoverage, Option<Proof>)>) {
    let untried = |why: &str| (vec![Finding::unknown(Check::Hook, format!("not tried: {why}"))], Vec::new());
    if sets.is_none_or(|sets| !lacking(sets.effective).is_empty()) {
        return untried("loading needs capabilities that are not there");
    }
    let Ok(layout) = layout else { return untried("loading needs the kernel's type information") };
    match load(layout, &config.avoid, &config.capture) {
        Err(error) => {
            let finding = Finding::problem(Problem::HooksRefused, error.to_string());
            (vec![finding.remedied(error.remedy())], Vec::new())
        }
        Ok(loaded) => {
            let hooks: Vec<_> = loaded.hooks.iter().cloned().zip(loaded.proofs.iter().cloned()).collect();
            let of =
                |(hook, proof): &(HookCoverage, Option<Proof>)| hook::hook(hook, proof.as_ref(), AVOIDED);
            (hooks.iter().map(of).collect(), hooks)
        }
    }
}

/// Runtimes by their files, and those whom the configuration says to ask, side by side.
async fn runtimes(config: &Config) -> Vec<Finding> {
    let mut findings = runtime::runtimes(&fact::runtimes(&config.containers));
    let asked = config.containers.sockets.iter().cloned().map(|place| {
        tokio::spawn(async move {
            let socket = Socket::new(place);
            (socket.path().display().to_string(), socket.probe().await)
        })
    });
    let asked: Vec<_> = asked.collect();
    let kubernetes = kubernetes::probe(&config.kubernetes).await;
    for asked in asked {
        if let Ok((path, answer)) = asked.await {
            findings.push(runtime::socket(&path, &answer));
        }
    }
    findings.push(runtime::kubernetes(&kubernetes));
    findings
}

/// Every receiver, side by side: each has its own bound in time.
async fn receivers(config: &Config) -> Vec<Finding> {
    let tried = config.targets(false).into_iter().map(|target: Target| {
        tokio::spawn(async move { target.probe().await.map(|reached| (target.name(), reached)) })
    });
    let tried: Vec<_> = tried.collect();
    let mut reached = Vec::new();
    for tried in tried {
        reached.extend(tried.await.ok().flatten());
    }
    receiver::receivers(&reached)
}

fn rules(config: &Config) -> (Vec<Finding>, Option<Dependence>) {
    // The canary's rule is nobody's detection.
    let files = RuleFiles { canary: false, ..RuleFiles::new(config) };
    let read = files.read();
    let mut findings = rule::rules(read.as_ref(), config.allow.len() + config.placeholders.len());
    let baseline: Option<Result<usize, ConfigError>> =
        config.baseline.as_deref().map(|path| read_baseline(path).map(|baseline| baseline.images.len()));
    let baseline = config.baseline.as_deref().zip(baseline.as_ref());
    findings.push(rule::baseline(baseline.map(|(path, read)| (path, read.as_ref().copied()))));
    (findings, read.ok().map(Dependence::new))
}

/// Clock, disk, limits, and who else is here.
fn rest(config: &Config, release: &str, sets: Option<&Sets>) -> Vec<Finding> {
    let place = config.outbox.place();
    let folder = place.as_ref().map(|place| (fact::folder(&place.directory), place.bound));
    let is_used = !sink::kept(&config.targets(false)).is_empty();
    let boot = fact::text(BOOT_ID).ok();
    let socket = config.control.as_deref();
    let pid = socket.map_or(Err(crate::check::Unread::Absent), fact::listener);
    let socket = socket.map(|socket| socket.display().to_string());
    vec![
        clock::clock(Timestamp::now(), &fact::clock(), boot.as_deref().map(str::trim)),
        storage::outbox(folder.as_ref().map(|(facts, bound)| (facts, *bound)), is_used),
        resource::locked_memory(kernel::version(release), fact::locked_memory(), sets),
        resource::memory(&fact::memory()),
        resource::agent(socket.as_deref(), &pid),
    ]
}
