//! Which topic of which cluster, from one word of the configuration or a map of which the word is a part.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use super::login::{Login, Mechanism};
use crate::sink::authority::{authority, shown};
use crate::sink::form::Form;
use crate::sink::http::{FileError, word_or_map};
use crate::sink::tls::{TlsKeys, TlsKeysError, TlsTarget};

const PLAIN: &str = "kafka://";
const SECURE: &str = "kafkas://";

/// Ports that brokers have by habit, without TLS and with.
const PORT: u16 = 9092;
const PORT_TLS: u16 = 9093;

/// Brokers that can be named. Any one that is up is enough to find all the others.
const BROKERS_MAX: usize = 16;

/// Longest name of a topic (`Topic.MAX_NAME_LENGTH` of Kafka).
const TOPIC_MAX: usize = 249;

/// Longest name of a user, bytes.
const USER_MAX: usize = 255;

/// A topic of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaTarget {
    /// Whom to ask first, as they were named.
    pub brokers: Vec<(String, u16)>,
    pub topic: String,
    pub form: Form,
    pub login: Option<Login>,
    /// Of the first broker, with what is the same for all of them; none: in the clear.
    pub(super) tls: Option<TlsTarget>,
}

/// The map. `url` is the word.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    url: String,
    #[serde(default)]
    format: Form,
    mechanism: Option<Mechanism>,
    user: Option<String>,
    password_file: Option<PathBuf>,
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    fingerprint: Option<String>,
}

/// Why an entry makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KafkaTargetError {
    #[error(
        "`{url}` is no topic of a cluster: {reason}; write kafka://HOST:PORT/TOPIC or kafkas://HOST:PORT/TOPIC"
    )]
    Url { url: String, reason: &'static str },
    #[error("{0}")]
    Tls(String),
    #[error("`{given}` stands without `{missing}`: name both, or none")]
    Half { given: &'static str, missing: &'static str },
    #[error("`user` has to be one word of at most {USER_MAX} bytes")]
    User,
    #[error(
        "`password_file` would go to kafka:// in the clear: write kafkas:// there, or IP addresses of loopback, or take \
         one of the mechanisms scram-sha-256 and scram-sha-512"
    )]
    Clear,
}

impl From<TlsKeysError> for KafkaTargetError {
    fn from(error: TlsKeysError) -> Self {
        Self::Tls(error.to_string())
    }
}

impl From<String> for Entry {
    fn from(url: String) -> Self {
        Self {
            url,
            format: Form::default(),
            mechanism: None,
            user: None,
            password_file: None,
            ca: None,
            certificate: None,
            key: None,
            fingerprint: None,
        }
    }
}

impl TryFrom<Entry> for KafkaTarget {
    type Error = KafkaTargetError;

    fn try_from(entry: Entry) -> Result<Self, KafkaTargetError> {
        let Entry { url, format, mechanism, user, password_file, ca, certificate, key, fingerprint } = entry;
        let (brokers, topic, tls) =
            place(&url).map_err(|reason| KafkaTargetError::Url { url: told(&url), reason })?;
        let keys = TlsKeys { ca, certificate, key, fingerprint };
        let tls = match tls {
            Some(target) => Some(target.with_settings(keys.settings()?)),
            None => {
                keys.refuse(&url, SECURE)?;
                None
            }
        };
        let login = login(mechanism, user, password_file)?;
        let target = Self { brokers, topic, form: format, login, tls };
        if target.brokers.iter().any(|(host, _)| target.would_show_password(host)) {
            return Err(KafkaTargetError::Clear);
        }
        Ok(target)
    }
}

impl<'de> Deserialize<'de> for KafkaTarget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        word_or_map::<D, Entry, Self>(
            deserializer,
            "a topic such as kafka://HOST:PORT/TOPIC, or a map with its `url`",
        )
    }
}

impl FromStr for KafkaTarget {
    type Err = KafkaTargetError;

