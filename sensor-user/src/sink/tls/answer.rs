//! What this host answers a receiver that asks for a client certificate, and whether one has asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;

/// Answers on one connection.
#[derive(Debug)]
pub(in crate::sink) struct Answer {
    identity: Option<Arc<CertifiedKey>>,
    was_asked: AtomicBool,
}

/// What a receiver asked this host for, and got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sink) enum Request {
    /// It asked for no certificate.
    None,
    /// It asked, and got ours.
    Answered,
    /// It asked, and there is none.
    Unanswered,
}

impl Answer {
    pub(super) fn new(identity: Option<Arc<CertifiedKey>>) -> Self {
        Self { identity, was_asked: AtomicBool::new(false) }
    }

    pub(in crate::sink) fn request(&self) -> Request {
        match (self.was_asked.load(Ordering::Relaxed), &self.identity) {
            (false, _) => Request::None,
            (true, Some(_)) => Request::Answered,
            (true, None) => Request::Unanswered,
        }
    }
}

impl ResolvesClientCert for Answer {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.was_asked.store(true, Ordering::Relaxed);
        self.identity.clone()
    }

    fn has_certs(&self) -> bool {
        self.identity.is_some()
    }
}
