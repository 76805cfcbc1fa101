//! One message as the bytes that travel: RFC 5424, its octet-counted form, and the older form for
//! local sockets.
//!
//! What receivers really do bounds this more tightly than the RFCs: frames of at most
//! [`FRAME_MAX`] bytes, six fraction digits in timestamps (nine corrupt the time at some), no byte
//! order mark before the text (it stays in front of the JSON), and everything in printable ASCII up
//! to the message.

use bytes::Bytes;
use jiff::tz::TimeZone;

use super::priority::{Facility, priority};
use super::{SyslogTarget, journal};
use crate::outbox::Envelope;
use crate::sink::encode::NAME;

/// Longest syslog message, bytes, without the count in front. RFC 5424 section 6.1 asks receivers
/// for 2,048 only, but common ones take 8,096 and then cut in silence, or take the rest for a
/// message of its own.
pub const FRAME_MAX: usize = 8_000;

/// A message as one receiver gets it, the same to the byte whenever it is sent again.
pub(super) fn encode(envelope: &Envelope, target: &SyslogTarget, facility: Facility) -> Bytes {
    Bytes::from(match target {
        // RELP says the length itself.
        SyslogTarget::Udp { .. } | SyslogTarget::Relp { .. } | SyslogTarget::Relps(_) => {
            rfc5424(envelope, facility)
        }
        // RFC 5425 section 4.3 frames as RFC 6587 does.
        SyslogTarget::Tcp { .. } | SyslogTarget::Tls(_) => octet_counted(&rfc5424(envelope, facility)),
        SyslogTarget::Unix { .. } => rfc3164(envelope, facility, &TimeZone::system()),
        SyslogTarget::Journal { .. } => return Bytes::from(journal::encode(envelope, facility)),
    })
}

/// RFC 6587 section 3.4.1: the length in decimal, a blank, the message. A newline inside a message
/// cannot end it, unlike in the section after that.
fn octet_counted(frame: &str) -> String {
    format!("{} {frame}", frame.len())
}

/// RFC 5424 section 6: `<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID [SD] MSG`.
fn rfc5424(envelope: &Envelope, facility: Facility) -> String {
    let Envelope { header, .. } = envelope;
    format!("<{}>1 {header} {}", priority(facility, envelope.severity), envelope.body())
}

/// RFC 3164 section 4.1 as local sockets have it: local time, no HOSTNAME (the receiver knows its
/// own), `TAG[PID]:`.
fn rfc3164(envelope: &Envelope, facility: Facility, zone: &TimeZone) -> String {
    let priority = priority(facility, envelope.severity);
    let time = envelope.time.to_zoned(zone.clone()).strftime("%b %e %H:%M:%S");
    format!("<{priority}>{time} {NAME}[{}]: {}", envelope.pid, envelope.body())
}

#[cfg(test)]
mod tests;
