//! Files change as editors, deployments and Kubernetes change them, and one reading comes of it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;

use super::*;
use crate::alert::RuleNames;
use crate::config::AllowFiles;

/// Far more than a reading takes, on a machine that also compiles.
const LONG: Duration = Duration::from_secs(30);

fn rule(title: &str) -> String {
    format!(
        "title: {title}\nstatus: test\nlevel: low\nlogsource:\n  product: linux\n  category: process_creation\n\
         detection:\n  a:\n    Image: /bin/{title}\n  condition: a\n"
    )
}

/// SIGHUP reaches every reader of this process: they come one after the other.
static ALONE: Mutex<()> = Mutex::const_new(());

/// A folder of rules and who reads it.
struct Fixture {
    _alone: MutexGuard<'static, ()>,
    directory: TempDir,
    reader: Reader,
}

impl Fixture {
    /// `lay`: what is there at the start; `path`: what the configuration names.
    async fn start(lay: impl Fn(&Path), path: &str) -> Self {
        let alone = ALONE.lock().await;
        let directory = tempfile::tempdir().unwrap();
        lay(directory.path());
        let paths = vec![directory.path().join(path)];
        let files = RuleFiles { paths, ..RuleFiles::default() };
        let rules = files.read().unwrap();
        let reader = Reader::start(files, &rules).unwrap();
        Self { _alone: alone, directory, reader }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// What came of a reading.
    async fn news(&mut self) -> News {
        loop {
            match timeout(LONG, self.reader.news()).await.expect("something is told") {
                News::Asked => {}
                news @ (News::Unchanged | News::Loaded(_) | News::Refused(_)) => return news,
            }
        }
    }

    /// `+added -removed ~changed`, by title.
    async fn change(&mut self) -> String {
        match self.news().await {
            News::Loaded(fresh) => {
                let RuleChange { added, removed, changed, .. } = &fresh.change;
                let of = |sign: &'static str, names: &RuleNames| {
                    let mut titles: Vec<_> =
                        names.first.iter().map(|name| format!("{sign}{}", name.title)).collect();
                    titles.sort();
                    titles
                };
                [of("+", added), of("-", removed), of("~", changed)].concat().join(" ")
            }
            News::Refused(refusal) => format!("{} mistakes", refusal.mistakes),
            News::Asked | News::Unchanged => "nothing".to_owned(),
        }
    }

    async fn refusal(&mut self) -> RuleRefusal {
        match self.news().await {
            News::Loaded(fresh) => panic!("loaded: {:?}", fresh.change),
            News::Refused(refusal) => refusal,
            News::Asked | News::Unchanged => panic!("nothing was refused"),
        }
    }
}

fn folder(root: &Path) {
    fs::create_dir(root.join("rules")).unwrap();
    fs::write(root.join("rules/first.yml"), rule("first")).unwrap();
}

#[tokio::test]
async fn files_that_come_change_and_go_are_read_once_they_are_quiet() {
    let mut fixture = Fixture::start(folder, "rules").await;
    fixture.write("rules/second.yml", &rule("second"));
    assert_eq!(fixture.change().await, "+second");
    // As editors save: beside it, then over it.
    fixture.write("rules/.second.yml.swp", "half a rule");
    fixture.write("rules/second.yml~", &rule("second").replace("low", "high"));
    fs::rename(fixture.path("rules/second.yml~"), fixture.path("rules/second.yml")).unwrap();
    assert_eq!(fixture.change().await, "~second");
    // A folder that comes whole, and one that is filled after it was made.
    fs::create_dir_all(fixture.path("new/deep")).unwrap();
    fixture.write("new/deep/third.yml", &rule("third"));
    fs::rename(fixture.path("new"), fixture.path("rules/new")).unwrap();
    assert_eq!(fixture.change().await, "+third");
    fixture.write("rules/new/deep/fourth.yml", &rule("fourth"));
    assert_eq!(fixture.change().await, "+fourth");
    fs::remove_dir_all(fixture.path("rules/new")).unwrap();
    assert_eq!(fixture.change().await, "-fourth -third");
}

#[tokio::test]
async fn a_burst_is_one_reading_and_what_says_the_same_is_none() {
    let mut fixture = Fixture::start(folder, "rules").await;
    for number in 0..50 {
        fixture.write(&format!("rules/{number}.yml"), &rule(&format!("r{number}")));
    }
    let News::Loaded(fresh) = fixture.news().await else { panic!("refused") };
    assert_eq!((fresh.rules.set.rules().len(), fresh.change.added.count), (51, 50));
    // Touched: nothing is told, so the next to come answers who asks after that.
    fixture.write("rules/0.yml", &rule("r0"));
    kill_process(getpid(), Signal::HUP).unwrap();
    let asked = timeout(LONG, fixture.reader.news()).await.unwrap();
    assert!(matches!(asked, News::Asked), "{asked:?}");
    assert_eq!(fixture.change().await, "nothing");
    fixture.write("rules/last.yml", &rule("last"));
    assert_eq!(fixture.change().await, "+last");
}

