//! The software bill of materials: CycloneDX 1.5 in JSON, of what cargo resolved for the binary.
//!
//! Named are the crates of both halves and what is linked in from the tool chain. What only builds (scripts, macros) is
//! named too, as excluded. Nothing in it changes from one run to the next: no time, no serial number.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::Shipment;
use crate::command;
use crate::place::Place;
use crate::progress;
use crate::toolchain;

/// A package of the graph, by cargo's id.
pub(super) struct Node {
    pub(super) package: Value,
    /// Whether something of it is in the binary.
    pub(super) is_inside: bool,
    /// Ids of others.
    pub(super) needs: BTreeSet<String>,
}

/// Cargo's answer about one half.
struct Graph {
    packages: BTreeMap<String, Value>,
    nodes: BTreeMap<String, Value>,
}

/// Writes it.
pub(super) fn make(shipment: &Shipment<'_>) -> Result<PathBuf> {
    let place = shipment.place;
    let halves = [("sensor-user", shipment.machine.triple()), ("sensor-ebpf", toolchain::TARGET)];
    let nodes = crates(shipment, &halves)?;
    let sums = sums(place)?;
    let mut components: Vec<Value> = nodes.values().map(|node| component(node, &sums)).collect();
    components.extend(linked());
    let dependencies: Vec<Value> = nodes
        .values()
        .map(|node| {
            let needs = node.needs.iter().filter_map(|id| nodes.get(id)).map(|node| reference(&node.package));
            json!({"ref": reference(&node.package), "dependsOn": needs.collect::<BTreeSet<_>>()})
        })
        .collect();
    let document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {
            "type": "application",
            "bom-ref": "tidewaiter",
            "name": "tidewaiter",
            "version": shipment.version,
            "licenses": [{"expression": "Apache-2.0 OR MIT"}],
        }},
        "components": components,
        "dependencies": dependencies,
    });
    let file = shipment.file(".cdx.json");
    fs::write(&file, serde_json::to_string_pretty(&document)? + "\n")
        .with_context(|| format!("cannot write {}", file.display()))?;
    let inside = nodes.values().filter(|node| node.is_inside).count();
    let detail =
        format!("{inside} crates inside, {} that only build, {}", nodes.len() - inside, file.display());
    progress::good("bill of materials", &detail);
    Ok(file)
}

/// What these packages need, each on its machine, themselves among it; by cargo's ids.
pub(super) fn crates(shipment: &Shipment<'_>, roots: &[(&str, &str)]) -> Result<BTreeMap<String, Node>> {
    let mut nodes = BTreeMap::new();
    for (root, triple) in roots {
        let graph = Graph::read(shipment.place, triple)?;
        let id = graph.id(root).with_context(|| format!("cargo knows no {root}"))?;
        graph.walk(&id, true, &mut nodes);
    }
    Ok(nodes)
}

impl Graph {
    fn read(place: &Place, triple: &str) -> Result<Self> {
        let mut cargo = command::cargo();
        cargo.current_dir(&place.root).args(["metadata", "--locked", "--format-version", "1"]);
        let text = command::read(cargo.args(["--filter-platform", triple]))?;
        let metadata: Value = serde_json::from_str(&text).context("cargo metadata wrote no JSON")?;
        let by_id = |list: &Value| -> BTreeMap<String, Value> {
            let items = list.as_array().into_iter().flatten();
            items.filter_map(|item| Some((item["id"].as_str()?.to_owned(), item.clone()))).collect()
        };
        Ok(Self { packages: by_id(&metadata["packages"]), nodes: by_id(&metadata["resolve"]["nodes"]) })
    }

    fn id(&self, name: &str) -> Option<String> {
        self.packages.iter().find(|(_, package)| package["name"] == name).map(|(id, _)| id.clone())
    }

    /// Everything that `id` needs, by way of what is not for tests alone. A second, better reason to be named wins.
    fn walk(&self, id: &str, is_inside: bool, nodes: &mut BTreeMap<String, Node>) {
        let Some(package) = self.packages.get(id) else { return };
        let is_inside = is_inside && !is_macro(package);
        match nodes.get(id) {
            Some(known) if known.is_inside || !is_inside => return,
            Some(_) | None => {}
        }
        let empty = Vec::new();
        let edges = self.nodes.get(id).and_then(|node| node["deps"].as_array()).unwrap_or(&empty);
        let kinds = |edge: &Value| -> Vec<Option<String>> {
            let kinds = edge["dep_kinds"].as_array().into_iter().flatten();
            kinds.map(|kind| kind["kind"].as_str().map(str::to_owned)).collect()
        };
        let needed: Vec<(String, bool)> = edges
            .iter()
            .filter_map(|edge| {
                let kinds = kinds(edge);
                let is_linked = kinds.contains(&None);
                let is_built_with = kinds.iter().flatten().any(|kind| kind == "build");
                (is_linked || is_built_with).then(|| Some((edge["pkg"].as_str()?.to_owned(), is_linked)))?
            })
            .collect();
        let needs = needed.iter().map(|(id, _)| id.clone()).collect();
        nodes.insert(id.to_owned(), Node { package: package.clone(), is_inside, needs });
        for (id, is_linked) in needed {
            self.walk(&id, is_inside && is_linked, nodes);
        }
    }
}

