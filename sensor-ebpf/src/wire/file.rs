//! Records of the file family.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::text::Text;
use super::{FileId, Header};

/// Every kind of the file family but renames and links. Opens and writes are told once per process, file
/// and window, not per call.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Change {
    pub header: Header,
    pub file: FileId,
    /// Bytes that the process wrote through the file that it closed, see [`Change::BYTES_EXACT`].
    pub bytes: u64,
    /// Size of the file now.
    pub size: u64,
    /// `st_mode` of the file; of [`super::Kind::FileMode`] the new one.
    pub mode: u32,
    /// [`Change::FROM_MOUNT`] and its sisters.
    pub flags: u32,
    /// Path, components. What it is relative to: see the flags.
    pub path: Text,
    pub reserved: u32,
}

impl Change {
    /// The path was walked across mounts up to the root of the actor's mount namespace. Without it
    /// the path starts at the root of the file system `file.device` and the agent joins it with the
    /// actor's mount table.
    pub const FROM_MOUNT: u32 = 1;
    /// The file was created by this open.
    pub const CREATED: u32 = 2;
    /// The content is mapped for writing: the bytes stored there are not known.
    pub const MAPPED: u32 = 4;
    /// The length was set: truncate, fallocate or an open that truncates.
    pub const LENGTH: u32 = 8;
    /// `bytes` is known to the byte.
    pub const BYTES_EXACT: u32 = 16;
}

/// [`super::Kind::FileRename`] and [`super::Kind::FileLink`]: both paths start at the root of the file
/// system `file.device`. Of a symbolic link, which has no inode yet, `from` is the text it holds.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Rename {
    pub header: Header,
    /// The file that was renamed.
    pub file: FileId,
    /// Name before, components (of a symbolic link a plain text); of a file without a name (`O_TMPFILE`) the kernel's word for it.
    pub from: Text,
    /// Name after, components.
    pub to: Text,
}
