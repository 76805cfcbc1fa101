//! What becomes of a container as a whole: that it starts and ends, and uses more than it used to.

/// A container starts or ends. The event's process is the first one known of it; at the end the first one that
/// something was found about, if anything was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContainerLife {
    pub action: ContainerAction,
    /// Whole seconds since its first program started. Of one that was there before the sensor: since the oldest
    /// of its processes did.
    pub age: u64,
    /// Matches of high or graver in it so far.
    pub alerts: u32,
}

/// Which end of its life it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerAction {
    Start,
    End,
}

impl ContainerAction {
    /// The name rules use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::End => "end",
        }
    }
}

/// A container uses more of something than it used to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceUse {
    pub resource: Resource,
    /// Now: thousandths of a CPU, or bytes.
    pub value: u64,
    /// Before, in the same unit.
    pub normal: u64,
}

impl ResourceUse {
    /// How many times as much it is, rounded down. Next to nothing before counts as one unit.
    #[must_use]
    pub fn ratio(&self) -> u64 {
        self.value / self.normal.max(1)
    }
}

/// What is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// Thousandths of a CPU: 1000 keeps one busy.
    Cpu,
    /// Bytes that belong to processes: no page cache, which grows with every file that is read.
    Memory,
}

impl Resource {
    /// The name rules use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
        }
    }
}
