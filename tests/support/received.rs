//! What a receiver understood: a file of JSON, one line a message, made of the daemon's own parsed properties.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::schema::ensure_valid;
use crate::wait;

/// A message as a daemon parsed it.
#[derive(Clone, Debug)]
pub struct Received {
    /// Every parsed property under rsyslog's own name, whoever parsed it.
    pub properties: Value,
}

impl Received {
    /// A property as text; empty where there is none.
    #[must_use]
    pub fn text(&self, property: &str) -> &str {
        self.properties.get(property).and_then(Value::as_str).unwrap_or_default()
    }

    /// The message part read as JSON, where it is that.
    #[must_use]
    pub fn document(&self) -> Option<Value> {
        serde_json::from_str(self.text("msg")).ok()
    }

    /// `event.id` of that document; empty where there is none.
    #[must_use]
    pub fn event_id(&self) -> String {
        let id =
            self.document().and_then(|document| Some(document.get("event")?.get("id")?.as_str()?.to_owned()));
        id.unwrap_or_default()
    }

    /// The parameters of its one element of structured data, unescaped (RFC 5424 section 6.3), when that
    /// is the agent's. Daemons hand the element on as it came, so whatever an attacker could break out
    /// of it shows here.
    #[must_use]
    pub fn parameters(&self) -> Option<BTreeMap<String, String>> {
        let mut rest = self.text("structured-data").strip_prefix(ELEMENT)?;
        let mut parameters = BTreeMap::new();
        while let Some(parameter) = rest.strip_prefix(' ') {
            let (name, quoted) = parameter.split_once("=\"")?;
            let (value, after) = unquote(quoted)?;
            parameters.insert(name.to_owned(), value);
            rest = after;
        }
        (rest == "]").then_some(parameters)
    }
}

/// The start of the agent's element of structured data.
const ELEMENT: &str = "[tidewaiter@32473";

/// A value up to its closing quote, and what comes after that.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, text.get(at + 1..)?)),
            // Unescaped it would have to end the element.
            ']' => return None,
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

/// The file that a daemon appends to.
#[derive(Debug)]
pub struct Messages {
    path: PathBuf,
}

impl Messages {
    /// Makes it, or goes on with one that is there. What its daemon was killed in the middle of writing goes: half a
    /// message was not received.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn at(path: PathBuf) -> Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        file.set_len(u64::try_from(whole(&bytes))?)?;
        Ok(Self { path })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Everything so far, in order.
    ///
    /// # Errors
    /// The file cannot be read, or a whole line of it is not JSON.
    pub fn all(&self) -> Result<Vec<Received>> {
        self.from(0).map(|(messages, _)| messages)
    }

    /// The first message, past or to come, for which `wanted` holds.
    ///
    /// # Errors
    /// None within `timeout`; `what` names it.
    pub fn await_one(
        &self,
        timeout: Duration,
        what: &str,
        wanted: impl Fn(&Received) -> bool,
    ) -> Result<Received> {
        let mut offset = 0;
        let message = wait::until(timeout, what, || {
            let (messages, next) = self.from(offset)?;
            offset = next;
            Ok(messages.into_iter().find(|message| wanted(message)))
        })?;
        // Frames may have been cut: that is another document than the one on standard output.
        let document = message.document().filter(|document| document.get("kind").is_some());
        document.as_ref().map_or(Ok(()), ensure_valid)?;
        Ok(message)
    }

    /// Whole lines from a byte offset on, and the offset after the last of them.
    ///
    /// # Errors
    /// As for [`Messages::all`].
    pub fn from(&self, offset: u64) -> Result<(Vec<Received>, u64)> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = whole(&bytes);
        bytes.truncate(whole);
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let messages = lines.map(|line| {
            let properties = serde_json::from_slice(line)
                .with_context(|| format!("a receiver wrote {:?}", String::from_utf8_lossy(line)))?;
            Ok(Received { properties })
        });
        Ok((messages.collect::<Result<_>>()?, offset + u64::try_from(whole)?))
    }
}

/// Bytes up to the end of the last whole line.
fn whole(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1)
}
