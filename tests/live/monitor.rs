//! What monitoring and people are told of a running agent, and the canary that says whether alerts arrive. The readers are
//! curl, Prometheus and its promtool.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tests::agent::Agent;
use tests::child::{Child, bound, find, run};
use tests::rsyslog::{Rsyslog, free_address};
use tests::wait;
use tests::world::World;

use crate::Case;
use crate::transfer::ALERT_MAX;

/// Until something shows that takes a sweep of two seconds, or a connection that is tried again every five.
const SHOWN_MAX: Duration = Duration::from_secs(15);

/// Prometheus makes its store first, and scrapes when its turn has come.
const SCRAPED_MAX: Duration = Duration::from_secs(60);
/// TCP confirms after 30 s; the canary itself begins 5 s after the start.
const CANARY_MAX: Duration = Duration::from_secs(75);

const URL: &str = "http://10.201.0.1/download/payload.bin";

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("monitor: a scrape over socket and TCP, read by Prometheus", is_scraped),
        Case::new("monitor: a receiver that is away, then back", shows_an_outage),
        Case::new("monitor: the canary comes through, by TCP and file", canary_arrives),
        Case::new("monitor: the canary stays where the receiver is away", canary_misses_a_receiver),
        Case::new("monitor: the canary stays where a filter keeps it back", canary_misses_its_rule),
        Case::new("monitor: rules and dashboard are read by promtool", promtool_reads_rules),
    ]
}

/// An agent with doors of its own.
struct Fixture<'w> {
    world: &'w World,
    agent: Agent,
    folder: PathBuf,
    /// Over TCP, where that is tried.
    address: Option<SocketAddr>,
}

impl<'w> Fixture<'w> {
    fn start(world: &'w World, name: &str, settings: &str) -> Result<Self> {
        Self::listening(world, name, None, settings)
    }

    fn listening(world: &'w World, name: &str, address: Option<SocketAddr>, settings: &str) -> Result<Self> {
        let folder = world.directory().join(format!("monitor-{name}"));
        fs::create_dir(&folder)?;
        let own = fs::read_to_string(world.configuration())?;
        let is_other = |line: &&str| !line.starts_with("control:") && !line.starts_with("metrics:");
        let own: String = own.lines().filter(is_other).map(|line| format!("{line}\n")).collect();
        let at = folder.display();
        let listen = address.map_or_else(|| "null".to_owned(), |address| format!("\"{address}\""));
        let doors = format!(
            "control: {at}/run/agent.sock\nmetrics: {{socket: {at}/run/metrics.sock, listen: {listen}}}\n\
             outbox: {{directory: {at}/outbox}}\nfile: [{{path: {at}/alerts.jsonl}}]\n"
        );
        let path = folder.join("tidewaiter.yaml");
        fs::write(&path, format!("{own}{doors}{settings}"))?;
        let mut command = bound(world.binary());
        command.args(["run", "--format", "json", "--config"]).arg(path);
        let mut agent = Agent::start(command, folder.join("log"))?;
        agent.await_ready()?;
        Ok(Self { world, agent, folder, address })
    }

    /// A page at the Unix socket: status code and body.
    fn get(&self, path: &str) -> Result<(String, String)> {
        let mut command = Command::new("curl");
        command.arg("--unix-socket").arg(self.folder.join("run/metrics.sock"));
        page(command.arg(format!("http://localhost{path}")))
    }

    fn metrics(&self) -> Result<Metrics> {
        let (code, body) = self.get("/metrics")?;
        ensure!(code == "200", "{code}: {body}");
        Ok(Metrics(body))
    }

    fn await_metric(&self, timeout: Duration, name: &str, label: &str, wanted: f64) -> Result<()> {
        wait::until(timeout, &format!("{name}{{{label}}} {wanted}"), || {
            Ok((self.metrics()?.value(name, label) == Some(wanted)).then_some(()))
        })
        .with_context(|| self.metrics().map(|metrics| metrics.0).unwrap_or_default())
    }

