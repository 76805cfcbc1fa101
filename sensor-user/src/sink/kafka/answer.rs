//! The answers. Whoever answers chose every byte of them, so all is bounded and nothing is believed.

use super::code::Code;
use super::request::Call;
use super::wire::{Malformed, Reader};

/// Longest answer that is taken, bytes: what a topic of ten thousand partitions needs.
pub(super) const ANSWER_MAX: usize = 1 << 20;

/// Brokers that are remembered of one answer: of a larger cluster these do to find the others.
const BROKERS_MAX: usize = 256;

/// SASL mechanisms that are told of one answer.
const MECHANISMS_MAX: usize = 8;

/// Which versions a broker knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Versions([Option<(i16, i16)>; Call::ALL.len()]);

impl Versions {
    pub(super) fn read(bytes: &[u8]) -> Result<(Code, Self), Malformed> {
        let mut reader = Reader::new(bytes);
        let code = Code(reader.int16()?);
        let mut known = [None; Call::ALL.len()];
        reader.array(|reader| {
            let (key, first, last) = (reader.int16()?, reader.int16()?, reader.int16()?);
            let ours = known.iter_mut().zip(Call::ALL).find(|(_, call)| call.key() == key);
            if let Some((slot, _)) = ours {
                *slot = Some((first, last));
            }
            Ok(())
        })?;
        Ok((code, Self(known)))
    }

    /// The newest that both know; none: there is none. What a broker says nothing of, it may know all the same.
    pub(super) fn of(&self, call: Call) -> Option<i16> {
        let (first, last) = call.versions();
        let known = self.0.iter().zip(Call::ALL).find(|(_, one)| *one == call).and_then(|(known, _)| *known);
        let (from, to) = known?;
        Some(last.min(to)).filter(|version| *version >= first.max(from))
    }
}

/// What a broker says to a mechanism.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Handshake {
    pub(super) code: Code,
    pub(super) mechanisms: Vec<String>,
}

impl Handshake {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let code = Code(reader.int16()?);
        let mut mechanisms = Vec::new();
        reader.array(|reader| {
            let name = reader.string()?;
            if mechanisms.len() < MECHANISMS_MAX {
                mechanisms.push(name.to_owned());
            }
            Ok(())
        })?;
        Ok(Self { code, mechanisms })
    }
}

/// What a broker says to a step of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Login<'a> {
    pub(super) code: Code,
    pub(super) said: Option<&'a str>,
    pub(super) token: &'a [u8],
    /// How long it holds, milliseconds; 0: for as long as the connection.
    pub(super) lifetime: u64,
}

impl<'a> Login<'a> {
    pub(super) fn read(bytes: &'a [u8], version: i16) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let (code, said, token) = (Code(reader.int16()?), reader.nullable_string()?, reader.bytes()?);
        let lifetime = if version >= 1 { reader.int64()? } else { 0 };
        Ok(Self { code, said, token, lifetime: u64::try_from(lifetime).unwrap_or(0) })
    }
}

/// Where the brokers are, and who leads which partition of the topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) throttle: u64,
    /// Number, host and port.
    pub(super) brokers: Vec<(i32, String, u16)>,
    pub(super) topic: Option<Topic>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Topic {
    pub(super) code: Code,
    /// Leaders by the partition's number; below zero: it has none.
    leaders: Vec<(i32, i32)>,
}

impl Topic {
    pub(super) fn partitions(&self) -> usize {
        self.leaders.len()
    }

    /// The number of the broker that leads a partition.
    pub(super) fn leader(&self, partition: i32) -> Option<i32> {
        let found = self.leaders.iter().find(|(number, _)| *number == partition);
        found.map(|(_, leader)| *leader).filter(|leader| *leader >= 0)
    }
}

