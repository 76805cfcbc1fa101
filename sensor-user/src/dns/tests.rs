//! Messages as resolvers make them, and as nobody should.

use proptest::prelude::*;

use super::*;

/// A name in its wire form.
fn name(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).expect("short"));
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    bytes
}

fn header(flags: u16, answers: u16) -> Vec<u8> {
    [7, flags, 1, answers, 0, 0].iter().flat_map(|word: &u16| word.to_be_bytes()).collect()
}

fn question(text: &str, kind: u16) -> Vec<u8> {
    let mut bytes = name(text);
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    bytes
}

fn record(owner: &[u8], kind: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = owner.to_vec();
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    bytes.extend(ttl.to_be_bytes());
    bytes.extend(u16::try_from(data.len()).expect("short").to_be_bytes());
    bytes.extend(data);
    bytes
}

const QUERY: u16 = 0x0100;
const REPLY: u16 = 0x8180;
/// A compressed name: the one of the question.
const ASKED: [u8; 2] = [0xc0, 12];
const A: u16 = 1;
const CNAME: u16 = 5;
const TXT: u16 = 16;
const AAAA: u16 = 28;

fn reply(asked: &str, kind: u16, records: &[Vec<u8>]) -> Vec<u8> {
    let count = u16::try_from(records.len()).expect("few");
    [header(REPLY, count), question(asked, kind), records.concat()].concat()
}

fn answer(message: &[u8]) -> Answer {
    let messages = read(message, false, true);
    let [message] = messages.as_slice() else { panic!("one message") };
    message.answer.clone().expect("it answers")
}

#[test]
fn a_question_is_read() {
    let packet = [header(QUERY, 0), question("WWW.Example.com", AAAA)].concat();
    let expected = Message { name: "www.example.com".to_owned(), kind: "AAAA".to_owned(), answer: None };
    assert_eq!(read(&packet, false, false), [expected]);
    assert!(read(&packet, false, true).is_empty(), "what comes from a server answers");
    let packet = [header(QUERY, 0), question("", 65_280)].concat();
    let expected = Message { name: ".".to_owned(), kind: "TYPE65280".to_owned(), answer: None };
    assert_eq!(read(&packet, false, false), [expected]);
}

#[test]
fn addresses_belong_to_the_name_that_was_asked() {
    let packet = reply(
        "www.example.com",
        A,
        &[
            record(&ASKED, CNAME, 60, &name("cdn.example.net")),
            record(&name("CDN.example.net"), A, 300, &[192, 0, 2, 1]),
            record(&name("cdn.example.net"), AAAA, 20, &std::net::Ipv6Addr::LOCALHOST.octets()),
            // Nobody asked for this one.
            record(&name("bank.example"), A, 300, &[192, 0, 2, 66]),
        ],
    );
    let answer = answer(&packet);
    assert_eq!(answer.code, "NOERROR");
    let addresses: Vec<(String, u32)> =
        answer.addresses.iter().map(|(address, ttl)| (address.to_string(), *ttl)).collect();
    assert_eq!(addresses, [("192.0.2.1".to_owned(), 300), ("::1".to_owned(), 20)]);
    assert_eq!(answer.records, ["cdn.example.net"]);
}

#[test]
fn other_records_are_told_as_text() {
    let answer = answer(&reply("x.example", TXT, &[record(&ASKED, TXT, 60, b"\x05hello")]));
    assert_eq!(answer.records.len(), 1);
    assert!(answer.records.iter().all(|text| text.contains("hello")), "{:?}", answer.records);
    let long = [&[255][..], &[b'a'; 255], &[255], &[b'b'; 255], &[255], &[b'c'; 255]].concat();
    let answer = self::answer(&reply("x.example", TXT, &[record(&ASKED, TXT, 60, &long)]));
    assert!(answer.records.iter().all(|text| text.len() <= TEXT_MAX + '…'.len_utf8()));
}

#[test]
fn a_record_that_makes_no_sense_hides_no_other() {
    let packet =
        reply("a.example", A, &[record(&ASKED, A, 60, &[1, 2, 3]), record(&ASKED, A, 60, &[192, 0, 2, 1])]);
    assert_eq!(answer(&packet).addresses.len(), 1);
}

