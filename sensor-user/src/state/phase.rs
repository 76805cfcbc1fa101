//! What a container is doing while something happens in it.

/// Phase of a container, as rules see it. Of several that hold the first of this order counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It makes an image.
    Build,
    /// Asked for its health by its runtime.
    Probe,
    /// Somebody at a terminal brought the command in.
    Interactive,
    /// It began less than [`START_GRACE`] ago.
    Start,
    Steady,
}

/// How long a container's start takes, nanoseconds: entrypoints fetch their configuration and fill
/// their caches in the first half minute, and no longer than a kubelet waits before it first asks for
/// readiness in practice.
pub const START_GRACE: u64 = 30_000_000_000;

impl Phase {
    /// The name rules use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Probe => "probe",
            Self::Interactive => "interactive",
            Self::Start => "start",
            Self::Steady => "steady",
        }
    }
}
