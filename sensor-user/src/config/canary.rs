//! Whether and how often the delivery canary flies.

use std::time::Duration;

use jiff::SignedDuration;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// When, and how long it may take.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CanarySettings {
    /// How often, from [`EVERY_MIN`] on; none: never.
    #[serde(deserialize_with = "every")]
    pub every: Option<Duration>,
    /// How long until every receiver must have confirmed it, within [`WITHIN`].
    #[serde(deserialize_with = "within")]
    pub within: Duration,
}

/// A container's story may stay open for five minutes after its last match, and a second canary in it would be
/// counted, not told.
const EVERY_MIN: Duration = Duration::from_secs(600);
const EVERY_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// A UDP receiver takes 0.3 s by itself; after five minutes nobody waits any more.
const WITHIN: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(300));

impl Default for CanarySettings {
    fn default() -> Self {
        // What is sent over TCP or TLS counts as received when the connection has stood for 30 s since.
        Self { every: None, within: Duration::from_secs(60) }
    }
}

fn every<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| read(&text, EVERY_MIN, EVERY_MAX)).transpose().map_err(D::Error::custom)
}

fn within<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    read(&text, WITHIN.0, WITHIN.1).map_err(D::Error::custom)
}

fn read(text: &str, min: Duration, max: Duration) -> Result<Duration, String> {
    let parsed = text.parse::<SignedDuration>().ok().and_then(|read| Duration::try_from(read).ok());
    parsed.filter(|read| (min..=max).contains(read)).ok_or_else(|| {
        let show =
            |duration: Duration| format!("{:#}", SignedDuration::try_from(duration).unwrap_or_default());
        format!("`{text}` is no time from {} to {}, such as 90s, 30m or 6h", show(min), show(max))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_and_bounds() {
        let parsed =
            |text: &str| serde_json::from_str::<CanarySettings>(text).map_err(|error| error.to_string());
        assert_eq!(parsed("{}").unwrap(), CanarySettings::default());
        let hourly = parsed(r#"{"every": "1h", "within": "90s"}"#).unwrap();
        assert_eq!((hourly.every, hourly.within), (Some(Duration::from_secs(3600)), Duration::from_secs(90)));
        assert_eq!(parsed(r#"{"every": null}"#).unwrap().every, None);
        for (text, reason) in [
            (r#"{"every": "9m"}"#, "from 10m to 168h"),
            (r#"{"every": "30 days"}"#, "such as 90s"),
            (r#"{"every": "soon"}"#, "`soon` is no time"),
            (r#"{"every": "-1h"}"#, "is no time"),
            (r#"{"within": "1s"}"#, "from 2s to 5m"),
            (r#"{"often": "1h"}"#, "unknown field"),
        ] {
            let error = parsed(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
