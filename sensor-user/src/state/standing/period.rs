//! Commands that a runtime brings into a container again and again: health probes whose configuration
//! nobody could read. Pure and bounded.

use std::sync::Arc;

use rustc_hash::FxHashMap;

/// Most commands remembered; beyond it all are forgotten, and a probe is one again after
/// [`ALIKE_MIN`] more runs.
const COMMANDS_MAX: usize = 4_096;
/// Runs at even distances that make a probe: two distances alike may be chance, three are not.
const ALIKE_MIN: u32 = 3;
/// How much two distances may differ, as a part of the longer: a busy node is late by some per cent.
const TOLERANCE: u64 = 10;
/// Distances that count, nanoseconds. A kubelet probes each second at the most often
/// (`periodSeconds`, at least 1), and what comes less than every ten minutes is a job.
const DISTANCES: std::ops::RangeInclusive<u64> = 500_000_000..=600_000_000_000;

/// When commands were last brought into containers.
#[derive(Debug, Default)]
pub struct Periods {
    runs: FxHashMap<(Arc<str>, String), Run>,
}

#[derive(Debug)]
struct Run {
    last: u64,
    distance: u64,
    alike: u32,
}

impl Periods {
    /// A command came into a container at `time` (boot, nanoseconds). True: it does so periodically.
    pub fn note(&mut self, container: &Arc<str>, command_line: &str, time: u64) -> bool {
        if self.runs.len() >= COMMANDS_MAX {
            self.runs.clear();
        }
        let key = (Arc::clone(container), command_line.to_owned());
        let run = self.runs.entry(key).or_insert(Run { last: time, distance: 0, alike: 0 });
        let distance = time.saturating_sub(run.last);
        let longer = distance.max(run.distance);
        let is_alike = distance.abs_diff(run.distance) <= longer / TOLERANCE && DISTANCES.contains(&distance);
        run.alike = if is_alike { run.alike.saturating_add(1) } else { 0 };
        (run.last, run.distance) = (time, distance);
        run.alike >= ALIKE_MIN - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn told(times: &[u64]) -> Vec<bool> {
        let mut periods = Periods::default();
        times.iter().map(|time| periods.note(&"a".into(), "pg_isready", *time)).collect()
    }

    #[test]
    fn even_distances_make_a_probe() {
        let even = [10 * SECOND, 20 * SECOND, 30 * SECOND, 40 * SECOND + SECOND / 2, 50 * SECOND];
        assert_eq!(told(&even), [false, false, false, true, true]);
        assert!(told(&[SECOND, 9 * SECOND, 10 * SECOND, 30 * SECOND, 31 * SECOND]).iter().all(|it| !it));
        assert!(told(&[1, 2, 3, 4, 5, 6]).iter().all(|it| !it), "a loop is no probe");
        assert!(!told(&[1, 10 * SECOND, 20 * SECOND, 30 * SECOND, 90 * SECOND])[4], "and it ends");
    }

    #[test]
    fn commands_and_containers_count_by_themselves() {
        let mut periods = Periods::default();
        for turn in 1..10 {
            assert!(!periods.note(&format!("c{turn}").as_str().into(), "pg_isready", turn * 10 * SECOND));
            assert!(!periods.note(&"a".into(), &format!("curl {turn}"), turn * 10 * SECOND));
        }
    }

    #[test]
    fn the_table_is_bounded() {
        let mut periods = Periods::default();
        for number in 0..2 * COMMANDS_MAX {
            periods.note(&"a".into(), &number.to_string(), 0);
            assert!(periods.runs.len() <= COMMANDS_MAX);
        }
    }
}
