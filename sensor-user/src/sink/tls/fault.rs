//! Why TLS with a receiver failed, as its operator reads it: what is wrong and what to do.

use std::io::{self, ErrorKind};

use jiff::Timestamp;
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};

use super::pin::NotPinned;
use super::{Fingerprint, Request};
use crate::sink::text::escape::visible;

/// Names of a certificate that are told; who has more finds the rest in the certificate.
const NAMES_MAX: usize = 4;

/// Characters of such a name that are told: whoever answers chose it. Longer than a host name usually is.
const NAME_MAX: usize = 80;

/// How rustls's verifier says that an authority's certificate was shown for a server's. It hands out no type for it.
const AUTHORITY: &str = "CaUsedAsEndEntity";

/// What is wrong between this host and a receiver. Each sentence follows "it is away: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::sink) enum Fault {
    #[error(
        "its certificate is for another name ({presented}), not for {expected}: name it as its certificate does"
    )]
    OtherName { presented: String, expected: String },
    #[error("its certificate has expired{at}: it needs a new one, unless the clock of this host is wrong")]
    Expired { at: String },
    #[error("its certificate is not valid yet{from}: is the clock of this host right?")]
    NotValidYet { from: String },
    #[error("its certificate is signed by nobody who is trusted: name the file of its authority with `ca`")]
    Untrusted,
    #[error(
        "a signature on its certificate or by it is not of the key it should be: somebody may pose as it, unless its \
         authority has a new key and `ca` the old one"
    )]
    Forged,
    #[error(
        "its certificate is not the pinned one but {0}: find out who changed it before you change `fingerprint`"
    )]
    NotPinned(Fingerprint),
    #[error("its certificate is not one for servers: it needs one with the purpose serverAuth")]
    NoServer,
    #[error("its certificate is an authority's own: it needs one of its own, with CA:FALSE")]
    Authority,
    #[error("its certificate cannot be verified ({0}): it needs another one")]
    Unverifiable(String),
    #[error("it speaks no TLS 1.2 or newer: turn that on there")]
    TooOld,
    #[error(
        "it has no cipher in common with this host: turn on those of TLS 1.3, or ECDHE with AES-GCM, there"
    )]
    NothingInCommon,
    #[error(
        "it answers in plaintext, not TLS: name its port for TLS, for syslog usually 6514, or turn TLS on there"
    )]
    Plaintext,
    #[error(
        "it answers no TLS handshake: name its port for TLS, for syslog usually 6514, or turn TLS on there"
    )]
    Silent,
    #[error(
        "it closed the connection in the handshake: name its port for TLS, for syslog usually 6514; its log may say why"
    )]
    Closed,
    #[error("it wants a certificate of this host: name one with `certificate` and `key`")]
    Unanswered,
    #[error(
        "it refuses the certificate of this host ({0}): it must trust who signed it; its log may say more"
    )]
    Refused(String),
    #[error("it refuses TLS ({0}); its log may say why")]
    Alert(String),
    #[error("TLS with it failed: {0}")]
    Other(String),
}

impl Fault {
    /// What an error of TLS or of the connection below it means; none: nothing that TLS has to do with.
    pub(in crate::sink) fn find(error: &io::Error, request: Request) -> Option<Self> {
        let error = error.get_ref()?.downcast_ref::<Error>()?;
        Some(Self::of(error, request))
    }

