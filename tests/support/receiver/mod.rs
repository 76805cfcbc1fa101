//! Real receivers of one transport each: rsyslogd and syslog-ng over TCP and TLS, rsyslogd over RELP and RELP in TLS.
//!
//! Started again in the same directory one goes on with the file it had, so that a test can kill it as often as it
//! likes and judge the file at the end.

mod rsyslog;
mod syslog_ng;

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use rustix::process::Signal;

use crate::authority::Authority;
use crate::child::Child;
use crate::received::{Messages, Received};

/// Longest start; both daemons are up within a second on an idle machine.
const READY_MAX: Duration = Duration::from_secs(15);

/// Longest message that they are told to take, bytes, without the count before it: what both take when they are told
/// so, and far more than the agent sends. Left alone rsyslogd cuts at 8 KiB.
const MESSAGE_MAX: usize = 64 << 10;

/// Which daemon, and how it is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    RsyslogTcp,
    RsyslogTls,
    RsyslogRelp,
    RsyslogRelps,
    SyslogNgTcp,
    SyslogNgTls,
}

impl Kind {
    pub const ALL: [Self; 6] = [
        Self::RsyslogTcp,
        Self::RsyslogTls,
        Self::RsyslogRelp,
        Self::RsyslogRelps,
        Self::SyslogNgTcp,
        Self::SyslogNgTls,
    ];

    /// A word for names of folders and messages of tests.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RsyslogTcp => "rsyslog-tcp",
            Self::RsyslogTls => "rsyslog-tls",
            Self::RsyslogRelp => "rsyslog-relp",
            Self::RsyslogRelps => "rsyslog-relps",
            Self::SyslogNgTcp => "syslog-ng-tcp",
            Self::SyslogNgTls => "syslog-ng-tls",
        }
    }

    /// How the agent's configuration names one at `address`: an entry of the list `syslog`.
    #[must_use]
    pub fn entry(self, address: SocketAddr, authority: &Authority) -> String {
        let (scheme, is_trusted_by_name) = match self {
            Self::RsyslogTcp | Self::SyslogNgTcp => ("tcp", false),
            Self::RsyslogTls | Self::SyslogNgTls => ("tls", true),
            Self::RsyslogRelp => ("relp", false),
            Self::RsyslogRelps => ("relps", true),
        };
        if is_trusted_by_name {
            let ca = authority.ca.display();
            format!("{{url: \"{scheme}://localhost:{}\", ca: \"{ca}\"}}", address.port())
        } else {
            format!("\"{scheme}://{address}\"")
        }
    }
}

/// One daemon.
#[derive(Debug)]
pub struct Receiver {
    pub kind: Kind,
    pub address: SocketAddr,
    directory: PathBuf,
    authority: Authority,
    messages: Messages,
    daemon: Child,
}

impl Receiver {
    /// Starts one at `address` with its files in `directory`; what an earlier one received there stays.
    ///
    /// # Errors
    /// The daemon is missing or does not come up.
    pub fn start(kind: Kind, directory: &Path, address: SocketAddr, authority: &Authority) -> Result<Self> {
        fs::create_dir_all(directory)?;
        let messages = Messages::at(directory.join("messages"))?;
        let daemon = launch(kind, directory, address, authority, &messages)?;
        let (directory, authority) = (directory.to_owned(), authority.clone());
        Ok(Self { kind, address, directory, authority, messages, daemon })
    }

    /// Starts it again, after [`Receiver::kill`].
    ///
    /// # Errors
    /// It does not come up.
    pub fn start_again(&mut self) -> Result<()> {
        self.messages = Messages::at(self.messages.path().to_owned())?;
        self.daemon = launch(self.kind, &self.directory, self.address, &self.authority, &self.messages)?;
        Ok(())
    }

    /// Kills it, whatever it is at.
    ///
    /// # Errors
    /// It had ended.
    pub fn kill(&mut self) -> Result<()> {
        self.daemon.signal(Signal::KILL)?;
        // One that is stopped dies of this too, and of nothing else.
        self.daemon.end()
    }

    /// Stops it: its kernel goes on taking what is sent, as long as there is room.
    ///
    /// # Errors
    /// It had ended.
    pub fn pause(&mut self) -> Result<()> {
        self.daemon.signal(Signal::STOP)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// It had ended.
    pub fn resume(&mut self) -> Result<()> {
        self.daemon.signal(Signal::CONT)
    }

    /// How the agent's configuration names it: an entry of the list `syslog`.
    #[must_use]
    pub fn entry(&self) -> String {
        self.kind.entry(self.address, &self.authority)
    }

    /// The file it writes what it received to.
    #[must_use]
    pub fn file(&self) -> &Path {
        self.messages.path()
    }

    /// Everything received so far, in order, by it and those before it in this directory.
    ///
    /// # Errors
    /// The file cannot be read, or a whole line of it is not JSON.
    pub fn messages(&self) -> Result<Vec<Received>> {
        self.messages.all()
    }

    /// Those from a byte offset on, and the offset for the next time: for tests that receive much.
    ///
    /// # Errors
    /// As for [`Receiver::messages`].
    pub fn messages_from(&self, offset: u64) -> Result<(Vec<Received>, u64)> {
        self.messages.from(offset)
    }

    /// The first message, past or to come, for which `wanted` holds.
    ///
    /// # Errors
    /// None within `timeout`; `what` names it.
    pub fn await_message(
        &self,
        timeout: Duration,
        what: &str,
        wanted: impl Fn(&Received) -> bool,
    ) -> Result<Received> {
        self.messages.await_one(timeout, what, wanted)
    }
}

fn launch(
    kind: Kind,
    directory: &Path,
    address: SocketAddr,
    authority: &Authority,
    messages: &Messages,
) -> Result<Child> {
    let place = Place { kind, directory, address, authority, messages: messages.path() };
    let command = match kind {
        Kind::RsyslogTcp | Kind::RsyslogTls | Kind::RsyslogRelp | Kind::RsyslogRelps => {
            rsyslog::command(&place)
        }
        Kind::SyslogNgTcp | Kind::SyslogNgTls => syslog_ng::command(&place),
    }?;
    let mut daemon = Child::start(kind.name(), command, directory.join("log"))?;
    daemon.await_ready(READY_MAX, "an accepted connection", || Ok(TcpStream::connect(address).is_ok()))?;
    Ok(daemon)
}

/// What a daemon's configuration is made of.
struct Place<'p> {
    kind: Kind,
    directory: &'p Path,
    address: SocketAddr,
    authority: &'p Authority,
    messages: &'p Path,
}

impl Place<'_> {
    /// Writes the configuration; its path.
    fn write(&self, text: &str) -> Result<PathBuf> {
        let path = self.directory.join("settings.conf");
        fs::write(&path, text)?;
        Ok(path)
    }
}

/// A daemon, not yet started.
type Prepared = Result<Command>;