    fn status(&self, options: &[&str]) -> Result<Output> {
        let socket = self.folder.join("run/agent.sock");
        Ok(Command::new(self.world.binary())
            .arg("status")
            .arg("--socket")
            .arg(socket)
            .args(options)
            .output()?)
    }

    /// What `status --json` says, and the kinds of what is wrong. The exit status must agree.
    fn problems(&self) -> Result<(Value, Vec<String>)> {
        let output = self.status(&["--json"])?;
        let document: Value = serde_json::from_slice(&output.stdout).with_context(|| {
            format!("status says {:?}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()))
        })?;
        let problems = document.get("problems").and_then(Value::as_array).context("no problems")?;
        let kinds = problems.iter().filter_map(|problem| Some(problem.get("kind")?.as_str()?.to_owned()));
        let kinds: Vec<String> = kinds.collect();
        ensure!(output.status.code() == Some(i32::from(!kinds.is_empty())), "{}: {kinds:?}", output.status);
        ensure!(document.get("is_well") == Some(&kinds.is_empty().into()), "{document}");
        Ok((document, kinds))
    }

    fn text(&self) -> Result<String> {
        Ok(String::from_utf8(self.status(&[])?.stdout)?)
    }

    fn alert(&mut self) -> Result<()> {
        let container = self.world.container("monitor", &["curl", "-sS", "-o", "/tmp/payload", URL])?;
        container.start()?;
        self.agent.await_line(ALERT_MAX, "an alert", |line| line.is_alert_of(&container.id))?;
        Ok(())
    }
}

/// A scrape.
struct Metrics(String);

impl Metrics {
    /// The value of the first sample of this name with this label in it.
    fn value(&self, name: &str, label: &str) -> Option<f64> {
        let mut lines = self.0.lines().filter(|line| line.starts_with(name) && line.contains(label));
        lines.find(|line| line[name.len()..].starts_with(['{', ' ']))?.rsplit_once(' ')?.1.parse().ok()
    }

