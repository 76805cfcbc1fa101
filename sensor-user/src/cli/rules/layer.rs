//! `tidewaiter rules layer`: the techniques that rules are about, for the ATT&CK Navigator.
//!
//! Layer file format 4.5: <https://github.com/mitre-attack/attack-navigator/blob/master/layers/spec/v4.5/layerformat.md>.

use std::collections::BTreeMap;

use serde::Serialize;
use sigma::Level;

use super::list::{ListOptions, load};
use super::{Loaded, counted};
use crate::alert::Detection;
use crate::cli::table::print;
use crate::cli::{Exit, Failure};
use crate::detection::{Detections, attack};

pub(super) const ABOUT: &str = "\
Write an ATT&CK Navigator layer of the techniques that rules are about

Standard output gets a layer of format 4.5 for ATT&CK v19, which the Navigator opens by \"Open Existing Layer\". A \
technique's score is the level of its gravest detection (informational 10, low 25, medium 50, high 75, critical 100); \
its comment names all of them.";

pub(super) const EXAMPLES: &str = "\
Examples:
  tidewaiter rules layer >tidewaiter.json
      What comes with the binary
  tidewaiter rules layer --rules my-rules --no-embedded-rules >mine.json
      What is in a folder";

/// Of the layer format.
const FORMAT: &str = "4.5";
/// The oldest Navigator that reads it.
const NAVIGATOR: &str = "4.9.0";
/// Of the gravest level.
const SCORE_MAX: u8 = 100;

/// From pale to grave.
const COLOURS: [&str; 3] = ["#ffe8c2", "#ff9c5b", "#c4161c"];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    name: &'static str,
    versions: Versions,
    domain: &'static str,
    description: String,
    filters: Filters,
    sorting: u8,
    layout: Layout,
    techniques: Vec<Technique>,
    gradient: Gradient,
}

#[derive(Serialize)]
struct Versions {
    attack: &'static str,
    navigator: &'static str,
    layer: &'static str,
}

#[derive(Serialize)]
struct Filters {
    platforms: [&'static str; 3],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Layout {
    layout: &'static str,
    #[serde(rename = "showID")]
    show_id: bool,
    show_name: bool,
    show_aggregate_scores: bool,
    aggregate_function: &'static str,
    expanded_subtechniques: &'static str,
}

#[derive(Serialize)]
struct Technique {
    #[serde(rename = "techniqueID")]
    id: String,
    score: u8,
    comment: String,
    metadata: Vec<Metadata>,
}

#[derive(Serialize)]
struct Metadata {
    name: &'static str,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Gradient {
    colors: [&'static str; 3],
    min_value: u8,
    max_value: u8,
}

pub(super) fn layer(options: ListOptions) -> Result<Exit, Failure> {
    let (loaded, detections) = load(options)?;
    // Strings, numbers and lists of them: there is nothing in it that has no JSON form.
    print(
        &serde_json::to_string_pretty(&make(&loaded, &detections))
            .map(|json| json + "\n")
            .unwrap_or_default(),
    );
    Ok(Exit::Good)
}

fn make(loaded: &Loaded, detections: &Detections) -> Layer {
    let mut by_technique: BTreeMap<&str, Vec<&Detection>> = BTreeMap::new();
    let told = loaded.set.rules().iter().zip(detections.iter()).filter(|(rule, _)| rule.reports);
    let mut count = 0;
    for (_, (detection, _)) in told {
        count += 1;
        for id in &detection.techniques {
            by_technique.entry(id).or_default().push(detection);
        }
    }
    Layer {
        name: "Tidewaiter",
        versions: Versions { attack: attack::VERSION, navigator: NAVIGATOR, layer: FORMAT },
        domain: "enterprise-attack",
        description: format!(
            "{} of tidewaiter {}; a score is the gravest level",
            counted(count, "detection"),
            env!("CARGO_PKG_VERSION")
        ),
        filters: Filters { platforms: ["Linux", "Containers", "IaaS"] },
        // By score, the gravest first.
        sorting: 3,
        layout: Layout {
            layout: "side",
            show_id: true,
            show_name: true,
            show_aggregate_scores: true,
            aggregate_function: "max",
            expanded_subtechniques: "annotated",
        },
        techniques: by_technique.into_iter().map(|(id, of)| technique(id, &of)).collect(),
        gradient: Gradient { colors: COLOURS, min_value: 0, max_value: SCORE_MAX },
    }
}

fn technique(id: &str, detections: &[&Detection]) -> Technique {
    let level = detections.iter().map(|detection| detection.level).max();
    let named = detections.iter().map(|detection| format!("{} ({})", detection.name, detection.level));
    Technique {
        id: id.to_owned(),
        score: level.map(score).unwrap_or_default(),
        comment: named.collect::<Vec<_>>().join(", "),
        metadata: vec![Metadata { name: "detections", value: detections.len().to_string() }],
    }
}

/// Evenly spread, and never zero: a zero would look like nothing.
fn score(level: Level) -> u8 {
    match level {
        Level::Informational => 10,
        Level::Low => 25,
        Level::Medium => 50,
        Level::High => 75,
        Level::Critical => SCORE_MAX,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::config::Config;
    use crate::detection::Catalogue;

    /// The layer format's own words: which keys there are, and which must be.
    #[test]
    fn it_is_a_layer_of_format_4_5() {
        let lists = Config::default().placeholders().unwrap();
        let loaded = Loaded::new(Catalogue::built_in(), lists).unwrap();
        let detections = loaded.catalogue.bind(loaded.set.rules()).unwrap();
        let layer = serde_json::to_value(make(&loaded, &detections)).unwrap();
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let known = [
            "description",
            "domain",
            "filters",
            "gradient",
            "layout",
            "name",
            "sorting",
            "techniques",
            "versions",
        ];
        assert!(keys(&layer).iter().all(|key| known.contains(&key.as_str())), "{:?}", keys(&layer));
        assert_eq!(layer["domain"], "enterprise-attack");
        assert_eq!(layer["versions"], json!({"attack": "19", "navigator": "4.9.0", "layer": "4.5"}));
        let gradient = &layer["gradient"];
        assert!(gradient["minValue"].as_u64() < gradient["maxValue"].as_u64());
        assert!(gradient["colors"].as_array().unwrap().len() >= 2);
        let techniques = layer["techniques"].as_array().unwrap();
        let ids: Vec<_> = techniques.iter().map(|one| one["techniqueID"].as_str().unwrap()).collect();
        assert!(ids.is_sorted() && ids.contains(&"T1105") && ids.contains(&"T1048.002"), "{ids:?}");
        assert!(ids.iter().all(|id| attack::Technique::find(id).is_some()), "{ids:?}");
        for one in techniques {
            let score = one["score"].as_u64().unwrap();
            assert!((1..=100).contains(&score), "{one}");
            let count: usize = one["metadata"][0]["value"].as_str().unwrap().parse().unwrap();
            assert_eq!(one["comment"].as_str().unwrap().split(", ").count(), count, "{one}");
        }
        let tool = techniques.iter().find(|one| one["techniqueID"] == "T1105").unwrap();
        assert!(tool["comment"].as_str().unwrap().contains("curl_download (informational)"), "{tool}");
    }
}
