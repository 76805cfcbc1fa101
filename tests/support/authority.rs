//! Who signs the certificates of receivers over TLS: made anew for each run, believed by nobody else.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// The name and the address of every receiver of the tests.
const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// Files in PEM.
#[derive(Clone, Debug)]
pub struct Authority {
    /// What its certificate is believed by.
    pub ca: PathBuf,
    /// A certificate for this host's receivers, and its key.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    /// Makes all of it in `directory`.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn make(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory)?;
        let own = KeyPair::generate()?;
        let mut params = CertificateParams::new([])?;
        params.distinguished_name.push(DnType::CommonName, "Tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let authority = params.self_signed(&own)?;
        let issuer = Issuer::new(params, own);

        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(NAMES.map(str::to_owned))?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &issuer)?;

        let write = |name: &str, text: &str| -> Result<PathBuf> {
            let path = directory.join(name);
            fs::write(&path, text)?;
            Ok(path)
        };
        Ok(Self {
            ca: write("ca.pem", &authority.pem())?,
            certificate: write("receiver.pem", &certificate.pem())?,
            key: write("receiver.key", &key.serialize_pem())?,
        })
    }
}
