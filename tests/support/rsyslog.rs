//! The real rsyslogd, reading from UDP and TCP on loopback and from a local socket, and writing what it
//! understood.
//!
//! Each message becomes one line of JSON made of rsyslog's own parsed properties, so a test sees what
//! a site's collector would see, not what the agent meant to send.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::Signal;
use serde_json::Value;

use crate::child::{Child, bound, find};
use crate::schema::ensure_valid;
use crate::wait;

/// rsyslogd is up within milliseconds.
const READY_MAX: Duration = Duration::from_secs(10);

/// One receiver.
#[derive(Debug)]
pub struct Rsyslog {
    /// UDP and TCP (octet counting) alike.
    pub address: SocketAddr,
    /// Its local socket, in the place of /dev/log.
    pub socket: PathBuf,
    messages: PathBuf,
    daemon: Child,
}

/// A message as rsyslogd parsed it.
#[derive(Clone, Debug)]
pub struct Received {
    /// Every parsed property under rsyslog's own name.
    pub properties: Value,
}

impl Received {
    /// A property as text; empty where there is none.
    #[must_use]
    pub fn text(&self, property: &str) -> &str {
        self.properties.get(property).and_then(Value::as_str).unwrap_or_default()
    }

    /// The message part read as JSON, where it is that.
    #[must_use]
    pub fn document(&self) -> Option<Value> {
        serde_json::from_str(self.text("msg")).ok()
    }

    /// `event.id` of that document; empty where there is none.
    #[must_use]
    pub fn event_id(&self) -> String {
        let id =
            self.document().and_then(|document| Some(document.get("event")?.get("id")?.as_str()?.to_owned()));
        id.unwrap_or_default()
    }

    /// The parameters of its one element of structured data, unescaped (RFC 5424 section 6.3), when that
    /// is the agent's. rsyslog hands the element on as it came, so whatever an attacker could break out
    /// of it shows here.
    #[must_use]
    pub fn parameters(&self) -> Option<BTreeMap<String, String>> {
        let mut rest = self.text("structured-data").strip_prefix(ELEMENT)?;
        let mut parameters = BTreeMap::new();
        while let Some(parameter) = rest.strip_prefix(' ') {
            let (name, quoted) = parameter.split_once("=\"")?;
            let (value, after) = unquote(quoted)?;
            parameters.insert(name.to_owned(), value);
            rest = after;
        }
        (rest == "]").then_some(parameters)
    }
}

/// The start of the agent's element of structured data.
const ELEMENT: &str = "[tidewaiter@32473";

/// A value up to its closing quote, and what comes after that.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, text.get(at + 1..)?)),
            // Unescaped it would have to end the element.
            ']' => return None,
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

/// Below the range from which the kernel takes ports for clients (from 32768 on): nobody gets one of
/// these by chance while a test keeps its collector down.
const PORTS: Range<u16> = 20_000..30_000;

/// A loopback address whose port is free for UDP and TCP now.
///
/// # Errors
/// All of [`PORTS`] are taken.
pub fn free_address() -> Result<SocketAddr> {
    let addresses = PORTS.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let free = |address: &SocketAddr| TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok();
    addresses.into_iter().find(free).context("no free port from 20000 to 29999")
}

impl Rsyslog {
    /// Starts a receiver at `address` with its files in `directory`.
    ///
    /// # Errors
    /// rsyslogd is missing or does not come up.
    pub fn start(directory: &Path, address: SocketAddr) -> Result<Self> {
        let program = find(&["/usr/sbin/rsyslogd"], "install rsyslog")?;
        fs::create_dir_all(directory)?;
        let messages = directory.join("messages");
        File::create(&messages)?;
        let settings = directory.join("rsyslog.conf");
        let socket = directory.join("log.sock");
        fs::write(&settings, configuration(directory, &messages, address, &socket))?;
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
        &self.messages
    }

    /// Everything received so far, in order.
    ///
    /// # Errors
    /// The file cannot be read, or a whole line of it is not JSON.
    pub fn messages(&self) -> Result<Vec<Received>> {
        self.read_from(0).map(|(messages, _)| messages)
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
        let mut offset = 0;
        let message = wait::until(timeout, what, || {
            let (messages, next) = self.read_from(offset)?;
            offset = next;
            Ok(messages.into_iter().find(|message| wanted(message)))
        })?;
        // Frames may have been cut: that is another document than the one on standard output.
        message
            .document()
            .filter(|document| document.get("kind").is_some())
            .as_ref()
            .map_or(Ok(()), ensure_valid)?;
        Ok(message)
    }

    /// Whole lines from a byte offset on, and the offset after the last of them.
    fn read_from(&self, offset: u64) -> Result<(Vec<Received>, u64)> {
        let mut file = File::open(&self.messages)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        bytes.truncate(whole);
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let messages = lines.map(|line| {
            let properties = serde_json::from_slice(line)
                .with_context(|| format!("rsyslogd wrote {:?}", String::from_utf8_lossy(line)))?;
            Ok(Received { properties })
        });
        Ok((messages.collect::<Result<_>>()?, offset + u64::try_from(whole)?))
    }
}

/// `jsonf` quotes and escapes, so that nothing in a message can look like another line.
fn configuration(directory: &Path, messages: &Path, address: SocketAddr, socket: &Path) -> String {
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
    let (ip, port) = (address.ip(), address.port());
    format!(
        r#"global(workDirectory="{directory}")
module(load="imudp")
module(load="imtcp")
module(load="imuxsock" SysSock.Use="off")
input(type="imudp" address="{ip}" port="{port}")
input(type="imtcp" address="{ip}" port="{port}")
input(type="imuxsock" Socket="{socket}")
template(name="parsed" type="list" option.jsonf="on") {{
  property(outname="timereported" name="timereported" dateFormat="rfc3339" format="jsonf")
  {properties}
}}
action(type="omfile" file="{messages}" template="parsed")
"#,
        directory = directory.display(),
        messages = messages.display(),
        socket = socket.display(),
    )
}
