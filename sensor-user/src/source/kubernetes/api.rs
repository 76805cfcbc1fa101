//! Questions to the API server and its answers, each bounded in bytes and in time.

use std::error::Error;
use std::time::Duration;

use http::header::ACCEPT;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client as Transport;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ConfigExt as _};
use kube::{Client, Config};
use thiserror::Error;
use tokio::time::timeout;
use tower::ServiceBuilder;

use super::document::Status;

/// Longest list of pods, bytes: etcd admits 1.5 MiB a pod, in practice they have 5 to 20 KiB; a node with
/// a thousand of them stays below.
const LIST_MAX: usize = 64 << 20;
/// Longest line of a watch, bytes: a pod at etcd's own bound, escaped, and its wrapping.
const LINE_MAX: usize = 8 << 20;
/// Longest text of an error that is shown, characters; a refusal of the API has some 200.
const REASON_MAX: usize = 400;
/// When a connection over which nothing comes is probed.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// Accepted where only who made a thing is asked for: its metadata alone.
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const JSON: &str = "application/json";

/// How long is waited for what.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For a whole answer, or the beginning of a watch.
    pub answer: Duration,
    /// How long the server is asked to keep a watch open. Then it is asked anew from where it was.
    pub watch: Duration,
    /// Beyond [`Patience::watch`], until a watch over which nothing came is given up.
    pub silence: Duration,
    /// After the first failure; doubled after each further one.
    pub pause: Duration,
    /// Longest pause.
    pub pause_max: Duration,
    /// How long a question that was refused is not asked again.
    pub refused: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(30),
            // A load balancer's usual patience with a silent connection is five to ten minutes.
            watch: Duration::from_secs(240),
            silence: Duration::from_secs(20),
            pause: Duration::from_secs(1),
            pause_max: Duration::from_secs(60),
            refused: Duration::from_secs(600),
        }
    }
}

/// Why the API did not answer.
#[derive(Debug, Error)]
pub enum ApiError {
    #[error("the API server does not know who asks (401): {0}")]
    Unauthorized(String),
    #[error("the API server does not allow it (403): {0}")]
    Forbidden(String),
    #[error("there is no such thing (404): {0}")]
    NotFound(String),
    #[error("the API server has forgotten where the watch was (410)")]
    Gone,
    #[error("the API server answers {code}: {reason}")]
    Status { code: u16, reason: String },
    #[error("the API server cannot be reached: {0}")]
    Unreachable(String),
    #[error("no answer within {:.0} s", .0.as_secs_f32())]
    Silent(Duration),
    #[error("an answer of more than {0} bytes")]
    TooLong(usize),
    #[error("an answer that is not what the API writes: {0}")]
    Malformed(String),
    #[error("no TLS with what is configured: {0}")]
    Tls(String),
}

impl ApiError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unauthorized(_) => {
                "give a valid token: kubernetes.kubeconfig, or the service account of deploy/kubernetes"
            }
            Self::Forbidden(_) => {
                "allow get, list and watch of pods: kubectl apply -f deploy/kubernetes/component/api/rbac.yaml"
            }
            Self::Unreachable(_) | Self::Silent(_) => {
                "let this node reach the API server, and check its address and certificate authority"
            }
            Self::Tls(_) => "check the certificates in the kubeconfig",
            Self::NotFound(_) | Self::Status { .. } | Self::Malformed(_) => {
                "check that the server is a Kubernetes API server"
            }
            Self::Gone | Self::TooLong(_) => "none is needed: it is asked anew",
        }
    }

    pub(super) fn of(status: &Status) -> Self {
        let reason = shown(&status.message);
        match status.code {
            401 => Self::Unauthorized(reason),
            403 => Self::Forbidden(reason),
            404 => Self::NotFound(reason),
            410 => Self::Gone,
            code => Self::Status { code, reason },
        }
    }
}

/// The API server.
#[derive(Clone)]
pub(super) struct Api {
    client: Client,
    pub(super) patience: Patience,
}

