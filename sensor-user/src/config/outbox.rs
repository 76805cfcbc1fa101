//! Where messages are kept until their receivers have them.

use std::path::PathBuf;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::outbox::Place;

/// Where, and how many.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutboxSettings {
    /// The folder; none: messages are in memory only.
    pub directory: Option<PathBuf>,
    /// Most MiB in it, from [`MEBIBYTES_MIN`] to [`MEBIBYTES_MAX`].
    #[serde(deserialize_with = "mebibytes")]
    pub mebibytes: u32,
}

/// Two segments of a size that is worth a file.
const MEBIBYTES_MIN: u32 = 4;
/// At 3 KiB an alert five million of them: what is kept of each in memory is a few dozen bytes, together 300 MiB.
const MEBIBYTES_MAX: u32 = 16 << 10;

/// Beside the sockets of the agent.
const RUNTIME: &str = "/run/tidewaiter/outbox";

impl Default for OutboxSettings {
    fn default() -> Self {
        // Some 20,000 alerts: an outage of hours on a host that has many.
        Self { directory: Some(PathBuf::from("/var/lib/tidewaiter")), mebibytes: 64 }
    }
}

impl OutboxSettings {
    /// The folder and its bound, where there is to be one.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        let directory = self.directory.clone()?;
        let runtime = PathBuf::from(RUNTIME);
        Some(Place { directory, bound: u64::from(self.mebibytes) << 20, runtime })
    }
}

fn mebibytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = u32::deserialize(deserializer)?;
    if !(MEBIBYTES_MIN..=MEBIBYTES_MAX).contains(&number) {
        return Err(D::Error::custom(format!(
            "{number} MiB is no size of an outbox: it has from {MEBIBYTES_MIN} to {MEBIBYTES_MAX}"
        )));
    }
    Ok(number)
}
