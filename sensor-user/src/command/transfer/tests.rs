//! Command lines, and what each asks to be moved.

mod curl;
mod fetch;
mod copy;
mod raw;
mod storage;

use super::*;

/// Words as a shell splits them; `'` groups.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut is_quoted = false;
    for letter in line.chars() {
        match letter {
            '\'' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            ' ' if !is_quoted => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

fn read(line: &str) -> Option<Transfer> {
    let words = words(line);
    let image = format!("/usr/bin/{}", words[0]);
    crate::command::understand(std::iter::once(image.as_str()), &words)?.transfer.clone()
}

/// Everything understood, as one line: `in curl http h:80 u@ > local (loopback)`.
fn told(line: &str) -> String {
    let Some(transfer) = read(line) else { return "nothing".to_owned() };
    let mut parts = vec![transfer.direction.map_or("none", Direction::name).to_owned()];
    parts.push(transfer.schemes.join(","));
    for remote in &transfer.remotes {
        let user = remote.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        let port = remote.port.map(|port| format!(":{port}")).unwrap_or_default();
        parts.push(format!("{user}{}{port}", remote.host.as_deref().unwrap_or("?")));
    }
    parts.extend(transfer.locals.iter().map(|local| format!(">{local}")));
    parts.extend((transfer.loopback() == Some(true)).then(|| "loopback".to_owned()));
    parts.extend(transfer.listens.then(|| "listens".to_owned()));
    parts.extend((transfer.role == Role::Server).then(|| "server".to_owned()));
    parts.retain(|part| !part.is_empty());
    parts.join(" ")
}

/// Lines, and what is understood of each.
fn check(cases: &[(&str, &str)]) {
    let wrong: Vec<String> = cases
        .iter()
        .map(|(line, expected)| (line, *expected, told(line)))
        .filter(|(_, expected, found)| expected != found)
        .map(|(line, expected, found)| format!("{line}\n    expected {expected}\n    found    {found}"))
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
