//! The numbers that came, as ranges.

use std::collections::BTreeMap;

/// What became of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    New,
    /// It was there.
    Known,
    /// It touches no range, and there is no room for another.
    NoRoom,
}

/// A set of numbers; takes room by its ranges, not by its numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Numbers {
    /// First to last, both in it. No two touch.
    ranges: BTreeMap<u64, u64>,
    count: u64,
}

impl Numbers {
    /// Adds a number; as a range of its own only where `has_room`.
    pub(super) fn insert(&mut self, number: u64, has_room: bool) -> Placed {
        let before = self.ranges.range(..=number).next_back().map(|(first, last)| (*first, *last));
        if before.is_some_and(|(_, last)| last >= number) {
            return Placed::Known;
        }
        let joins = before.filter(|(_, last)| last.checked_add(1) == Some(number)).map(|(first, _)| first);
        let next = number.checked_add(1).and_then(|next| Some((next, *self.ranges.get(&next)?)));
        if joins.is_none() && next.is_none() && !has_room {
            return Placed::NoRoom;
        }
        let last = next.map_or(number, |(first, last)| {
            self.ranges.remove(&first);
            last
        });
        self.ranges.insert(joins.unwrap_or(number), last);
        self.count = self.count.saturating_add(1);
        Placed::New
    }

    /// How many ranges there are.
    pub(super) fn ranges(&self) -> usize {
        self.ranges.len()
    }

    /// How many numbers there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn first(&self) -> Option<u64> {
        self.ranges.first_key_value().map(|(first, _)| *first)
    }

    pub(super) fn last(&self) -> Option<u64> {
        self.ranges.last_key_value().map(|(_, last)| *last)
    }

    /// The last of those that follow the first without a gap.
    pub(super) fn first_end(&self) -> Option<u64> {
        self.ranges.first_key_value().map(|(_, last)| *last)
    }

    /// What is missing between the first and the last, first to last of each gap.
    pub(super) fn gaps(&self) -> impl Iterator<Item = (u64, u64)> {
        let following = self.ranges.keys().skip(1);
        // Between two ranges there is one number at least, so neither end can leave its bounds.
        self.ranges
            .values()
            .zip(following)
            .map(|(last, first)| (last.saturating_add(1), first.saturating_sub(1)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn of(numbers: impl IntoIterator<Item = u64>) -> Numbers {
        let mut set = Numbers::default();
        numbers.into_iter().for_each(|number| _ = set.insert(number, true));
        set
    }

    #[test]
    fn neighbours_become_one_range_up_to_the_last_number_there_is() {
        let set = of([3, 1, 2, 7, u64::MAX, u64::MAX - 1, 0]);
        assert_eq!(
            (set.first(), set.first_end(), set.last(), set.ranges()),
            (Some(0), Some(3), Some(u64::MAX), 3)
        );
        assert_eq!(set.gaps().collect::<Vec<_>>(), [(4, 6), (8, u64::MAX - 2)]);
    }

    #[test]
    fn without_room_only_neighbours_are_taken() {
        let mut set = of([5]);
        assert_eq!(set.insert(7, false), Placed::NoRoom);
        assert_eq!(set.insert(6, false), Placed::New);
        assert_eq!(set.insert(7, false), Placed::New);
        assert_eq!(set.insert(5, false), Placed::Known);
        assert_eq!((set.ranges(), set.count()), (1, 3));
    }

    proptest! {
        #[test]
        fn any_order_gives_the_same_ranges(numbers in prop::collection::vec(1..60_u64, 0..80), seed in any::<u64>()) {
            let mut shuffled = numbers.clone();
            // Any permutation will do: sorted by a hash of place and seed.
            shuffled.sort_by_key(|number| number.wrapping_mul(seed | 1).rotate_left(17));
            let (set, other) = (of(numbers.iter().copied()), of(shuffled));
            prop_assert_eq!(&set, &other);
            let model: BTreeSet<u64> = numbers.iter().copied().collect();
            prop_assert_eq!(set.count(), model.len() as u64);
            let missing: BTreeSet<u64> = set.gaps().flat_map(|(from, to)| from..=to).collect();
            if let (Some(first), Some(last)) = (model.first(), model.last()) {
                prop_assert_eq!(missing, (*first..=*last).filter(|number| !model.contains(number)).collect());
            }
        }
    }
}
