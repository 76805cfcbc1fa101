//! A message in the Common Event Format, version 0: a header of seven fields between bars, then `key=value` pairs by the
//! names of the format's dictionary (`docs/alert.md` has the table).
//!
//! Two layers of escaping, undone from the outside in. The format's own: `\\`, `\=`, `\n` and `\r` in values, `\\` and
//! `\|` in the header. Within, since the format has no word for other controls: `\uXXXX` for what
//! [`is_unsafe`](crate::sink::text::escape::is_unsafe), as JSON has it, and for blanks at either end of a value, where
//! receivers strip them; a backslash of the text itself is `\\`.

use std::net::IpAddr;

use serde_json::Value;

use super::view::{View, base};
use crate::sink::json::encode;
use crate::sink::text::escape::{escaped_size, is_unsafe, push_escaped};

/// Says that something was cut.
const FLAG: &str = " tidewaiterTruncated=true";

/// A value that has no room for this is left out: less tells nobody anything.
const VALUE_MIN: usize = 24;

/// Longest text in the header, bytes: a rule's id and title are shorter.
const HEADER_TEXT_MAX: usize = 256;

const ELLIPSIS: char = '…';

/// At most `room` bytes, which must be some 1,500 at least.
pub(super) fn render(document: &Value, room: usize) -> String {
    let view = View(document);
    let whole = line(view, usize::MAX);
    if whole.text.len() <= room && !whole.is_cut { whole.text } else { line(view, room).finish() }
}

fn line(view: View<'_>, room: usize) -> Line {
    let (text, is_cut) = header(view);
    let is_cut = is_cut || view.get("tidewaiter.truncated").is_some();
    let mut line = Line { text, room: room.saturating_sub(FLAG.len()), is_cut, is_begun: false };
    if let Some(time) = view.milliseconds("@timestamp") {
        line.number("rt", time);
    }
    line.known("externalId", view.text("event.id"));
    line.labelled(
        "cn1",
        "sequence",
        view.number("event.sequence").map(|number| number.to_string()).as_deref(),
    );
    line.known("dvchost", view.text("host.hostname"));
    line.known("deviceExternalId", view.text("agent.id"));
    line.known("cat", view.text("kind"));
    if view.is_alert() {
        alert(&mut line, view);
    } else {
        notice(&mut line, view);
    }
    line.known("tidewaiterRun", view.text("agent.ephemeral_id"));
    line.known("tidewaiterBoot", view.text("host.boot.id"));
    line.known("tidewaiterSchema", view.number("tidewaiter.schema").map(|it| it.to_string()).as_deref());
    line
}

/// `CEF:0|Vendor|Product|Version|Signature ID|Name|Severity|`, and whether something was cut.
fn header(view: View<'_>) -> (String, bool) {
    let kind = view.text("kind").unwrap_or("message");
    let mut header = "CEF:0|Tidewaiter|tidewaiter|".to_owned();
    let mut is_cut = false;
    for (name, otherwise) in [("agent.version", "0"), ("rule.id", kind), ("rule.name", kind)] {
        is_cut |= !push_header(&mut header, view.text(name).unwrap_or(otherwise));
        header.push('|');
    }
    header.push_str(&severity(view.number("event.severity").unwrap_or_default()).to_string());
    header.push('|');
    (header, is_cut)
}

/// 0 to 10: of the format's words informational and low are up to 3, medium to 6, high to 8, very high to 10.
fn severity(severity: u64) -> u8 {
    match severity {
        0 => 0,
        1..=25 => 3,
        26..=50 => 5,
        51..=75 => 8,
        76.. => 10,
    }
}