#[tokio::test]
async fn a_mistake_is_told_with_its_place_and_mending_it_is_told_too() {
    let mut fixture = Fixture::start(folder, "rules").await;
    fixture.write("rules/first.yml", &rule("first").replace("low", "lwo"));
    let refusal = fixture.refusal().await;
    assert_eq!(refusal.mistakes, 1);
    let place = refusal.first[0].place.as_ref().unwrap();
    assert_eq!((Path::new(&place.file), place.line), (&*fixture.path("rules/first.yml"), 3));
    assert!(refusal.first[0].message.contains("lwo"), "{refusal:?}");
    fixture.write("rules/first.yml", &rule("first"));
    assert_eq!(fixture.change().await, "", "as it was");
    fs::rename(fixture.path("rules"), fixture.path("away")).unwrap();
    assert!(fixture.refusal().await.first[0].message.contains("cannot be read"));
    fs::rename(fixture.path("away"), fixture.path("rules")).unwrap();
    assert_eq!(fixture.change().await, "");
}

/// Kubernetes writes a new generation and swaps one link.
#[tokio::test]
async fn a_config_map_is_swapped() {
    let generation = |root: &Path, name: &str, title: &str| {
        fs::create_dir_all(root.join("map").join(name)).unwrap();
        fs::write(root.join("map").join(name).join("rule.yml"), rule(title)).unwrap();
    };
    let lay = |root: &Path| {
        generation(root, "..2026_1", "first");
        symlink("..2026_1", root.join("map/..data")).unwrap();
        symlink("..data/rule.yml", root.join("map/rule.yml")).unwrap();
    };
    for path in ["map", "map/rule.yml"] {
        let mut fixture = Fixture::start(lay, path).await;
        generation(fixture.directory.path(), "..2026_2", "second");
        symlink("..2026_2", fixture.path("map/..data_tmp")).unwrap();
        fs::rename(fixture.path("map/..data_tmp"), fixture.path("map/..data")).unwrap();
        fs::remove_dir_all(fixture.path("map/..2026_1")).unwrap();
        assert_eq!(fixture.change().await, "+second -first", "{path}");
    }
}

#[tokio::test]
async fn where_nothing_is_watched_sighup_is_left() {
    let _alone = ALONE.lock().await;
    let directory = tempfile::tempdir().unwrap();
    folder(directory.path());
    let files = RuleFiles { paths: vec![directory.path().join("rules")], ..RuleFiles::default() };
    let rules = files.read().unwrap();
    let mut reader = Reader::start_with(files, &rules, None).unwrap();
    fs::write(directory.path().join("rules/second.yml"), rule("second")).unwrap();
    kill_process(getpid(), Signal::HUP).unwrap();
    let mut news = async || timeout(LONG, reader.news()).await.expect("something is told");
    let News::Asked = news().await else { panic!("nobody asked") };
    let News::Loaded(fresh) = news().await else { panic!("refused") };
    assert_eq!(fresh.change.added.count, 1);
}

#[test]
fn a_reading_waits_for_quiet_but_not_for_ever() {
    let start = Instant::now();
    let mut due = Due::default();
    let mut now = start;
    due.note(now);
    assert_eq!(due.at, Some(start + QUIET));
    while due.at.is_some_and(|at| at > now) {
        now += QUIET / 2;
        due.note(now);
    }
    assert_eq!(due.at, Some(start + RESTLESS));
    let mut due = Due::default();
    due.note(start);
    due.ask(start);
    due.note(start);
    assert_eq!(due.at, Some(start), "who asks does not wait");
}

/// What the allow-list of a file says counts with the next reading, and a mistake in it changes nothing.
#[tokio::test]
async fn a_changed_allow_list_changes_the_rules_that_ask_for_it() {
    let alone = ALONE.lock().await;
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let asks = rule("asks").replace("Image: /bin/asks", "ContainerImage|expand: '%AllowedImages%'");
    fs::write(at("asks.yml"), asks).unwrap();
    fs::write(at("other.yml"), rule("other")).unwrap();
    fs::write(at("allow.yaml"), "AllowedImages: [a]\n").unwrap();
    let allow = AllowFiles { paths: vec![at("allow.yaml")], ..AllowFiles::default() };
    let files = RuleFiles { paths: vec![at("asks.yml"), at("other.yml")], allow, ..RuleFiles::default() };
    let rules = files.read().unwrap();
    let reader = Reader::start(files, &rules).unwrap();
    let mut fixture = Fixture { _alone: alone, directory, reader };
    fixture.write("allow.yaml", "AllowedImages: [b]\n");
    assert_eq!(fixture.change().await, "~asks");
    fixture.write("allow.yaml", "AllowedImage: [b]\n");
    let News::Refused(refusal) = fixture.news().await else { panic!("a mistake is refused") };
    let place = refusal.first[0].place.as_ref().unwrap();
    assert!(place.file.ends_with("allow.yaml") && place.line == 1, "{place:?}");
    assert!(refusal.first[0].message.contains("did you mean `AllowedImages`?"), "{refusal:?}");
    fixture.write("allow.yaml", "AllowedImages: []\n");
    assert_eq!(fixture.change().await, "~asks");
}
