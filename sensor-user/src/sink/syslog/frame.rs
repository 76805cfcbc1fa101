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
use crate::sink::form::Form;

/// Longest syslog message, bytes, without the count in front. RFC 5424 section 6.1 asks receivers
/// for 2,048 only, but common ones take 8,096 and then cut in silence, or take the rest for a
/// message of its own.
pub const FRAME_MAX: usize = 8_000;

/// Longest PRI and VERSION with the blanks around them: `<191>1 ` and the one before the message.
const AROUND_HEADER: usize = 8;

/// Bytes that are left to the message behind a header of RFC 5424.
pub(in crate::sink) fn room(header: &str) -> usize {
    FRAME_MAX.saturating_sub(header.len() + AROUND_HEADER)
}

/// A message as one receiver gets it, the same to the byte whenever it is sent again.
pub(in crate::sink) fn encode(
    envelope: &Envelope,
    target: &SyslogTarget,
    facility: Facility,
    form: Form,
) -> Bytes {
    Bytes::from(match target {
        // RELP says the length itself.
        SyslogTarget::Udp { .. } | SyslogTarget::Relp { .. } | SyslogTarget::Relps(_) => {
            rfc5424(envelope, facility, form)
        }
        // RFC 5425 section 4.3 frames as RFC 6587 does.
        SyslogTarget::Tcp { .. } | SyslogTarget::Tls(_) => octet_counted(&rfc5424(envelope, facility, form)),
        SyslogTarget::Unix { .. } => rfc3164(envelope, facility, form, &TimeZone::system()),
        SyslogTarget::Journal { .. } => return Bytes::from(journal::encode(envelope, facility)),
    })
}

/// RFC 6587 section 3.4.1: the length in decimal, a blank, the message. A newline inside a message
/// cannot end it, unlike in the section after that.
fn octet_counted(frame: &str) -> String {
    format!("{} {frame}", frame.len())
}

/// RFC 5424 section 6: `<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID [SD] MSG`.
fn rfc5424(envelope: &Envelope, facility: Facility, form: Form) -> String {
    let Envelope { header, .. } = envelope;
    let body = form.render(envelope, room(header));
    format!("<{}>1 {header} {body}", priority(facility, envelope.severity))
}

/// RFC 3164 section 4.1 as local sockets have it: local time, no HOSTNAME (the receiver knows its
/// own), `TAG[PID]:`.
fn rfc3164(envelope: &Envelope, facility: Facility, form: Form, zone: &TimeZone) -> String {
    let priority = priority(facility, envelope.severity);
    let time = envelope.time.to_zoned(zone.clone()).strftime("%b %e %H:%M:%S");
    // What is before the body is shorter than the other form's.
    let body = form.render(envelope, room(&envelope.header));
    format!("<{priority}>{time} {NAME}[{}]: {body}", envelope.pid)
}

#[cfg(test)]
mod tests;
