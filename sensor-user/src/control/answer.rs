//! Answers as rows, written as they are made: the whole of one is never in memory as text.

mod rule;

use std::io::{self, BufWriter, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::{FxHashMap, FxHashSet};

use super::protocol::{
    ConnectionRow, ContainerRow, End, Entry, Head, IdentityRow, PodRow, ProcessRow, Row, TEXT_MAX, VERSION,
    WriterRow,
};
use crate::host::procfs;
use crate::host::user::UserNames;
use crate::keeper::Kind;
use crate::metric::snapshot::Snapshot;
use crate::pipeline::{Named, Picture, RuleStats, SuppressedMatch};
use crate::sink::Origin;
use crate::state::container::{Pod, Present};
use crate::state::process::{Process, ProcessKey, Resident, Written};
use crate::state::standing::{Claim, Entry as Door, Standing};

/// How long an answer may take. A client that reads a row a second must not keep its place for days.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// How long names of users may take. They are read from each container's own passwd; beyond it the
/// number has to do.
const NAMES_MAX: Duration = Duration::from_millis(500);
/// What is gathered before it is written, bytes.
const BUFFER: usize = 64 * 1024;
/// What /proc/PID/stat can tell apart, nanoseconds: one `USER_HZ` tick (proc_pid_stat(5), field 22). A parent
/// that was found there is known by it.
const TICK: u64 = 10_000_000;

/// Who answers.
#[derive(Debug)]
pub(super) struct Writer {
    origin: Arc<Origin>,
    /// `CLOCK_BOOTTIME`, nanoseconds.
    started: u64,
}

impl Writer {
    pub(super) fn new(origin: Arc<Origin>) -> Self {
        Self { origin, started: crate::host::boot_time() }
    }

    fn head(&self, now: u64) -> Head {
        Head {
            version: VERSION,
            agent_version: self.origin.version.to_owned(),
            agent_pid: self.origin.pid,
            hostname: self.origin.hostname.clone(),
            kernel: self.origin.kernel.clone(),
            started: self.started,
            now,
        }
    }
}

/// What is to be written.
pub(super) enum Answer {
    /// And whether processes of the host are wanted that have no connection.
    Picture(Picture, bool),
    Rules(RuleStats),
    /// And when that was.
    Suppressed(u64, Vec<SuppressedMatch>),
    Status(Box<Snapshot>),
}

/// Writes all rows of an answer.
///
/// # Errors
/// The client has gone, or does not read.
pub(super) fn write(writer: &Writer, answer: Answer, stream: UnixStream) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(
        BUFFER,
        Bounded { stream, until: Instant::now() + ANSWER_MAX, is_over: false },
    );
    match answer {
        Answer::Picture(picture, is_host_wanted) => write_picture(writer, picture, is_host_wanted, &mut out)?,
        Answer::Rules(stats) => rule::write_stats(writer, stats, &mut out)?,
        Answer::Suppressed(now, matches) => rule::write_suppressed(writer, now, matches, &mut out)?,
        Answer::Status(snapshot) => {
            tell(&mut out, &Row::Head(writer.head(crate::host::boot_time())))?;
            tell(&mut out, &Row::Status(snapshot))?;
            tell(&mut out, &Row::End(End::default()))?;
        }
    }
    out.flush()
}

fn write_picture(
    writer: &Writer,
    picture: Picture,
    is_host_wanted: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let Picture { time, containers, processes, connections, connections_omitted } = picture;
    tell(out, &Row::Head(writer.head(time)))?;
    for container in containers {
        tell(out, &Row::Container(Box::new(self::container(&container))))?;
    }
    let mut end = End {
        processes: processes.len() as u64,
        connections: connections.len() as u64 + connections_omitted,
        omitted_connections: connections_omitted,
        ..End::default()
    };
    let busy: FxHashSet<u32> = connections.iter().map(|named| named.connection.part.process.pid).collect();
    let starts = processes.iter().map(Resident::key).map(|key| (key.pid, key.start_time)).collect();
    let mut users = Users::new(time);
    for process in processes {
        // The door for pictures: no row has a text of before.
        let mut process = process.process();
        writer.origin.redactor.tally().process(&mut process);
        let is_of_host = process.container.is_none();
        end.host_processes += u64::from(is_of_host);
        let is_told = !is_of_host
            || is_host_wanted
            || process.standing.trick.is_some()
            || busy.contains(&process.key.pid);
        if is_told {
            tell(out, &Row::Process(Box::new(row(&process, &starts, &mut users))))?;
        } else {
            end.omitted_processes += 1;
        }
    }
    for named in connections {
        tell(out, &Row::Connection(Box::new(connection(named))))?;
    }
    tell(out, &Row::End(end))
}

fn tell(out: &mut impl Write, row: &Row) -> io::Result<()> {
    serde_json::to_writer(&mut *out, row)?;
    out.write_all(b"\n")
}

