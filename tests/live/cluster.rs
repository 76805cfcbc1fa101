//! A pod that the Kubernetes API knows, on this node: its alert has what only the API tells, and does not wait for a
//! server that does not answer.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tests::agent::{Agent, Line};
use tests::cluster::Cluster;
use tests::containerd::{POD_NAMESPACE, Pod};
use tests::docker::IMAGE;
use tests::wire::{Mode, Wire};
use tests::world::{SHARED, World, artefact};

use crate::Case;
use crate::transfer::ALERT_MAX;

/// The account and its rights as they are handed out.
const ACCOUNT: &str = include_str!("../../deploy/kubernetes/base/account.yaml");
const RIGHTS: &str = include_str!("../../deploy/kubernetes/component/api/rbac.yaml");
const NODE: &str = "node-1";
const UPLOAD: [&str; 5] = ["curl", "-sS", "-T", "/lab/payload.bin", "http://10.201.0.1/upload/cluster.bin"];
/// Whoever does not answer holds up no start.
const START_MAX: Duration = Duration::from_secs(3);

pub(crate) fn cases() -> Vec<Case> {
    vec![Case::new("cluster: labels, owner, account and node by the API", tells_what_the_api_knows)]
}

fn tells_what_the_api_knows(world: &World) -> Result<String> {
    let lab = artefact("TIDEWAITER_LAB", "target/lab", "cargo xtask setup")?;
    let directory = world.directory().join("cluster");
    std::fs::create_dir(&directory)?;
    let cluster = Cluster::start(&lab, &directory)?;
    cluster.create(ACCOUNT)?;
    cluster.create(RIGHTS)?;
    cluster.create(&format!("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {POD_NAMESPACE}\n"))?;
    let uid = create(&cluster, "parcel")?;
    let token = cluster.token("tidewaiter", "tidewaiter")?;

    // At first the server takes connections and answers nothing.
    let wire = Wire::start(cluster.port(), Mode::Held)?;
    let kubeconfig = cluster.kubeconfig("kubeconfig", &token, wire.port(), true)?;
    let settings = format!("kubernetes: {{mode: on, kubeconfig: {}, node: {NODE}}}\n", kubeconfig.display());
    let mut agent = world.agent_with("cluster", &settings)?;
    let ready = agent.await_ready()?.age;
    ensure!(ready < START_MAX, "ready after {ready:?} beside a server that does not answer");
    let pod = world.containerd()?.pod_as("parcel", uid)?;
    let alert = alert(world, &mut agent, &pod, "unanswered")?;
    ensure_names(&alert, &pod)?;
    let missing = [alert.field("orchestrator.resource.label"), alert.field("tidewaiter.pod")];
    ensure!(missing == [None, None], "{missing:?} without an answer");
    let first = alert.delay()?;

    wire.set(Mode::Open);
    let told = "a word of the API";
    agent.await_log(ALERT_MAX * 6, told, |line| line.contains("tells the pods of this node again"))?;
    let alert = self::alert(world, &mut agent, &pod, "answered")?;
    ensure_names(&alert, &pod)?;
    ensure_field(&alert, "orchestrator.resource.label", &json!(["app=parcel", "tier=front"]))?;
    ensure_field(&alert, "orchestrator.resource.parent", &json!({"type": "Deployment", "name": "parcel"}))?;
    let pod_told = json!({"owner": "Deployment/parcel", "service_account": "courier", "node": NODE});
    ensure_field(&alert, "tidewaiter.pod", &pod_told)?;
    ensure!(!agent.log()?.contains(&token), "the token is in the log");
    Ok(format!(
        "ready after {} ms, alert after {} ms beside a silent server, {} ms beside one that answers",
        ready.as_millis(),
        first.as_millis(),
        alert.delay()?.as_millis()
    ))
}

/// The pod as the API has it, made by a Deployment's ReplicaSet. Gives its uid.
fn create(cluster: &Cluster, name: &str) -> Result<String> {
    let uid = |made: &Value| -> Result<String> {
        let uid = made.pointer("/metadata/uid").and_then(Value::as_str);
        uid.map(str::to_owned).with_context(|| format!("no uid in {made}"))
    };
    let owned = |kind: &str, owner: &str, uid: &str| json!([{"apiVersion": "apps/v1", "kind": kind, "name": owner, "uid": uid, "controller": true}]);
    let labels = json!({"app": name, "tier": "front"});
    let containers = json!([{"name": "carrier", "image": IMAGE}]);
    let spec = json!({
        "replicas": 0, "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
    });
    let group = format!("/apis/apps/v1/namespaces/{POD_NAMESPACE}");
    let document = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec,
    });
    let deployment = uid(&cluster.call("POST", &format!("{group}/deployments"), &document.to_string())?)?;
    let set = format!("{name}-65747dc769");
    let document = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "spec": spec,
        "metadata": {"name": set, "ownerReferences": owned("Deployment", name, &deployment)},
    });
    let made = uid(&cluster.call("POST", &format!("{group}/replicasets"), &document.to_string())?)?;
    let document = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": labels, "ownerReferences": owned("ReplicaSet", &set, &made)},
        "spec": {"nodeName": NODE, "serviceAccountName": "courier", "containers": containers},
    });
    let pods = format!("/api/v1/namespaces/{POD_NAMESPACE}/pods");
    uid(&cluster.call("POST", &pods, &document.to_string())?)
}

/// The alert about an upload from a container of the pod.
fn alert(world: &World, agent: &mut Agent, pod: &Pod<'_>, name: &str) -> Result<Line> {
    let shared = world.shared().display().to_string();
    let container = pod.container(name, IMAGE, Some((&shared, SHARED)), &UPLOAD)?;
    let ended = container.run()?;
    ensure!(ended.status == 0, "curl itself ended with {}: {}", ended.status, ended.output);
    let what = format!("an alert about {}", container.id);
    agent.await_line(ALERT_MAX, &what, |line| line.is_alert_of(&container.id))
}

/// What the node's own files tell.
fn ensure_names(alert: &Line, pod: &Pod<'_>) -> Result<()> {
    ensure_field(alert, "orchestrator.namespace", &json!(POD_NAMESPACE))?;
    ensure_field(alert, "orchestrator.resource.name", &json!(pod.spec.name))?;
    ensure_field(alert, "orchestrator.resource.id", &json!(pod.spec.uid))
}

fn ensure_field(alert: &Line, field: &str, expected: &Value) -> Result<()> {
    alert.ensure_field(field, expected).with_context(|| format!("the alert: {}", alert.document))
}
