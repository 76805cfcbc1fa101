//! File names as an attacker picks them, through a real process, the real agent and a real rsyslogd, in every form: one
//! record each, and the name comes back to the byte.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sensor_user::octet;
use serde_json::Value;
use tests::agent::Line;
use tests::rsyslog::Received;
use tests::world::{World, artefact};

use crate::Case;
use crate::transfer::ALERT_MAX;

const URL: &str = "http://10.201.0.1/download/payload.bin";

/// No alert waits for another one.
const ARRIVAL_MAX: Duration = Duration::from_secs(20);

/// Names of files may hold anything but NUL and the slash.
const NAMES: &[&[u8]] = &[
    b"\n",
    b"a\nb",
    b"a\r\nb",
    b"\t",
    b" ",
    b" a ",
    b"\x01\x02\x1f",
    b"\x1b[2J\x1b]0;title\x07",
    b"\x7f",
    b"\xc2\x80\xc2\x9b31m",
    b"\xc2\x85",
    b"\xe2\x80\xa8\xe2\x80\xa9",
    b"\xe2\x80\xaetxt.exe\xe2\x81\xa6",
    b"\xef\xbb\xbfbom",
    b"\xff\xfe",
    b"\x80",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xed\xa0\xbd\xed\xb2\xa3",
    b"\xf0\x9f\x92",
    b"\xf4\x90\x80\x80",
    b"\xee\xbe\x80",
    b"\xef\xbf\xbd",
    b"\"",
    b"\\",
    b"\\n\\u0041\\",
    b"]",
    b"\"] {\"kind\":\"alert\"}",
    b"|",
    b"=",
    b"a=b act=forged cs1=x",
    b"\\=\\|",
    b"\n<34>1 - forged tidewaiter - alert - {}",
    b"12 <34>1 - - - - - -",
    b"CEF:0|a|b|c|d|e|10|",
    b"%n%s%00",
    b"$(id)`id`",
    b"\xf0\x9f\x92\xa3",
    b"e\xcc\x81",
    b"\xf3\xa0\x81\x81",
];

pub(crate) fn cases() -> Vec<Case> {
    vec![Case::new("output: hostile names in every form", come_back_in_every_form)]
}

fn come_back_in_every_form(world: &World) -> Result<String> {
    let address = world.rsyslog.address;
    let receiver = |form: &str| format!("  - {{url: \"tcp://{address}\", format: {form}}}\n");
    let settings = format!("\nsyslog:\n{}{}{}", receiver("ecs"), receiver("ocsf"), receiver("cef"));
    let mut agent = world.agent_with("hostile-forms", &settings)?;
    agent.await_ready()?;
    let folder = world.directory().join("hostile");
    fs::create_dir_all(&folder)?;
    for name in NAMES {
        let path = folder.join(OsStr::from_bytes(name));
        let process = download(world, path.as_os_str())?;
        let what = format!("an alert about {path:?}");
        let alert = agent.await_line(ALERT_MAX, &what, |line| line.is_alert_of_process(process))?;
        let wanted = path.as_os_str().as_bytes();
        ensure_bytes(alert.text("file.path"), wanted).with_context(|| what.clone())?;
        let received = received(world, &alert)?;
        let [ecs, ocsf, cef] = received.each_ref().map(|message| message.text("msg"));
        let ecs: Value = serde_json::from_str(ecs)?;
        ensure_bytes(text(&ecs, "/process/args/4"), wanted).with_context(|| format!("{what} in ECS"))?;
        let ocsf: Value = serde_json::from_str(ocsf)?;
        ensure_bytes(text(&ocsf, "/evidences/0/file/path"), wanted)
            .with_context(|| format!("{what} in OCSF"))?;
        let line = [format!("curl -sS {URL} -o ").as_bytes(), wanted].concat();
        ensure_bytes(text(&ocsf, "/evidences/0/process/cmd_line"), &line)?;
        let cef = cef_value(cef, "filePath").with_context(|| format!("no file in {cef}"))?;
        ensure_bytes(&cef, wanted).with_context(|| format!("{what} in CEF"))?;
    }
    let strange =
        world.rsyslog.messages()?.into_iter().find(|message| message.text("app-name") != "tidewaiter");
    ensure!(strange.is_none(), "rsyslogd has a record that is no message of the agent: {strange:?}");
    let events = ensure_ocsf(world)?;
    Ok(format!("{} names, one record each in ECS, OCSF and CEF; {events} OCSF events pass", NAMES.len()))
}

