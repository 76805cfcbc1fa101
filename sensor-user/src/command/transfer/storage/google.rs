//! gsutil 5 and gcloud (Google Cloud CLI 540).

use super::super::super::option::{EXACT, Options};
use super::{Transfer, bucket, copy, split, value};
use crate::command::transfer::{Direction, Remote};

/// Options before and behind the command; `cp` and `rsync` share letters.
const GSUTIL: Options = Options { short: "hiouaLszjxyt", long: &[], style: EXACT };
const GCLOUD: Options = Options {
    short: "",
    long: &[
        "project=",
        "account=",
        "configuration=",
        "billing-project=",
        "impersonate-service-account=",
        "format=",
        "verbosity=",
        "flags-file=",
        "access-token-file=",
        "zone=",
        "region=",
        "port=",
        "ssh-key-file=",
        "scp-flag=",
        "exclude=",
        "manifest-path=",
        "storage-class=",
        "predefined-acl=",
        "content-type=",
        "cache-control=",
        "custom-metadata=",
        "encryption-key=",
        "decryption-keys=",
        "gzip-in-flight=",
        "gzip-local=",
        "canned-acl=",
        "preserve-posix",
        "recursive",
        "dry-run",
        "quiet",
        "recurse",
    ],
    style: EXACT,
};
const SCHEMES: [&str; 2] = ["gs", "s3"];

/// None: another command.
pub(in super::super) fn gsutil(words: &[String]) -> Option<Transfer> {
    let (given, operands) = split(&GSUTIL, words);
    let (command, places) = operands.split_first()?;
    let mut transfer = Transfer::client("gsutil");
    match *command {
        "cp" | "mv" | "rsync" => copy(&mut transfer, places, |place| bucket(&SCHEMES, place)),
        "cat" => cat(&mut transfer, places),
        _ => return None,
    }
    // `rsync -n` only says what it would do; to `cp` the letter is another one.
    if *command == "rsync" && value(&given, &["n"]).is_some() {
        transfer.direction = None;
    }
    Some(transfer)
}

/// None: another command.
pub(in super::super) fn gcloud(words: &[String]) -> Option<Transfer> {
    let (given, operands) = split(&GCLOUD, words);
    let operands = match operands.as_slice() {
        ["alpha" | "beta", rest @ ..] => rest,
        all => all,
    };
    let mut transfer = Transfer::client("gcloud");
    match operands {
        ["storage", "cp" | "mv" | "rsync", places @ ..] => {
            copy(&mut transfer, places, |place| bucket(&SCHEMES, place));
        }
        ["storage", "cat", places @ ..] => cat(&mut transfer, places),
        ["compute", "scp", places @ ..] => {
            copy(&mut transfer, places, |place| Some(("ssh", Remote::shell(place)?.0)));
        }
        _ => return None,
    }
    if value(&given, &["dry-run"]).is_some() {
        transfer.direction = None;
    }
    Some(transfer)
}

fn cat(transfer: &mut Transfer, places: &[&str]) {
    for place in places {
        if let Some((scheme, remote)) = bucket(&SCHEMES, place) {
            transfer.add_remote(scheme, remote);
            transfer.moves(Direction::In);
        }
    }
    transfer.add_local("-");
}
