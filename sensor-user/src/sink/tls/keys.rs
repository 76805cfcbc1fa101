//! What a map of the configuration says of TLS with a receiver.

use std::path::PathBuf;

use super::{FingerprintError, Identity, TlsSettings};

/// The keys, as they stand in the map.
#[derive(Debug, Default)]
pub(in crate::sink) struct TlsKeys {
    pub(in crate::sink) ca: Option<PathBuf>,
    pub(in crate::sink) certificate: Option<PathBuf>,
    pub(in crate::sink) key: Option<PathBuf>,
    pub(in crate::sink) fingerprint: Option<String>,
}

/// Why they make no sense.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::sink) enum TlsKeysError {
    #[error(
        "`{key}` says how to trust {url}, which is sent to in the clear: write {secure} there, or leave `{key}` out"
    )]
    Plain { key: &'static str, url: String, secure: &'static str },
    #[error("`{given}` stands without `{missing}`: name both, or none")]
    Half { given: &'static str, missing: &'static str },
    #[error("`{text}` is no fingerprint: {reason}")]
    Fingerprint { text: String, reason: FingerprintError },
}

impl TlsKeys {
    /// For a receiver without TLS there is nothing to say; `secure` is what its address begins with where there is.
    ///
    /// # Errors
    /// One of the keys is there.
    pub(in crate::sink) fn refuse(&self, url: &str, secure: &'static str) -> Result<(), TlsKeysError> {
        let given = [
            ("ca", self.ca.is_some()),
            ("certificate", self.certificate.is_some()),
            ("key", self.key.is_some()),
            ("fingerprint", self.fingerprint.is_some()),
        ];
        match given.into_iter().find(|(_, is_given)| *is_given) {
            Some((key, _)) => Err(TlsKeysError::Plain { key, url: url.to_owned(), secure }),
            None => Ok(()),
        }
    }

    /// The settings.
    ///
    /// # Errors
    /// A key without its other half, or a fingerprint that is none.
    pub(in crate::sink) fn settings(self) -> Result<TlsSettings, TlsKeysError> {
        let Self { ca, certificate, key, fingerprint } = self;
        let identity = match (certificate, key) {
            (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
            (None, None) => None,
            (Some(_), None) => return Err(TlsKeysError::Half { given: "certificate", missing: "key" }),
            (None, Some(_)) => return Err(TlsKeysError::Half { given: "key", missing: "certificate" }),
        };
        let fingerprint = fingerprint
            .map(|text| text.parse().map_err(|reason| TlsKeysError::Fingerprint { text, reason }))
            .transpose()?;
        Ok(TlsSettings { ca, identity, fingerprint })
    }
}
