//! A pinned certificate: its SHA-256, and the verifier that asks for it on top of all else.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};

/// Bytes of a SHA-256 (FIPS 180-4).
const LENGTH: usize = 32;

/// What stands before the digits: RFC 5425 section 4.2.2 names the hash with the fingerprint too.
const PREFIX: &str = "sha256:";

/// SHA-256 of a certificate's DER, written `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; LENGTH]);

/// Why a word is no fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is `sha256:` and 64 hexadecimal digits, with or without colons, as `openssl x509 -noout -fingerprint \
     -sha256 -in FILE` prints them"
)]
pub struct FingerprintError;

impl Fingerprint {
    /// That of a certificate.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        let mut bytes = [0; LENGTH];
        bytes.iter_mut().zip(digest(&SHA256, certificate).as_ref()).for_each(|(to, from)| *to = *from);
        Self(bytes)
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let head = text.get(..PREFIX.len()).ok_or(FingerprintError)?;
        if !head.eq_ignore_ascii_case(PREFIX) {
            return Err(FingerprintError);
        }
        let digits: Option<Vec<u8>> = text
            .chars()
            .skip(PREFIX.len())
            .filter(|character| *character != ':')
            .map(|character| character.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect();
        let digits = digits.filter(|digits| digits.len() == 2 * LENGTH).ok_or(FingerprintError)?;
        let mut bytes = [0; LENGTH];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair.iter().fold(0, |byte, digit| (byte << 4) | digit);
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The certificate is sound, and another than the pinned one.
#[derive(Debug, thiserror::Error)]
#[error("not the pinned certificate but {0}")]
pub(super) struct NotPinned(pub(super) Fingerprint);

/// Asks for the chain, the name and the time as always, then for the pinned certificate.
#[derive(Debug)]
pub(super) struct Verifier {
    chain: Arc<WebPkiServerVerifier>,
    pinned: Option<Fingerprint>,
}

impl Verifier {
    pub(super) fn new(chain: Arc<WebPkiServerVerifier>, pinned: Option<Fingerprint>) -> Self {
        Self { chain, pinned }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        let presented = Fingerprint::of(end_entity);
        match self.pinned {
            Some(pinned) if pinned != presented => {
                Err(CertificateError::Other(OtherError(Arc::new(NotPinned(presented)))).into())
            }
            Some(_) | None => Ok(verified),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the empty text (FIPS 180-4's example values).
    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn reads_what_it_writes_and_what_openssl_prints() {
        assert_eq!(Fingerprint::of(b"").to_string(), EMPTY);
        assert_eq!(EMPTY.parse(), Ok(Fingerprint::of(b"")));
        let digits = EMPTY[PREFIX.len()..].to_uppercase();
        let pairs: Vec<_> = (0..LENGTH).map(|at| &digits[2 * at..2 * at + 2]).collect();
        assert_eq!(format!("SHA256:{}", pairs.join(":")).parse(), Ok(Fingerprint::of(b"")));
    }

    #[test]
    fn refuses_all_else() {
        let long = format!("{EMPTY}00");
        for text in [
            "",
            "sha256:",
            &EMPTY[..70],
            &long,
            &EMPTY[7..],
            "sha1:e3b0",
            "sha256:\u{fc}",
            "\u{fc}\u{fc}\u{fc}\u{fc}",
        ] {
            assert_eq!(text.parse::<Fingerprint>(), Err(FingerprintError), "{text}");
        }
    }
}
