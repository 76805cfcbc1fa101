//! scp, sftp, sftp-server and ssh (OpenSSH 9.9: scp(1), sftp(1), sftp-server(8), ssh(1)).

use super::super::option::{BSD, Options, Word};
use super::{Direction, Remote, Transfer};

const SCP: Options = Options { short: "cDFiJloPSX", long: &[], style: BSD };
const SFTP: Options = Options { short: "BbcDFiJloPRSsX", long: &[], style: BSD };
const SERVER: Options = Options { short: "dfluPpQ", long: &[], style: BSD };
const SSH: Options = Options { short: "BbcDEeFIiJLlmOoPpQRSWw", long: &[], style: BSD };

pub(super) fn scp(words: &[String]) -> Transfer {
    let mut operands = Vec::new();
    let mut port = None;
    let mut end = None;
    for word in SCP.walk(words) {
        match word {
            Word::Option("P", value) => port = value.and_then(|port| port.parse().ok()),
            // What the far side's scp starts here: it takes, or it gives.
            Word::Option("t", _) => end = Some(Direction::In),
            Word::Option("f", _) => end = Some(Direction::Out),
            Word::Option(..) => {}
            Word::Operand(operand) => operands.push(operand),
        }
    }
    if let Some(direction) = end {
        let mut transfer = Transfer::server("scp");
        transfer.add_scheme("ssh");
        operands.iter().for_each(|path| transfer.add_local(path));
        transfer.moves(direction);
        return transfer;
    }
    let mut transfer = Transfer::client("scp");
    let Some((last, sources)) = operands.split_last() else { return transfer };
    let pulls = sources.iter().filter(|operand| add(&mut transfer, "scp", operand, port)).count() > 0;
    let pushes = add(&mut transfer, "scp", last, port);
    match (pulls, pushes) {
        _ if sources.is_empty() => {}
        (true, true) => transfer.moves(Direction::Both),
        (true, false) => transfer.moves(Direction::In),
        (false, true) => transfer.moves(Direction::Out),
        (false, false) => {}
    }
    if transfer.direction.is_some() {
        let locals = operands.iter().filter(|operand| place("scp", operand).is_none());
        locals.for_each(|path| transfer.add_local(path));
    }
    transfer
}

fn add(transfer: &mut Transfer, scheme: &str, operand: &str, port: Option<u16>) -> bool {
    let Some((mut remote, _)) = place(scheme, operand) else { return false };
    remote.port = remote.port.or(port);
    transfer.add_remote("ssh", remote);
    true
}

/// `scp://user@host:port/path` or `user@host:path`, with the path.
fn place<'a>(scheme: &str, operand: &'a str) -> Option<(Remote, &'a str)> {
    let url = Remote::url(operand).filter(|(found, _)| found.eq_ignore_ascii_case(scheme));
    match url {
        Some((_, remote)) => {
            let path = operand.splitn(4, '/').nth(3).unwrap_or_default();
            Some((remote, path))
        }
        None => Remote::shell(operand),
    }
}

pub(super) fn sftp(words: &[String]) -> Transfer {
    let mut transfer = Transfer::client("sftp");
    let mut operands = Vec::new();
    let (mut port, mut is_direct) = (None, false);
    for word in SFTP.walk(words) {
        match word {
            Word::Option("P", value) => port = value.and_then(|port| port.parse().ok()),
            // A server that is called without ssh.
            Word::Option("D", _) => is_direct = true,
            Word::Option(..) => {}
            Word::Operand(operand) => operands.push(operand),
        }
    }
    let Some(destination) = operands.first() else {
        if is_direct {
            transfer.moves(Direction::Both);
        }
        return transfer;
    };
    let (mut remote, path) =
        place("sftp", destination).unwrap_or_else(|| (Remote::authority(destination), ""));
    remote.port = remote.port.or(port);
    transfer.add_remote("ssh", remote);
    // A path is fetched without a word; else commands are typed, or read from a batch.
    if path.trim_start_matches('/').is_empty() {
        transfer.moves(Direction::Both);
    } else {
        transfer.moves(Direction::In);
        operands.iter().skip(1).for_each(|path| transfer.add_local(path));
    }
    transfer
}

pub(super) fn sftp_server(words: &[String]) -> Transfer {
    let mut transfer = Transfer::server("sftp-server");
    transfer.add_scheme("ssh");
    let reads_only = SERVER.walk(words).any(|word| matches!(word, Word::Option("R", _)));
    transfer.moves(if reads_only { Direction::Out } else { Direction::Both });
    transfer
}

/// Only what goes through its standard streams to or from a command that is known to keep or give it.
pub(super) fn ssh(words: &[String]) -> Transfer {
    let mut transfer = Transfer::client("ssh");
    let mut walker = SSH.walk(words);
    let (mut host, mut port, mut user, mut is_subsystem) = (None, None, None, false);
    let mut command = String::new();
    while let Some(word) = walker.next() {
        match word {
            Word::Option("V" | "Q" | "G", _) => return Transfer::client("ssh"),
            Word::Option("p", value) => port = value.and_then(|port| port.parse().ok()),
            Word::Option("l", value) => user = value,
            Word::Option("s", _) => is_subsystem = true,
            Word::Option("L" | "D", _) => transfer.listens = true,
            Word::Option(..) => {}
            Word::Operand(operand) if host.is_none() => {
                host = Some(operand);
                // Options may follow the host.
                walker = SSH.walk(walker.rest());
            }
            Word::Operand(first) => {
                let words = std::iter::once(first).chain(walker.rest().iter().map(String::as_str));
                command = words.collect::<Vec<_>>().join(" ");
                break;
            }
        }
    }
    let Some(host) = host else { return transfer };
    let mut remote = Remote::url(host).map_or_else(|| Remote::authority(host), |(_, remote)| remote);
    remote.port = remote.port.or(port);
    remote.user = remote.user.or_else(|| user.map(str::to_owned));
    transfer.add_remote("ssh", remote);
    if !is_subsystem && let Some(direction) = piped(&command) {
        transfer.moves(direction);
        transfer.add_local("-");
    }
    transfer
}

/// Which way data go through a remote command's standard streams. None: nothing says that they do.
fn piped(command: &str) -> Option<Direction> {
    let mut words = command.split_whitespace().skip_while(|word| *word == "sudo" || word.contains('='));
    let program = words.next()?;
    let program = program.rsplit('/').next().unwrap_or(program);
    let has = |begin: &str| words.clone().any(|word| word.starts_with(begin));
    let writes = has(">") || words.clone().any(|word| word.contains('>') && !word.starts_with("2>"));
    match program {
        _ if program.starts_with("cat>") => Some(Direction::Out),
        "cat" if writes => Some(Direction::Out),
        "cat" if words.clone().next().is_some() => Some(Direction::In),
        "tee" => Some(Direction::Out),
        "dd" if has("of=") && !has("if=") => Some(Direction::Out),
        "dd" if has("if=") && !has("of=") => Some(Direction::In),
        "tar" => tar(words),
        _ => None,
    }
}

/// The letters of its first word: `x` from standard input takes, `c` to standard output gives.
fn tar<'a>(mut words: impl Iterator<Item = &'a str> + Clone) -> Option<Direction> {
    let letters = words.next()?.trim_start_matches('-');
    let is_file = letters.ends_with('f') && words.next() != Some("-");
    match (is_file, letters.contains('x'), letters.contains('c')) {
        (false, true, false) => Some(Direction::Out),
        (false, false, true) => Some(Direction::In),
        _ => None,
    }
}
