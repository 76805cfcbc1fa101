//! Pods as the tests make them: a Deployment's, and a CronJob's, on a node.

use anyhow::{Context as _, Result};
use serde_json::Value;
use tests::cluster::Cluster;

/// Where they are.
pub(crate) const NAMESPACE: &str = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n";
const PODS: &str = "/api/v1/namespaces/shop/pods";

/// Text of a uid.
fn uid(made: &Value) -> Result<String> {
    let uid = made.pointer("/metadata/uid").and_then(Value::as_str);
    uid.map(str::to_owned).with_context(|| format!("no uid in {made}"))
}

fn template(name: &str) -> String {
    format!(
        "template: {{metadata: {{labels: {{app: {name}}}}}, spec: {{restartPolicy: Never, containers: [{{name: {name}, image: 'shop/{name}:1'}}]}}}}"
    )
}

fn owned(group: &str, kind: &str, name: &str, uid: &str) -> String {
    format!(
        "ownerReferences: [{{apiVersion: {group}, kind: {kind}, name: {name}, uid: {uid}, controller: true}}]"
    )
}

/// A Deployment with its ReplicaSet, as its controller makes it: gives the reference of a pod's maker.
pub(crate) fn deployment(cluster: &Cluster, name: &str) -> Result<String> {
    let template = template(name).replace("restartPolicy: Never, ", "");
    let selector = format!("replicas: 0, selector: {{matchLabels: {{app: {name}}}}}");
    let document = format!(
        "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: {name}}}, spec: {{{selector}, {template}}}}}"
    );
    let deployment = uid(&cluster.call("POST", "/apis/apps/v1/namespaces/shop/deployments", &document)?)?;
    let owner = owned("apps/v1", "Deployment", name, &deployment);
    let set = format!("{name}-65747dc769");
    let document = format!(
        "{{apiVersion: apps/v1, kind: ReplicaSet, metadata: {{name: {set}, {owner}}}, spec: {{{selector}, \
         {template}}}}}"
    );
    let made = uid(&cluster.call("POST", "/apis/apps/v1/namespaces/shop/replicasets", &document)?)?;
    Ok(owned("apps/v1", "ReplicaSet", &set, &made))
}

/// A Job, as the CronJob `name` makes it.
pub(crate) fn job(cluster: &Cluster, name: &str) -> Result<String> {
    // The job's name alone tells nothing; that there is such a CronJob is not checked by the server.
    let owner = owned("batch/v1beta1", "CronJob", name, "8a1c3d51-3cb3-4a8c-a4d8-0ee17a3c1dd5");
    let job = format!("{name}-1700000000");
    let document = format!(
        "{{apiVersion: batch/v1, kind: Job, metadata: {{name: {job}, {owner}}}, spec: {{{}}}}}",
        template(name)
    );
    let made = uid(&cluster.call("POST", "/apis/batch/v1/namespaces/shop/jobs", &document)?)?;
    Ok(owned("batch/v1", "Job", &job, &made))
}

/// A pod with one container called as itself; `more` goes into its metadata. Gives its uid.
pub(crate) fn create(cluster: &Cluster, name: &str, node: &str, more: &str) -> Result<String> {
    let document = format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, labels: {{app: {name}, tier: front}}, {more}}}, \
         spec: {{nodeName: {node}, serviceAccountName: shop, containers: [{{name: {name}, image: 'shop/{name}:1', \
         livenessProbe: {{exec: {{command: [cat, /tmp/healthy]}}}}}}]}}}}"
    );
    uid(&cluster.call("POST", PODS, &document)?)
}

/// Says as a kubelet does that its container runs.
pub(crate) fn runs(cluster: &Cluster, name: &str, id: &str) -> Result<()> {
    let status = serde_json::json!({"status": {"phase": "Running", "containerStatuses": [{
        "name": name, "image": format!("shop/{name}:1"), "ready": true, "restartCount": 0,
        "imageID": format!("docker.io/shop/{name}@sha256:{}", "3".repeat(64)),
        "containerID": format!("containerd://{id}"), "state": {"running": {}},
    }]}});
    cluster.call("PATCH", &format!("{PODS}/{name}/status"), &status.to_string()).map(drop)
}

/// Gives it one more label.
pub(crate) fn label(cluster: &Cluster, name: &str, label: &str, value: &str) -> Result<()> {
    let change = serde_json::json!({"metadata": {"labels": {label: value}}});
    cluster.call("PATCH", &format!("{PODS}/{name}"), &change.to_string()).map(drop)
}

/// Deletes it, as a kubelet does that has stopped it.
pub(crate) fn delete(cluster: &Cluster, name: &str) -> Result<()> {
    let now = "{apiVersion: v1, kind: DeleteOptions, gracePeriodSeconds: 0}";
    cluster.call("DELETE", &format!("{PODS}/{name}"), now).map(drop)
}

/// Waits until the server's memory has all of them.
pub(crate) fn settle(cluster: &Cluster) -> Result<()> {
    cluster.settle(PODS)
}
