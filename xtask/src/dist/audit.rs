//! The list of crates inside of the binary, for scanners that see nothing but it: JSON, packed by zlib, in the section
//! `.dep-v0` (rust-secure-code/cargo-auditable, PARSING.md).
//!
//! Not by that tool: it wraps the compiler, and cargo mixes the wrapper's path into the names of symbols, so that two
//! folders never build the same binary.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use miniz_oxide::deflate::compress_to_vec_zlib;
use serde_json::{Value, json};

use super::sbom::{self, Node};
use super::{Shipment, binary};
use crate::command;

const SECTION: &str = ".dep-v0";
/// Of zlib, 0 to 10: it is a few kilobytes.
const LEVEL: u8 = 9;
/// What is handed on is the program of this package.
const ROOT: &str = "sensor-user";

/// Puts the list into a binary.
pub(super) fn add(shipment: &Shipment<'_>, binary: &Path) -> Result<()> {
    let list = list(&sbom::crates(shipment, &[(ROOT, shipment.machine.triple())])?);
    let file = shipment.place.target.join("crates.zlib");
    fs::write(&file, compress_to_vec_zlib(list.to_string().as_bytes(), LEVEL))
        .with_context(|| format!("cannot write {}", file.display()))?;
    // The tool chain's own, which knows every machine; its libraries lie where rustc has them.
    let programs = binary::programs()?;
    let mut objcopy = Command::new(programs.join("rust-objcopy"));
    objcopy.env("LD_LIBRARY_PATH", programs.join("../../.."));
    objcopy.arg(format!("--add-section={SECTION}={}", file.display())).arg(binary);
    command::read(&mut objcopy).context("the list of crates does not get into the binary")?;
    Ok(())
}

/// Packages in the order of their names, each with the places of those it needs.
fn list(nodes: &BTreeMap<String, Node>) -> Value {
    let key = |node: &Node| {
        ["name", "version", "source"].map(|key| node.package[key].as_str().unwrap_or_default().to_owned())
    };
    let mut sorted: Vec<(&String, &Node)> = nodes.iter().collect();
    sorted.sort_by_key(|(_, node)| key(node));
    let places: BTreeMap<&str, usize> =
        sorted.iter().enumerate().map(|(place, (id, _))| (id.as_str(), place)).collect();
    let package = |(_, node): &(&String, &Node)| {
        let mut row = json!({
            "name": node.package["name"],
            "version": node.package["version"],
            "source": source(&node.package),
        });
        if !node.is_inside {
            row["kind"] = json!("build");
        }
        let mut needs: Vec<usize> =
            node.needs.iter().filter_map(|id| places.get(id.as_str()).copied()).collect();
        needs.sort_unstable();
        if !needs.is_empty() {
            row["dependencies"] = json!(needs);
        }
        if node.package["name"] == ROOT {
            row["root"] = json!(true);
        }
        row
    };
    json!({"packages": sorted.iter().map(package).collect::<Vec<_>>()})
}

/// As scanners look it up.
fn source(package: &Value) -> &'static str {
    match package["source"].as_str() {
        None => "local",
        Some(source) if source.contains("github.com/rust-lang/crates.io-index") => "crates.io",
        Some(source) if source.starts_with("git+") => "git",
        Some(_) => "registry",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_package_has_its_source_and_the_places_of_what_it_needs() {
        let node = |name: &str, source: Option<&str>, is_inside, needs: &[&str]| {
            let package = json!({"name": name, "version": "1.0.0", "source": source});
            let needs: BTreeSet<String> = needs.iter().copied().map(str::to_owned).collect();
            (format!("id of {name}"), Node { package, is_inside, needs })
        };
        let index = Some("registry+https://github.com/rust-lang/crates.io-index");
        let nodes = [
            node(ROOT, None, true, &["id of z", "id of b"]),
            node("z", index, false, &[]),
            node("b", Some("git+https://example.org/b"), true, &["id of z", "id of tests"]),
        ];
        let expected = json!({"packages": [
            {"name": "b", "version": "1.0.0", "source": "git", "dependencies": [2]},
            {"name": ROOT, "version": "1.0.0", "source": "local", "dependencies": [0, 2], "root": true},
            {"name": "z", "version": "1.0.0", "source": "crates.io", "kind": "build"},
        ]});
        assert_eq!(list(&nodes.into()), expected);
    }
}
