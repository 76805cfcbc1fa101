//! DNS messages (RFC 1035) as they pass, read as far as they make sense: one record that does not is passed
//! over, so that nobody hides the others behind it. Total: any bytes give a message or nothing.

use std::net::IpAddr;

use domain::base::iana::{Class, Rtype};
use domain::base::{Message as Octets, ParsedName};
use domain::rdata::{A, Aaaa, AllRecordData, Cname};

/// Most records of an answer that are looked at: a message of 1,232 bytes has room for some hundred.
const RECORDS_MAX: usize = 128;
/// Longest text of a record that is kept, bytes: a TXT record carries whole programs.
const TEXT_MAX: usize = 512;
/// Most messages in one packet over TCP.
const PACKET_MAX: usize = 8;
/// Bytes of the length before a message over TCP (RFC 1035, section 4.2.2).
const PREFIX: usize = 2;

/// What one message asks or answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// In lower case, without the last dot; `.` for the root.
    pub name: String,
    /// `A`, `TXT`, `TYPE65280`.
    pub kind: String,
    pub answer: Option<Answer>,
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub code: String,
    /// Each with the seconds for which it holds.
    pub addresses: Vec<(IpAddr, u32)>,
    pub records: Vec<String>,
}

/// Reads the messages of one packet. What is no query and no answer to one is left out.
#[must_use]
pub fn read(packet: &[u8], is_tcp: bool, is_answer: bool) -> Vec<Message> {
    if !is_tcp {
        return message(packet, is_answer).into_iter().collect();
    }
    let mut messages = Vec::new();
    let mut rest = packet;
    while let Some((length, tail)) = rest.split_first_chunk::<PREFIX>()
        && messages.len() < PACKET_MAX
    {
        let length = usize::from(u16::from_be_bytes(*length));
        let (this, next) = tail.split_at_checked(length).unwrap_or((tail, &[]));
        messages.extend(message(this, is_answer));
        rest = next;
    }
    if messages.is_empty() {
        // The length went in a packet of its own.
        messages.extend(message(packet, is_answer));
    }
    messages
}

fn message(bytes: &[u8], is_answer: bool) -> Option<Message> {
    let octets = Octets::from_slice(bytes).ok()?;
    if octets.header().qr() != is_answer || octets.header_counts().qdcount() != 1 {
        return None;
    }
    let question = octets.first_question()?;
    if question.qclass() != Class::IN {
        return None;
    }
    let name = text(question.qname());
    let answer = is_answer.then(|| answer(octets, &name));
    Some(Message { name, kind: question.qtype().to_string(), answer })
}

/// Addresses count only when the name that was asked leads to them: a server could add any other.
fn answer(octets: &Octets<[u8]>, asked: &str) -> Answer {
    let mut answer = Answer { code: octets.header().rcode().to_string(), ..Answer::default() };
    let Ok(section) = octets.answer() else { return answer };
    let mut names = vec![asked.to_owned()];
    for record in section.take(RECORDS_MAX) {
        // Behind one that does not end where it says, nothing is known.
        let Ok(record) = record else { break };
        let is_asked = names.contains(&text(&record.owner()));
        let ttl = record.ttl().as_secs();
        match record.rtype() {
            Rtype::A => {
                if let Ok(Some(address)) = record.to_record::<A>()
                    && is_asked
                {
                    answer.addresses.push((IpAddr::V4(address.data().addr()), ttl));
                }
            }
            Rtype::AAAA => {
                if let Ok(Some(address)) = record.to_record::<Aaaa>()
                    && is_asked
                {
                    answer.addresses.push((IpAddr::V6(address.data().addr()).to_canonical(), ttl));
                }
            }
            Rtype::CNAME => {
                if let Ok(Some(alias)) = record.to_record::<Cname<ParsedName<_>>>() {
                    let alias = text(alias.data().cname());
                    if is_asked {
                        names.push(alias.clone());
                    }
                    answer.records.push(alias);
                }
            }
            _ => {
                if let Ok(other) = record.to_any_record::<AllRecordData<_, ParsedName<_>>>() {
                    answer.records.push(cut(other.data().to_string()));
                }
            }
        }
    }
    answer
}

/// A name as people write it. Bytes that are no letters come escaped.
fn text<Octs: AsRef<[u8]>>(name: &ParsedName<Octs>) -> String {
    let text = name.to_string().to_ascii_lowercase();
    if text.is_empty() { ".".to_owned() } else { text }
}

fn cut(mut text: String) -> String {
    if text.len() > TEXT_MAX {
        let end = (0..=TEXT_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests;
