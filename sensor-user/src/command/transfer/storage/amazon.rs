//! aws (AWS CLI 2), s3cmd 2.4 and mc (MinIO client of 2025).

use super::super::super::option::{EXACT, GNU, Options};
use super::{Direction, Remote, Transfer, bucket, copy, named, split, value};

/// Global options, those of `aws s3` and of the calls of `aws s3api` that have a body.
const AWS: Options = Options {
    short: "",
    long: &[
        "endpoint-url=",
        "output=",
        "query=",
        "profile=",
        "region=",
        "color=",
        "ca-bundle=",
        "cli-read-timeout=",
        "cli-connect-timeout=",
        "cli-binary-format=",
        "exclude=",
        "include=",
        "acl=",
        "storage-class=",
        "sse=",
        "sse-c=",
        "sse-c-key=",
        "sse-kms-key-id=",
        "sse-c-copy-source=",
        "sse-c-copy-source-key=",
        "grants=",
        "content-type=",
        "content-encoding=",
        "content-disposition=",
        "content-language=",
        "cache-control=",
        "expires=",
        "metadata=",
        "metadata-directive=",
        "website-redirect=",
        "source-region=",
        "page-size=",
        "expected-size=",
        "request-payer=",
        "copy-props=",
        "checksum-mode=",
        "checksum-algorithm=",
        "bucket=",
        "key=",
        "body=",
        "copy-source=",
        "upload-id=",
        "part-number=",
        "version-id=",
        "range=",
        "recursive",
        "dryrun",
        "quiet",
        "only-show-errors",
        "no-progress",
        "delete",
        "size-only",
        "exact-timestamps",
        "follow-symlinks",
        "no-follow-symlinks",
        "no-sign-request",
        "no-verify-ssl",
        "no-paginate",
        "no-cli-pager",
        "debug",
        "version",
        "help",
    ],
    style: GNU,
};
const S3CMD: Options = Options {
    short: "cm",
    long: &[
        "config=",
        "access_key=",
        "secret_key=",
        "access_token=",
        "host=",
        "host-bucket=",
        "region=",
        "bucket-location=",
        "exclude=",
        "exclude-from=",
        "rexclude=",
        "include=",
        "rinclude=",
        "mime-type=",
        "add-header=",
        "storage-class=",
        "acl-grant=",
        "acl-revoke=",
        "limit-rate=",
        "cache-file=",
        "ca-certs=",
        "files-from=",
        "dry-run",
        "recursive",
        "force",
        "delete-removed",
        "skip-existing",
        "progress",
        "stats",
    ],
    style: GNU,
};
const MC: Options = Options {
    short: "C",
    long: &[
        "config-dir=",
        "older-than=",
        "newer-than=",
        "storage-class=",
        "encrypt=",
        "encrypt-key=",
        "enc-c=",
        "enc-kms=",
        "enc-s3=",
        "attr=",
        "tags=",
        "exclude=",
        "region=",
        "version-id=",
        "rewind=",
        "resolve=",
        "limit-upload=",
        "limit-download=",
        "monitoring-address=",
        "part-size=",
        "parallel=",
        "retention-mode=",
        "retention-duration=",
        "legal-hold=",
        "max-workers=",
        "custom-header=",
    ],
    style: EXACT,
};

/// None: it is asked for something else than storage.
pub(in super::super) fn aws(words: &[String]) -> Option<Transfer> {
    let (given, operands) = split(&AWS, words);
    let (service, rest) = operands.split_first()?;
    let (command, places) = rest.split_first()?;
    let mut transfer = Transfer::client("aws");
    match (*service, *command) {
        ("s3", "cp" | "mv" | "sync") => copy(&mut transfer, places, |place| bucket(&["s3"], place)),
        ("s3api", "put-object" | "upload-part" | "get-object") => {
            let name = value(&given, &["bucket"]).unwrap_or_default();
            transfer.add_remote("s3", named(name, name));
            let is_put = *command != "get-object";
            transfer.moves(if is_put { Direction::Out } else { Direction::In });
            let local = if is_put { value(&given, &["body"]) } else { places.first().copied() };
            local.into_iter().for_each(|path| transfer.add_local(path));
        }
        ("s3" | "s3api", _) => return Some(transfer),
        _ => return None,
    }
    if value(&given, &["dryrun", "help"]).is_some() {
        transfer.direction = None;
    }
    // The bucket is wherever the endpoint is.
    if let Some((_, endpoint)) = value(&given, &["endpoint-url"]).and_then(Remote::url) {
        transfer.is_far &= !endpoint.is_loopback();
        transfer.weigh(endpoint.is_loopback());
    }
    Some(transfer)
}

pub(in super::super) fn s3cmd(words: &[String]) -> Transfer {
    let (given, operands) = split(&S3CMD, words);
    let mut transfer = Transfer::client("s3cmd");
    let places = operands.get(1..).unwrap_or_default();
    match (operands.first().copied(), places) {
        // What is got goes to the working directory.
        (Some("get"), [only]) => copy(&mut transfer, &[only, "."], |place| bucket(&["s3"], place)),
        (Some("put" | "get" | "sync" | "cp" | "mv"), _) => {
            copy(&mut transfer, places, |place| bucket(&["s3"], place));
        }
        _ => {}
    }
    if value(&given, &["n", "dry-run"]).is_some() {
        transfer.direction = None;
    }
    transfer
}

/// None: the file manager of that name, or another command.
pub(in super::super) fn mc(words: &[String]) -> Option<Transfer> {
    let (_, operands) = split(&MC, words);
    let (command, places) = operands.split_first()?;
    let mut transfer = Transfer::client("mc");
    match *command {
        "cp" | "mv" | "mirror" | "put" | "get" => copy(&mut transfer, places, alias),
        "pipe" | "cat" | "head" => {
            let place = places.first()?;
            transfer.add_remote("s3", remote(place));
            transfer.add_local("-");
            transfer.moves(if *command == "pipe" { Direction::Out } else { Direction::In });
        }
        _ => return None,
    }
    Some(transfer)
}

/// `alias/bucket/key` looks like a relative path: one that does not begin as paths do, and has a slash.
fn alias(place: &str) -> Option<(&str, Remote)> {
    let is_path = place.starts_with(['/', '.', '~']) || !place.contains('/');
    (!is_path).then(|| ("s3", remote(place)))
}

fn remote(place: &str) -> Remote {
    named(place, place.split('/').nth(1).unwrap_or_default())
}
