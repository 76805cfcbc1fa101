//! What became of a delivery canary.

use crate::canary::Stage;

/// The first failure, or the first that comes through after one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CanaryReport {
    Failed {
        stage: Stage,
        /// Why its process could not be started; or the receivers that did not confirm it, eight at most.
        details: Vec<String>,
        /// How long it was waited for, milliseconds.
        waited: u64,
    },
    /// It came through, this long after its start, milliseconds.
    Well { took: u64 },
}

/// What a failure is, without its reason.
pub const FAILED: &str = "the delivery canary did not come through";

impl CanaryReport {
    /// One sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Failed { stage, details, .. } => format!("{FAILED}: {}", reason(*stage, details)),
            Self::Well { .. } => "the delivery canary comes through again".to_owned(),
        }
    }
}

/// `its alert was not confirmed by syslog tls://loghost:6514`.
#[must_use]
pub fn reason(stage: Stage, details: &[String]) -> String {
    let between = match stage {
        Stage::Delivery => " by ",
        Stage::Start | Stage::Kernel | Stage::Match => ": ",
    };
    let between = if details.is_empty() { "" } else { between };
    format!("{stage}{between}{}", details.join(", "))
}
