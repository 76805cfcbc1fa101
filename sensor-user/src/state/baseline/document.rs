//! A baseline as text: JSON, sorted, one fact a line. Read strictly, since people edit it.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

use super::{Baseline, DESTINATIONS_MAX, EXECUTABLES_MAX, IMAGES_MAX};

/// Why a text is no baseline, with the place where that is known; 1 is the first line and column.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Malformed {
    pub line: u64,
    pub column: u64,
    pub reason: String,
}

impl Baseline {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// It is none, is of another version, or holds more than a baseline may.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let baseline: Self = serde_json::from_str(text).map_err(|error| {
            let told = error.to_string();
            let reason = told.split(" at line ").next().unwrap_or(&told).to_owned();
            Malformed { line: error.line().max(1) as u64, column: error.column().max(1) as u64, reason }
        })?;
        baseline.check().map_err(|(word, reason)| place(text, &word, reason))?;
        Ok(baseline)
    }

    /// What the types do not say: a word that stands where it is wrong, and the reason.
    fn check(&self) -> Result<(), (String, String)> {
        if self.version != Self::VERSION {
            let reason = format!(
                "this is a baseline of version {}, and this sensor reads version {}; learn it again",
                self.version,
                Self::VERSION
            );
            return Err(("tidewaiter_baseline".to_owned(), reason));
        }
        if self.images.len() > IMAGES_MAX {
            return Err(("images".to_owned(), format!("a baseline has at most {IMAGES_MAX} images")));
        }
        for (image, normal) in &self.images {
            if image.is_empty() || normal.executables.len() > EXECUTABLES_MAX {
                let reason = format!("an image has a name and at most {EXECUTABLES_MAX} executables");
                return Err((image.clone(), reason));
            }
            if normal.destinations.len() > DESTINATIONS_MAX {
                return Err((image.clone(), format!("an image has at most {DESTINATIONS_MAX} destinations")));
            }
            if let Some(path) = normal.executables.iter().find(|path| !path.starts_with('/')) {
                return Err((
                    path.clone(),
                    format!("`{path}` is no path; executables are whole ones, from `/`"),
                ));
            }
            if let Some(other) = normal.destinations.keys().find(|destination| !is_destination(destination)) {
                let reason =
                    format!("`{other}` is no destination; write host:port, such as db.internal:5432");
                return Err((other.clone(), reason));
            }
        }
        Ok(())
    }

    /// The text of a file.
    #[must_use]
    pub fn text(&self) -> String {
        // A map of texts and numbers can always be written.
        serde_json::to_string_pretty(self).map(|text| text + "\n").unwrap_or_default()
    }
}

fn is_destination(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let is_address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).is_some();
    !host.is_empty() && (is_address || !host.contains(':')) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// The first line that has the word.
fn place(text: &str, word: &str, reason: String) -> Malformed {
    let found = (1..).zip(text.lines()).find_map(|(line, written)| {
        let column = written.find(&format!("\"{word}\""))?;
        Some((line, column as u64 + 1))
    });
    let (line, column) = found.unwrap_or((1, 1));
    Malformed { line, column, reason }
}

/// A map in which no key stands twice: of two lists for one image, either could be meant.
pub(super) fn unique<'de, D: Deserializer<'de>, V: Deserialize<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, V>, D::Error> {
    struct Unique<V>(PhantomData<V>);
    impl<'de, V: Deserialize<'de>> Visitor<'de> for Unique<V> {
        type Value = BTreeMap<String, V>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            let mut map = BTreeMap::new();
            while let Some((key, value)) = entries.next_entry::<String, V>()? {
                if map.contains_key(&key) {
                    return Err(A::Error::custom(format!("`{key}` stands here twice")));
                }
                map.insert(key, value);
            }
            Ok(map)
        }
    }
    deserializer.deserialize_map(Unique(PhantomData))
}
