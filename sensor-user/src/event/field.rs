//! The one table of fields: the Sigma name, the ECS name, and where the value comes from.
//!
//! Sigma names are Sysmon's, as the taxonomy of the Sigma specification 2.1 (appendix "Taxonomy")
//! gives them for `process_creation`, `network_connection` and `file_event`; names that neither has
//! are this sensor's extensions.

mod table;
mod taxonomy;
mod category;
pub(super) mod date;
mod change;
mod identity;
pub(super) mod transfer;
pub(super) mod cloud;
mod stdio;
mod domain;
mod life;
mod baseline;

pub use category::Category;
pub use table::{Field, TABLE};
pub use taxonomy::{Fields, container_owner, process_owner};

use sigma::{FieldId, Lifetime, LogSourceId, Owner, Presence, Record, Value};

use super::{Body, Event, FileAction};
use crate::state::container::{Container, Runtime};
use crate::state::process::Process;

impl Event {
    /// Every value of every field but the date, whose digits say nothing of what was done; what is not known
    /// yet may be what is searched for.
    fn message(&self, each: Each<'_>) -> Presence {
        let open = |(field, ..): &&(Field, _, _, _)| {
            *field != Field::UtcTime && self.visit(FieldId(*field as u16), each) == Presence::Pending
        };
        if TABLE.iter().filter(open).count() > 0 { Presence::Pending } else { Presence::Present }
    }

    #[must_use]
    pub fn category(&self) -> Category {
        match &self.body {
            Body::ProcessCreation => Category::ProcessCreation,
            Body::ProcessAccess(_) => Category::ProcessAccess,
            Body::NetworkConnection(_) => Category::NetworkConnection,
            Body::NetworkFlow(_) => Category::NetworkFlow,
            Body::NetworkSocket(_) => Category::NetworkSocket,
            Body::DnsQuery(_) => Category::DnsQuery,
            Body::FileEvent(change) if change.action == FileAction::Read => Category::FileAccess,
            Body::FileEvent(_) => Category::FileEvent,
            Body::SystemChange(_) => Category::SystemChange,
            Body::ContainerEvent(_) => Category::ContainerEvent,
            Body::ContainerResource(_) => Category::ContainerResource,
        }
    }
}

