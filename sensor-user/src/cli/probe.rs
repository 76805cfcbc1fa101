//! `tidewaiter probe`: whether a running agent lives, for supervisors that start programs instead of speaking HTTP over a
//! Unix socket. It asks what monitoring asks (docs/metric.md) and starts nothing.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::table::print;
use super::{Exit, Failure};
use crate::exposition::SOCKET;

/// How long the agent may say nothing: half of what Kubernetes waits in deploy/kubernetes, so that it reads why.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// Longest status line read, bytes: the agent's have some thirty.
const LINE_MAX: u64 = 256;

/// Options of `probe`.
#[derive(Clone, Debug, Args)]
pub struct ProbeOptions {
    /// What to ask
    #[arg(value_enum)]
    pub about: Health,
    /// Where the agent answers monitoring
    #[arg(long, value_name = "PATH", default_value = SOCKET)]
    pub socket: PathBuf,
}

/// What is asked, in the words of Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Health {
    /// Its loop turns: where it does not, start it again
    Live,
    /// It also has its hooks, and nobody has detached one
    Ready,
}

impl Health {
    fn path(self) -> &'static str {
        match self {
            Self::Live => "/healthz",
            Self::Ready => "/readyz",
        }
    }
}

/// Negative when the agent says no.
pub(super) fn probe(options: &ProbeOptions) -> Result<Exit, Failure> {
    let status = ask(&options.socket, options.about.path()).map_err(|error| {
        let remedy =
            "start the agent; where its configuration has another `metrics.socket`, name that with --socket";
        Failure::new("no answer", &format!("{}: {error}", options.socket.display()), remedy)
    })?;
    print(&format!("{status}\n"));
    Ok(if status.starts_with("200") { Exit::Good } else { Exit::Negative })
}

/// The status of the answer: `200 OK`.
fn ask(socket: &Path, path: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    stream.set_write_timeout(Some(SILENCE_MAX))?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream.take(LINE_MAX)).read_line(&mut line)?;
    let status = line.split_once(' ').filter(|(version, _)| version.starts_with("HTTP/"));
    let (_, status) = status.ok_or_else(|| io::Error::other("what answers there is no agent"))?;
    Ok(status.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn asked(answer: &'static str) -> Result<Exit, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("metrics.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = [0; b"GET /healthz HTTP/1.0\r\n\r\n".len()];
            stream.read_exact(&mut head).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&head).into_owned()
        });
        let outcome = probe(&ProbeOptions { about: Health::Live, socket });
        assert!(server.join().unwrap().starts_with("GET /healthz HTTP/1.0\r\n"));
        outcome
    }

    #[test]
    fn the_answer_is_the_exit_status() {
        assert_eq!(asked("HTTP/1.1 200 OK\r\n\r\n").unwrap(), Exit::Good);
        assert_eq!(asked("HTTP/1.1 503 Service Unavailable\r\n\r\n").unwrap(), Exit::Negative);
        assert!(asked("SSH-2.0-x\r\n").is_err());
        assert!(asked("").is_err());
        let nobody = ProbeOptions { about: Health::Ready, socket: PathBuf::from("/nonexistent/socket") };
        assert!(probe(&nobody).is_err());
    }
}