#[test]
fn what_was_cut_is_read_as_far_as_it_goes() {
    let records = [record(&ASKED, A, 60, &[192, 0, 2, 1]), record(&ASKED, A, 60, &[192, 0, 2, 2])];
    let packet = reply("a.example", A, &records);
    let cut = packet.get(..packet.len() - 3).expect("long enough");
    assert_eq!(answer(cut).addresses.len(), 1);
}

#[test]
fn a_refusal_has_its_code() {
    let packet = [header(0x8183, 0), question("no.example", A)].concat();
    assert_eq!(answer(&packet), Answer { code: "NXDOMAIN".to_owned(), ..Answer::default() });
}

#[test]
fn over_tcp_a_length_comes_first() {
    let message = [header(QUERY, 0), question("a.example", A)].concat();
    let length = u16::try_from(message.len()).expect("short").to_be_bytes();
    let framed = [&length[..], &message].concat();
    assert_eq!(read(&framed, true, false).len(), 1);
    assert_eq!(read(&[framed.clone(), framed.clone()].concat(), true, false).len(), 2, "two in one packet");
    assert_eq!(read(&message, true, false).len(), 1, "the length went before");
    assert!(read(&length, true, false).is_empty());
    assert!(read(&framed.repeat(50), true, false).len() <= PACKET_MAX);
}

#[test]
fn a_name_that_runs_in_a_circle_is_none() {
    for pointer in [[0xc0, 12], [0xc0, 14], [0xff, 0xff]] {
        let packet = [header(QUERY, 0), pointer.to_vec(), vec![0, 1, 0, 1]].concat();
        assert!(read(&packet, false, false).is_empty(), "{pointer:?}");
    }
    // Two that point at each other, behind a label each.
    let circle = [header(QUERY, 0), vec![1, b'a', 0xc0, 16, 1, b'b', 0xc0, 12, 0, 1, 0, 1]].concat();
    assert!(read(&circle, false, false).is_empty());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..1300),
        is_tcp in any::<bool>(),
        is_answer in any::<bool>(),
    ) {
        let _ = read(&bytes, is_tcp, is_answer);
    }

    /// Bytes that look like a message get further.
    #[test]
    fn no_message_makes_it_panic(
        counts in prop::array::uniform4(0..5_u16),
        tail in prop::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(0xc0), Just(12), any::<u8>()], 0..400),
        is_answer in any::<bool>(),
    ) {
        let flags = if is_answer { REPLY } else { QUERY };
        let mut packet: Vec<u8> = [7, flags].iter().flat_map(|word: &u16| word.to_be_bytes()).collect();
        packet.extend(counts.iter().flat_map(|word| word.to_be_bytes()));
        packet.extend(tail);
        for message in read(&packet, false, is_answer) {
            // 255 bytes in the wire form, of which each may take four as text.
            prop_assert!(message.name.len() <= 4 * 255);
            prop_assert!(message.answer.is_none_or(|answer| answer.addresses.len() <= RECORDS_MAX));
        }
    }

    #[test]
    fn cutting_or_turning_a_byte_does_no_harm(at in 0..80_usize, byte in any::<u8>(), length in 0..80_usize) {
        let records = [
            record(&ASKED, CNAME, 60, &name("b.example")),
            record(&name("b.example"), A, 60, &[192, 0, 2, 1]),
        ];
        let mut packet = reply("a.example", A, &records);
        if let Some(place) = packet.get_mut(at) {
            *place = byte;
        }
        packet.truncate(length);
        let _ = read(&packet, false, true);
    }
}

#[test]
fn fuzzed_packets_are_read_or_passed_over() {
    let seeds = [
        b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01".to_vec(),
        b"\x12\x34\x81\x80\0\x01\0\x02\0\0\0\0\x01a\0\0\x01\0\x01\xc0\x0c\0\x05\0\x01\0\0\0\x09\0\x03\x01b\0\x01b\0\0\x01\0\x01\0\0\0\x09\0\x04\x0a\0\0\x01"
            .to_vec(),
    ];
    crate::fuzz::run(&seeds, |bytes, dice| {
        for message in read(bytes, dice.roll(2) == 0, dice.roll(2) == 0) {
            assert!(message.name.is_ascii(), "{}", message.name);
        }
    });
}
