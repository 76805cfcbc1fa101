//! wget, wget2 and BusyBox's wget (GNU Wget 1.21.3 and BusyBox 1.35, `--help`; Wget2 takes the same names).
//!
//! It keeps what it fetches unless told to throw that away, so a body that is no file still fetches.

use super::super::option::{GNU, Options, Word};
use super::{Direction, Remote, Transfer};

pub(super) const OPTIONS: Options = Options {
    // `-n` begins two letters (`-nv`); `-Y` is BusyBox's.
    short: "eoaiBtOTwQPUlARDIXnY",
    long: &[
        "post-file=",
        "post-data=",
        "body-file=",
        "body-data=",
        "output-document=",
        "output-file=",
        "method=",
        "input-file=",
        "input-metalink=",
        "execute=",
        "append-output=",
        "report-speed=",
        "base=",
        "config=",
        "rejected-log=",
        "tries=",
        "retry-on-http-error=",
        "start-pos=",
        "progress=",
        "timeout=",
        "dns-timeout=",
        "connect-timeout=",
        "read-timeout=",
        "wait=",
        "waitretry=",
        "quota=",
        "bind-address=",
        "limit-rate=",
        "restrict-file-names=",
        "prefer-family=",
        "user=",
        "password=",
        "use-askpass=",
        "local-encoding=",
        "remote-encoding=",
        "directory-prefix=",
        "cut-dirs=",
        "http-user=",
        "http-password=",
        "default-page=",
        "header=",
        "compression=",
        "max-redirect=",
        "proxy-user=",
        "proxy-password=",
        "referer=",
        "user-agent=",
        "load-cookies=",
        "save-cookies=",
        "hsts-file=",
        "secure-protocol=",
        "certificate=",
        "certificate-type=",
        "private-key=",
        "private-key-type=",
        "ca-certificate=",
        "ca-directory=",
        "crl-file=",
        "pinnedpubkey=",
        "ciphers=",
        "ftp-user=",
        "ftp-password=",
        "warc-file=",
        "warc-header=",
        "warc-max-size=",
        "warc-dedup=",
        "warc-tempdir=",
        "level=",
        "backups=",
        "accept=",
        "reject=",
        "accept-regex=",
        "reject-regex=",
        "regex-type=",
        "domains=",
        "exclude-domains=",
        "follow-tags=",
        "ignore-tags=",
        "include-directories=",
        "exclude-directories=",
        "spider",
        "version",
        "help",
        "background",
        "debug",
        "quiet",
        "verbose",
        "no-verbose",
        "force-html",
        "continue",
        "recursive",
        "mirror",
        "page-requisites",
        "timestamping",
        "server-response",
        "no-check-certificate",
        "content-disposition",
        "content-on-error",
        "random-wait",
        "http-proxy=",
        "https-proxy=",
    ],
    style: GNU,
};

pub(super) fn read(words: &[String]) -> Transfer {
    let mut transfer = Transfer::client("wget");
    let (mut output, mut has_list, mut sends, mut looks) = (None, false, false, false);
    for word in OPTIONS.walk(words) {
        match word {
            Word::Option("V" | "version" | "h" | "help", _) => return Transfer::client("wget"),
            Word::Operand(url) => add(&mut transfer, url),
            Word::Option("post-file" | "body-file", Some(file)) => {
                sends = true;
                transfer.add_local(file);
            }
            Word::Option("O" | "output-document", value) => output = value,
            Word::Option("i" | "input-file" | "input-metalink", _) => has_list = true,
            Word::Option("spider", _) => looks = true,
            Word::Option("method", Some(method)) => looks |= method.eq_ignore_ascii_case("HEAD"),
            Word::Option("e" | "execute", Some(line)) => {
                let proxy = line.split_once('=').filter(|(name, _)| name.trim().ends_with("_proxy"));
                proxy.into_iter().for_each(|(_, proxy)| between(&mut transfer, proxy.trim()));
            }
            Word::Option("http-proxy" | "https-proxy", Some(proxy)) => between(&mut transfer, proxy),
            Word::Option(..) => {}
        }
    }
    let is_known = has_list || !transfer.remotes.is_empty();
    if sends && is_known {
        transfer.moves(Direction::Out);
    } else if is_known && !looks && output != Some("/dev/null") {
        transfer.moves(Direction::In);
    }
    output.filter(|path| *path != "/dev/null").into_iter().for_each(|path| transfer.add_local(path));
    transfer
}

pub(super) fn add(transfer: &mut Transfer, url: &str) {
    match Remote::url(url) {
        Some((scheme, remote)) => transfer.add_remote(scheme, remote),
        None => transfer.add_remote("http", Remote::authority(url)),
    }
}

/// A proxy; `use_proxy` and an empty one are none.
fn between(transfer: &mut Transfer, proxy: &str) {
    let place = proxy.split_once("://").map_or(proxy, |(_, place)| place);
    if !matches!(place, "" | "on" | "off" | "yes" | "no") {
        transfer.weigh(Remote::authority(place).is_loopback());
    }
}
