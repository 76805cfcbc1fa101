//! Rules change while the agent runs: what is added alerts, what is broken changes nothing, and it stays the
//! same process with the same programs in the kernel.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tests::agent::{Agent, Line};
use tests::world::World;

use crate::Case;
use crate::transfer::ALERT_MAX;

/// From a change of files to the word of it: half a second of quiet, a reading, the way out.
const RELOAD_MAX: Duration = Duration::from_secs(15);

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("reload: rules come, break, are mended and go", changes),
        Case::new("reload: what rules cost and what filters keep back", costs_and_filters),
    ]
}

/// A rule on programs of this name.
fn rule(title: &str, program: &str) -> String {
    format!(
        "title: {title}\nstatus: test\nlevel: medium\nlogsource:\n  product: linux\n  \
         category: process_creation\ndetection:\n  program:\n    Image|endswith: /{program}\n  \
         condition: program\n"
    )
}

/// A folder of rules and an agent with no others.
struct Fixture {
    folder: PathBuf,
    agent: Agent,
}

impl Fixture {
    fn start(world: &World, name: &str) -> Result<Self> {
        let folder = world.directory().join(format!("rules-{name}"));
        fs::create_dir(&folder)?;
        fs::write(folder.join("uname.yml"), rule("Lab uname", "uname"))?;
        let own = fs::read_to_string(world.configuration())?;
        let own = own.lines().filter(|line| !line.starts_with("control:"));
        let own = own.map(|line| format!("{line}\n")).collect::<String>();
        let socket = world.directory().join(name).join("agent.sock");
        let path = world.directory().join(format!("{name}.yaml"));
        let rules = format!("embedded_rules: false\nrules: [{}]\n", folder.display());
        fs::write(&path, format!("{own}{rules}control: {}\n", socket.display()))?;
        let mut command = Command::new(world.binary());
        command.args(["run", "--format", "json", "--config"]).arg(path);
        let mut agent = Agent::start(command, world.directory().join(format!("agent-{name}.log")))?;
        agent.await_ready()?;
        Ok(Self { folder, agent })
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        Ok(fs::write(self.folder.join(name), text)?)
    }

    /// The notice of a reading that added, removed and changed so many.
    fn await_reload(&mut self, counts: [u64; 3]) -> Result<Line> {
        let what = format!("a notice of {counts:?} rules added, removed, changed");
        self.agent.await_line(RELOAD_MAX, &what, |line| {
            let count = |kind| line.field(&format!("tidewaiter.reload.{kind}.count")).and_then(Value::as_u64);
            line.is("reload") && ["added", "removed", "changed"].map(count) == counts.map(Some)
        })
    }

    /// Runs a program on the host and waits for the alert of this rule about it.
    fn await_alert(&mut self, world: &World, program: &str, title: &str) -> Result<()> {
        let pid = world.run_on_host(program, &[])?;
        let what = format!("the alert \"{title}\" about {pid}");
        let is_it = |line: &Line| line.is_alert_of_process(pid) && line.text("rule.name") == title;
        self.agent.await_line(ALERT_MAX, &what, is_it).map(drop)
    }
}

