//! The live picture as one document. Containers and processes are flat lists under the names of ECS: a
//! process names its container by `container.id` and its parent by `process.parent.pid`.

use serde::Serialize;

use super::dotted::Dotted;
use super::{ECS_VERSION, SCHEMA};
use crate::control::protocol::{ConnectionRow, ContainerRow, Entry, ProcessRow};
use crate::control::scene::{Ground, Scene};
use crate::sink::Origin;
use crate::state::phase::Phase;

/// All that is shown, each fact once.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub struct PictureDocument(Dotted);

impl PictureDocument {
    /// `origin` is the host's, to tell times as dates.
    #[must_use]
    pub fn new(scene: &Scene, origin: &Origin) -> Self {
        let (head, end) = (&scene.head, &scene.end);
        let grounds = scene.grounds.iter();
        let containers: Vec<Dotted> = grounds
            .clone()
            .filter_map(|ground| Some(container(ground.container.as_ref()?, ground)))
            .collect();
        let nodes = grounds.flat_map(|ground| &ground.processes);
        let processes: Vec<Dotted> = nodes
            .map(|node| {
                let mut document = process(&node.process, origin);
                if !node.connections.is_empty() {
                    let all = node.connections.iter().map(|it| connection(it, origin)).collect();
                    document.set_list("connections", all);
                }
                document
            })
            .collect();
        let mut document = Dotted::default();
        document.set_known("@timestamp", origin.date(head.now).map(|time| format!("{time:.6}")));
        document.set("kind", "picture");
        let message = format!("{} processes live on {}", end.processes, head.hostname);
        document.set("message", message);
        document.set("event.kind", "state");
        document.set("event.category", vec!["process"]);
        document.set("event.module", "tidewaiter");
        document.set("event.dataset", "tidewaiter.picture");
        document.set("host.hostname", head.hostname.as_str());
        document.set("host.os.type", "linux");
        document.set("host.os.kernel", head.kernel.as_str());
        document.set("agent.type", "tidewaiter");
        document.set("agent.version", head.agent_version.as_str());
        document.set("ecs.version", ECS_VERSION);
        document.set("tidewaiter.schema", SCHEMA);
        document.set("tidewaiter.agent.pid", head.agent_pid);
        document
            .set_known("tidewaiter.agent.start", origin.date(head.started).map(|time| format!("{time:.6}")));
        document.set("tidewaiter.total.processes", end.processes);
        document.set("tidewaiter.total.host_processes", end.host_processes);
        document.set("tidewaiter.total.connections", end.connections);
        document.set("tidewaiter.omitted.processes", end.omitted_processes);
        document.set("tidewaiter.omitted.connections", end.omitted_connections);
        document.set_list("tidewaiter.containers", containers);
        document.set_list("tidewaiter.processes", processes);
        Self(document)
    }
}

fn container(row: &ContainerRow, ground: &Ground) -> Dotted {
    let mut document = Dotted::default();
    document.set("container.id", row.id.as_str());
    document.set_known("container.name", row.name.as_deref());
    document.set_known("container.image.name", row.image.as_deref());
    document.set_known("container.image.hash.all", row.image_digest.as_deref().map(|digest| vec![digest]));
    document.set("container.runtime", row.runtime.as_str());
    if row.pod.is_some() || row.pod_uid.is_some() {
        document.set("orchestrator.type", "kubernetes");
        document.set_known("orchestrator.namespace", row.pod.as_ref().map(|pod| pod.namespace.as_str()));
        document.set("orchestrator.resource.type", "pod");
        document.set_known("orchestrator.resource.name", row.pod.as_ref().map(|pod| pod.name.as_str()));
        let uid = row.pod.as_ref().map(|pod| &pod.uid).or(row.pod_uid.as_ref());
        document.set_known("orchestrator.resource.id", uid.map(String::as_str));
    }
    document.set_known("tidewaiter.container.image.id", row.image_id.as_deref());
    document.set_known("tidewaiter.container.verified", row.is_verified);
    document.set("tidewaiter.container.role", row.role.as_str());
    document.set_known("tidewaiter.container.phase", ground.phase.map(Phase::name));
    if !row.outer.is_empty() {
        document.set("tidewaiter.container.outer", row.outer.clone());
    }
    document.set_known("tidewaiter.pod.owner", row.pod.as_ref().and_then(|pod| pod.owner.as_deref()));
    document.set_known("tidewaiter.pod.node", row.pod.as_ref().and_then(|pod| pod.node.as_deref()));
    document
}

