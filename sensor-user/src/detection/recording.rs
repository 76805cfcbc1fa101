//! The events that lie beside a rule: those it must match, and look-alikes that it must not.
//!
//! `events/match.jsonl` and `events/miss.jsonl` in the folder of a `rule.yml`. Only the text is brought; what an
//! event is, and whether a rule keeps what they promise, others say.

use std::path::Path;

use sigma::Source;

use super::document::{EMBEDDED, RULE, read_text};
use super::{Catalogue, Problem};
use crate::packed;

const FOLDER: &str = "events";
const MATCH: &str = "match.jsonl";
const MISS: &str = "miss.jsonl";

/// Both files of a rule; none where there is no such file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recordings {
    pub matching: Option<Source>,
    pub missing: Option<Source>,
}

impl Recordings {
    /// None that lie beside the rule.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.matching.is_none() && self.missing.is_none()
    }
}

impl Catalogue {
    /// The events beside the document of this name, read now.
    ///
    /// # Errors
    /// When a file is there that cannot be read.
    pub fn recordings(source: &str) -> Result<Recordings, Problem> {
        let (matching, missing) = match source.strip_prefix(EMBEDDED) {
            Some(name) => (embedded(name, MATCH), embedded(name, MISS)),
            None => (beside(source, MATCH)?, beside(source, MISS)?),
        };
        Ok(Recordings { matching, missing })
    }

    /// Whether the document of this name came with the binary.
    #[must_use]
    pub fn is_built_in(source: &str) -> bool {
        source.starts_with(EMBEDDED)
    }
}

fn embedded(name: &str, file: &str) -> Option<Source> {
    let text = packed::proofs().get(&format!("{name}/{FOLDER}/{file}"))?;
    Some(Source::new(format!("{EMBEDDED}{name}/{FOLDER}/{file}"), text))
}

fn beside(source: &str, file: &str) -> Result<Option<Source>, Problem> {
    let rule = Path::new(source);
    let path = rule.with_file_name(FOLDER).join(file);
    if rule.file_name().is_none_or(|name| name != RULE) || !path.exists() {
        return Ok(None);
    }
    Ok(Some(Source::new(path.display().to_string(), read_text(&path)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_folders_are_found_and_those_of_lone_files_are_not_guessed() {
        let embedded = Catalogue::recordings("built-in:curl_download").unwrap();
        assert!(embedded.matching.is_some_and(|source| source.text.contains("curl")));
        assert!(
            embedded
                .missing
                .is_some_and(|source| &*source.name == "built-in:curl_download/events/miss.jsonl")
        );
        assert!(Catalogue::recordings("built-in:nothing").unwrap().is_empty());

        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(FOLDER)).unwrap();
        std::fs::write(folder.path().join(FOLDER).join(MATCH), "{}").unwrap();
        let of = |file| Catalogue::recordings(folder.path().join(file).to_str().unwrap()).unwrap();
        assert!(of("rule.yml").matching.is_some() && of("rule.yml").missing.is_none());
        assert!(of("other.yml").is_empty());
    }
}
