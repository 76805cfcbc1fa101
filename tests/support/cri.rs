//! The container runtime interface of Kubernetes, as far as the tests speak it: what the kubelet asks of a
//! runtime, over its socket.
//!
//! No generated code: some ten messages are written out in [`message`].

mod message;

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use http::uri::PathAndQuery;
use prost::Message;
use tokio::runtime::{Builder, Runtime};
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use self::message::{
    Capability, ContainerConfig, ContainerId, ContainerMetadata, ContainerStatusResponse,
    CreateContainerRequest, EXITED, Empty, ExecSyncRequest, ExecSyncResponse, ImageSpec, KeyValue,
    LinuxContainerConfig, LinuxContainerSecurityContext, LinuxPodSandboxConfig, LinuxSandboxSecurityContext,
    ListPodSandboxResponse, Mount, NODE, NamespaceOption, PodSandboxConfig, PodSandboxId, PodSandboxMetadata,
    RunPodSandboxRequest, SecurityProfile, StopContainerRequest, VersionRequest, VersionResponse,
};

use crate::containerd::PODS;

/// Longest answer awaited; a loaded machine takes seconds for a sandbox.
const CALL_MAX: Duration = Duration::from_secs(60);

/// `NamespaceMode.CONTAINER`: a namespace of its own.
const OWN: i32 = 1;

/// `SecurityProfile.ProfileType.RuntimeDefault`.
const RUNTIME_DEFAULT: i32 = 0;

/// What the kubelet asks to hide of every container that is not privileged (Kubernetes, pkg/securitycontext/util.go).
const MASKED: [&str; 10] = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
];

/// The same, and to write-protect.
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Node's network: there is no CNI plug-in, and containerd is in the tests' network already.
const fn namespaces(is_host_pid: bool) -> NamespaceOption {
    NamespaceOption { network: NODE, pid: if is_host_pid { NODE } else { OWN } }
}

/// A connection to a runtime. Threads may share it.
#[derive(Debug)]
pub struct Cri {
    runtime: Runtime,
    channel: Channel,
}

/// What the kubelet knows of a pod when it asks for its sandbox.
#[derive(Debug, Clone)]
pub struct PodSpec {
    pub name: String,
    pub namespace: String,
    /// A UUID, as the API server gives it.
    pub uid: String,
    /// Where the containers' output goes, on the host.
    pub log_directory: String,
    /// `hostPID`: its containers see the processes of the node.
    pub is_host_pid: bool,
}

/// What it knows of a container in it.
#[derive(Debug, Clone, Default)]
pub struct ContainerSpec {
    pub name: String,
    pub image: String,
    /// In place of the image's own, where there is one.
    pub command: Vec<String>,
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
    pub mounts: Vec<Bind>,
    /// None: the manifest says nothing.
    pub security: Option<Security>,
}

/// A path on the host and where the container finds it.
#[derive(Debug, Clone)]
pub struct Bind {
    pub from: String,
    pub to: String,
    pub is_read_only: bool,
}

/// A `securityContext` with the runtime's own filter of system calls.
#[derive(Debug, Clone, Default)]
pub struct Security {
    /// Names without `CAP_`.
    pub add: Vec<String>,
    pub drop: Vec<String>,
    pub is_read_only: bool,
    pub no_new_privs: bool,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub status: i32,
    /// Both its streams, stdout first.
    pub output: String,
}

