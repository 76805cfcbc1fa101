//! The real rsyslogd, reading from UDP and TCP on loopback and from a local socket, and writing what it
//! understood.
//!
//! Each message becomes one line of JSON made of rsyslog's own parsed properties, so a test sees what
//! a site's collector would see, not what the agent meant to send.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::Signal;

use crate::child::{Child, bound, find};
use crate::received::Messages;
pub use crate::received::Received;

/// rsyslogd is up within milliseconds.
const READY_MAX: Duration = Duration::from_secs(10);

/// One receiver.
#[derive(Debug)]
pub struct Rsyslog {
    /// UDP and TCP (octet counting) alike.
    pub address: SocketAddr,
    /// Its local socket, in the place of /dev/log.
    pub socket: PathBuf,
    messages: Messages,
    daemon: Child,
}

/// Below the range from which the kernel takes ports for clients (from 32768 on): nobody gets one of
/// these by chance while a test keeps its collector down.
const PORTS: Range<u16> = 20_000..30_000;

/// A loopback address whose port is free for UDP and TCP now. Each run of the tests begins at another one: what an agent of
/// one run sends to a collector that is down must not come to a collector of another.
///
/// # Errors
/// All of [`PORTS`] are taken.
pub fn free_address() -> Result<SocketAddr> {
    let count = usize::from(PORTS.end - PORTS.start);
    // Process ids of runs that go on at the same time are close to each other.
    let first = usize::try_from(std::process::id())?.wrapping_mul(997) % count;
    let ports = PORTS.cycle().skip(first).take(count);
    let mut addresses = ports.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let free = |address: &SocketAddr| TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok();
    addresses.find(free).context("no free port from 20000 to 29999")
}

impl Rsyslog {
    /// Starts a receiver at `address` with its files in `directory`.
    ///
    /// # Errors
    /// rsyslogd is missing or does not come up.
    pub fn start(directory: &Path, address: SocketAddr) -> Result<Self> {
        let program = find(&["/usr/sbin/rsyslogd"], "install rsyslog")?;
        fs::create_dir_all(directory)?;
        let messages = Messages::at(directory.join("messages"))?;
        let settings = directory.join("rsyslog.conf");
        let socket = directory.join("log.sock");
        fs::write(&settings, configuration(directory, messages.path(), address, &socket))?;
        let mut command = bound(program);
        command.arg("-n").arg("-f").arg(&settings).arg("-i").arg(directory.join("pid"));
        let mut daemon = Child::start("rsyslogd", command, directory.join("log"))?;
        daemon.await_ready(READY_MAX, "an accepted connection and a local socket", || {
            Ok(TcpStream::connect(address).is_ok() && socket.exists())
        })?;
        Ok(Self { address, socket, messages, daemon })
    }

    /// Kills it, whatever it is at.
    ///
    /// # Errors
    /// It had ended.
    pub fn kill(&mut self) -> Result<()> {
        self.daemon.signal(Signal::KILL)?;
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

    /// The file it writes what it received to.
    #[must_use]
    pub fn file(&self) -> &Path {
        self.messages.path()
    }

    /// Everything received so far, in order.
    ///
    /// # Errors
    /// The file cannot be read, or a whole line of it is not JSON.
    pub fn messages(&self) -> Result<Vec<Received>> {
        self.messages.all()
    }

    /// The first message, past or to come, for which `wanted` holds.
    ///
    /// # Errors
    /// None within `timeout`; `what` names it. Or it has a document that is not as its schema says.
    pub fn await_message(
        &self,
        timeout: Duration,
        what: &str,
        wanted: impl Fn(&Received) -> bool,
    ) -> Result<Received> {
        self.messages.await_one(timeout, what, wanted)
    }
}

fn configuration(directory: &Path, messages: &Path, address: SocketAddr, socket: &Path) -> String {
    let (ip, port) = (address.ip(), address.port());
    format!(
        r#"global(workDirectory="{directory}")
module(load="imudp")
module(load="imtcp")
module(load="imuxsock" SysSock.Use="off")
input(type="imudp" address="{ip}" port="{port}")
input(type="imtcp" address="{ip}" port="{port}")
input(type="imuxsock" Socket="{socket}")
{output}"#,
        directory = directory.display(),
        socket = socket.display(),
        output = output(messages),
    )
}

/// Writes every parsed property to a file, one line of JSON a message. `jsonf` quotes and escapes, so that nothing in a
/// message can look like another line.
pub(crate) fn output(messages: &Path) -> String {
    let property = |name: &str| format!("property(outname=\"{name}\" name=\"{name}\" format=\"jsonf\")");
    let properties = [
        "inputname",
        "hostname",
        "app-name",
        "procid",
        "msgid",
        "syslogfacility-text",
        "syslogseverity-text",
        "protocol-version",
        "structured-data",
        "msg",
    ]
    .map(property)
    .join("\n  ");
    format!(
        r#"template(name="parsed" type="list" option.jsonf="on") {{
  property(outname="timereported" name="timereported" dateFormat="rfc3339" format="jsonf")
  {properties}
}}
action(type="omfile" file="{messages}" template="parsed")
"#,
        messages = messages.display(),
    )
}
