//! An event as one line: when, where it ran, who, what, with what.

use std::net::{IpAddr, SocketAddr};

use jiff::Timestamp;

use super::line::{FAINT, FILE, Line, PLACE, PLAIN, STRONG, WARNING};
use super::quantity::bytes;
use super::{View, witness};
use crate::event::{
    Body, Connection, Direction, DnsQuery, Event, FileAction, FileChange, Flow, FlowState, ProcessAccess,
    Socket, SystemChange,
};
use crate::sink::document::program;
use crate::state::container::short_id;
use crate::state::process::Executable;
use crate::state::standing::{Claim, Trick};

/// Columns of a container's name; longer ones are cut.
const CONTAINER: usize = 14;
/// Columns of `program[pid]`: a task's name has at most 15 letters, a pid at most 7 digits.
const PROGRAM: usize = 22;
/// Columns of what was done; longer words push the rest of their line.
const ACTION: usize = 10;

/// One line with its newline.
#[must_use]
pub(crate) fn render(event: &Event, time: Timestamp, view: &View) -> String {
    let mut text = String::new();
    line(event, time, view).cut(view.columns()).paint(view.colour, &mut text);
    text.push('\n');
    text
}

fn line(event: &Event, time: Timestamp, view: &View) -> Line {
    let container = event.container.as_deref();
    let place = match container {
        Some(container) => Line::new().with(PLACE, container.name.as_deref().unwrap_or(container.short_id())),
        None => Line::new().with(FAINT, "host"),
    };
    let mut line = Line::new().with(FAINT, view.time_of_day(time)).with(PLAIN, "  ");
    let mut column = line.width();
    let who = Line::new()
        .with(STRONG, program(&event.process))
        .cut(PROGRAM.saturating_sub(pid(event).width()))
        .join(pid(event));
    for (part, width) in [(place, CONTAINER), (who, PROGRAM), (Line::new().with(PLAIN, event.deed()), ACTION)]
    {
        column += width + 2;
        line = line.join(part.cut(width)).pad(column);
    }
    line.join(object(event))
}

fn pid(event: &Event) -> Line {
    Line::new().with(FAINT, format!("[{}]", event.process.key.pid))
}

/// What it was done to, and how much.
fn object(event: &Event) -> Line {
    let line = Line::new();
    match &event.body {
        Body::ProcessCreation => origin(event).with(PLAIN, event.process.command_line()),
        Body::ProcessAccess(access) => target(access),
        Body::NetworkConnection(one) => connection(one),
        Body::NetworkFlow(one) => flow(one),
        Body::NetworkSocket(Socket::Runtime { path }) => line.with(FILE, path),
        Body::NetworkSocket(Socket::Other { family, kind }) => {
            line.with(PLAIN, format!("family {family} type {kind}"))
        }
        Body::NetworkSocket(Socket::Raw { protocol }) => {
            line.with(PLAIN, format!("raw, protocol {protocol}"))
        }
        Body::NetworkSocket(Socket::Packet) => line.with(PLAIN, "packet"),
        Body::NetworkSocket(Socket::Vsock) => line.with(PLAIN, "vsock"),
        Body::DnsQuery(one) => query(one),
        Body::FileEvent(one) => file(one),
        Body::SystemChange(SystemChange::Identity { trick }) => line.with(WARNING, witnesses(event, *trick)),
        Body::SystemChange(one) => system(one),
        Body::ContainerEvent(_) => line.with(PLAIN, event.object()),
        Body::ContainerResource(_) => line.with(WARNING, event.object()),
    }
}

/// What is odd about a program, in a word or two before its command line, which may be long.
fn origin(event: &Event) -> Line {
    let Executable { memfd, deleted, upper_layer, written, .. } = &event.process.executable;
    let written = written.as_ref().map(|_| "written".to_owned());
    witness::origin(*memfd, *deleted, *upper_layer, written)
        .map_or_else(Line::new, |told| Line::new().with(WARNING, told).with(PLAIN, "  "))
}

/// Both truths about a process.
fn witnesses(event: &Event, trick: Trick) -> String {
    let standing = &event.process.standing;
    let claims = [&standing.cgroup, &standing.mount, &standing.pid].map(Claim::text);
    let told = witness::sentence(Some(trick.name()), claims, |id| {
        let own = event.container.as_deref().filter(|container| container.id == id);
        own.and_then(|container| container.name.as_deref()).unwrap_or_else(|| short_id(id))
    });
    told.unwrap_or_else(|| trick.name().to_owned())
}

fn target(access: &ProcessAccess) -> Line {
    let ProcessAccess { target, target_pid, signal } = access;
    let name = target.as_deref().map_or("", program);
    let line = Line::new().with(PLAIN, name).with(FAINT, format!("[{target_pid}]"));
    signal.map_or(line.clone(), |signal| line.with(WARNING, format!(" signal {signal}")))
}

