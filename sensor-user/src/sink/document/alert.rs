//! An alert as a document.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use sigma::Level;

use super::part::{EffectiveUser, Hash};
use super::{
    Container, Destination, Document, Event, File, Image, Kind, Lineage, Network, Orchestrator, Parent,
    ParentResource, PlaceReport, PodReport, Process, Related, Resource, Rule, Source, StepAction, StepReport,
    Tactic, Technique, Threat, User,
};
use super::{cloud, correlation, identity, story, transfer};
use crate::alert::{Action, Alert, Correlation, Detection, Place, Step};
use crate::event::Direction;
use crate::octet;
use crate::sink::Origin;
use crate::sink::text::quantity;
use crate::state::{container, process};

pub(super) fn document<'a>(alert: &'a Alert, origin: &'a Origin) -> Document<'a> {
    let files = alert.files();
    let destination = alert.destination();
    let event = Event {
        id: alert.id,
        kind: "alert",
        category: categories(destination.is_some(), !files.is_empty()),
        r#type: vec!["info"],
        sequence: alert.sequence,
        severity: severity(alert.level),
        duration: alert.steps.last().map(|step| step.offset),
        module: "tidewaiter",
        dataset: format!("tidewaiter.{}", if alert.is_amendment { "amendment" } else { "alert" }),
    };
    let bytes = alert.bytes();

    let kind = if alert.is_amendment { Kind::Amendment } else { Kind::Alert };
    let mut document = Document::bare(alert.time, kind, Cow::Owned(sentence(alert)), event, origin);
    document.rule = Some(Rule {
        id: octet::foreign(&alert.detection.id),
        name: octet::foreign(&alert.detection.title),
        level: alert.detection.level.name(),
    });
    document.threat = threat(&alert.detection);
    document.container = alert.container.as_deref().map(container);
    document.orchestrator = alert.container.as_deref().and_then(orchestrator);
    document.process = Some(process(alert, origin));
    document.source = bytes.map(|(sent, _)| Source { bytes: sent });
    document.destination = destination.map(|(place, _)| Destination {
        ip: place.address,
        port: place.port,
        domain: place.name.as_deref().map(octet::foreign),
        bytes: bytes.map(|(_, received)| received),
    });
    document.network = destination.map(|(place, direction)| Network {
        transport: place.protocol.name(),
        r#type: match place.address {
            IpAddr::V4(_) => "ipv4",
            IpAddr::V6(_) => "ipv6",
        },
        direction: direction.name(),
    });
    document.file = files.first().map(|path| File { path: Cow::Borrowed(path) });

    let own = &mut document.tidewaiter;
    let (executable, standing) = (&alert.process.executable, &alert.process.standing);
    own.detection = Some(octet::foreign(&alert.detection.name));
    own.correlation = correlation::report(alert);
    own.story = Some(story::report(alert));
    own.images = executable.images().map(Cow::Borrowed).collect();
    own.executable = identity::executable(executable, origin);
    own.process = identity::process(&alert.process);
    let streams = alert.process.session.streams;
    [own.stdin, own.stdout, own.stderr] =
        [streams.input, streams.output, streams.error].map(identity::stream);
    own.transfer = transfer::report(&alert.process);
    own.cloud = cloud::report(&alert.process);
    own.arguments_truncated = alert.process.arguments_truncated;
    own.container = identity::container(alert);
    own.pod = alert.container.as_deref().and_then(pod);
    own.identity = identity::identity(standing);
    own.files = files.into_iter().map(Cow::Borrowed).collect();
    own.steps = alert.steps.iter().map(step).collect();
    own.steps_omitted = alert.steps_omitted;
    own.lineage = alert.ancestors.iter().map(|ancestor| lineage(ancestor, &alert.process)).collect();
    own.related = alert.related.iter().map(related).collect();
    own.pending.clone_from(&alert.pending);
    own.redacted = alert.redacted;
    own.response = texts(&alert.detection.response);
    own.false_positives = texts(&alert.detection.false_positives);
    document
}

/// The number ECS wants for a level; evenly spread, so that a receiver can set thresholds between.
fn severity(level: Level) -> u8 {
    match level {
        Level::Informational => 0,
        Level::Low => 25,
        Level::Medium => 50,
        Level::High => 75,
        Level::Critical => 100,
    }
}