impl Cri {
    /// Connects to the runtime at `socket`.
    ///
    /// # Errors
    /// Nobody listens there, or it does not answer.
    pub fn connect(socket: &Path) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let endpoint = Endpoint::try_from(format!("unix://{}", socket.display()))?.timeout(CALL_MAX);
        let channel = runtime.block_on(endpoint.connect()).context("connecting to CRI")?;
        Ok(Self { runtime, channel })
    }

    /// The runtime's version.
    ///
    /// # Errors
    /// It does not answer.
    pub fn version(&self) -> Result<String> {
        self.call::<_, VersionResponse>("Version", VersionRequest {}).map(|answer| answer.runtime_version)
    }

    /// Makes a pod's sandbox and starts it; returns its id.
    ///
    /// # Errors
    /// What the runtime says.
    pub fn run_pod(&self, pod: &PodSpec) -> Result<String> {
        let request = RunPodSandboxRequest { config: Some(pod.message()) };
        self.call::<_, PodSandboxId>("RunPodSandbox", request).map(|answer| answer.pod_sandbox_id)
    }

    /// Makes a container in a sandbox and does not start it; returns its id.
    ///
    /// # Errors
    /// What the runtime says.
    pub fn create(&self, sandbox: &str, pod: &PodSpec, container: &ContainerSpec) -> Result<String> {
        let request = CreateContainerRequest {
            pod_sandbox_id: sandbox.to_owned(),
            config: Some(container.message(pod)),
            sandbox_config: Some(pod.message()),
        };
        self.call::<_, ContainerId>("CreateContainer", request).map(|answer| answer.container_id)
    }

    /// Starts it.
    ///
    /// # Errors
    /// What the runtime says.
    pub fn start(&self, container: &str) -> Result<()> {
        let request = ContainerId { container_id: container.to_owned() };
        self.call::<_, Empty>("StartContainer", request).map(drop)
    }

    /// Asks its command to end (SIGTERM), as the kubelet does.
    ///
    /// # Errors
    /// What the runtime says.
    pub fn stop(&self, container: &str) -> Result<()> {
        let timeout = i64::try_from(CALL_MAX.as_secs())?;
        let request = StopContainerRequest { container_id: container.to_owned(), timeout };
        self.call::<_, Empty>("StopContainer", request).map(drop)
    }

    /// Its command's exit status; none while it has not ended.
    ///
    /// # Errors
    /// What the runtime says.
    pub fn exit_status(&self, container: &str) -> Result<Option<i32>> {
        let request = ContainerId { container_id: container.to_owned() };
        let answer = self.call::<_, ContainerStatusResponse>("ContainerStatus", request)?;
        let status = answer.status.context("a container without status")?;
        Ok((status.state == EXITED).then_some(status.exit_code))
    }

    /// Runs another command in it to the end.
    ///
    /// # Errors
    /// What the runtime says; a command that fails is no error.
    pub fn exec(&self, container: &str, command: &[&str]) -> Result<Ended> {
        let request = ExecSyncRequest {
            container_id: container.to_owned(),
            cmd: command.iter().copied().map(str::to_owned).collect(),
            timeout: i64::try_from(CALL_MAX.as_secs())?,
        };
        let answer = self.call::<_, ExecSyncResponse>("ExecSync", request)?;
        let said = [answer.stdout, answer.stderr].concat();
        Ok(Ended { status: answer.exit_code, output: String::from_utf8_lossy(&said).into_owned() })
    }

    /// Ids of all sandboxes.
    ///
    /// # Errors
    /// What the runtime says.
    pub fn pods(&self) -> Result<Vec<String>> {
        let answer = self.call::<_, ListPodSandboxResponse>("ListPodSandbox", Empty {})?;
        Ok(answer.items.into_iter().map(|pod| pod.id).collect())
    }

    /// Ends a sandbox with all its containers, and forgets them.
    ///
    /// # Errors
    /// What the runtime says.
    pub fn remove_pod(&self, sandbox: &str) -> Result<()> {
        let request = PodSandboxId { pod_sandbox_id: sandbox.to_owned() };
        self.call::<_, Empty>("StopPodSandbox", request.clone())?;
        self.call::<_, Empty>("RemovePodSandbox", request).map(drop)
    }

    fn call<Q, A>(&self, method: &str, request: Q) -> Result<A>
    where
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        let path = PathAndQuery::try_from(format!("/runtime.v1.RuntimeService/{method}"))?;
        self.runtime.block_on(async {
            let mut client = Grpc::new(self.channel.clone());
            client.ready().await.with_context(|| format!("CRI is gone before {method}"))?;
            let answer = client.unary(tonic::Request::new(request), path, ProstCodec::default()).await;
            answer.map(tonic::Response::into_inner).map_err(|status| anyhow!("{method}: {status}"))
        })
    }
}

