//! Who it was, beyond what ECS has fields for: parts of `tidewaiter`, under the names of `event/field.rs`.

use std::borrow::Cow;

use serde::Serialize;

use crate::alert::Alert;
use crate::octet;
use crate::sink::Origin;
use crate::state::phase::Phase;
use crate::state::process;
use crate::state::process::stream::Stream;
use crate::state::standing::{Claim, Standing, Trick};

/// `tidewaiter.container`.
#[derive(Clone, Debug, Serialize)]
pub struct OwnContainer<'a> {
    /// A runtime's own state knows the id; false: only a cgroup path says so. Absent while they are asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
    /// Known with its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<&'static str>,
    /// Containers within it, from the outside in: the process is in the last of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nested: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<OwnImage<'a>>,
}

/// `tidewaiter.container.image`.
#[derive(Clone, Debug, Serialize)]
pub struct OwnImage<'a> {
    /// Digest of the image's configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry: Option<Cow<'a, str>>,
}

/// `tidewaiter.executable`: where the program comes from.
#[derive(Clone, Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "four facts that hold or do not")]
pub struct Executable<'a> {
    pub memfd: bool,
    pub deleted: bool,
    pub upper_layer: bool,
    pub written: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writer: Option<Writer<'a>>,
}

/// `tidewaiter.executable.writer`: who wrote it last.
#[derive(Clone, Debug, Serialize)]
pub struct Writer<'a> {
    pub pid: u32,
    pub executable: Cow<'a, str>,
    pub command_line: Cow<'a, str>,
    /// From other machines; absent where it talked to none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_received: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
}

/// `tidewaiter.identity`: what speaks for the process's container; `host`, or an id.
#[derive(Clone, Debug, Serialize)]
pub struct Identity<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mount: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<Cow<'a, str>>,
    /// How they differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trick: Option<&'static str>,
}

/// `tidewaiter.process`.
#[derive(Clone, Debug, Serialize)]
pub struct OwnProcess<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login_user: Option<LoginUser>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminal: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interpreter: Option<Cow<'a, str>>,
}

/// `tidewaiter.process.login_user`: who logged in, whatever became of it since.
#[derive(Clone, Debug, Serialize)]
pub struct LoginUser {
    pub id: String,
}

/// `tidewaiter.stdin` and its sisters.
#[derive(Clone, Debug, Serialize)]
pub struct StreamReport {
    pub r#type: &'static str,
    /// Inode number: what one process writes to and another reads from has the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// None: it is not known.
pub(super) fn stream(stream: Stream) -> Option<StreamReport> {
    Some(StreamReport { r#type: stream.kind?.name(), id: stream.id().map(|id| id.to_string()) })
}

/// What is known of an alert's container besides its ECS fields.
pub(super) fn container(alert: &Alert) -> Option<OwnContainer<'_>> {
    let container = alert.container.as_deref()?;
    let is_verified = container.is_verified();
    let (id, registry) = (container.image_id.as_deref(), container.image_registry());
    let image = OwnImage { id: id.map(octet::foreign), registry: registry.map(octet::foreign) };
    Some(OwnContainer {
        verified: (!container.is_asked()).then_some(is_verified),
        role: is_verified.then(|| container.role.name()),
        phase: alert.phase.map(Phase::name),
        nested: container.nested.iter().map(|id| Cow::Borrowed(id.as_str())).collect(),
        image: Some(image).filter(|image| image.id.is_some() || image.registry.is_some()),
    })
}

/// None: there is nothing odd about it.
pub(super) fn executable<'a>(executable: &'a process::Executable, origin: &Origin) -> Option<Executable<'a>> {
    let process::Executable { memfd, deleted, upper_layer, .. } = *executable;
    let writer = executable.written.as_deref().map(|written| Writer {
        pid: written.by.pid,
        executable: Cow::Borrowed(&written.image),
        command_line: Cow::Borrowed(written.arguments.line()),
        bytes_received: written.received,
        time: origin.date(written.time).map(|time| format!("{time:.6}")),
    });
    let written = writer.is_some();
    let is_odd = memfd || deleted || upper_layer || written;
    is_odd.then_some(Executable { memfd, deleted, upper_layer, written, writer })
}

/// None: no witness says anything.
pub(super) fn identity(standing: &Standing) -> Option<Identity<'_>> {
    let [cgroup, mount, pid] = [&standing.cgroup, &standing.mount, &standing.pid].map(claim);
    let trick = standing.trick.map(Trick::name);
    let is_known = cgroup.is_some() || mount.is_some() || pid.is_some() || trick.is_some();
    is_known.then_some(Identity { cgroup, mount, pid, trick })
}

fn claim(claim: &Claim) -> Option<Cow<'_, str>> {
    claim.text().map(Cow::Borrowed)
}

/// None: nobody logged in, nothing runs it.
pub(super) fn process(process: &process::Process) -> Option<OwnProcess<'_>> {
    let executable = &process.executable;
    let own = OwnProcess {
        login_user: process.session.login_uid.map(|uid| LoginUser { id: uid.to_string() }),
        terminal: process.session.terminal.as_deref().map(Cow::Borrowed),
        script: executable.script().map(Cow::Borrowed),
        interpreter: executable.interpreter.as_deref().map(Cow::Borrowed),
    };
    let OwnProcess { login_user, terminal, script, interpreter } = &own;
    let is_known = login_user.is_some() || terminal.is_some() || script.is_some() || interpreter.is_some();
    is_known.then_some(own)
}
