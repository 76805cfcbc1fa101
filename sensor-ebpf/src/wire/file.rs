//! Records of the file family.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::text::Text;
use super::{FileId, Header};

/// [`super::Kind::FileOpen`] and [`super::Kind::FileWrite`]: once per process and file, not per call.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Change {
    pub header: Header,
    pub file: FileId,
    /// [`Change::FROM_MOUNT`] and its sisters.
    pub flags: u32,
    /// Path, components. What it is relative to: see the flags.
    pub path: Text,
}

impl Change {
    /// The path was walked across mounts up to the root of the actor's mount namespace. Without it
    /// the path starts at the root of the file system `file.device` and the agent joins it with the
    /// actor's mount table.
    pub const FROM_MOUNT: u32 = 1;
    /// The file was created by this open.
    pub const CREATED: u32 = 2;
    /// The file belongs to an overlay's own layer, seen below the overlay.
    pub const BELOW_OVERLAY: u32 = 4;
}

/// [`super::Kind::FileRename`]: both paths start at the root of the file system `file.device`.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Rename {
    pub header: Header,
    /// The file that was renamed.
    pub file: FileId,
    /// Name before, components.
    pub from: Text,
    /// Name after, components.
    pub to: Text,
}
