//! nc in its kinds, and ncat: netcat-openbsd 1.219, netcat-traditional 1.10, BusyBox 1.35, Ncat 7.95.
//!
//! What is connected may carry anything either way, unless an option says that one way is shut.

use super::super::option::{EXACT, GNU, Options, Word};
use super::place::is_loopback;
use super::{Direction, Remote, Role, Transfer};

const OPENBSD: Options = Options { short: "IiMmOPpqsTVWwXx", long: &[], style: EXACT };
const TRADITIONAL: Options = Options { short: "cegGiopqsTw", long: &[], style: EXACT };
/// Which of them it is the name does not tell: what takes a value in any, but for letters that are flags in
/// the commoner one.
const UNKNOWN: Options = Options { short: "cegGIiMmOoPpqsTVWwXx", long: &["help", "version"], style: EXACT };
const NCAT: Options = Options {
    short: "cegGmdoxipsw",
    long: &[
        "sh-exec=",
        "exec=",
        "lua-exec=",
        "max-conns=",
        "delay=",
        "output=",
        "hex-dump=",
        "idle-timeout=",
        "source-port=",
        "source=",
        "wait=",
        "proxy=",
        "proxy-type=",
        "proxy-auth=",
        "proxy-dns=",
        "allow=",
        "allowfile=",
        "deny=",
        "denyfile=",
        "ssl-cert=",
        "ssl-key=",
        "ssl-verify",
        "ssl-trustfile=",
        "ssl-ciphers=",
        "ssl-servername=",
        "ssl-alpn=",
        "ssl",
        "listen",
        "keep-open",
        "udp",
        "sctp",
        "zero",
        "recv-only",
        "send-only",
        "unixsock",
        "broker",
        "chat",
        "help",
        "version",
        "verbose",
        "nodns",
        "telnet",
        "append-output",
        "no-shutdown",
        "crlf",
        "vsock",
    ],
    style: GNU,
};

pub(super) fn read(name: &str, words: &[String]) -> Transfer {
    let (tool, options) = match name {
        "nc.openbsd" => ("nc", &OPENBSD),
        "nc.traditional" => ("nc", &TRADITIONAL),
        "ncat" => ("ncat", &NCAT),
        _ => ("nc", &UNKNOWN),
    };
    let is_ncat = tool == "ncat";
    let mut transfer = Transfer::client(tool);
    let mut operands = Vec::new();
    let (mut scheme, mut is_elsewhere, mut direction) = ("tcp", false, Direction::Both);
    for word in options.walk(words) {
        match word {
            Word::Option("h" | "help" | "version", _) => return Transfer::client(tool),
            Word::Option("l" | "listen", _) => transfer.listens = true,
            Word::Option("u" | "udp", _) => scheme = "udp",
            Word::Option("sctp", _) => scheme = "sctp",
            Word::Option("ssl", _) => scheme = "tls",
            // It only looks whether a port is open; or its other end is a file of this machine.
            Word::Option("z" | "zero" | "U" | "unixsock" | "f" | "vsock", _) => is_elsewhere = true,
            Word::Option("d", None) | Word::Option("recv-only", _) => direction = Direction::In,
            Word::Option("send-only", _) => direction = Direction::Out,
            Word::Option("x", Some(proxy)) if !is_ncat => {
                transfer.weigh(Remote::authority(proxy).is_loopback());
            }
            Word::Option("proxy", Some(proxy)) => transfer.weigh(Remote::authority(proxy).is_loopback()),
            Word::Option(..) => {}
            Word::Operand(operand) => operands.push(operand),
        }
    }
    if is_elsewhere || (operands.is_empty() && !transfer.listens) {
        return transfer;
    }
    transfer.add_scheme(scheme);
    transfer.moves(direction);
    if transfer.listens {
        transfer.role = Role::Server;
        // An address before the port is its own; whoever is there is the other end.
        let is_number = |operand: &&&str| operand.parse::<u16>().is_ok();
        let address = operands.first().filter(|operand| !is_number(operand));
        transfer.weigh(address.is_some_and(|address| is_loopback(address)));
    } else if let Some(host) = operands.first() {
        transfer.add_remote(scheme, Remote::host(host, operands.get(1).copied()));
    }
    transfer
}
