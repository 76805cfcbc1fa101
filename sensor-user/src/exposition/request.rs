//! The head of a request, read strictly (RFC 9112): what is not plainly a GET or HEAD without a body is refused.

/// Longest head, bytes: a scraper's has some 300.
pub(super) const HEAD_MAX: usize = 4096;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    Metrics,
    Health,
    Ready,
}

/// A request that is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) path: Path,
    /// HEAD: the answer has no body.
    pub(super) is_head: bool,
}

/// Status codes (RFC 9110 section 15, RFC 6585 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    HeaderTooLarge,
    Unavailable,
    Version,
}

impl Status {
    /// As in the status line.
    pub(super) fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::RequestTimeout => "408 Request Timeout",
            Self::HeaderTooLarge => "431 Request Header Fields Too Large",
            Self::Unavailable => "503 Service Unavailable",
            Self::Version => "505 HTTP Version Not Supported",
        }
    }
}

/// Where the head ends, once all of it is there.
pub(super) fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 2)
}

/// Reads a head: the request line and fields, each ended by CR LF.
pub(super) fn read(head: &[u8]) -> Result<Request, Status> {
    let head = std::str::from_utf8(head).map_err(|_| Status::BadRequest)?;
    let mut lines = head.strip_suffix("\r\n").ok_or(Status::BadRequest)?.split("\r\n");
    let request = lines.next().unwrap_or_default();
    let is_plain = |text: &str| text.chars().all(|character| character == '\t' || !character.is_control());
    if !is_plain(request) {
        return Err(Status::BadRequest);
    }
    let mut words = request.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Status::BadRequest);
    };
    match version {
        "HTTP/1.1" | "HTTP/1.0" => {}
        other if other.starts_with("HTTP/") => return Err(Status::Version),
        _ => return Err(Status::BadRequest),
    }
    let mut hosts = 0;
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(Status::BadRequest)?;
        // A blank before the colon, or a folded line, is how requests are smuggled (RFC 9112 sections 5.1 and 5.2).
        if name.is_empty() || !name.bytes().all(is_token) || !is_plain(value) {
            return Err(Status::BadRequest);
        }
        match name.to_ascii_lowercase().as_str() {
            "host" => hosts += 1,
            "content-length" if value.trim() != "0" => return Err(Status::BadRequest),
            "transfer-encoding" => return Err(Status::BadRequest),
            _ => {}
        }
    }
    if hosts > 1 || (hosts == 0 && version == "HTTP/1.1") {
        return Err(Status::BadRequest);
    }
    let is_head = match method {
        "GET" => false,
        "HEAD" => true,
        _ => return Err(Status::MethodNotAllowed),
    };
    let path = match target.split_once('?').map_or(target, |(path, _)| path) {
        "/metrics" => Path::Metrics,
        "/healthz" => Path::Health,
        "/readyz" => Path::Ready,
        _ => return Err(Status::NotFound),
    };
    Ok(Request { path, is_head })
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ask(text: &str) -> Result<Request, Status> {
        read(text.as_bytes())
    }

    #[test]
    fn fuzzed_heads_are_read_or_refused() {
        let seeds = [
            "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n",
            "HEAD /healthz?x=1 HTTP/1.0\r\nContent-Length: 0\r\n\r\n",
        ];
        let seeds = seeds.map(|seed| seed.as_bytes().to_vec());
        crate::fuzz::run(&seeds, |bytes, _| {
            if let Some(end) = head_end(bytes)
                && read(&bytes[..end]).is_ok()
            {
                assert!(bytes.starts_with(b"GET ") || bytes.starts_with(b"HEAD "));
            }
        });
    }

    #[test]
    fn a_scraper_is_understood() {
        let get = "GET /metrics HTTP/1.1\r\nHost: localhost:9477\r\nUser-Agent: Prometheus/2.42.0\r\nAccept-Encoding: gzip\r\n";
        assert_eq!(ask(get), Ok(Request { path: Path::Metrics, is_head: false }));
        let head = "HEAD /readyz?verbose HTTP/1.0\r\n";
        assert_eq!(ask(head), Ok(Request { path: Path::Ready, is_head: true }));
        assert_eq!(
            ask("GET /healthz HTTP/1.1\r\nHost:\r\nContent-Length: 0\r\n").unwrap().path,
            Path::Health
        );
        assert_eq!(head_end(b"GET / HTTP/1.0\r\n\r\nmore"), Some(16));
        assert_eq!(head_end(b"GET / HTTP/1.0\r\n"), None);
    }

    #[test]
    fn all_else_is_refused_by_its_name() {
        let with = |line: &str| format!("GET /metrics HTTP/1.1\r\nHost: a\r\n{line}\r\n");
        for (text, status) in [
            ("POST /metrics HTTP/1.1\r\nHost: a\r\n".to_owned(), Status::MethodNotAllowed),
            ("GET / HTTP/1.1\r\nHost: a\r\n".to_owned(), Status::NotFound),
            ("GET /metrics/../etc HTTP/1.1\r\nHost: a\r\n".to_owned(), Status::NotFound),
            ("GET /metrics HTTP/2.0\r\nHost: a\r\n".to_owned(), Status::Version),
            ("GET /metrics HTTP/1.1\r\n".to_owned(), Status::BadRequest),
            ("GET  /metrics HTTP/1.1\r\nHost: a\r\n".to_owned(), Status::BadRequest),
            ("GET /metrics\r\n".to_owned(), Status::BadRequest),
            ("GET /metrics HTTP/1.1\nHost: a\n".to_owned(), Status::BadRequest),
            (with("Host: b"), Status::BadRequest),
            (with("Content-Length: 5"), Status::BadRequest),
            (with("Transfer-Encoding: chunked"), Status::BadRequest),
            (with("Odd : x"), Status::BadRequest),
            (with(" folded"), Status::BadRequest),
            (with("X: a\u{0}b"), Status::BadRequest),
            (with("no colon"), Status::BadRequest),
        ] {
            assert_eq!(ask(&text), Err(status), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
            let _ = head_end(&bytes);
            let text = [b"GET /metrics HTTP/1.1\r\n", bytes.as_slice(), b"\r\n"].concat();
            let _ = read(&text);
        }
    }
}
