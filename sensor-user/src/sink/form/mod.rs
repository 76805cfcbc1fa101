//! What a message looks like at a receiver.
//!
//! Every message is kept as one ECS document. Whoever wants another form gets it made of that document where it leaves,
//! so that what is sent again is the same to the byte, and the outbox keeps each message once.

mod cef;
mod falco;
mod ocsf;
mod view;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde_json::Value;

use crate::outbox::Envelope;

/// The forms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// The document itself.
    #[default]
    Ecs,
    /// OCSF 1.5.0, JSON: <https://schema.ocsf.io/1.5.0/>.
    Ocsf,
    /// Common Event Format, version 0.
    Cef,
    /// What Falco sends by HTTP.
    Falco,
}

impl Form {
    /// The word of the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ecs => "ecs",
            Self::Ocsf => "ocsf",
            Self::Cef => "cef",
            Self::Falco => "falco",
        }
    }

    /// The message in this form: one line without its end, at most `room` bytes, cut as far as needed, which it says.
    ///
    /// From 4,000 bytes on every message fits in forms that are made here; of ECS documents there are two, the whole
    /// one and the one for a syslog frame, so that there must be room for the latter.
    #[must_use]
    pub fn render(self, envelope: &Envelope, room: usize) -> Cow<'_, str> {
        match self {
            Self::Ecs if envelope.document.len() <= room => Cow::Borrowed(&envelope.document),
            Self::Ecs => Cow::Borrowed(envelope.body()),
            Self::Ocsf => Cow::Owned(ocsf::render(&parsed(envelope), room)),
            Self::Cef => Cow::Owned(cef::render(&parsed(envelope), room)),
            Self::Falco => Cow::Owned(falco::render(envelope, room)),
        }
    }
}

/// The document. What was kept is one, but for a disk that invents: then the message is what stands beside it.
fn parsed(envelope: &Envelope) -> Value {
    serde_json::from_str(&envelope.document).ok().filter(Value::is_object).unwrap_or_else(|| {
        serde_json::json!({
            "@timestamp": format!("{:.6}", envelope.time),
            "kind": "damaged",
            "message": "what was kept of this message cannot be read",
            "event": { "id": envelope.id, "sequence": envelope.sequence, "severity": 0 },
        })
    })
}
