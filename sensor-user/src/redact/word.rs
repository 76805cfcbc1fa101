//! Secrets that are known by the words before them: options, variables, headers.
//!
//! It reads an argument vector word by word, and any word that is a line itself (`sh -c '…'`) in the same way. Which
//! program the words are for matters for short options only: the last one that was named and is known.

use std::ops::Range;

use super::form::Form;
use super::name::{is_secret, is_secret_header, is_secret_variable};
use super::shell::{Piece, pieces};
use super::tool::{Kind, Tool};

/// How deep lines within words of lines are read: `ssh h "sh -c 'mysql -p…'"` is three.
const DEPTH_MAX: u32 = 4;

/// Programs to which `-c` brings a script.
const SHELLS: [&str; 11] =
    ["sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "busybox", "su", "runuser"];

/// A secret's place in a text, and why it is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) place: Range<usize>,
    pub(super) by: By,
}

/// What it was found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Form(Form),
    /// The operator's own pattern with this index.
    Own(usize),
}

/// Reads words in their order.
#[derive(Debug, Default)]
pub(super) struct Reader {
    tool: Option<&'static Tool>,
    /// `login` was said: what follows is for it.
    has_login: bool,
    /// What the next word is.
    next: Option<Next>,
    /// The word before was `set`.
    is_set: bool,
    /// A shell was named.
    has_shell: bool,
    /// The next word that has blanks is a script: a shell's `-c` was said, or ssh.
    is_script: bool,
}

#[derive(Clone, Copy, Debug)]
enum Next {
    Value(Kind),
    /// Credentials of a header, or their scheme.
    Header(Form),
    /// What is behind a word that may have been a scheme that is not known.
    Rest(Form),
}

/// The secrets of a line.
pub(super) fn line(text: &str, offset: usize, depth: u32, found: &mut Vec<Span>) {
    let mut reader = Reader::default();
    let is_script = depth > 0;
    pieces(text, &mut |piece| match piece {
        Piece::Word(range) => {
            let word = text.get(range.clone()).unwrap_or_default();
            reader.word(word, offset + range.start, is_script, found);
        }
        Piece::Quoted(range) if depth < DEPTH_MAX => {
            line(text.get(range.clone()).unwrap_or_default(), offset + range.start, depth + 1, found);
        }
        Piece::Quoted(_) => {}
        Piece::End => reader = Reader::default(),
    });
}

impl Reader {
    /// Reads an argument, and the line that it may be.
    pub(super) fn argument(&mut self, text: &str, found: &mut Vec<Span>) {
        self.word(text, 0, false, found);
        if text.contains(|letter: char| letter.is_ascii_whitespace()) {
            line(text, 0, 1, found);
        }
    }

    fn word(&mut self, text: &str, offset: usize, is_script: bool, found: &mut Vec<Span>) {
        let mut tell = |form: Form, part: Range<usize>| {
            let (begin, end) = unquoted(text, part);
            let secret = text.get(begin..end).unwrap_or_default();
            let is_reference = is_script && is_reference(secret);
            if !secret.is_empty() && !is_reference {
                found.push(Span { place: offset + begin..offset + end, by: By::Form(form) });
            }
        };
        if let Some(next) = self.next.take()
            && self.expected(next, text, &mut tell)
        {
            return;
        }
        let is_set = std::mem::take(&mut self.is_set);
        // Its words are read one by one.
        if self.is_script && text.contains(|letter: char| letter.is_ascii_whitespace()) {
            return;
        }
        if let Some(rest) = text.strip_prefix('-') {
            self.option(text, rest, &mut tell);
        } else if !self.header(text, &mut tell) && !assignment(text, 0, &mut tell) {
            if is_set && is_secret(text) {
                self.next = Some(Next::Value(Kind::Secret(Form::Variable)));
            }
            self.note(text);
        }
    }