/// All of them, notices too, beside the schema that a package of PyPI has.
fn ensure_ocsf(world: &World) -> Result<usize> {
    let lab = artefact("TIDEWAITER_LAB", "target/lab", "cargo xtask setup")?;
    let received = world.rsyslog.messages()?;
    let bodies = received.iter().map(|message| message.text("msg").trim_start());
    let events: Vec<&str> = bodies.filter(|body| body.starts_with("{\"activity_id\"")).collect();
    let file = world.directory().join("ocsf.jsonl");
    fs::write(&file, events.join("\n"))?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("format/ocsf_schema.py");
    let mut python = Command::new(lab.join("python/bin/python"));
    let output = python.arg("-B").arg(script).arg(file).output().context("starting the lab's Python")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "an event is not as OCSF has it: {complaint}");
    Ok(events.len())
}

/// Returns the process's id.
fn download(world: &World, path: &OsStr) -> Result<u32> {
    let mut command = world.network().inside("curl");
    command.args(["-sS", URL, "-o"].map(OsStr::new)).arg(path);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    let id = child.id();
    ensure!(child.wait()?.success(), "curl failed for {path:?}");
    Ok(id)
}

/// The alert in the three forms, each once.
fn received(world: &World, alert: &Line) -> Result<[Received; 3]> {
    let id = alert.text("event.id");
    let begins = [("{\"@timestamp\"", "ECS"), ("{\"activity_id\"", "OCSF"), ("CEF:0|", "CEF")];
    let is_it = |message: &Received, begin: &str| {
        let body = message.text("msg").trim_start();
        message.text("msgid") == "alert" && body.starts_with(begin) && body.contains(id)
    };
    for (begin, form) in begins {
        world.rsyslog.await_message(ARRIVAL_MAX, &format!("{id} in {form}"), |one| is_it(one, begin))?;
    }
    let all = world.rsyslog.messages()?;
    let one = |(begin, form): (&str, &str)| {
        let mut found = all.iter().filter(|message| is_it(message, begin));
        let first = found.next().with_context(|| format!("{form} is gone"))?;
        ensure!(found.next().is_none(), "{id} came twice in {form}");
        let parameters = first.parameters().context("its structured data is not the agent's")?;
        ensure!(parameters.get("id").map(String::as_str) == Some(id), "the id in {parameters:?}");
        Ok(first.clone())
    };
    let [ecs, ocsf, cef] = begins.map(one);
    Ok([ecs?, ocsf?, cef?])
}

fn text<'a>(document: &'a Value, pointer: &str) -> &'a str {
    document.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn ensure_bytes(found: &str, wanted: &[u8]) -> Result<()> {
    ensure!(octet::bytes(found) == wanted, "{found:?} is not {:?}", String::from_utf8_lossy(wanted));
    Ok(())
}

/// A value of CEF, both layers of escapes undone (docs/format.md); none: there is no such key, or a wrong escape.
fn cef_value(line: &str, key: &str) -> Option<String> {
    let rest = line.split_once(&format!(" {key}="))?.1;
    // A bare `=` ends it, together with the key before that.
    let equals = rest.char_indices().scan(false, |escaped, (at, character)| {
        let is_bare = character == '=' && !*escaped;
        *escaped = character == '\\' && !*escaped;
        Some((at, is_bare))
    });
    let end = equals.into_iter().find(|(_, is_bare)| *is_bare).and_then(|(at, _)| rest[..at].rfind(' '));
    let value = &rest[..end.unwrap_or(rest.len())];
    let mut outer = String::new();
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        outer.push(match character {
            '\\' => match characters.next()? {
                'n' => '\n',
                'r' => '\r',
                escaped @ ('\\' | '=') => escaped,
                _ => return None,
            },
            plain => plain,
        });
    }
    // What is left is the inside of a JSON string, but for quotes and line ends.
    let json = outer.replace('"', "\\\"").replace('\n', "\\n").replace('\r', "\\r");
    serde_json::from_str(&format!("\"{json}\"")).ok()
}
