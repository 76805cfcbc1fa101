//! Headers whose value is a secret, from a file.

use std::path::PathBuf;

use http::HeaderValue;
use http::header::{AUTHORIZATION, HeaderName};

use crate::sink::secret::{self, SecretError};

/// A header and the file its value is in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Secret {
    pub header: HeaderName,
    /// What stands before the file's text.
    prefix: &'static str,
    pub path: PathBuf,
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
        let text = secret::text(&self.path)?;
        let unfit = |reason| SecretError::Unfit { path: self.path.clone(), reason };
        let value = HeaderValue::try_from(format!("{}{}", self.prefix, text.trim()));
        let mut value =
            value.map_err(|_| unfit("it has more than one line, or a character that no header has"))?;
        value.set_sensitive(true);
        Ok(value)
    }
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
