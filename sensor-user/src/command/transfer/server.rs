//! Servers of files that come as a Python module (Python 3.13, uploadserver 6.0, pyftpdlib 2.0).

use super::super::option::{GNU, Options, Word};
use super::place::is_loopback;
use super::{Direction, Transfer};

const HTTP: Options = Options {
    short: "bdptic",
    long: &[
        "bind=",
        "directory=",
        "protocol=",
        "cgi",
        "tls-cert=",
        "tls-key=",
        "tls-password-file=",
        "theme=",
        "token=",
        "server-certificate=",
        "client-certificate=",
        "basic-auth=",
        "basic-auth-upload=",
        "help",
        "allow-replace",
    ],
    style: GNU,
};
const FTP: Options = Options {
    short: "ipdnruPVlD",
    long: &[
        "interface=",
        "port=",
        "write",
        "directory=",
        "nat-address=",
        "range=",
        "username=",
        "password=",
        "log-level=",
        "debug",
        "version",
        "help",
        "keyfile=",
        "certfile=",
        "tls",
    ],
    style: GNU,
};

pub(super) fn http(words: &[String], direction: Direction) -> Transfer {
    let tool = if direction == Direction::Out { "http.server" } else { "uploadserver" };
    let mut transfer = Transfer::server(tool);
    let mut bind = None;
    for word in HTTP.walk(words) {
        match word {
            Word::Option("h" | "help", _) => return Transfer::server(tool),
            Word::Option("b" | "bind", value) => bind = value,
            Word::Option("d" | "directory", Some(path)) => transfer.add_local(path),
            Word::Option(..) | Word::Operand(_) => {}
        }
    }
    listen(&mut transfer, "http", bind, direction);
    transfer
}

pub(super) fn ftp(words: &[String]) -> Transfer {
    let mut transfer = Transfer::server("pyftpdlib");
    let (mut bind, mut direction) = (None, Direction::Out);
    for word in FTP.walk(words) {
        match word {
            Word::Option("h" | "help" | "version", _) => return Transfer::server("pyftpdlib"),
            Word::Option("i" | "interface", value) => bind = value,
            Word::Option("w" | "write", _) => direction = Direction::Both,
            Word::Option("d" | "directory", Some(path)) => transfer.add_local(path),
            Word::Option(..) | Word::Operand(_) => {}
        }
    }
    listen(&mut transfer, "ftp", bind, direction);
    transfer
}

fn listen(transfer: &mut Transfer, scheme: &str, bind: Option<&str>, direction: Direction) {
    transfer.add_scheme(scheme);
    transfer.listens = true;
    transfer.weigh(bind.is_some_and(is_loopback));
    transfer.moves(direction);
}
