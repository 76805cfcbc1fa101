//! rsync, both ends (3.5.0, `rsync --help` and rsync(1)).
//!
//! Which operand is remote tells the way: the last is where files go.

use super::super::option::{Options, POPT, Word};
use super::{Direction, Remote, Transfer};

pub(super) const OPTIONS: Options = Options {
    short: "BefMT@",
    long: &[
        "rsh=",
        "info=",
        "debug=",
        "stderr=",
        "backup-dir=",
        "suffix=",
        "confine-root=",
        "chmod=",
        "checksum-choice=",
        "cc=",
        "block-size=",
        "rsync-path=",
        "max-delete=",
        "max-size=",
        "min-size=",
        "max-alloc=",
        "partial-dir=",
        "usermap=",
        "groupmap=",
        "chown=",
        "timeout=",
        "contimeout=",
        "modify-window=",
        "temp-dir=",
        "compare-dest=",
        "copy-dest=",
        "link-dest=",
        "compress-choice=",
        "zc=",
        "compress-level=",
        "zl=",
        "compress-threads=",
        "zt=",
        "skip-compress=",
        "filter=",
        "exclude=",
        "exclude-from=",
        "include=",
        "include-from=",
        "files-from=",
        "copy-as=",
        "address=",
        "port=",
        "sockopts=",
        "outbuf=",
        "remote-option=",
        "out-format=",
        "log-format=",
        "log-file=",
        "log-file-format=",
        "password-file=",
        "early-input=",
        "bwlimit=",
        "stop-after=",
        "time-limit=",
        "stop-at=",
        "write-batch=",
        "only-write-batch=",
        "read-batch=",
        "protocol=",
        "iconv=",
        "checksum-seed=",
        "config=",
        "dparam=",
    ],
    style: POPT,
};

/// Which end of a copy it is told to be.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "four options that are given or not")]
struct Asked {
    server: bool,
    sender: bool,
    daemon: bool,
    /// It would only say what it would do.
    idle: bool,
}

pub(super) fn read(words: &[String]) -> Transfer {
    let mut asked = Asked::default();
    let mut operands = Vec::new();
    let mut port = None;
    for word in OPTIONS.walk(words) {
        match word {
            Word::Option("version" | "V" | "help", _) => return Transfer::client("rsync"),
            Word::Option("server", _) => asked.server = true,
            Word::Option("sender", _) => asked.sender = true,
            Word::Option("daemon", _) => asked.daemon = true,
            // To a server `n` is one of the client's letters, the same.
            Word::Option("n" | "dry-run" | "list-only", _) => asked.idle = true,
            Word::Option("port", value) => port = value.and_then(|port| port.parse().ok()),
            Word::Option(..) => {}
            Word::Operand(operand) => operands.push(operand),
        }
    }
    if asked.server || asked.daemon { server(&asked, &operands) } else { client(&asked, &operands, port) }
}

fn server(asked: &Asked, operands: &[&str]) -> Transfer {
    let mut transfer = Transfer::server("rsync");
    transfer.add_scheme("rsync");
    transfer.listens = asked.daemon && !asked.server;
    if asked.daemon {
        transfer.moves(Direction::Both);
        return transfer;
    }
    if !asked.idle {
        transfer.moves(if asked.sender { Direction::Out } else { Direction::In });
    }
    // A dot stands for the client's side, in front.
    operands.iter().skip(1).for_each(|path| transfer.add_local(path));
    transfer
}

fn client(asked: &Asked, operands: &[&str], port: Option<u16>) -> Transfer {
    let mut transfer = Transfer::client("rsync");
    let Some((last, sources)) = operands.split_last() else { return transfer };
    let pulls = sources.iter().filter(|operand| add(&mut transfer, operand, port)).count() > 0;
    let pushes = add(&mut transfer, last, port);
    // A place alone is listed.
    if asked.idle || sources.is_empty() || !(pulls || pushes) {
        return transfer;
    }
    transfer.moves(if pushes { Direction::Out } else { Direction::In });
    let is_local = |operand: &&&str| remote(operand).is_none() && !operand.starts_with(':');
    operands.iter().filter(is_local).for_each(|path| transfer.add_local(path));
    transfer
}

/// Takes an operand that is remote. It says whether it was.
fn add(transfer: &mut Transfer, operand: &str, port: Option<u16>) -> bool {
    let Some((scheme, mut remote)) = remote(operand) else { return false };
    remote.port = remote.port.or(port);
    transfer.add_remote(scheme, remote);
    true
}

/// `rsync://user@host:port/module`, `user@host::module`, `user@host:path`.
fn remote(operand: &str) -> Option<(&'static str, Remote)> {
    if let Some((scheme, remote)) = Remote::url(operand) {
        return scheme.eq_ignore_ascii_case("rsync").then_some(("rsync", remote));
    }
    let (remote, path) = Remote::shell(operand)?;
    Some((if path.starts_with(':') { "rsync" } else { "ssh" }, remote))
}
