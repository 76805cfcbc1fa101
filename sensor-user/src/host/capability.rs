//! Which capabilities the agent lacks, in words that say what to do.

/// A capability that loading needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    pub name: &'static str,
    /// Bit in `CapEff` (include/uapi/linux/capability.h).
    bit: u8,
    pub purpose: &'static str,
}

/// `CAP_SYS_ADMIN`, which covers the first two on every kernel (capabilities(7)).
const SYS_ADMIN: u8 = 21;

/// What loading needs, and no more.
pub const NEEDED: [Capability; 3] = [
    Capability { name: "CAP_BPF", bit: 39, purpose: "load programs and maps" },
    Capability { name: "CAP_PERFMON", bit: 38, purpose: "attach to tracepoints and read kernel memory" },
    Capability { name: "CAP_NET_ADMIN", bit: 12, purpose: "attach to the cgroup's connect hooks" },
];

/// Those of [`NEEDED`] that this process does not have. Where /proc cannot tell, none: the kernel
/// will.
#[must_use]
pub fn missing() -> Vec<Capability> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    effective(&status).map(lacking).unwrap_or_default()
}

fn effective(status: &str) -> Option<u64> {
    let field = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(field.trim(), 16).ok()
}

fn lacking(effective: u64) -> Vec<Capability> {
    let has = |bit: u8| effective >> bit & 1 == 1;
    NEEDED
        .into_iter()
        .filter(|needed| !has(needed.bit) && (needed.name == "CAP_NET_ADMIN" || !has(SYS_ADMIN)))
        .collect()
}

/// What is missing, in one sentence.
#[must_use]
pub fn sentence(missing: &[Capability]) -> String {
    let list: Vec<String> =
        missing.iter().map(|capability| format!("{} (to {})", capability.name, capability.purpose)).collect();
    format!("the sensor may not observe this host: it lacks {}", list.join(", "))
}

/// What to do about it.
#[must_use]
pub fn remedy(missing: &[Capability]) -> String {
    let names: Vec<&str> = missing.iter().map(|capability| capability.name).collect();
    format!("run it as root (`sudo tidewaiter run`), or give it {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_missing() {
        let bits = |list: &[u8]| list.iter().fold(0_u64, |set, bit| set | 1 << bit);
        let names = |set: u64| lacking(set).iter().map(|capability| capability.name).collect::<Vec<_>>();
        assert_eq!(names(0), ["CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN"]);
        assert_eq!(names(bits(&[39, 38, 12])), Vec::<&str>::new());
        assert_eq!(names(bits(&[21])), ["CAP_NET_ADMIN"]);
        assert_eq!(names(bits(&[39, 12])), ["CAP_PERFMON"]);
        assert_eq!(effective("Name:\tx\nCapEff:\t000001ffffffffff\n"), Some(0x1ff_ffff_ffff));
        assert_eq!(effective("Name:\tx\n"), None);
    }
}
