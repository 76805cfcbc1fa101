//! Allow-lists: what the rules' `%Name%` stand for. The binary's own are `deploy/allow.yaml`, word for word; a site's
//! files and its `placeholders` take the place of what has the same name.
//!
//! Files are read here and nowhere else, at the start and whenever the rules are read again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sigma::Placeholders;

use super::{Config, ConfigError, is_blank, read_text};

const BUILT_IN: &str = include_str!("../../../deploy/allow.yaml");
/// What mistakes in the binary's own would be told of.
const BUILT_IN_PATH: &str = "built-in:allow.yaml";

/// Values by the name of their list.
type Lists = BTreeMap<String, Vec<String>>;

/// Where a site's allow-lists come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowFiles {
    /// The later wins.
    pub paths: Vec<PathBuf>,
    /// The configuration's `placeholders`, which win over all files.
    pub own: Lists,
}

impl AllowFiles {
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self { paths: config.allow.clone(), own: config.placeholders.clone() }
    }

    /// Reads all files and lays them over the binary's own. Every list that a file has may be empty, and so may those
    /// of the binary, whoever gives them; a placeholder of the configuration with another name may not.
    ///
    /// # Errors
    /// A file cannot be read, or is no map of lists, or has a name that is almost one of the binary's.
    pub fn read(&self) -> Result<Placeholders, ConfigError> {
        let built_in: Lists = parse(BUILT_IN, Path::new(BUILT_IN_PATH))?;
        let mut lists = built_in.clone();
        for path in &self.paths {
            let text = read_text(path)?;
            let site: Lists = parse(&text, path)?;
            for (name, values) in site {
                if let Some(meant) = mistaken(&name, &built_in) {
                    return Err(ConfigError::mistaken_list(path, &text, &name, meant));
                }
                lists.insert(name, values);
            }
        }
        let may_be_empty: Vec<String> = lists.keys().cloned().collect();
        lists.extend(self.own.clone());
        Ok(lists.into_iter().collect::<Placeholders>().allow_empty(may_be_empty))
    }
}

fn parse(text: &str, path: &Path) -> Result<Lists, ConfigError> {
    if is_blank(text) {
        return Ok(Lists::new());
    }
    serde_saphyr::from_str(text).map_err(|error| ConfigError::invalid(path, text, &error))
}

