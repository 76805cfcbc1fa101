//! One script of a detection: what its header asks for, and a run of it.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;
use tokio::sync::watch as channel;

use super::command::{last_line, program};
use super::container::{ADDRESS, Container, REMOTE, STAND};
use super::stage::Stage;
use super::{ValidateError, error};
use crate::detection::Emulation;

/// Longest run. The longest of the built-in ones waits for seven seconds; a tool that waits for an answer which never
/// comes would hold validate.
const RUN_MAX: Duration = Duration::from_secs(90);

/// Longest that it may take to undo what it made, when it is ended.
const END_MAX: Duration = Duration::from_secs(15);

/// Its status where a tool is missing (see `rules/emulation.sh`).
const LACKING: i32 = 77;

/// Begins what it says then.
const LACKS: &str = "lacks ";

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Emulate,
    Benign,
}

impl Kind {
    pub(super) const fn file(self) -> &'static str {
        match self {
            Self::Emulate => "emulate.sh",
            Self::Benign => "benign.sh",
        }
    }
}

/// What its header says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Script {
    name: &'static str,
    kind: Kind,
    /// It needs no container: it makes on this machine what it needs.
    pub(super) is_for_host: bool,
    /// It wants a container that is over its start.
    pub(super) wants_steady: bool,
}

/// How a run ended.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) pid: u32,
    pub(super) began: (Instant, Timestamp),
    pub(super) end: End,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    Done,
    /// It names what is missing.
    Lacks(String),
    Failed(String),
}

impl Script {
    pub(super) fn of(emulation: &Emulation, kind: Kind) -> Self {
        let text = match kind {
            Kind::Emulate => emulation.emulate,
            Kind::Benign => emulation.benign,
        };
        let mut header = text.lines().take_while(|line| line.starts_with('#'));
        let says = |text: &str| header.clone().any(|line| line.contains(text));
        let is_for_host = says("Acts on this machine alone");
        let wants_steady = header.any(|line| line.trim() == "# Wants: steady");
        Self { name: emulation.name, kind, is_for_host, wants_steady }
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// It cannot be started, or it was interrupted: then it has been ended in order.
    pub(super) async fn run(
        self,
        stage: &Stage,
        container: &Container,
        interrupted: &mut channel::Receiver<bool>,
    ) -> Result<Ran, ValidateError> {
        let folder = stage.folder("run")?;
        let said = folder.join("said");
        let file = std::fs::File::create(&said).map_err(ValidateError::file(&said))?;
        let path = stage.path("rules").join(self.name).join(self.kind.file());
        let mut command = program("sh");
        command.arg(&path).stdout(Stdio::null()).stderr(file).env("TMPDIR", &folder);
        for (name, value) in directions(container) {
            command.env(name, value);
        }
        let began = (Instant::now(), Timestamp::now());
        let mut child = command.spawn().map_err(ValidateError::file(&path))?;
        let pid = child.id().unwrap_or_default();
        let run = tokio::time::timeout(RUN_MAX, child.wait());
        let outcome = error::unless_interrupted(interrupted, run).await;
        let status = match outcome {
            Ok(Ok(status)) => status.map_err(ValidateError::file(&path))?,
            Ok(Err(_)) => {
                end(&mut child).await?;
                let reason = format!("{} did not end within {} s", self.kind.file(), RUN_MAX.as_secs());
                return Ok(Ran { pid, began, end: End::Failed(reason) });
            }
            Err(interruption) => {
                end(&mut child).await?;
                return Err(interruption);
            }
        };
        let said = std::fs::read(&said).map_err(ValidateError::file(&said))?;
        Ok(Ran { pid, began, end: self.judge(status, &said) })
    }

    fn judge(self, status: ExitStatus, said: &[u8]) -> End {
        let last = last_line(said);
        if status.success() {
            return End::Done;
        }
        if status.code() == Some(LACKING) {
            let lacks = last.as_deref().and_then(|line| line.strip_prefix(LACKS)).unwrap_or("something");
            return End::Lacks(lacks.to_owned());
        }
        let words = last.map(|line| format!(": {line}")).unwrap_or_default();
        End::Failed(format!("{} ended with {status}{words}", self.kind.file()))
    }
}

/// What a script is told, see `rules/emulation.sh`; empty is as good as unset.
fn directions(container: &Container) -> Vec<(&'static str, PathBuf)> {
    let remote = if container.beside.is_empty() { ADDRESS } else { REMOTE };
    vec![
        ("TIDEWAITER_INSIDE", container.inside.clone().into()),
        ("TIDEWAITER_BESIDE", container.beside.clone().into()),
        ("TIDEWAITER_ADDRESS", ADDRESS.into()),
        ("TIDEWAITER_REMOTE", remote.into()),
        ("TIDEWAITER_URL", PathBuf::new()),
        ("TIDEWAITER_STAND", container.stand.clone().unwrap_or_default()),
        ("TIDEWAITER_STAND_INSIDE", STAND.into()),
        (
            "TIDEWAITER_SPARE",
            container.spare.as_ref().map(|(program, _)| program.clone()).unwrap_or_default(),
        ),
    ]
}

/// Ends it and what it started, first in order.
async fn end(child: &mut Child) -> Result<(), ValidateError> {
    let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let Some(group) = group else { return Ok(()) };
    // Not yet waited for, so the group is still this child's. An error says that it has ended.
    let _ = kill_process_group(group, Signal::TERM);
    if tokio::time::timeout(END_MAX, child.wait()).await.is_err() {
        let _ = kill_process_group(group, Signal::KILL);
        let waited = child.wait().await;
        waited.map_err(ValidateError::file("a script that does not end"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn headers_say_where_and_when() {
        let of =
            |emulate| Script::of(&Emulation { name: "x", emulate, benign: "#!/bin/sh\n" }, Kind::Emulate);
        let plain = of("#!/bin/sh\n# Does it.\n\necho '# Wants: steady'\n# Wants: steady\n");
        assert!(!plain.is_for_host && !plain.wants_steady);
        let steady = of("#!/bin/sh\n# Does it.\n# Wants: steady\n");
        assert!(steady.wants_steady && !steady.is_for_host);
        assert!(of("#!/bin/sh\n# Acts on this machine alone: it needs nothing.\n").is_for_host);
    }

    #[test]
    fn what_is_missing_is_told_apart_from_what_fails() {
        let script = Script { name: "x", kind: Kind::Benign, is_for_host: false, wants_steady: false };
        let judge = |code: i32, said: &str| script.judge(ExitStatus::from_raw(code << 8), said.as_bytes());
        assert_eq!(judge(0, "noise"), End::Done);
        assert_eq!(judge(77, "warning\nlacks socat\n"), End::Lacks("socat".into()));
        assert_eq!(judge(2, "a\nb\n\n"), End::Failed("benign.sh ended with exit status: 2: b".into()));
    }
}
