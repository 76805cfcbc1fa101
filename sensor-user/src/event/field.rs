//! The one table of fields: the Sigma name, the ECS name, and where the value comes from.
//!
//! Sigma names are Sysmon's, as the taxonomy of the Sigma specification 2.1 (appendix "Taxonomy")
//! gives them for `process_creation`, `network_connection` and `file_event`; names that neither has
//! are this sensor's extensions.

mod taxonomy;
mod category;
pub(super) mod date;
mod change;
mod identity;

pub use category::Category;
pub use taxonomy::{Fields, container_owner, process_owner};

use sigma::{FieldId, Lifetime, LogSourceId, Owner, Presence, Record, Value};

use super::{Body, Event, FileAction, FileChange};
use crate::state::container::{Container, Runtime};
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
    Image "process.executable" "Path of the program: resolved, as invoked, what a dynamic loader was told to run, and a multi-call binary's applet; any may match";
    CommandLine "process.command_line" "Arguments joined by blanks; of a vector that was cut the beginning, an ellipsis, and the end";
    CommandLineTruncated "tidewaiter.arguments_truncated" "true: the arguments were cut, what is in their middle is not known";
    Arguments "process.args" "Each argument by itself; any may match";
    ArgumentCount "process.args_count" "Number of arguments, also of those that were cut";
    ArgumentBytes "tidewaiter.arguments_size" "Bytes of all arguments, also of what was cut";
    Environment "process.env_vars" "Selected variables of the environment, `NAME=value`; any may match. Of secrets the value is `(set)`";
    CurrentDirectory "process.working_directory" "Working directory";
    ProcessId "process.pid" "Process id in the initial pid namespace";
    ProcessName "process.name" "The task's name: the task may set it to anything";
    User "user.name" "Name of the real user, from the container's own passwd";
    UserId "user.id" "Real user id in the initial user namespace";
    LogonId "user.id" "As UserId: Sysmon for Linux calls it so";
    EffectiveUserId "user.effective.id" "Effective user id in the initial user namespace";
    LoginUserId "tidewaiter.process.login_user.id" "Id of the user who logged in, whatever became of it since; absent where nobody did";
    Terminal "tidewaiter.process.terminal" "Controlling terminal (pts/3, tty1); absent without one";
    Script "tidewaiter.process.script" "Path of the script, of a program that an interpreter runs";
    Interpreter "tidewaiter.process.interpreter" "Interpreter as the script's first line names it";
    MountNamespace "tidewaiter.process.namespace.mount" "Inode number of the mount namespace";
    NetNamespace "tidewaiter.process.namespace.net" "Inode number of the network namespace when the program started";
    UserNamespace "tidewaiter.process.namespace.user" "Inode number of the user namespace when the program started";
    ExecByThread "tidewaiter.process.exec_by_thread" "true: a thread other than the first started the program";
    ParentImage "process.parent.executable" "As Image, of the parent";
    ParentCommandLine "process.parent.command_line" "As CommandLine, of the parent";
    ParentProcessId "process.parent.pid" "As ProcessId, of the parent";
    AncestorImages "tidewaiter.lineage.executable" "As Image, of every known ancestor; any may match";
    ExeMemfd "tidewaiter.executable.memfd" "true: the program lives in memory only";
    ExeDeleted "tidewaiter.executable.deleted" "true: the program's file has no name any more";
    ExeUpperLayer "tidewaiter.executable.upper_layer" "true: the program is not part of the container's image";
    ExeWritten "tidewaiter.executable.written" "true: the program's file was written since its container started, as far as the sensor saw";
    ExeWriterImage "tidewaiter.executable.writer.executable" "Program that wrote it";
    ExeWriterCommandLine "tidewaiter.executable.writer.command_line" "Arguments of that program joined by blanks";
    ContainerId "container.id" "Absent outside of containers";
    ContainerName "container.name" "Name by the runtime";
    ContainerImage "container.image.name" "Image reference by the runtime";
    ContainerImageId "tidewaiter.container.image.id" "Digest of the image's configuration";
    ContainerImageDigest "container.image.hash.all" "Digest of the image's manifest, where the runtime tells it";
    ContainerVerified "tidewaiter.container.verified" "true: a runtime knows the container's id; false: none did within 5 s; neither while they are asked";
    ContainerNesting "tidewaiter.container.nested" "Ids of containers within this one that no runtime of the host knows; any may match";
    ContainerRole "tidewaiter.container.role" "workload, sandbox (holds a pod's namespaces) or build (makes an image)";
    ContainerPhase "tidewaiter.container.phase" "build, probe (its runtime asks for its health), interactive (brought in at a terminal), start (its first 30 s) or steady";
    ContainerRuntime "container.runtime" "docker, containerd, cri-o, podman, lxc, nspawn or unknown";
    PodName "orchestrator.resource.name" "Pod by the runtime's annotations";
    Namespace "orchestrator.namespace" "Kubernetes namespace by the runtime's annotations";
    PodUid "orchestrator.resource.id" "Uid of the pod";
    PodLabels "orchestrator.resource.label" "Labels of the pod by the Kubernetes API, `app=web`; any may match";
    PodOwner "tidewaiter.pod.owner" "What made the pod by the Kubernetes API, `Deployment/web`";
    PodServiceAccount "tidewaiter.pod.service_account" "Service account of the pod by the Kubernetes API";
    NodeName "tidewaiter.pod.node" "Node of the pod by the Kubernetes API";
    CgroupContainerId "tidewaiter.identity.cgroup" "Container that the process's cgroup speaks for, or `host`";
    MountContainerId "tidewaiter.identity.mount" "Container that its mount namespace speaks for, or `host`";
    PidContainerId "tidewaiter.identity.pid" "Container that its pid namespace speaks for, or `host`";
    IdentityTrick "tidewaiter.identity.trick" "How those differ: cgroup_left, cgroup_joined, cgroup_forged, namespace_entered or namespace_left";
    DestinationIp "destination.ip" "Destination address; IPv4-mapped IPv6 as IPv4";
    DestinationPort "destination.port" "Destination port";
    Protocol "network.transport" "tcp, udp, icmp, sctp or other";
    DestinationHostname "destination.domain" "Name under which the container asked for the address, as its own name server answered";
    Initiated "tidewaiter.network.initiated" "true: this side opened the connection";
    Direction "network.direction" "egress, ingress, or unknown: the connection was open before the sensor looked, or came from another process";
    BytesSent "source.bytes" "Payload bytes that the process sent over the connection so far";
    BytesReceived "destination.bytes" "Payload bytes that the process received over it so far";
    BytesSentNew "tidewaiter.network.sent_new" "Of BytesSent what was not told before: of these, sums are right";
    BytesReceivedNew "tidewaiter.network.received_new" "Of BytesReceived what was not told before: of these, sums are right";
    FlowState "tidewaiter.network.state" "open: it goes on, told every 5 s while it moves data; closed; failed: it never came to be";
    SocketType "tidewaiter.network.socket" "raw, packet, vsock, runtime (of a container runtime), or other";
    SocketPath "tidewaiter.network.path" "Path of a container runtime's socket";
    QueryName "dns.question.name" "Name that was asked for, in lower case, without the last dot";
    QueryType "dns.question.type" "Type of record that was asked for: A, AAAA, TXT, TYPE65280";
    QueryStatus "dns.response_code" "NOERROR, NXDOMAIN and others; absent in the question";
    QueryResults "dns.answers.data" "Addresses and other records of the answer; any may match";
    TargetFilename "file.path" "Path as seen by the process; of a rename the new one";
    SourceFilename "tidewaiter.file.from" "Former path of a rename, other name of a link where it is known";
    FileAction "event.action" "open, write, close, rename, link, delete, mode or read";
    FileSize "file.size" "Size of the file afterwards, bytes";
    BytesWritten "tidewaiter.file.bytes_written" "Of a close: bytes written since the open, where they are counted";
    FileMapped "tidewaiter.file.mapped" "true: the content is mapped to write, and stores are not seen";
    EventAction "event.action" "As FileAction; access or signal; cgroup_attach, namespace_enter, bpf_load, module_load, mount or identity";
    TargetProcessId "tidewaiter.target.pid" "Process that is reached into, gets a signal, or is moved to a cgroup";
    TargetImage "tidewaiter.target.executable" "As Image, of that process";
    SignalNumber "tidewaiter.signal" "Number of the signal";
    CgroupPath "tidewaiter.cgroup.path" "Cgroup that a process is moved to, within its hierarchy";
    NewMountNamespace "tidewaiter.namespace.mount" "Inode number of the mount namespace, where it is another one now";
    NewPidNamespace "tidewaiter.namespace.pid" "Inode number of the pid namespace for children, where it is another one now";
    NewNetNamespace "tidewaiter.namespace.net" "Inode number of the network namespace, where it is another one now";
    BpfProgramType "tidewaiter.bpf.type" "Type of a BPF program as bpftool names it (kprobe, xdp)";
    BpfProgramName "tidewaiter.bpf.name" "Name that the loader gave a BPF program";
    ModuleName "tidewaiter.module" "Kernel module";
    MountSource "tidewaiter.mount.source" "What is mounted: a device or directory, as given";
    MountTarget "tidewaiter.mount.target" "Where it is mounted";
    MountType "tidewaiter.mount.type" "Type of the file system; absent for a bind mount and by the newer calls";
    UtcTime "@timestamp" "Date of the event as Sysmon writes it, UTC: `2026-11-21 12:03:14.281`";
}

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
            Field::Arguments => all(process.arguments.iter().map(|argument| Value::Text(argument)), each),
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
            Field::TargetFilename => text(self.file().map(|file| file.path.as_str()), each),
            Field::SourceFilename => text(self.file().and_then(|file| file.from.as_deref()), each),
            Field::FileAction => text(self.file().map(|file| file.action.name()), each),
            Field::FileSize => size(self.file().and_then(|file| file.size), each),
            Field::BytesWritten => size(self.file().and_then(|file| file.bytes), each),
            Field::FileMapped => {
                self.file().map_or(Presence::Absent, |file| one(Value::Bool(file.is_mapped), each))
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

    fn file(&self) -> Option<&FileChange> {
        match &self.body {
            Body::FileEvent(file) => Some(file),
            Body::ProcessCreation
            | Body::ProcessAccess(_)
            | Body::NetworkConnection(_)
            | Body::NetworkFlow(_)
            | Body::NetworkSocket(_)
            | Body::DnsQuery(_)
            | Body::SystemChange(_) => None,
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
