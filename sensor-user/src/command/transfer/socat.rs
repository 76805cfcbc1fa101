//! socat: two addresses, and which way data go between them (socat 1.8, socat(1)).

use super::place::{is_loopback, split_port};
use super::{Direction, Remote, Role, Transfer};

/// What an address is.
enum Address<'a> {
    /// Another machine: over what, and where.
    Remote(&'static str, Remote),
    /// Awaits one, at this machine's loopback only or at more.
    Listens(&'static str, bool),
    /// A file; `-` for the standard streams.
    Local(&'a str),
    /// Something else of this machine.
    Other,
}

/// What follows a network's name and awaits somebody.
const AWAITS: [&str; 5] = ["listen", "l", "recvfrom", "recv", "datagram-recv"];

pub(super) fn read(words: &[String]) -> Transfer {
    let mut transfer = Transfer::client("socat");
    let (mut addresses, mut is_forward, mut is_backward) = (Vec::new(), false, false);
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match option(word) {
            None => addresses.push(word),
            Some(("h" | "?" | "V", _)) => return Transfer::client("socat"),
            Some(("u", _)) => is_forward = true,
            Some(("U", _)) => is_backward = true,
            // Their value may be the next word.
            Some(("b" | "t" | "T" | "L" | "W" | "r" | "R" | "lf" | "lp", "")) => {
                words.next();
            }
            Some(_) => {}
        }
    }
    let mut ends = addresses.iter().map(|word| Address::read(word));
    let (Some(first), Some(second)) = (ends.next(), ends.next()) else { return transfer };
    let nets = [first.is_net(), second.is_net()];
    if let Address::Listens(..) = first {
        transfer.role = Role::Server;
    }
    transfer.direction = match (nets, is_forward, is_backward) {
        ([false, false], ..) => None,
        ([true, false], true, _) | ([false, true], _, true) => Some(Direction::In),
        ([false, true], true, _) | ([true, false], _, true) => Some(Direction::Out),
        _ => Some(Direction::Both),
    };
    [first, second].into_iter().for_each(|end| end.tell(&mut transfer));
    transfer
}

/// An option and what is attached to it. None: an address.
fn option(word: &str) -> Option<(&str, &str)> {
    let letters = word.strip_prefix('-').filter(|letters| !letters.is_empty())?;
    letters.split_at_checked(if letters.starts_with('l') { 2 } else { 1 })
}

impl<'a> Address<'a> {
    fn read(word: &'a str) -> Self {
        let (place, options) = word.split_once(',').unwrap_or((word, ""));
        let (keyword, arguments) = place.split_once(':').unwrap_or((place, ""));
        let lower = keyword.to_ascii_lowercase();
        match lower.as_str() {
            "-" | "stdio" | "stdin" | "stdout" => return Self::Local("-"),
            "open" | "gopen" | "file" | "create" | "creat" => return Self::Local(arguments),
            // A path by itself.
            _ if keyword.contains('/') => return Self::Local(place),
            _ => {}
        }
        let (base, kind) = lower.split_once('-').unwrap_or((lower.as_str(), ""));
        let Some(scheme) = scheme(base) else { return Self::Other };
        // `dtls` is a kind of openssl.
        let kind = kind.strip_prefix("dtls-").unwrap_or(kind);
        if AWAITS.contains(&kind) {
            let bind = options.split(',').find_map(|option| option.strip_prefix("bind="));
            let is_near = bind.is_some_and(|bind| is_loopback(split_port(bind).0));
            return Self::Listens(scheme, is_near);
        }
        Self::Remote(scheme, remote(scheme, arguments))
    }

    fn is_net(&self) -> bool {
        matches!(self, Self::Remote(..) | Self::Listens(..))
    }

    fn tell(self, transfer: &mut Transfer) {
        match self {
            Self::Remote(scheme, remote) => transfer.add_remote(scheme, remote),
            Self::Listens(scheme, is_near) => {
                transfer.listens = true;
                transfer.add_scheme(scheme);
                transfer.weigh(is_near);
            }
            Self::Local(path) if transfer.direction.is_some() => transfer.add_local(path),
            Self::Local(_) | Self::Other => {}
        }
    }
}

/// What a keyword's first part stands for. None: no network.
fn scheme(base: &str) -> Option<&'static str> {
    Some(match base {
        "tcp" | "tcp4" | "tcp6" => "tcp",
        "udp" | "udp4" | "udp6" | "udplite" | "udplite4" | "udplite6" => "udp",
        "sctp" | "sctp4" | "sctp6" => "sctp",
        "dccp" | "dccp4" | "dccp6" => "dccp",
        "openssl" | "ssl" | "dtls" => "tls",
        "socks" | "socks4" | "socks4a" | "socks5" => "socks",
        "proxy" => "http",
        "vsock" => "vsock",
        _ => return None,
    })
}

/// The last two of an address's arguments, `host:port`; a proxy stands before them.
fn remote(scheme: &str, arguments: &str) -> Remote {
    let is_between = matches!(scheme, "socks" | "http");
    let place = if is_between {
        let from = arguments.rmatch_indices(':').nth(1).map_or(0, |(at, _)| at + 1);
        arguments.get(from..).unwrap_or(arguments)
    } else {
        arguments
    };
    let mut remote = Remote::authority(place);
    remote.text.clear();
    remote.text.push_str(super::bounded(arguments));
    remote
}
