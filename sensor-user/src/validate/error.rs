//! Why nothing can be proven here, as sentences.

use std::io;
use std::path::PathBuf;

use tokio::sync::watch as channel;

/// What directs the scripts when they are run by hand.
const DIRECTING: [&str; 3] = ["TIDEWAITER_INSIDE", "TIDEWAITER_ADDRESS", "TIDEWAITER_URL"];

/// Why it could not run.
#[derive(Debug, thiserror::Error)]
pub enum ValidateError {
    #[error("only root may make containers and load the kernel half")]
    NotRoot,
    #[error("{0} is set: validate acts only in containers that it makes itself")]
    Directed(&'static str),
    #[error("{0} is a container that validate did not make, and it acts in no other")]
    Foreign(String),
    #[error("there is no image {0} at the runtime")]
    NoImage(String),
    #[error("{0} has no images: --image needs docker or podman")]
    Imageless(&'static str),
    #[error("no Docker answers ({0}), and neither runc nor crun is here")]
    NoRuntime(String),
    #[error("{program} is not on this machine")]
    Missing { program: &'static str, package: &'static str },
    #[error("{what} failed: {reason}")]
    Command { what: String, reason: String },
    #[error("the container {0} does not run on this machine: its runtime's daemon is elsewhere")]
    Elsewhere(String),
    #[error("the agent {0}")]
    Agent(String),
    #[error("{path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("it was interrupted; what it had made is removed")]
    Interrupted,
}

impl ValidateError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::NotRoot => "run it with sudo".into(),
            Self::Directed(variable) => {
                format!("unset {variable}, or run the detection's emulate.sh by hand: docs/rule.md says how")
            }
            Self::Foreign(_) => "name an image that is there, or leave --image away".into(),
            Self::NoImage(_) => "pull or build it first: validate fetches nothing".into(),
            Self::Imageless(_) => "leave --image away: this machine's own tools are used then".into(),
            Self::NoRuntime(_) => {
                "start Docker, install runc, or say `--runtime host` to act on this machine itself".into()
            }
            Self::Missing { package, .. } => format!("install {package}"),
            Self::Command { .. } => {
                "see whether the runtime works by itself, or name another by --runtime".into()
            }
            Self::Elsewhere(_) => "unset DOCKER_HOST, or run validate where the containers run".into(),
            Self::Agent(_) => "`tidewaiter check` with the same options tells what is missing".into(),
            Self::File { .. } => "see that it can be read and written, and that the disk is not full".into(),
            Self::Interrupted => "run it again".into(),
        }
    }

    /// About a file.
    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        |source| Self::File { path: path.into(), source }
    }
}

/// Refuses to be pointed at anything by the variables that direct the scripts.
pub(super) fn ensure_undirected() -> Result<(), ValidateError> {
    let directing =
        DIRECTING.into_iter().find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    directing.map_or(Ok(()), |variable| Err(ValidateError::Directed(variable)))
}

/// What `work` gives, unless an interruption comes first.
///
/// # Errors
/// It was interrupted.
pub(super) async fn unless_interrupted<T>(
    interrupted: &mut channel::Receiver<bool>,
    work: impl Future<Output = T>,
) -> Result<T, ValidateError> {
    tokio::select! {
        biased;
        Ok(_) = interrupted.wait_for(|is| *is) => Err(ValidateError::Interrupted),
        outcome = work => Ok(outcome),
    }
}
