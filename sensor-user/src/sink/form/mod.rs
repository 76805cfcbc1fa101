//! What a message looks like at a receiver: made of the document that is kept, so that what is sent again is the same to the
//! byte, and what is kept does not grow.

mod falco;

use std::borrow::Cow;

use crate::outbox::Envelope;

/// What a message looks like at a receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// The document itself, in the terms of the Elastic Common Schema.
    #[default]
    Ecs,
    /// What Falco sends by HTTP.
    Falco,
}

impl Form {
    /// The message in this form, one line, at most `room` bytes.
    #[must_use]
    pub fn render(self, envelope: &Envelope, room: usize) -> Cow<'_, str> {
        match self {
            Self::Ecs if envelope.document.len() <= room => Cow::Borrowed(&envelope.document),
            Self::Ecs => Cow::Borrowed(envelope.body()),
            Self::Falco => Cow::Owned(falco::render(envelope, room)),
        }
    }

    /// In the configuration and in names.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ecs => "ecs",
            Self::Falco => "falco",
        }
    }
}
