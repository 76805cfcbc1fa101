//! The table itself: one line for each field.

/// Declares [`Field`] and its table from one list, so that they cannot differ.
///
/// A rule names a field as the list does; where that is no identifier, as it says behind it.
macro_rules! fields {
    ($($field:ident $(as $sigma:literal)? $ecs:literal $doc:literal;)+) => {
        /// A field that rules can use.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u16)]
        pub enum Field { $(#[doc = $doc] $field,)+ }

        /// Every field: itself, its Sigma name, its ECS name, what it is.
        pub const TABLE: &[(Field, &str, &str, &str)] =
            &[$((Field::$field, sigma_name!($field $($sigma)?), $ecs, $doc),)+];
    };
}

macro_rules! sigma_name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $sigma:literal) => {
        $sigma
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
    ExeWriterBytesReceived "tidewaiter.executable.writer.bytes_received" "Payload bytes that it, or who fed its standard input, had received from other machines by then, as far as they were counted; absent if neither talked to any";
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
    TransferTool as "Transfer.Tool" "tidewaiter.transfer.tool" "Tool whose command line was understood: curl, wget, rsync, scp, sftp, nc and others; also of a renamed BusyBox applet";
    TransferRole as "Transfer.Role" "tidewaiter.transfer.role" "client, or server: the end that somebody else's client started or that waits for one";
    TransferDirection as "Transfer.Direction" "tidewaiter.transfer.direction" "in, out, or both, as the command line asks for; absent where it moves no file (a version, a probe, a call of an interface)";
    TransferScheme as "Transfer.Scheme" "tidewaiter.transfer.scheme" "How: http, https, ftp, ssh, rsync, tcp, udp, tls, s3, gs and others; any may match";
    TransferRemote as "Transfer.Remote" "tidewaiter.transfer.remote" "The other end as it is written: URL, host:path, bucket; any may match";
    TransferRemoteHost as "Transfer.RemoteHost" "tidewaiter.transfer.remote_host" "Host in that, in lower case; any may match";
    TransferRemotePort as "Transfer.RemotePort" "tidewaiter.transfer.remote_port" "Port in that; any may match";
    TransferRemoteUser as "Transfer.RemoteUser" "tidewaiter.transfer.remote_user" "User in that; any may match";
    TransferLoopback as "Transfer.Loopback" "tidewaiter.transfer.loopback" "true: every other end is this very machine (localhost, 127.0.0.1, ::1)";
    TransferLocal as "Transfer.Local" "tidewaiter.transfer.local" "Local paths that are read or written, as written; `-` for standard input or output; any may match";
    TransferListens as "Transfer.Listens" "tidewaiter.transfer.listens" "true: it waits for somebody to connect";
    CloudProvider as "Cloud.Provider" "tidewaiter.cloud.provider" "Whose cloud a command line is about: aws, gcp, azure, kubernetes and others";
    CloudService as "Cloud.Service" "tidewaiter.cloud.service" "Service in it: ec2, s3, compute, storage";
    CloudOperation as "Cloud.Operation" "tidewaiter.cloud.operation" "What is asked for, as the tool names it: run-instances, instances create";
    CloudClass as "Cloud.Class" "tidewaiter.cloud.class" "Kind of operation: create, delete, stop, list, share, upload, download, sign_in, enable_region or other";
    CloudRegion as "Cloud.Region" "tidewaiter.cloud.region" "Regions that are named, by option, variable of the environment or zone; any may match";
    CloudRegionSource as "Cloud.RegionSource" "tidewaiter.cloud.region_source" "Where the region comes from: option, environment or zone; any may match";
    CloudBucket as "Cloud.Bucket" "tidewaiter.cloud.bucket" "Buckets or containers of object storage that are named; any may match";
    CloudEndpoint as "Cloud.Endpoint" "tidewaiter.cloud.endpoint" "Host of another endpoint than the provider's own, where one is given";
    CloudProfile as "Cloud.Profile" "tidewaiter.cloud.profile" "Profile, account or credential that is chosen by name";
    CloudAccount as "Cloud.Account" "tidewaiter.cloud.account" "Account or user something is shared with; any may match";
    StdinType "tidewaiter.stdin.type" "What standard input is when the program starts: terminal, pipe, socket, file, null, device, other or closed";
    StdoutType "tidewaiter.stdout.type" "The same of standard output";
    StderrType "tidewaiter.stderr.type" "The same of standard error";
    StdinId "tidewaiter.stdin.id" "Inode number of a pipe, socket or file that is standard input: of two programs joined by a pipe, StdoutId of one is StdinId of the other";
    StdoutId "tidewaiter.stdout.id" "The same of standard output";
    StderrId "tidewaiter.stderr.id" "The same of standard error";
    QueryDomain "dns.question.registered_domain" "Last labels of QueryName, as far as one owner has them: example.com, example.co.uk";
    QuerySubdomainLength "tidewaiter.dns.subdomain_length" "Characters of QueryName before QueryDomain";
    ContainerImageRegistry "tidewaiter.container.image.registry" "Registry in the image reference, docker.io where it names none";
    ContainerAction "event.action" "Of a container event: start or end";
    ContainerAge "tidewaiter.container.age" "Of a container event: whole seconds since its first program started; of one that was there before the sensor, since its oldest process did";
    ContainerAlertCount "tidewaiter.container.alerts" "Of a container's end: matches of high or graver in it";
    ContainerResource "tidewaiter.resource.kind" "Of a resource event: cpu or memory";
    ContainerResourceValue "tidewaiter.resource.value" "What the container used: thousandths of a CPU, or bytes";
    ContainerResourceNormal "tidewaiter.resource.normal" "What it used before, in the same unit";
    ContainerResourceRatio "tidewaiter.resource.ratio" "How many times as much that is, rounded down";
    ExeNewForImage "tidewaiter.baseline.executable" "true: the learned baseline of the container's image does not have this program; absent without one";
    DestinationNewForImage "tidewaiter.baseline.destination" "true: the learned baseline of the image does not have this destination; absent without one";
    VolumeNewForImage "tidewaiter.baseline.volume" "true: the process sent this destination more than any did while the baseline of the image was learned; absent without one";
}
