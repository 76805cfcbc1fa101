//! The host program of the benchmarks: it has every field, and every log source by itself.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use sigma::{FieldId, LogSource, LogSourceId, Placeholders, RuleSet, Source, Taxonomy};

use super::event::Exec;

/// Numbers fields and log sources in the order in which it hears of them.
#[derive(Default)]
pub struct Host {
    fields: RefCell<HashMap<String, FieldId>>,
    sources: RefCell<HashMap<[Option<String>; 3], LogSourceId>>,
    unrouted: bool,
}

impl Taxonomy for Host {
    fn field(&self, name: &str) -> Option<FieldId> {
        let mut known = self.fields.borrow_mut();
        let next = FieldId(u16::try_from(known.len()).unwrap());
        Some(*known.entry(name.to_owned()).or_insert(next))
    }

    fn field_names(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn supports(&self, source: &LogSource) -> Option<LogSourceId> {
        if self.unrouted {
            return Some(LogSourceId(0));
        }
        let LogSource { category, product, service, .. } = source.clone();
        let mut known = self.sources.borrow_mut();
        let next = LogSourceId(u16::try_from(known.len()).unwrap());
        Some(*known.entry([category, product, service]).or_insert(next))
    }
}

impl Host {
    /// One to which all log sources are the same: no rule is spared a record.
    pub fn unrouted() -> Self {
        Self { unrouted: true, ..Self::default() }
    }

    /// A record of a started program.
    pub fn exec(&self, values: &[(&str, Vec<String>)]) -> Exec {
        let processes = LogSource {
            category: Some("process_creation".to_owned()),
            product: Some("linux".to_owned()),
            ..LogSource::default()
        };
        let mut fields = Vec::new();
        for (name, values) in values {
            let at = usize::from(self.field(name).unwrap().0);
            fields.resize(fields.len().max(at + 1), Vec::new());
            fields[at] = values.iter().map(|value| value.clone().into_boxed_str()).collect();
        }
        Exec { source: self.supports(&processes).unwrap(), fields }
    }

    /// A set of all the sources that load by themselves.
    pub fn load(&self, sources: &[Source]) -> RuleSet {
        let sound: Vec<Source> = sources
            .iter()
            .filter(|source| RuleSet::load([(*source).clone()], self, &Placeholders::default()).is_ok())
            .cloned()
            .collect();
        RuleSet::load(sound, self, &Placeholders::default())
            .unwrap_or_else(|told| panic!("{:?}", told.first()))
    }
}

/// The public rules, if `SIGMA_RULES` names their folder.
pub fn public_rules() -> Option<Vec<Source>> {
    let Some(folder) = std::env::var_os("SIGMA_RULES").map(PathBuf::from).filter(|folder| folder.is_dir())
    else {
        println!("skipped: set SIGMA_RULES to a folder with the public rules");
        return None;
    };
    let mut files = Vec::new();
    collect(&folder, &mut files);
    files.sort();
    let source =
        |path: &PathBuf| Source::new(path.display().to_string(), std::fs::read_to_string(path).unwrap());
    Some(files.iter().map(source).collect())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "yml") {
            files.push(path);
        }
    }
}

/// Those for program starts on Linux.
pub fn linux_process_rules(sources: &[Source]) -> Vec<Source> {
    let has = |source: &Source, line: &str| source.text.lines().any(|found| found.trim() == line);
    let linux = |source: &&Source| has(source, "product: linux") && has(source, "category: process_creation");
    sources.iter().filter(linux).cloned().collect()
}
