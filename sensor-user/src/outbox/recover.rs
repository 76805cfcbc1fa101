//! From a folder as an earlier run left it, or as damage left that: everything that can still be delivered, and how
//! much can not.

use std::io;

use super::crash::point;
use super::disk::Disk;
use super::index::{Entry, Index, Place};
use super::lane::Lane;
use super::record::{Range, Record, scan};
use super::shadow::Left;
use super::slot::Slots;

/// What was found.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) index: Index,
    /// Of each sink, with the number in it.
    pub(super) cursors: Vec<(Slots, Option<u64>)>,
    /// Numbers that were given and cannot be read.
    pub(super) missing: Vec<Range>,
}

/// Looks through the folder. A sink without a readable cursor, new or damaged, gets all that is kept.
pub(super) fn recover(disk: &mut Disk, sinks: &[String], left: Option<Left>) -> io::Result<Recovered> {
    let mut cursors =
        sinks.iter().map(|sink| disk.cursor(sink)).collect::<io::Result<Vec<(Slots, Option<u64>)>>>()?;
    let left = left.unwrap_or_default();
    for ((_, number), confirmed) in cursors.iter_mut().zip(&left.confirmed) {
        *number = (*number).max(Some(*confirmed).filter(|confirmed| *confirmed > 0));
    }
    disk.forget_cursors_but(sinks)?;
    let Contents { entries, gone } = contents(disk)?;
    point("scanned");
    let told = cursors.iter().filter_map(|(_, number)| *number).max().unwrap_or(0);
    let found = entries.last().map_or(0, |entry| entry.sequence);
    let known = gone.iter().map(|range| range.last).max().unwrap_or(0);
    let last = [told, found, known, left.last, disk.last()?].into_iter().max().unwrap_or(0);
    let oldest = entries.first().map_or(last, |entry| entry.sequence - 1);
    let lanes: Vec<Lane> = cursors.iter().map(|(_, number)| Lane::new(number.unwrap_or(oldest))).collect();
    let from = lanes.iter().map(|lane| lane.confirmed).min().unwrap_or(last);
    let numbers = entries.iter().map(|entry| Range { first: entry.sequence, last: entry.sequence });
    let missing = gaps(numbers.chain(gone).collect(), Range { first: from + 1, last });
    let mut index = Index::new(lanes, last);
    for entry in entries {
        index.push(entry);
    }
    (index.published, index.pushed) = (last, 0);
    missing.iter().for_each(|range| index.miss(*range));
    index.settle();
    Ok(Recovered { index, cursors, missing })
}

struct Contents {
    entries: Vec<Entry>,
    gone: Vec<Range>,
}

/// Every record of every segment, each number once.
fn contents(disk: &mut Disk) -> io::Result<Contents> {
    let (mut entries, mut all_gone) = (Vec::new(), Vec::new());
    let mut told = Vec::new();
    for (segment, file) in disk.segments() {
        let mut gone = Vec::new();
        for found in scan(&file.read()?) {
            match found.record {
                Record::Envelope(envelope) => entries.push(Entry {
                    sequence: envelope.sequence,
                    rank: envelope.rank,
                    since: envelope.time,
                    size: envelope.size(),
                    place: Place::Record { segment, offset: found.offset, size: found.size },
                    body: None,
                }),
                Record::Gone(range) => gone.push(range),
            }
        }
        all_gone.extend(&gone);
        told.push((segment, gone));
    }
    told.into_iter().for_each(|(segment, gone)| disk.note_gone(segment, gone));
    // A write that failed may have left a record that was written again in a later segment.
    entries.sort_by_key(|entry| entry.sequence);
    entries.dedup_by_key(|entry| entry.sequence);
    Ok(Contents { entries, gone: all_gone })
}

/// The numbers of `all` that are in none of the ranges.
fn gaps(mut ranges: Vec<Range>, all: Range) -> Vec<Range> {
    ranges.sort_unstable_by_key(|range| range.first);
    let mut gaps = Vec::new();
    let mut next = all.first;
    for range in ranges {
        if range.first > next {
            gaps.push(Range { first: next, last: range.first - 1 });
        }
        next = next.max(range.last.saturating_add(1));
    }
    if next <= all.last {
        gaps.push(Range { first: next, ..all });
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u64, last: u64) -> Range {
        Range { first, last }
    }

    #[test]
    fn gaps_are_what_no_range_has() {
        let cases = [
            (vec![], range(1, 5), vec![range(1, 5)]),
            (vec![range(1, 5)], range(1, 5), vec![]),
            (vec![range(4, 4), range(2, 2)], range(1, 5), vec![range(1, 1), range(3, 3), range(5, 5)]),
            (vec![range(1, 2), range(2, 4)], range(3, 6), vec![range(5, 6)]),
            (vec![range(1, 9)], range(10, 9), vec![]),
        ];
        for (ranges, all, expected) in cases {
            assert_eq!(gaps(ranges.clone(), all), expected, "{ranges:?} of {all:?}");
        }
    }
}
