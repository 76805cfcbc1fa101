//! One connection to a receiver: opened, asked over again and again, and what went wrong on it in the operator's words.

use std::error::Error as StdError;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::rt::{Read, Write};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::address::Place;
use super::answer::Answer;
use super::{HttpAddress, HttpReceiver};
use crate::sink::socket::{self, CONNECT_TIMEOUT};
use crate::sink::text::escape::visible;
use crate::sink::tls::{self, Fault};

/// An answer that is not whole within this time does not come: a receiver that passes messages on needs some seconds.
/// It is asked the same again then.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a connection that failed may take to say why.
const CAUSE_WAIT: Duration = Duration::from_millis(200);

/// Characters of an error of HTTP that are told.
const ERROR_MAX: usize = 200;

/// Who asks (RFC 9110 section 10.1.5).
const AGENT: HeaderValue = HeaderValue::from_static(concat!("tidewaiter/", env!("CARGO_PKG_VERSION")));

/// How requests travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sink) enum Protocol {
    /// RFC 9112.
    Http1,
    /// RFC 9113, without asking whether the receiver can: gRPC is nothing else.
    Http2,
}

impl Protocol {
    /// Its name in ALPN.
    fn alpn(self) -> &'static [u8] {
        match self {
            Self::Http1 => b"http/1.1",
            Self::Http2 => b"h2",
        }
    }
}

