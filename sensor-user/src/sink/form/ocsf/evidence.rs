//! What an alert stands on: processes, files, connections and URLs, and the containers it is about.

use serde_json::{Value, json};

use super::super::view::{View, base};
use super::Object;

/// Most of them beside the first; the story's steps, which are all there is, are bounded likewise.
const EVIDENCES_MAX: usize = 64;

/// The process with all that the document has of its connection and file, then each further file, URL and other end.
pub(super) fn evidences(view: View<'_>) -> Vec<Value> {
    let mut first = Object::default();
    first.put("name", "process").put("process", process(view));
    first.known("container", container(view));
    let destination = view.get("destination").map(View);
    if let Some(place) = destination {
        connect(&mut first, place, view.text("network.transport"), view.text("network.direction"));
    }
    let mut bytes = Object::default();
    bytes.known("bytes_sent", view.number("source.bytes"));
    bytes.known("bytes_received", view.number("destination.bytes"));
    first.known("data", bytes.some());
    let mut urls = urls(view);
    first.known("url", urls.next());
    first.known("file", view.text("file.path").map(file));
    let mut evidences = vec![first.into()];
    let more = files(view).chain(urls.map(|url| json!({ "name": "url", "url": url })));
    evidences.extend(more.chain(places(view)).take(EVIDENCES_MAX));
    evidences
}

fn process(view: View<'_>) -> Object {
    let mut process = Object::default();
    process.known("name", view.text("process.name")).known("pid", view.number("process.pid"));
    process.known("uid", view.text("process.entity_id"));
    process.known("cmd_line", view.text("process.command_line"));
    process.known("created_time", view.milliseconds("process.start"));
    process.known("working_directory", view.text("process.working_directory"));
    if let Some(path) = view.text("process.executable") {
        process.put("path", path).put("file", regular_file(path));
    }
    let mut user = Object::default();
    user.known("uid", view.text("process.user.id")).known("name", view.text("process.user.name"));
    process.known("user", user.some());
    let terminal = view.text("tidewaiter.process.terminal");
    process.known("session", terminal.map(|terminal| json!({ "terminal": terminal })));
    process.known("parent_process", view.get("process.parent").map(|parent| entity(View(parent))));
    let ancestry: Vec<Value> =
        view.list("tidewaiter.lineage").map(|ancestor| entity(ancestor).into()).collect();
    process.known("ancestry", (!ancestry.is_empty()).then_some(ancestry));
    process
}

fn entity(view: View<'_>) -> Object {
    let mut entity = Object::default();
    let path = view.text("executable");
    entity.known("pid", view.number("pid")).known("uid", view.text("entity_id")).known("path", path);
    entity.known("name", view.text("name").or(path.map(base)));
    entity.known("cmd_line", view.text("command_line"));
    entity
}

fn container(view: View<'_>) -> Option<Object> {
    let mut container = Object::default();
    container.put("uid", view.text("container.id")?);
    container.known("name", view.text("container.name"));
    container.known("runtime", view.text("container.runtime"));
    container.known("orchestrator", view.text("orchestrator.type"));
    let name = view.text("container.image.name");
    if let Some(id) = view.text("tidewaiter.container.image.id").or(name) {
        let mut image = Object::default();
        image.put("uid", id).known("name", name);
        container.put("image", image);
    }
    let digest = view.texts("container.image.hash.all").next();
    if let Some(digest) = digest.and_then(|digest| digest.strip_prefix("sha256:")).filter(|it| is_hex(it)) {
        container.put("hash", json!({ "algorithm_id": 3, "algorithm": "SHA-256", "value": digest }));
    }
    let pod = view.text("orchestrator.resource.id").filter(|id| id.parse::<uuid::Uuid>().is_ok());
    container.known("pod_uuid", pod);
    Some(container)
}

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Puts the other end where it belongs: who opened the connection is its source.
fn connect(into: &mut Object, place: View<'_>, transport: Option<&str>, direction: Option<&str>) {
    let mut endpoint = Object::default();
    endpoint.known("ip", place.text("ip")).known("port", place.number("port"));
    endpoint.known("hostname", place.text("domain"));
    let is_inbound = direction == Some("ingress");
    into.put(if is_inbound { "src_endpoint" } else { "dst_endpoint" }, endpoint);
    let (direction, word) = match direction {
        Some("ingress") => (1, "Inbound"),
        Some("egress") => (2, "Outbound"),
        _ => (0, "Unknown"),
    };
    let mut info = Object::default();
    info.put("direction_id", direction).put("direction", word).known("protocol_name", transport);
    let is_6 = place.text("ip").is_some_and(|ip| ip.contains(':'));
    info.put("protocol_ver_id", if is_6 { 6 } else { 4 });
    into.put("connection_info", info);
}

/// A program's: nothing else can be run.
fn regular_file(path: &str) -> Value {
    json!({ "name": base(path), "path": path, "type_id": 1, "type": "Regular File" })
}