/// Called with each value of a field.
pub(super) type Each<'e> = &'e mut dyn FnMut(Value<'_>);

impl Record for Event {
    fn log_source(&self) -> LogSourceId {
        self.category().id()
    }

    fn time(&self) -> u64 {
        self.time
    }

    fn owner(&self, lifetime: Lifetime) -> Option<Owner> {
        match lifetime {
            Lifetime::Lasting => None,
            Lifetime::Process => Some(process_owner(self.process.key)),
            Lifetime::Container => self.container.as_deref().map(|container| container_owner(&container.id)),
        }
    }

    #[expect(clippy::too_many_lines, reason = "an arm for each field")]
    fn visit(&self, field: FieldId, each: Each<'_>) -> Presence {
        if field == FieldId::MESSAGE {
            return self.message(each);
        }
        let Some(&(field, ..)) = TABLE.get(usize::from(field.0)) else { return Presence::Absent };
        let process = &*self.process;
        let parent = self.ancestors.first().map(|parent| &**parent);
        match field {
            Field::Image => images(process, each),
            Field::CommandLine => one(Value::Text(process.command_line()), each),
            Field::CommandLineTruncated => one(Value::Bool(process.arguments_truncated), each),
            Field::ArgumentCount => number(process.arguments.count(), each),
            Field::ArgumentBytes => number(process.arguments.size(), each),
            Field::Environment => {
                all(process.session.environment.iter().map(|variable| Value::Text(variable)), each)
            }
            Field::LoginUserId => process.session.login_uid.map_or(Presence::Absent, |uid| number(uid, each)),
            Field::Terminal => text(process.session.terminal.as_deref(), each),
            Field::Script => text(process.executable.script(), each),
            Field::Interpreter => text(process.executable.interpreter.as_deref(), each),
            Field::MountNamespace => known(process.mnt_ns, each),
            Field::NetNamespace => known(process.session.net_ns, each),
            Field::UserNamespace => known(process.session.user_ns, each),
            Field::ExecByThread => one(Value::Bool(process.session.by_thread), each),
            Field::Arguments => all(process.arguments.iter().map(Value::Text), each),
            Field::CurrentDirectory => text(process.directory.as_deref(), each),
            Field::ProcessId => number(process.key.pid, each),
            Field::ProcessName => one(Value::Text(&process.comm), each),
            Field::User => text(self.user.as_deref(), each),
            Field::UserId | Field::LogonId => number(process.uid, each),
            Field::EffectiveUserId => number(process.effective_uid, each),
            Field::ParentImage => parent.map_or(Presence::Absent, |parent| images(parent, each)),
            Field::ParentCommandLine => text(parent.map(Process::command_line), each),
            Field::ParentProcessId => parent.map_or(Presence::Absent, |parent| number(parent.key.pid, each)),
            Field::AncestorImages => {
                all(self.ancestors.iter().flat_map(|one| one.executable.images()).map(Value::Text), each)
            }
            Field::ExeMemfd => one(Value::Bool(process.executable.memfd), each),
            Field::ExeDeleted => one(Value::Bool(process.executable.deleted), each),
            Field::ExeUpperLayer => one(Value::Bool(process.executable.upper_layer), each),
            Field::ExeWritten
            | Field::ExeWriterImage
            | Field::ExeWriterCommandLine
            | Field::ExeWriterBytesReceived
            | Field::ContainerImageId
            | Field::ContainerImageDigest
            | Field::ContainerVerified
            | Field::ContainerNesting
            | Field::ContainerRole
            | Field::ContainerPhase
            | Field::PodUid
            | Field::PodLabels
            | Field::PodOwner
            | Field::PodServiceAccount
            | Field::NodeName
            | Field::CgroupContainerId
            | Field::MountContainerId
            | Field::PidContainerId
            | Field::IdentityTrick => self.identity(field, each),
            Field::ContainerId => self.container(|container| Some(&container.id), each),
            Field::ContainerName => self.container(|container| container.name.as_deref(), each),
            Field::ContainerImage => self.container(|container| container.image.as_deref(), each),
            Field::ContainerRuntime => match &self.container {
                // The path does not tell whose it is; who knows the container is whose.
                Some(container) if container.runtime == Runtime::Unknown && container.is_asked() => {
                    Presence::Pending
                }
                _ => self.container(|container| Some(container.runtime.name()), each),
            },
            Field::PodName => self.container(|container| Some(&container.pod.as_ref()?.name), each),
            Field::Namespace => self.container(|container| Some(&container.pod.as_ref()?.namespace), each),
            Field::DestinationIp
            | Field::DestinationPort
            | Field::Protocol
            | Field::Initiated
            | Field::DestinationHostname
            | Field::Direction
            | Field::BytesSent
            | Field::BytesReceived
            | Field::BytesSentNew
            | Field::BytesReceivedNew
            | Field::FlowState
            | Field::SocketType
            | Field::SocketPath
            | Field::QueryName
            | Field::QueryType
            | Field::QueryStatus
            | Field::QueryResults => self.network(field, each),
            Field::TargetFilename => text(self.body.file().map(|file| file.path.as_str()), each),
            Field::SourceFilename => text(self.body.file().and_then(|file| file.from.as_deref()), each),
            Field::FileAction => text(self.body.file().map(|file| file.action.name()), each),
            Field::FileSize => size(self.body.file().and_then(|file| file.size), each),
            Field::BytesWritten => size(self.body.file().and_then(|file| file.bytes), each),
            Field::FileMapped => {
                self.body.file().map_or(Presence::Absent, |file| one(Value::Bool(file.is_mapped), each))
            }
            Field::EventAction => text(self.action(), each),
            Field::TargetProcessId => self.target_pid().map_or(Presence::Absent, |pid| number(pid, each)),
            Field::TargetImage => {
                let target = self.access().and_then(|access| access.target.as_deref());
                target.map_or(Presence::Absent, |target| images(target, each))
            }
            Field::SignalNumber => {
                let signal = self.access().and_then(|access| access.signal);
                signal.map_or(Presence::Absent, |signal| number(signal, each))
            }
            Field::CgroupPath
            | Field::NewMountNamespace
            | Field::NewPidNamespace
            | Field::NewNetNamespace
            | Field::BpfProgramType
            | Field::BpfProgramName
            | Field::ModuleName
            | Field::MountSource
            | Field::MountTarget
            | Field::MountType => {
                self.system().map_or(Presence::Absent, |change| change::system(change, field, each))
            }
            Field::UtcTime => date::visit(self.date, each),
            Field::TransferTool
            | Field::TransferRole
            | Field::TransferDirection
            | Field::TransferScheme
            | Field::TransferRemote
            | Field::TransferRemoteHost
            | Field::TransferRemotePort
            | Field::TransferRemoteUser
            | Field::TransferLoopback
            | Field::TransferLocal
            | Field::TransferListens => {
                let command = process.command.as_deref();
                let transfer = command.and_then(|command| command.transfer.as_ref());
                transfer.map_or(Presence::Absent, |transfer| transfer::visit(transfer, field, each))
            }
            Field::CloudProvider
            | Field::CloudService
            | Field::CloudOperation
            | Field::CloudClass
            | Field::CloudRegion
            | Field::CloudRegionSource
            | Field::CloudBucket
            | Field::CloudEndpoint
            | Field::CloudProfile
            | Field::CloudAccount => {
                let cloud = process.command.as_deref().and_then(|command| command.cloud.as_ref());
                let environment = process.session.environment.iter().map(|variable| &**variable);
                cloud.map_or(Presence::Absent, |cloud| cloud::visit(cloud, &environment, field, each))
            }
            Field::StdinType
            | Field::StdoutType
            | Field::StderrType
            | Field::StdinId
            | Field::StdoutId
            | Field::StderrId => stdio::visit(process, field, each),
            Field::QueryDomain | Field::QuerySubdomainLength => self.domain(field, each),
            Field::ContainerImageRegistry
            | Field::ContainerAction
            | Field::ContainerAge
            | Field::ContainerAlertCount
            | Field::ContainerResource
            | Field::ContainerResourceValue
            | Field::ContainerResourceNormal
            | Field::ContainerResourceRatio => self.life(field, each),
            Field::ExeNewForImage | Field::DestinationNewForImage | Field::VolumeNewForImage => {
                self.baseline(field, each)
            }
        }
    }
}

impl Event {
    fn container<'e>(&'e self, get: impl Fn(&'e Container) -> Option<&'e str>, each: Each<'_>) -> Presence {
        let Some(container) = &self.container else { return Presence::Absent };
        match get(container) {
            Some(value) => one(Value::Text(value), each),
            // No runtime has spoken, or none ever did: neither known nor known to be absent.
            None if !container.is_complete() => Presence::Pending,
            None => Presence::Absent,
        }
    }
}

fn images(process: &Process, each: Each<'_>) -> Presence {
    all(process.executable.images().map(Value::Text), each)
}

fn number(value: u32, each: Each<'_>) -> Presence {
    one(Value::Number(value.into()), each)
}

/// Zero stands for what is not known.
fn known(value: u32, each: Each<'_>) -> Presence {
    if value == 0 { Presence::Absent } else { number(value, each) }
}

fn size(value: Option<u64>, each: Each<'_>) -> Presence {
    value.map_or(Presence::Absent, |value| one(Value::Number(i64::try_from(value).unwrap_or(i64::MAX)), each))
}

pub(super) fn text(value: Option<&str>, each: Each<'_>) -> Presence {
    value.map_or(Presence::Absent, |value| one(Value::Text(value), each))
}

pub(super) fn one(value: Value<'_>, each: Each<'_>) -> Presence {
    each(value);
    Presence::Present
}

/// Every value; a field without any is absent.
pub(super) fn all<'v>(values: impl Iterator<Item = Value<'v>>, each: Each<'_>) -> Presence {
    let mut presence = Presence::Absent;
    for value in values {
        presence = one(value, each);
    }
    presence
}

#[cfg(test)]
mod tests;
