//! Places at which a test ends the agent, as `kill -9` or a power cut may.

/// In tests: ends the process at once if `TIDEWAITER_CRASH` names this place and it is reached for the time that stands
/// behind the name (`part written:3`).
#[cfg(test)]
pub(super) fn point(name: &str) {
    use std::sync::atomic::{AtomicU64, Ordering};

    static REACHED: AtomicU64 = AtomicU64::new(0);
    let Ok(wanted) = std::env::var("TIDEWAITER_CRASH") else { return };
    let Some((place, time)) = wanted.rsplit_once(':') else { return };
    if place == name && time.parse() == Ok(REACHED.fetch_add(1, Ordering::Relaxed) + 1) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        // The signal may take a moment, and nothing may happen meanwhile.
        loop {
            std::thread::park();
        }
    }
}

#[cfg(not(test))]
#[inline(always)]
pub(super) fn point(_: &str) {}