fn connection(connection: &Connection) -> Line {
    let Connection { address, port, protocol, hostname, direction, .. } = connection;
    let arrow = match direction {
        Direction::Outbound => "→ ",
        Direction::Inbound => "← ",
        Direction::Unknown => "↔ ",
    };
    let line = Line::new().with(FAINT, arrow).with(PLACE, place(*address, *port));
    let line = line.with(FAINT, format!(" {}", protocol.name()));
    hostname.as_deref().map_or(line.clone(), |name| line.with(PLAIN, format!("  {name}")))
}

fn flow(flow: &Flow) -> Line {
    let line = connection(&flow.connection);
    match flow.state {
        FlowState::Open | FlowState::Closed => {
            line.with(PLAIN, format!("   ↑ {}  ↓ {}", bytes(flow.bytes_sent), bytes(flow.bytes_received)))
        }
        FlowState::Failed(0) => line,
        FlowState::Failed(errno) => line.with(WARNING, format!("   errno {errno}")),
    }
}

fn query(query: &DnsQuery) -> Line {
    let line = Line::new().with(PLACE, &query.name).with(FAINT, format!(" {}", query.kind));
    let line = line.with(FAINT, format!("  by {}", query.server));
    let Some(answer) = &query.answer else { return line };
    let found: Vec<_> =
        answer.addresses.iter().map(IpAddr::to_string).chain(answer.records.iter().cloned()).collect();
    line.with(PLAIN, format!("   {} {}", answer.code, found.join(" ")))
}

fn file(change: &FileChange) -> Line {
    let FileChange { action, path, from, file: _, bytes: written, size, is_mapped } = change;
    let mut line = Line::new();
    if let Some(from) = from {
        line = line.with(FILE, from).with(FAINT, " → ");
    }
    line = line.with(FILE, path);
    match (written, size) {
        (Some(written), _) => line = line.with(PLAIN, format!("   ↑ {}", bytes(*written))),
        (None, Some(size)) if matches!(action, FileAction::Write | FileAction::Close) => {
            line = line.with(FAINT, format!("   size {}", bytes(*size)));
        }
        (None, _) => {}
    }
    if *is_mapped { line.with(WARNING, "   mapped") } else { line }
}

fn system(change: &SystemChange) -> Line {
    let line = Line::new();
    match change {
        SystemChange::CgroupAttach { target_pid, path } => {
            line.with(FAINT, format!("[{target_pid}] → ")).with(FILE, path)
        }
        SystemChange::NamespaceEnter { mnt_ns, pid_ns, net_ns } => {
            line.with(PLAIN, format!("mnt {mnt_ns}  pid {pid_ns}  net {net_ns}"))
        }
        SystemChange::BpfLoad { kind, name } => line.with(PLAIN, kind).with(FAINT, format!("  {name}")),
        SystemChange::ModuleLoad { name } => line.with(WARNING, name),
        SystemChange::Mount { source, kind, target, flags: _ } => {
            line.with(PLAIN, source).with(FAINT, " → ").with(FILE, target).with(FAINT, format!("  {kind}"))
        }
        SystemChange::Identity { trick } => line.with(WARNING, trick.name()),
    }
}

fn place(address: IpAddr, port: u16) -> String {
    if port == 0 { address.to_string() } else { SocketAddr::new(address, port).to_string() }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use unicode_width::UnicodeWidthStr;

    use super::super::escape::is_unsafe;
    use super::*;
    use crate::sink::sample;

    fn show(body: Body, width: usize) -> String {
        let event = Event { body, ..sample::event() };
        let time = "2026-11-21T12:03:14.281042123Z".parse().unwrap();
        render(&event, time, &View { width, colour: false, zone: TimeZone::UTC })
    }

    #[test]
    fn events_stand_below_each_other() {
        let change = FileChange {
            action: FileAction::Close,
            path: "/tmp/x".to_owned(),
            bytes: Some(1_258_291),
            ..FileChange::default()
        };
        let expected = "\
12:03:14.281  web-1           curl[4242]              exec        curl -sSLo /tmp/x http://10.0.0.2/payload
12:03:14.281  web-1           curl[4242]              close       /tmp/x   ↑ 1.2 MiB
";
        assert_eq!(show(Body::ProcessCreation, 120) + &show(Body::FileEvent(change), 120), expected);
    }

    #[test]
    fn a_line_stays_one_line_whatever_a_process_calls_its_files() {
        let path = sample::HOSTILE.repeat(24);
        for width in [40, 80, 140] {
            let change = FileChange { path: path.clone(), from: Some(path.clone()), ..FileChange::default() };
            let line = show(Body::FileEvent(change), width);
            assert_eq!(line.matches('\n').count(), 1, "{line:?}");
            assert!(!line.trim_end().chars().any(is_unsafe), "{line:?}");
            assert!(line.trim_end().width() <= width, "{line}");
        }
    }
}
