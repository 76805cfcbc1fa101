//! `tidewaiter rules explain`: why a rule matches an event, or does not.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};
use sigma::{Explainer, Explanation, Rule, RuleIndex, Truth};

use super::tree::{mark, paint, style, tree};
use super::{Loaded, ReferenceOptions, STANDARD_INPUT, colour, input};
use crate::cli::table::print;
use crate::cli::{Exit, Failure};
use crate::detection::Catalogue;
use crate::event::field::Fields;
use crate::event::recorded::Recorded;
use crate::sink::json;
use crate::sink::text::escape::visible;

pub(super) const ABOUT: &str = "\
Tell why a rule matches an event, or does not

Below the verdict stands the condition, then each search identifier with each of its items: what is asked, what the \
event has there, and whether it holds (✔), does not (✘), or cannot be known yet (?). Of a list the values that decided \
are shown first. Filters that stand before the rule are told with what they do.

The event is a flat JSON object as in rules/*/events/*.jsonl, or a line of `tidewaiter events --format json`; several \
are explained one by one. The status is 0 if the rule matches all of them and is not kept back, 1 if not.";

pub(super) const EXAMPLES: &str = "\
Examples:
  tidewaiter rules explain curl_download event.json
      A built-in rule, by its folder; id, name and title work as well
  tidewaiter rules explain my-rules/odd.yml event.json
      A rule in a file
  tidewaiter rules explain 'Odd download' --rules my-rules event.json
      A rule of a folder, with the filters that lie there
  sudo tidewaiter events --format json | head -1 | tidewaiter rules explain curl_download -
      What just happened";

/// Options of `rules explain`.
#[derive(Clone, Debug, Args)]
pub struct ExplainOptions {
    /// File of the rule, or the id, name, title or folder of one that is loaded
    #[arg(value_name = "RULE")]
    pub rule: String,
    /// File with one event or more; `-` is standard input
    #[arg(value_name = "EVENT")]
    pub event: PathBuf,
    /// Load these rules and filters as well; may be given several times
    #[arg(long = "rules", value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub reference: ReferenceOptions,
}

/// Negative when the rule does not match, or is kept back.
pub(super) fn explain(options: &ExplainOptions) -> Result<Exit, Failure> {
    let file = PathBuf::from(&options.rule);
    let named = file.exists().then_some(file);
    // One that lies in a folder that is loaded anyway is loaded once.
    let alone = named.iter().filter(|file| !options.paths.iter().any(|path| file.starts_with(path)));
    let paths: Vec<PathBuf> = alone.chain(&options.paths).cloned().collect();
    let loaded = Loaded::beside_embedded(&paths, &options.reference)?;
    let wanted = Wanted { word: &options.rule, is_path: named.is_some() };
    let (index, rule) = wanted.find(&loaded)?;
    if let Some(correlation) = &rule.correlation {
        let reads = correlation.rules.iter().filter_map(|index| loaded.set.rule(*index));
        let reads: Vec<_> = reads.map(|rule| format!("`{}`", rule.title)).collect();
        let reason = format!(
            "`{}` is a correlation, true of several events together; it reads {}",
            rule.title,
            reads.join(", ")
        );
        let remedy = "explain one of these, or put events beside it and run `tidewaiter rules test`";
        return Err(Failure::new("cannot explain", &reason, remedy));
    }
    let text = input(&options.event)?;
    let is_input = options.event.as_os_str() == STANDARD_INPUT;
    let name = if is_input { "standard input".to_owned() } else { options.event.display().to_string() };
    let told = Told { rule, explained: explanations(&loaded, index, &text, &name)? };
    print(&if options.reference.json { told.json() } else { told.text(colour()) });
    Ok(if told.matches() { Exit::Good } else { Exit::Negative })
}

/// Which rule somebody means.
pub(super) struct Wanted<'a> {
    pub(super) word: &'a str,
    pub(super) is_path: bool,
}

impl Wanted<'_> {
    fn find<'l>(&self, loaded: &'l Loaded) -> Result<(RuleIndex, &'l Rule), Failure> {
        let all = (0..).map(RuleIndex).zip(loaded.set.rules());
        let found: Vec<_> = all.filter(|(_, rule)| self.means(loaded, rule)).collect();
        match found.as_slice() {
            [only] => Ok(*only),
            [] => {
                let filter = loaded.set.filters().iter().find(|filter| {
                    filter.title.eq_ignore_ascii_case(self.word) || self.word == filter.source
                });
                let reason = match filter {
                    Some(filter) => format!("`{}` is a filter", filter.title),
                    None => format!("there is no rule `{}`", self.word),
                };
                let remedy = "name a file, or the id, name, title or folder of a rule; `tidewaiter rules list` shows all";
                Err(Failure::new("cannot explain", &reason, remedy))
            }
            several => {
                let titles: Vec<_> = several.iter().map(|(_, rule)| format!("`{}`", rule.title)).collect();
                let reason = format!("`{}` may be any of {}", self.word, titles.join(", "));
                let remedy = "name one by its id or title, and the file by --rules";
                Err(Failure::new("cannot explain", &reason, remedy))
            }
        }
    }

    pub(super) fn means(&self, loaded: &Loaded, rule: &Rule) -> bool {
        if self.is_path {
            // A folder's documents have it before their own names.
            return !Catalogue::is_built_in(&rule.source)
                && std::path::Path::new(&rule.source).starts_with(self.word);
        }
        rule.id.is_some_and(|id| id.to_string().eq_ignore_ascii_case(self.word))
            || rule.name.as_deref() == Some(self.word)
            || rule.title.eq_ignore_ascii_case(self.word)
            || loaded.catalogue.name(&rule.source) == Some(self.word)
    }
}

/// An event with its explanation.
#[derive(Debug, Serialize)]
struct Explained {
    file: String,
    /// From 1.
    line: usize,
    verdict: Truth,
    #[serde(flatten)]
    explanation: Explanation,
}

fn explanations(loaded: &Loaded, rule: RuleIndex, text: &str, name: &str) -> Result<Vec<Explained>, Failure> {
    let explainer = Explainer {
        set: &loaded.set,
        sources: &loaded.sources,
        taxonomy: &Fields,
        placeholders: &loaded.placeholders,
    };
    let bad = |line: usize, reason: &dyn std::fmt::Display| {
        let reason = format!("{name}:{line}: {reason}");
        Failure::new("cannot read the event", &reason, "docs/rule.md says how events are written")
    };
    let mut explained = Vec::new();
    let mut objects = serde_json::Deserializer::from_str(text).into_iter::<Map<String, Value>>();
    loop {
        let before = text.get(objects.byte_offset()..).unwrap_or_default();
        let blank = before.len() - before.trim_start().len();
        let line = 1 + text.get(..objects.byte_offset() + blank).unwrap_or_default().matches('\n').count();
        let Some(object) = objects.next() else { break };
        let object =
            object.map_err(|error| bad(error.line(), &format!("this is no JSON object: {error}")))?;
        let event = Recorded::read(object).map_err(|error| bad(line, &error))?;
        let Some(explanation) = explainer.explain(rule, &event) else {
            return Err(bad(line, &"the rule changed while it was read"));
        };
        explained.push(Explained {
            file: name.to_owned(),
            line,
            verdict: explanation.verdict(),
            explanation,
        });
    }
    if explained.is_empty() {
        return Err(bad(1, &"there is no event in it"));
    }
    Ok(explained)
}

/// All that is told.
struct Told<'a> {
    rule: &'a Rule,
    explained: Vec<Explained>,
}

#[derive(Serialize)]
struct Document<'a> {
    rule: Named<'a>,
    matches: bool,
    events: &'a [Explained],
}

#[derive(Serialize)]
struct Named<'a> {
    title: &'a str,
    id: Option<String>,
    source: &'a str,
    line: usize,
}

impl Told<'_> {
    fn matches(&self) -> bool {
        self.explained.iter().all(|event| event.verdict.is_true())
    }

    fn json(&self) -> String {
        let Rule { title, id, source, line, .. } = self.rule;
        let rule = Named { title, id: id.map(|id| id.to_string()), source, line: *line };
        json::encode(&Document { rule, matches: self.matches(), events: &self.explained }) + "\n"
    }

    fn text(&self, colour: bool) -> String {
        let mut text = String::new();
        for event in &self.explained {
            if !text.is_empty() {
                text.push('\n');
            }
            let sentence = format!("{} {}", mark(event.verdict), verdict(&event.explanation));
            text.push_str(&paint(style(event.verdict).bold(), &sentence, colour));
            let Rule { title, source, line, .. } = self.rule;
            text.push_str(&format!(" {}\n", visible(title)));
            text.push_str(&format!(
                "  {}\n",
                visible(&format!("{source}:{line}, {}:{}", event.file, event.line))
            ));
            text.push_str(&tree(self.rule, &event.explanation, 2, colour));
        }
        text
    }
}

/// The verdict, to be followed by the rule's title.
fn verdict(explanation: &Explanation) -> &'static str {
    match (explanation.truth, explanation.verdict()) {
        (Truth::True, Truth::True) => "matches:",
        (Truth::True, Truth::False) => "matches, and is kept back by a filter:",
        (Truth::True, Truth::Unknown) => "matches, and may be kept back by a filter:",
        (Truth::Unknown, Truth::Unknown | Truth::True) => "cannot be decided yet:",
        (Truth::Unknown, Truth::False) => "cannot be decided yet, and would be kept back by a filter:",
        (Truth::False, _) => "does not match:",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sigma::{Placeholders, Source};

    const RULE: &str = "\
title: Odd download
id: 9f7d2f0c-5a41-4f0e-9d0c-2f5f2a1b6c11
logsource: {category: process_creation, product: linux}
detection:
  tool:
    Image|endswith: [/curl, /wget]
  option:
    - CommandLine|contains|all: [' -o ', http]
    - ContainerName: web
  other:
    ParentImage: /bin/make
  condition: tool and option and not other
";

    fn loaded(documents: &[(&str, &str)]) -> Loaded {
        let mut catalogue = Catalogue::default();
        documents.iter().for_each(|(name, text)| catalogue.add(Source::new(*name, *text)));
        Loaded::new(catalogue, Placeholders::default()).unwrap()
    }

    fn told(loaded: &Loaded, event: &str) -> (String, bool, Value) {
        let wanted = Wanted { word: "Odd download", is_path: false };
        let (index, rule) = wanted.find(loaded).unwrap();
        let told = Told { rule, explained: explanations(loaded, index, event, "e.json").unwrap() };
        (told.text(false), told.matches(), serde_json::from_str(&told.json()).unwrap())
    }

    #[test]
    fn every_item_is_told_with_what_the_event_has() {
        let event = "\n{\"logsource\": \"process_creation\",\n \"Image\": \"/usr/bin/curl\",\n \"CommandLine\": \"curl -o x ftp://y\"}\n";
        let (text, matches, json) = told(&loaded(&[("r.yml", RULE)]), event);
        let expected = "\
✘ does not match: Odd download
  r.yml:1, e.json:2
  ✘ condition: tool and option and not other
    ✔ … tool
    ✘ … option
    ✔ … not other
    ✔ tool
      ✔ Image|endswith: (one of)            is /usr/bin/curl
        ✔ /curl
        ✘ /wget
    ✘ option (one of)
      ✘ CommandLine|contains|all: (all of)  is curl -o x ftp://y
        ✔ ' -o '
        ✘ http
      ✘ ContainerName: web                  is missing
    ✘ other
      ✘ ParentImage: /bin/make              is missing
";
        assert_eq!(text, expected);
        assert!(!matches);
        assert_eq!(json["events"][0]["verdict"], "false");
        assert_eq!(
            json["events"][0]["detection"]["searches"][0]["asks"]["all"][1][0]["item"]["truth"],
            "true"
        );
    }

    #[test]
    fn a_filter_that_keeps_a_match_back_is_told() {
        const FILTER: &str = "\
title: Known mirrors
logsource: {category: process_creation, product: linux}
filter:
  rules: [9f7d2f0c-5a41-4f0e-9d0c-2f5f2a1b6c11]
  mirror:
    CommandLine|contains: mirror.example
  condition: mirror
";
        let loaded = loaded(&[("r.yml", RULE), ("f.yml", FILTER)]);
        let event = |host| {
            format!(
                r#"{{"logsource": "process_creation", "Image": "/curl", "CommandLine": "curl -o x http://{host}"}}"#
            )
        };
        let (text, matches, _) = told(&loaded, &event("mirror.example"));
        assert!(text.starts_with("✘ matches, and is kept back by a filter: Odd download\n"), "{text}");
        assert!(text.contains("✘ filter `Known mirrors` (f.yml:1) keeps it back"), "{text}");
        assert!(!matches);
        let (text, matches, _) = told(&loaded, &event("a"));
        assert!(text.contains("✔ filter `Known mirrors` (f.yml:1) lets it pass"), "{text}");
        assert!(matches, "{text}");
    }

    #[test]
    fn several_events_are_explained_one_by_one_and_a_bad_one_is_pointed_at() {
        let loaded = loaded(&[("r.yml", RULE)]);
        let line = r#"{"logsource": "process_creation", "Image": "/curl"}"#;
        let (text, ..) = told(&loaded, &format!("{line}\n{line}\n"));
        assert!(text.contains("e.json:1") && text.contains("e.json:2"), "{text}");
        for (event, place) in [
            (format!("{line}\n{{\"Image\": 1}}"), "e.json:2: the event has no `logsource`"),
            (format!("{line}\n\n{{\"Image\": "), "e.json:3: this is no JSON object"),
            (String::new(), "e.json:1: there is no event in it"),
        ] {
            let refused = explanations(&loaded, RuleIndex(0), &event, "e.json").unwrap_err().render(false);
            assert!(refused.contains(place), "{refused}");
        }
    }

    #[test]
    fn a_rule_is_found_by_whatever_it_is_called() {
        let loaded =
            Loaded::new(Catalogue::built_in(), crate::config::Config::default().placeholders().unwrap())
                .unwrap();
        let curl = loaded.set.rules().iter().find(|rule| rule.source == "built-in:curl_download").unwrap();
        for word in ["curl_download", &curl.title.to_uppercase(), &curl.id.unwrap().to_string()] {
            let found = Wanted { word, is_path: false }.find(&loaded).unwrap();
            assert_eq!(found.1.source, curl.source, "{word}");
        }
        let refused = Wanted { word: "nothing", is_path: false }.find(&loaded).unwrap_err().render(false);
        assert!(refused.contains("there is no rule `nothing`"), "{refused}");
    }
}