    /// A word that an earlier one announced. False: it is something else after all.
    fn expected(&mut self, next: Next, text: &str, tell: &mut impl FnMut(Form, Range<usize>)) -> bool {
        match next {
            // An option again: the one before had no value.
            Next::Value(Kind::Secret(_)) if text.len() > 1 && text.starts_with('-') => false,
            Next::Value(kind) => {
                value(kind, text, 0, tell);
                // A header keeps expecting.
                if let Kind::Header = kind {
                    self.header(text, tell);
                }
                true
            }
            Next::Header(form) if is_scheme(text) => {
                self.next = Some(Next::Header(form));
                true
            }
            Next::Header(form) => {
                tell(form, 0..text.len());
                let may_be_scheme = text.bytes().all(|byte| byte.is_ascii_alphabetic());
                self.next = may_be_scheme.then_some(Next::Rest(form));
                true
            }
            Next::Rest(_) if text.starts_with('-') || text.contains("://") => false,
            Next::Rest(form) => {
                tell(form, 0..text.len());
                true
            }
        }
    }

    /// What is said before is for this program.
    fn note(&mut self, text: &str) {
        self.is_set = text == "set";
        self.has_login |= text == "login";
        let base = text.rsplit('/').next().unwrap_or(text);
        self.has_shell |= SHELLS.contains(&base);
        self.is_script |= matches!(base, "ssh" | "eval");
        let name = text.rsplit(['/', ';', '|', '&', '(', '`', '\'', '"', '=']).next().unwrap_or(text);
        if let Some(tool) = Tool::by_name(name) {
            (self.tool, self.has_login) = (Some(tool), false);
        }
    }

    /// `text` is `-` and `rest`.
    fn option(&mut self, text: &str, rest: &str, tell: &mut impl FnMut(Form, Range<usize>)) {
        let long = rest.strip_prefix('-');
        let begin = text.len() - long.unwrap_or(rest).len();
        let body = long.unwrap_or(rest);
        let (name, value_at) = match body.split_once('=') {
            Some((name, _)) => (name, Some(begin + name.len() + 1)),
            None => (body, None),
        };
        if let Some(tool) = self.tool
            && let Some((kind, at)) = tool.option(text, self.has_login)
        {
            match at {
                Some(at) => {
                    value(kind, text, at, tell);
                    if let Kind::Header = kind {
                        self.header(text.get(at..).unwrap_or_default(), &mut |form, part| {
                            tell(form, part.start + at..part.end + at);
                        });
                    }
                }
                None => self.next = Some(Next::Value(kind)),
            }
            return;
        }
        // `bash -ec`, `su --command`.
        let is_script = text == "--command" || (long.is_none() && name.len() < 5 && name.ends_with('c'));
        self.is_script |= self.has_shell && is_script;
        let is_named = (long.is_some() || name.len() > 2) && is_secret(name);
        match value_at {
            // `--secret id=…` of image builds names a file or a variable.
            Some(at) if is_named => tell(Form::Option, at..text.len()),
            None if is_named && name != "secret" => self.next = Some(Next::Value(Kind::Secret(Form::Option))),
            None if is_named => self.next = Some(Next::Value(Kind::Named)),
            Some(at) => {
                let behind = text.get(at..).unwrap_or_default();
                let (begin, _) = unquoted(text, at..text.len());
                let at = if begin > at { begin } else { at };
                if !self.header(text.get(at..).unwrap_or(behind), &mut |form, part| {
                    tell(form, part.start + at..part.end + at);
                }) {
                    assignment(text, at, tell);
                }
                // `-eNAME=value`, `-DNAME=value`.
                if long.is_none() && name.len() > 1 && name.get(1..).is_some_and(is_secret) {
                    tell(Form::Variable, value_at.unwrap_or(at)..text.len());
                }
            }
            None => {}
        }
    }

    /// `Name: value`, where the name says that the value is a secret. The value may be the next word.
    fn header(&mut self, text: &str, tell: &mut impl FnMut(Form, Range<usize>)) -> bool {
        let Some((name, value)) = text.split_once(':') else { return false };
        let is_cookie = name.eq_ignore_ascii_case("cookie") || name.eq_ignore_ascii_case("set-cookie");
        if !is_cookie && !is_secret_header(name) {
            return false;
        }
        let form = if is_cookie { Form::Cookie } else { Form::Header };
        let at = text.len() - value.trim_start().len();
        let value = value.trim_start();
        let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
        if value.is_empty() || (is_scheme(scheme) && rest.trim().is_empty()) {
            self.next = Some(Next::Header(form));
        } else if is_scheme(scheme) {
            tell(form, text.len() - rest.trim_start().len()..text.len());
        } else {
            tell(form, at..text.len());
        }
        true
    }
}

