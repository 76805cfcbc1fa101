//! The Helm chart, rendered by the real Helm: every form of it is held against Kubernetes' schemas, and what it makes is what the
//! overlays of kustomize make, but for the names and labels that are Helm's.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Map, Value, json};

use crate::{COMPONENTS, VERSIONS, agent, documents, has_kubectl, judged, lab, python};

/// The label by which Helm tells its releases apart; kustomize knows none.
const INSTANCE: &str = "app.kubernetes.io/instance";
/// The annotation that stands for the hash in the name of kustomize's ConfigMap.
const CHECKSUM: &str = "checksum/config";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/helm/tidewaiter").canonicalize().unwrap()
}

/// Helm and what judges; where one is not here, that is said.
fn has_helm() -> bool {
    let is_here = program().is_file() && python().is_file();
    if !is_here {
        println!("the chart is not rendered: the lab's Helm and Python (cargo xtask setup) are not here");
    }
    is_here
}

fn program() -> PathBuf {
    lab().join("helm/helm")
}

/// Helm with a home of its own: it asks no server and reads no settings of this user.
fn helm(words: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    let mut helm = Command::new(program());
    helm.args(words).env_clear().env("HOME", home.path());
    helm.output().unwrap()
}

fn template(release: &str, namespace: &str, values: &[&str]) -> Result<Vec<u8>, String> {
    let chart = folder().display().to_string();
    let words = ["template", release, &chart, "--namespace", namespace, "--kube-version", VERSIONS[0]];
    let output = helm(&[&words, values].concat());
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// The documents of a release called like the chart, held against all versions.
fn chart(values: &[&str]) -> Vec<Value> {
    release("tidewaiter", "tidewaiter", values)
}

fn release(name: &str, namespace: &str, values: &[&str]) -> Vec<Value> {
    let text = template(name, namespace, values).unwrap_or_else(|said| panic!("{values:?}: {said}"));
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    judged(file.path()).unwrap_or_else(|mistakes| panic!("{values:?}: {mistakes}"))
}

/// The values that do what a component does.
fn values_of(component: &str) -> Vec<String> {
    let set = |value: &str| vec!["--set".to_owned(), value.to_owned()];
    match component {
        "api" => set("api.enabled=true"),
        "monitor" => set("metrics.enabled=true"),
        "rules" => {
            let file = crate::manifests().join("component/rules/example.yml");
            vec!["--set-file".to_owned(), format!("rules.example\\.yml={}", file.display())]
        }
        "docker" => set("runtimes.docker=true"),
        "crio" => set("runtimes.crio=true"),
        other => panic!("the chart has nothing for the component {other}"),
    }
}

/// Documents by kind and name, without what is kustomize's or Helm's alone.
fn plain(documents: Vec<Value>) -> BTreeMap<String, Value> {
    let hashed = documents.iter().filter(|document| document["kind"] == "ConfigMap");
    let hashed: Vec<String> =
        hashed.map(|document| document["metadata"]["name"].as_str().unwrap().to_owned()).collect();
    // Helm makes no namespace: who installs names it, and its NOTES say what label that needs.
    let kept = documents.into_iter().filter(|document| document["kind"] != "Namespace");
    let named = kept.map(|mut document| {
        strip(&mut document, &hashed);
        if let Some(metadata) = document["metadata"].as_object_mut() {
            metadata.remove("labels");
        }
        if let Some(text) = document["data"]["tidewaiter.yaml"].as_str() {
            document["data"]["tidewaiter.yaml"] = serde_saphyr::from_str(text).unwrap();
        }
        let name = document["metadata"]["name"].as_str().unwrap();
        (format!("{} {name}", document["kind"].as_str().unwrap()), document)
    });
    named.collect()
}

/// Takes out instances, checksums and the hashes of kustomize, at whatever depth.
fn strip(value: &mut Value, hashed: &[String]) {
    match value {
        Value::Object(map) => {
            [INSTANCE, CHECKSUM].iter().for_each(|key| drop(map.remove(*key)));
            map.values_mut().for_each(|value| strip(value, hashed));
        }
        Value::Array(list) => list.iter_mut().for_each(|value| strip(value, hashed)),
        Value::String(text) if hashed.contains(text) && text.starts_with("tidewaiter-") => {
            let is_hash = |end: &str| end.len() == 10 && end.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if let Some((name, end)) = text.clone().rsplit_once('-')
                && is_hash(end)
            {
                name.clone_into(text);
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn the_chart_makes_what_the_overlays_make() {
    if !has_helm() || !has_kubectl() {
        return;
    }
    let all: &[&str] = &COMPONENTS;
    let singles = COMPONENTS.iter().map(std::slice::from_ref);
    let forms = [(".", &all[..0]), ("privileged", &all[..0]), ("least", &all[..0]), ("least", all)];
    for (overlay, components) in forms.into_iter().chain(singles.map(|one| ("privileged", one))) {
        let mut values: Vec<String> = components.iter().flat_map(|name| values_of(name)).collect();
        if overlay != "." {
            values.extend(["--set".to_owned(), format!("privilege={overlay}")]);
        }
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let (ours, theirs) = (plain(chart(&values)), plain(documents(overlay, components)));
        let names = |all: &BTreeMap<String, Value>| all.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&ours), names(&theirs), "{overlay} with {components:?}");
        for (name, document) in &ours {
            assert_eq!(document, &theirs[name], "{name} of {overlay} with {components:?}");
        }
    }
}

#[test]
fn every_form_is_free_of_lint() {
    if !has_helm() {
        return;
    }
    let chart = folder().display().to_string();
    let forms = ["privilege=privileged", "privilege=least", "api.enabled=true,metrics.enabled=true"];
    for form in forms {
        let output = helm(&["lint", "--strict", &chart, "--set", form]);
        let said = String::from_utf8_lossy(&output.stdout);
        let is_clean = said.contains("1 chart(s) linted, 0 chart(s) failed") && !said.contains("[WARNING]");
        assert!(output.status.success() && is_clean, "{form}: {said}");
    }
}

#[test]
fn a_monitor_of_services_is_there_to_be_chosen() {
    if !has_helm() {
        return;
    }
    let documents = chart(&["--set", "metrics.enabled=true,metrics.monitor=service,metrics.port=9000"]);
    let of = |kind: &str| documents.iter().find(|document| document["kind"] == kind).unwrap();
    let (service, monitor) = (of("Service"), of("ServiceMonitor"));
    assert_eq!(
        (&service["spec"]["clusterIP"], &service["spec"]["ports"][0]["port"]),
        (&json!("None"), &json!(9000))
    );
    assert_eq!(agent(&documents)["ports"][0]["containerPort"], 9000);
    assert_eq!(monitor["spec"]["endpoints"][0]["port"], service["spec"]["ports"][0]["name"]);
    for (label, value) in monitor["spec"]["selector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(&service["metadata"]["labels"][label], value, "the monitor does not find its service");
    }
    assert!(!documents.iter().any(|document| document["kind"] == "PodMonitor"));
    let none = chart(&["--set", "metrics.enabled=true,metrics.monitor=none,metrics.networkPolicy=false"]);
    let kinds: BTreeSet<&str> = none.iter().map(|document| document["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, BTreeSet::from(["ConfigMap", "DaemonSet", "ServiceAccount"]));
}

/// What the pod mounts of the node, by type.
fn host_paths(documents: &[Value]) -> Vec<(String, String)> {
    let set = documents.iter().find(|document| document["kind"] == "DaemonSet").unwrap();
    let volumes = set["spec"]["template"]["spec"]["volumes"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    volumes
        .filter(|volume| volume["hostPath"].is_object())
        .map(|volume| (text(&volume["hostPath"]["path"]), text(&volume["hostPath"]["type"])))
        .collect()
}

/// The configuration of a release, as the sensor reads it.
fn configuration(documents: &[Value]) -> Result<sensor_user::config::Config, String> {
    let is_it = |document: &&Value| document["data"]["tidewaiter.yaml"].is_string();
    let text = documents.iter().find(is_it).unwrap()["data"]["tidewaiter.yaml"].as_str().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    sensor_user::config::Config::read(file.path()).map_err(|error| error.to_string())
}

#[test]
fn sockets_of_runtimes_are_mounted_when_asked_for_and_no_sooner() {
    if !has_helm() {
        return;
    }
    let without = chart(&["--set", "runtimes.docker=true,runtimes.crio=true,api.enabled=true"]);
    assert!(host_paths(&without).iter().all(|(_, kind)| kind != "Socket"), "{:?}", host_paths(&without));
    let with = chart(&["--set", "runtimes.sockets[0].kind=cri,runtimes.sockets[0].path=/run/crio/crio.sock"]);
    let sockets = host_paths(&with).into_iter().filter(|(_, kind)| kind == "Socket");
    assert_eq!(sockets.collect::<Vec<_>>(), [("/run/crio/crio.sock".to_owned(), "Socket".to_owned())]);
    let mounts = agent(&with)["volumeMounts"].as_array().unwrap();
    let mount = mounts.iter().find(|mount| mount["mountPath"] == "/run/crio/crio.sock").unwrap();
    assert_eq!(mount["readOnly"], true);
    let config = configuration(&with).unwrap();
    assert!(format!("{config:?}").contains("/run/crio/crio.sock"), "the sensor is not told of its socket");
}

#[test]
fn what_a_site_sets_arrives() {
    if !has_helm() {
        return;
    }
    let values = tempfile::NamedTempFile::new().unwrap();
    let text = r#"
image: {repository: registry.example.org/tidewaiter, digest: "sha256:0000000000000000000000000000000000000000000000000000000000000000", pullSecrets: [registry]}
config: {syslog: ["tls://loghost.example.org"], outbox: {mebibytes: 16384}}
tolerations: []
priorityClassName: ""
resources: {requests: {cpu: 100m, memory: 128Mi}, limits: {memory: 512Mi}}
volumes: [{name: receiver, secret: {secretName: tidewaiter-receiver}}]
mounts: [{name: receiver, mountPath: /etc/tidewaiter-receiver, readOnly: true}]
env: [{name: SSL_CERT_FILE, value: /etc/tidewaiter-receiver/ca.pem}]
account: {create: false, name: sensor}
podLabels: {team: security}
"#;
    fs::write(values.path(), text).unwrap();
    let documents = chart(&["--values", &values.path().display().to_string()]);
    let set = documents.iter().find(|document| document["kind"] == "DaemonSet").unwrap();
    let pod = &set["spec"]["template"]["spec"];
    let image = agent(&documents)["image"].as_str().unwrap();
    assert!(image.starts_with("registry.example.org/tidewaiter@sha256:"), "{image}");
    assert_eq!(
        (&pod["imagePullSecrets"][0]["name"], &pod["serviceAccountName"]),
        (&json!("registry"), &json!("sensor"))
    );
    assert_eq!((&pod["tolerations"], &pod["priorityClassName"]), (&Value::Null, &Value::Null));
    assert_eq!(agent(&documents)["resources"]["limits"]["memory"], "512Mi");
    assert_eq!(set["spec"]["template"]["metadata"]["labels"]["team"], "security");
    assert_eq!(agent(&documents)["env"][1]["name"], "SSL_CERT_FILE");
    let last = |list: &Value| list.as_array().unwrap().last().unwrap()["name"].clone();
    assert_eq!(
        (last(&agent(&documents)["volumeMounts"]), last(&pod["volumes"])),
        (json!("receiver"), json!("receiver"))
    );
    let config = configuration(&documents).unwrap();
    let config = format!("{config:?}");
    assert!(config.contains("loghost.example.org") && config.contains("16384"), "{config}");
    assert!(!documents.iter().any(|document| document["kind"] == "ServiceAccount"));
    // Another configuration has another checksum: the pods are replaced.
    let sum = |documents: &[Value]| {
        let set = documents.iter().find(|document| document["kind"] == "DaemonSet").unwrap();
        set["spec"]["template"]["metadata"]["annotations"][CHECKSUM].as_str().unwrap().to_owned()
    };
    assert_ne!(sum(&documents), sum(&chart(&[])));
}

#[test]
fn releases_of_other_names_stand_beside_each_other() {
    if !has_helm() {
        return;
    }
    let long = "a-release-with-a-name-as-long-as-helm-lets-it-be-53-ch";
    let cut = &long[..53];
    let values = ["--set", "api.enabled=true,metrics.enabled=true,metrics.monitor=service"];
    let mut roles = BTreeSet::new();
    for (name, namespace) in
        [("tidewaiter", "tidewaiter"), ("tidewaiter", "blue"), ("edge", "blue"), (cut, "blue")]
    {
        for document in release(name, namespace, &values) {
            let called = document["metadata"]["name"].as_str().unwrap().to_owned();
            // What becomes a label or a name in DNS has 63 characters, roles have 253.
            let is_role = document["kind"].as_str().unwrap().starts_with("ClusterRole");
            assert!(called.len() <= if is_role { 253 } else { 63 }, "{called}");
            if document["kind"] == "ClusterRole" {
                assert!(roles.insert(called.clone()), "two releases share the cluster's role {called}");
            }
        }
    }
    assert_eq!(roles.len(), 8);
}

#[test]
fn values_that_make_no_sense_are_refused() {
    if !has_helm() {
        return;
    }
    let refused = [
        ("privilege=some", "privilege"),
        ("privileged=true", "privileged"),
        ("metrics.port=99999", "port"),
        ("image.digest=sha256:abc", "digest"),
        ("runtimes.sockets[0].path=/run/crio/crio.sock", "kind"),
        ("outbox.path=here", "path"),
        ("account.create=false", "account.name"),
        (
            "config.containers.sockets[0].kind=cri,runtimes.sockets[0].kind=cri,runtimes.sockets[0].path=/a",
            "runtimes.sockets",
        ),
    ];
    for (value, word) in refused {
        let said = template("tidewaiter", "tidewaiter", &["--set", value]).unwrap_err();
        assert!(said.contains(word), "{value}: {said}");
    }
    // Of two of the same name the later counts.
    let said = template("tidewaiter", "tidewaiter", &["--kube-version", "1.24"]).unwrap_err();
    assert!(said.contains("kubeVersion"), "{said}");
}

/// The keys that a schema knows and those that the values have are the same, at every level that is closed.
fn ensure_same_keys(schema: &Value, values: &Value, place: &str) {
    let empty = Map::new();
    let keys = |value: &Value| value.as_object().unwrap_or(&empty).keys().cloned().collect::<BTreeSet<_>>();
    let mut known = keys(&schema["properties"]);
    // Helm's own, of charts that hold others.
    known.remove("global");
    assert_eq!(known, keys(values), "{place}");
    for (key, below) in schema["properties"].as_object().unwrap() {
        if below["additionalProperties"] == false {
            ensure_same_keys(below, &values[key], &format!("{place}.{key}"));
        }
    }
}

#[test]
fn the_schema_knows_every_value_and_each_is_explained() {
    let text = fs::read_to_string(folder().join("values.yaml")).unwrap();
    let values: Value = serde_saphyr::from_str(&text).unwrap();
    let schema = fs::read_to_string(folder().join("values.schema.json")).unwrap();
    ensure_same_keys(&serde_json::from_str(&schema).unwrap(), &values, "values");
    // A comment above, beside, or above the group of lines that a key stands in.
    let mut explained = false;
    for line in text.lines() {
        let is_key = line.starts_with(|first: char| first.is_ascii_alphabetic());
        explained = (explained || line.contains("# ")) && !line.is_empty();
        assert!(!is_key || explained, "nothing explains {line:?}");
    }
}

#[test]
fn the_chart_has_the_version_of_the_sensor() {
    let text = fs::read_to_string(folder().join("Chart.yaml")).unwrap();
    let chart: Value = serde_saphyr::from_str(&text).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!((&chart["version"], &chart["appVersion"]), (&json!(version), &json!(version)));
}