fn process(row: &ProcessRow, origin: &Origin) -> Dotted {
    let date = |time| origin.date(time).map(|time| format!("{time:.6}"));
    let mut document = Dotted::default();
    document.set("process.pid", row.pid);
    document.set("process.entity_id", format!("{}-{}", row.pid, row.start));
    document.set("process.name", row.name.as_str());
    document.set("process.executable", row.executable.as_str());
    document.set("process.command_line", row.command_line.as_str());
    document.set_known("process.start", date(row.start));
    document.set_known("process.parent.pid", row.parent);
    document.set("user.id", row.uid.to_string());
    document.set_known("user.name", row.user.as_deref());
    if row.effective_uid != row.uid {
        document.set("user.effective.id", row.effective_uid.to_string());
    }
    document.set_known("container.id", row.container.as_deref());
    document.set_known("tidewaiter.process.login_user.id", row.login_uid.map(|uid| uid.to_string()));
    document.set_known("tidewaiter.process.terminal", row.terminal.as_deref());
    document.set_known("tidewaiter.process.entry", entry(row.entry));
    if !row.images.is_empty() {
        document.set("tidewaiter.images", row.images.clone());
    }
    document.set("tidewaiter.executable.memfd", row.is_memfd);
    document.set("tidewaiter.executable.deleted", row.is_deleted);
    document.set("tidewaiter.executable.upper_layer", row.is_upper_layer);
    document.set("tidewaiter.executable.written", row.written.is_some());
    if let Some(writer) = &row.written {
        document.set("tidewaiter.executable.writer.pid", writer.pid);
        document.set("tidewaiter.executable.writer.executable", writer.image.as_str());
        document.set("tidewaiter.executable.writer.command_line", writer.command_line.as_str());
        document.set_known("tidewaiter.executable.writer.time", date(writer.time));
    }
    if let Some(identity) = &row.identity {
        document.set_known("tidewaiter.identity.cgroup", identity.cgroup.as_deref());
        document.set_known("tidewaiter.identity.mount", identity.mount.as_deref());
        document.set_known("tidewaiter.identity.pid", identity.pid.as_deref());
        document.set_known("tidewaiter.identity.trick", identity.trick.as_deref());
    }
    document
}

/// By which door the process came into its container.
fn entry(entry: Entry) -> Option<&'static str> {
    match entry {
        Entry::Unknown => None,
        Entry::Main => Some("main"),
        Entry::Exec => Some("exec"),
        Entry::Terminal => Some("terminal"),
        Entry::Probe => Some("probe"),
    }
}

fn connection(row: &ConnectionRow, origin: &Origin) -> Dotted {
    let mut document = Dotted::default();
    document.set("destination.ip", row.address.to_string());
    document.set("destination.port", row.port);
    document.set_known("destination.domain", row.hostname.as_deref());
    document.set("destination.bytes", row.received);
    document.set("source.bytes", row.sent);
    document.set("network.transport", row.transport.as_str());
    document.set("network.type", if row.address.is_ipv4() { "ipv4" } else { "ipv6" });
    document.set("network.direction", row.direction.as_str());
    document.set("tidewaiter.network.connected", row.is_connected);
    document.set("tidewaiter.network.state", "open");
    document.set_known("event.start", origin.date(row.since).map(|time| format!("{time:.6}")));
    document
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::scene::{Choice, tests::rows};
    use crate::sink::{json, sample};

    #[test]
    fn programs_get_every_fact_once() {
        let scene = Scene::new(rows(), &Choice::default());
        let line = json::encode(&PictureDocument::new(&scene, &sample::origin()));
        let told: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(told["kind"], "picture");
        assert_eq!(told["@timestamp"], "2026-11-21T10:00:00.000000Z");
        let own = &told["tidewaiter"];
        assert_eq!(own["omitted"]["processes"], 210);
        let (shop, web) = (&own["containers"][0], &own["containers"][1]);
        assert_eq!(shop["orchestrator"]["resource"]["name"], "shop-7d9f");
        assert_eq!(shop["tidewaiter"]["container"]["verified"], false);
        assert_eq!(web["container"]["image"]["name"], "nginx:1.25");
        let processes = own["processes"].as_array().unwrap();
        assert_eq!(processes.len(), 6);
        let of = |pid: u32| processes.iter().find(|it| it["process"]["pid"] == pid).unwrap();
        assert_eq!(of(120)["connections"][0]["source"]["bytes"], 3 << 20);
        assert_eq!(of(120)["process"]["parent"]["pid"], 100);
        assert_eq!(of(130)["tidewaiter"]["executable"]["writer"]["pid"], 4242);
        assert_eq!(of(140)["tidewaiter"]["identity"]["trick"], "cgroup_left");
        assert!(of(50).get("container").is_none());
    }
}
