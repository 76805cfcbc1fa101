//! The table of command lines in `tests/data/command_line.txt`: each leads to the detection it names.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use sensor_user::event::recorded::Recorded;
use serde_json::json;

use crate::detection::Catalogued;

const TABLE: &str = include_str!("../data/command_line.txt");

#[test]
fn each_command_line_leads_to_the_detection_it_names() {
    let mut catalogued = Catalogued::built_in();
    let mut wrong = Vec::new();
    let mut rows = 0;
    for (number, line) in
        TABLE.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
    {
        let (expected, event) = row(line).unwrap_or_else(|error| panic!("line {}: {error:#}", number + 1));
        let found = catalogued.names(&event, line);
        if found != expected {
            wrong.push(format!("line {}: {line}\n    found {found:?}", number + 1));
        }
        rows += 1;
    }
    assert!(rows >= 80, "only {rows} rows");
    assert!(wrong.is_empty(), "{} of {rows} rows are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn row(line: &str) -> Result<(BTreeSet<String>, Recorded)> {
    let (expected, command) = line.split_once('|').context("no `|`")?;
    let expected = expected.split_whitespace().filter(|name| *name != "-").map(str::to_owned).collect();
    let (images, command) = match command.trim().strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((images, command)) => (images.split_whitespace().map(str::to_owned).collect(), command),
        None => (Vec::new(), command),
    };
    let words = words(command)?;
    let first = words.first().context("no command")?;
    let images = if images.is_empty() { vec![format!("/usr/bin/{first}")] } else { images };
    let event = json!({
        "logsource": "process_creation",
        "Image": images,
        "Arguments": words,
        "CommandLine": words.join(" "),
    });
    Ok((expected, Recorded::parse(&event.to_string())?))
}

/// Words as a shell splits them, with quotes and nothing else of a shell.
fn words(command: &str) -> Result<Vec<String>> {
    let mut words = Vec::new();
    let mut word = None;
    let mut quote = None;
    for letter in command.chars() {
        match (letter, quote) {
            (_, Some(open)) if letter == open => quote = None,
            ('\'' | '"', None) => {
                quote = Some(letter);
                word.get_or_insert_with(String::new);
            }
            (_, None) if letter.is_whitespace() => words.extend(word.take()),
            (_, Some(_) | None) => word.get_or_insert_with(String::new).push(letter),
        }
    }
    ensure!(quote.is_none(), "a quote is not closed");
    words.extend(word);
    Ok(words)
}

#[test]
fn words_are_split_as_a_shell_does() {
    assert_eq!(words(r#" a  'b c' "d'e"f '' "#).unwrap(), ["a", "b c", "d'ef", ""]);
    assert!(words("a 'b").is_err());
}
