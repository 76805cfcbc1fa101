//! Every built-in detection: its events match it, its look-alikes do not, and its folder is whole.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sensor_user::config::Config;
use sensor_user::detection::{Catalogue, Detections};
use sensor_user::event::field::Fields;
use sensor_user::event::recorded::Recorded;
use sigma::{Correlator, Engine, Joined, Level, Matches, Record as _, Rule, RuleIndex, RuleSet};

/// The custom key of a rule that names other detections of medium or graver that its events match too.
const OVERLAPS: &str = "overlaps";

/// What the folder of a detection holds, and nothing else: all of it is in the binary.
const FILES: [&str; 6] =
    ["ads.md", "benign.sh", "emulate.sh", "events/match.jsonl", "events/miss.jsonl", "rule.yml"];

/// Nanoseconds between events of a history that do not say when they happened, as `rules test` has it.
const STEP: u64 = 1_000_000;

/// The built-in detections with the engine that runs them.
pub(crate) struct Catalogued {
    engine: Engine,
    detections: Detections,
    found: Matches,
}

impl Catalogued {
    pub(crate) fn built_in() -> Self {
        let catalogue = Catalogue::built_in();
        let lists = Config::default().placeholders().expect("the default allow-lists are sound");
        let rules = RuleSet::load(catalogue.sources(), &Fields, &lists).unwrap_or_else(|diagnostics| {
            let told: Vec<_> = diagnostics.iter().map(|diagnostic| diagnostic.render(false)).collect();
            panic!("{}", told.join("\n"))
        });
        let detections = catalogue.bind(rules.rules()).unwrap_or_else(|problems| panic!("{problems:#?}"));
        Self { engine: Engine::new(rules), detections, found: Matches::default() }
    }

    /// Names of the detections that an event by itself leads to.
    pub(crate) fn names(&mut self, event: &Recorded, line: &str) -> BTreeSet<String> {
        let history = [(event.clone(), line.to_owned())];
        self.come_true(&history).into_iter().map(|index| self.name(index)).collect()
    }

    /// The reporting rules that match any of these events, or that these events together make come true.
    fn come_true(&mut self, history: &[(Recorded, String)]) -> BTreeSet<RuleIndex> {
        let mut correlator: Correlator<()> = Correlator::default();
        let mut joined = Joined::default();
        let mut told = BTreeSet::new();
        let mut now = 0;
        for (place, (event, line)) in history.iter().enumerate() {
            let event = event.clone().timed(if place == 0 { 0 } else { now + STEP });
            assert!(event.time() >= now, "this happened before the line above: {line}");
            now = event.time();
            self.engine.evaluate(&event, &mut self.found);
            assert!(self.found.pending.is_empty(), "nothing is pending in a recording: {line}");
            told.extend(&self.found.matched);
            correlator.feed(self.engine.set(), &event, &self.found.matched, None, &(), &mut joined);
        }
        // What waits for its window to end is decided: no more events come.
        correlator.due(self.engine.set(), u64::MAX, &mut joined);
        told.extend(joined.correlated.iter().map(|correlated| correlated.rule));
        told.retain(|index| self.rule(*index).reports);
        told
    }

    fn rule(&self, index: RuleIndex) -> &Rule {
        self.engine.rule(index).expect("the index is the engine's own")
    }

    fn name(&self, index: RuleIndex) -> String {
        self.detections.get(index, true).expect("each rule has a detection").name
    }

    /// The rules of a folder.
    fn of(&self, name: &str) -> Vec<RuleIndex> {
        let source = format!("built-in:{name}");
        let all = (0..).map(RuleIndex).zip(self.engine.rules());
        all.filter(|(_, rule)| rule.source == source).map(|(index, _)| index).collect()
    }

    /// The one rule of a folder that makes alerts.
    fn reporting(&self, name: &str) -> &Rule {
        let rules: Vec<_> =
            self.of(name).into_iter().map(|index| self.rule(index)).filter(|rule| rule.reports).collect();
        let titles: Vec<_> = rules.iter().map(|rule| &rule.title).collect();
        assert_eq!(rules.len(), 1, "{name}/rule.yml: one rule makes alerts, not {titles:?}");
        rules[0]
    }

