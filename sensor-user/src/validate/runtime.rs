//! Which program makes containers here.

use clap::ValueEnum;

use super::ValidateError;
use super::command::{find, output, program};

/// What containers are made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Runtime {
    /// The docker client, and the daemon it talks to (`DOCKER_HOST`)
    Docker,
    /// Podman
    Podman,
    /// runc alone, with no engine above it
    Runc,
    /// crun alone, with no engine above it
    Crun,
    /// No container: the scripts act on this machine, in a network of their own
    Host,
}

impl Runtime {
    /// Its program.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Runc => "runc",
            Self::Crun => "crun",
            Self::Host => "host",
        }
    }

    /// Whether it has images, and takes the words of the docker client.
    pub(super) const fn is_engine(self) -> bool {
        match self {
            Self::Docker | Self::Podman => true,
            Self::Runc | Self::Crun | Self::Host => false,
        }
    }

    /// The one that was asked for, else the first that answers; never the host unasked.
    ///
    /// # Errors
    /// There is none.
    pub(super) async fn choose(wanted: Option<Self>) -> Result<Self, ValidateError> {
        if let Some(wanted) = wanted {
            let is_here = wanted == Self::Host || find(wanted.name()).is_some();
            let missing = ValidateError::Missing { program: wanted.name(), package: wanted.name() };
            return if is_here { Ok(wanted) } else { Err(missing) };
        }
        let silence = match find("docker") {
            None => "there is no docker client".to_owned(),
            Some(client) => match output("docker version", program(client).arg("version")).await {
                Ok(answer) if answer.status.success() => return Ok(Self::Docker),
                Ok(answer) => super::command::last_line(&answer.stderr).unwrap_or_default(),
                Err(error) => error.to_string(),
            },
        };
        let alone = [Self::Runc, Self::Crun].into_iter().find(|runtime| find(runtime.name()).is_some());
        alone.ok_or(ValidateError::NoRuntime(silence))
    }
}