fn file(path: &str) -> Value {
    json!({ "name": base(path), "path": path, "type_id": 0, "type": "Unknown" })
}

/// But the first, which stands with the process.
fn files(view: View<'_>) -> impl Iterator<Item = Value> {
    view.texts("tidewaiter.files").skip(1).map(|path| json!({ "name": "file", "file": file(path) }))
}

fn urls(view: View<'_>) -> impl Iterator<Item = Value> {
    let remotes = view.texts("tidewaiter.transfer.remote").filter(|remote| remote.contains("://"));
    remotes.map(|remote| json!({ "url_string": remote }))
}

/// Other ends of the story's connections, each once, but the first.
fn places(view: View<'_>) -> impl Iterator<Item = Value> {
    let key = |place: View<'_>| {
        Some((
            place.text("ip")?.to_owned(),
            place.number("port")?,
            place.text("transport").map(str::to_owned),
        ))
    };
    let first = view.get("destination").map(View).and_then(|place| {
        Some((
            place.text("ip")?.to_owned(),
            place.number("port")?,
            view.text("network.transport").map(str::to_owned),
        ))
    });
    let mut known = vec![first];
    view.list("tidewaiter.steps").filter_map(move |step| {
        let place = key(step)?;
        // No address and no port stand for several.
        if place.1 == 0 || known.contains(&Some(place.clone())) {
            return None;
        }
        known.push(Some(place));
        let mut evidence = Object::default();
        evidence.put("name", "connection");
        connect(&mut evidence, step, step.text("transport"), step.text("direction"));
        Some(evidence.into())
    })
}

/// What analysts look for elsewhere, each value once, under the observable types of the schema.
pub(super) fn observables(view: View<'_>) -> Vec<Value> {
    const HOSTNAME: u8 = 1;
    const IP_ADDRESS: u8 = 2;
    const USER_NAME: u8 = 4;
    const URL: u8 = 6;
    const FILE_NAME: u8 = 7;
    const PROCESS_NAME: u8 = 9;
    const RESOURCE_UID: u8 = 10;
    const COMMAND_LINE: u8 = 13;
    const FILE_PATH: u8 = 45;
    let word = |kind: u8| match kind {
        HOSTNAME => "Hostname",
        IP_ADDRESS => "IP Address",
        USER_NAME => "User Name",
        URL => "URL String",
        FILE_NAME => "File Name",
        PROCESS_NAME => "Process Name",
        RESOURCE_UID => "Resource UID",
        COMMAND_LINE => "Command Line",
        _ => "File Path",
    };
    let mut observables: Vec<Value> = Vec::new();
    let mut put = |kind: u8, name: &str, value: Option<&str>| {
        let Some(value) = value else { return };
        let observable = json!({ "name": name, "type_id": kind, "type": word(kind), "value": value });
        if !observables.contains(&observable) {
            observables.push(observable);
        }
    };
    put(HOSTNAME, "device.hostname", view.text("host.hostname"));
    put(RESOURCE_UID, "resources[].uid", view.text("container.id"));
    let end = if view.text("network.direction") == Some("ingress") { "src" } else { "dst" };
    put(IP_ADDRESS, &format!("evidences[].{end}_endpoint.ip"), view.text("destination.ip"));
    put(HOSTNAME, &format!("evidences[].{end}_endpoint.hostname"), view.text("destination.domain"));
    put(PROCESS_NAME, "evidences[].process.name", view.text("process.name"));
    put(FILE_PATH, "evidences[].process.file.path", view.text("process.executable"));
    put(COMMAND_LINE, "evidences[].process.cmd_line", view.text("process.command_line"));
    put(USER_NAME, "evidences[].process.user.name", view.text("process.user.name"));
    put(FILE_NAME, "evidences[].file.name", view.text("file.path").map(base));
    for path in view.texts("tidewaiter.files") {
        put(FILE_PATH, "evidences[].file.path", Some(path));
    }
    for url in view.texts("tidewaiter.transfer.remote").filter(|remote| remote.contains("://")) {
        put(URL, "evidences[].url.url_string", Some(url));
    }
    observables
}

/// The container and its pod.
pub(super) fn resources(view: View<'_>) -> Vec<Value> {
    let mut resources = Vec::new();
    if let Some(id) = view.text("container.id") {
        let mut container = Object::default();
        container.put("type", "container").put("uid", id).known("name", view.text("container.name"));
        resources.push(container.into());
    }
    let name = view.text("orchestrator.resource.name");
    let id = view.text("orchestrator.resource.id");
    if name.is_some() || id.is_some() {
        let mut pod = Object::default();
        pod.put("type", "pod").known("uid", id).known("name", name);
        pod.known("namespace", view.text("orchestrator.namespace"));
        pod.known("labels", view.get("orchestrator.resource.label").cloned());
        resources.push(pod.into());
    }
    resources
}
