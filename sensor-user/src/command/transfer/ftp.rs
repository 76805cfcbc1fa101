//! ftp (tnftp of 2023, netkit 0.17), lftp (4.9), tftp (tftp-hpa 5.2, BusyBox 1.35), BusyBox's ftpget and ftpput.
//!
//! A session whose commands are typed or piped in may move anything either way.

use super::super::option::{BSD, EXACT, GNU, Options, Word};
use super::wget::add;
use super::{Direction, Remote, Transfer};

/// tnftp: ftp(1); netkit's letters take no value. It fetches URLs by itself, and puts files with `-u URL FILE`.
const FTP: Options = Options { short: "bcHNoPqrsTux", long: &[], style: BSD };
const LFTP: Options = Options {
    short: "depufsc",
    long: &["env-password", "norc", "help", "version", "debug", "user=", "password=", "port="],
    style: GNU,
};
const BUSYBOX_TFTP: Options = Options { short: "lrb", long: &[], style: EXACT };
const TFTP: Options = Options { short: "mR", long: &[], style: EXACT };
const FTPGET: Options = Options {
    short: "upP",
    long: &["username=", "password=", "port=", "continue", "verbose", "help"],
    style: GNU,
};

pub(super) fn read(words: &[String]) -> Transfer {
    let mut transfer = Transfer::client("ftp");
    let mut operands = Vec::new();
    let mut target = None;
    for word in FTP.walk(words) {
        match word {
            Word::Option("u", value) => target = value,
            Word::Option("o", Some(path)) => transfer.add_local(path),
            Word::Option("help" | "version", _) | Word::Option("h" | "?", _) => {
                return Transfer::client("ftp");
            }
            Word::Option(..) => {}
            Word::Operand(operand) => operands.push(operand),
        }
    }
    if let Some(url) = target {
        add(&mut transfer, url);
        operands.iter().for_each(|path| transfer.add_local(path));
        transfer.moves(Direction::Out);
        return transfer;
    }
    let fetches = |operand: &&str| operand.contains("://") || operand.contains(':');
    if operands.iter().any(fetches) {
        for operand in operands {
            if operand.contains("://") {
                add(&mut transfer, operand);
            } else if let Some((remote, _)) = Remote::shell(operand) {
                transfer.add_remote("ftp", remote);
            }
        }
        transfer.moves(Direction::In);
        return transfer;
    }
    if let Some(host) = operands.first() {
        transfer.add_remote("ftp", Remote::host(host, operands.get(1).copied()));
    }
    transfer.add_scheme("ftp");
    // Without a host it is told one later: `ftp -n <<end`, then `open host`.
    transfer.moves(Direction::Both);
    transfer
}

pub(super) fn lftp(words: &[String]) -> Transfer {
    let mut transfer = Transfer::client("lftp");
    let (mut is_session, mut port, mut user) = (true, None, None);
    let mut sites = Vec::new();
    for word in LFTP.walk(words) {
        match word {
            Word::Option("h" | "help" | "v" | "version", _) => return Transfer::client("lftp"),
            Word::Option("c", Some(line)) => {
                is_session = false;
                lines(&mut transfer, line, &mut sites);
            }
            Word::Option("e", Some(line)) => {
                lines(&mut transfer, line, &mut sites);
                is_session &= transfer.direction.is_none();
            }
            Word::Option("p" | "port", value) => port = value,
            Word::Option("u" | "user", Some(value)) => user = value.split(',').next(),
            Word::Option(..) => {}
            Word::Operand(site) => sites.push(site),
        }
    }
    for site in sites {
        let (scheme, mut remote) = Remote::url(site).unwrap_or_else(|| ("ftp", Remote::authority(site)));
        remote.port = remote.port.or_else(|| port.and_then(|port| port.parse().ok()));
        remote.user = remote.user.or_else(|| user.map(str::to_owned));
        transfer.add_remote(scheme, remote);
    }
    if is_session {
        transfer.moves(Direction::Both);
    }
    transfer
}

