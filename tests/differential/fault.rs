//! What is known to be wrong in the other evaluators, by name: the only differences that are let pass.
//!
//! Each carries an example that still shows it. When one no longer does, the entry goes; a difference that no entry
//! covers fails the test, whoever is to blame.

use std::net::Ipv4Addr;

use serde_json::Value;

use crate::host::Event;
use crate::rule::{Item, Rule};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Rsigma,
    PySigma,
}

pub(crate) struct Fault {
    pub(crate) peer: Peer,
    pub(crate) name: &'static str,
    /// What it does instead, and the section that says otherwise.
    pub(crate) reason: &'static str,
    /// A selection and an event, both JSON, and whether they match by the specification.
    pub(crate) example: (&'static str, &'static str, bool),
    /// Whether this could be why the two differ about this item.
    pub(crate) covers: fn(&Item, &Event) -> bool,
}

impl Fault {
    pub(crate) fn explains(&self, peer: Peer, rule: &Rule, event: &Event) -> bool {
        self.peer == peer && rule.items.iter().any(|item| (self.covers)(item, event))
    }
}

pub(crate) const FAULTS: [Fault; 14] = [
    Fault {
        peer: Peer::Rsigma,
        name: "a wildcard stops at the end of a line",
        reason: "rules, String Wildcard: `*` is any number of characters and `?` one, whichever they are",
        example: (r#"{"A": "x*y"}"#, r#"{"A": "x\ny"}"#, true),
        covers: |item, event| {
            !item.has("re") && item.texts().any(has_wildcard) && value(item, event).contains('\n')
        },
    },
    Fault {
        peer: Peer::Rsigma,
        name: "a wildcard inside moves startswith and endswith to the other end",
        reason: "modifiers, Generic Modifiers: the value stands at the beginning (or end) of the field's content",
        example: (r#"{"A|startswith": "x*y"}"#, r#"{"A": "xzyq"}"#, true),
        covers: |item, _| (item.has("startswith") || item.has("endswith")) && item.texts().any(has_wildcard),
    },
    Fault {
        peer: Peer::Rsigma,
        name: "base64offset keeps the last character",
        reason: "modifiers, Encoding: only the part in the middle does not depend on what follows the value",
        example: (r#"{"A|base64offset|contains": "curl"}"#, r#"{"A": "Y3VybP8="}"#, true),
        covers: |item, _| item.has("base64offset"),
    },
    Fault {
        peer: Peer::Rsigma,
        name: "neq asks for the field to be there",
        reason: "modifiers, Generic Modifiers: neq is the negation of the comparison, as in pySigma",
        example: (r#"{"A|neq": "x"}"#, r#"{"B": "x"}"#, true),
        covers: |item, event| item.has("neq") && !event.contains_key(&item.field),
    },
    Fault {
        peer: Peer::Rsigma,
        name: "windash takes wildcards for plain text",
        reason: "rules, String Wildcard: wildcards may stand in any text; windash changes dashes alone",
        example: (r#"{"A|windash|contains": "x*y"}"#, r#"{"A": "xzy"}"#, true),
        covers: |item, _| {
            item.has("windash") && item.texts().any(|text| has_wildcard(text) || text.contains('\\'))
        },
    },
    Fault {
        peer: Peer::Rsigma,
        name: "windash varies hyphens alone",
        reason: "modifiers, String Modifiers: the five dashes stand for one another",
        example: (r#"{"A|windash|contains": " /f"}"#, r#"{"A": "x -f"}"#, true),
        covers: |item, _| item.has("windash") && item.texts().any(|text| text.contains(['/', '–', '—', '―'])),
    },
    Fault {
        peer: Peer::Rsigma,
        name: "windash varies the hyphens inside a word",
        reason: "modifiers, String Modifiers: what is meant are flags; pySigma leaves the others alone too",
        example: (r#"{"A|windash|contains": "post-file"}"#, r#"{"A": "post/file"}"#, false),
        covers: |item, _| item.has("windash") && item.texts().any(|text| text.contains('-')),
    },
    Fault {
        peer: Peer::PySigma,
        name: "a network of several prefixes has no parentheses",
        reason: "rules, Maps: the fields of a map are linked by and, whatever each asks",
        example: (r#"{"A": "x", "B|cidr": "172.16.0.0/12"}"#, r#"{"A": "y", "B": "172.31.0.9"}"#, false),
        covers: |item, _| item.has("cidr") && item.texts().any(|network| !is_of_whole_bytes(network)),
    },
    Fault {
        peer: Peer::PySigma,
        name: "an address is a text that starts like one",
        reason: "modifiers, IP Modifiers: the value is an address in the network",
        example: (r#"{"A|cidr": "10.0.0.0/8"}"#, r#"{"A": "10.example.org"}"#, false),
        covers: |item, event| item.has("cidr") && value(item, event).parse::<Ipv4Addr>().is_err(),
    },
    Fault {
        peer: Peer::PySigma,
        name: "letters beyond ASCII keep their case",
        reason: "rules, General: all values are treated as case-insensitive strings; SQLite folds ASCII alone",
        example: (r#"{"A": "é"}"#, r#"{"A": "É"}"#, true),
        covers: |item, event| !value(item, event).is_ascii(),
    },
    Fault {
        peer: Peer::PySigma,
        name: "the byte order mark is written in UTF-8",
        reason: "modifiers, Encoding: utf16 puts FF FE before the text",
        example: (r#"{"A|utf16|base64": "cmd"}"#, r#"{"A": "//5jAG0AZAA="}"#, true),
        covers: |item, _| item.has("utf16"),
    },
    Fault {
        peer: Peer::PySigma,
        name: "base64offset counts letters, not bytes",
        reason: "modifiers, Encoding: the shifts are of bytes",
        example: (r#"{"A|base64offset|contains": "x–y"}"#, r#"{"A": "eOKAk3l6"}"#, true),
        covers: |item, _| item.has("base64offset") && item.texts().any(|text| !text.is_ascii()),
    },
    Fault {
        peer: Peer::PySigma,
        name: "windash varies two of the five dashes",
        reason: "modifiers, String Modifiers: the five dashes stand for one another, also where the rule has a long one",
        example: (r#"{"A|windash|contains": " –f"}"#, r#"{"A": "x -f"}"#, true),
        covers: |item, _| item.has("windash") && item.texts().any(|text| text.contains(['–', '—', '―'])),
    },
    Fault {
        peer: Peer::PySigma,
        name: "the end of a text is also before its last newline",
        reason: "modifiers, Regular Expression: not wrong, as PCRE and Python both do it; ours, like RE2, means the \
                 very end unless `m` asks for lines",
        example: (r#"{"A|re": "x$"}"#, r#"{"A": "x\n"}"#, false),
        covers: |item, event| {
            item.has("re")
                && item.texts().any(|text| text.contains('$'))
                && value(item, event).ends_with('\n')
        },
    },
];

/// Rules that an evaluator does not take, and why: by what it says.
pub(crate) const REFUSALS: [(Peer, &str, &str); 2] = [
    (Peer::PySigma, "Unknown modifier 'utf16le'", "modifiers, Encoding: the specification's name for `wide`"),
    (Peer::PySigma, "modifier only allowed for", "modifiers, Encoding: it has UTF-16 for ASCII alone"),
];

/// Whether one prefix of dotted numbers is the network.
fn is_of_whole_bytes(network: &str) -> bool {
    network.rsplit_once('/').is_some_and(|(_, bits)| ["0", "8", "16", "24", "32"].contains(&bits))
        && !network.contains(':')
}

/// Whether any `*` or `?` of the text is one.
fn has_wildcard(text: &str) -> bool {
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '*' | '?' => return true,
            '\\' => _ = characters.next_if(|next| matches!(next, '*' | '?' | '\\')),
            _ => {}
        }
    }
    false
}

/// The text the item looks at.
fn value<'a>(item: &Item, event: &'a Event) -> &'a str {
    event.get(&item.field).and_then(Value::as_str).unwrap_or_default()
}