fn categories(network: bool, file: bool) -> Vec<&'static str> {
    let optional = [(network, "network"), (file, "file")];
    ["intrusion_detection", "process"]
        .into_iter()
        .chain(optional.into_iter().filter_map(|(holds, category)| holds.then_some(category)))
        .collect()
}

/// `curl downloads into a container: curl (pid 4242) in web-1 to 10.0.0.2:80`.
fn sentence(alert: &Alert) -> String {
    let mut sentence =
        format!("{}: {} (pid {})", alert.detection.title, program(&alert.process), alert.process.key.pid);
    if let Some(container) = alert.container.as_deref() {
        sentence.push_str(" in ");
        sentence.push_str(&container.name.as_deref().map_or(container.short_id().into(), octet::foreign));
    }
    if let Some(Correlation { matches, duration, .. }) = &alert.correlation {
        let within = quantity::duration(Duration::from_nanos(*duration));
        return format!("{sentence}, {matches} matches within {within}");
    }
    if let Some((place, direction)) = alert.destination() {
        sentence.push_str(if direction == Direction::Inbound { " from " } else { " to " });
        sentence.push_str(&std::net::SocketAddr::new(place.address, place.port).to_string());
        if let Some(name) = &place.name {
            sentence.push_str(&format!(" ({name})"));
        }
    }
    sentence
}

fn threat(detection: &Detection) -> Option<Threat<'_>> {
    let known = !detection.techniques.is_empty() || !detection.tactics.is_empty();
    known.then(|| Threat {
        framework: "MITRE ATT&CK",
        technique: Technique { id: texts(&detection.techniques) },
        tactic: Tactic { name: texts(&detection.tactics) },
    })
}

fn container(container: &container::Container) -> Container<'_> {
    let image = (container.image.is_some() || container.image_digest.is_some()).then(|| Image {
        name: container.image.as_deref().map(octet::foreign),
        hash: container.image_digest.as_deref().map(|digest| Hash { all: vec![octet::foreign(digest)] }),
    });
    Container {
        id: Cow::Borrowed(&container.id),
        name: container.name.as_deref().map(octet::foreign),
        image,
        runtime: container.runtime,
    }
}

fn orchestrator(container: &container::Container) -> Option<Orchestrator<'_>> {
    let (namespace, name, id) = match (&container.pod, &container.pod_uid) {
        (Some(pod), _) => (Some(pod.namespace.as_str()), Some(pod.name.as_str()), Some(pod.uid.as_str())),
        (None, Some(uid)) => (None, None, Some(uid.as_str())),
        (None, None) => return None,
    };
    let known = container.pod.as_ref();
    let labels = known.into_iter().flat_map(|pod| &pod.labels);
    let parent = known.and_then(|pod| pod.owner.as_ref()).map(|owner| ParentResource {
        r#type: octet::foreign(&owner.kind),
        name: octet::foreign(&owner.name),
    });
    Some(Orchestrator {
        r#type: "kubernetes",
        namespace: namespace.map(octet::foreign),
        resource: Resource {
            r#type: "pod",
            name: name.map(octet::foreign),
            id: id.map(octet::foreign),
            label: labels.map(|(name, value)| label(name, value)).collect(),
            parent,
        },
    })
}

/// As `kubectl` writes it.
fn label<'a>(name: &str, value: &str) -> Cow<'a, str> {
    Cow::Owned(format!("{}={}", octet::foreign(name), octet::foreign(value)))
}

fn pod(container: &container::Container) -> Option<PodReport<'_>> {
    let pod = container.pod.as_ref()?;
    let report = PodReport {
        owner: pod.owner.as_ref().map(|owner| {
            Cow::Owned(format!("{}/{}", octet::foreign(&owner.kind), octet::foreign(&owner.name)))
        }),
        service_account: pod.service_account.as_deref().map(octet::foreign),
        node: pod.node.as_deref().map(octet::foreign),
    };
    let is_told = report.owner.is_some() || report.service_account.is_some() || report.node.is_some();
    is_told.then_some(report)
}