    fn from_str(text: &str) -> Result<Self, KafkaTargetError> {
        Self::try_from(Entry::from(text.to_owned()))
    }
}

impl KafkaTarget {
    /// Reads the files that it takes to connect, so that a mistake in one shows at the start.
    ///
    /// # Errors
    /// A file that cannot be used, named with the reason.
    pub fn prepare(&self) -> Result<(), FileError> {
        if let Some(tls) = &self.tls {
            tls.connector()?;
        }
        if let Some(login) = &self.login {
            login.password()?;
        }
        Ok(())
    }

    /// Whether the password could be read on the way to this host.
    pub(super) fn would_show_password(&self, host: &str) -> bool {
        let is_shown = self.login.as_ref().is_some_and(|login| login.mechanism == Mechanism::Plain);
        let is_loopback = host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        is_shown && self.tls.is_none() && !is_loopback
    }
}

/// The cluster, the topic, and the form where it is not the usual one.
impl fmt::Display for KafkaTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let brokers: Vec<String> = self.brokers.iter().map(|(host, port)| shown(host, *port)).collect();
        let scheme = if self.tls.is_some() { SECURE } else { PLAIN };
        write!(f, "{scheme}{}/{}", brokers.join(","), self.topic)?;
        if self.form == Form::default() { Ok(()) } else { write!(f, " as {}", self.form.name()) }
    }
}

type Place = (Vec<(String, u16)>, String, Option<TlsTarget>);

fn place(url: &str) -> Result<Place, &'static str> {
    let (scheme, rest) = url.split_once("://").ok_or("it has no scheme")?;
    let (is_tls, port) = match scheme.to_ascii_lowercase().as_str() {
        "kafka" => (false, PORT),
        "kafkas" => (true, PORT_TLS),
        _ => return Err("its scheme is none of those that are known here"),
    };
    let (brokers, topic) = rest.split_once('/').ok_or("it names no topic")?;
    if brokers.contains('@') {
        return Err("a user stands in it: name `user` and `password_file` in a map instead");
    }
    let brokers: Vec<(String, u16)> =
        brokers.split(',').map(|broker| authority(broker, port)).collect::<Result<_, _>>()?;
    if brokers.len() > BROKERS_MAX {
        return Err("it names more than 16 brokers: a few are enough to find the others");
    }
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if topic.is_empty()
        || topic.len() > TOPIC_MAX
        || !topic.bytes().all(is_part)
        || [".", ".."].contains(&topic)
    {
        return Err("its topic has to be 1 to 249 letters, digits, dots, underscores and hyphens");
    }
    let mut tls = None;
    for (host, port) in brokers.iter().rev().filter(|_| is_tls) {
        tls = Some(TlsTarget::new(host.clone(), *port)?);
    }
    Ok((brokers, topic.to_owned(), tls))
}

fn login(
    mechanism: Option<Mechanism>,
    user: Option<String>,
    password_file: Option<PathBuf>,
) -> Result<Option<Login>, KafkaTargetError> {
    let half = |given, missing| Err(KafkaTargetError::Half { given, missing });
    let (user, password_file) = match (user, password_file) {
        (Some(user), Some(password_file)) => (user, password_file),
        (Some(_), None) => return half("user", "password_file"),
        (None, Some(_)) => return half("password_file", "user"),
        (None, None) if mechanism.is_some() => return half("mechanism", "user"),
        (None, None) => return Ok(None),
    };
    if user.is_empty() || user.len() > USER_MAX || user.contains(char::is_control) {
        return Err(KafkaTargetError::User);
    }
    Ok(Some(Login { mechanism: mechanism.unwrap_or_default(), user, password_file }))
}

/// The word as it may be repeated: who writes a password into it shall not find it in a log.
fn told(url: &str) -> String {
    match url.rsplit_once('@') {
        Some((_, place)) => format!("…@{place}"),
        None => url.to_owned(),
    }
}
