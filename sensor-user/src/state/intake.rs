//! Who took something in from another machine, by itself or through a pipe, so that a program it then wrote is
//! known to come from there. Pure and bounded.

use std::collections::VecDeque;
use std::hash::Hash;

use rustc_hash::FxHashMap;

use super::process::ProcessKey;

/// Most processes remembered that talked to another machine, and most pipes: some minutes of a busy host. Beyond
/// it the oldest is forgotten, and what it writes from then on counts as made here.
const KEPT_MAX: usize = 8_192;

/// What came in, by process, and who writes into which pipe.
#[derive(Debug, Default)]
pub struct Intake {
    received: Bounded<ProcessKey, u64>,
    feeders: Bounded<u64, ProcessKey>,
}

impl Intake {
    /// A process talks to another machine.
    pub fn connected(&mut self, process: ProcessKey) {
        self.received.entry(process);
    }

    /// Payload bytes came in from another machine.
    pub fn received(&mut self, process: ProcessKey, bytes: u64) {
        let sum = self.received.entry(process);
        *sum = sum.saturating_add(bytes);
    }

    /// A program started whose standard output is this pipe or socket (inode number).
    pub fn feeds(&mut self, pipe: u64, process: ProcessKey) {
        *self.feeders.entry(pipe) = process;
    }

    /// Bytes that the process had received so far, or that whoever feeds its standard input had: of a connection
    /// that goes on, as far as they were looked at. None: neither talked to another machine.
    #[must_use]
    pub fn of(&self, process: ProcessKey, input: Option<u64>) -> Option<u64> {
        let own = self.received.known.get(&process);
        own.or_else(|| self.received.known.get(self.feeders.known.get(&input?)?)).copied()
    }

    /// Processes and pipes forgotten because there were too many.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.received.evicted + self.feeders.evicted
    }
}

/// A table that forgets what it has had longest.
#[derive(Debug)]
struct Bounded<K, V> {
    known: FxHashMap<K, V>,
    arrivals: VecDeque<K>,
    evicted: u64,
}

impl<K, V> Default for Bounded<K, V> {
    fn default() -> Self {
        Self { known: FxHashMap::default(), arrivals: VecDeque::new(), evicted: 0 }
    }
}

impl<K: Copy + Eq + Hash, V: Default> Bounded<K, V> {
    fn entry(&mut self, key: K) -> &mut V {
        if !self.known.contains_key(&key) {
            self.arrivals.push_back(key);
            if self.arrivals.len() > KEPT_MAX
                && let Some(oldest) = self.arrivals.pop_front()
            {
                self.known.remove(&oldest);
                self.evicted += 1;
            }
        }
        self.known.entry(key).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32) -> ProcessKey {
        ProcessKey { pid, start_time: 1 }
    }

    #[test]
    fn what_came_in_is_known_of_who_took_it_and_of_who_reads_its_pipe() {
        let mut intake = Intake::default();
        intake.connected(process(1));
        intake.received(process(1), 70);
        intake.received(process(1), 7);
        intake.feeds(900, process(1));
        intake.feeds(901, process(3));
        assert_eq!(intake.of(process(1), None), Some(77));
        assert_eq!(intake.of(process(2), Some(900)), Some(77), "it reads what the first one writes");
        assert_eq!(intake.of(process(2), Some(901)), None, "nor did who feeds it");
        assert_eq!(intake.of(process(2), None), None);
        intake.connected(process(4));
        assert_eq!(intake.of(process(4), None), Some(0), "nothing was counted yet");
    }

    #[test]
    fn the_oldest_is_forgotten() {
        let mut intake = Intake::default();
        for pid in 0..=u32::try_from(KEPT_MAX).unwrap() {
            intake.connected(process(pid));
            intake.connected(process(pid));
        }
        assert_eq!(intake.of(process(0), None), None);
        assert_eq!(intake.of(process(1), None), Some(0));
        assert_eq!((intake.received.known.len(), intake.evicted()), (KEPT_MAX, 1));
    }
}