fn alert(line: &mut Line, view: View<'_>) {
    let joined = |name: &str| view.texts(name).collect::<Vec<_>>().join(",");
    line.known("act", Some("alerted"));
    other_end(line, view);
    line.known("spid", view.number("process.pid").map(|pid| pid.to_string()).as_deref());
    line.known("suid", view.text("process.user.id"));
    line.known("suser", view.text("process.user.name"));
    line.labelled("cs6", "techniques", Some(&joined("threat.technique.id")));
    line.labelled("cs2", "containerId", view.text("container.id"));
    line.labelled("cs3", "containerName", view.text("container.name"));
    line.labelled("cs4", "image", view.text("container.image.name"));
    line.labelled("cs5", "pod", pod(view).as_deref());
    line.known("tidewaiterLevel", view.text("rule.level"));
    line.known("tidewaiterStory", view.text("tidewaiter.story.id"));
    line.known("tidewaiterDetection", view.text("tidewaiter.detection"));
    line.known("tidewaiterTrick", view.text("tidewaiter.identity.trick"));
    line.known("sproc", view.text("process.executable"));
    line.labelled("cs1", "commandLine", view.text("process.command_line"));
    line.known("fname", view.text("file.path").map(base));
    line.known("filePath", view.text("file.path"));
    line.known("request", view.texts("tidewaiter.transfer.remote").find(|remote| remote.contains("://")));
    line.known("msg", view.text("message"));
    line.known("tidewaiterTactics", Some(&joined("threat.tactic.name")));
    line.known("tidewaiterParent", view.text("process.parent.executable"));
    line.known("tidewaiterParentCommandLine", view.text("process.parent.command_line"));
    line.known("tidewaiterDirectory", view.text("process.working_directory"));
    line.known("tidewaiterTerminal", view.text("tidewaiter.process.terminal"));
    line.known("tidewaiterLabels", list(view, "orchestrator.resource.label").as_deref());
    line.known("tidewaiterFiles", list(view, "tidewaiter.files").as_deref());
    line.known("tidewaiterRemotes", list(view, "tidewaiter.transfer.remote").as_deref());
}

/// The other end of the connection, whoever opened it: `deviceDirection` tells.
fn other_end(line: &mut Line, view: View<'_>) {
    let address = view.text("destination.ip").and_then(|text| text.parse::<IpAddr>().ok());
    match address {
        Some(IpAddr::V4(address)) => line.known("dst", Some(&address.to_string())),
        // Version 0 of the dictionary has IPv4 in `dst` only.
        Some(IpAddr::V6(address)) => {
            line.labelled("c6a3", "Destination IPv6 Address", Some(&address.to_string()));
        }
        None => {}
    }
    line.known("dpt", view.number("destination.port").map(|port| port.to_string()).as_deref());
    line.known("dhost", view.text("destination.domain"));
    line.known("proto", view.text("network.transport").map(str::to_ascii_uppercase).as_deref());
    line.known(
        "deviceDirection",
        match view.text("network.direction") {
            Some("ingress") => Some("0"),
            Some("egress") => Some("1"),
            _ => None,
        },
    );
    // By the dictionary `in` is what flows from source to destination.
    line.known("in", view.number("source.bytes").map(|bytes| bytes.to_string()).as_deref());
    line.known("out", view.number("destination.bytes").map(|bytes| bytes.to_string()).as_deref());
}

/// `shop/web-0`, or as much as is known.
fn pod(view: View<'_>) -> Option<String> {
    let name = view.text("orchestrator.resource.name").or(view.text("orchestrator.resource.id"))?;
    Some(match view.text("orchestrator.namespace") {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.to_owned(),
    })
}

/// A list as JSON: no separator can stand in a text by itself.
fn list(view: View<'_>, name: &str) -> Option<String> {
    view.get(name).map(encode)
}

/// What the sensor says of itself: all of it as JSON.
fn notice(line: &mut Line, view: View<'_>) {
    line.known("msg", view.text("message"));
    let mut report = view.get("tidewaiter").cloned().unwrap_or_default();
    if let Some(report) = report.as_object_mut() {
        report.remove("schema");
        report.remove("truncated");
    }
    line.labelled("cs1", "report", Some(&encode(&report)));
}

struct Line {
    text: String,
    /// For all but [`FLAG`].
    room: usize,
    is_cut: bool,
    /// There is a pair behind the header.
    is_begun: bool,
}

impl Line {
    fn number(&mut self, key: &str, value: i64) {
        self.known(key, Some(&value.to_string()));
    }

    fn labelled(&mut self, key: &str, label: &str, value: Option<&str>) {
        self.put(&format!(" {key}Label={label} {key}="), value);
    }

    fn known(&mut self, key: &str, value: Option<&str>) {
        self.put(&format!(" {key}="), value);
    }