    /// The fault that an error was made of.
    pub(in crate::sink) fn within(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "rustls has more errors than have a remedy of their own"
    )]
    fn of(error: &Error, request: Request) -> Self {
        match error {
            Error::InvalidCertificate(error) => Self::of_certificate(error),
            Error::AlertReceived(alert) => Self::of_alert(*alert, request),
            Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            ) => Self::TooOld,
            Error::PeerIncompatible(_) => Self::NothingInCommon,
            // The first byte of a record says what it is (RFC 8446 section 5.1), and no printable one does.
            Error::InvalidMessage(InvalidMessage::InvalidContentType) => Self::Plaintext,
            Error::InvalidMessage(InvalidMessage::UnknownProtocolVersion) => Self::TooOld,
            other => Self::Other(told(&other.to_string())),
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "rustls has more errors than have a remedy of their own"
    )]
    fn of_certificate(error: &CertificateError) -> Self {
        match error {
            CertificateError::NotValidForNameContext { expected, presented } => {
                Self::OtherName { presented: names(presented), expected: expected.to_str().into_owned() }
            }
            CertificateError::ExpiredContext { not_after, .. } => {
                Self::Expired { at: time(" at ", *not_after) }
            }
            CertificateError::NotValidYetContext { not_before, .. } => {
                Self::NotValidYet { from: time(", but from ", *not_before) }
            }
            CertificateError::UnknownIssuer => Self::Untrusted,
            CertificateError::BadSignature => Self::Forged,
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Self::NoServer
            }
            CertificateError::Other(other) => match other.0.downcast_ref::<NotPinned>() {
                Some(NotPinned(presented)) => Self::NotPinned(*presented),
                None if other.0.to_string() == AUTHORITY => Self::Authority,
                None => Self::Unverifiable(told(&other.0.to_string())),
            },
            other => Self::Unverifiable(told(&other.to_string())),
        }
    }

    /// What the receiver says (RFC 8446 section 6.2).
    fn of_alert(alert: AlertDescription, request: Request) -> Self {
        match (alert, request) {
            (AlertDescription::ProtocolVersion, _) => Self::TooOld,
            (AlertDescription::CertificateRequired, _) => Self::Unanswered,
            // TLS 1.2 has no alert of its own for a certificate that is missing (RFC 5246 section 7.4.6).
            (AlertDescription::HandshakeFailure | AlertDescription::BadCertificate, Request::Unanswered) => {
                Self::Unanswered
            }
            (AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity, Request::None) => {
                Self::NothingInCommon
            }
            (
                AlertDescription::AccessDenied
                | AlertDescription::BadCertificate
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateUnknown
                | AlertDescription::DecryptError
                | AlertDescription::HandshakeFailure
                | AlertDescription::UnknownCA
                | AlertDescription::UnsupportedCertificate,
                Request::Answered,
            ) => Self::Refused(format!("{alert:?}")),
            (_, Request::None | Request::Answered | Request::Unanswered) => Self::Alert(format!("{alert:?}")),
        }
    }

    /// The receiver closed the connection instead of an answer.
    pub(in crate::sink) fn of_closing(request: Request) -> Self {
        match request {
            Request::None => Self::Closed,
            Request::Answered => Self::Refused("it closed the connection".to_owned()),
            Request::Unanswered => Self::Unanswered,
        }
    }
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        Self::new(ErrorKind::InvalidData, fault)
    }
}

/// The names of a certificate: whoever answers chose them, so they are bounded and made safe to show.
fn names(presented: &[String]) -> String {
    if presented.is_empty() {
        return "it has none".to_owned();
    }
    // `DnsName("a.example")`, `IpAddress(192.0.2.1)`
    let bare = |name: &String| {
        let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
        told(inner.trim_matches('"'))
    };
    let mut names: Vec<_> = presented.iter().take(NAMES_MAX).map(bare).collect();
    if let Some(more) = presented.len().checked_sub(NAMES_MAX).filter(|more| *more > 0) {
        names.push(format!("{more} more"));
    }
    names.join(", ")
}

fn told(text: &str) -> String {
    let cut: String = text.chars().take(NAME_MAX).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("{}{more}", visible(&cut))
}

/// A time after a word; nothing for one that no calendar has.
fn time(word: &str, time: UnixTime) -> String {
    let time = i64::try_from(time.as_secs()).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map_or_else(String::new, |time| format!("{word}{time}"))
}
