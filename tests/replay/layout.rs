//! The layouts of runtimes, as they were recorded or as their sources say: cgroup paths and the trees on disk
//! beside them, under `tests/data/layout/`, and what must be made of them.
//!
//! `cargo test -p tests --test replay layout -- --nocapture` prints the table.

use std::fs;
use std::path::{Path, PathBuf};

use sensor_user::host::container::{ContainerRoots, ContainerSource};
use sensor_user::state::cgroup_path;
use sensor_user::state::container::{CgroupIdentity, Container};
use serde_json::{Map, Value};

/// Fewest layouts and paths: data that is not read proves nothing.
const LAYOUTS_MIN: usize = 18;
const PATHS_MIN: usize = 80;

#[test]
fn every_layout_is_read_as_it_is_meant() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/layout");
    let mut folders: Vec<PathBuf> =
        fs::read_dir(&data).expect("the data").flatten().map(|entry| entry.path()).collect();
    folders.sort();
    let mut wrong = Vec::new();
    let mut paths = 0;
    println!("{:<20} {:<10} {:<10} {:<12} pod, around, state", "layout", "runtime", "role", "name");
    for folder in &folders {
        let layout = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let text = fs::read_to_string(folder.join("layout.json")).expect("layout.json");
        let document: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{layout}: {error}"));
        assert!(document["source"].as_str().is_some_and(|source| source.len() > 20), "{layout}: no source");
        let source = ContainerSource::new(roots(folder, &document["roots"]));
        for cgroup in document["cgroups"].as_array().unwrap_or_else(|| panic!("{layout}: no cgroups")) {
            let path = cgroup["path"].as_str().unwrap_or_else(|| panic!("{layout}: a cgroup without a path"));
            let found = find(&source, path);
            paths += 1;
            println!("{layout:<20} {}", row(found.as_ref()));
            let (found, expected) = (told(found.as_ref()), expected(cgroup));
            for (field, value) in &expected {
                if found.get(field) != Some(value) {
                    wrong.push(format!("{layout} {path}\n  {field}: {:?}, not {value}", found.get(field)));
                }
            }
        }
    }
    println!("{paths} cgroups of {} layouts", folders.len());
    assert!(
        folders.len() >= LAYOUTS_MIN && paths >= PATHS_MIN,
        "{paths} cgroups of {} layouts",
        folders.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The folder's own directories in place of those of this machine.
fn roots(folder: &Path, roots: &Value) -> ContainerRoots {
    let mut places = Map::new();
    for kind in ["docker", "containerd", "storage", "lxc", "nspawn", "runc"] {
        let paths = roots[kind].as_array().into_iter().flatten().filter_map(Value::as_str);
        let paths: Vec<Value> = paths.map(|path| folder.join(path).display().to_string().into()).collect();
        places.insert(kind.to_owned(), paths.into());
    }
    serde_json::from_value(places.into()).expect("roots")
}

/// As the agent does: by the path's own words first, else by whoever says that the path is its.
fn find(source: &ContainerSource, path: &str) -> Option<(CgroupIdentity, Container)> {
    let Some(identity) = cgroup_path::identify(path) else {
        let container = source.lookup_cgroup(path).expect("readable files")?;
        let identity = CgroupIdentity {
            id: container.id.clone(),
            runtime: container.runtime,
            pod_uid: None,
            outer: Vec::new(),
            user: cgroup_path::user(path),
        };
        return Some((identity, container));
    };
    let container = source.lookup(&identity).expect("readable files");
    Some((identity.clone(), container.unwrap_or_else(|| Container::from_cgroup(&identity))))
}

/// What was found, under the names of `layout.json`.
fn told(found: Option<&(CgroupIdentity, Container)>) -> Map<String, Value> {
    let Some((identity, container)) = found else {
        return Map::from_iter([("host".to_owned(), true.into())]);
    };
    let pod = container.pod.as_ref().map(|pod| format!("{}/{}", pod.namespace, pod.name));
    let outer: Vec<&String> = identity.outer.iter().map(|(id, _)| id).collect();
    let fields: [(&str, Value); 13] = [
        ("host", false.into()),
        ("id", container.id.clone().into()),
        ("runtime", container.runtime.name().into()),
        ("name", container.name.clone().into()),
        ("image", container.image.clone().into()),
        ("image_id", container.image_id.clone().into()),
        ("image_digest", container.image_digest.clone().into()),
        ("pod", pod.into()),
        ("pod_uid", container.pod_uid.clone().into()),
        ("role", container.role.name().into()),
        ("outer", serde_json::json!(outer)),
        ("user", identity.user.into()),
        ("verified", container.is_verified().into()),
    ];
    let mut told = Map::from_iter(fields.map(|(name, value)| (name.to_owned(), value)));
    told.insert("probe".to_owned(), serde_json::json!(container.probes.first()));
    told
}

/// What is written down, and what goes without saying: verified, a workload, nothing around it.
fn expected(cgroup: &Value) -> Map<String, Value> {
    let mut expected = cgroup.as_object().cloned().unwrap_or_default();
    expected.remove("path");
    if !expected.contains_key("host") {
        let plain: [(&str, Value); 6] = [
            ("verified", true.into()),
            ("role", "workload".into()),
            ("outer", serde_json::json!([])),
            ("user", Value::Null),
            ("pod", Value::Null),
            ("name", Value::Null),
        ];
        for (name, value) in plain {
            expected.entry(name).or_insert(value);
        }
    }
    expected
}

fn row(found: Option<&(CgroupIdentity, Container)>) -> String {
    let Some((identity, container)) = found else { return "the host's".to_owned() };
    let pod = container.pod.as_ref().map(|pod| format!("{}/{}", pod.namespace, pod.name));
    let name = container.name.as_deref().unwrap_or("-");
    let short: String = name.chars().take(12).collect();
    let known = if container.is_verified() { "" } else { "  no runtime knows it" };
    format!(
        "{:<10} {:<10} {short:<12} {}{}{known}",
        container.runtime.name(),
        container.role.name(),
        pod.unwrap_or_default(),
        if identity.outer.is_empty() { String::new() } else { format!("  in {}", identity.outer.len()) },
    )
}