    /// Events that are held against a folder's rules together: all of a file for a correlation, else each line.
    fn histories(&self, name: &str, folder: &Path, file: &str) -> Vec<Vec<(Recorded, String)>> {
        let events = events(folder, file);
        if self.of(name).into_iter().any(|index| self.rule(index).correlation.is_some()) {
            vec![events]
        } else {
            events.into_iter().map(|event| vec![event]).collect()
        }
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
fn events(folder: &Path, file: &str) -> Vec<(Recorded, String)> {
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

/// The names in the custom key `overlaps`.
fn overlaps(rule: &Rule) -> BTreeSet<String> {
    let Some(value) = rule.custom.get(OVERLAPS) else { return BTreeSet::new() };
    let names = value.as_array().unwrap_or_else(|| panic!("{}: {OVERLAPS} is a list", rule.source));
    let name = |name: &serde_json::Value| name.as_str().expect("a name is text").to_owned();
    names.iter().map(name).collect()
}

#[test]
fn every_folder_is_embedded() {
    let catalogued = Catalogued::built_in();
    let embedded: BTreeSet<_> = catalogued.detections.iter().map(|(found, _)| found.name.clone()).collect();
    let on_disk: BTreeSet<_> = folders().into_iter().map(|(name, _)| name).collect();
    assert_eq!(embedded, on_disk);
    for name in &on_disk {
        catalogued.reporting(name);
    }
}

#[test]
fn every_folder_has_all_its_files_and_no_more() {
    let names = |folder: &Path, before: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("it can be read").file_name();
        entries.map(|entry| format!("{before}{}", name(entry).display())).collect()
    };
    for (name, folder) in folders() {
        let mut found = names(&folder, "");
        assert!(found.remove("events"), "{name}: no events/");
        found.extend(names(&folder.join("events"), "events/"));
        assert_eq!(found, FILES.map(str::to_owned).into(), "{name}: found on the left, wanted on the right");
    }
}

/// What is told beside them is informational or low, or named in the rule's `overlaps`.
#[test]
fn recorded_events_match_their_detection_and_no_other() {
    let mut catalogued = Catalogued::built_in();
    for (name, folder) in folders() {
        let overlaps = overlaps(catalogued.reporting(&name));
        for history in catalogued.histories(&name, &folder, "match.jsonl") {
            let told = catalogued.come_true(&history);
            let lines = history.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>().join("\n");
            let is_own = |index: &RuleIndex| catalogued.name(*index) == name;
            assert!(told.iter().any(is_own), "{name} is not told of\n{lines}");
            for index in told.iter().filter(|index| !is_own(index)) {
                let other = catalogued.name(*index);
                let level = catalogued.rule(*index).level;
                assert!(
                    level < Level::Medium || overlaps.contains(&other),
                    "{other}, {level}, is told as well and not named in `{OVERLAPS}` of {name}:\n{lines}"
                );
            }
        }
    }
}

#[test]
fn overlaps_name_other_detections() {
    let catalogued = Catalogued::built_in();
    let names: BTreeSet<_> = folders().into_iter().map(|(name, _)| name).collect();
    for name in &names {
        for other in overlaps(catalogued.reporting(name)) {
            assert!(
                names.contains(&other) && other != *name,
                "{name}/rule.yml: {OVERLAPS}: no other `{other}`"
            );
        }
    }
}

#[test]
fn look_alikes_do_not_match() {
    let mut catalogued = Catalogued::built_in();
    for (name, folder) in folders() {
        for history in catalogued.histories(&name, &folder, "miss.jsonl") {
            let told = catalogued.come_true(&history);
            let lines = history.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>().join("\n");
            assert!(!told.iter().any(|index| catalogued.name(*index) == name), "{name} matches\n{lines}");
        }
    }
}

#[test]
fn ids_and_titles_are_given_once() {
    let catalogued = Catalogued::built_in();
    let mut seen = BTreeSet::new();
    for (rule, (detection, host)) in catalogued.engine.rules().iter().zip(catalogued.detections.iter()) {
        assert!(seen.insert(detection.id.clone()), "{}: the id {} is taken", detection.name, detection.id);
        assert!(seen.insert(detection.title.clone()), "{}: the title is taken", detection.name);
        if !rule.reports {
            continue;
        }
        assert!(host <= detection.level, "{}: graver on the host than in a container", detection.name);
        assert!(!detection.techniques.is_empty(), "{}: no technique", detection.name);
        assert!(!detection.tactics.is_empty(), "{}: no tactic", detection.name);
        assert!(!detection.false_positives.is_empty(), "{}: no false positives", detection.name);
    }
}
