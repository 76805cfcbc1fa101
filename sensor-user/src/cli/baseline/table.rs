//! Baselines as tables and lines. Names of images, programs and hosts are others' words: they are made visible.

use std::path::Path;
use std::time::Duration;

use crate::cli::table::table;
use crate::sink::text::escape::visible;
use crate::sink::text::quantity::{bytes, duration, grouped};
use crate::state::baseline::{Baseline, Normal};

/// What learning ended with.
pub(super) fn summary(learned: &Baseline, known: &Baseline, out: &Path) -> String {
    let count = |baseline: &Baseline| {
        let normals = || baseline.images.values();
        (
            baseline.images.len(),
            normals().map(|normal| normal.executables.len()).sum::<usize>(),
            normals().map(|normal| normal.destinations.len()).sum::<usize>(),
        )
    };
    let (images, executables, destinations) = count(learned);
    let took = duration(Duration::from_secs(learned.learned_seconds));
    let mut text = format!(
        "learned in {took}: {images} images, {executables} executables, {destinations} destinations\n"
    );
    if count(known) != (images, executables, destinations) {
        let (images, executables, destinations) = count(known);
        text.push_str(&format!(
            "with what was known before: {images} images, {executables} executables, {destinations} destinations\n"
        ));
    }
    text.push_str(&omitted(known));
    text + &format!("written to {}\n", visible(&out.display().to_string()))
}

/// What there was no room for, a line each.
fn omitted(baseline: &Baseline) -> String {
    let mut text = String::new();
    if baseline.images_omitted > 0 {
        text.push_str(&format!(
            "no room for {} events of further images\n",
            grouped(baseline.images_omitted)
        ));
    }
    for (image, normal) in &baseline.images {
        for (count, what) in
            [(normal.executables_omitted, "executables"), (normal.destinations_omitted, "destinations")]
        {
            if count > 0 {
                let count = grouped(count);
                text.push_str(&format!(
                    "{}: {count} {what} left out, so none is called new\n",
                    visible(image)
                ));
            }
        }
    }
    text
}

/// One row for each image.
pub(super) fn all(baseline: &Baseline) -> String {
    let rows = baseline.images.iter().map(|(image, normal)| {
        let most = normal.destinations.values().max().map_or_else(String::new, |most| bytes(*most));
        vec![
            image.clone(),
            normal.containers.to_string(),
            normal.executables.len().to_string(),
            normal.destinations.len().to_string(),
            most,
        ]
    });
    let header = ["image", "containers", "executables", "destinations", "most sent in an hour"];
    let took = duration(Duration::from_secs(baseline.learned_seconds));
    table(&header, rows) + &format!("\nlearned in {took}\n") + &omitted(baseline)
}

/// Everything of one image.
pub(super) fn one(baseline: &Baseline, normal: &Normal) -> String {
    let executables = table(&["executable"], normal.executables.iter().map(|path| vec![path.clone()]));
    let destinations = normal.destinations.iter().map(|(destination, sent)| {
        let most = baseline.volume_max(normal, destination).map_or_else(String::new, bytes);
        vec![destination.clone(), bytes(*sent), most]
    });
    let header = ["destination", "most sent in an hour", "new above"];
    format!("{executables}\n{}", table(&header, destinations))
}

/// A line for each thing that only one of them has, by image; empty where none is.
pub(super) fn difference(old: &Baseline, new: &Baseline) -> String {
    let mut images: Vec<&String> = old.images.keys().chain(new.images.keys()).collect();
    images.sort();
    images.dedup();
    let mut text = String::new();
    let empty = Normal::default();
    for image in images {
        let (before, now) = (old.normal(image), new.normal(image));
        let mut lines = Vec::new();
        match (before, now) {
            (None, Some(_)) => lines.push("+ image".to_owned()),
            (Some(_), None) => lines.push("- image".to_owned()),
            (Some(_), Some(_)) | (None, None) => {}
        }
        let (before, now) = (before.unwrap_or(&empty), now.unwrap_or(&empty));
        lines.extend(now.executables.difference(&before.executables).map(|path| format!("+ runs {path}")));
        lines.extend(before.executables.difference(&now.executables).map(|path| format!("- runs {path}")));
        let further = now.destinations.keys().filter(|one| !before.destinations.contains_key(*one));
        lines.extend(further.map(|destination| format!("+ connects to {destination}")));
        let gone = before.destinations.keys().filter(|one| !now.destinations.contains_key(*one));
        lines.extend(gone.map(|destination| format!("- connects to {destination}")));
        if !lines.is_empty() {
            text.push_str(&format!("{}\n", visible(image)));
            lines.iter().for_each(|line| text.push_str(&format!("  {}\n", visible(line))));
        }
    }
    text
}