fn process<'a>(alert: &'a Alert, origin: &Origin) -> Process<'a> {
    let process = &*alert.process;
    let effective = (process.effective_uid != process.uid)
        .then(|| EffectiveUser { id: process.effective_uid.to_string() });
    Process {
        pid: process.key.pid,
        entity_id: entity_id(process.key),
        name: Cow::Borrowed(program(process)),
        executable: Cow::Borrowed(&process.executable.path),
        command_line: Cow::Borrowed(process.command_line()),
        args: process.arguments.iter().map(Cow::Borrowed).collect(),
        args_count: process.arguments.count(),
        working_directory: text(process.directory.as_deref()),
        start: origin.date(process.key.start_time).map(|start| format!("{start:.6}")),
        user: User { id: process.uid.to_string(), name: text(alert.user.as_deref()), effective },
        parent: alert.ancestors.first().map(|parent| Parent {
            pid: parent.key.pid,
            entity_id: entity_id(parent.key),
            name: Cow::Borrowed(program(parent)),
            executable: Cow::Borrowed(&parent.executable.path),
            command_line: Cow::Borrowed(parent.command_line()),
        }),
    }
}

fn lineage<'a>(process: &'a process::Process, of: &process::Process) -> Lineage<'a> {
    let is_inside = process.container == of.container;
    Lineage {
        pid: process.key.pid,
        entity_id: entity_id(process.key),
        executable: Cow::Borrowed(&process.executable.path),
        command_line: is_inside.then(|| Cow::Borrowed(process.command_line())),
        container: text(process.container.as_deref()),
    }
}

/// Last component of the name a process goes by: the applet's, where there is one.
pub(in crate::sink) fn program(process: &process::Process) -> &str {
    process.name()
}

pub(super) fn entity_id(key: process::ProcessKey) -> String {
    format!("{}-{}", key.pid, key.start_time)
}

fn step(step: &Step) -> StepReport<'_> {
    let action = match &step.action {
        Action::Executed { arguments } => {
            StepAction::Executed { command_line: Cow::Borrowed(arguments.line()) }
        }
        Action::Connected { place, direction } => {
            StepAction::Connected { place: self::place(place), direction: direction.name() }
        }
        Action::Transferred { place, bytes_sent, bytes_received, .. } => StepAction::Transferred {
            place: self::place(place),
            bytes_sent: *bytes_sent,
            bytes_received: *bytes_received,
        },
        Action::Disconnected { place, bytes_sent, bytes_received } => StepAction::Disconnected {
            place: self::place(place),
            bytes_sent: *bytes_sent,
            bytes_received: *bytes_received,
        },
        Action::Failed { place, error } => {
            StepAction::Failed { place: self::place(place), errno: Some(*error).filter(|error| *error != 0) }
        }
        Action::Opened { path } => StepAction::Opened { path: Cow::Borrowed(path) },
        Action::Wrote { path, bytes, size } => {
            StepAction::Wrote { path: Cow::Borrowed(path), bytes: *bytes, size: *size }
        }
        Action::Linked { from, to } => {
            let from = Some(from.as_str()).filter(|from| !from.is_empty());
            StepAction::Linked { from: text(from), to: Cow::Borrowed(to) }
        }
        Action::Deleted { path } => StepAction::Deleted { path: Cow::Borrowed(path) },
        Action::MadeExecutable { path } => StepAction::MadeExecutable { path: Cow::Borrowed(path) },
        Action::Read { path } => StepAction::Read { path: Cow::Borrowed(path) },
        Action::Renamed { from, to } => {
            StepAction::Renamed { from: Cow::Borrowed(from), to: Cow::Borrowed(to) }
        }
        Action::Did { deed, object } => StepAction::Did { deed, object: Cow::Borrowed(object) },
        Action::Exited { status, signal } => StepAction::Exited { status: *status, signal: *signal },
    };
    StepReport { offset_ns: step.offset, pid: step.pid, program: Cow::Borrowed(&step.program), action }
}

pub(super) fn place(place: &Place) -> PlaceReport<'_> {
    PlaceReport {
        transport: place.protocol.name(),
        ip: place.address,
        port: place.port,
        domain: place.name.as_deref().map(octet::foreign),
    }
}

fn related(detection: &Detection) -> Related<'_> {
    Related {
        id: octet::foreign(&detection.id),
        name: octet::foreign(&detection.title),
        level: detection.level.name(),
        technique: texts(&detection.techniques),
    }
}

fn text(text: Option<&str>) -> Option<Cow<'_, str>> {
    text.map(Cow::Borrowed)
}

fn texts(texts: &[String]) -> Vec<Cow<'_, str>> {
    texts.iter().map(|text| octet::foreign(text)).collect()
}
