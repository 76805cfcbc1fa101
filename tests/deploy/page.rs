//! The pages for operators. What they tell people to write into files is read by the program that it is for; tests that they name
//! are there; and no link of any page leads nowhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::authority::Authority;

use crate::lab;

/// Keys that a configuration of the sensor may begin with; blocks that begin otherwise are for somebody else.
const OURS: [&str; 5] = ["syslog", "file", "webhook", "otlp", "kafka"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).unwrap()
}

/// The blocks of a page in one language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("\n```{language}\n");
    let starts = page.split(&fence).skip(1);
    starts.map(|rest| rest.split("\n```").next().unwrap().to_owned() + "\n").collect()
}

/// A block with everything it names in `directory`.
fn moved(block: &str, directory: &Path, folder: &str) -> String {
    let authority = Authority::make(directory).unwrap();
    let place = |path: &Path| path.display().to_string();
    block
        .replace(&format!("{folder}/ca.pem"), &place(&authority.ca))
        .replace(&format!("{folder}/host.pem"), &place(&authority.certificate))
        .replace(&format!("{folder}/host.key"), &place(&authority.key))
        .replace("/var/spool/rsyslog", &place(directory))
        .replace("/var/log/tidewaiter", &place(directory))
}

/// Runs what reads a configuration and says whether it is one; silence is part of that.
fn accepts(command: &mut Command, what: &str) {
    let output = command.output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    let is_quiet = !said.to_lowercase().contains("error") && !said.to_lowercase().contains("warning");
    assert!(output.status.success() && is_quiet, "{what}: {said}");
}

#[test]
fn rsyslog_reads_its_block() {
    let daemon = Path::new("/usr/sbin/rsyslogd");
    if !daemon.is_file() {
        println!("the page's configuration is not read: rsyslogd (cargo xtask setup) is not here");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let [block] = blocks(&page("connect.md"), "rsyslog").try_into().unwrap();
    let file = directory.path().join("rsyslog.conf");
    let check = || {
        let mut command = Command::new(daemon);
        command.arg("-N1").arg("-f").arg(&file);
        command
    };
    fs::write(&file, moved(&block, directory.path(), "/etc/rsyslog")).unwrap();
    accepts(&mut check(), "rsyslogd");
    fs::write(&file, moved(&block.replace("mmpstrucdata", "mmpnothing"), directory.path(), "/etc/rsyslog"))
        .unwrap();
    assert!(!check().output().unwrap().status.success(), "rsyslogd takes anything");
}

#[test]
fn syslog_ng_reads_its_block() {
    let root = lab().join("syslog-ng");
    let libraries = root.join("lib/x86_64-linux-gnu");
    let loader = libraries.join("ld-linux-x86-64.so.2");
    if !loader.is_file() {
        println!("the page's configuration is not read: the lab's syslog-ng (cargo xtask setup) is not here");
        return;
    }
    let folder = root.join("usr/lib/syslog-ng");
    let modules = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let modules = modules.into_iter().find(|path| path.is_dir()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let [block] = blocks(&page("connect.md"), "syslog-ng").try_into().unwrap();
    let file = directory.path().join("syslog-ng.conf");
    let version = modules.file_name().unwrap().to_str().unwrap();
    let check = || {
        let paths = [root.join("usr/lib/x86_64-linux-gnu"), libraries.clone(), folder.clone()];
        let mut command = Command::new(&loader);
        command.arg("--library-path").arg(std::env::join_paths(paths).unwrap());
        command.arg(root.join("usr/sbin/syslog-ng")).args(["--syntax-only", "--no-caps", "--module-path"]);
        command.arg(&modules).arg("--cfgfile").arg(&file);
        for (option, name) in [("--persist-file", "persist"), ("--control", "control"), ("--pidfile", "pid")]
        {
            command.arg(option).arg(directory.path().join(name));
        }
        command
    };
    let text = format!("@version: {version}\n{block}");
    fs::write(&file, moved(&text, directory.path(), "/etc/syslog-ng")).unwrap();
    accepts(&mut check(), "syslog-ng");
    fs::write(&file, moved(&text.replace("json-parser", "jsonparser"), directory.path(), "/etc/syslog-ng"))
        .unwrap();
    assert!(!check().output().unwrap().status.success(), "syslog-ng takes anything");
}

#[test]
fn the_sensor_reads_its_own_blocks() {
    let page = page("connect.md");
    let is_ours = |block: &&String| {
        let mut lines = block.lines().filter(|line| !line.starts_with('#'));
        let key = lines.next().and_then(|line| line.split(':').next()).unwrap();
        OURS.contains(&key)
    };
    let all = blocks(&page, "yaml");
    let ours: Vec<&String> = all.iter().filter(is_ours).collect();
    assert!(ours.len() >= 5, "{} blocks for the sensor", ours.len());
    for block in ours {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), block).unwrap();
        let read = sensor_user::config::Config::read(file.path());
        assert!(read.is_ok(), "{read:?}\n{block}");
    }
}

