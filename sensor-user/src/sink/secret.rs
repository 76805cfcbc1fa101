//! Files that hold a secret: it never stands in the configuration, and is read again for each connection, so that one that
//! is renewed (a projected token, say) is taken without a restart.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Longest file, bytes: tokens have some hundred to a few thousand, and servers refuse headers beyond 8 KiB or so.
const FILE_MAX: u64 = 16 << 10;

/// Why there is no secret. Nothing of the file's text is told.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("cannot read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{} cannot be used: {reason}", path.display())]
    Unfit { path: PathBuf, reason: &'static str },
}

impl SecretError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "name a file that this user may read",
            Self::Unfit { .. } => "name a regular file that holds the secret, one line and nothing else",
        }
    }
}

/// The file's text as it is now, with all its white space; something else stands in it too.
///
/// # Errors
/// The file cannot be used.
pub(super) fn text(path: &Path) -> Result<String, SecretError> {
    let unfit = |reason| SecretError::Unfit { path: path.to_owned(), reason };
    let text = String::from_utf8(read(path)?).map_err(|_| unfit("it is no text"))?;
    if text.trim().is_empty() {
        return Err(unfit("it is empty"));
    }
    Ok(text)
}

fn read(path: &Path) -> Result<Vec<u8>, SecretError> {
    let unreadable = |source| SecretError::Unreadable { path: path.to_owned(), source };
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(SecretError::Unfit { path: path.to_owned(), reason: "it is no regular file" });
    }
    let mut bytes = Vec::new();
    let length = File::open(path)
        .map_err(unreadable)?
        .take(FILE_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if length as u64 > FILE_MAX {
        return Err(SecretError::Unfit { path: path.to_owned(), reason: "it has more than 16 KiB" });
    }
    Ok(bytes)
}
