//! Copies into and out of containers: docker, podman, nerdctl `cp`, kubectl and oc `cp`.
//!
//! `in` is into a container, `out` is out of one: the border is the container's, not the machine's.

use super::super::option::{EXACT, KUBECTL, Options, Word};
use super::{Direction, Remote, Transfer};

/// Docker 27, Podman 5, nerdctl 2: options before the command that take a value, and those of `cp`.
const DOCKER: Options = Options {
    short: "cHln",
    long: &[
        "config=",
        "context=",
        "host=",
        "log-level=",
        "tlscacert=",
        "tlscert=",
        "tlskey=",
        "connection=",
        "url=",
        "identity=",
        "root=",
        "runroot=",
        "storage-driver=",
        "namespace=",
        "address=",
        "cgroup-manager=",
        "snapshotter=",
        "data-root=",
        "archive",
        "follow-link",
        "quiet",
        "overwrite",
        "pause",
    ],
    style: EXACT,
};
/// None: it is asked for something else than a copy.
pub(super) fn engine(tool: &'static str, words: &[String]) -> Option<Transfer> {
    copy(tool, "container", &DOCKER, words)
}

/// None: it is asked for something else than a copy.
pub(super) fn cluster(tool: &'static str, words: &[String]) -> Option<Transfer> {
    copy(tool, "kubernetes", &KUBECTL, words)
}

fn copy(tool: &'static str, scheme: &str, options: &Options, words: &[String]) -> Option<Transfer> {
    let mut operands = Vec::new();
    for word in options.walk(words) {
        if let Word::Operand(operand) = word {
            operands.push(operand);
            // The command comes first, and most are none of ours.
            let is_copy = match operands.as_slice() {
                [only] => matches!(*only, "cp" | "container"),
                ["container", second] => *second == "cp",
                _ => true,
            };
            if !is_copy {
                return None;
            }
        }
    }
    let operands = operands.strip_prefix(&["container"][..]).unwrap_or(&operands);
    let ["cp", places @ ..] = operands else { return None };
    let mut transfer = Transfer::client(tool);
    let [from, to, ..] = places else { return Some(transfer) };
    let [is_from, is_to] = [from, to].map(|place| add(&mut transfer, scheme, place));
    transfer.direction = match (is_from, is_to) {
        (true, true) => Some(Direction::Both),
        (true, false) => Some(Direction::Out),
        (false, true) => Some(Direction::In),
        (false, false) => None,
    };
    Some(transfer)
}

/// `container:path` is one; a path that begins as a path, or has no colon, is local. It says whether it was one.
fn add(transfer: &mut Transfer, scheme: &str, place: &str) -> bool {
    let is_path = place.starts_with(['/', '.']);
    let container = place.split_once(':').map(|(container, _)| container).filter(|name| !name.is_empty());
    if is_path || container.is_none() {
        transfer.add_local(place);
        return false;
    }
    transfer.add_scheme(scheme);
    transfer.add_named(Remote::opaque(place));
    true
}