impl Api {
    /// A client without kube's own log and retries: failures are told once, and retried at the watch's pace.
    pub(super) fn new(config: Config, patience: Patience) -> Result<Self, ApiError> {
        let tls = |error: kube::Error| ApiError::Tls(chain(&error));
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(patience.connect));
        connector.set_keepalive(Some(KEEPALIVE));
        let connector = config.rustls_https_connector_with_connector(connector).map_err(tls)?;
        let transport: Transport<_, Body> = Transport::builder(TokioExecutor::new()).build(connector);
        let service = ServiceBuilder::new()
            .layer(config.base_uri_layer())
            .option_layer(config.auth_layer().map_err(tls)?)
            .layer(config.extra_headers_layer().map_err(tls)?)
            .map_err(tower::BoxError::from)
            .service(transport);
        Ok(Self { client: Client::new(service, config.default_namespace), patience })
    }

    /// A list of pods.
    pub(super) async fn list(&self, path: &str) -> Result<Vec<u8>, ApiError> {
        self.whole(path, JSON, LIST_MAX).await
    }

    /// The metadata of one thing.
    pub(super) async fn metadata(&self, path: &str) -> Result<Vec<u8>, ApiError> {
        self.whole(path, METADATA, LINE_MAX).await
    }

    /// A watch, line by line.
    pub(super) async fn open(&self, path: &str) -> Result<Lines, ApiError> {
        let answer = self.patience.answer;
        let body = timeout(answer, self.ask(path, JSON)).await.map_err(|_| ApiError::Silent(answer))??;
        Ok(Lines { body, waiting: Vec::new(), patience: self.patience.watch + self.patience.silence })
    }

    async fn whole(&self, path: &str, accept: &str, max: usize) -> Result<Vec<u8>, ApiError> {
        let answer = self.patience.answer;
        let asked = async { collect(self.ask(path, accept).await?, max).await };
        timeout(answer, asked).await.map_err(|_| ApiError::Silent(answer))?
    }

    /// The body of an answer, where it is one.
    async fn ask(&self, path: &str, accept: &str) -> Result<Body, ApiError> {
        let request = Request::get(path).header(ACCEPT, accept).body(Body::empty());
        let request = request.map_err(|error| ApiError::Malformed(error.to_string()))?;
        let answer = self.client.send(request).await.map_err(|error| ApiError::Unreachable(chain(&error)))?;
        let code = answer.status();
        if code == StatusCode::OK {
            return Ok(answer.into_body());
        }
        // A proxy between may say no in words of its own.
        let text = collect(answer.into_body(), LINE_MAX).await.unwrap_or_default();
        let status: Status = serde_json::from_slice(&text).unwrap_or_default();
        Err(ApiError::of(&Status { code: code.as_u16(), ..status }))
    }
}

/// The lines of a watch as they come.
pub(super) struct Lines {
    body: Body,
    /// Bytes of a line whose end has not come.
    waiting: Vec<u8>,
    patience: Duration,
}

impl Lines {
    /// The next line; none at the end. Nothing is lost when it is dropped before it is done.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, ApiError> {
        loop {
            if let Some(end) = self.waiting.iter().position(|byte| *byte == b'\n') {
                let rest = self.waiting.split_off(end + 1);
                return Ok(Some(std::mem::replace(&mut self.waiting, rest)));
            }
            if self.waiting.len() > LINE_MAX {
                return Err(ApiError::TooLong(LINE_MAX));
            }
            let frame = timeout(self.patience, self.body.frame());
            match frame.await.map_err(|_| ApiError::Silent(self.patience))? {
                None => return Ok(None),
                Some(Err(error)) => return Err(ApiError::Unreachable(chain(&error))),
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.waiting.extend_from_slice(data);
                    }
                }
            }
        }
    }
}

async fn collect(mut body: Body, max: usize) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| ApiError::Unreachable(chain(&error)))?;
        if let Some(data) = frame.data_ref() {
            if bytes.len() + data.len() > max {
                return Err(ApiError::TooLong(max));
            }
            bytes.extend_from_slice(data);
        }
    }
    Ok(bytes)
}

/// An error with its causes, each once. The answers of programs that give credentials are never among them: no such
/// program is run (`access`).
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(one) = cause {
        let said = one.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = one.source();
    }
    shown(&text)
}

/// What a server says, safe to show and not too long.
fn shown(text: &str) -> String {
    text.chars().take(REASON_MAX).map(|one| if one.is_control() { ' ' } else { one }).collect()
}
