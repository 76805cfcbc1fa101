//! The kernel: how old it is, what it tells of itself, and what it forbids.

use super::{Check, Fact, Finding, Problem, Unread};
use crate::ebpf::offset::OffsetError;

/// The first Linux with a BPF ring buffer.
const RING: (u32, u32) = (5, 8);
/// The oldest Linux that the tests run on.
const TRIED: (u32, u32) = (5, 10);
/// The processors that the tests run on.
const MACHINES: [&str; 2] = ["x86_64", "aarch64"];

/// First two numbers of a release. None: it begins otherwise.
#[must_use]
pub fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|character: char| !character.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// By the kernel's own name for its release and processor (`uname -rm`).
#[must_use]
pub fn release(release: &str, machine: &str) -> Finding {
    let what = format!("Linux {release}, {machine}");
    match version(release) {
        None => Finding::problem(Problem::ReleaseUnreadable, what),
        Some(version) if version < RING => Finding::problem(Problem::ReleaseTooOld, what),
        Some(version) if version < TRIED => Finding::problem(Problem::ReleaseUntried, what),
        Some(_) if !MACHINES.contains(&machine) => Finding::problem(Problem::MachineUntried, what),
        Some(_) => Finding::good(Check::Release, what),
    }
}

/// By the members that were looked for and are not there.
#[must_use]
pub fn btf(missing: Result<&[&str], &OffsetError>) -> Finding {
    match missing {
        Ok([]) => Finding::good(Check::Btf, "read; it has all that programs look up"),
        Ok(missing) => {
            Finding::problem(Problem::BtfIncomplete, format!("it does not tell {}", missing.join(", ")))
        }
        Err(OffsetError::Unreadable { path, source })
            if source.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            Finding::unknown(Check::Btf, format!("this user may not read {}", path.display()))
        }
        Err(error @ (OffsetError::Unreadable { .. } | OffsetError::Malformed { .. })) => {
            Finding::problem(Problem::BtfUnusable, error.to_string())
        }
    }
}

/// By `/sys/kernel/security/lockdown` (kernel_lockdown(7)): the mode stands in brackets.
#[must_use]
pub fn lockdown(modes: &Fact<String>) -> Finding {
    match modes {
        Ok(modes) => {
            let mode = modes.split_whitespace().find_map(|mode| mode.strip_prefix('[')?.strip_suffix(']'));
            match mode {
                Some("confidentiality") => Finding::problem(
                    Problem::LockdownConfidentiality,
                    "confidentiality: kernel memory may not be read",
                ),
                Some(mode) => Finding::good(Check::Lockdown, mode),
                None => {
                    Finding::unknown(Check::Lockdown, format!("the kernel names no mode: {}", modes.trim()))
                }
            }
        }
        Err(Unread::Absent) => Finding::good(Check::Lockdown, "none that shows"),
        Err(error) => Finding::unknown(Check::Lockdown, error.to_string()),
    }
}

/// By `kernel.unprivileged_bpf_disabled` (Documentation/admin-guide/sysctl/kernel.rst): 0 lets anybody.
#[must_use]
pub fn unprivileged_bpf(disabled: &Fact<String>) -> Finding {
    match disabled.as_deref().map(str::trim) {
        Ok("0") => Finding::problem(Problem::UnprivilegedBpfAllowed, "kernel.unprivileged_bpf_disabled is 0"),
        Ok(value) => Finding::good(Check::UnprivilegedBpf, format!("only with privilege ({value})")),
        Err(Unread::Absent) => Finding::good(Check::UnprivilegedBpf, "the kernel does not have it"),
        Err(error) => Finding::unknown(Check::UnprivilegedBpf, error.to_string()),
    }
}
