//! The other end of the socket: asks a running agent.

use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;

use super::protocol::{
    About, ConnectionRow, ContainerRow, End, Head, LINE_MAX, ProcessRow, ROWS_MAX, Request, Row, RuleRow,
    SharedRow, SuppressedRow, VERSION,
};
use crate::metric::snapshot::Snapshot;

/// How long the agent may say nothing: longer than others may keep the places at its socket.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("no agent answers at {path}: {source}")]
    Absent { path: PathBuf, source: io::Error },
    #[error("{0} may be opened by root only")]
    Forbidden(PathBuf),
    #[error("at {path} answers user {user}, who is neither root nor you")]
    Stranger { path: PathBuf, user: u32 },
    #[error("the agent does not answer: {0}")]
    Refused(String),
    #[error("the agent speaks version {0}, this program version {VERSION}")]
    Version(u32),
    #[error("the answer ended early: {0}")]
    Broken(#[from] io::Error),
    #[error("the answer makes no sense: {0}")]
    Garbled(String),
}

impl ClientError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Absent { .. } => {
                "start one with `sudo tidewaiter run`; where its configuration has another `control`, name \
                 that with --socket"
            }
            Self::Forbidden(_) => "run it as root, with sudo",
            Self::Stranger { .. } => "name the socket of your own agent with --socket",
            Self::Refused(_) | Self::Broken(_) => "try again; the agent's log on standard error says more",
            Self::Version(_) => "use the agent's own binary, or start it again after the upgrade",
            Self::Garbled(_) => "see that --socket names an agent's socket",
        }
    }
}

/// All rows of an answer; those that were not asked for are empty.
#[derive(Debug, Default)]
pub struct Rows {
    pub head: Head,
    pub containers: Vec<ContainerRow>,
    pub processes: Vec<ProcessRow>,
    pub connections: Vec<ConnectionRow>,
    /// In order of loading.
    pub rules: Vec<RuleRow>,
    pub shared: SharedRow,
    /// The oldest first.
    pub suppressed: Vec<SuppressedRow>,
    pub status: Option<Box<Snapshot>>,
    pub end: End,
}

/// Asks the agent at `path`.
///
/// # Errors
/// Nobody is there, he is somebody else, or his answer is none.
pub fn ask(path: &Path, about: About) -> Result<Rows, ClientError> {
    let mut stream = UnixStream::connect(path).map_err(|source| {
        let path = path.to_owned();
        if source.kind() == io::ErrorKind::PermissionDenied {
            ClientError::Forbidden(path)
        } else {
            ClientError::Absent { path, source }
        }
    })?;
    let user = socket_peercred(&stream).map_err(io::Error::from)?.uid;
    if !user.is_root() && user != geteuid() {
        return Err(ClientError::Stranger { path: path.to_owned(), user: user.as_raw() });
    }
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    stream.set_write_timeout(Some(SILENCE_MAX))?;
    let request = Request { version: VERSION, about };
    let mut request = serde_json::to_vec(&request).map_err(io::Error::from)?;
    request.push(b'\n');
    stream.write_all(&request)?;
    read(BufReader::new(stream))
}

/// Reads an answer to its end.
fn read(mut lines: impl BufRead) -> Result<Rows, ClientError> {
    let mut rows = Rows::default();
    let mut line = String::new();
    for _ in 0..ROWS_MAX {
        line.clear();
        lines.by_ref().take(LINE_MAX).read_line(&mut line).map_err(silence)?;
        if line.is_empty() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        match serde_json::from_str(&line).map_err(|error| ClientError::Garbled(error.to_string()))? {
            Row::Head(head) if head.version != VERSION => return Err(ClientError::Version(head.version)),
            Row::Head(head) => rows.head = head,
            Row::Container(container) => rows.containers.push(*container),
            Row::Process(process) => rows.processes.push(*process),
            Row::Connection(connection) => rows.connections.push(*connection),
            Row::Rule(rule) => rows.rules.push(*rule),
            Row::Shared(shared) => rows.shared = shared,
            Row::Suppressed(found) => rows.suppressed.push(*found),
            Row::Status(status) => rows.status = Some(status),
            Row::End(end) => {
                rows.end = end;
                return Ok(rows);
            }
            Row::Refusal { reason } => return Err(ClientError::Refused(reason)),
        }
    }
    Err(ClientError::Garbled(format!("more than {ROWS_MAX} rows")))
}

fn silence(error: io::Error) -> ClientError {
    if error.kind() == io::ErrorKind::WouldBlock {
        return ClientError::Refused(format!("it has said nothing for {} s", SILENCE_MAX.as_secs()));
    }
    ClientError::Broken(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_an_end() {
        let head = serde_json::to_string(&Row::Head(Head { version: VERSION, ..Head::default() })).unwrap();
        let end = serde_json::to_string(&Row::End(End::default())).unwrap();
        assert!(read(format!("{head}\n{end}\n").as_bytes()).is_ok());
        assert!(matches!(read(format!("{head}\n").as_bytes()), Err(ClientError::Broken(_))));
        assert!(matches!(read(&b"220 mail ready\n"[..]), Err(ClientError::Garbled(_))));
        let endless = format!("{head}\n").repeat(ROWS_MAX);
        assert!(matches!(read(endless.as_bytes()), Err(ClientError::Garbled(_))));
        let long = vec![b'x'; 2 * 1024 * 1024];
        assert!(matches!(read(&long[..]), Err(ClientError::Garbled(_))));
    }

    #[test]
    fn another_version_and_a_refusal_are_told_as_such() {
        let other = serde_json::to_string(&Row::Head(Head { version: 7, ..Head::default() })).unwrap();
        assert!(matches!(read(other.as_bytes()), Err(ClientError::Version(7))));
        let refusal = serde_json::to_string(&Row::Refusal { reason: "busy".to_owned() }).unwrap();
        let error = read(refusal.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "the agent does not answer: busy");
    }

    #[test]
    fn nobody_there_is_told_with_the_remedy() {
        let error = ask(Path::new("/nonexistent/agent.sock"), About::Rules).unwrap_err();
        assert!(error.to_string().starts_with("no agent answers at /nonexistent/agent.sock:"), "{error}");
        assert!(error.remedy().contains("tidewaiter run"));
    }

    #[test]
    fn fuzzed_answers_are_read_or_refused() {
        let seeds = [
            br#"{"row":"head","version":1}
{"row":"process","pid":1}
{"row":"end"}
"#
            .to_vec(),
            br#"{"row":"refusal","reason":"no"}
"#
            .to_vec(),
        ];
        crate::fuzz::run(&seeds, |bytes, _| drop(read(bytes)));
    }
}
