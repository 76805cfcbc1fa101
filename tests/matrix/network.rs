//! Events of connections, of what goes over them, and of other sockets.

use tests::agent::Line;

use crate::judge::{Finding, Truth, action, is_of, number};

/// UDP is counted by the calls that move it, some of which fail in part: so far it may be off, in parts of the
/// whole.
const UDP_TOLERANCE: u64 = 100;

/// Whether an event has this other end.
fn is_to(line: &Line, truth: &Truth<'_>, protocol: &str) -> bool {
    line.text("destination.ip") == truth.text("address")
        && number(line, "destination.port") == truth.number("port")
        && line.text("network.transport") == protocol
}

pub(crate) fn connect(way: &str, truth: &Truth<'_>, lines: &[Line]) -> Finding {
    let protocol = truth.text("protocol");
    let own: Vec<_> = truth.own(lines).collect();
    let to = |line: &&&Line| is_to(line, truth, protocol);
    let connects: Vec<_> = own.iter().filter(|line| action(line) == "connect").collect();
    if !connects.iter().any(to) {
        return connects.first().map_or(Finding::Absent, |line| Finding::Wrong(place(line)));
    }
    if way != "refused" {
        return Finding::Seen("destination".to_owned());
    }
    match own.iter().filter(|line| action(line) == "fail").find(to) {
        Some(line) if number(line, "tidewaiter.network.errno") == truth.number("errno") => {
            Finding::Seen("destination, failed with its errno".to_owned())
        }
        Some(_) => Finding::Seen("destination, failed".to_owned()),
        None => Finding::Wrong("told as a connect, not as one that failed".to_owned()),
    }
}

/// Every destination, or it is not told.
pub(crate) fn datagram(truth: &Truth<'_>, lines: &[Line]) -> Finding {
    let told: Vec<_> =
        truth.own(lines).filter(|line| matches!(action(line), "datagram" | "connect")).collect();
    let is_told = |one: &Truth<'_>| told.iter().any(|line| is_to(line, one, "udp"));
    let (count, missing) = match truth.list("destinations") {
        Some(destinations) => {
            let all: Vec<_> = destinations.collect();
            (all.len(), all.iter().filter(|one| !is_told(one)).count())
        }
        None => (1, usize::from(!is_told(truth))),
    };
    match (missing, told.first()) {
        (0, _) if count == 1 => Finding::Seen("destination".to_owned()),
        (0, _) => Finding::Seen(format!("{count} destinations")),
        (_, None) => Finding::Absent,
        (_, Some(line)) => Finding::Wrong(format!("{missing} of {count} not told, but {}", place(line))),
    }
}

/// Told of the process that accepted, with the other end's address.
pub(crate) fn accept(truth: &Truth<'_>, lines: &[Line]) -> Finding {
    let is_it = |line: &&Line| action(line) == "accept" && is_to(line, truth, "tcp");
    if truth.own(lines).any(|line| is_it(&line)) {
        return Finding::Seen("acceptor, peer".to_owned());
    }
    match lines.iter().find(is_it) {
        Some(line) => Finding::Wrong(format!("told of pid {}", number(line, "process.pid").unwrap_or(0))),
        None => Finding::Absent,
    }
}

/// The bytes of each process that moved some.
pub(crate) fn transfer(truth: &Truth<'_>, lines: &[Line]) -> Finding {
    let protocol = truth.text("protocol");
    let senders: Vec<_> = match truth.list("senders") {
        Some(senders) => senders.map(|one| (one.number("pid"), one.number("bytes"))).collect(),
        None => vec![(truth.number("pid"), truth.number("bytes_sent"))],
    };
    if let Some(together) = together(truth, lines) {
        return together;
    }
    let mut told_of = Vec::new();
    for (pid, bytes) in senders {
        let bytes = bytes.unwrap_or_default();
        if bytes == 0 {
            continue;
        }
        let own = |line: &&Line| number(line, "process.pid") == pid && is_to(line, truth, protocol);
        let flows = lines.iter().filter(own).filter(|line| is_of(line, "network_flow"));
        let Some(last) = flows.max_by_key(|line| number(line, "source.bytes")) else {
            return match lines.iter().find(own) {
                Some(line) => Finding::NoBytes(format!("{} only", action(line))),
                None => Finding::Absent,
            };
        };
        let is_actor = pid == truth.number("pid");
        let expected = [Some(bytes), truth.number("bytes_received").filter(|_| is_actor)];
        let told = [number(last, "source.bytes"), number(last, "destination.bytes")];
        for ((expected, told), what) in expected.into_iter().zip(told).zip(["sent", "received"]) {
            let Some(expected) = expected else { continue };
            let told = told.unwrap_or_default();
            if !is_near(told, expected, protocol) {
                return Finding::Wrong(format!("{what} {expected} bytes, told {told} ({})", action(last)));
            }
        }
        told_of.push(format!("{bytes} bytes"));
    }
    Finding::Seen(told_of.join(" + "))
}

/// A connection that several used, at whose end its bytes are told of the one that made it, and of no other.
fn together(truth: &Truth<'_>, lines: &[Line]) -> Option<Finding> {
    let connector = truth.number("connector_pid")?;
    let is_flow = |line: &&Line| is_of(line, "network_flow") && is_to(line, truth, truth.text("protocol"));
    let flows: Vec<_> = lines.iter().filter(is_flow).collect();
    let is_all = |line: &&Line| {
        number(line, "process.pid") == Some(connector)
            && action(line) == "close"
            && number(line, "source.bytes") == truth.number("bytes_sent")
    };
    (!flows.is_empty() && flows.iter().all(is_all))
        .then(|| Finding::Together(format!("pid {connector}, which connected")))
}

fn is_near(told: u64, expected: u64, protocol: &str) -> bool {
    let tolerance = if protocol == "udp" { expected / UDP_TOLERANCE } else { 0 };
    told.abs_diff(expected) <= tolerance
}

/// A socket that goes past TCP and UDP, by its kind.
pub(crate) fn socket(way: &str, truth: &Truth<'_>, lines: &[Line]) -> Finding {
    let wanted = if way == "unix" { "runtime" } else { way };
    let told: Vec<_> = truth.own(lines).filter(|line| is_of(line, "network_socket")).collect();
    let kind = |line: &Line| line.text("tidewaiter.network.socket").to_owned();
    match told.iter().find(|line| kind(line) == wanted) {
        Some(line) if way == "unix" && line.text("tidewaiter.network.path") != truth.text("path") => {
            Finding::Wrong(format!("told as {}", line.text("tidewaiter.network.path")))
        }
        Some(_) => Finding::Seen(if way == "unix" { "path" } else { "kind" }.to_owned()),
        None => {
            told.first().map_or(Finding::Absent, |line| Finding::Wrong(format!("told as {}", kind(line))))
        }
    }
}

/// Where an event says it went.
fn place(line: &Line) -> String {
    format!(
        "told as {} port {} {}",
        line.text("destination.ip"),
        number(line, "destination.port").unwrap_or_default(),
        line.text("network.transport")
    )
}
