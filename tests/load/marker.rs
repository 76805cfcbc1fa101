//! Marker programs, each of which is an alert of its own.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

/// Between two marker programs: 50 alerts a second.
pub(crate) const PACE: Duration = Duration::from_millis(20);

/// Each marker is a story of its own: a program that no script starts.
pub(crate) const RULE: &str = "\
title: A marker of the load tests
id: 0f6f3d52-5f0e-4f0e-9c53-6a2f0c5c1c01
status: test
level: high
logsource: {category: process_creation, product: linux}
detection:
  marker: {CommandLine|contains: load-marker-}
  condition: marker
";

/// Starts marker programs at a steady pace until it is told to end.
pub(crate) struct Markers {
    ending: Arc<AtomicBool>,
    made: Arc<AtomicU64>,
    thread: JoinHandle<Result<()>>,
}

impl Markers {
    pub(crate) fn start() -> Self {
        let (ending, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (end, count) = (Arc::clone(&ending), Arc::clone(&made));
        let thread = std::thread::spawn(move || {
            let mut next = Instant::now();
            while !end.load(Ordering::Relaxed) {
                let number = count.fetch_add(1, Ordering::Relaxed);
                let mut marker = Command::new("/bin/true");
                marker.arg(format!("load-marker-{number}")).stdout(Stdio::null()).status()?;
                next += PACE;
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
            Ok(())
        });
        Self { ending, made, thread }
    }

    /// How many there were.
    pub(crate) fn end(self) -> Result<u64> {
        self.ending.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the markers' thread failed"))??;
        Ok(self.made.load(Ordering::Relaxed))
    }
}

/// Xorshift: the same sequence each time, so that a failure can be had again.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
