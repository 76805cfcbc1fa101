//! Events: half of them made from the rules, to match or nearly match them, half like those of a host with
//! containers.

use serde_json::Value;

use crate::generator::{ATOMS, EXPRESSIONS};
use crate::host::{ADDRESSES, Event, execution, realistic};
use crate::random::Random;
use crate::rule::{Item, Rule};

/// Events for the rules, in the rules' order, every other one like those of a host.
pub(crate) fn events(rules: &[Rule], count: usize, seed: u64) -> Vec<Event> {
    let mut random = Random::new(seed);
    let mut event = |number: usize| {
        if number.is_multiple_of(2) {
            derived(&rules[number * rules.len() / count], &mut random)
        } else {
            realistic(&mut random)
        }
    };
    (0..count).map(&mut event).collect()
}

/// An event for the items of a rule: each is met, nearly met or left out.
fn derived(rule: &Rule, random: &mut Random) -> Event {
    let mut event = if random.percent(30) { execution(random) } else { Event::new() };
    for item in rule.items.iter().filter(|item| !item.field.is_empty()) {
        if random.percent(15) {
            continue;
        }
        if let Some(value) = met(item, &event, random) {
            event.insert(item.field.clone(), value);
        }
    }
    event
}

/// A value that meets the item, or nearly.
fn met(item: &Item, event: &Event, random: &mut Random) -> Option<Value> {
    if item.has("all") {
        let parts: Vec<String> =
            item.texts().map(|text| around(&nearly(&instance(text, random), random), item, random)).collect();
        return Some(parts.join(" ").into());
    }
    let value = &item.values[random.below(item.values.len())];
    if item.has("exists") || value.is_null() {
        return random.percent(50).then(|| random.pick(&ATOMS).into());
    }
    if item.has("cidr") {
        return Some(random.pick(&ADDRESSES).into());
    }
    if let Some(number) = value.as_i64() {
        let near = number.saturating_add([0, 0, 1, -1][random.below(4)]);
        return Some(near.into());
    }
    let text = value.as_str()?;
    if item.has("fieldref") {
        let other = event.get(text).and_then(Value::as_str).unwrap_or("curl").to_owned();
        return Some(around(&nearly(&other, random), item, random).into());
    }
    if item.has("re") {
        let known = EXPRESSIONS.iter().find(|(expression, _)| *expression == text);
        let example = known.map_or("/usr/bin/curl -o", |(_, examples)| random.pick(examples));
        return Some(nearly(example, random).into());
    }
    let text = nearly(&encoded(&instance(text, random), item, random), random);
    Some(around(&text, item, random).into())
}

/// A text that a value with wildcards stands for.
fn instance(text: &str, random: &mut Random) -> String {
    let mut out = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '*' if random.percent(50) => {}
            '*' | '?' => out.push_str(random.pick(&ATOMS)),
            '\\' => out.push(characters.next_if(|next| matches!(next, '*' | '?' | '\\')).unwrap_or('\\')),
            other => out.push(other),
        }
    }
    out
}

/// As the item's encodings have it, with neighbours in the encoded text where that may have some.
fn encoded(text: &str, item: &Item, random: &mut Random) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for modifier in &item.modifiers {
        let wide = |bytes: &[u8]| String::from_utf8_lossy(bytes).encode_utf16().collect::<Vec<u16>>();
        bytes = match modifier.as_str() {
            "wide" | "utf16le" => wide(&bytes).into_iter().flat_map(u16::to_le_bytes).collect(),
            "utf16be" => wide(&bytes).into_iter().flat_map(u16::to_be_bytes).collect(),
            "utf16" => {
                [0xFF, 0xFE].into_iter().chain(wide(&bytes).into_iter().flat_map(u16::to_le_bytes)).collect()
            }
            "base64" => base64(&bytes),
            "base64offset" => {
                let mut whole = b"abz"[..random.below(3)].to_vec();
                whole.extend(&bytes);
                whole.extend(&b"\xFFzq"[..random.below(3)]);
                base64(&whole)
            }
            _ => bytes,
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |chunk: &[u8]| -> [u8; 4] {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | usize::from(*chunk.get(at).unwrap_or(&0)));
        std::array::from_fn(|at| if at <= chunk.len() { ALPHABET[bits >> (18 - 6 * at) & 63] } else { b'=' })
    };
    bytes.chunks(3).flat_map(group).collect()
}

/// With neighbours where the item lets them be, and sometimes where it does not.
fn around(text: &str, item: &Item, random: &mut Random) -> String {
    let before = item.has("contains") || item.has("endswith") || random.percent(5);
    let behind = item.has("contains") || item.has("startswith") || random.percent(5);
    let mut neighbour = |wanted: bool| if wanted && random.percent(70) { random.pick(&ATOMS) } else { "" };
    format!("{}{text}{}", neighbour(before), neighbour(behind))
}

/// The text itself or one that differs a little.
fn nearly(text: &str, random: &mut Random) -> String {
    let at = random.boundary(text);
    let (head, tail) = text.split_at(at);
    let mut rest = tail.chars();
    let next = rest.next();
    let rest = rest.as_str();
    match (random.below(20), next) {
        (0 | 1, _) => swapped(text),
        (2 | 3, Some(next)) => format!("{head}{}{rest}", swapped(&next.to_string())),
        (4 | 5, Some(_)) => format!("{head}{rest}"),
        (6, Some(next)) => format!("{head}{next}{tail}"),
        (7, _) => format!("{head}{}{tail}", random.pick(&ATOMS)),
        (8, _) => text.replace('-', "/"),
        (9, _) => text.replace('\\', "/"),
        _ => text.to_owned(),
    }
}

fn swapped(text: &str) -> String {
    let swap = |character: char| -> Vec<char> {
        if character.is_lowercase() {
            character.to_uppercase().collect()
        } else {
            character.to_lowercase().collect()
        }
    };
    text.chars().flat_map(swap).collect()
}