    /// A value may take half of what is left: what comes after it has a right to some room, too.
    fn put(&mut self, key: &str, value: Option<&str>) {
        let Some(value) = value.filter(|value| !value.is_empty()) else { return };
        let left = self.room.saturating_sub(self.text.len() + key.len());
        let bound = left.min(VALUE_MIN.max(left / 2));
        let Some((kept, is_whole)) = fitting(value, bound) else {
            self.is_cut = true;
            return;
        };
        // The first one stands behind the bar of the header.
        self.text.push_str(if self.is_begun { key } else { key.trim_start() });
        self.is_begun = true;
        push_value(&mut self.text, kept);
        if !is_whole {
            self.text.push(ELLIPSIS);
            self.is_cut = true;
        }
    }

    fn finish(mut self) -> String {
        if self.is_cut {
            self.text.push_str(FLAG);
        }
        self.text
    }
}

/// As much of a text as takes `bound` bytes, with the ellipsis where it is not all; none: that is too little.
fn fitting(value: &str, bound: usize) -> Option<(&str, bool)> {
    if value.len().saturating_mul(VALUE_GROWTH) <= bound || value_size(value) <= bound {
        return Some((value, true));
    }
    if bound < VALUE_MIN {
        return None;
    }
    let (mut size, mut end) = (ELLIPSIS.len_utf8(), 0);
    for (at, character) in value.char_indices() {
        // A blank may turn out to be the last one.
        size += if is_blank(character) { BLANK_SIZE } else { character_size(character) };
        if size > bound {
            break;
        }
        end = at + character.len_utf8();
    }
    Some((value.get(..end).unwrap_or_default(), false))
}

/// A byte becomes so many at most: U+0080 and others are two and become seven, a control is one and becomes seven.
const VALUE_GROWTH: usize = 7;

/// A blank where receivers would strip it: `\\u0020`.
const BLANK_SIZE: usize = 7;

/// White space, whoever's; what is a control besides is escaped anyway.
fn is_blank(character: char) -> bool {
    character.is_whitespace() && !is_unsafe(character)
}

fn value_size(value: &str) -> usize {
    let (lead, inner, tail) = parts(value);
    let blanks = lead.chars().chain(tail.chars()).count();
    blanks * BLANK_SIZE + inner.chars().map(character_size).sum::<usize>()
}

/// The blanks before, what is between, the blanks behind.
fn parts(value: &str) -> (&str, &str, &str) {
    let (lead, rest) = value.split_at(value.len() - value.trim_start_matches(is_blank).len());
    let (inner, tail) = rest.split_at(rest.trim_end_matches(is_blank).len());
    (lead, inner, tail)
}

fn character_size(character: char) -> usize {
    match character {
        '\n' | '\r' | '=' => 2,
        '\\' => 4,
        // The backslash of each escape is escaped once more.
        _ if is_unsafe(character) => escaped_size(character) + character.len_utf16(),
        _ => character.len_utf8(),
    }
}

fn push_value(line: &mut String, value: &str) {
    let (lead, inner, tail) = parts(value);
    push_blanks(line, lead);
    for character in inner.chars() {
        match character {
            '\n' => line.push_str(r"\n"),
            '\r' => line.push_str(r"\r"),
            '=' => line.push_str(r"\="),
            _ => push_twice(line, character),
        }
    }
    push_blanks(line, tail);
}

fn push_blanks(line: &mut String, blanks: &str) {
    for blank in blanks.chars() {
        line.push_str(&format!(r"\\u{:04x}", u32::from(blank)));
    }
}

/// Whether all of it had room.
fn push_header(line: &mut String, value: &str) -> bool {
    let begin = line.len();
    for character in value.chars() {
        if line.len() - begin > HEADER_TEXT_MAX {
            line.push(ELLIPSIS);
            return false;
        }
        match character {
            '|' => line.push_str(r"\|"),
            _ => push_twice(line, character),
        }
    }
    true
}

/// Both layers of escaping.
fn push_twice(line: &mut String, character: char) {
    if character != '\\' && !is_unsafe(character) {
        line.push(character);
        return;
    }
    let mut inner = String::new();
    push_escaped(&mut inner, character);
    line.push_str(&inner.replace('\\', r"\\"));
}