/// What is sent to a receiver; always by POST, to the path of its address.
#[derive(Clone, Debug)]
pub(in crate::sink) struct Question {
    pub(in crate::sink) content_type: HeaderValue,
    pub(in crate::sink) headers: Vec<(HeaderName, HeaderValue)>,
    pub(in crate::sink) body: Bytes,
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Link {
    sender: Sender,
    task: JoinHandle<hyper::Result<()>>,
    answer: Option<Arc<tls::Answer>>,
    /// Those that every request has.
    headers: HeaderMap,
    uri: Uri,
    /// It has carried an answer: what fails now may only mean that the receiver closed it meanwhile.
    pub(super) is_proven: bool,
    /// It carries no other request.
    is_spent: bool,
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Link {
    /// Connects; where the address says so, over TLS, verified before anything is sent.
    ///
    /// # Errors
    /// What is wrong with the receiver, or with a file that holds a secret.
    pub(super) async fn open(receiver: &HttpReceiver, protocol: Protocol) -> io::Result<Self> {
        let headers = headers(receiver, protocol)?;
        let uri = uri(&receiver.address, protocol)?;
        let connecting = async {
            match receiver.address.place() {
                Place::Plain { host, port } => {
                    let stream = socket::connect(host, *port).await?;
                    let (sender, task) = start(TokioIo::new(stream), protocol).await?;
                    Ok((sender, task, None))
                }
                Place::Tls(target) => {
                    let (stream, answer) = tls::connect(target, &[protocol.alpn()]).await?;
                    let (sender, task) = start(TokioIo::new(stream), protocol).await?;
                    Ok((sender, task, Some(answer)))
                }
            }
        };
        match timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(Ok((sender, task, answer))) => {
                Ok(Self { sender, task, answer, headers, uri, is_proven: false, is_spent: false })
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(silent()),
        }
    }

    /// It can carry another request, as far as is known.
    pub(super) fn is_open(&self) -> bool {
        let is_closed = match &self.sender {
            Sender::Http1(sender) => sender.is_closed(),
            Sender::Http2(sender) => sender.is_closed(),
        };
        !self.is_spent && !is_closed
    }

    /// The receiver asked for a certificate of this host, and got none.
    pub(super) fn is_unanswered(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| answer.request() == tls::Request::Unanswered)
    }

    /// Sends a request and waits for the whole answer, of whose body no more than `max` bytes are kept.
    ///
    /// # Errors
    /// There is none; the link is good for nothing more then.
    pub(super) async fn ask(&mut self, question: Question, max: usize) -> io::Result<Answer> {
        self.is_spent = true;
        let request = self.request(question)?;
        let asking = async {
            let response = match &mut self.sender {
                Sender::Http1(sender) => {
                    sender.ready().await?;
                    sender.send_request(request).await?
                }
                Sender::Http2(sender) => {
                    sender.ready().await?;
                    sender.send_request(request).await?
                }
            };
            collect(response, max).await
        };
        match timeout(ANSWER_TIMEOUT, asking).await {
            Ok(Ok(answer)) => {
                self.is_proven = true;
                // Reading the rest of a body nobody wants takes longer than another connection.
                self.is_spent = answer.is_cut;
                Ok(answer)
            }
            Ok(Err(error)) => Err(self.cause(error).await),
            Err(_) => Err(silent()),
        }
    }

    fn request(&self, question: Question) -> io::Result<Request<Full<Bytes>>> {
        let request = Request::builder().method(Method::POST).uri(self.uri.clone());
        let mut request = request.body(Full::new(question.body)).map_err(io::Error::other)?;
        let headers = request.headers_mut();
        headers.clone_from(&self.headers);
        headers.insert(CONTENT_TYPE, question.content_type);
        headers.extend(question.headers);
        Ok(request)
    }

    /// What an error means; the connection's own where the request only knows that there was one.
    async fn cause(&mut self, error: hyper::Error) -> io::Error {
        let ended = timeout(CAUSE_WAIT, &mut self.task).await;
        let request = self.answer.as_ref().map(|answer| answer.request());
        let of_connection = match ended {
            Ok(Ok(Err(error))) => Some(error),
            Ok(Ok(Ok(())) | Err(_)) | Err(_) => None,
        };
        for error in std::iter::once(&error).chain(&of_connection) {
            let Some(below) = within(error) else { continue };
            if let Some(fault) = request.and_then(|request| Fault::find(below, request)) {
                return fault.into();
            }
            return io::Error::new(below.kind(), told(&below.to_string()));
        }
        let error = of_connection.as_ref().unwrap_or(&error);
        if error.is_parse() || error.is_parse_status() {
            let text = format!("it answers something that is no HTTP: {}", told(&error.to_string()));
            return io::Error::new(ErrorKind::InvalidData, text);
        }
        if error.is_closed() || error.is_canceled() || error.is_incomplete_message() {
            return io::Error::new(ErrorKind::UnexpectedEof, "it closed the connection without an answer");
        }
        let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
        io::Error::other(told(&format!("HTTP with it failed: {error}{source}")))
    }
}

async fn start<T>(stream: T, protocol: Protocol) -> io::Result<(Sender, JoinHandle<hyper::Result<()>>)>
where
    T: Read + Write + Unpin + Send + 'static,
{
    match protocol {
        Protocol::Http1 => {
            let (sender, connection) = http1::handshake(stream).await.map_err(io::Error::other)?;
            Ok((Sender::Http1(sender), tokio::spawn(connection)))
        }
        Protocol::Http2 => {
            let opened = http2::handshake(TokioExecutor::new(), stream).await;
            let (sender, connection) = opened.map_err(io::Error::other)?;
            Ok((Sender::Http2(sender), tokio::spawn(connection)))
        }
    }
}

/// An answer with as much of its body as is wanted.
async fn collect(response: http::Response<Incoming>, max: usize) -> hyper::Result<Answer> {
    let (head, mut body) = response.into_parts();
    let mut answer = Answer::new(head.status, head.headers);
    while let Some(frame) = body.frame().await {
        match frame?.into_data() {
            Ok(data) => {
                let room = max - answer.body.len();
                answer.body.extend(data.iter().take(room));
                if data.len() > room {
                    answer.is_cut = true;
                    return Ok(answer);
                }
            }
            Err(frame) => answer.trailers.extend(frame.into_trailers().unwrap_or_default()),
        }
    }
    Ok(answer)
}

fn headers(receiver: &HttpReceiver, protocol: Protocol) -> io::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, AGENT);
    if protocol == Protocol::Http1 {
        let host = HeaderValue::try_from(receiver.address.authority()).map_err(io::Error::other)?;
        headers.insert(HOST, host);
    }
    for secret in &receiver.secrets {
        headers.insert(secret.header.clone(), secret.read().map_err(io::Error::other)?);
    }
    Ok(headers)
}

/// What stands in the request: the path alone (RFC 9112 section 3.2.1), or all of it (RFC 9113 section 8.3.1).
fn uri(address: &HttpAddress, protocol: Protocol) -> io::Result<Uri> {
    let path = address.path().clone();
    match protocol {
        Protocol::Http1 => Ok(Uri::from(path)),
        Protocol::Http2 => {
            let scheme = match address.place() {
                Place::Plain { .. } => "http",
                Place::Tls(_) => "https",
            };
            let builder = Uri::builder().scheme(scheme).authority(address.authority()).path_and_query(path);
            builder.build().map_err(io::Error::other)
        }
    }
}

/// The error of the socket or of TLS below an error of HTTP.
fn within(error: &hyper::Error) -> Option<&io::Error> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        source = error.source();
    }
    None
}

fn silent() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "it does not answer")
}

fn told(text: &str) -> String {
    let cut: String = text.chars().take(ERROR_MAX).collect();
    visible(&cut).into_owned()
}
