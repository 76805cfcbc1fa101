//! Kubernetes' container runtime interface, as containerd and CRI-O speak it: who a container is, or a
//! sandbox, and of which pod.
//!
//! The messages are written out with just the fields that are used; what a runtime sends beyond them is
//! skipped (Protocol Buffers, "Unknown Fields").

mod message;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use http::uri::PathAndQuery;
use http::{HeaderName, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame};
use prost::Message;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};
use tonic_prost::ProstCodec;
use tower::ServiceExt as _;

use self::message::{
    ContainerFilter, ContainerStatus, ContainerStatusRequest, ContainerStatusResponse, ListContainersRequest,
    ListContainersResponse, PodSandboxStatus, PodSandboxStatusRequest, PodSandboxStatusResponse,
};
use super::{ANSWER_MAX, Answer, SocketError};
use crate::host::container::{digest_of, pod_of_labels};
use crate::state::container::{CgroupIdentity, Confirmation, Container, Pod, Role, Runtime};

/// Where details of a status stand (gRPC over HTTP/2, "Status-Details"). None are needed.
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

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
    let channel = channel.clone().map_response(without_details);
    let mut client = Grpc::new(channel).max_decoding_message_size(ANSWER_MAX);
    client.ready().await.map_err(|error| no_place(&error))?;
    match client.unary(Request::new(request), path, ProstCodec::default()).await {
        Ok(answer) => Ok(Some(answer.into_inner())),
        Err(status) if status.code() == Code::NotFound => Ok(None),
        Err(status) => Err(SocketError::Refused(format!("{method}: {status}"))),
    }
}

/// An answer without the one header that tonic 0.14.9 cannot read unless it is well-formed: it panics
/// (`Status::from_header_map`).
fn without_details<B: Body>(answer: Response<B>) -> Response<impl Body<Data = B::Data, Error = B::Error>> {
    let (mut head, body) = answer.into_parts();
    head.headers.remove(DETAILS);
    let body = body.map_frame(|frame| match frame.into_trailers() {
        Ok(mut trailers) => {
            trailers.remove(DETAILS);
            Frame::trailers(trailers)
        }
        Err(data) => data,
    });
    Response::from_parts(head, body)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::runtime::cri::message::{ContainerMetadata, ImageSpec, PodSandboxMetadata};

    #[tokio::test]
    async fn details_reach_nobody() {
        use http::header::{HeaderMap, HeaderValue};
        use http_body_util::{BodyExt as _, Full};
        use hyper::body::Bytes;

        let mut trailers = HeaderMap::new();
        trailers.insert(DETAILS, HeaderValue::from_static("no base64"));
        trailers.insert("grpc-status", HeaderValue::from_static("5"));
        let end = trailers.clone();
        let body = Full::new(Bytes::from_static(b"x")).with_trailers(async move { Some(Ok(end)) });
        let mut answer = Response::new(body);
        *answer.headers_mut() = trailers;
        let (head, body) = without_details(answer).into_parts();
        let body = body.collect().await.unwrap();
        for headers in [&head.headers, body.trailers().unwrap()] {
            assert!(headers.contains_key("grpc-status") && !headers.contains_key(DETAILS), "{headers:?}");
        }
        assert_eq!(body.to_bytes(), "x");
    }

    /// The part that is ours: messages, and what is made of them. What is around them is tonic's.
    #[test]
    fn fuzzed_messages_are_read_or_refused() {
        let text = str::to_owned;
        let labels = [("io.kubernetes.pod.name", "web-1"), ("io.kubernetes.pod.uid", "4cad64d0")];
        let status = ContainerStatus {
            id: text("ab"),
            metadata: Some(ContainerMetadata { name: text("web") }),
            image: Some(ImageSpec { image: text("nginx:1.25") }),
            image_ref: text("nginx@sha256:ab"),
            labels: labels.map(|(name, value)| (text(name), text(value))).into(),
            image_id: text("sha256:cd"),
        };
        let metadata =
            PodSandboxMetadata { name: text("web-1"), uid: text("4cad64d0"), namespace: text("shop") };
        let sandbox = PodSandboxStatus { id: text("ab"), metadata: Some(metadata) };
        let seeds = [
            ContainerStatusResponse { status: Some(status) }.encode_to_vec(),
            PodSandboxStatusResponse { status: Some(sandbox) }.encode_to_vec(),
        ];
        let identity = CgroupIdentity {
            id: text("ab"),
            runtime: Runtime::Containerd,
            pod_uid: None,
            outer: Vec::new(),
            user: None,
        };
        crate::fuzz::run(&seeds, |bytes, _| {
            if let Ok(answer) = ContainerStatusResponse::decode(bytes)
                && let Some(status) = answer.status
            {
                let pod = pod_of_labels(&sorted(&status.labels));
                assert_eq!(&*container(&identity, Runtime::Containerd, status, pod).id, "ab");
            }
            if let Ok(answer) = PodSandboxStatusResponse::decode(bytes)
                && let Some(pod) = answer.status.and_then(pod)
            {
                assert!(!pod.name.is_empty());
            }
            drop(ListContainersResponse::decode(bytes));
        });
    }
}