/// What of an option's value is a secret, by its kind; it begins at `at`.
fn value(kind: Kind, text: &str, at: usize, tell: &mut impl FnMut(Form, Range<usize>)) {
    let value = text.get(at..).unwrap_or_default();
    match kind {
        Kind::Secret(form) => tell(form, at..text.len()),
        Kind::Pair(separator) => {
            if let Some((user, _)) = value.split_once(separator) {
                tell(Form::Login, at + user.len() + 1..text.len());
            }
        }
        Kind::Source => {
            if value.starts_with("pass:") {
                tell(Form::Flag, at + "pass:".len()..text.len());
            }
        }
        // A name without `=` is a file of cookies.
        Kind::Cookie => {
            if value.contains('=') {
                tell(Form::Cookie, at..text.len());
            }
        }
        Kind::Named => {
            if !value.contains('=') {
                tell(Form::Option, at..text.len());
            }
        }
        Kind::Header => {}
    }
}

/// `NAME=value` from `at` on, as often as it is there. False: no name says that its value is a secret.
fn assignment(text: &str, at: usize, tell: &mut impl FnMut(Form, Range<usize>)) -> bool {
    let is_name =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-' | '[' | ']');
    let (mut begin, mut found) = (at, false);
    while let Some(equal) = text.get(begin..).and_then(|rest| rest.find('=')).map(|equal| begin + equal) {
        let before = text.get(begin..equal).unwrap_or_default();
        let name = before.rsplit(|letter| !is_name(letter)).next().unwrap_or_default();
        if !is_secret_variable(name) {
            begin = equal + 1;
            continue;
        }
        // Fields of forms, options of mounts and connection strings end where the next begins.
        let end = match before.get(..before.len() - name.len()).and_then(|before| before.chars().next_back())
        {
            Some('?' | '&') => ends_at(text, equal, &['&', '#']),
            Some(',') => ends_at(text, equal, &[',']),
            Some(';') => ends_at(text, equal, &[';']),
            // A line: its words are read one by one.
            Some(letter) if letter.is_ascii_whitespace() => {
                begin = equal + 1;
                continue;
            }
            Some(_) | None => text.len(),
        };
        found = true;
        tell(Form::Variable, equal + 1..end);
        begin = end;
    }
    found
}

fn ends_at(text: &str, from: usize, ends: &[char]) -> usize {
    text.get(from..).and_then(|rest| rest.find(ends)).map_or(text.len(), |at| from + at)
}

/// Authentication schemes of headers: IANA's registry, and those in use that are not in it.
fn is_scheme(word: &str) -> bool {
    const SCHEMES: [&str; 9] =
        ["bearer", "basic", "token", "digest", "negotiate", "apikey", "splunk", "ntlm", "aws4-hmac-sha256"];
    SCHEMES.iter().any(|scheme| word.eq_ignore_ascii_case(scheme))
}

/// What a script says in a secret's place is no secret: `$NAME`, `${NAME}`, `$(command)`.
fn is_reference(value: &str) -> bool {
    let begins = |letter: char| letter.is_ascii_alphabetic() || matches!(letter, '_' | '{' | '(');
    value.strip_prefix('$').map_or(value.starts_with('`'), |rest| rest.starts_with(begins))
}

/// How far before a part the quote is looked for that it ends, bytes.
const NEAR: usize = 256;

/// A part without the quotes around it; a quote that is not of a pair belongs to it.
fn unquoted(text: &str, part: Range<usize>) -> (usize, usize) {
    let inner = text.get(part.clone()).unwrap_or_default();
    let Some(quote) = inner.chars().next_back().filter(|last| matches!(last, '\'' | '"')) else {
        return (part.start, part.end);
    };
    let is_around = inner.len() > 1 && inner.starts_with(quote);
    let near = text.floor_char_boundary(part.start.saturating_sub(NEAR));
    let is_open = text.get(near..part.start).is_some_and(|before| before.matches(quote).count() % 2 == 1);
    match (is_around, is_open) {
        (true, _) => (part.start + 1, part.end - 1),
        (false, true) => (part.start, part.end - 1),
        (false, false) => (part.start, part.end),
    }
}
