//! What users apply to a cluster: every way of it is rendered by kubectl or Helm and held against the schemas of several versions of
//! Kubernetes, and what it grants is what the documents say.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test program from end to end"
)]

mod chart;
mod page;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// From the oldest to the newest that there are schemas of.
const VERSIONS: [&str; 4] = ["1.25", "1.28", "1.31", "1.34"];
const COMPONENTS: [&str; 5] = ["api", "monitor", "rules", "docker", "crio"];
/// kubectl before 1.21 knows no components.
const NEEDED: &str = "kubectl 1.21 or newer";

fn manifests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/kubernetes").canonicalize().unwrap()
}

/// What renders and what judges; where one is not here, that is said.
fn has_tools() -> bool {
    let judges = python().is_file();
    if !judges {
        println!(
            "manifests are not held against Kubernetes' schemas: the lab's Python (cargo xtask setup) is not here"
        );
    }
    has_kubectl() && judges
}

fn has_kubectl() -> bool {
    let rendered = Command::new("kubectl").arg("kustomize").arg(manifests().join("least")).output();
    let renders = rendered.is_ok_and(|output| output.status.success());
    if !renders {
        println!("what kustomize makes is not looked at: {NEEDED} is not here");
    }
    renders
}

fn lab() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::env::var_os("TIDEWAITER_LAB").map_or_else(|| root.join("../target/lab"), PathBuf::from)
}

fn python() -> PathBuf {
    lab().join("python/bin/python")
}

/// The documents of an overlay with components, held against all versions.
fn documents(overlay: &str, components: &[&str]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    // A folder of its own stands for the user's; kustomize wants relative paths.
    let up: PathBuf = folder.path().canonicalize().unwrap().iter().skip(1).map(|_| "..").collect();
    let place = |name: &str| up.join(manifests().join(name).strip_prefix("/").unwrap()).display().to_string();
    let mut text = format!(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [{}]\ncomponents:\n",
        place(overlay)
    );
    components.iter().for_each(|name| text += &format!("  - {}\n", place(&format!("component/{name}"))));
    if components.is_empty() {
        text = text.replace("components:\n", "");
    }
    fs::write(folder.path().join("kustomization.yaml"), text).unwrap();
    let rendered = Command::new("kubectl").arg("kustomize").arg(folder.path()).output().unwrap();
    assert!(rendered.status.success(), "{overlay}: {}", String::from_utf8_lossy(&rendered.stderr));
    let file = folder.path().join("rendered.yaml");
    fs::write(&file, rendered.stdout).unwrap();
    judged(&file).unwrap_or_else(|mistakes| panic!("{overlay} with {components:?}: {mistakes}"))
}

/// The documents of a file, or what one of the versions does not expect in them.
fn judged(file: &Path) -> Result<Vec<Value>, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut python = Command::new(python());
    python.arg("-B").arg(root.join("deploy/manifest.py")).arg(file).args(VERSIONS);
    let output = python.output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = String::from_utf8(output.stdout).unwrap();
    Ok(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn agent(documents: &[Value]) -> &Value {
    let set = documents.iter().find(|document| document["kind"] == "DaemonSet").unwrap();
    &set["spec"]["template"]["spec"]["containers"][0]
}

fn texts(list: &Value) -> BTreeSet<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn every_way_is_what_kubernetes_expects() {
    if !has_tools() {
        return;
    }
    for overlay in [".", "privileged", "least"] {
        let documents = documents(overlay, &[]);
        assert_eq!(documents.len(), 4, "a namespace, an account, a configuration and a DaemonSet: {overlay}");
    }
    for component in COMPONENTS {
        documents("privileged", &[component]);
    }
    let all = documents("least", &COMPONENTS);
    let mounts = agent(&all)["volumeMounts"].as_array().unwrap();
    assert!(mounts.iter().any(|mount| mount["name"] == "rules"), "{mounts:?}");
    assert_eq!(agent(&all)["ports"][0]["containerPort"], 9477);
}

#[test]
fn the_least_way_grants_five_capabilities_and_no_token() {
    if !has_tools() {
        return;
    }
    let documents = documents("least", &[]);
    let context = &agent(&documents)["securityContext"];
    let granted = texts(&context["capabilities"]["add"]);
    assert_eq!(granted, BTreeSet::from(["BPF", "PERFMON", "NET_ADMIN", "SYS_PTRACE", "DAC_READ_SEARCH"]));
    assert_eq!(texts(&context["capabilities"]["drop"]), BTreeSet::from(["ALL"]));
    assert_eq!((&context["privileged"], &context["readOnlyRootFilesystem"]), (&false.into(), &true.into()));
    assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault");
    let set = documents.iter().find(|document| document["kind"] == "DaemonSet").unwrap();
    let pod = &set["spec"]["template"]["spec"];
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert_eq!((&pod["hostPID"], &pod["hostNetwork"]), (&true.into(), &Value::Null));
    let writable = agent(&documents)["volumeMounts"].as_array().unwrap().iter();
    let writable =
        writable.filter(|mount| mount["readOnly"] != true).map(|mount| mount["mountPath"].as_str().unwrap());
    assert_eq!(writable.collect::<BTreeSet<_>>(), BTreeSet::from(["/run/tidewaiter", "/var/lib/tidewaiter"]));
}

#[test]
fn the_configuration_is_one_that_the_sensor_takes() {
    let config = sensor_user::config::Config::read(&manifests().join("base/tidewaiter.yaml"));
    assert!(config.is_ok(), "{config:?}");
}

#[test]
fn a_mistake_would_be_found() {
    if !has_tools() {
        return;
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = fs::read_to_string(manifests().join("base/daemonset.yaml")).unwrap();
    fs::write(file.path(), text.replace("hostPID: true", "hostPid: true")).unwrap();
    let mistakes = judged(file.path()).unwrap_err();
    assert!(mistakes.contains("hostPid") && mistakes.lines().count() == VERSIONS.len(), "{mistakes}");
}
