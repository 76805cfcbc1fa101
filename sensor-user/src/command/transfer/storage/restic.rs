//! restic 0.18: the repository tells where data go (<https://restic.readthedocs.io>, "Preparing a new repository").

use super::super::super::option::{EXACT, Options};
use super::super::place::split_url;
use super::{Direction, Remote, Transfer, named, split, value};

const OPTIONS: Options = Options {
    short: "rpotHe",
    long: &[
        "repo=",
        "repository-file=",
        "password-file=",
        "password-command=",
        "key-hint=",
        "option=",
        "cache-dir=",
        "cacert=",
        "tls-client-cert=",
        "limit-download=",
        "limit-upload=",
        "pack-size=",
        "compression=",
        "retry-lock=",
        "target=",
        "tag=",
        "host=",
        "exclude=",
        "exclude-file=",
        "iexclude=",
        "exclude-larger-than=",
        "exclude-if-present=",
        "include=",
        "iinclude=",
        "files-from=",
        "files-from-raw=",
        "files-from-verbatim=",
        "parent=",
        "path=",
        "stdin-filename=",
        "time=",
        "from-repo=",
        "from-password-file=",
        "read-concurrency=",
    ],
    style: EXACT,
};

/// None: it moves nothing, or where its repository is stands elsewhere.
pub(in super::super) fn restic(words: &[String]) -> Option<Transfer> {
    let (given, operands) = split(&OPTIONS, words);
    let (command, paths) = operands.split_first()?;
    let direction = match *command {
        "backup" => Direction::Out,
        "restore" | "dump" | "mount" => Direction::In,
        "copy" => Direction::Both,
        _ => return None,
    };
    let (scheme, remote) = repository(value(&given, &["r", "repo"])?)?;
    let mut transfer = Transfer::client("restic");
    transfer.add_remote(scheme, remote);
    match direction {
        Direction::Out => paths.iter().for_each(|path| transfer.add_local(path)),
        Direction::In => {
            value(&given, &["t", "target"]).into_iter().for_each(|path| transfer.add_local(path));
        }
        Direction::Both => {}
    }
    // `-n` and its name hold for backup and restore.
    if value(&given, &["n", "dry-run"]).is_none() {
        transfer.moves(direction);
    }
    Some(transfer)
}

/// None: a directory of this machine.
fn repository(repository: &str) -> Option<(&str, Remote)> {
    if let Some((scheme @ "sftp", _)) = split_url(repository) {
        return Remote::url(repository).map(|(_, remote)| (scheme, remote));
    }
    let (kind, place) = repository.split_once(':')?;
    let remote = match kind {
        "sftp" => Remote::shell(place)?.0,
        "rest" => Remote::url(place)?.1,
        // `s3:https://host/bucket` or `s3:host/bucket`.
        "s3" => Remote::url(place).map_or_else(|| Remote::authority(place), |(_, remote)| remote),
        "b2" | "azure" | "gs" | "swift" => named(place, place.split(':').next().unwrap_or(place)),
        "rclone" => Remote::opaque(place),
        _ => return None,
    };
    Some((kind, Remote { text: super::super::bounded(repository).to_owned(), ..remote }))
}