fn changes(world: &World) -> Result<String> {
    let mut fixture = Fixture::start(world, "changes")?;
    let programs = fixture.agent.holdings()?;
    fixture.await_alert(world, "uname", "Lab uname")?;

    fixture.write("nproc.yml", &rule("Lab nproc", "nproc"))?;
    let added = fixture.await_reload([1, 0, 0])?;
    added.ensure_field("tidewaiter.reload.rules", &json!(2))?;
    fixture.await_alert(world, "nproc", "Lab nproc")?;

    // As an editor saves it, with a mistake: the rules of before stay.
    fixture.write("nproc.yml~", &rule("Lab nproc", "nproc").replace("medium", "mediun"))?;
    fs::rename(fixture.folder.join("nproc.yml~"), fixture.folder.join("nproc.yml"))?;
    let is_refusal = |line: &Line| line.is("reload") && line.text("tidewaiter.reload.outcome") == "refused";
    let refused = fixture.agent.await_line(RELOAD_MAX, "a notice of the mistake", is_refusal)?;
    let mistakes = refused.field("tidewaiter.reload.mistakes");
    let mistake = mistakes.and_then(|mistakes| mistakes.get(0)).context("the notice lists it")?;
    ensure!(mistake.get("line") == Some(&json!(3)), "its place: {mistake}");
    let file = fixture.folder.join("nproc.yml").display().to_string();
    ensure!(mistake.get("file") == Some(&json!(file)), "its place: {mistake}");
    fixture.agent.await_log(RELOAD_MAX, "the mistake in the log", |line| line.contains("mediun"))?;
    fixture.await_alert(world, "nproc", "Lab nproc")?;
    fixture.await_alert(world, "uname", "Lab uname")?;

    fixture.write("nproc.yml", &rule("Lab nproc, mended", "nproc"))?;
    fixture.await_reload([1, 1, 0])?;
    fixture.await_alert(world, "nproc", "Lab nproc, mended")?;
    fs::remove_file(fixture.folder.join("nproc.yml"))?;
    fixture.await_reload([0, 1, 0])?;

    // Nothing has changed: the log says so, and nothing else does.
    kill_process(Pid::from_raw(fixture.agent.id().cast_signed()).context("a pid")?, Signal::HUP)?;
    fixture
        .agent
        .await_log(RELOAD_MAX, "an answer to SIGHUP", |line| line.contains("nothing has changed"))?;
    fixture.await_alert(world, "uname", "Lab uname")?;
    let told = fixture.agent.lines_so_far(|line| line.is("reload"))?.len();
    ensure!(told == 4, "{told} notices of reloads");
    ensure!(fixture.agent.holdings()? == programs, "it holds other programs than at its start");
    let took = added.field("tidewaiter.reload.duration_ms").and_then(Value::as_u64).unwrap_or_default();
    Ok(format!("4 readings told, in the same process; the first took {took} ms"))
}

fn costs_and_filters(world: &World) -> Result<String> {
    let mut fixture = Fixture::start(world, "costs")?;
    fixture.await_alert(world, "uname", "Lab uname")?;
    fixture.write(
        "quiet.yml",
        "title: Lab quiet\nlogsource:\n  product: linux\n  category: process_creation\nfilter:\n  rules: any\n  \
         all:\n    CommandLine: uname -m\n  condition: all\n",
    )?;
    fixture.await_reload([1, 0, 0])?;
    let pid = world.run_on_host("uname", &["-m"])?;
    // When this alert is here, what came before it has been judged.
    fixture.await_alert(world, "uname", "Lab uname")?;
    ensure!(fixture.agent.lines_so_far(|line| line.is_alert_of_process(pid))?.is_empty(), "it was kept back");

    let suppressed = ask(world, "suppressed")?;
    let found = suppressed.get("suppressed").and_then(|rows| rows.get(0)).context("a row")?;
    for (key, expected) in [("pid", json!(pid)), ("rule", json!("Lab uname")), ("filter", json!("Lab quiet"))]
    {
        ensure!(found.get(key) == Some(&expected), "{key}: {found}");
    }
    let stats = ask(world, "stats")?;
    let row = stats.get("rules").and_then(|rows| rows.get(0)).context("a row")?;
    for (key, expected) in [("matches", 2), ("suppressed", 1)] {
        ensure!(row.get(key) == Some(&json!(expected)), "{key}: {row}");
    }
    Ok(format!("{found}; {row}"))
}

/// What `tidewaiter rules` tells of the second agent.
fn ask(world: &World, what: &str) -> Result<Value> {
    let socket = world.directory().join("costs/agent.sock");
    let output =
        Command::new(world.binary()).args(["rules", what, "--json", "--socket"]).arg(socket).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}
