//! The one table of fields: the Sigma name, the ECS name, and where the value comes from.
//!
//! Sigma names are Sysmon's, as the taxonomy of the Sigma specification 2.1 (appendix "Taxonomy")
//! gives them for `process_creation`, `network_connection` and `file_event`; names that neither has
//! are this sensor's extensions.

use sigma::{FieldId, LogSource, LogSourceId, Presence, Record, Taxonomy, Value};

use super::{Body, Event, FileAction};
use crate::sigma;
use crate::state::process::Process;

/// Declares [`Field`] and its table from one list, so that they cannot differ.
macro_rules! fields {
    ($($field:ident $ecs:literal $doc:literal;)+) => {
        /// A field that rules can use.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u16)]
        pub enum Field { $(#[doc = $doc] $field,)+ }

        /// Every field: itself, its Sigma name, its ECS name, what it is.
        pub const TABLE: &[(Field, &str, &str, &str)] =
            &[$((Field::$field, stringify!($field), $ecs, $doc),)+];
    };
}

fields! {
    Image "process.executable" "Path of the program: resolved, as invoked, and a multi-call binary's applet; any may match";
    CommandLine "process.command_line" "Arguments joined by blanks";
    Arguments "process.args" "Each argument by itself; any may match";
    CurrentDirectory "process.working_directory" "Working directory";
    ProcessId "process.pid" "Process id in the initial pid namespace";
    ProcessName "process.name" "The task's name: the task may set it to anything";
    User "user.name" "Name of the real user, from the container's own passwd";
    UserId "user.id" "Real user id in the initial user namespace";
    EffectiveUserId "user.effective.id" "Effective user id in the initial user namespace";
    ParentImage "process.parent.executable" "As Image, of the parent";
    ParentCommandLine "process.parent.command_line" "As CommandLine, of the parent";
    ParentProcessId "process.parent.pid" "As ProcessId, of the parent";
    AncestorImages "tidewaiter.lineage.executable" "As Image, of every known ancestor; any may match";
    ExeMemfd "tidewaiter.executable.memfd" "true: the program lives in memory only";
    ExeDeleted "tidewaiter.executable.deleted" "true: the program's file has no name any more";
    ExeUpperLayer "tidewaiter.executable.upper_layer" "true: the program is not part of the container's image";
    ContainerId "container.id" "Absent outside of containers";
    ContainerName "container.name" "Name by the runtime";
    ContainerImage "container.image.name" "Image reference by the runtime";
    ContainerRuntime "container.runtime" "docker, containerd, cri-o, podman, lxc, nspawn or unknown";
    PodName "orchestrator.resource.name" "Pod by the runtime's annotations";
    Namespace "orchestrator.namespace" "Kubernetes namespace by the runtime's annotations";
    DestinationIp "destination.ip" "Destination address; IPv4-mapped IPv6 as IPv4";
    DestinationPort "destination.port" "Destination port";
    Protocol "network.transport" "tcp, udp, icmp, sctp or other";
    Initiated "tidewaiter.network.initiated" "true: this side opened the connection";
    TargetFilename "file.path" "Path as seen by the process; of a rename the new one";
    SourceFilename "tidewaiter.file.from" "Former path of a rename";
    FileAction "event.action" "open, write or rename";
}

/// The records that rules can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Category {
    ProcessCreation,
    NetworkConnection,
    FileEvent,
}

impl Category {
    pub const ALL: [Self; 3] = [Self::ProcessCreation, Self::NetworkConnection, Self::FileEvent];

    /// As `logsource.category` names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProcessCreation => "process_creation",
            Self::NetworkConnection => "network_connection",
            Self::FileEvent => "file_event",
        }
    }

    #[must_use]
    pub const fn id(self) -> LogSourceId {
        LogSourceId(self as u16)
    }
}

/// This sensor's fields and log sources, for the rule engine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fields;

impl Taxonomy for Fields {
    fn field(&self, name: &str) -> Option<FieldId> {
        TABLE.iter().find(|(_, sigma, _, _)| *sigma == name).map(|(field, ..)| FieldId(*field as u16))
    }

    fn field_names(&self) -> Vec<&'static str> {
        TABLE.iter().map(|(_, sigma, _, _)| *sigma).collect()
    }

    fn supports(&self, source: &LogSource) -> Option<LogSourceId> {
        let category = source.category.as_deref()?;
        if source.service.is_some() || source.product.as_deref().is_some_and(|product| product != "linux") {
            return None;
        }
        Category::ALL.into_iter().find(|known| known.name() == category).map(Category::id)
    }
}

impl Event {
    #[must_use]
    pub fn category(&self) -> Category {
        match self.body {
            Body::ProcessCreation => Category::ProcessCreation,
            Body::NetworkConnection(_) => Category::NetworkConnection,
            Body::FileEvent(_) => Category::FileEvent,
        }
    }
}

