//! Headers whose value is a secret: it stands in a file, never in the configuration, and is read again for each connection,
//! so that one that is renewed (a projected token, say) is taken without a restart.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use http::HeaderValue;
use http::header::{AUTHORIZATION, HeaderName};

/// Longest file, bytes: tokens have some hundred to a few thousand, and servers refuse headers beyond 8 KiB or so.
const FILE_MAX: u64 = 16 << 10;

/// A header and the file its value is in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Secret {
    pub header: HeaderName,
    /// What stands before the file's text.
    prefix: &'static str,
    pub path: PathBuf,
}

/// Why there is no value.
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
            Self::Unfit { .. } => {
                "name a regular file that holds the value of the header, one line and nothing else"
            }
        }
    }
}

impl Secret {
    /// `Authorization: Bearer TOKEN` (RFC 6750 section 2.1).
    #[must_use]
    pub fn bearer(path: PathBuf) -> Self {
        Self { header: AUTHORIZATION, prefix: "Bearer ", path }
    }

    /// A header whose value is the file's text.
    #[must_use]
    pub fn header(header: HeaderName, path: PathBuf) -> Self {
        Self { header, prefix: "", path }
    }

    /// The header's value as the file has it now.
    ///
    /// # Errors
    /// The file cannot be used; nothing of it is told.
    pub fn read(&self) -> Result<HeaderValue, SecretError> {
        let unfit = |reason| SecretError::Unfit { path: self.path.clone(), reason };
        let text = read(&self.path)?;
        let text = String::from_utf8(text).map_err(|_| unfit("it is no text"))?;
        let text = text.trim();
        if text.is_empty() {
            return Err(unfit("it is empty"));
        }
        let value = HeaderValue::try_from(format!("{}{text}", self.prefix));
        let mut value =
            value.map_err(|_| unfit("it has more than one line, or a character that no header has"))?;
        value.set_sensitive(true);
        Ok(value)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_one_line_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let secret = Secret::bearer(path.clone());
        assert!(secret.read().unwrap_err().to_string().starts_with("cannot read "));
        for (text, reason) in [
            (" \n", "it is empty"),
            ("s3cret\nmore", "more than one line"),
            ("s3cret\u{7f}", "no header has"),
            (&*"s3cret".repeat(4000), "more than 16 KiB"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = secret.read().unwrap_err().to_string();
            assert!(error.contains(reason) && !error.contains("s3cret"), "{error}");
        }
        std::fs::write(&path, "s3cret\n").unwrap();
        let value = secret.read().unwrap();
        assert_eq!(value.to_str().unwrap(), "Bearer s3cret");
        assert!(value.is_sensitive() && !format!("{value:?}").contains("s3cret"));
        let own = Secret::header(HeaderName::from_static("x-api-key"), path);
        assert_eq!(own.read().unwrap().to_str().unwrap(), "s3cret");
        assert!(
            Secret::bearer(folder.path().to_owned()).read().unwrap_err().to_string().contains("no regular")
        );
    }
}
