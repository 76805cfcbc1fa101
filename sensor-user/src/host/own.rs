//! What the agent itself uses.

use rustix::time::{ClockId, clock_gettime};

/// Processor time of all threads of this process so far, milliseconds (`CLOCK_PROCESS_CPUTIME_ID`).
#[must_use]
pub fn cpu_milliseconds() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    u64::try_from(time.tv_sec * 1_000 + time.tv_nsec / 1_000_000).unwrap_or(0)
}

/// Its resident memory, bytes (`VmRSS` of proc_pid_status(5)); 0 where that cannot be read.
#[must_use]
pub fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = value.and_then(|value| value.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_runs_uses_something() {
        assert!(resident_bytes() > 1 << 20);
        let before = cpu_milliseconds();
        while cpu_milliseconds() < before + 5 {
            std::hint::black_box(resident_bytes());
        }
    }
}