/// Commands of lftp(1) that move files, and what they open.
fn lines<'a>(transfer: &mut Transfer, line: &'a str, sites: &mut Vec<&'a str>) {
    for command in line.split([';', '\n', '|']).flat_map(|part| part.split("&&")) {
        let mut words = command.split_whitespace();
        match words.next() {
            Some(
                "get" | "get1" | "mget" | "pget" | "reget" | "cat" | "zcat" | "bzcat" | "more" | "zmore",
            ) => {
                transfer.moves(Direction::In);
            }
            Some("put" | "mput" | "reput") => transfer.moves(Direction::Out),
            Some("mirror") => {
                let short =
                    |word: &str| word.starts_with('-') && !word.starts_with("--") && word.contains('R');
                let is_reversed = words.clone().any(|word| word == "--reverse" || short(word));
                transfer.moves(if is_reversed { Direction::Out } else { Direction::In });
            }
            Some("open" | "lftp") => sites.extend(words.rfind(|word| !word.starts_with('-'))),
            Some(_) | None => {}
        }
    }
}

/// lftpget: a script that calls lftp to get each URL.
pub(super) fn lftpget(words: &[String]) -> Transfer {
    let mut transfer = Transfer::client("lftp");
    for word in EXACT_NONE.walk(words) {
        if let Word::Operand(url) = word {
            add(&mut transfer, url);
            transfer.moves(Direction::In);
        }
    }
    transfer
}

const EXACT_NONE: Options = Options { short: "", long: &[], style: EXACT };

pub(super) fn tftp(words: &[String]) -> Transfer {
    let mut transfer = Transfer::client("tftp");
    let mut operands = Vec::new();
    for word in BUSYBOX_TFTP.walk(words) {
        match word {
            Word::Option("help", _) => return Transfer::client("tftp"),
            Word::Option("g", _) => transfer.direction = Some(Direction::In),
            Word::Option("p", _) => transfer.direction = transfer.direction.or(Some(Direction::Out)),
            Word::Option("l", Some(path)) => transfer.add_local(path),
            Word::Option(..) => {}
            Word::Operand(operand) => operands.push(operand),
        }
    }
    if transfer.direction.is_none() {
        return tftp_hpa(words);
    }
    if let Some(host) = operands.first() {
        transfer.add_remote("tftp", Remote::host(host, operands.get(1).copied()));
    }
    transfer
}

/// `tftp HOST [PORT] -c get FILE [LOCAL]`, or a session.
fn tftp_hpa(words: &[String]) -> Transfer {
    let mut transfer = Transfer::client("tftp");
    let mut operands = Vec::new();
    let mut walker = TFTP.walk(words);
    while let Some(word) = walker.next() {
        match word {
            Word::Option("V" | "version" | "h" | "help", _) => return Transfer::client("tftp"),
            Word::Option("c", _) => {
                let command: Vec<&str> = walker.rest().iter().map(String::as_str).collect();
                match command.as_slice() {
                    ["get", remote, local @ ..] => {
                        transfer.moves(Direction::In);
                        transfer.add_local(local.first().unwrap_or(remote));
                    }
                    ["put", local, ..] => {
                        transfer.moves(Direction::Out);
                        transfer.add_local(local);
                    }
                    _ => {}
                }
                break;
            }
            Word::Option(..) => {}
            Word::Operand(operand) => operands.push(operand),
        }
    }
    let Some(host) = operands.first() else { return transfer };
    transfer.add_remote("tftp", Remote::host(host, operands.get(1).copied()));
    if transfer.direction.is_none() {
        transfer.moves(Direction::Both);
    }
    transfer
}

pub(super) fn applet(words: &[String], direction: Direction) -> Transfer {
    let tool = if direction == Direction::In { "ftpget" } else { "ftpput" };
    let mut transfer = Transfer::client(tool);
    let mut operands = Vec::new();
    let (mut port, mut user) = (None, None);
    for word in FTPGET.walk(words) {
        match word {
            Word::Option("help", _) => return Transfer::client(tool),
            Word::Option("u" | "username", value) => user = value,
            Word::Option("P" | "port", value) => port = value,
            Word::Option(..) => {}
            Word::Operand(operand) => operands.push(operand),
        }
    }
    // One name is both the local and the remote one; ftpput's remote name stands first.
    let (Some(host), Some(first)) = (operands.first(), operands.get(1)) else { return transfer };
    let local = if direction == Direction::In { first } else { operands.get(2).unwrap_or(first) };
    let mut remote = Remote::host(host, port);
    remote.user = user.map(str::to_owned);
    transfer.add_remote("ftp", remote);
    transfer.add_local(local);
    transfer.moves(direction);
    transfer
}
