//! The public Linux endpoint rules: all of them load, and how fast they run.
//!
//! The rules are not part of this project. `SIGMA_RULES` names their folder; without one the
//! neighbour `shared/sigma-rules` of the workspace is tried, and if there is none either the test
//! says so.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{SOURCES, Sysmon, TestRecord};
use crate::{
    Diagnostic, Engine, FieldId, LogSource, LogSourceId, Matches, Placeholders, RuleSet, Source, Taxonomy,
};

/// Public rules that no host without placeholders of its own can read.
const PLACEHOLDER_RULES: usize = 25;

fn folder() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let named = std::env::var_os("SIGMA_RULES").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| workspace.join("../shared/sigma-rules"));
    if !folder.is_dir() {
        println!(
            "skipped: there is no folder {}; set SIGMA_RULES to one with public rules",
            folder.display()
        );
        return None;
    }
    Some(folder)
}

fn rule_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            rule_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yml") {
            found.push(path);
        }
    }
}

fn sources(folder: &Path) -> Vec<Source> {
    let mut files = Vec::new();
    rule_files(folder, &mut files);
    let source =
        |path: &PathBuf| Source::new(path.display().to_string(), std::fs::read_to_string(path).unwrap());
    files.iter().map(source).collect()
}

/// The text of a rule says which log source it is for; the engine's own reading is under test.
fn is_endpoint_rule(source: &Source) -> bool {
    let has = |line: &str| source.text.lines().any(|found| found.trim() == line);
    has("product: linux") && SOURCES.iter().any(|category| has(&format!("category: {category}")))
}

#[test]
fn every_public_linux_endpoint_rule_loads() {
    let Some(folder) = folder() else { return };
    let rules: Vec<_> = sources(&folder).into_iter().filter(is_endpoint_rule).collect();
    let refusals: Vec<String> = rules
        .iter()
        .filter_map(|source| RuleSet::load([source.clone()], &Sysmon, &Placeholders::default()).err())
        .flatten()
        .map(|diagnostic| diagnostic.to_string())
        .collect();
    println!("{} rules, {} refusals\n{}", rules.len(), refusals.len(), refusals.join("\n"));
    assert!(rules.len() >= 100, "this is not the public corpus");
    assert!(refusals.is_empty(), "{}", refusals.join("\n"));
    let set = RuleSet::load(rules.clone(), &Sysmon, &Placeholders::default()).unwrap();
    assert_eq!(set.rules().len(), rules.len());
}

/// A host that has every field and every log source: only the language itself is then refused.
#[derive(Default)]
struct Everything(RefCell<BTreeMap<String, FieldId>>);

impl Taxonomy for Everything {
    fn field(&self, name: &str) -> Option<FieldId> {
        let mut known = self.0.borrow_mut();
        let next = FieldId(u16::try_from(known.len()).unwrap());
        Some(*known.entry(name.to_owned()).or_insert(next))
    }

    fn field_names(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn supports(&self, _: &LogSource) -> Option<LogSourceId> {
        Some(LogSourceId(0))
    }
}

/// A value for every placeholder that the public rules name.
fn filled_in(sources: &[Source]) -> Placeholders {
    let names = sources.iter().flat_map(|source| source.text.lines()).filter(|line| line.contains('%'));
    let names = names.flat_map(|line| line.split('%').skip(1).step_by(2)).map(str::to_owned);
    names.map(|name| (name, vec!["10.1.2.3".to_owned(), "srv*".to_owned()])).collect()
}

/// Where a rule stands below the folder of all rules.
fn short<'a>(folder: &Path, diagnostic: &'a Diagnostic) -> &'a str {
    diagnostic.source.strip_prefix(&folder.display().to_string()).unwrap_or(&diagnostic.source)
}

