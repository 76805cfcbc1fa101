//! Messages for tests.

use jiff::Timestamp;
use uuid::Uuid;

use super::envelope::{Envelope, Rank};

/// A message of this number.
pub(crate) fn envelope(sequence: u64) -> Envelope {
    Envelope {
        sequence,
        id: Uuid::from_u128(u128::from(sequence)),
        time: Timestamp::from_microsecond(1_700_000_000_123_456).unwrap(),
        severity: 4,
        rank: Rank::Medium,
        pid: 7,
        header: format!(
            "2023-11-14T22:13:20.123456Z host tidewaiter 7 alert [tidewaiter@32473 seq=\"{sequence}\"]"
        ),
        document: format!("{{\"kind\":\"alert\",\"event\":{{\"sequence\":{sequence}}}}}"),
        fitted: None,
    }
}
