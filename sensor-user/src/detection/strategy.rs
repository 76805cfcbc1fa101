//! An ADS document as this sensor reads it: ten sections, and the steps that open the response.
//!
//! It reads headings and the one list; it is no Markdown renderer.

use std::sync::Arc;

/// The sections of Palantir's Alerting and Detection Strategy framework, in its order.
/// <https://github.com/palantir/alerting-detection-strategy-framework>
pub const SECTIONS: [&str; 10] = [
    "Goal",
    "Categorization",
    "Strategy Abstract",
    "Technical Context",
    "Blind Spots and Assumptions",
    "False Positives",
    "Validation",
    "Priority",
    "Response",
    "Additional Resources",
];

/// Most steps an alert prints: more are not read while the clock runs. The document keeps them all.
const STEPS_MAX: usize = 4;

/// The text of an ADS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strategy {
    text: Arc<str>,
}

/// A heading of the second level and what stands under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    pub title: &'a str,
    /// Trimmed; may be empty.
    pub body: &'a str,
}

impl Strategy {
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.into() }
    }

    /// The Markdown.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// In the order of the document.
    pub fn sections(&self) -> impl Iterator<Item = Section<'_>> {
        self.text.split("\n## ").skip(1).map(|part| {
            let (title, body) = part.split_once('\n').unwrap_or((part, ""));
            Section { title: title.trim(), body: body.trim() }
        })
    }

    /// The section of this title.
    #[must_use]
    pub fn section(&self, title: &str) -> Option<Section<'_>> {
        self.sections().find(|section| section.title == title)
    }

    /// What to do now: the numbered list that opens the response, at most four lines.
    #[must_use]
    pub fn response(&self) -> Vec<String> {
        let Some(section) = self.section("Response") else { return Vec::new() };
        section.body.lines().map_while(step).take(STEPS_MAX).map(str::to_owned).collect()
    }
}

/// The text of `1. text`.
fn step(line: &str) -> Option<&str> {
    let (number, text) = line.split_once(". ")?;
    number.parse::<u8>().is_ok().then(|| text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_cut_at_second_level_headings_only() {
        let strategy = Strategy::new("# T\n\nIntro\n\n## Goal\n\nText\n### Deeper\nmore\n\n## Response\n\n");
        let sections: Vec<_> = strategy.sections().collect();
        assert_eq!(
            sections,
            [
                Section { title: "Goal", body: "Text\n### Deeper\nmore" },
                Section { title: "Response", body: "" }
            ]
        );
    }

    #[test]
    fn the_response_is_the_list_that_opens_it_and_no_more_than_four() {
        let strategy = Strategy::new("# T\n\n## Response\n\n1. a\n2. b. c\n\nProse 1. x\n1. later\n");
        assert_eq!(strategy.response(), ["a", "b. c"]);
        let strategy = Strategy::new("# T\n\n## Response\n1. a\n2. b\n3. c\n4. d\n5. e\n");
        assert_eq!(strategy.response(), ["a", "b", "c", "d"]);
        assert!(Strategy::new("# T\n\n## Response\n\nProse first.\n1. a\n").response().is_empty());
        assert!(Strategy::new("# T\n").response().is_empty());
    }
}