/// The list of the binary that a name, which is none of them, is most likely meant for. Silently kept beside it, it
/// would allow nothing.
fn mistaken<'l>(name: &str, built_in: &'l Lists) -> Option<&'l str> {
    let known = || built_in.keys().map(String::as_str);
    if built_in.contains_key(name) { None } else { sigma::nearest(name, known()) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(files: &[&str], own: &[(&str, &[&str])]) -> Result<Placeholders, ConfigError> {
        let directory = tempfile::tempdir().unwrap();
        let paths = files.iter().enumerate().map(|(number, text)| {
            let path = directory.path().join(format!("{number}.yaml"));
            fs::write(&path, text).unwrap();
            path
        });
        let own = own.iter().map(|(name, values)| {
            ((*name).to_owned(), values.iter().map(|value| (*value).to_owned()).collect())
        });
        AllowFiles { paths: paths.collect(), own: own.collect() }.read()
    }

    /// Whether a rule that asks `field` for the list loads, and holds of `value`.
    fn allows(lists: &Placeholders, field: &str, name: &str, value: &str) -> bool {
        use crate::event::field::Fields;
        use crate::event::recorded::Recorded;
        let rule = format!(
            "title: T\nlogsource: {{category: process_creation, product: linux}}\n\
             detection:\n  s:\n    {field}|expand: '%{name}%'\n  condition: s\n"
        );
        let set = sigma::RuleSet::load([sigma::Source::new("t.yml", rule)], &Fields, lists).unwrap();
        let event = serde_json::json!({"logsource": "process_creation", field: value}).to_string();
        let mut found = sigma::Matches::default();
        sigma::Engine::new(set).evaluate(&Recorded::parse(&event).unwrap(), &mut found);
        assert!(found.pending.is_empty());
        !found.matched.is_empty()
    }

    #[test]
    fn the_documented_lists_are_the_binarys_own_and_all_are_explained() {
        let lists = read(&[], &[]).unwrap();
        let names: Vec<_> = lists.names().collect();
        assert!(names.len() >= 13, "{names:?}");
        let lines: Vec<&str> = BUILT_IN.lines().collect();
        for name in names {
            let at = lines.iter().position(|line| line.starts_with(&format!("{name}:"))).unwrap();
            assert!(lines[at - 1].starts_with("# "), "{name} is not explained");
        }
    }

    /// Regions are told apart by the spelling of three providers; a pattern for one must not open another's.
    #[test]
    fn the_default_regions_are_those_open_to_a_new_account() {
        let lists = read(&[], &[]).unwrap();
        let region = |region| allows(&lists, "Cloud.Region", "AllowedRegions", region);
        for open in [
            "us-east-1",
            "eu-central-1",
            "ap-northeast-3",
            "us-central1",
            "us-east5",
            "europe-west10",
            "me-west1",
            "asia-southeast2",
            "northamerica-northeast1",
            "eastus",
            "westus3",
            "westeurope",
            "germanywestcentral",
            "uksouth",
            "southcentralus",
            "centralindia",
            "global",
        ] {
            assert!(region(open), "{open}");
        }
        for closed in [
            "af-south-1",
            "ap-east-1",
            "ap-south-2",
            "ap-southeast-3",
            "ap-southeast-4",
            "ap-southeast-5",
            "ca-west-1",
            "eu-central-2",
            "eu-south-1",
            "eu-south-2",
            "il-central-1",
            "me-central-1",
            "me-south-1",
            "mx-central-1",
            "us-gov-east-1",
            "cn-north-1",
            "usgovvirginia",
            "chinanorth3",
        ] {
            assert!(!region(closed), "{closed}");
        }
    }

    #[test]
    fn a_name_takes_the_place_of_the_whole_list_and_the_nearer_wins() {
        let image = |lists: &Placeholders, value| allows(lists, "ContainerImage", "AllowedImages", value);
        let none = read(&[], &[]).unwrap();
        assert!(!image(&none, "a/b:1"), "an empty list allows nothing");
        let one = read(&["AllowedImages: ['a/*', 5000]\n"], &[]).unwrap();
        assert!(image(&one, "A/b:1") && image(&one, "5000") && !image(&one, "c"));
        let two = read(&["AllowedImages: ['a/*']\n", "# nothing\n", "AllowedImages: [c]\nOurs: []\n"], &[])
            .unwrap();
        assert!(image(&two, "c") && !image(&two, "a/b"));
        assert!(!allows(&two, "ContainerImage", "Ours", "c"));
        let own =
            read(&["AllowedImages: [c]\n"], &[("AllowedImages", &["d"]), ("AllowedHosts", &[])]).unwrap();
        assert!(image(&own, "d") && !image(&own, "c"));
        assert_eq!(own.get("AllowedHosts"), Some(&[][..]));
        assert!(read(&["AllowedRegions: []\n"], &[]).is_ok_and(|lists| !allows(
            &lists,
            "Cloud.Region",
            "AllowedRegions",
            "us-east-1"
        )));
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (text, line, reason) in [
            ("AllowedHosts: [a]\nAllowedRegion: [a]\n", 2, "`AllowedRegion` is no list"),
            ("allowedhosts: [a]\n", 1, "did you mean `AllowedHosts`?"),
            ("AllowedHosts:\n  a: b\n", 2, "sequence"),
            ("AllowedHosts: a\n", 1, "sequence"),
            ("AllowedHosts: [a]\nAllowedHosts: [b]\n", 2, "duplicate"),
            ("- a\n", 1, "expected"),
        ] {
            let error = read(&[text], &[]).expect_err(text);
            let excerpt = error.excerpt().expect(text);
            assert_eq!(excerpt.line, line, "{text}: {error}");
            assert!(error.to_string().contains(reason), "{text}: {error}");
        }
        let missing = AllowFiles { paths: vec!["/nonexistent/allow.yaml".into()], ..AllowFiles::default() };
        assert!(missing.read().unwrap_err().to_string().starts_with("cannot read /nonexistent/allow.yaml:"));
    }
}