    /// The sum over all samples of this name.
    fn sum(&self, name: &str) -> f64 {
        let samples = self.0.lines().filter(|line| line.starts_with(&format!("{name}{{")));
        samples.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    }
}

/// A loopback address of this run's own: nobody else's receiver comes up where a test keeps its own down.
fn own_address() -> Result<SocketAddr> {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let own = Ipv4Addr::new(127, 64 | (high & 0x3f), middle, low.max(1));
    let ports = free_address()?.port()..;
    let mut addresses = ports.map(|port| SocketAddr::from((own, port)));
    // An agent of this run may listen at one already, which is free elsewhere.
    addresses.find(|address| TcpListener::bind(address).is_ok()).context("no free port")
}

/// What curl gets: status code and body.
fn page(command: &mut Command) -> Result<(String, String)> {
    let output = run(command.args(["-sS", "--max-time", "10", "-w", "\n%{http_code}"]))?;
    let text = String::from_utf8(output.stdout)?;
    let (body, code) = text.rsplit_once('\n').context("no status code")?;
    Ok((code.to_owned(), body.to_owned()))
}

fn promtool() -> Result<PathBuf> {
    find(&["/usr/bin/promtool"], "install prometheus")
}

fn is_scraped(world: &World) -> Result<String> {
    let address = own_address()?;
    let mut fixture = Fixture::listening(world, "scraped", Some(address), "")?;
    for path in ["/healthz", "/readyz"] {
        let (code, body) = fixture.get(path)?;
        ensure!(code == "200" && body == "ok\n", "{path}: {code} {body}");
    }
    let before = fixture.metrics()?;
    fixture.alert()?;
    let (code, body) = page(Command::new("curl").arg(format!("http://{address}/metrics")))?;
    ensure!(code == "200", "over TCP: {code}");
    let after = Metrics(body);
    let grew = |name: &str| after.sum(name) > before.sum(name);
    for name in
        ["tidewaiter_alerts_total", "tidewaiter_rule_alerts_total", "tidewaiter_kernel_records_seen_total"]
    {
        ensure!(grew(name), "{name} did not grow with an alert:\n{}", after.0);
    }
    for (name, label) in [
        ("tidewaiter_events_total", "process_creation"),
        ("tidewaiter_kernel_records_total", "kind=\"process_exec\",fate=\"delivered\""),
        ("tidewaiter_messages_total", ""),
        ("tidewaiter_process_cpu_seconds_total", ""),
    ] {
        let (was, is) = (before.value(name, label), after.value(name, label));
        ensure!(is.is_some() && is > was, "{name}{{{label}}} went from {was:?} to {is:?}");
    }
    let page = fixture.folder.join("page");
    fs::write(&page, &after.0)?;
    let said = run(Command::new("sh")
        .args(["-c", "exec \"$0\" check metrics <\"$1\" 2>&1"])
        .arg(promtool()?)
        .arg(&page))?;
    ensure!(said.stdout.is_empty(), "promtool: {}", String::from_utf8_lossy(&said.stdout));
    let count = prometheus(&fixture)?;
    Ok(format!("{} samples, promtool is content; Prometheus has {count} hooks", after.0.lines().count()))
}

/// A real server scrapes the agent; what it then says the number of attached hooks is.
fn prometheus(fixture: &Fixture<'_>) -> Result<String> {
    let target = fixture.address.context("the agent does not listen")?;
    let program = find(&["/usr/bin/prometheus"], "install prometheus")?;
    let (folder, address) = (fixture.folder.join("prometheus"), own_address()?);
    fs::create_dir(&folder)?;
    let settings = folder.join("prometheus.yml");
    let scrape = format!("[{{job_name: tidewaiter, static_configs: [{{targets: [\"{target}\"]}}]}}]");
    fs::write(&settings, format!("global: {{scrape_interval: 1s}}\nscrape_configs: {scrape}\n"))?;
    let mut command = bound(program);
    command.arg(format!("--config.file={}", settings.display()));
    command.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
    command.arg(format!("--web.listen-address={address}"));
    let _server = Child::start("prometheus", command, folder.join("log"))?;
    let query = format!("http://{address}/api/v1/query");
    let scraped = wait::until(SCRAPED_MAX, "the scraped metric at Prometheus", || {
        let mut command = Command::new("curl");
        command.args([
            "-sS",
            "-G",
            &query,
            "--data-urlencode",
            "query=sum(tidewaiter_hooks_attached) and on() up == 1",
        ]);
        let output = command.output()?;
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        Ok(answer.pointer("/data/result/0/value/1").and_then(Value::as_str).map(str::to_owned))
    });
    scraped.with_context(|| {
        let targets =
            Command::new("curl").args(["-sS", &format!("http://{address}/api/v1/targets")]).output();
        let targets = targets.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        format!(
            "its targets: {targets:?}; its log: {}",
            fs::read_to_string(folder.join("log")).unwrap_or_default()
        )
    })
}

fn shows_an_outage(world: &World) -> Result<String> {
    let address = own_address()?;
    let mut fixture = Fixture::start(world, "outage", &format!("syslog: [\"tcp://{address}\"]\n"))?;
    let sink = format!("sink=\"syslog tcp://{address}\"");
    fixture.alert()?;
    fixture.await_metric(SHOWN_MAX, "tidewaiter_sink_up", &sink, 0.0)?;
    let metrics = fixture.metrics()?;
    let backlog = metrics.value("tidewaiter_sink_backlog_messages", &sink).unwrap_or_default();
    ensure!(backlog >= 2.0, "{backlog} messages wait, and two were told");
    ensure!(metrics.value("tidewaiter_sink_lag_seconds", &sink) > Some(0.0), "no lag");
    ensure!(metrics.value("tidewaiter_sink_up", "sink=\"file") == Some(1.0), "the file is not there");
    let (document, kinds) = fixture.problems()?;
    ensure!(kinds.iter().any(|kind| kind == "sink"), "{document}");
    let text = fixture.text()?;
    for words in [
        format!("▲ syslog tcp://{address}  away for "),
        "Connection refused".to_owned(),
        " waiting for ".to_owned(),
    ] {
        ensure!(text.contains(&words), "{words:?} is not in:\n{text}");
    }

    let _receiver = Rsyslog::start(&fixture.folder.join("rsyslog"), address)?;
    fixture.await_metric(SHOWN_MAX, "tidewaiter_sink_up", &sink, 1.0)?;
    let (document, kinds) = fixture.problems()?;
    ensure!(!kinds.iter().any(|kind| kind == "sink"), "{document}");
    ensure!(
        fixture.text()?.contains(&format!("● syslog tcp://{address}  there for ")),
        "{}",
        fixture.text()?
    );
    let absent =
        Command::new(world.binary()).args(["status", "--socket", "/nonexistent/agent.sock"]).output()?;
    ensure!(absent.status.code() == Some(2), "nobody to ask ends with {}", absent.status);
    Ok(format!("{backlog} waited; status 1 names it, then does not"))
}

fn canary_arrives(world: &World) -> Result<String> {
    let address = own_address()?;
    let receiver = Rsyslog::start(&world.directory().join("monitor-rsyslog"), address)?;
    let settings = format!("syslog: [\"tcp://{address}\"]\ncanary: {{every: 10m}}\n");
    let mut fixture = Fixture::start(world, "canary", &settings)?;
    fixture.await_metric(CANARY_MAX, "tidewaiter_canary_up", "", 1.0)?;
    let metrics = fixture.metrics()?;
    let took = |sink: &str| {
        let took = metrics.value("tidewaiter_canary_delivery_seconds", sink);
        took.with_context(|| format!("no word of {sink}:\n{}", metrics.0))
    };
    let (file, syslog) = (took("sink=\"file ")?, took("sink=\"syslog tcp")?);
    ensure!(file < 5.0 && syslog > 25.0, "the file's word came after {file} s, TCP's after {syslog} s");
    ensure!(metrics.value("tidewaiter_canary_passed_total", "") == Some(1.0), "{}", metrics.0);
    ensure!(metrics.sum("tidewaiter_alerts_total") < 1.0, "a canary counts as an alert");
    let is_canary = |detection: Option<&Value>| detection == Some(&"delivery_canary".into());
    let alert = fixture
        .agent
        .await_line(ALERT_MAX, "the canary", |line| is_canary(line.field("tidewaiter.detection")))?;
    receiver.await_message(ALERT_MAX, "the canary at rsyslogd", |message| {
        message.event_id() == alert.text("event.id")
    })?;
    let text = fixture.text()?;
    ensure!(text.contains("● came through · well "), "{text}");
    let noise = fixture.agent.lines_so_far(|line| line.is("canary"))?;
    ensure!(noise.is_empty(), "a canary that comes through is told: {:?}", noise.first());
    Ok(format!("the file's word after {file} s, TCP's after {syslog} s"))
}

fn canary_misses_a_receiver(world: &World) -> Result<String> {
    let address = own_address()?;
    let settings = format!("syslog: [\"tcp://{address}\"]\ncanary: {{every: 10m, within: 2s}}\n");
    let mut fixture = Fixture::start(world, "lost-canary", &settings)?;
    let told = fixture.agent.await_line(SHOWN_MAX, "a canary notice", |line| line.is("canary"))?;
    told.ensure_field("tidewaiter.canary.outcome", &"failed".into())?;
    told.ensure_field("tidewaiter.canary.stage", &"delivery".into())?;
    told.ensure_field("tidewaiter.canary.missing", &[format!("syslog tcp://{address}")].as_slice().into())?;
    let metrics = fixture.metrics()?;
    ensure!(metrics.value("tidewaiter_canary_up", "") == Some(0.0), "{}", metrics.0);
    ensure!(metrics.value("tidewaiter_canary_failed_total", "delivery") == Some(1.0), "{}", metrics.0);
    ensure!(metrics.value("tidewaiter_canary_delivery_seconds", "sink=\"file ").is_some(), "the file has it");
    let (document, kinds) = fixture.problems()?;
    ensure!(kinds.iter().any(|kind| kind == "canary"), "{document}");

    let _receiver = Rsyslog::start(&fixture.folder.join("rsyslog"), address)?;
    let is_well = |line: &tests::agent::Line| line.text("tidewaiter.canary.outcome") == "well";
    let well = fixture.agent.await_line(CANARY_MAX, "word that it came through", is_well)?;
    let (document, kinds) = fixture.problems()?;
    ensure!(!kinds.iter().any(|kind| kind == "canary"), "{document}");
    let took = well.field("tidewaiter.canary.duration_ms").and_then(Value::as_u64).unwrap_or_default();
    Ok(format!("told as not confirmed; came through after {} s", took / 1000))
}

fn canary_misses_its_rule(world: &World) -> Result<String> {
    let rules = world.directory().join("canary-filter");
    fs::create_dir(&rules)?;
    let filter = "title: No canaries\nlogsource: {category: process_creation, product: linux}\nfilter:\n  rules: \
                  [0b6a8f8e-5a1c-4f0d-9a55-6f4be8f3a7c2]\n  quiet: {Image|contains: tidewaiter}\n  condition: quiet\n";
    fs::write(rules.join("filter.yml"), filter)?;
    let settings = format!("rules: [{}]\ncanary: {{every: 10m, within: 2s}}\n", rules.display());
    let mut fixture = Fixture::start(world, "filtered-canary", &settings)?;
    let told = fixture.agent.await_line(SHOWN_MAX, "a canary notice", |line| line.is("canary"))?;
    told.ensure_field("tidewaiter.canary.stage", &"match".into())?;
    let text = fixture.text()?;
    ensure!(text.contains("no alert was made of its process"), "{text}");
    Ok("told as not matched".to_owned())
}

fn promtool_reads_rules(world: &World) -> Result<String> {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
    let rules = deploy.join("prometheus/rules.yml");
    run(Command::new(promtool()?).args(["check", "rules"]).arg(&rules))?;
    let folder = world.directory().join("promtool");
    fs::create_dir(&folder)?;
    // The alerts over time: what is well alerts nobody, what is wrong alerts with its words.
    let cases = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/prometheus_rules.yml"))?;
    let cases_file = folder.join("test.yml");
    fs::write(&cases_file, cases.replace("RULES", &rules.display().to_string()))?;
    run(Command::new(promtool()?).args(["test", "rules"]).arg(&cases_file))?;
    // The dashboard's expressions, with its variables filled in, as rules that record.
    let dashboard: Value =
        serde_json::from_str(&fs::read_to_string(deploy.join("grafana/tidewaiter.json"))?)?;
    let panels = dashboard.get("panels").and_then(Value::as_array).context("no panels")?;
    let targets = panels.iter().filter_map(|panel| panel.get("targets")?.as_array()).flatten();
    let expressions = targets.filter_map(|target| target.get("expr")?.as_str());
    let expressions: Vec<String> = expressions
        .map(|expression| expression.replace("$__rate_interval", "5m").replace("$instance", ".*"))
        .collect();
    let mut text = "groups:\n  - name: dashboard\n    rules:\n".to_owned();
    for (index, expression) in expressions.iter().enumerate() {
        text.push_str(&format!(
            "      - record: panel:{index}\n        expr: {}\n",
            Value::from(expression.as_str())
        ));
    }
    let recorded = folder.join("dashboard.yml");
    fs::write(&recorded, text)?;
    run(Command::new(promtool()?).args(["check", "rules"]).arg(&recorded))?;
    Ok(format!("{} expressions of the dashboard, and the rules over time", expressions.len()))
}
