//! What the service manager is told (sd_notify(3)): ready, alive, reading again, ending, and how it stands. Without
//! one nothing is.
//!
//! "Alive" is said by the loop alone: a loop that stands still falls silent, and is started again. Nothing here
//! waits: what the manager does not take now it gets with the next word.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::time::Interval;
use tracing::{debug, warn};

use super::wait::later;
use crate::alert::{Heartbeat, HookCount};

/// How many words of life fit the time within which one must come: two may go astray.
const WORDS: u32 = 3;
/// Shortest time between two: a unit that asks for less is mistaken, and the loop has other work.
const PERIOD_MIN: Duration = Duration::from_millis(100);

/// The manager that started this process, if one did.
#[derive(Debug, Default)]
pub(super) struct Service {
    socket: Option<UnixDatagram>,
    /// When the next word of life is due, where one is wanted.
    due: Option<Interval>,
}

impl Service {
    /// Looks into the environment. Must be called within a tokio runtime, before files are out of reach.
    pub(super) fn find() -> Self {
        let Some(name) = env::var_os("NOTIFY_SOCKET") else { return Self::default() };
        let socket = connect(&name).inspect_err(|error| {
            warn!(%error, socket = %name.display(), "the service manager cannot be told anything");
        });
        let variable = |name| env::var(name).ok();
        let period = period(variable("WATCHDOG_USEC"), variable("WATCHDOG_PID"), std::process::id());
        Self { socket: socket.ok(), due: period.map(later) }
    }

    /// Resolves when a word of life is due; never, where none is wanted.
    pub(super) async fn due(&mut self) {
        match &mut self.due {
            Some(due) => drop(due.tick().await),
            None => std::future::pending().await,
        }
    }

    pub(super) fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    /// Also what ends a [`Self::reading`].
    pub(super) fn ready(&self) {
        self.tell("READY=1");
    }

    /// Rules and configuration are being read again.
    pub(super) fn reading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        // systemd 253 and newer wants to know since when, so that two words of it are told apart.
        let microseconds = now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1_000);
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}"));
    }

    pub(super) fn ending(&self) {
        self.tell("STOPPING=1\nSTATUS=ending: what waits is delivered");
    }

    /// How the sensor stands, in one line for `systemctl status`.
    pub(super) fn standing(&self, heartbeat: &Heartbeat) {
        let HookCount { attached, weakened, missing, blind, .. } = heartbeat.hooks;
        let (all, lost) = (attached + missing, heartbeat.lost());
        let Heartbeat { events, alerts, .. } = heartbeat;
        self.tell(&format!(
            "STATUS={attached} of {all} hooks ({weakened} weakened, {blind} detached); {events} events, {alerts} \
             alerts, {lost} lost"
        ));
    }

    fn tell(&self, words: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(words.as_bytes()) {
            debug!(%error, words, "the service manager does not take it");
        }
    }
}

/// `@name` is abstract (unix(7)); all else is a path.
fn connect(name: &OsStr) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    match name.as_bytes().split_first() {
        Some((b'@', rest)) => socket.connect_addr(&SocketAddr::from_abstract_name(rest)?)?,
        Some(_) | None => socket.connect(name)?,
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// How often a word of life is due: none where none is wanted, or of another process than this (sd_watchdog_enabled(3)).
fn period(microseconds: Option<String>, pid: Option<String>, own: u32) -> Option<Duration> {
    if pid.is_some_and(|pid| pid.parse() != Ok(own)) {
        return None;
    }
    let within = Duration::from_micros(microseconds?.parse().ok().filter(|within| *within > 0)?);
    Some((within / WORDS).max(PERIOD_MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn life_is_told_three_times_as_often_as_it_must_be() {
        let period = |within: &str, pid: Option<&str>| {
            period(Some(within.to_owned()), pid.map(str::to_owned), 7).map(|period| period.as_millis())
        };
        assert_eq!(period("60000000", None), Some(20_000));
        assert_eq!(period("60000000", Some("7")), Some(20_000));
        assert_eq!(period("60000000", Some("8")), None, "it is another's");
        assert_eq!(period("1", None), Some(100));
        assert_eq!(period("0", None), None);
        assert_eq!(period("soon", None), None);
        assert_eq!(super::period(None, None, 7), None);
    }

    #[test]
    fn words_arrive_at_a_path_and_at_an_abstract_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let name = format!("tidewaiter-test-{}", std::process::id());
        let manager_of_path = UnixDatagram::bind(&path).unwrap();
        let manager_of_name =
            UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name.as_bytes()).unwrap()).unwrap();
        let abstract_name = format!("@{name}");
        for (manager, name) in
            [(&manager_of_path, path.as_os_str()), (&manager_of_name, OsStr::new(&abstract_name))]
        {
            let service = Service { socket: Some(connect(name).unwrap()), due: None };
            let heard = || {
                let mut buffer = [0; 256];
                let length = manager.recv(&mut buffer).unwrap();
                String::from_utf8(buffer[..length].to_vec()).unwrap()
            };
            service.ready();
            assert_eq!(heard(), "READY=1");
            service.reading();
            let reading = heard();
            let since = reading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
            assert!(since.parse::<u64>().unwrap() > 0, "{reading}");
            service.ending();
            assert!(heard().starts_with("STOPPING=1\n"));
        }
    }

    #[test]
    fn a_manager_that_reads_nothing_holds_nobody_up() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let _manager = UnixDatagram::bind(&path).unwrap();
        let service = Service { socket: Some(connect(path.as_os_str()).unwrap()), due: None };
        // Far more than a queue of datagrams holds (net.unix.max_dgram_qlen).
        (0..100_000).for_each(|_| service.alive());
        assert!(connect(OsStr::new("/nonexistent/notify")).is_err());
    }
}
