//! The file of a baseline: read whole, written whole.

use std::fs;
use std::path::Path;

use super::{ConfigError, read_bounded};
use crate::state::baseline::{Baseline, Malformed};

/// Longest file of a baseline, bytes: 512 images with the most that each may have, at 60 bytes a line.
const FILE_MAX: u64 = 64 << 20;

/// Reads a baseline.
///
/// # Errors
/// It cannot be read, or is none; the error points at the place.
pub fn read_baseline(path: &Path) -> Result<Baseline, ConfigError> {
    let text = read_bounded(path, FILE_MAX)?;
    Baseline::parse(&text).map_err(|Malformed { line, column, reason }| {
        ConfigError::placed(path, &text, (line, column), reason)
    })
}

/// Writes a baseline beside its place and moves it there: who reads it meanwhile has the old one or the new one.
///
/// # Errors
/// The folder cannot be written.
pub fn write_baseline(path: &Path, baseline: &Baseline) -> std::io::Result<()> {
    let draft = path.with_added_extension("part");
    fs::write(&draft, baseline.text())?;
    fs::rename(&draft, path).inspect_err(|_| _ = fs::remove_file(&draft))
}