impl Metadata {
    /// Of a topic.
    pub(super) fn read(bytes: &[u8], wanted: &str) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let throttle = milliseconds(reader.int32()?);
        let mut brokers = Vec::new();
        reader.array(|reader| {
            let (number, host, port) = (reader.int32()?, reader.string()?, reader.int32()?);
            reader.nullable_string()?;
            let port = u16::try_from(port).map_err(|_| Malformed)?;
            if brokers.len() < BROKERS_MAX {
                brokers.push((number, host.to_owned(), port));
            }
            Ok(())
        })?;
        // The cluster's name, and who controls it.
        reader.nullable_string()?;
        reader.int32()?;
        let mut topic = None;
        reader.array(|reader| {
            let (code, name) = (Code(reader.int16()?), reader.string()?);
            reader.boolean()?;
            let mut leaders = Vec::new();
            reader.array(|reader| {
                // Its error is that of its leader, or one of replicas, which does not matter here.
                reader.int16()?;
                leaders.push((reader.int32()?, reader.int32()?));
                reader.array(|reader| reader.int32().map(drop))?;
                reader.array(|reader| reader.int32().map(drop))
            })?;
            if name == wanted {
                topic = Some(Topic { code, leaders });
            }
            Ok(())
        })?;
        Ok(Self { throttle, brokers, topic })
    }
}

/// A producer's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProducerId {
    pub(super) throttle: u64,
    pub(super) code: Code,
    pub(super) id: i64,
    pub(super) epoch: i16,
}

impl ProducerId {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let (throttle, code) = (milliseconds(reader.int32()?), Code(reader.int16()?));
        Ok(Self { throttle, code, id: reader.int64()?, epoch: reader.int16()? })
    }
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Produced<'a> {
    pub(super) throttle: u64,
    pub(super) code: Code,
    pub(super) said: Option<&'a str>,
}

impl<'a> Produced<'a> {
    /// One batch is under way at a time, so there is one to be told of.
    pub(super) fn read(bytes: &'a [u8], version: i16) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let mut outcome = None;
        reader.array(|reader| {
            reader.string()?;
            reader.array(|reader| {
                reader.int32()?;
                let code = Code(reader.int16()?);
                // Its offset, and its time there.
                reader.int64()?;
                reader.int64()?;
                if version >= 5 {
                    reader.int64()?;
                }
                let mut said = None;
                if version >= 8 {
                    reader.array(|reader| {
                        reader.int32()?;
                        said = reader.nullable_string()?.or(said);
                        Ok(())
                    })?;
                    said = reader.nullable_string()?.or(said);
                }
                outcome = Some((code, said));
                Ok(())
            })
        })?;
        let (code, said) = outcome.ok_or(Malformed)?;
        Ok(Self { throttle: milliseconds(reader.int32()?), code, said })
    }
}

