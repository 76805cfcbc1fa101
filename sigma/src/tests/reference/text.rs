//! Texts as the evaluator sees them: characters and wildcards, and what encodings make of them.

use super::FILLED;

/// A character, or a wildcard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Letter {
    Is(char),
    One,
    Any,
}

pub(super) fn lower(text: &str, cased: bool) -> Vec<char> {
    let one = |character: char| {
        let lower: Vec<char> = character.to_lowercase().collect();
        if lower.len() == 1 { lower[0] } else { character }
    };
    if cased { text.chars().collect() } else { text.chars().map(one).collect() }
}

/// Every text that a value may mean.
pub(super) fn meanings(text: &str, expand: bool) -> Vec<Vec<Letter>> {
    let mut characters = text.chars();
    let Some(first) = characters.next() else { return vec![Vec::new()] };
    let behind = |letter: Letter, rest: &str| -> Vec<Vec<Letter>> {
        meanings(rest, expand).into_iter().map(|tail| [vec![letter], tail].concat()).collect()
    };
    if expand {
        if let Some(rest) = text.strip_prefix(r"\%") {
            return behind(Letter::Is('%'), rest);
        }
        for (name, values) in FILLED {
            if let Some(rest) = text.strip_prefix(&format!("%{name}%")) {
                let heads = values.iter().flat_map(|value| meanings(value, false));
                let tails = meanings(rest, expand);
                return heads
                    .flat_map(|head| tails.iter().map(move |tail| [head.clone(), tail.clone()].concat()))
                    .collect();
            }
        }
    }
    for escaped in ['*', '?', '\\'] {
        if let Some(rest) = text.strip_prefix(&format!("\\{escaped}")) {
            return behind(Letter::Is(escaped), rest);
        }
    }
    let letter = match first {
        '*' => Letter::Any,
        '?' => Letter::One,
        other => Letter::Is(other),
    };
    behind(letter, characters.as_str())
}

pub(super) fn matches(pattern: &[Letter], text: &[char], cased: bool) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((Letter::Any, rest)) => (0..=text.len()).any(|skip| matches(rest, &text[skip..], cased)),
        Some((Letter::One, rest)) => !text.is_empty() && matches(rest, &text[1..], cased),
        Some((Letter::Is(expected), rest)) => {
            let expected = lower(&expected.to_string(), cased)[0];
            text.first() == Some(&expected) && matches(rest, &text[1..], cased)
        }
    }
}

/// What a chain of encodings makes of a text.
pub(super) fn encoded(text: Vec<Letter>, chain: &str) -> Vec<Vec<Letter>> {
    chain.split('|').skip(1).fold(vec![text], |forms, name| {
        forms
            .iter()
            .flat_map(|form| match name {
                "windash" => windash(form),
                "wide" => vec![form.iter().flat_map(|letter| wide(*letter)).collect()],
                "utf16" => {
                    // The mark is no text: `bytes` knows these two letters.
                    vec![
                        [
                            vec![Letter::Is('\u{ff}'), Letter::Is('\u{fe}')],
                            form.iter().flat_map(|letter| wide(*letter)).collect(),
                        ]
                        .concat(),
                    ]
                }
                "utf16be" => vec![form.iter().flat_map(|letter| wide(*letter).into_iter().rev()).collect()],
                "base64" => vec![letters(&base64(&bytes(form)))],
                "base64offset" => (0..3).map(|shift| letters(&shifted(&bytes(form), shift))).collect(),
                other => panic!("{other}"),
            })
            .collect()
    })
}

fn wide(letter: Letter) -> Vec<Letter> {
    match letter {
        Letter::Is(_) => vec![letter, Letter::Is('\0')],
        Letter::One | Letter::Any => vec![letter],
    }
}

fn letters(text: &str) -> Vec<Letter> {
    text.chars().map(Letter::Is).collect()
}

/// UTF-8, but for the byte order mark.
fn bytes(text: &[Letter]) -> Vec<u8> {
    let of = |letter: &Letter| match letter {
        Letter::Is('\u{ff}') => vec![0xff],
        Letter::Is('\u{fe}') => vec![0xfe],
        Letter::Is(letter) => letter.to_string().into_bytes(),
        Letter::One | Letter::Any => panic!("a wildcard is not encoded"),
    };
    text.iter().flat_map(of).collect()
}

/// Bit by bit.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<bool> =
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1 == 1)).collect();
    let mut text: String = bits
        .chunks(6)
        .map(|chunk| {
            let value = (0..6).fold(0, |value, at| value * 2 + usize::from(chunk.get(at) == Some(&true)));
            LETTERS.chars().nth(value).expect("six bits")
        })
        .collect();
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// The letters that are the same whatever stands before and behind; padding is no letter.
fn shifted(bytes: &[u8], shift: usize) -> String {
    let within = |fill: u8| base64(&[vec![fill; shift], bytes.to_vec(), vec![fill; 3]].concat());
    let (zeros, ones) = (within(0), within(0xff));
    zeros
        .chars()
        .zip(ones.chars())
        .filter(|(zero, one)| zero == one && *zero != '=')
        .map(|(zero, _)| zero)
        .collect()
}

fn windash(text: &[Letter]) -> Vec<Vec<Letter>> {
    let is_word = |letter: Option<&Letter>| matches!(letter, Some(Letter::Is(letter)) if letter.is_alphanumeric() || *letter == '_');
    const DASHES: [char; 5] = ['-', '/', '–', '—', '―'];
    let mut forms = vec![Vec::new()];
    for (at, letter) in text.iter().enumerate() {
        let dash = matches!(letter, Letter::Is(letter) if DASHES.contains(letter));
        let flag =
            dash && !is_word(at.checked_sub(1).and_then(|at| text.get(at))) && is_word(text.get(at + 1));
        let choices = if flag { DASHES.map(Letter::Is).to_vec() } else { vec![*letter] };
        forms = forms
            .iter()
            .flat_map(|form: &Vec<Letter>| {
                choices.iter().map(move |choice| [form.clone(), vec![*choice]].concat())
            })
            .collect();
    }
    forms
}
