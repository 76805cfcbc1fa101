//! The files of TLS: certificates and keys in PEM (RFC 7468), read once, whole and bounded.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{Error as PemError, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::Identity;

/// Longest file, bytes: five times a distribution's bundle of all authorities; more is some other file.
const FILE_MAX: u64 = 1 << 20;

/// Key of the configuration that names a file.
const CA: &str = "ca";
const CERTIFICATE: &str = "certificate";
const KEY: &str = "key";

/// Why TLS cannot be had with these settings.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read {} (`{key}`): {source}", path.display())]
    Unreadable { key: &'static str, path: PathBuf, source: io::Error },
    #[error("{} (`{key}`) cannot be used: {reason}", path.display())]
    Unfit { key: &'static str, path: PathBuf, reason: String },
    #[error("this system has no trust anchors{reason}")]
    NoAnchors { reason: String },
    #[error("TLS cannot be set up: {reason}")]
    Unusable { reason: String },
}

impl TlsError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "name a file that this user may read",
            Self::Unfit { key: KEY, .. } => {
                "name the private key of `certificate`, in PEM and without a passphrase"
            }
            Self::Unfit { key: CERTIFICATE, .. } => {
                "name a certificate in PEM, its own first, then those of authorities between"
            }
            Self::Unfit { .. } => {
                "name the certificates of the authorities that sign receivers' ones, in PEM"
            }
            Self::NoAnchors { .. } => {
                "install the package ca-certificates, or name a file of trust anchors with `ca`"
            }
            Self::Unusable { .. } => "this is a mistake of the sensor's: tell its makers",
        }
    }
}

/// Those who are believed: every certificate of the file.
pub(super) fn anchors(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut anchors = RootCertStore::empty();
    for certificate in certificates(CA, path)? {
        anchors.add(certificate).map_err(|error| unfit(CA, path, format!("a certificate in it: {error}")))?;
    }
    Ok(anchors)
}

/// A client certificate with its chain, and the key that belongs to it.
pub(super) fn identity(files: &Identity, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let chain = certificates(CERTIFICATE, &files.certificate)?;
    let key = private_key(&files.key)?;
    let refused = |error: rustls::Error| {
        if matches!(error, rustls::Error::InconsistentKeys(_)) {
            return unfit(KEY, &files.key, format!("it is not the key of {}", files.certificate.display()));
        }
        if matches!(error, rustls::Error::InvalidCertificate(_)) {
            return unfit(CERTIFICATE, &files.certificate, error.to_string());
        }
        unfit(KEY, &files.key, error.to_string())
    };
    CertifiedKey::from_der(chain, key, provider).map_err(refused)
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(key, path)?;
    let certificates: Result<Vec<_>, PemError> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.map_err(|error| unfit(key, path, broken(&error)))?;
    if certificates.is_empty() {
        return Err(unfit(key, path, "it holds no certificate in PEM".to_owned()));
    }
    Ok(certificates)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let pem = read(KEY, path)?;
    let text = String::from_utf8_lossy(&pem);
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(unfit(KEY, path, "it is behind a passphrase, and nobody is there to type it".to_owned()));
    }
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| unfit(KEY, path, broken(&error)))
}

/// What is wrong with PEM. Without the offending line: a key may stand in it.
#[expect(clippy::wildcard_enum_match_arm, reason = "the parser's kinds of mistakes are not ours to list")]
fn broken(error: &PemError) -> String {
    match error {
        PemError::MissingSectionEnd { .. } => "a section of it has no end".to_owned(),
        PemError::Base64Decode(_) => "a section of it is no base64".to_owned(),
        // Of certificates an iterator just ends; only the key is asked for as one item.
        PemError::NoItemsFound => "it holds no private key in PEM".to_owned(),
        _ => "it is no PEM".to_owned(),
    }
}

fn unfit(key: &'static str, path: &Path, reason: String) -> TlsError {
    TlsError::Unfit { key, path: path.to_owned(), reason }
}

/// All of a file, which must be a regular one: a pipe would hold up the start, a device would never end.
fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |source| TlsError::Unreadable { key, path: path.to_owned(), source };
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(unfit(key, path, "it is no regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    let length = file.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if length as u64 > FILE_MAX {
        return Err(unfit(key, path, format!("it has more than {FILE_MAX} bytes")));
    }
    Ok(bytes)
}
