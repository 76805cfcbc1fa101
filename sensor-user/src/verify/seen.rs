//! Which message each number was, as far as that is remembered: what tells one that came twice from two that have the
//! same number.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};

/// Numbers in a block: neighbours come together, so a block fills.
const BLOCK: usize = 64;
/// No message has this hash.
const NONE: u64 = 0;

/// Hashes of messages' ids in blocks of neighbours. The oldest block makes room for a new one.
#[derive(Debug)]
pub(super) struct Seen {
    blocks: HashMap<(usize, u64), Box<[u64; BLOCK]>>,
    order: VecDeque<(usize, u64)>,
    max: usize,
    /// Its key is random: nobody can write two ids that look the same.
    hasher: RandomState,
}

impl Seen {
    /// Keeps `max` blocks, one at least.
    pub(super) fn new(max: usize) -> Self {
        Self { blocks: HashMap::new(), order: VecDeque::new(), max: max.max(1), hasher: RandomState::new() }
    }

    /// Remembers that an agent's `number` was the message `id`.
    pub(super) fn put(&mut self, agent: usize, number: u64, id: &str) {
        let (key, at) = place(agent, number);
        let hash = self.hash(id);
        if !self.blocks.contains_key(&key) {
            if self.order.len() >= self.max
                && let Some(oldest) = self.order.pop_front()
            {
                self.blocks.remove(&oldest);
            }
            self.order.push_back(key);
        }
        let block = self.blocks.entry(key).or_insert_with(|| Box::new([NONE; BLOCK]));
        if let Some(slot) = block.get_mut(at) {
            *slot = hash;
        }
    }

    /// Whether it was this message; none when that is not remembered.
    pub(super) fn is(&self, agent: usize, number: u64, id: &str) -> Option<bool> {
        let (key, at) = place(agent, number);
        let known = self.blocks.get(&key)?.get(at).copied().filter(|hash| *hash != NONE)?;
        Some(known == self.hash(id))
    }

    fn hash(&self, id: &str) -> u64 {
        self.hasher.hash_one(id).max(NONE + 1)
    }
}

fn place(agent: usize, number: u64) -> ((usize, u64), usize) {
    let block = BLOCK as u64;
    // Below 64.
    ((agent, number / block), usize::try_from(number % block).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_the_message_it_was_until_it_is_forgotten() {
        let mut seen = Seen::new(2);
        seen.put(0, 1, "a");
        seen.put(1, 1, "b");
        assert_eq!(
            (seen.is(0, 1, "a"), seen.is(0, 1, "b"), seen.is(1, 1, "b")),
            (Some(true), Some(false), Some(true))
        );
        assert_eq!((seen.is(0, 2, "a"), seen.is(0, 1000, "a")), (None, None));
        seen.put(0, u64::MAX, "c");
        assert_eq!(
            (seen.is(0, 1, "a"), seen.is(0, u64::MAX, "c")),
            (None, Some(true)),
            "the oldest block went"
        );
        assert_eq!(seen.blocks.len(), 2);
    }
}