/// Called with each value of a field.
type Each<'e> = &'e mut dyn FnMut(Value<'_>);

impl Record for Event {
    fn log_source(&self) -> LogSourceId {
        self.category().id()
    }

    fn visit(&self, field: FieldId, each: Each<'_>) -> Presence {
        let Some((field, ..)) = TABLE.get(usize::from(field.0)) else { return Presence::Absent };
        match field {
            Field::Image
            | Field::CommandLine
            | Field::Arguments
            | Field::CurrentDirectory
            | Field::ProcessId
            | Field::ProcessName
            | Field::UserId
            | Field::EffectiveUserId
            | Field::ExeMemfd
            | Field::ExeDeleted
            | Field::ExeUpperLayer => process(&self.process, *field, each),
            Field::User => text(self.user.as_deref(), each),
            Field::ParentImage => self.parent(Field::Image, each),
            Field::ParentCommandLine => self.parent(Field::CommandLine, each),
            Field::ParentProcessId => self.parent(Field::ProcessId, each),
            Field::AncestorImages => {
                for ancestor in &self.ancestors {
                    process(ancestor, Field::Image, each);
                }
                if self.ancestors.is_empty() { Presence::Absent } else { Presence::Present }
            }
            Field::ContainerId
            | Field::ContainerName
            | Field::ContainerImage
            | Field::ContainerRuntime
            | Field::PodName
            | Field::Namespace => self.container(*field, each),
            Field::DestinationIp
            | Field::DestinationPort
            | Field::Protocol
            | Field::Initiated
            | Field::TargetFilename
            | Field::SourceFilename
            | Field::FileAction => self.body(*field, each),
        }
    }
}

impl Event {
    fn parent(&self, field: Field, each: Each<'_>) -> Presence {
        self.ancestors.first().map_or(Presence::Absent, |parent| process(parent, field, each))
    }

    fn container(&self, field: Field, each: Each<'_>) -> Presence {
        let Some(container) = &self.container else { return Presence::Absent };
        let value = match field {
            Field::ContainerId => Some(container.id.as_str()),
            Field::ContainerRuntime => Some(container.runtime.name()),
            Field::ContainerName => container.name.as_deref(),
            Field::ContainerImage => container.image.as_deref(),
            Field::PodName => container.pod.as_ref().map(|pod| pod.name.as_str()),
            _ => container.pod.as_ref().map(|pod| pod.namespace.as_str()),
        };
        match value {
            Some(value) => text(Some(value), each),
            // No runtime has spoken yet: neither known nor known to be absent.
            None if !container.verified => Presence::Pending,
            None => Presence::Absent,
        }
    }

    fn body(&self, field: Field, each: Each<'_>) -> Presence {
        let value = match (&self.body, field) {
            (Body::NetworkConnection(connection), Field::DestinationIp) => Value::Ip(connection.address),
            (Body::NetworkConnection(connection), Field::DestinationPort) => {
                Value::Number(i64::from(connection.port))
            }
            (Body::NetworkConnection(connection), Field::Protocol) => Value::Text(connection.protocol.name()),
            (Body::NetworkConnection(_), Field::Initiated) => Value::Bool(true),
            (Body::FileEvent(file), Field::TargetFilename) => Value::Text(&file.path),
            (Body::FileEvent(file), Field::SourceFilename) => return text(file.from.as_deref(), each),
            (Body::FileEvent(file), Field::FileAction) => Value::Text(match file.action {
                FileAction::Open => "open",
                FileAction::Write => "write",
                FileAction::Rename => "rename",
            }),
            (Body::ProcessCreation | Body::NetworkConnection(_) | Body::FileEvent(_), _) => {
                return Presence::Absent;
            }
        };
        each(value);
        Presence::Present
    }
}

/// A field of a process, whether the actor or an ancestor.
fn process(process: &Process, field: Field, each: Each<'_>) -> Presence {
    match field {
        Field::Image => process.executable.images().for_each(|image| each(Value::Text(image))),
        Field::CommandLine => each(Value::Text(process.command_line())),
        Field::Arguments => process.arguments.iter().for_each(|argument| each(Value::Text(argument))),
        Field::CurrentDirectory => return text(process.directory.as_deref(), each),
        Field::ProcessId => each(Value::Number(i64::from(process.key.pid))),
        Field::ProcessName => each(Value::Text(&process.comm)),
        Field::UserId => each(Value::Number(i64::from(process.uid))),
        Field::EffectiveUserId => each(Value::Number(i64::from(process.effective_uid))),
        Field::ExeMemfd => each(Value::Bool(process.executable.memfd)),
        Field::ExeDeleted => each(Value::Bool(process.executable.deleted)),
        Field::ExeUpperLayer => each(Value::Bool(process.executable.upper_layer)),
        _ => return Presence::Absent,
    }
    Presence::Present
}

fn text(value: Option<&str>, each: Each<'_>) -> Presence {
    let Some(value) = value else { return Presence::Absent };
    each(Value::Text(value));
    Presence::Present
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_sigma_name_only() {
        assert_eq!(Fields.field("Image"), Some(FieldId(Field::Image as u16)));
        assert_eq!(Fields.field("image"), None);
        for (field, name, ..) in TABLE {
            assert_eq!(Fields.field(name), Some(FieldId(*field as u16)));
        }
    }

    #[test]
    fn only_linux_endpoint_sources_are_supported() {
        let source = |category: &str, product: Option<&str>| LogSource {
            category: Some(category.to_owned()),
            product: product.map(str::to_owned),
            ..LogSource::default()
        };
        assert_eq!(Fields.supports(&source("file_event", Some("linux"))), Some(Category::FileEvent.id()));
        assert_eq!(Fields.supports(&source("file_event", None)), Some(Category::FileEvent.id()));
        assert_eq!(Fields.supports(&source("file_event", Some("windows"))), None);
        assert_eq!(Fields.supports(&source("dns_query", Some("linux"))), None);
    }
}
