//! Records of the file family.

use sensor_ebpf::wire::text::Text;
use sensor_ebpf::wire::{FileId, file};

use super::DecodeError;
use super::text::{Texts, fixed};

/// [`file::Change`] with its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    pub file: FileId,
    pub path: String,
    /// The path starts at the root of the actor's mount namespace; else of the file system.
    pub is_from_mount: bool,
    /// Bytes written through the file that was closed.
    pub bytes: u64,
    /// Size of the file now.
    pub size: u64,
    pub mode: u32,
    /// As in [`file::Change::flags`].
    pub flags: u32,
}

/// [`file::Rename`] with its paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileNames {
    pub file: FileId,
    /// A symbolic link: `from` is the text it holds.
    pub is_symbolic: bool,
    pub from: String,
    pub to: String,
}

pub(super) fn file_change(bytes: &[u8]) -> Result<FileChange, DecodeError> {
    let (record, tail) = fixed::<file::Change>(bytes, "a file change")?;
    let mut texts = Texts(tail);
    let path = texts.path(record.path)?;
    texts.end()?;
    let is_from_mount = record.flags & file::Change::FROM_MOUNT != 0;
    let file::Change { file, bytes, size, mode, flags, .. } = record;
    Ok(FileChange { file, path, is_from_mount, bytes, size, mode, flags })
}

pub(super) fn file_names(bytes: &[u8]) -> Result<FileNames, DecodeError> {
    let (record, tail) = fixed::<file::Rename>(bytes, "a new name")?;
    let mut texts = Texts(tail);
    // A symbolic link holds a text, not a place that was walked to.
    let is_place = record.from.flags & Text::COMPONENTS != 0;
    let from = if is_place { texts.path(record.from)? } else { texts.string(record.from)? };
    let to = texts.path(record.to)?;
    texts.end()?;
    Ok(FileNames { file: record.file, is_symbolic: !is_place, from, to })
}