#[test]
fn the_worked_example_is_about_rules_and_lists_that_are_there() {
    let [filter, list] = blocks(&page("operate.md"), "yaml").try_into().unwrap();
    let line = filter.lines().find(|line| line.contains("rules:")).unwrap();
    let (ids, folders) = line.split_once('#').unwrap();
    let ids = ids.split_once('[').unwrap().1.split_once(']').unwrap().0.split(", ");
    for (id, folder) in ids.zip(folders.trim().split(", ")) {
        let rule = fs::read_to_string(root().join("rules").join(folder).join("rule.yml")).unwrap();
        assert!(rule.contains(&format!("\nid: {id}\n")), "{folder} has another id than {id}");
    }
    let name = list.lines().find(|line| !line.starts_with('#')).unwrap().split(':').next().unwrap();
    let lists = fs::read_to_string(root().join("deploy/allow.yaml")).unwrap();
    assert!(lists.contains(&format!("\n{name}:")), "no list {name}");
}

/// Files of a folder with one ending, and their texts.
fn texts(folder: &Path, ending: &str) -> Vec<(PathBuf, String)> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|found| found == ending));
    files.map(|path| (path.clone(), fs::read_to_string(&path).unwrap())).collect()
}

/// What stands between backticks in a text.
fn quoted(text: &str) -> Vec<&str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn tests_that_the_threat_model_names_are_there() {
    let sources: String = texts(&root().join("tests/live"), "rs").into_iter().map(|(_, text)| text).collect();
    let heavy = fs::read_to_string(root().join("tests/load/main.rs")).unwrap();
    let page = page("threat.md");
    let rows = page.lines().filter(|line| line.starts_with('|'));
    let mut named = 0;
    for row in rows {
        // The last column; what stands in others are words of configurations.
        let Some(shown_by) = row.trim_end_matches([' ', '|']).rsplit('|').next() else { continue };
        for name in quoted(shown_by) {
            if let Some(part) = name.strip_prefix("load -- ") {
                assert!(heavy.contains(&format!("(\"{part}")), "no load test {part}");
            } else if name.contains(": ") || name.ends_with(':') {
                assert!(sources.contains(&format!("\"{name}")), "no live test {name}");
            } else {
                continue;
            }
            named += 1;
        }
    }
    assert!(named > 20, "the page names {named} tests");
}

/// A heading's anchor, as sites that show Markdown make it.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn no_link_leads_nowhere() {
    let mut pages = texts(&root().join("docs"), "md");
    pages.extend(texts(&root(), "md"));
    let mut followed = 0;
    for (path, text) in &pages {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.starts_with("mailto:") || link.contains(' ') {
                continue;
            }
            let (file, part) = link.split_once('#').map_or((link, None), |(file, part)| (file, Some(part)));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let at = path.display();
            assert!(target.exists(), "{at} leads to {link}, which is not there");
            if let Some(part) = part {
                let text = fs::read_to_string(&target).unwrap();
                let mut headings = text.lines().filter(|line| line.starts_with('#'));
                assert!(headings.any(|line| anchor(line) == part), "{at} leads to {link}: no such heading");
            }
            followed += 1;
        }
    }
    assert!(followed > 100, "{followed} links");
}
