//! az (Azure CLI 2.70, `az storage`) and azcopy 10.

use super::super::super::option::{EXACT, GNU, Options};
use super::{Direction, Remote, Transfer, copy, named, split, value};

const AZ: Options = Options {
    short: "cndfspogt",
    long: &[
        "account-name=",
        "account-key=",
        "connection-string=",
        "sas-token=",
        "container-name=",
        "name=",
        "file=",
        "source=",
        "destination=",
        "destination-path=",
        "destination-container=",
        "destination-account-name=",
        "source-container=",
        "source-account-name=",
        "source-uri=",
        "share-name=",
        "path=",
        "dest=",
        "pattern=",
        "type=",
        "auth-mode=",
        "subscription=",
        "query=",
        "output=",
        "tier=",
        "blob-endpoint=",
        "max-connections=",
        "content-type=",
        "metadata=",
        "timeout=",
        "recursive",
        "dryrun",
        "overwrite=",
        "no-progress",
        "only-show-errors",
        "debug",
        "verbose",
    ],
    style: GNU,
};
const AZCOPY: Options = Options {
    short: "",
    long: &[
        "from-to=",
        "include-pattern=",
        "exclude-pattern=",
        "include-path=",
        "exclude-path=",
        "blob-type=",
        "block-blob-tier=",
        "block-size-mb=",
        "cap-mbps=",
        "content-type=",
        "list-of-files=",
        "log-level=",
        "metadata=",
        "output-type=",
        "output-level=",
        "overwrite=",
        "trusted-microsoft-suffixes=",
        "check-md5=",
        "s2s-preserve-access-tier=",
        "preserve-permissions",
        "put-md5",
        "recursive",
        "dry-run",
    ],
    style: EXACT,
};

/// None: another command.
pub(in super::super) fn az(words: &[String]) -> Option<Transfer> {
    let (given, operands) = split(&AZ, words);
    let of = |names: &[&str]| value(&given, names);
    let (direction, place, local) = match operands.as_slice() {
        ["storage", "blob", "upload"] => (Direction::Out, of(&["c", "container-name"]), of(&["f", "file"])),
        ["storage", "blob" | "file", "upload-batch"] => {
            (Direction::Out, of(&["d", "destination"]), of(&["s", "source"]))
        }
        ["storage", "blob", "sync"] => (Direction::Out, of(&["c", "container-name"]), of(&["s", "source"])),
        ["storage", "blob", "download"] => (Direction::In, of(&["c", "container-name"]), of(&["f", "file"])),
        ["storage", "blob" | "file", "download-batch"] => {
            (Direction::In, of(&["s", "source"]), of(&["d", "destination"]))
        }
        ["storage", "file", "upload"] => (Direction::Out, of(&["s", "share-name"]), of(&["source"])),
        ["storage", "file", "download"] => (Direction::In, of(&["s", "share-name"]), of(&["dest"])),
        ["storage", "copy"] => {
            let mut transfer = Transfer::client("az");
            let places = [of(&["s", "source"])?, of(&["d", "destination"])?];
            copy(&mut transfer, &places, url);
            return Some(transfer);
        }
        _ => return None,
    };
    let mut transfer = Transfer::client("az");
    if let Some(place) = place {
        transfer.add_remote("azure", named(place, place));
    }
    local.into_iter().for_each(|path| transfer.add_local(path));
    if of(&["dryrun"]).is_none() {
        transfer.moves(direction);
    }
    Some(transfer)
}

/// None: another command.
pub(in super::super) fn azcopy(words: &[String]) -> Option<Transfer> {
    let (given, operands) = split(&AZCOPY, words);
    let ["copy" | "cp" | "c" | "sync" | "s" | "sc", places @ ..] = operands.as_slice() else { return None };
    let mut transfer = Transfer::client("azcopy");
    copy(&mut transfer, places, url);
    if value(&given, &["dry-run"]).is_some() {
        transfer.direction = None;
    }
    Some(transfer)
}

/// `https://account.blob.core.windows.net/container`, without the key that may follow `?`.
fn url(place: &str) -> Option<(&str, Remote)> {
    Remote::url(place.split('?').next().unwrap_or(place))
}
