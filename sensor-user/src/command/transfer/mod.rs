//! What a transfer tool is asked to move: which way, from or to where, and over what.

mod place;
mod curl;
mod wget;
mod aria2;
mod ftp;
mod rsync;
mod ssh;
mod netcat;
mod socat;
mod openssl;
mod server;
mod container;
mod storage;

pub use place::Remote;

use super::Call;

/// Most other ends and most local paths that are kept of a command line: who names more is understood by the
/// first of them, and whether all of them are this machine is still told of all.
const PLACES_MAX: usize = 16;
/// Longest text kept of one place, bytes: the command line has all of it.
const TEXT_MAX: usize = 512;

/// What was understood of a tool's command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    pub tool: &'static str,
    pub role: Role,
    /// None: it moves no file, or what it moves is not said here.
    pub direction: Option<Direction>,
    /// How, each once, in lower case.
    pub schemes: Vec<String>,
    /// The other ends, in the order in which they are named.
    pub remotes: Vec<Remote>,
    /// Local paths as written; `-` for standard input or output.
    pub locals: Vec<String>,
    /// It waits for somebody to connect.
    pub listens: bool,
    /// Some other end is this very machine.
    is_near: bool,
    /// Some other end is not.
    is_far: bool,
}

/// Which end of a transfer a program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Client,
    /// Somebody else's client started it, or it waits for one.
    Server,
}

impl Role {
    /// As rules know it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// Which way data go, seen from this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    In,
    Out,
    Both,
}

impl Direction {
    /// As rules know it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
            Self::Both => "both",
        }
    }
}

impl Transfer {
    /// The texts that are written in the command line.
    pub(crate) fn texts_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let remotes = self.remotes.iter_mut().flat_map(Remote::texts_mut);
        self.schemes.iter_mut().chain(&mut self.locals).chain(remotes)
    }

    fn new(tool: &'static str, role: Role) -> Self {
        Self {
            tool,
            role,
            direction: None,
            schemes: Vec::new(),
            remotes: Vec::new(),
            locals: Vec::new(),
            listens: false,
            is_near: false,
            is_far: false,
        }
    }

    fn client(tool: &'static str) -> Self {
        Self::new(tool, Role::Client)
    }

    fn server(tool: &'static str) -> Self {
        Self::new(tool, Role::Server)
    }

    /// Every other end is this very machine. None: no other end is known.
    #[must_use]
    pub fn loopback(&self) -> Option<bool> {
        (self.is_near || self.is_far).then_some(!self.is_far)
    }

    /// Bytes of its texts and lists.
    pub(super) fn texts(&self) -> usize {
        let texts = self.schemes.iter().chain(&self.locals).map(String::capacity).sum::<usize>();
        let lists = (self.schemes.capacity() + self.locals.capacity()) * size_of::<String>();
        let remotes = self.remotes.iter().map(Remote::texts).sum::<usize>();
        texts + lists + remotes + self.remotes.capacity() * size_of::<Remote>()
    }

    /// Data go this way, too.
    fn moves(&mut self, direction: Direction) {
        self.direction = match self.direction {
            Some(before) if before != direction => Some(Direction::Both),
            Some(_) | None => Some(direction),
        };
    }

    /// Another end: over what, and where.
    fn add_remote(&mut self, scheme: &str, remote: Remote) {
        self.add_scheme(scheme);
        self.weigh(remote.is_loopback());
        self.add_named(remote);
    }

    /// Another end of which something else tells whether it is this machine.
    fn add_named(&mut self, remote: Remote) {
        if self.remotes.len() < PLACES_MAX {
            self.remotes.push(remote);
        }
    }

    /// Somebody takes part, whom no list names.
    fn weigh(&mut self, is_near: bool) {
        self.is_near |= is_near;
        self.is_far |= !is_near;
    }

    fn add_scheme(&mut self, scheme: &str) {
        let is_new = !self.schemes.iter().any(|known| known.eq_ignore_ascii_case(scheme));
        if is_new && !scheme.is_empty() && self.schemes.len() < PLACES_MAX {
            self.schemes.push(bounded(scheme).to_ascii_lowercase());
        }
    }

    fn add_local(&mut self, path: &str) {
        let is_new = !self.locals.iter().any(|known| known == path);
        if is_new && !path.is_empty() && self.locals.len() < PLACES_MAX {
            self.locals.push(bounded(path).to_owned());
        }
    }
}

/// As much of a text as is kept.
fn bounded(text: &str) -> &str {
    text.get(..text.floor_char_boundary(TEXT_MAX)).unwrap_or(text)
}

/// Reads a call, if it is one of a tool that moves data.
#[must_use]
pub fn understand(call: Call<'_>) -> Option<Transfer> {
    let words = call.arguments;
    match call.name {
        "curl" => Some(curl::read(words)),
        "wget" | "wget2" => Some(wget::read(words)),
        "aria2c" => Some(aria2::read(words)),
        "axel" => Some(aria2::axel(words)),
        "ftp" | "tnftp" | "netkit-ftp" | "pftp" => Some(ftp::read(words)),
        "lftp" => Some(ftp::lftp(words)),
        "lftpget" => Some(ftp::lftpget(words)),
        "tftp" => Some(ftp::tftp(words)),
        "ftpget" => Some(ftp::applet(words, Direction::In)),
        "ftpput" => Some(ftp::applet(words, Direction::Out)),
        "rsync" => Some(rsync::read(words)),
        "scp" => Some(ssh::scp(words)),
        "sftp" => Some(ssh::sftp(words)),
        "sftp-server" => Some(ssh::sftp_server(words)),
        "ssh" => Some(ssh::ssh(words)),
        "nc" | "netcat" | "ncat" | "nc.openbsd" | "nc.traditional" => Some(netcat::read(call.name, words)),
        "socat" | "socat1" => Some(socat::read(words)),
        "openssl" => openssl::read(words),
        "http.server" | "SimpleHTTPServer" => Some(server::http(words, Direction::Out)),
        "uploadserver" => Some(server::http(words, Direction::Both)),
        "pyftpdlib" => Some(server::ftp(words)),
        "docker" => container::engine("docker", words),
        "podman" => container::engine("podman", words),
        "nerdctl" => container::engine("nerdctl", words),
        "kubectl" => container::cluster("kubectl", words),
        "aws" | "awscli" => storage::aws(words),
        "s3cmd" => Some(storage::s3cmd(words)),
        "mc" | "mcli" => storage::mc(words),
        "gsutil" | "gsutil.py" => storage::gsutil(words),
        "gcloud" | "gcloud.py" => storage::gcloud(words),
        "az" | "azure.cli" => storage::az(words),
        "azcopy" => storage::azcopy(words),
        "rclone" => storage::rclone(words),
        "restic" => storage::restic(words),
        "oc" => container::cluster("oc", words),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