fn milliseconds(number: i32) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::wire::Writer;
    use super::*;
    use crate::fuzz;

    /// What a broker of librdkafka 2.16 answered, without the length and the request's number.
    const VERSIONS: &str = "00000000001800000000000a00010000001000020000000700030000000d000800000009000900000006000a00000003000b0000\
        0006000c00000005000d00000004000e00000004001200000002001600000004001700020002001800000001001900000001001a\
        00000001001c00000003004400010001004700000000004800000000004c00010001004e00010001004f00010001";

    /// Three brokers, six partitions.
    const METADATA: &str = "00000000000000030000000100093132372e302e302e310000b31bffff0000000200093132372e302e302e310000b631ffff0000\
        000300093132372e302e302e310000a221ffff00126d6f636b436c75737465726661313338633400000000000000010000000661\
        6c657274730000000006000000000000000000030000000300000001000000020000000300000003000000010000000200000003\
        00000000000100000003000000030000000100000002000000030000000300000001000000020000000300000000000200000003\
        00000003000000010000000200000003000000030000000100000002000000030000000000030000000300000003000000010000\
        00020000000300000003000000010000000200000003000000000004000000010000000300000001000000020000000300000003\
        00000001000000020000000300000000000500000003000000030000000100000002000000030000000300000001000000020000\
        0003";

    const PRODUCER: &str = "000000000000000000000e033c080000";

    fn bytes(hex: &str) -> Vec<u8> {
        hex.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    /// An answer to a batch, by the protocol's description of its newest version that is taken.
    fn produced(code: i16, said: Option<&str>) -> Vec<u8> {
        let answer = Writer::default().int32(1).string("alerts").int32(1).int32(2).int16(code);
        let answer = answer.int64(7).int64(-1).int64(0).int32(1).int32(0).null_string();
        let answer = match said {
            Some(said) => answer.string(said),
            None => answer.null_string(),
        };
        answer.int32(250).into_bytes()
    }

    #[test]
    fn reads_which_versions_there_are() {
        let (code, versions) = Versions::read(&bytes(VERSIONS)).unwrap();
        assert_eq!(code, Code::NONE);
        assert_eq!((versions.of(Call::Produce), versions.of(Call::Metadata)), (Some(8), Some(4)));
        assert_eq!((versions.of(Call::InitProducerId), versions.of(Call::SaslHandshake)), (Some(1), None));
        for (known, version) in [((0, 2), None), ((3, 3), Some(3)), ((5, 7), Some(7)), ((9, 12), None)] {
            let answer =
                Writer::default().int16(0).int32(1).int16(0).int16(known.0).int16(known.1).into_bytes();
            assert_eq!(Versions::read(&answer).unwrap().1.of(Call::Produce), version, "{known:?}");
        }
    }

    #[test]
    fn reads_who_leads() {
        let metadata = Metadata::read(&bytes(METADATA), "alerts").unwrap();
        assert_eq!(metadata.brokers.len(), 3);
        assert_eq!(metadata.brokers[1], (2, "127.0.0.1".to_owned(), 0xb631));
        let topic = metadata.topic.unwrap();
        assert_eq!((topic.code, topic.partitions()), (Code::NONE, 6));
        assert_eq!((topic.leader(4), topic.leader(5), topic.leader(6)), (Some(1), Some(3), None));
        assert_eq!(Metadata::read(&bytes(METADATA), "others").unwrap().topic, None);
    }

    #[test]
    fn reads_a_producer_and_what_became_of_a_batch() {
        let producer = ProducerId::read(&bytes(PRODUCER)).unwrap();
        assert_eq!((producer.code, producer.id, producer.epoch), (Code::NONE, 0x0e03_3c08, 0));
        let answer = produced(10, Some("too long"));
        let expected = Produced { throttle: 250, code: Code::MESSAGE_TOO_LARGE, said: Some("too long") };
        assert_eq!(Produced::read(&answer, 8), Ok(expected));
        assert_eq!(Produced::read(&Writer::default().int32(0).int32(0).into_bytes(), 8), Err(Malformed));
    }

    #[test]
    fn fuzzed_answers_are_read_or_refused() {
        let login = Writer::default().int16(58).string("no").bytes(b"v=").int64(1000).into_bytes();
        let handshake = Writer::default().int16(33).int32(1).string("PLAIN").into_bytes();
        let seeds =
            [bytes(VERSIONS), bytes(METADATA), bytes(PRODUCER), produced(6, Some("moved")), login, handshake];
        fuzz::run(&seeds, |bytes, dice| {
            if let Ok((_, versions)) = Versions::read(bytes) {
                for call in Call::ALL {
                    let (first, last) = call.versions();
                    assert!(versions.of(call).is_none_or(|version| (first..=last).contains(&version)));
                }
            }
            if let Ok(metadata) = Metadata::read(bytes, "alerts") {
                assert!(metadata.brokers.len() <= BROKERS_MAX && metadata.brokers.len() <= bytes.len());
                let partitions = metadata.topic.as_ref().map_or(0, Topic::partitions);
                assert!(partitions <= bytes.len());
                assert!(metadata.topic.is_none_or(|topic| topic.leader(0).is_none_or(|leader| leader >= 0)));
            }
            let version = i16::try_from(dice.roll(10)).unwrap();
            if let Ok(login) = Login::read(bytes, version) {
                assert!(login.token.len() <= bytes.len());
            }
            if let Ok(handshake) = Handshake::read(bytes) {
                assert!(handshake.mechanisms.len() <= MECHANISMS_MAX);
            }
            let _ = Produced::read(bytes, version).map(|produced| produced.code.meaning());
            let _ = ProducerId::read(bytes);
        });
    }
}
