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
/// Room for an argument vector, bytes. Longer ones are cut at the end and say so.
pub const ARGUMENTS_MAX: usize = 8192;
/// Most cgroup levels that are walked: kubelet's deepest layout has 6, nested containers double it.
pub const CGROUP_COMPONENTS_MAX: usize = 16;

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