impl PodSpec {
    /// As the kubelet of a cgroupfs node asks for a pod that has neither requests nor limits.
    fn message(&self) -> PodSandboxConfig {
        PodSandboxConfig {
            metadata: Some(PodSandboxMetadata {
                name: self.name.clone(),
                uid: self.uid.clone(),
                namespace: self.namespace.clone(),
            }),
            log_directory: self.log_directory.clone(),
            labels: self.labels(),
            annotations: texts([("kubernetes.io/config.source", "api")]),
            linux: Some(LinuxPodSandboxConfig {
                cgroup_parent: format!("/{PODS}/pod{}", self.uid),
                security_context: Some(LinuxSandboxSecurityContext {
                    namespace_options: Some(namespaces(self.is_host_pid)),
                }),
            }),
        }
    }

    /// Kubernetes, pkg/kubelet/kuberuntime/labels.go: `newPodLabels`.
    fn labels(&self) -> HashMap<String, String> {
        texts([
            ("io.kubernetes.pod.name", self.name.as_str()),
            ("io.kubernetes.pod.namespace", &self.namespace),
            ("io.kubernetes.pod.uid", &self.uid),
        ])
    }
}

impl ContainerSpec {
    /// The same file: `newContainerLabels`, `newContainerAnnotations`.
    fn message(&self, pod: &PodSpec) -> ContainerConfig {
        let mut labels = pod.labels();
        labels.extend(texts([("io.kubernetes.container.name", self.name.as_str())]));
        let mount = |bind: &Bind| Mount {
            container_path: bind.to.clone(),
            host_path: bind.from.clone(),
            readonly: bind.is_read_only,
        };
        let env = |(key, value): &(String, String)| KeyValue { key: key.clone(), value: value.clone() };
        ContainerConfig {
            metadata: Some(ContainerMetadata { name: self.name.clone() }),
            image: Some(ImageSpec { image: self.image.clone() }),
            command: self.command.clone(),
            args: self.args.clone(),
            envs: self.env.iter().map(env).collect(),
            mounts: self.mounts.iter().map(mount).collect(),
            labels,
            annotations: texts([
                ("io.kubernetes.container.restartCount", "0"),
                ("io.kubernetes.container.terminationMessagePath", "/dev/termination-log"),
                ("io.kubernetes.container.terminationMessagePolicy", "File"),
                ("io.kubernetes.pod.terminationGracePeriod", "30"),
            ]),
            log_path: format!("{}.log", self.name),
            linux: Some(LinuxContainerConfig { security_context: Some(self.security(pod)) }),
        }
    }

    fn security(&self, pod: &PodSpec) -> LinuxContainerSecurityContext {
        let namespace_options = Some(namespaces(pod.is_host_pid));
        let Some(security) = self.security.clone() else {
            return LinuxContainerSecurityContext { namespace_options, ..Default::default() };
        };
        LinuxContainerSecurityContext {
            capabilities: Some(Capability {
                add_capabilities: security.add,
                drop_capabilities: security.drop,
            }),
            namespace_options,
            readonly_rootfs: security.is_read_only,
            no_new_privs: security.no_new_privs,
            masked_paths: MASKED.map(str::to_owned).into(),
            readonly_paths: READ_ONLY.map(str::to_owned).into(),
            seccomp: Some(SecurityProfile { profile_type: RUNTIME_DEFAULT }),
        }
    }
}

fn texts<const N: usize>(pairs: [(&str, &str); N]) -> HashMap<String, String> {
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}
