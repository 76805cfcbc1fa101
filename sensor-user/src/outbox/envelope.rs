//! A message in the form in which it is kept and sent: encoded once, the same to the byte whenever it is sent again.

use jiff::Timestamp;
use uuid::Uuid;

/// A message, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Counts the messages of one agent id from 1: a gap at a receiver is a loss.
    pub sequence: u64,
    /// `event.id`.
    pub id: Uuid,
    /// Microseconds are kept.
    pub time: Timestamp,
    /// Numerical code of RFC 5424 section 6.2.1.
    pub severity: u8,
    /// Who stays where there is no room for all.
    pub rank: Rank,
    /// Of the agent that made it.
    pub pid: u32,
    /// The header of RFC 5424 from TIMESTAMP to STRUCTURED-DATA.
    pub header: String,
    /// The whole document, one line of JSON.
    pub document: String,
    /// The document as far as it fits a syslog frame; none: the whole one does.
    pub fitted: Option<String>,
}

/// What a message is worth where there is no room for all: the lowest goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Rank {
    /// What the sensor says of itself from time to time.
    Report = 0,
    Informational = 1,
    Low = 2,
    Medium = 3,
    High = 4,
    Critical = 5,
    /// That something was lost, or somebody works on the sensor.
    Warning = 6,
}

impl Rank {
    /// Lowest first.
    pub const ALL: [Self; 7] = [
        Self::Report,
        Self::Informational,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::Critical,
        Self::Warning,
    ];
}

impl Envelope {
    /// The document as it goes into a frame.
    #[must_use]
    pub fn body(&self) -> &str {
        self.fitted.as_deref().unwrap_or(&self.document)
    }

    /// Bytes of its texts: what it takes in memory, but for a few dozen.
    #[must_use]
    pub fn size(&self) -> usize {
        self.header.len() + self.document.len() + self.fitted.as_ref().map_or(0, String::len)
    }

    pub(super) fn write(&self, into: &mut Vec<u8>) {
        into.extend(self.sequence.to_le_bytes());
        into.extend(self.id.as_bytes());
        into.extend(self.time.as_microsecond().to_le_bytes());
        into.extend([self.severity, self.rank as u8]);
        into.extend(self.pid.to_le_bytes());
        for text in [&self.header, &self.document, self.fitted.as_deref().unwrap_or_default()] {
            // Who writes a record refuses bodies that are longer than this can say.
            into.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
            into.extend(text.as_bytes());
        }
    }

    /// The same bytes again; none: they are no envelope.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (sequence, rest) = bytes.split_first_chunk::<8>()?;
        let (id, rest) = rest.split_first_chunk::<16>()?;
        let (time, rest) = rest.split_first_chunk::<8>()?;
        let (&[severity, rank], rest) = rest.split_first_chunk::<2>()?;
        let rank = Rank::ALL.into_iter().find(|known| *known as u8 == rank)?;
        let (pid, rest) = rest.split_first_chunk::<4>()?;
        let (header, rest) = text(rest)?;
        let (document, rest) = text(rest)?;
        let (fitted, rest) = text(rest)?;
        rest.is_empty().then_some(())?;
        Some(Self {
            sequence: u64::from_le_bytes(*sequence),
            id: Uuid::from_bytes(*id),
            time: Timestamp::from_microsecond(i64::from_le_bytes(*time)).ok()?,
            severity,
            rank,
            pid: u32::from_le_bytes(*pid),
            header: header.to_owned(),
            document: document.to_owned(),
            fitted: (!fitted.is_empty()).then(|| fitted.to_owned()),
        })
    }
}

fn text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (text, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    Some((std::str::from_utf8(text).ok()?, rest))
}
