//! Takes secrets out of what leaves the agent: passwords and tokens in command lines, environments, paths and URLs.
//!
//! Rules match what really happened: nothing here touches an event before it was judged. What is told of it goes out by
//! three doors, and each asks here first: [`SinkSet::deliver`](crate::sink::SinkSet::deliver) for alerts and notices,
//! [`Stream`](crate::sink::Stream) for events, and the control socket's answers. Behind a door there is no text
//! of before, so that no form, no file and no receiver can get one.
//!
//! It knows forms ([`FORMS`]) and guesses nothing: a secret that looks like any other word stays. A text is searched once,
//! in time linear in its length; only where that finds a word of a secret it is read. What has no secret is neither
//! copied nor changed.

mod form;
mod mark;
mod name;
mod shell;
mod tool;
mod word;
mod pattern;
mod settings;
mod process;
mod message;
mod event;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub use form::{FORMS, Form, Row};
pub use settings::{Off, OwnPattern, PatternError, RedactSettings};

use crate::state::process::Arguments;
use pattern::{Own, Patterns};
use word::{By, Reader, Span};

/// What is taken out, and how it is told.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    settings: RedactSettings,
    own: Option<Own>,
}

impl PartialEq for Redactor {
    fn eq(&self, other: &Self) -> bool {
        self.settings == other.settings
    }
}

impl Eq for Redactor {}

/// The texts of one message: how many secrets were taken out of them.
#[derive(Debug)]
pub(crate) struct Tally<'r> {
    redactor: &'r Redactor,
    pub(crate) count: u32,
}

impl Redactor {
    #[must_use]
    pub fn new(settings: &RedactSettings) -> Self {
        Self { settings: settings.clone(), own: Own::new(&settings.patterns) }
    }

    pub(crate) fn tally(&self) -> Tally<'_> {
        Tally { redactor: self, count: 0 }
    }

    /// A command line as one text, of which nobody knows any more where its words ended.
    #[must_use]
    pub fn line<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.tally().line(text).map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// Any other text: a path, a name, a URL.
    #[must_use]
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.tally().text(text).map_or(Cow::Borrowed(text), Cow::Owned)
    }

    fn is_off(&self) -> bool {
        self.settings.off == Off::All && self.own.is_none()
    }

    /// There may be something: one search, which most texts do not get beyond.
    fn may_have(&self, text: &str) -> bool {
        let is_off = self.settings.off == Off::All;
        (!is_off && Patterns::get().may_match(text))
            || self.own.as_ref().is_some_and(|own| own.may_match(text))
    }

    fn patterns(&self, text: &str, found: &mut Vec<Span>) {
        if self.settings.off != Off::All {
            Patterns::get().find(text, found);
        }
        if let Some(own) = &self.own {
            own.find(text, found);
        }
    }

    fn is_wanted(&self, by: By) -> bool {
        match (by, &self.settings.off) {
            (By::Own(_), _) => true,
            (By::Form(_), Off::All) => false,
            (By::Form(form), Off::Forms(forms)) => !forms.contains(&form),
        }
    }

    fn name(&self, by: By) -> &str {
        match by {
            By::Form(form) => form.name(),
            By::Own(index) => self.own.as_ref().map_or("", |own| own.name(index)),
        }
    }
}

impl Tally<'_> {
    /// None: it stays as it is.
    pub(crate) fn text(&mut self, text: &str) -> Option<String> {
        if !self.redactor.may_have(text) {
            return None;
        }
        let mut found = Vec::new();
        self.redactor.patterns(text, &mut found);
        self.replace(text, found)
    }

    pub(crate) fn line(&mut self, text: &str) -> Option<String> {
        if !self.redactor.may_have(text) {
            return None;
        }
        let mut found = Vec::new();
        self.redactor.patterns(text, &mut found);
        word::line(text, 0, 0, &mut found);
        self.replace(text, found)
    }

    /// An argument vector: line and arguments stay of one piece.
    pub(crate) fn arguments(&mut self, arguments: &Arguments) -> Option<Arguments> {
        if arguments.is_empty() {
            return self.line(arguments.line()).map(|line| arguments.with_line(&line));
        }
        if !self.redactor.may_have(arguments.line()) {
            return None;
        }
        let mut reader = Reader::default();
        let mut has_any = false;
        let replaced: Vec<Option<String>> = arguments
            .iter()
            .map(|argument| {
                let mut found = Vec::new();
                self.redactor.patterns(argument, &mut found);
                reader.argument(argument, &mut found);
                let replaced = self.replace(argument, found);
                has_any |= replaced.is_some();
                replaced
            })
            .collect();
        has_any.then(|| arguments.with_words(replaced))
    }

    /// Puts marks in the places of secrets. What is a mark already stays one.
    fn replace(&mut self, text: &str, mut found: Vec<Span>) -> Option<String> {
        found.retain(|span| self.redactor.is_wanted(span.by) && !span.place.is_empty());
        if found.is_empty() {
            return None;
        }
        let mut marks = mark::places(text).chain(settings::set_places(text)).collect::<Vec<_>>();
        marks.sort_unstable();
        // What begins inside a mark was made of its letters.
        let behind = |at: usize| marks.partition_point(|(_, to)| *to <= at);
        found.retain(|span| {
            marks.get(behind(span.place.start)).is_none_or(|(from, _)| span.place.start <= *from)
        });
        // Where two overlap they are one, told by what begins first and is longest.
        found.sort_by_key(|span| (span.place.start, std::cmp::Reverse(span.place.end)));
        let mut whole: Vec<Span> = Vec::with_capacity(found.len());
        for span in found {
            match whole.last_mut() {
                Some(last) if span.place.start < last.place.end => {
                    last.place.end = last.place.end.max(span.place.end);
                }
                Some(_) | None => whole.push(span),
            }
        }
        let (mut replaced, mut at, before) = (String::with_capacity(text.len() + 64), 0, self.count);
        for Span { place, by } in whole {
            let mut begin = place.start;
            let inside = marks.iter().skip(behind(begin)).take_while(|(from, _)| *from < place.end);
            for (from, to) in inside.copied().chain([(place.end, place.end)]) {
                if begin < from
                    && let (Some(kept), Some(secret)) = (text.get(at..begin), text.get(begin..from))
                {
                    replaced.push_str(kept);
                    let has_digest = self.redactor.settings.digest;
                    mark::push(&mut replaced, self.redactor.name(by), secret, has_digest);
                    self.count = self.count.saturating_add(1);
                    at = from;
                }
                begin = begin.max(to);
            }
        }
        replaced.push_str(text.get(at..).unwrap_or_default());
        (self.count > before).then_some(replaced)
    }
}
