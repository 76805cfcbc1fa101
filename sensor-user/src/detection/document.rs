//! Where detections come from: the folders of `rules/` in the binary, or a user's files.
//!
//! It only gathers text; it does not judge what the text says.

use std::ffi::OsStr;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use sigma::Source;

use super::{Problem, Strategy};
use crate::packed;

/// What the names of the binary's own documents begin with.
pub(super) const EMBEDDED: &str = "built-in:";

/// The rule of a detection's folder.
pub(super) const RULE: &str = "rule.yml";
/// The strategy of a detection's folder.
const STRATEGY: &str = "ads.md";

/// Largest document read, bytes. The largest public Sigma rule has some 20 KiB; more than this is
/// a mistaken path, and reading it would only waste memory.
pub(super) const DOCUMENT_MAX: u64 = 1 << 20;

/// Deepest folder searched: twice what public rule collections nest. Ends circles of links.
pub(crate) const DEPTH_MAX: usize = 16;

/// What the emulations of all detections share.
const SHARED: &str = "emulation.sh";

/// What proves a built-in detection: the texts of its scripts.
#[derive(Clone, Copy, Debug)]
pub struct Emulation {
    /// The detection's folder.
    pub name: &'static str,
    /// Does the technique.
    pub emulate: &'static str,
    /// Does the look-alike.
    pub benign: &'static str,
}

impl Emulation {
    /// The built-in ones, by name.
    #[must_use]
    pub fn built_in() -> Vec<Self> {
        let proofs = packed::proofs();
        let emulations = proofs.folders("emulate.sh").filter_map(|(name, emulate)| {
            Some(Self { name, emulate, benign: proofs.get(&format!("{name}/benign.sh"))? })
        });
        emulations.collect()
    }

    /// The name and text of what they all read.
    #[must_use]
    pub fn shared() -> (&'static str, &'static str) {
        (SHARED, packed::proofs().get(SHARED).unwrap_or_default())
    }
}

/// A rule with what lies beside it.
#[derive(Clone, Debug)]
pub(super) struct Document {
    /// Folder of the detection (`curl_download`), or the path of a rule that stands alone.
    pub(super) name: String,
    pub(super) rule: Source,
    pub(super) strategy: Option<Strategy>,
}

/// The binary's own, by name.
pub(super) fn built_in() -> Vec<Document> {
    let rules = packed::rules();
    let documents = rules.folders(RULE).map(|(name, rule)| Document {
        name: name.to_owned(),
        rule: Source::new(format!("{EMBEDDED}{name}"), rule),
        strategy: rules.get(&format!("{name}/{STRATEGY}")).map(Strategy::new),
    });
    documents.collect()
}

/// The rules at a path: one file, or all below a folder, by path.
pub(super) fn read(path: &Path) -> Result<Vec<Document>, Problem> {
    let about = fs::metadata(path).map_err(|reason| unreadable(path, reason))?;
    let mut documents = Vec::new();
    if about.is_dir() {
        search(path, DEPTH_MAX, &mut documents)?;
        if documents.is_empty() {
            return Err(Problem::NoRule { path: path.to_owned() });
        }
    } else {
        documents.push(read_rule(path)?);
    }
    Ok(documents)
}

fn search(folder: &Path, depth: usize, found: &mut Vec<Document>) -> Result<(), Problem> {
    if depth == 0 {
        return Err(Problem::TooDeep { path: folder.to_owned(), limit: DEPTH_MAX });
    }
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut paths: Vec<_> =
        entries.map_err(|reason| unreadable(folder, reason))?.iter().map(fs::DirEntry::path).collect();
    paths.sort();
    for path in paths.into_iter().filter(|path| path.file_name().is_some_and(|name| !is_hidden(name))) {
        if path.is_dir() {
            search(&path, depth - 1, found)?;
        } else if matches!(path.extension().and_then(OsStr::to_str), Some("yml" | "yaml")) {
            found.push(read_rule(&path)?);
        }
    }
    Ok(())
}

/// Not the user's to read: what editors keep beside a file while it is open (`.#rule.yml`), what version control
/// keeps (`.git`), and where Kubernetes keeps the generations of a ConfigMap (`..data`), whose files stand
/// beside it as links.
pub(crate) fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

fn read_rule(path: &Path) -> Result<Document, Problem> {
    let rule = Source::new(path.display().to_string(), read_text(path)?);
    let alone = || path.display().to_string();
    if path.file_name() != Some(OsStr::new(RULE)) {
        return Ok(Document { name: alone(), rule, strategy: None });
    }
    let folder = path.parent().and_then(Path::file_name);
    let beside = path.with_file_name(STRATEGY);
    let strategy = if beside.exists() { Some(Strategy::new(&read_text(&beside)?)) } else { None };
    Ok(Document { name: folder.map_or_else(alone, |name| name.display().to_string()), rule, strategy })
}

pub(super) fn read_text(path: &Path) -> Result<String, Problem> {
    let refuse = |reason| unreadable(path, reason);
    let file = fs::File::open(path).map_err(refuse)?;
    let size = file.metadata().map_err(refuse)?.len();
    if size > DOCUMENT_MAX {
        return Err(Problem::TooLarge { path: path.to_owned(), size, limit: DOCUMENT_MAX });
    }
    let mut text = String::new();
    // A pipe or a device states no size; what is cut there is refused as YAML.
    file.take(DOCUMENT_MAX).read_to_string(&mut text).map_err(refuse)?;
    Ok(text)
}

fn unreadable(path: &Path, reason: std::io::Error) -> Problem {
    Problem::Unreadable { path: path.to_owned(), reason }
}
