//! The parts of a document. Each struct is an ECS object of the same name unless its doc says
//! otherwise; fields are ECS's.

use std::borrow::Cow;
use std::net::IpAddr;

use serde::Serialize;
use uuid::Uuid;

/// `event`.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    pub id: Uuid,
    /// ECS's kind (`alert`, `state`, `metric`, `event`), coarser than the document's own.
    pub kind: &'static str,
    pub category: Vec<&'static str>,
    pub r#type: Vec<&'static str>,
    /// Counts the messages of this run from 1.
    pub sequence: u64,
    /// 0 informational, 25 low, 50 medium, 75 high, 100 critical.
    pub severity: u8,
    /// From the first step to the last, nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
    pub module: &'static str,
    pub dataset: String,
}

/// `rule`: the Sigma rule of the gravest match.
#[derive(Clone, Debug, Serialize)]
pub struct Rule<'a> {
    pub id: Cow<'a, str>,
    /// The rule's title.
    pub name: Cow<'a, str>,
    /// Sigma's level, as lowered where it happened outside a container (not in ECS).
    pub level: &'static str,
}

/// `threat`.
#[derive(Clone, Debug, Serialize)]
pub struct Threat<'a> {
    pub framework: &'static str,
    pub technique: Technique<'a>,
    pub tactic: Tactic<'a>,
}

/// `threat.technique`. Sub-techniques stand under their full id, as the rule's tags have them.
#[derive(Clone, Debug, Serialize)]
pub struct Technique<'a> {
    pub id: Vec<Cow<'a, str>>,
}

/// `threat.tactic`.
#[derive(Clone, Debug, Serialize)]
pub struct Tactic<'a> {
    pub name: Vec<Cow<'a, str>>,
}

/// `container`.
#[derive(Clone, Debug, Serialize)]
pub struct Container<'a> {
    pub id: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<Image<'a>>,
    pub runtime: crate::state::container::Runtime,
}

/// `container.image`.
#[derive(Clone, Debug, Serialize)]
pub struct Image<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<Hash<'a>>,
}

/// `container.image.hash`: digests of the image's manifest.
#[derive(Clone, Debug, Serialize)]
pub struct Hash<'a> {
    pub all: Vec<Cow<'a, str>>,
}

/// `orchestrator`: the pod.
#[derive(Clone, Debug, Serialize)]
pub struct Orchestrator<'a> {
    pub r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Cow<'a, str>>,
    pub resource: Resource<'a>,
}

/// `orchestrator.resource`.
#[derive(Clone, Debug, Serialize)]
pub struct Resource<'a> {
    pub r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Cow<'a, str>>,
    /// `app=web`, by the Kubernetes API.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub label: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<ParentResource<'a>>,
}

/// `orchestrator.resource.parent`: what made the pod.
#[derive(Clone, Debug, Serialize)]
pub struct ParentResource<'a> {
    /// `Deployment`.
    pub r#type: Cow<'a, str>,
    /// Not in ECS.
    pub name: Cow<'a, str>,
}

/// `tidewaiter.pod`: what the Kubernetes API tells of the pod beyond ECS.
#[derive(Clone, Debug, Serialize)]
pub struct PodReport<'a> {
    /// `Deployment/web`, as rules see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<Cow<'a, str>>,
}

/// `process`: the one that the gravest match is about.
#[derive(Clone, Debug, Serialize)]
pub struct Process<'a> {
    pub pid: u32,
    /// The pid and its start: pids are used again, this is not.
    pub entity_id: String,
    /// Last component of the executable.
    pub name: Cow<'a, str>,
    /// As the kernel resolved it; other names are in `tidewaiter.images`.
    pub executable: Cow<'a, str>,
    pub command_line: Cow<'a, str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<Cow<'a, str>>,
    /// Of all arguments, also of what was cut.
    pub args_count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_directory: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    pub user: User<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent<'a>>,
}

/// `process.user`; ids are strings in ECS.
#[derive(Clone, Debug, Serialize)]
pub struct User<'a> {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Cow<'a, str>>,
    /// Only where it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective: Option<EffectiveUser>,
}

/// `process.user.effective`.
#[derive(Clone, Debug, Serialize)]
pub struct EffectiveUser {
    pub id: String,
}

/// `process.parent`.
#[derive(Clone, Debug, Serialize)]
pub struct Parent<'a> {
    pub pid: u32,
    pub entity_id: String,
    pub name: Cow<'a, str>,
    pub executable: Cow<'a, str>,
    pub command_line: Cow<'a, str>,
}

