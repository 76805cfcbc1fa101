//! Object storage: aws, s3cmd, mc; gsutil, gcloud; az, azcopy; rclone; restic.
//!
//! The bucket is the other end's host. Between two buckets data go both ways: out of one's hands into another's.

mod amazon;
mod azure;
mod google;
mod rclone;
mod restic;

pub(super) use amazon::{aws, mc, s3cmd};
pub(super) use azure::{az, azcopy};
pub(super) use google::{gcloud, gsutil};
pub(super) use rclone::rclone;
pub(super) use restic::restic;

use super::super::option::{Options, Word};
use super::place::split_url;
use super::{Direction, Remote, Transfer};

/// What the tools know of a place: over what, and where. None: it is a local path.
type Place<'a> = (&'a str, Remote);

/// Takes the places of a copy, the last of them the destination.
fn copy<'a>(transfer: &mut Transfer, places: &[&'a str], read: impl Fn(&'a str) -> Option<Place<'a>>) {
    let [sources @ .., last] = places else { return };
    let mut tell = |place: &'a str| match read(place) {
        Some((scheme, remote)) => {
            transfer.add_remote(scheme, remote);
            true
        }
        None => {
            transfer.add_local(place);
            false
        }
    };
    let from = sources.iter().filter(|place| tell(place)).count() > 0;
    let to = tell(last);
    if sources.is_empty() {
        return;
    }
    match (from, to) {
        (true, true) => transfer.moves(Direction::Both),
        (true, false) => transfer.moves(Direction::In),
        (false, true) => transfer.moves(Direction::Out),
        (false, false) => {}
    }
}

/// `scheme://bucket/key`, of these schemes.
fn bucket<'a>(schemes: &[&str], place: &'a str) -> Option<Place<'a>> {
    let (scheme, rest) = split_url(place)?;
    let is_known = schemes.iter().any(|known| known.eq_ignore_ascii_case(scheme));
    let name = rest.split('/').next().unwrap_or(rest);
    is_known.then(|| (scheme, named(place, name)))
}

/// A place that is written so, in the bucket of that name.
fn named(place: &str, bucket: &str) -> Remote {
    let host = (!bucket.is_empty()).then(|| super::bounded(bucket).to_lowercase());
    Remote { host, ..Remote::opaque(place) }
}

/// Options with their values, and operands.
fn split<'a>(options: &'a Options, words: &'a [String]) -> (Vec<(&'a str, &'a str)>, Vec<&'a str>) {
    let (mut given, mut operands) = (Vec::new(), Vec::new());
    for word in options.walk(words) {
        match word {
            Word::Option(name, value) => given.push((name, value.unwrap_or_default())),
            Word::Operand(operand) => operands.push(operand),
        }
    }
    (given, operands)
}

/// The value of the last option of these names.
fn value<'a>(given: &[(&'a str, &'a str)], names: &[&str]) -> Option<&'a str> {
    given.iter().rev().find(|(name, _)| names.contains(name)).map(|(_, value)| *value)
}