/// Whether it runs in the compiler.
fn is_macro(package: &Value) -> bool {
    let targets = package["targets"].as_array().into_iter().flatten();
    targets
        .flat_map(|target| target["kind"].as_array().into_iter().flatten())
        .any(|kind| kind == "proc-macro")
}

fn reference(package: &Value) -> String {
    let word = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
    format!("pkg:cargo/{}@{}", word("name"), word("version"))
}

fn component(node: &Node, sums: &BTreeMap<String, String>) -> Value {
    let Node { package, is_inside, .. } = node;
    let reference = reference(package);
    let mut component = json!({
        "type": "library",
        "bom-ref": reference,
        "name": package["name"],
        "version": package["version"],
        "scope": if *is_inside { "required" } else { "excluded" },
    });
    // Ours are in no registry.
    if package["source"].is_string() {
        component["purl"] = json!(reference);
    }
    if let Some(sum) = sums.get(&reference) {
        component["hashes"] = json!([{"alg": "SHA-256", "content": sum}]);
    }
    if let Some(licence) = package["license"].as_str() {
        // Old crates have a slash for it.
        component["licenses"] = json!([{"expression": licence.replace('/', " OR ").replace("  ", " ")}]);
    }
    component
}

/// The sums of `Cargo.lock`, by [`reference`]: its tables of packages have one key a line.
fn sums(place: &Place) -> Result<BTreeMap<String, String>> {
    let lock = place.root.join("Cargo.lock");
    let text = fs::read_to_string(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    Ok(text
        .split("[[package]]")
        .filter_map(|table| {
            let value = |key: &str| {
                let line = table.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""))?;
                line.strip_suffix('"').map(str::to_owned)
            };
            Some((format!("pkg:cargo/{}@{}", value("name")?, value("version")?), value("checksum")?))
        })
        .collect())
}

/// What is linked in beside crates: Rust's standard library, and the C library, of the machine that builds.
fn linked() -> Vec<Value> {
    let rustc = command::read(command::rustc().arg("-vV")).unwrap_or_default();
    let release = rustc.lines().find_map(|line| line.strip_prefix("release: ")).unwrap_or("unknown");
    let mut query = Command::new("dpkg-query");
    let libc = command::read(query.args(["--show", "--showformat=${Version}", "libc6-dev"]));
    let mut components = vec![json!({
        "type": "library",
        "bom-ref": "rust-std",
        "name": "rust-std",
        "version": release,
        "scope": "required",
        "licenses": [{"expression": "Apache-2.0 OR MIT"}],
    })];
    if let Ok(version) = libc {
        components.push(json!({
            "type": "library",
            "bom-ref": "glibc",
            "name": "glibc",
            "version": version,
            "scope": "required",
            "purl": format!("pkg:deb/debian/libc6-dev@{}", version.replace('+', "%2B")),
            "licenses": [{"expression": "LGPL-2.1-or-later"}],
        }));
    }
    components
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_linked_builds_or_tests_is_told_apart() {
        let package = |name: &str, kind: &str| json!({"id": name, "name": name, "version": "1.0.0", "targets": [{"kind": [kind]}]});
        let names = ["agent", "linked", "macro", "of_macro", "script", "for_tests"];
        let packages = names
            .map(|name| (name.to_owned(), package(name, if name == "macro" { "proc-macro" } else { "lib" })));
        let edge = |name: &str, kind: Value| json!({"pkg": name, "dep_kinds": [{"kind": kind}]});
        let nodes = [
            (
                "agent",
                json!({"deps": [
                    edge("linked", Value::Null), edge("macro", Value::Null), edge("for_tests", json!("dev")),
                ]}),
            ),
            ("linked", json!({"deps": [edge("script", json!("build"))]})),
            ("macro", json!({"deps": [edge("of_macro", Value::Null), edge("linked", Value::Null)]})),
        ];
        let nodes = nodes.map(|(name, node)| (name.to_owned(), node));
        let graph = Graph { packages: packages.into(), nodes: nodes.into() };
        let mut found = BTreeMap::new();
        graph.walk("agent", true, &mut found);
        let found: Vec<_> = found.iter().map(|(name, node)| (name.as_str(), node.is_inside)).collect();
        let expected =
            [("agent", true), ("linked", true), ("macro", false), ("of_macro", false), ("script", false)];
        assert_eq!(found, expected);
    }
}
