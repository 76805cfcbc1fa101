//! Kubernetes' container runtime interface, as containerd and CRI-O speak it: who a container is, or a
//! sandbox, and of which pod.
//!
//! The messages are written out with just the fields that are used; what a runtime sends beyond them is
//! skipped (Protocol Buffers, "Unknown Fields").

mod message;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use http::uri::PathAndQuery;
use prost::Message;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};
use tonic_prost::ProstCodec;

use self::message::{
    ContainerFilter, ContainerStatus, ContainerStatusRequest, ContainerStatusResponse, ListContainersRequest,
    ListContainersResponse, PodSandboxStatus, PodSandboxStatusRequest, PodSandboxStatusResponse,
};
use super::{ANSWER_MAX, Answer, SocketError};
use crate::host::container::{digest_of, pod_of_labels};
use crate::state::container::{CgroupIdentity, Confirmation, Container, Pod, Role, Runtime};

pub(super) async fn ask(socket: &Path, identity: &CgroupIdentity) -> Answer {
    let endpoint =
        Endpoint::try_from(format!("unix://{}", socket.display())).map_err(|error| no_place(&error))?;
    let channel = endpoint.connect().await.map_err(|error| no_place(&error))?;
    // The path is the operator's; CRI-O's is called so by default.
    let is_crio = identity.runtime == Runtime::Crio || socket.to_string_lossy().contains("crio");
    let runtime = if is_crio { Runtime::Crio } else { Runtime::Containerd };
    let request = ContainerStatusRequest { container_id: identity.id.clone() };
    let answer: Option<ContainerStatusResponse> = call(&channel, "ContainerStatus", request).await?;
    if let Some(status) = answer.and_then(|answer| answer.status) {
        if status.id != identity.id {
            return Err(SocketError::Malformed(format!("it tells of container {}", status.id)));
        }
        let pod = match pod_of_labels(&sorted(&status.labels)) {
            Some(pod) => Some(pod),
            // Not the kubelet's: its sandbox knows.
            None => pod_of(&channel, &identity.id).await?,
        };
        return Ok(Some(container(identity, runtime, status, pod)));
    }
    let Some(status) = sandbox(&channel, &identity.id).await? else { return Ok(None) };
    let pod = pod(status);
    let known = Container {
        runtime,
        role: Role::Sandbox,
        confirmation: Confirmation::Known,
        ..Container::from_cgroup(identity)
    };
    Ok(Some(with_pod(known, pod)))
}

fn container(
    identity: &CgroupIdentity,
    runtime: Runtime,
    status: ContainerStatus,
    pod: Option<Pod>,
) -> Container {
    let filled = |text: String| Some(text).filter(|text| !text.is_empty());
    let image = status.image.and_then(|image| filled(image.image));
    // A digest in a repository, or where it was never pulled the image's id (containerd,
    // pkg/cri/server/container_status.go).
    let image_digest = digest_of(&status.image_ref);
    let image_id =
        filled(status.image_id).or_else(|| Some(status.image_ref).filter(|id| id.starts_with("sha256:")));
    let known = Container {
        runtime,
        name: status.metadata.and_then(|metadata| filled(metadata.name)),
        image,
        image_id,
        image_digest,
        confirmation: Confirmation::Known,
        ..Container::from_cgroup(identity)
    };
    with_pod(known, pod)
}

fn with_pod(container: Container, pod: Option<Pod>) -> Container {
    let pod_uid = pod.as_ref().map(|pod| pod.uid.clone()).or(container.pod_uid);
    Container { pod, pod_uid, ..container }
}

/// The pod of a container, by its sandbox.
async fn pod_of(channel: &Channel, id: &str) -> Result<Option<Pod>, SocketError> {
    let request = ListContainersRequest { filter: Some(ContainerFilter { id: id.to_owned() }) };
    let listed: Option<ListContainersResponse> = call(channel, "ListContainers", request).await?;
    let sandbox_id = listed
        .and_then(|listed| listed.containers.into_iter().find(|container| container.id == id))
        .map(|container| container.pod_sandbox_id);
    match sandbox_id {
        Some(id) => Ok(sandbox(channel, &id).await?.and_then(pod)),
        None => Ok(None),
    }
}

async fn sandbox(channel: &Channel, id: &str) -> Result<Option<PodSandboxStatus>, SocketError> {
    let request = PodSandboxStatusRequest { pod_sandbox_id: id.to_owned() };
    let answer: Option<PodSandboxStatusResponse> = call(channel, "PodSandboxStatus", request).await?;
    Ok(answer.and_then(|answer| answer.status).filter(|status| status.id == id))
}

fn pod(status: PodSandboxStatus) -> Option<Pod> {
    let metadata = status.metadata?;
    let (name, namespace, uid) = (metadata.name, metadata.namespace, metadata.uid);
    (!name.is_empty()).then(|| Pod { name, namespace, uid, ..Pod::default() })
}

/// One call. None: the runtime does not know the id.
async fn call<Q, A>(channel: &Channel, method: &str, request: Q) -> Result<Option<A>, SocketError>
where
    Q: Message + Send + Sync + 'static,
    A: Message + Default + Send + Sync + 'static,
{
    let path = PathAndQuery::try_from(format!("/runtime.v1.RuntimeService/{method}"))
        .map_err(|error| SocketError::Malformed(error.to_string()))?;
    let mut client = Grpc::new(channel.clone()).max_decoding_message_size(ANSWER_MAX);
    client.ready().await.map_err(|error| no_place(&error))?;
    match client.unary(Request::new(request), path, ProstCodec::default()).await {
        Ok(answer) => Ok(Some(answer.into_inner())),
        Err(status) if status.code() == Code::NotFound => Ok(None),
        Err(status) => Err(SocketError::Refused(format!("{method}: {status}"))),
    }
}

/// tonic tells of a socket that cannot be connected in its source only.
fn no_place(error: &tonic::transport::Error) -> SocketError {
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        reason = format!("{reason}: {error}");
        source = error.source();
    }
    SocketError::Refused(reason)
}

fn sorted(labels: &HashMap<String, String>) -> BTreeMap<String, String> {
    labels.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}
