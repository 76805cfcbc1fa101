//! Docker's Engine API, as Docker and Podman speak it: one question, `GET /containers/<id>/json`.
//!
//! HTTP/1.0 on purpose: its answers are never chunked (RFC 9112, section 6.1) and end with the connection, so
//! that reading one is reading to the end.

use std::path::Path;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::{ANSWER_MAX, Answer, SocketError};
use crate::host::container::inspected;
use crate::state::container::{CgroupIdentity, Runtime};

/// Longest part of a refusal that is told, characters.
const REFUSAL_MAX: usize = 200;

pub(super) async fn ask(socket: &Path, identity: &CgroupIdentity, runtime: Runtime) -> Answer {
    let mut stream = UnixStream::connect(socket).await?;
    let question = format!("GET /containers/{}/json HTTP/1.0\r\n\r\n", identity.id);
    stream.write_all(question.as_bytes()).await?;
    let mut answer = Vec::new();
    let limit = u64::try_from(ANSWER_MAX).unwrap_or(u64::MAX);
    stream.take(limit.saturating_add(1)).read_to_end(&mut answer).await?;
    if answer.len() > ANSWER_MAX {
        return Err(SocketError::Malformed(format!("an answer of more than {ANSWER_MAX} bytes")));
    }
    let (status, body) = parse(&answer)?;
    match status {
        200 => {
            inspected(body, identity, runtime).map_err(|reason| SocketError::Malformed(reason.to_string()))
        }
        404 => Ok(None),
        _ => {
            let said = String::from_utf8_lossy(body).chars().take(REFUSAL_MAX).collect::<String>();
            Err(SocketError::Refused(format!("status {status}: {}", said.trim())))
        }
    }
}

/// Status and body of an answer.
fn parse(answer: &[u8]) -> Result<(u16, &[u8]), SocketError> {
    let malformed = || SocketError::Malformed("no HTTP answer".to_owned());
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").ok_or_else(malformed)?;
    let (head, body) = answer.split_at_checked(end + 4).ok_or_else(malformed)?;
    let head = str::from_utf8(head).map_err(|_| malformed())?;
    let line = head.lines().next().unwrap_or_default();
    let mut words = line.split(' ');
    if !words.next().is_some_and(|version| version.starts_with("HTTP/1.")) {
        return Err(malformed());
    }
    let status = words.next().and_then(|status| status.parse().ok()).ok_or_else(malformed)?;
    Ok((status, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuzzed_answers_are_read_or_refused() {
        let id = "accab06600d8e4c16fbf7d95112383c8780e35d72d95fce0bd5e6a3e1f94f814";
        let identity = CgroupIdentity {
            id: id.to_owned(),
            runtime: Runtime::Docker,
            pod_uid: None,
            outer: Vec::new(),
            user: None,
        };
        let body = include_str!("../data/docker-config.v2.json");
        let seeds = [
            format!("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{}", body.replace("\"ID\"", "\"Id\"")),
            format!("HTTP/1.0 200 OK\r\n\r\n{{\"Id\":\"{id}\",\"Name\":\"/web\",\"Config\":{{\"Healthcheck\":{{\"Test\":[\"CMD\",\"a\"]}}}}}}"),
            "HTTP/1.0 404 Not Found\r\n\r\n{\"message\":\"No\"}".to_owned(),
        ]
        .map(String::into_bytes);
        crate::fuzz::run(&seeds, |bytes, _| {
            let Ok((_, body)) = parse(bytes) else { return };
            if let Ok(Some(container)) = inspected(body, &identity, Runtime::Docker) {
                assert_eq!(&*container.id, id);
            }
        });
    }

    #[test]
    fn answers_are_parsed_and_nonsense_is_refused() {
        let answer = b"HTTP/1.0 404 Not Found\r\nContent-Type: application/json\r\n\r\n{\"message\":\"No\"}";
        assert_eq!(parse(answer).unwrap(), (404, &b"{\"message\":\"No\"}"[..]));
        assert_eq!(parse(b"HTTP/1.0 200 OK\r\n\r\n").unwrap(), (200, &b""[..]));
        for nonsense in [
            &b""[..],
            b"\r\n\r\n",
            b"HTTP/1.0 200",
            b"SSH-2.0-x\r\n\r\n",
            b"HTTP/1.1 x\r\n\r\n",
            b"\xff\r\n\r\n",
        ] {
            assert!(parse(nonsense).is_err(), "{nonsense:?}");
        }
    }
}
