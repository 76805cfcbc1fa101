//! Running the programs of others, to their end and not for ever.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;

use super::ValidateError;

/// Longest that a runtime may take for one thing. Making a container takes half a second, on a machine at its limits
/// some seconds; a daemon that hangs would hold validate for ever.
const COMMAND_MAX: Duration = Duration::from_secs(60);

/// Where programs of administrators lie, whatever the caller's PATH.
const PLACES: [&str; 4] = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin"];

/// A program in a process group of its own, so that Ctrl-C at the terminal reaches validate alone, which then ends
/// it in order.
pub(super) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.stdin(Stdio::null()).process_group(0).kill_on_drop(true);
    command
}

/// Runs it to its end; returns what it wrote.
///
/// # Errors
/// It cannot be started, fails, or takes longer than [`COMMAND_MAX`].
pub(super) async fn run(what: &str, command: &mut Command) -> Result<String, ValidateError> {
    let output = output(what, command).await?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let reason = last_line(&output.stderr).unwrap_or_else(|| output.status.to_string());
    Err(ValidateError::Command { what: what.to_owned(), reason })
}

/// The same, however it ends.
///
/// # Errors
/// It cannot be started, or takes longer than [`COMMAND_MAX`].
pub(super) async fn output(what: &str, command: &mut Command) -> Result<Output, ValidateError> {
    let failed = |reason: String| ValidateError::Command { what: what.to_owned(), reason };
    match tokio::time::timeout(COMMAND_MAX, command.output()).await {
        Ok(Ok(output)) => Ok(output),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(failed(format!("no end after {} s", COMMAND_MAX.as_secs()))),
    }
}

/// The last line that says something.
pub(super) fn last_line(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    text.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned)
}

/// Fails unless each program is there; the second word is the package that brings it.
///
/// # Errors
/// The first that is missing.
pub(super) fn ensure(programs: &[(&'static str, &'static str)]) -> Result<(), ValidateError> {
    match programs.iter().find(|(program, _)| find(program).is_none()) {
        Some((program, package)) => Err(ValidateError::Missing { program, package }),
        None => Ok(()),
    }
}

/// Where a program lies.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(PLACES.map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|path| Path::is_file(path))
}
