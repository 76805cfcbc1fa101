//! rclone (1.71, <https://rclone.org/commands/>): remotes are `name:path`, or `:backend,options:path`.

use super::super::super::option::{EXACT, Options};
use super::super::place::{is_loopback, split_port};
use super::super::wget;
use super::{Direction, Remote, Transfer, copy, split, value};

const OPTIONS: Options = Options {
    short: "",
    long: &[
        "config=",
        "transfers=",
        "checkers=",
        "bwlimit=",
        "include=",
        "include-from=",
        "exclude=",
        "exclude-from=",
        "filter=",
        "filter-from=",
        "files-from=",
        "files-from-raw=",
        "max-age=",
        "min-age=",
        "max-size=",
        "min-size=",
        "max-depth=",
        "max-transfer=",
        "max-duration=",
        "backup-dir=",
        "suffix=",
        "compare-dest=",
        "copy-dest=",
        "log-file=",
        "log-level=",
        "stats=",
        "retries=",
        "retries-sleep=",
        "low-level-retries=",
        "timeout=",
        "contimeout=",
        "tpslimit=",
        "user-agent=",
        "buffer-size=",
        "multi-thread-streams=",
        "password-command=",
        "cache-dir=",
        "temp-dir=",
        "header=",
        "header-upload=",
        "header-download=",
        "addr=",
        "user=",
        "pass=",
        "htpasswd=",
        "rc-addr=",
        "vfs-cache-mode=",
        "drive-root-folder-id=",
        "s3-provider=",
        "s3-endpoint=",
        "s3-region=",
        "s3-access-key-id=",
        "s3-secret-access-key=",
        "s3-acl=",
        "sftp-host=",
        "sftp-user=",
        "sftp-pass=",
        "sftp-port=",
        "sftp-key-file=",
        "http-url=",
        "webdav-url=",
        "webdav-user=",
        "webdav-pass=",
        "ftp-host=",
        "ftp-user=",
        "ftp-pass=",
        "order-by=",
        "modify-window=",
        "ca-cert=",
        "client-cert=",
        "client-key=",
        "bind=",
    ],
    style: EXACT,
};

/// None: it moves nothing.
pub(in super::super) fn rclone(words: &[String]) -> Option<Transfer> {
    let (given, operands) = split(&OPTIONS, words);
    let (command, places) = operands.split_first()?;
    let mut transfer = Transfer::client("rclone");
    match (*command, places) {
        ("copy" | "sync" | "move" | "copyto" | "moveto" | "bisync", _) => copy(&mut transfer, places, remote),
        ("copyurl", [url, to @ ..]) => {
            wget::add(&mut transfer, url);
            transfer.moves(Direction::In);
            to.iter().for_each(|place| one(&mut transfer, place, Direction::Out));
        }
        ("cat", _) => places.iter().for_each(|place| one(&mut transfer, place, Direction::In)),
        ("rcat", _) => places.iter().for_each(|place| one(&mut transfer, place, Direction::Out)),
        ("mount" | "cmount" | "nfsmount", [place, path, ..]) => {
            one(&mut transfer, place, Direction::Both);
            transfer.add_local(path);
        }
        ("serve", [scheme, place, ..]) => serve(&mut transfer, scheme, place, value(&given, &["addr"])),
        _ => return None,
    }
    if value(&given, &["n", "dry-run"]).is_some() {
        transfer.direction = None;
    }
    Some(transfer)
}

/// A place by itself: data go that way if it is remote.
fn one(transfer: &mut Transfer, place: &str, direction: Direction) {
    match remote(place) {
        Some((scheme, remote)) => {
            transfer.add_remote(scheme, remote);
            transfer.moves(direction);
        }
        None => transfer.add_local(place),
    }
}

/// Files of anywhere for whoever comes: at this machine's loopback, unless it is told more.
fn serve(transfer: &mut Transfer, scheme: &str, place: &str, address: Option<&str>) {
    transfer.role = super::super::Role::Server;
    transfer.listens = true;
    match remote(place) {
        Some((_, remote)) => transfer.add_named(remote),
        None => transfer.add_local(place),
    }
    transfer.add_scheme(scheme);
    transfer.weigh(address.is_none_or(|address| is_loopback(split_port(address).0)));
    transfer.moves(if scheme == "http" { Direction::Out } else { Direction::Both });
}

/// None: a local path, in which a slash comes before any colon.
fn remote(place: &str) -> Option<(&str, Remote)> {
    if let Some(own) = place.strip_prefix(':') {
        let (backend, path) = own.split_once(':')?;
        let kind = backend.split(',').next().unwrap_or(backend);
        return Some((kind, named(place, path)));
    }
    let (name, path) = place.split_once(':')?;
    (!name.is_empty() && !name.contains('/')).then(|| ("rclone", named(place, path)))
}

/// The bucket is the path's first part.
fn named(place: &str, path: &str) -> Remote {
    super::named(place, path.trim_start_matches('/').split('/').next().unwrap_or_default())
}
