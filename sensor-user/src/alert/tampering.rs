//! What somebody did to the sensor, or beside it.

use super::Window;

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tampering {
    /// Something of the sensor's was worked on, or the sensor itself.
    Done(Deed),
    /// A BPF program was loaded by somebody else.
    Loaded {
        id: u32,
        /// `enum bpf_prog_type`, in lower case.
        kind: String,
        /// Given by its loader: a claim.
        name: String,
        /// User that loaded it, where the kernel tells.
        uid: Option<u32>,
        /// The sensor's map that it works on.
        map: Option<String>,
    },
}

/// What was done to what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    pub action: Action,
    /// The sensor's program or map; of the agent itself its own name.
    pub name: String,
    /// When it may have seen nothing by that: since the last look at which all was well.
    pub window: Option<Window>,
    /// What came of putting it right, where that is the sensor's to do.
    pub mended: Option<Mended>,
    /// How often the same was done since the start, this time too.
    pub times: u64,
    /// More, in a sentence.
    pub detail: Option<String>,
    /// Who comes into question, where the kernel told of any; the newest last.
    pub by: Vec<Suspect>,
}

/// A process that did what such a deed begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspect {
    pub pid: u32,
    /// The task's name: a claim.
    pub program: String,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A program was taken from its place.
    Detached,
    /// Another program runs in the place of one of the sensor's.
    Replaced,
    /// The agent's own hold on a program or map is gone.
    Closed,
    /// The place to which the ring was read is not where the agent left it.
    Moved,
    /// Values stand in a map that the sensor never puts there.
    Changed,
    /// A program of somebody else runs where one of the sensor's does.
    Beside,
    /// The kernel was told to run no traced functions.
    Disabled,
    /// The same, again.
    Enabled,
    /// A hook that stayed unhooked works again.
    Restored,
    /// The agent did not run.
    Stopped,
    /// The run before ended without its last word.
    Killed,
}

impl Action {
    /// One word, for programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Detached => "detached",
            Self::Replaced => "replaced",
            Self::Closed => "closed",
            Self::Moved => "moved",
            Self::Changed => "changed",
            Self::Beside => "beside",
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
            Self::Restored => "restored",
            Self::Stopped => "stopped",
            Self::Killed => "killed",
        }
    }

    /// Something was not hooked meanwhile.
    #[must_use]
    pub fn unhooks(self) -> bool {
        match self {
            Self::Detached | Self::Replaced | Self::Closed => true,
            Self::Moved
            | Self::Changed
            | Self::Beside
            | Self::Disabled
            | Self::Enabled
            | Self::Restored
            | Self::Stopped
            | Self::Killed => false,
        }
    }
}

/// What came of putting something right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mended {
    /// It works: the agent did what it watches for and saw it.
    Proven,
    /// It was put right; whether it works is not known, for this reason.
    Unproven(String),
    /// It was not, for this reason; it is tried again at every look.
    Failed(String),
}

impl Mended {
    /// One word, for programs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Unproven(_) => "unproven",
            Self::Failed(_) => "failed",
        }
    }

    /// Why it is no better.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Proven => None,
            Self::Unproven(reason) | Self::Failed(reason) => Some(reason),
        }
    }
}

/// When the sensor may not have seen something that it covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The program, or the agent's name for all of them.
    pub what: String,
    pub window: Window,
    /// It goes on.
    pub is_open: bool,
}

impl Deed {
    /// What happened, as people say it.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { action, name, .. } = self;
        match action {
            Action::Detached => format!("{name} was detached"),
            Action::Replaced => format!("another program runs in the place of {name}"),
            Action::Closed => format!("{name} was closed within the agent"),
            Action::Moved => format!("the reader's place in {name} was moved"),
            Action::Changed => format!("{name} was changed"),
            Action::Beside => format!("another program runs beside {name}"),
            Action::Disabled => {
                "the kernel was told to trace no functions (kernel.ftrace_enabled)".to_owned()
            }
            Action::Enabled => "the kernel traces functions again (kernel.ftrace_enabled)".to_owned(),
            Action::Restored => format!("{name} is attached again"),
            Action::Stopped => format!("{name} did not run"),
            Action::Killed => format!("the run of {name} before this one ended without a word"),
        }
    }

    /// Who comes into question, as people say it.
    #[must_use]
    pub fn suspects(&self) -> Option<String> {
        let named = self.by.iter().map(|Suspect { pid, program }| format!("{program}[{pid}]"));
        let named: Vec<String> = named.collect();
        (!named.is_empty()).then(|| format!("perhaps by {}", named.join(", ")))
    }

    /// What came of it, as people say it.
    #[must_use]
    pub fn outcome(&self) -> Option<String> {
        self.mended.as_ref().map(|mended| match mended {
            Mended::Proven => "put right, and fires".to_owned(),
            Mended::Unproven(reason) => format!("put right, not proven: {reason}"),
            Mended::Failed(reason) => format!("not put right: {reason}"),
        })
    }
}
