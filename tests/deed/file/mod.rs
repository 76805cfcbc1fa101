//! Deeds on files: changed, renamed, read.

pub(crate) mod write;
pub(crate) mod change;
pub(crate) mod name;
pub(crate) mod read;

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};

/// A path as the kernel takes it.
fn text(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes()).context("a path with a zero in it")
}

/// Opens a file that exists, for reading and writing.
fn writable(path: &Path) -> Result<File> {
    let file = OpenOptions::new().read(true).write(true).open(path);
    file.with_context(|| format!("opening {}", path.display()))
}
