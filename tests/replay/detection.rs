//! Every built-in detection: its events match it, its look-alikes do not, and its folder is whole.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use sensor_user::detection::{Catalogue, Detections};
use sensor_user::event::field::Fields;
use sensor_user::event::recorded::Recorded;
use sigma::{Engine, Matches, Placeholders, RuleSet};

/// The built-in detections with the engine that runs them.
pub(crate) struct Catalogued {
    engine: Engine,
    detections: Detections,
    found: Matches,
}

impl Catalogued {
    pub(crate) fn built_in() -> Self {
        let catalogue = Catalogue::built_in();
        let rules = RuleSet::load(catalogue.sources(), &Fields, &Placeholders::default()).unwrap_or_else(
            |diagnostics| {
                let told: Vec<_> = diagnostics.iter().map(|diagnostic| diagnostic.render(false)).collect();
                panic!("{}", told.join("\n"))
            },
        );
        let detections = catalogue.bind(rules.rules()).unwrap_or_else(|problems| panic!("{problems:#?}"));
        Self { engine: Engine::new(rules), detections, found: Matches::default() }
    }

    /// Names of the detections that an event leads to.
    pub(crate) fn names(&mut self, event: &Recorded, line: &str) -> BTreeSet<String> {
        self.engine.evaluate(event, &mut self.found);
        assert!(self.found.pending.is_empty(), "nothing is pending in a recording: {line}");
        let detection = |index| self.detections.get(index, true).expect("each rule has a detection");
        self.found.matched.iter().map(|index| detection(*index).name).collect()
    }
}

/// The folders under `rules/`, by name.
pub(crate) fn folders() -> Vec<(String, PathBuf)> {
    let rules = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../rules");
    let mut folders: Vec<_> = fs::read_dir(&rules)
        .expect("rules/ can be read")
        .map(|entry| entry.expect("rules/ can be read").path())
        .filter(|path| path.is_dir())
        .map(|path| (path.file_name().unwrap_or_default().display().to_string(), path))
        .collect();
    folders.sort();
    assert!(folders.len() > 10, "rules/ holds {} detections only", folders.len());
    folders
}

/// Each event with its line.
fn events(folder: &std::path::Path, file: &str) -> Vec<(Recorded, String)> {
    let path = folder.join("events").join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let read = |line: &str| match Recorded::parse(line) {
        Ok(event) => (event, line.to_owned()),
        Err(error) => panic!("{}: {error}", path.display()),
    };
    let events: Vec<_> = text.lines().map(read).collect();
    assert!(events.len() >= 2, "{} holds {} events; write at least two", path.display(), events.len());
    events
}

#[test]
fn every_folder_is_embedded() {
    let embedded: Vec<_> =
        Catalogued::built_in().detections.iter().map(|(found, _)| found.name.clone()).collect();
    let on_disk: Vec<_> = folders().into_iter().map(|(name, _)| name).collect();
    assert_eq!(embedded, on_disk);
}

#[test]
fn recorded_events_match_their_detection_and_no_other() {
    let mut catalogued = Catalogued::built_in();
    for (name, folder) in folders() {
        for (event, line) in events(&folder, "match.jsonl") {
            assert_eq!(catalogued.names(&event, &line), BTreeSet::from([name.clone()]), "{line}");
        }
    }
}

#[test]
fn look_alikes_do_not_match() {
    let mut catalogued = Catalogued::built_in();
    for (name, folder) in folders() {
        for (event, line) in events(&folder, "miss.jsonl") {
            assert!(!catalogued.names(&event, &line).contains(&name), "{name} matches {line}");
        }
    }
}

#[test]
fn ids_and_titles_are_given_once() {
    let catalogued = Catalogued::built_in();
    let mut seen = BTreeSet::new();
    for (detection, host) in catalogued.detections.iter() {
        assert!(seen.insert(detection.id.clone()), "{}: the id {} is taken", detection.name, detection.id);
        assert!(seen.insert(detection.title.clone()), "{}: the title is taken", detection.name);
        assert!(host <= detection.level, "{}: graver on the host than in a container", detection.name);
        assert!(!detection.techniques.is_empty(), "{}: no technique", detection.name);
        assert!(!detection.tactics.is_empty(), "{}: no tactic", detection.name);
        assert!(!detection.false_positives.is_empty(), "{}: no false positives", detection.name);
    }
}
