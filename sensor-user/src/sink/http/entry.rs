//! What an entry of the configuration says of a receiver over HTTP, whichever it is: the keys that `webhook` and `otlp`
//! have in common.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;

use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, TRANSFER_ENCODING};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

use super::Protocol;
use super::link::Link;
use super::secret::Secret;
use super::{HttpAddress, HttpAddressError};
use crate::sink::secret::SecretError;
use crate::sink::tls::{TlsError, TlsKeys, TlsKeysError};

/// A receiver: where it is, how it is believed, and what lets this host in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HttpReceiver {
    pub address: HttpAddress,
    pub secrets: Vec<Secret>,
}

/// The keys, as they stand in a map.
#[derive(Debug, Default)]
pub(in crate::sink) struct HttpEntry {
    pub(in crate::sink) tls: TlsKeys,
    pub(in crate::sink) token_file: Option<PathBuf>,
    pub(in crate::sink) header_files: BTreeMap<String, PathBuf>,
}

/// Why they make no sense.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::sink) enum HttpEntryError {
    #[error(transparent)]
    Address(#[from] HttpAddressError),
    #[error(transparent)]
    Tls(#[from] TlsKeysError),
    #[error("`{0}` is no name of a header")]
    Header(String),
    #[error("the header `{0}` is not for a file to say: the sensor sets it")]
    Taken(HeaderName),
    #[error("`token_file` is the header authorization, which stands in `header_files` too: name one of them")]
    Twice,
    #[error("of a receiver over gRPC only the host and its port are to be said: write {scheme}://HOST:PORT")]
    Path { scheme: &'static str },
    #[error(
        "`{key}` would go to {scheme}:// in the clear: write {secure} there, or an IP address of loopback, or leave it out"
    )]
    Clear { key: &'static str, scheme: &'static str, secure: &'static str },
}

impl HttpEntry {
    /// The receiver; `secure` is what addresses over TLS begin with.
    ///
    /// # Errors
    /// Keys that make no sense.
    pub(in crate::sink) fn receiver(
        self,
        address: HttpAddress,
        secure: &'static str,
    ) -> Result<HttpReceiver, HttpEntryError> {
        let Self { tls, token_file, header_files } = self;
        let key = if token_file.is_some() { "token_file" } else { "header_files" };
        let mut secrets: Vec<Secret> = token_file.map(Secret::bearer).into_iter().collect();
        for (name, path) in header_files {
            let header: HeaderName = name.parse().map_err(|_| HttpEntryError::Header(name))?;
            if [HOST, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING].contains(&header) {
                return Err(HttpEntryError::Taken(header));
            }
            if header == AUTHORIZATION && secrets.iter().any(|secret| secret.header == AUTHORIZATION) {
                return Err(HttpEntryError::Twice);
            }
            secrets.push(Secret::header(header, path));
        }
        if !secrets.is_empty() && address.is_in_the_clear() {
            return Err(HttpEntryError::Clear { key, scheme: address.scheme(), secure });
        }
        Ok(HttpReceiver { address: address.with_keys(tls, secure)?, secrets })
    }
}

/// Reads a word, or a map of which the word is a part.
///
/// # Errors
/// It is neither, or makes no sense.
pub(in crate::sink) fn word_or_map<'de, D, E, T>(
    deserializer: D,
    expected: &'static str,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    E: Deserialize<'de> + From<String>,
    T: TryFrom<E, Error: fmt::Display>,
{
    let entry: E = deserializer.deserialize_any(WordOrMap { expected, entry: PhantomData })?;
    T::try_from(entry).map_err(D::Error::custom)
}

struct WordOrMap<E> {
    expected: &'static str,
    entry: PhantomData<E>,
}

impl<'de, E: Deserialize<'de> + From<String>> Visitor<'de> for WordOrMap<E> {
    type Value = E;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<F: serde::de::Error>(self, text: &str) -> Result<E, F> {
        Ok(E::from(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<E, A::Error> {
        E::deserialize(MapAccessDeserializer::new(map))
    }
}

/// Why a receiver's files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Secret(#[from] SecretError),
}

impl FileError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Tls(error) => error.remedy(),
            Self::Secret(error) => error.remedy(),
        }
    }
}

impl HttpReceiver {
    /// Whether a connection can be opened, over which nothing is asked; and whether the receiver wanted a certificate of
    /// this host and got none.
    ///
    /// # Errors
    /// Why it cannot.
    pub(in crate::sink) async fn reach(&self, protocol: Protocol) -> std::io::Result<bool> {
        Ok(Link::open(self, protocol).await?.is_unanswered())
    }

    /// Reads the files that it takes to connect, so that a mistake in one shows at the start.
    ///
    /// # Errors
    /// A file that cannot be used, named with the reason.
    pub fn prepare(&self) -> Result<(), FileError> {
        self.address.prepare()?;
        self.secrets.iter().try_for_each(|secret| secret.read().map(drop))?;
        Ok(())
    }
}

impl From<HttpAddress> for HttpReceiver {
    fn from(address: HttpAddress) -> Self {
        Self { address, secrets: Vec::new() }
    }
}

impl fmt::Display for HttpReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}
