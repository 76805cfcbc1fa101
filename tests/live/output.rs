//! What receivers get: the same from every one of several, in each transport's own form, and one record
//! for one alert whatever an attacker writes into it.

use anyhow::{Context as _, Result, anyhow, ensure};
use tests::agent::{Agent, Line};
use tests::docker::Container;
use tests::rsyslog::Received;
use tests::world::World;

use crate::Case;
use crate::transfer::{ALERT_MAX, ensure_container, ensure_filed, ensure_rfc5424, mark_for};

/// rsyslog's names for its three ways in, and whether what comes there is RFC 5424.
const INPUTS: [(&str, bool); 3] = [("imudp", true), ("imtcp", true), ("imuxsock", false)];

/// A file's name that would end a line, an element of structured data, a JSON text, or take over a
/// terminal, if anybody let it. The last line is what a forger wants to see filed.
const HOSTILE: &str =
    "/tmp/a\"]} \\\u{1b}[2J\u{1b}]0;title\u{7}\r\u{9b}31m\u{202e}é\n<34>1 - forged tidewaiter - alert - {}";

const URL: &str = "http://10.201.0.1/download/payload.bin";

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("output: UDP, TCP and local socket at once", reaches_all),
        Case::new("output: hostile file name", stays_one_record),
        Case::new("output: file name that is no UTF-8", shows_what_is_no_text),
    ]
}

fn reaches_all(world: &World) -> Result<String> {
    let mut agent = agent_with_all(world, "three-receivers")?;
    let container = world.container(
        "receivers",
        &["curl", "-sS", "-T", "/lab/payload.bin", "http://10.201.0.1/upload/all.bin"],
    )?;
    let alert = alert_at_all(world, &mut agent, &container)?;
    Ok(format!("{}, filed the same three times", alert.text("rule.level")))
}

fn stays_one_record(world: &World) -> Result<String> {
    let mut agent = agent_with_all(world, "hostile")?;
    let container = world.container("hostile", &["curl", "-sS", "-o", HOSTILE, URL])?;
    let alert = alert_at_all(world, &mut agent, &container)?;
    // Read back from JSON, the name is the attacker's to the byte.
    alert.ensure_field("file.path", &HOSTILE.into())?;
    alert.ensure_field("process.args", &["curl", "-sS", "-o", HOSTILE, URL].as_slice().into())?;
    ensure!(container.read(HOSTILE)? == world.payload, "no such file came about");

    let strange = world.rsyslog.messages()?.into_iter().find(|message| {
        let ours = INPUTS.iter().any(|(input, _)| message.text("inputname") == *input);
        ours && (message.event_id().is_empty() || message.text("app-name") != "tidewaiter")
    });
    ensure!(strange.is_none(), "rsyslogd has a record that is no message of the agent: {strange:?}");
    Ok(format!("{} bytes of name, one record at each receiver", HOSTILE.len()))
}

/// JSON and syslog are UTF-8: a byte that is none is a character that stands for it, and the record is whole all the same.
fn shows_what_is_no_text(world: &World) -> Result<String> {
    let mut agent = agent_with_all(world, "no-text")?;
    let script = format!(r#"curl -sS -o "$(printf '/tmp/a\377b')" {URL}"#);
    let container = world.container("no-text", &["sh", "-c", &script])?;
    let alert = alert_at_all(world, &mut agent, &container)?;
    alert.ensure_field("file.path", &"/tmp/a\u{efff}b".into())?;
    Ok(format!("shown as {:?}", alert.text("file.path")))
}

fn agent_with_all(world: &World, name: &str) -> Result<Agent> {
    let address = world.rsyslog.address;
    let urls = [
        format!("udp://{address}"),
        format!("tcp://{address}"),
        format!("unix://{}", world.rsyslog.socket.display()),
    ];
    let options = urls.iter().flat_map(|url| ["--syslog", url]).collect::<Vec<_>>();
    let mut agent = world.another_agent(name, &options)?;
    agent.await_ready()?;
    Ok(agent)
}

/// Runs the container; its one alert came over each way once, whole, in that way's form.
fn alert_at_all(world: &World, agent: &mut Agent, container: &Container<'_>) -> Result<Line> {
    let ended = container.run()?;
    ensure!(ended.status.success(), "curl itself ended with {}: {}", ended.status, ended.output);
    let what = format!("an alert about {}", container.id);
    let alert = agent.await_line(ALERT_MAX, &what, |line| line.is_alert_of(&container.id))?;
    ensure_container(&alert, container)?;
    let marker = mark_for(world, agent)?;
    for (input, structured) in INPUTS {
        // Each way keeps the order: when the marker is there, all copies of the alert are.
        await_over(world, input, &marker)?;
        let message = await_over(world, input, &alert)?;
        ensure_form(&message, &alert, structured, agent)
            .map_err(|error| anyhow!("over {input}: {error}; rsyslogd's reading: {}", message.properties))?;
        let id = alert.text("event.id");
        let copies = world.rsyslog.messages()?;
        let copies =
            copies.iter().filter(|one| one.event_id() == id && one.text("inputname") == input).count();
        ensure!(copies == 1, "{copies} records over {input}");
    }
    let count = agent.alerts_of(&container.id)?.len();
    ensure!(count == 1, "{count} alerts about one transfer");
    Ok(alert)
}

fn await_over(world: &World, input: &str, alert: &Line) -> Result<Received> {
    let id = alert.text("event.id");
    world.rsyslog.await_message(ALERT_MAX, &format!("{id} over {input}"), |message| {
        message.event_id() == id && message.text("inputname") == input
    })
}

fn ensure_form(message: &Received, alert: &Line, structured: bool, agent: &Agent) -> Result<()> {
    if structured {
        ensure_rfc5424(message, alert)?;
        let host = alert.field("host.hostname").context("the alert has no host")?;
        ensure!(message.text("hostname") == host, "its hostname is {:?}", message.text("hostname"));
    } else {
        // The form of RFC 3164: rsyslog gives it version 0 and no structured data.
        ensure!(message.text("protocol-version") == "0", "it is not RFC 3164");
        ensure!(message.text("structured-data") == "-", "it has structured data");
        ensure_filed(message, alert)?;
    }
    let id = agent.id().to_string();
    ensure!(message.text("procid") == id, "its procid is {:?}, not {id}", message.text("procid"));
    Ok(())
}
