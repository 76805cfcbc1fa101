//! Which capabilities the agent lacks, in words that say what to do.

/// A capability that loading needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    pub name: &'static str,
    /// Bit in `CapEff` (include/uapi/linux/capability.h).
    bit: u8,
    pub purpose: &'static str,
}

/// Without these the sensor runs, and lacks what `check::privilege` says.
impl Capability {
    /// Covers the first two of [`NEEDED`] on every kernel (capabilities(7)).
    pub const SYS_ADMIN: Self = Self { name: "CAP_SYS_ADMIN", bit: 21, purpose: "watch files by fanotify" };
    pub const SYS_PTRACE: Self =
        Self { name: "CAP_SYS_PTRACE", bit: 19, purpose: "look at programs and namespaces of processes" };
    pub const DAC_READ_SEARCH: Self =
        Self { name: "CAP_DAC_READ_SEARCH", bit: 2, purpose: "read the files of container runtimes" };
    pub const SYS_RESOURCE: Self =
        Self { name: "CAP_SYS_RESOURCE", bit: 24, purpose: "raise the limit of locked memory" };
    pub const NET_BIND_SERVICE: Self =
        Self { name: "CAP_NET_BIND_SERVICE", bit: 10, purpose: "send from port 53, for proof" };
}

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

/// What a process may do, and what it could let itself do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sets {
    pub effective: u64,
    pub permitted: u64,
}

impl Sets {
    /// As `/proc/PID/status` has them. None: it has none.
    #[must_use]
    pub fn parse(status: &str) -> Option<Self> {
        Some(Self { effective: set(status, "CapEff:")?, permitted: set(status, "CapPrm:")? })
    }

    #[must_use]
    pub fn has(&self, capability: Capability) -> bool {
        capability.is_in(self.effective)
    }
}

impl Capability {
    fn is_in(self, set: u64) -> bool {
        set >> self.bit & 1 == 1
    }
}

fn effective(status: &str) -> Option<u64> {
    set(status, "CapEff:")
}

fn set(status: &str, name: &str) -> Option<u64> {
    let field = status.lines().find_map(|line| line.strip_prefix(name))?;
    u64::from_str_radix(field.trim(), 16).ok()
}

/// Those of [`NEEDED`] that a set does not have.
#[must_use]
pub fn lacking(set: u64) -> Vec<Capability> {
    let covers = |needed: &Capability| needed.name != "CAP_NET_ADMIN" && Capability::SYS_ADMIN.is_in(set);
    NEEDED.into_iter().filter(|needed| !needed.is_in(set) && !covers(needed)).collect()
}

/// Their names, for a sentence.
#[must_use]
pub fn names(capabilities: &[Capability]) -> String {
    let names: Vec<&str> = capabilities.iter().map(|capability| capability.name).collect();
    names.join(", ")
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
    format!("run it as root (`sudo tidewaiter run`), or give it {}", names(missing))
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