/// Nothing in the public corpus, whatever it is for, stops the loader; the reasons are told.
#[test]
fn the_whole_public_corpus_is_read_or_refused_with_a_reason() {
    let Some(folder) = folder() else { return };
    let sources = sources(&folder);
    let all = sources.len();
    assert!(all >= 3_000, "this is not the public corpus");
    for (how, placeholders, least) in [
        ("without placeholders", Placeholders::default(), all - PLACEHOLDER_RULES),
        ("with placeholders", filled_in(&sources), all),
    ] {
        // All at once: a mistake in one source hides none in another.
        let refused = RuleSet::load(sources.clone(), &Everything::default(), &placeholders).err();
        let refused = refused.unwrap_or_default();
        let files: BTreeSet<&str> = refused.iter().map(|diagnostic| diagnostic.source.as_str()).collect();
        let loaded = all - files.len();
        let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for diagnostic in &refused {
            let reason = diagnostic.message.split('`').step_by(2).collect::<Vec<_>>().join("…");
            let place = format!("{}:{}: {}", short(&folder, diagnostic), diagnostic.line, diagnostic.message);
            reasons.entry(reason).or_default().push(place);
        }
        println!("{how}: {loaded} of {all} loaded");
        for (reason, places) in &reasons {
            println!("{:6} {reason}\n         {}", places.len(), places.join("\n         "));
        }
        assert!(loaded >= least, "{how}: {loaded} loaded, {least} did before");
    }
}

/// What this thread alone has used: a busy machine does not change it much.
fn cpu_seconds() -> f64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(used).unwrap().as_secs_f64()
}

/// `cargo test --release -p sensor-user corpus -- --ignored --nocapture` prints the figure.
#[test]
#[ignore = "a measurement: needs a release build"]
fn events_a_second_over_the_public_process_rules() {
    let Some(folder) = folder() else { return };
    let rules = sources(&folder).into_iter().filter(|source| {
        is_endpoint_rule(source)
            && source.text.lines().any(|line| line.trim() == "category: process_creation")
    });
    let mut engine = Engine::new(RuleSet::load(rules, &Sysmon, &Placeholders::default()).unwrap());
    let records: Vec<TestRecord> = [
        [
            "/usr/bin/curl",
            "curl -fsSL -o /tmp/setup.sh https://downloads.example.org/setup.sh",
            "/usr/bin/bash",
            "bash -c ./install",
        ],
        ["/usr/bin/ls", "ls -la --color=auto /var/lib/docker/overlay2", "/usr/bin/bash", "bash"],
        [
            "/usr/bin/python3.11",
            "python3 -m gunicorn app:wsgi --bind 0.0.0.0:8000 --workers 4",
            "/usr/bin/dumb-init",
            "dumb-init -- python3 -m gunicorn",
        ],
        [
            "/usr/bin/node",
            "node --max-old-space-size=512 /srv/app/dist/server.js",
            "/usr/sbin/tini",
            "tini -- docker-entrypoint.sh node",
        ],
        [
            "/usr/bin/sed",
            "sed -i s/listen 80/listen 8080/ /etc/nginx/conf.d/default.conf",
            "/bin/sh",
            "sh /docker-entrypoint.sh nginx -g daemon off;",
        ],
    ]
    .into_iter()
    .map(|[image, command, parent, parent_command]| {
        let fields = [
            format!("Image={image}"),
            format!("CommandLine={command}"),
            format!("ParentImage={parent}"),
            format!("ParentCommandLine={parent_command}"),
            "User=root".to_owned(),
            "CurrentDirectory=/srv/app".to_owned(),
        ];
        TestRecord::parse(fields.iter().map(String::as_str))
    })
    .collect();
    let mut found = Matches::default();
    let (mut events, mut matches) = (0_u32, 0);
    let (start, cpu_start) = (Instant::now(), cpu_seconds());
    while start.elapsed().as_secs() < 3 {
        for record in records.iter().cycle().take(5_000) {
            engine.evaluate(record, &mut found);
            matches += found.matched.len();
            events += 1;
        }
    }
    let (wall, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu_start);
    let (rate, cpu_rate) = (f64::from(events) / wall, f64::from(events) / cpu);
    println!(
        "{} rules: {cpu_rate:.0} events per second of CPU ({rate:.0} of wall time), {matches} matches in {events} events",
        engine.rules().len()
    );
    assert!(matches > 0);
}
