//! aria2c (1.37, aria2c(1)) and axel (2.17, axel(1)): they fetch.

use super::super::option::{GNU, Options, Word};
use super::wget::add;
use super::{Direction, Remote, Transfer};

/// Options whose value must be given; the others take one behind `=` only.
const ARIA2: Options = Options {
    short: "dolijmstxkTMOuaU",
    long: &[
        "dir=",
        "out=",
        "input-file=",
        "log=",
        "max-concurrent-downloads=",
        "max-connection-per-server=",
        "split=",
        "min-split-size=",
        "all-proxy=",
        "http-proxy=",
        "https-proxy=",
        "ftp-proxy=",
        "header=",
        "user-agent=",
        "referer=",
        "load-cookies=",
        "save-cookies=",
        "http-user=",
        "http-passwd=",
        "ftp-user=",
        "ftp-passwd=",
        "checksum=",
        "timeout=",
        "connect-timeout=",
        "max-tries=",
        "retry-wait=",
        "max-download-limit=",
        "max-overall-download-limit=",
        "max-upload-limit=",
        "lowest-speed-limit=",
        "torrent-file=",
        "metalink-file=",
        "index-out=",
        "select-file=",
        "seed-time=",
        "seed-ratio=",
        "bt-tracker=",
        "listen-port=",
        "dht-listen-port=",
        "rpc-listen-port=",
        "rpc-secret=",
        "rpc-user=",
        "rpc-passwd=",
        "save-session=",
        "conf-path=",
        "file-allocation=",
        "interface=",
        "ca-certificate=",
        "certificate=",
        "private-key=",
        "netrc-path=",
        "log-level=",
        "console-log-level=",
        "summary-interval=",
        "stop=",
        "stop-with-process=",
        "on-download-complete=",
        "gid=",
        "server-stat-of=",
        "server-stat-if=",
        "dry-run",
        "enable-rpc",
        "version",
        "help",
    ],
    style: GNU,
};
const AXEL: Options = Options {
    short: "snoHUT",
    long: &[
        "max-speed=",
        "num-connections=",
        "output=",
        "max-redirect=",
        "header=",
        "user-agent=",
        "timeout=",
        "search",
        "no-proxy",
        "insecure",
        "no-clobber",
        "quiet",
        "verbose",
        "alternate",
        "help",
        "version",
    ],
    style: GNU,
};

pub(super) fn read(words: &[String]) -> Transfer {
    let mut transfer = Transfer::client("aria2c");
    let (mut has_list, mut looks) = (false, false);
    for word in ARIA2.walk(words) {
        match word {
            Word::Option("v" | "version" | "h" | "help", _) => return Transfer::client("aria2c"),
            Word::Operand(magnet) if magnet.starts_with("magnet:") => {
                transfer.add_remote("bittorrent", Remote::opaque(magnet));
            }
            Word::Operand(url) if url.contains("://") => add(&mut transfer, url),
            Word::Operand(file) | Word::Option("T" | "torrent-file" | "M" | "metalink-file", Some(file)) => {
                has_list = true;
                transfer.add_local(file);
            }
            Word::Option("i" | "input-file", _) => has_list = true,
            Word::Option("o" | "out", Some(path)) => transfer.add_local(path),
            Word::Option("dry-run", value) => looks = value != Some("false"),
            Word::Option("enable-rpc", value) => transfer.listens = value != Some("false"),
            Word::Option("all-proxy" | "http-proxy" | "https-proxy" | "ftp-proxy", Some(proxy)) => {
                let place = proxy.split_once("://").map_or(proxy, |(_, place)| place);
                transfer.weigh(Remote::authority(place).is_loopback());
            }
            Word::Option(..) => {}
        }
    }
    if (has_list || !transfer.remotes.is_empty()) && !looks {
        transfer.moves(Direction::In);
    }
    transfer
}

pub(super) fn axel(words: &[String]) -> Transfer {
    let mut transfer = Transfer::client("axel");
    for word in AXEL.walk(words) {
        match word {
            Word::Option("V" | "version" | "h" | "help", _) => return Transfer::client("axel"),
            Word::Operand(url) => add(&mut transfer, url),
            Word::Option("o" | "output", Some(path)) => transfer.add_local(path),
            Word::Option(..) => {}
        }
    }
    if !transfer.remotes.is_empty() {
        transfer.moves(Direction::In);
    }
    transfer
}
