//! A receiver over TLS (syslog: RFC 5425; HTTP: RFC 9110 section 4.2.2): how it is told, and what is needed to
//! believe it. The same for every sink.
//!
//! The receiver is always verified: a chain to a trust anchor, the name it was told by, the present time, and
//! the pinned certificate where there is one. Nothing turns that off, and nothing falls back to plaintext.
//! TLS 1.2 and 1.3 only, by rustls with ring. No session is resumed: a resumed one would not show its
//! certificate again, and one that has expired meanwhile would go unseen.
//!
//! Not here: revocation (no list is fetched), and reading files again when they change.

mod answer;
mod fault;
mod file;
mod handshake;
mod keys;
mod pin;

pub use file::TlsError;
pub use pin::{Fingerprint, FingerprintError};

pub(super) use answer::{Answer, Request};
pub(super) use fault::Fault;
pub(super) use handshake::{connect, refusal};
pub(super) use keys::{TlsKeys, TlsKeysError};

use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};

use self::pin::Verifier;

/// A receiver over TLS.
#[derive(Clone, Debug)]
pub struct TlsTarget {
    /// As it was told; also what its certificate must be for.
    pub host: String,
    pub port: u16,
    pub settings: TlsSettings,
    name: ServerName<'static>,
    /// What the files said, from the first [`TlsTarget::connector`] of it or of a clone on.
    connector: Arc<OnceLock<Connector>>,
}

/// Who is believed, and who this host is to the receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TlsSettings {
    /// Trust anchors in PEM instead of the system's.
    pub ca: Option<PathBuf>,
    /// This host's own certificate.
    pub identity: Option<Identity>,
    /// The only certificate that is believed, in addition to all else.
    pub fingerprint: Option<Fingerprint>,
}

/// A client certificate with its chain, and its key, both in PEM.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl TlsTarget {
    /// A receiver that is believed by the system's trust anchors.
    ///
    /// # Errors
    /// When no certificate can be for such a host.
    pub(super) fn new(host: String, port: u16) -> Result<Self, &'static str> {
        let name = ServerName::try_from(host.clone())
            .map_err(|_| "its host is no name and no address that a certificate can be for")?;
        Ok(Self { host, port, settings: TlsSettings::default(), name, connector: Arc::default() })
    }

    pub(super) fn with_settings(self, settings: TlsSettings) -> Self {
        Self { settings, connector: Arc::default(), ..self }
    }

    /// Another host under the same settings, whose files are not read again.
    ///
    /// # Errors
    /// When no certificate can be for such a host.
    pub(super) fn at(&self, host: String, port: u16) -> Result<Self, &'static str> {
        let other = Self::new(host, port)?;
        Ok(Self { settings: self.settings.clone(), connector: Arc::clone(&self.connector), ..other })
    }

    pub(super) fn name(&self) -> ServerName<'static> {
        self.name.clone()
    }

    /// What connections are made by. The files are read the first time only, so that a mistake in them shows
    /// at the start of the agent and at no other time.
    ///
    /// # Errors
    /// A file that cannot be used, named with the reason.
    pub(super) fn connector(&self) -> Result<&Connector, TlsError> {
        if let Some(connector) = self.connector.get() {
            return Ok(connector);
        }
        let connector = Connector::load(&self.settings)?;
        Ok(self.connector.get_or_init(|| connector))
    }
}

/// What the files said is no part of what was asked for.
impl PartialEq for TlsTarget {
    fn eq(&self, other: &Self) -> bool {
        (&self.host, self.port, &self.settings) == (&other.host, other.port, &other.settings)
    }
}

impl Eq for TlsTarget {}

impl Hash for TlsTarget {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.host, self.port, &self.settings).hash(state);
    }
}

/// All that a connection needs, read and checked.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    config: Arc<ClientConfig>,
    identity: Option<Arc<CertifiedKey>>,
}

impl Connector {
    fn load(settings: &TlsSettings) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let anchors = match &settings.ca {
            Some(path) => file::anchors(path)?,
            None => system_anchors()?,
        };
        let identity = settings.identity.as_ref().map(|identity| file::identity(identity, &provider));
        let identity = identity.transpose()?.map(Arc::new);
        let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(anchors), Arc::clone(&provider))
            .build()
            .map_err(|error| TlsError::Unusable { reason: error.to_string() })?;
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| TlsError::Unusable { reason: error.to_string() })?
            // "Dangerous" because a verifier could say yes to anything; this one asks for more than the usual.
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier::new(chain, settings.fingerprint)))
            .with_client_cert_resolver(Arc::new(Answer::new(identity.clone())));
        config.resumption = Resumption::disabled();
        Ok(Self { config: Arc::new(config), identity })
    }

    /// The configuration of one connection that offers `protocols` by ALPN, and what tells whether a client certificate was
    /// asked for on it.
    fn session(&self, protocols: &[&[u8]]) -> (Arc<ClientConfig>, Arc<Answer>) {
        let answer = Arc::new(Answer::new(self.identity.clone()));
        let mut config = ClientConfig::clone(&self.config);
        config.client_auth_cert_resolver = Arc::<Answer>::clone(&answer);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        (Arc::new(config), answer)
    }
}

/// The trust anchors of this system: `SSL_CERT_FILE` and `SSL_CERT_DIR` where they are set, else where
/// distributions keep them.
fn system_anchors() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut anchors = RootCertStore::empty();
    // One of a hundred and fifty that is odd is the distribution's matter; it is not believed.
    let (added, _) = anchors.add_parsable_certificates(found.certs);
    if added == 0 {
        let reason = found.errors.first().map_or_else(String::new, |error| format!(" ({error})"));
        return Err(TlsError::NoAnchors { reason });
    }
    Ok(anchors)
}

#[cfg(test)]
mod tests;
