//! The variable tail of a record: its texts, one behind the other, in the order of the `Text` fields.
//!
//! A text is bytes, not UTF-8: paths and arguments on Linux may be anything but NUL. A path that
//! was walked leaf to root arrives as its components in that order, each ended by NUL (the agent
//! turns them round); see [`Text::COMPONENTS`].

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Most path components that are walked; deeper paths arrive with [`Text::TRUNCATED`] and lack
/// their first components. 64 covers every overlay path seen in practice twice over.
pub const PATH_COMPONENTS_MAX: usize = 64;
/// Room for one path, bytes (`PATH_MAX`, include/uapi/linux/limits.h).
pub const PATH_MAX: usize = 4096;
/// Longest single component with its NUL (`NAME_MAX` + 1).
pub const NAME_MAX: usize = 256;
/// Room for the head of an argument vector, bytes. Longer ones say so and have their tail besides:
/// what a padded command line pushes out of the middle is in neither.
pub const ARGUMENTS_MAX: usize = 8192;
/// Room for the tail of an argument vector, bytes: a destination comes last.
pub const TAIL_MAX: usize = 1024;
/// Most variables of an environment that are looked at. A pod has some ten and seven for each service of
/// its namespace; what was set for the container comes first.
pub const VARIABLES_MAX: usize = 96;
/// Room for one variable with its name, bytes.
pub const VARIABLE_MAX: usize = 256;
/// Room for all that are kept, bytes.
pub const ENVIRONMENT_MAX: usize = 1024;
/// Room for a working directory, bytes.
pub const DIRECTORY_MAX: usize = 2048;
/// Room for a DNS message, bytes: what EDNS resolvers take at most (DNS flag day 2020: 1,232).
pub const DNS_MAX: usize = 1232;
/// Most cgroup levels that are walked: kubelet's deepest layout has 6, nested containers double it.
pub const CGROUP_COMPONENTS_MAX: usize = 16;
/// Room for a cgroup's path, bytes: twice what kubelet's names take.
pub const CGROUP_MAX: usize = 2048;

/// One text of a record's tail.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Text {
    /// Bytes of this text in the tail.
    pub size: u16,
    /// [`Text::TRUNCATED`] and its sisters.
    pub flags: u16,
}

impl Text {
    /// The text was longer than what is here.
    pub const TRUNCATED: u16 = 1;
    /// The kernel refused to read it (a page not present, a task already gone).
    pub const UNREADABLE: u16 = 2;
    /// Components leaf to root, each ended by NUL.
    pub const COMPONENTS: u16 = 4;
}
