//! What containers use, and when one uses much more than it used to.
//!
//! Normal is the median of a container's last samples: one odd sample does not move it, and what lasts becomes
//! normal when it is more than half of them.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::event::{Resource, ResourceUse};

/// How often a container is read, nanoseconds: the time in which a single spike of a request or a collection of
/// garbage is evened out.
pub const RESOURCE_PERIOD: u64 = 10_000_000_000;
/// Most containers followed, as many as the container table has. Each costs some 700 bytes. Beyond it a new one is
/// not, and counted.
const RESOURCES_MAX: usize = 4_096;
/// Samples kept: five minutes. What lasts is normal after half of it.
const SAMPLES_MAX: usize = 30;
/// Samples before anything is judged: two minutes, in which programs load and caches fill.
const SAMPLES_MIN: usize = 12;
/// Samples in a row that must be over the limit: half a minute, longer than a request, a probe or a log rotation.
const LASTING: usize = 3;
/// Half a CPU, in thousandths: less is no use to who steals computing time, and is common when something idle wakes.
const CPU_FLOOR: u64 = 500;
/// Less memory than this is taken in passing by programs of any kind, bytes.
const MEMORY_FLOOR: u64 = 256 << 20;
/// How many times as much CPU as normal is a spike: load doubles between night and day, and again at its peak.
const CPU_FACTOR: u64 = 4;
/// The same of memory, which varies less: a heap doubles when it grows.
const MEMORY_FACTOR: u64 = 3;
/// How many times as much as normal still counts as back to normal.
const BACK_FACTOR: u64 = 2;
/// How long a spike is not told again unless it is [`BACK_FACTOR`] times as high, nanoseconds: a job that runs every
/// few minutes is told once an hour.
const QUIET: u64 = 3_600_000_000_000;

/// What was read of a container's cgroup. None: it could not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResourceReading {
    /// CPU time since the cgroup was made, microseconds.
    pub cpu: Option<u64>,
    /// Memory that belongs to processes, bytes.
    pub memory: Option<u64>,
}

/// What is normal for each container.
#[derive(Debug, Default)]
pub struct ResourceTable {
    containers: FxHashMap<Arc<str>, Usage>,
    dropped: u64,
}

#[derive(Debug, Default)]
struct Usage {
    /// When it was read last (boot, nanoseconds).
    read: u64,
    /// The CPU time that was read last, and when.
    cpu_time: Option<(u64, u64)>,
    cpu: History,
    memory: History,
}

/// The samples of one resource, and how far a spike is.
#[derive(Debug, Default)]
struct History {
    samples: VecDeque<u64>,
    /// The samples over the limit, up to now in a row: how many, and the least of them.
    over: usize,
    least: u64,
    /// A spike goes on.
    is_high: bool,
    /// When a spike was told last, and how high it was.
    told: Option<(u64, u64)>,
}

impl ResourceTable {
    /// When the container was read last (boot, nanoseconds); 0: never.
    #[must_use]
    pub fn read_at(&self, id: &str) -> u64 {
        self.containers.get(id).map_or(0, |usage| usage.read)
    }

    /// Takes in what was read of a container at `now` (boot, nanoseconds), and tells what has begun to be far over
    /// its normal.
    pub fn read(&mut self, id: &Arc<str>, now: u64, reading: ResourceReading) -> Vec<ResourceUse> {
        if self.containers.len() >= RESOURCES_MAX && !self.containers.contains_key(id) {
            self.dropped += 1;
            return Vec::new();
        }
        let usage = self.containers.entry(Arc::clone(id)).or_default();
        if let (Some((_, before)), Some(cpu)) = (usage.cpu_time, reading.cpu)
            && cpu < before
        {
            // The count went back, so this is another cgroup: the container was started again.
            *usage = Usage::default();
        }
        let rate = usage.rate(now, reading.cpu);
        usage.read = now;
        let cpu = rate.and_then(|rate| usage.cpu.add(now, rate, CPU_FACTOR, CPU_FLOOR));
        let memory =
            reading.memory.and_then(|bytes| usage.memory.add(now, bytes, MEMORY_FACTOR, MEMORY_FLOOR));
        let told = [(Resource::Cpu, cpu), (Resource::Memory, memory)].into_iter();
        told.filter_map(|(resource, spike)| {
            spike.map(|(value, normal)| ResourceUse { resource, value, normal })
        })
        .collect()
    }

    /// Forgets containers that are gone.
    pub fn keep(&mut self, is_present: impl Fn(&str) -> bool) {
        self.containers.retain(|id, _| is_present(id));
    }

    /// Containers that were not followed because there were too many, once for each reading.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl Usage {
    /// Thousandths of a CPU since the last reading. None: there was none, or it was a moment ago.
    fn rate(&mut self, now: u64, cpu: Option<u64>) -> Option<u64> {
        let cpu = cpu?;
        let Some((time, before)) = self.cpu_time else {
            self.cpu_time = Some((now, cpu));
            return None;
        };
        let elapsed = now.saturating_sub(time);
        if elapsed < RESOURCE_PERIOD / 2 {
            return None;
        }
        self.cpu_time = Some((now, cpu));
        // Microseconds to nanoseconds, and a whole to thousandths.
        let used = u128::from(cpu.saturating_sub(before)) * 1_000_000;
        u64::try_from(used / u128::from(elapsed)).ok()
    }
}

impl History {
    /// Takes in a sample. Some: a spike is to be told, with the least of its samples and what was normal.
    fn add(&mut self, now: u64, value: u64, factor: u64, floor: u64) -> Option<(u64, u64)> {
        let spike = self.normal().and_then(|normal| self.judge(now, value, normal, (factor, floor)));
        if self.samples.len() >= SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back(value);
        spike
    }

    fn judge(
        &mut self,
        now: u64,
        value: u64,
        normal: u64,
        (factor, floor): (u64, u64),
    ) -> Option<(u64, u64)> {
        if self.is_high {
            self.is_high = value >= floor && value > normal.saturating_mul(BACK_FACTOR);
            return None;
        }
        if value < floor || value <= normal.saturating_mul(factor) {
            self.over = 0;
            return None;
        }
        self.least = if self.over == 0 { value } else { self.least.min(value) };
        self.over += 1;
        if self.over < LASTING {
            return None;
        }
        self.over = 0;
        self.is_high = true;
        let is_known = self.told.is_some_and(|(time, height)| {
            now.saturating_sub(time) < QUIET && self.least < height.saturating_mul(BACK_FACTOR)
        });
        if is_known {
            return None;
        }
        self.told = Some((now, self.least));
        Some((self.least, normal))
    }

    /// The median. None: there are too few samples.
    fn normal(&self) -> Option<u64> {
        if self.samples.len() < SAMPLES_MIN {
            return None;
        }
        let mut sorted: Vec<u64> = self.samples.iter().copied().collect();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }
}

#[cfg(test)]
mod tests;
