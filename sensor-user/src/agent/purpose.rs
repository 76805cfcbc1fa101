//! What the sensor runs for: to judge, to show every event, or to learn. The flow is the same.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::{StartError, attend};
use crate::config::Config;
use crate::event::selection::Selection;
use crate::state::baseline::Baseline;

/// What the sensor runs for.
pub(super) enum Purpose {
    Judge,
    Show(Selection),
    /// What is learned is written there by the caller.
    Learn(PathBuf),
}

impl Purpose {
    /// A file that is written when the sensor has ended.
    pub(super) fn out(&self) -> Option<&Path> {
        match self {
            Self::Judge | Self::Show(_) => None,
            Self::Learn(out) => Some(out),
        }
    }
}

/// Runs the sensor until `shutdown` resolves or nobody reads its output any more.
///
/// # Errors
/// [`StartError`] says what is missing and what to do. Once it runs, it does not fail.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> Result<(), StartError> {
    attend(config, Purpose::Judge, shutdown).await.map(drop)
}

/// The same, but tells every event of the selection instead of alerts, on standard output only.
///
/// # Errors
/// As [`run`].
pub async fn events(
    config: Config,
    selection: Selection,
    shutdown: impl Future<Output = ()>,
) -> Result<(), StartError> {
    attend(config, Purpose::Show(selection), shutdown).await.map(drop)
}

/// The same, but takes everything that containers do for normal, and returns that at the end, for the caller to write to
/// `out`: nowhere else can be written to then.
///
/// # Errors
/// As [`run`].
pub async fn learn(
    config: Config,
    out: PathBuf,
    shutdown: impl Future<Output = ()>,
) -> Result<Baseline, StartError> {
    let began = Instant::now();
    let learner = attend(config, Purpose::Learn(out), shutdown).await?;
    Ok(learner.unwrap_or_default().finish(began.elapsed().as_secs().max(1)))
}