/// An ancestor in `tidewaiter.lineage`.
#[derive(Clone, Debug, Serialize)]
pub struct Lineage<'a> {
    pub pid: u32,
    pub entity_id: String,
    pub executable: Cow<'a, str>,
    /// Only within the alert's container (on the host: of all): what runs the container is not its
    /// business, and a runtime's arguments may hold anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command_line: Option<Cow<'a, str>>,
    /// Id of its container: absent where the lineage has left it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<Cow<'a, str>>,
}

/// `source`: the watched process's end.
#[derive(Clone, Debug, Serialize)]
pub struct Source {
    /// Payload bytes sent.
    pub bytes: u64,
}

/// `destination`: the other end.
#[derive(Clone, Debug, Serialize)]
pub struct Destination<'a> {
    pub ip: IpAddr,
    pub port: u16,
    /// The name that was asked for the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<Cow<'a, str>>,
    /// Payload bytes received from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// `network`.
#[derive(Clone, Debug, Serialize)]
pub struct Network {
    pub transport: &'static str,
    pub r#type: &'static str,
    /// `egress`: the watched process opened it; `ingress`: the other end did.
    pub direction: &'static str,
}

/// `file`: the first one touched; all are in `tidewaiter.files`.
#[derive(Clone, Debug, Serialize)]
pub struct File<'a> {
    pub path: Cow<'a, str>,
}

/// `host`.
#[derive(Clone, Debug, Serialize)]
pub struct Host<'a> {
    pub hostname: Cow<'a, str>,
    pub os: HostSystem<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot: Option<Boot<'a>>,
}

/// `host.boot`.
#[derive(Clone, Debug, Serialize)]
pub struct Boot<'a> {
    pub id: Cow<'a, str>,
}

/// `host.os`.
#[derive(Clone, Debug, Serialize)]
pub struct HostSystem<'a> {
    pub r#type: &'static str,
    pub kernel: Cow<'a, str>,
}

/// A step in `tidewaiter.steps`.
#[derive(Clone, Debug, Serialize)]
pub struct StepReport<'a> {
    /// Since `@timestamp`, nanoseconds.
    pub offset_ns: u64,
    pub pid: u32,
    pub program: Cow<'a, str>,
    #[serde(flatten)]
    pub action: StepAction<'a>,
}

/// What was done in a step; `action` tells which.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum StepAction<'a> {
    Executed {
        command_line: Cow<'a, str>,
    },
    Connected {
        #[serde(flatten)]
        place: PlaceReport<'a>,
        direction: &'static str,
    },
    Transferred {
        #[serde(flatten)]
        place: PlaceReport<'a>,
        bytes_sent: u64,
        bytes_received: u64,
    },
    Disconnected {
        #[serde(flatten)]
        place: PlaceReport<'a>,
        bytes_sent: u64,
        bytes_received: u64,
    },
    Failed {
        #[serde(flatten)]
        place: PlaceReport<'a>,
        /// The kernel's errno; absent when it is not known.
        #[serde(skip_serializing_if = "Option::is_none")]
        errno: Option<u32>,
    },
    Opened {
        path: Cow<'a, str>,
    },
    Wrote {
        path: Cow<'a, str>,
        /// Written, where it is counted.
        #[serde(skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
        /// Of the file afterwards.
        #[serde(skip_serializing_if = "Option::is_none")]
        size: Option<u64>,
    },
    Renamed {
        from: Cow<'a, str>,
        to: Cow<'a, str>,
    },
    Linked {
        /// Absent where only the new name is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<Cow<'a, str>>,
        to: Cow<'a, str>,
    },
    Deleted {
        path: Cow<'a, str>,
    },
    #[serde(rename = "made_executable")]
    MadeExecutable {
        path: Cow<'a, str>,
    },
    Read {
        path: Cow<'a, str>,
    },
    Did {
        /// As in `event.action` of events (`query`, `mount`).
        deed: &'static str,
        object: Cow<'a, str>,
    },
    Exited {
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<u8>,
        #[serde(skip_serializing_if = "Option::is_none")]
        signal: Option<u8>,
    },
}

/// The other end of a connection in a step.
#[derive(Clone, Debug, Serialize)]
pub struct PlaceReport<'a> {
    pub transport: &'static str,
    pub ip: IpAddr,
    pub port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<Cow<'a, str>>,
}

/// Another match in the same process tree, in `tidewaiter.related`.
#[derive(Clone, Debug, Serialize)]
pub struct Related<'a> {
    pub id: Cow<'a, str>,
    pub name: Cow<'a, str>,
    pub level: &'static str,
    pub technique: Vec<Cow<'a, str>>,
}