/// A stream that is written to until a point in time.
struct Bounded {
    stream: UnixStream,
    until: Instant,
    is_over: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_over || Instant::now() > self.until {
            return Err(io::ErrorKind::TimedOut.into());
        }
        // What is left is not tried again when the buffer is dropped.
        self.stream.write(bytes).inspect_err(|_| self.is_over = true)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Names of users, as long as there is time to look.
struct Users {
    names: UserNames,
    now: u64,
    until: Instant,
}

impl Users {
    fn new(now: u64) -> Self {
        let host_ns = procfs::namespace(procfs::host_pid(), Kind::Mount).unwrap_or(0);
        Self { names: UserNames::new(host_ns), now, until: Instant::now() + NAMES_MAX }
    }

    fn name(&mut self, process: &Process) -> Option<String> {
        if process.mnt_ns == 0 || Instant::now() > self.until {
            return None;
        }
        let name = self.names.name(process.uid, process.key.pid, process.mnt_ns, self.now)?;
        Some(cut(&name))
    }
}

fn container(present: &Present) -> ContainerRow {
    let Present { container, outer, began } = present;
    let option = |text: &Option<String>| text.as_deref().map(cut);
    ContainerRow {
        id: cut(&container.id),
        runtime: container.runtime.name().to_owned(),
        name: option(&container.name),
        image: option(&container.image),
        image_id: option(&container.image_id),
        image_digest: option(&container.image_digest),
        is_verified: (!container.is_asked()).then(|| container.is_verified()),
        role: container.role.name().to_owned(),
        outer: outer.iter().map(|id| cut(id)).collect(),
        began: *began,
        pod: container.pod.as_ref().map(pod),
        pod_uid: option(&container.pod_uid),
    }
}

fn pod(pod: &Pod) -> PodRow {
    PodRow {
        namespace: cut(&pod.namespace),
        name: cut(&pod.name),
        uid: cut(&pod.uid),
        owner: pod.owner.as_ref().map(|owner| cut(&format!("{}/{}", owner.kind, owner.name))),
        node: pod.node.as_deref().map(cut),
    }
}

fn row(process: &Process, starts: &FxHashMap<u32, u64>, users: &mut Users) -> ProcessRow {
    let Process { key, executable, standing, session, .. } = process;
    let is_alive = |parent: &ProcessKey| {
        starts.get(&parent.pid).is_some_and(|start| start / TICK == parent.start_time / TICK)
    };
    let images: Vec<String> = executable.images().map(cut).collect();
    ProcessRow {
        pid: key.pid,
        start: key.start_time,
        parent: process.parent.filter(is_alive).map(|parent| parent.pid),
        container: process.container.as_deref().map(cut),
        name: cut(process.name()),
        executable: cut(&executable.path),
        images: if images.len() > 1 { images } else { Vec::new() },
        command_line: cut(process.command_line()),
        uid: process.uid,
        effective_uid: process.effective_uid,
        user: users.name(process),
        login_uid: session.login_uid,
        terminal: session.terminal.as_deref().map(cut),
        is_memfd: executable.memfd,
        is_deleted: executable.deleted,
        is_upper_layer: executable.upper_layer,
        written: executable.written.as_deref().map(written),
        entry: match standing.entry {
            Door::Unknown => Entry::Unknown,
            Door::Main => Entry::Main,
            Door::Exec { has_terminal: false } => Entry::Exec,
            Door::Exec { has_terminal: true } => Entry::Terminal,
            Door::Probe => Entry::Probe,
        },
        identity: identity(standing),
    }
}

fn written(written: &Written) -> WriterRow {
    let Written { time, by, image, arguments, received: _ } = written;
    WriterRow { time: *time, pid: by.pid, image: cut(image), command_line: cut(arguments.line()) }
}

/// None: no witness says anything.
fn identity(standing: &Standing) -> Option<IdentityRow> {
    let claim = |claim: &Claim| claim.text().map(cut);
    let row = IdentityRow {
        cgroup: claim(&standing.cgroup),
        mount: claim(&standing.mount),
        pid: claim(&standing.pid),
        trick: standing.trick.map(|trick| trick.name().to_owned()),
    };
    (row != IdentityRow::default()).then_some(row)
}

fn connection(named: Named) -> ConnectionRow {
    let Named { connection, hostname } = named;
    let part = connection.part;
    ConnectionRow {
        pid: part.process.pid,
        transport: part.end.protocol().name().to_owned(),
        direction: part.direction.name().to_owned(),
        address: part.end.address,
        port: part.end.port,
        hostname: hostname.as_deref().map(cut),
        is_connected: part.connected,
        sent: part.bytes.sent,
        received: part.bytes.received,
        since: connection.since,
    }
}

/// At most [`TEXT_MAX`] bytes.
fn cut(text: &str) -> String {
    const ELLIPSIS: char = '…';
    if text.len() <= TEXT_MAX {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(TEXT_MAX - ELLIPSIS.len_utf8());
    let mut cut = text.get(..end).unwrap_or_default().to_owned();
    cut.push(ELLIPSIS);
    cut
}
