//! Bytes as the kernel half makes them, and bytes as nobody should.

use std::net::IpAddr;

use proptest::prelude::*;
use sensor_ebpf::wire::text::Text;
use sensor_ebpf::wire::{file, network, process};
use zerocopy::{FromBytes, FromZeros as _, Immutable, IntoBytes};

use super::*;

fn record<T: IntoBytes + FromBytes + Immutable>(kind: Kind, mut fixed: T, tail: &[u8]) -> Vec<u8> {
    let size = u32::try_from(size_of::<T>() + tail.len()).expect("fits");
    let mut header = Header::new_zeroed();
    (header.version, header.kind, header.size, header.time) = (VERSION, kind as u16, size, 7);
    fixed.as_mut_bytes()[..size_of::<Header>()].copy_from_slice(header.as_bytes());
    [fixed.as_bytes(), tail].concat()
}

fn text(size: usize, flags: u16) -> Text {
    Text { size: u16::try_from(size).expect("fits"), flags }
}

#[test]
fn an_exec_has_its_texts_in_order() {
    let mut exec = process::Exec::new_zeroed();
    let tail = b"curl\0bin\0usr\0/usr/bin/curl\0tmp\0abc\0docker\0curl\0-o\0\0x\0";
    exec.path = text(13, Text::COMPONENTS);
    exec.filename = text(14, 0);
    exec.directory = text(4, Text::COMPONENTS);
    exec.cgroup = text(11, Text::COMPONENTS);
    exec.arguments = text(11, 0);
    let decoded = decode(&record(Kind::ProcessExec, exec, tail)).expect("decodes");
    let Body::Exec(exec) = decoded.body else { panic!("an exec") };
    assert_eq!(exec.path, "/usr/bin/curl");
    assert_eq!(exec.filename, "/usr/bin/curl");
    assert_eq!(exec.interpreter, None);
    assert_eq!(exec.directory, "/tmp");
    assert_eq!(exec.cgroup, "/docker/abc");
    assert_eq!(exec.arguments, ["curl", "-o", "", "x"], "an empty argument is an argument");
    assert_eq!(decoded.time, 7);
}

#[test]
fn a_cut_path_says_so_and_the_root_is_a_slash() {
    let mut change = file::Change::new_zeroed();
    change.path = text(4, Text::COMPONENTS | Text::TRUNCATED);
    let decoded = decode(&record(Kind::FileWrite, change, b"x\0y\0")).expect("decodes");
    assert!(
        matches!(decoded.body, Body::File(FileAction::Write, FileChange { path, .. }) if path == "…/y/x")
    );
    change.path = text(0, Text::COMPONENTS);
    let decoded = decode(&record(Kind::FileWrite, change, b"")).expect("decodes");
    assert!(matches!(decoded.body, Body::File(FileAction::Write, FileChange { path, .. }) if path == "/"));
}

#[test]
fn mapped_addresses_are_ipv4() {
    let mut connect = network::Connect::new_zeroed();
    connect.address = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2];
    let decoded = decode(&record(Kind::NetworkConnect, connect, b"")).expect("decodes");
    assert!(
        matches!(decoded.body, Body::Connect(Connect { address: IpAddr::V4(ip), .. }) if ip.octets() == [10, 0, 0, 2])
    );
}

#[test]
fn bad_records_are_named() {
    let exit = record(Kind::ProcessExit, process::Exit::new_zeroed(), b"");
    assert_eq!(
        decode(&exit[..20]),
        Err(DecodeError::Short { what: "a header", have: 20, need: size_of::<Header>() })
    );
    let mut other = exit.clone();
    other[0] = 9;
    assert_eq!(decode(&other), Err(DecodeError::Version(9)));
    let mut other = exit.clone();
    other[2] = 255;
    assert!(matches!(decode(&other), Err(DecodeError::Kind(_))));
    let mut other = exit.clone();
    other[4..8].copy_from_slice(&u32::MAX.to_ne_bytes());
    assert!(matches!(decode(&other), Err(DecodeError::Size { .. })));
    let mut other = exit.clone();
    other.push(0);
    assert_eq!(decode(&other), decode(&exit), "room that was not needed is not looked at");
    let mut change = file::Change::new_zeroed();
    change.path = text(2, Text::COMPONENTS);
    assert_eq!(decode(&record(Kind::FileOpen, change, b"a\0rest")), Err(DecodeError::Trailing(4)));
    change.path = text(200, Text::COMPONENTS);
    assert!(matches!(decode(&record(Kind::FileOpen, change, b"a")), Err(DecodeError::Short { .. })));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(kind in prop::sample::select(&Kind::ALL[..]), body in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut bytes = body;
        if bytes.len() >= 8 {
            let size = u32::try_from(bytes.len()).expect("fits");
            bytes[..2].copy_from_slice(&VERSION.to_ne_bytes());
            bytes[2..4].copy_from_slice(&(kind as u16).to_ne_bytes());
            bytes[4..8].copy_from_slice(&size.to_ne_bytes());
        }
        let _ = decode(&bytes);
    }
}

#[test]
fn fuzzed_records_are_decoded_or_refused() {
    let mut exec = process::Exec::new_zeroed();
    exec.path = text(13, Text::COMPONENTS);
    exec.filename = text(14, 0);
    exec.arguments = text(11, 0);
    let tail = b"curl\0bin\0usr\0/usr/bin/curl\0curl\0-o\0\0x\0";
    let mut change = file::Change::new_zeroed();
    change.path = text(4, Text::COMPONENTS);
    let seeds = [
        record(Kind::ProcessExec, exec, tail),
        record(Kind::FileWrite, change, b"x\0y\0"),
        record(Kind::NetworkConnect, network::Connect::new_zeroed(), b""),
    ];
    crate::fuzz::run(&seeds, |bytes, dice| {
        let mut bytes = bytes.to_vec();
        // Most have a sound header, so that they get further than that.
        if let Some(head) = bytes.get_mut(..size_of::<Header>()).filter(|_| dice.roll(8) > 0) {
            let mut header = Header::read_from_bytes(head).unwrap();
            header.version = VERSION;
            header.kind = u16::try_from(dice.roll(64)).unwrap();
            head.copy_from_slice(header.as_bytes());
            let size = u32::try_from(bytes.len()).unwrap();
            header.size = size;
            bytes[..size_of::<Header>()].copy_from_slice(header.as_bytes());
        }
        if let Ok(record) = decode(&bytes) {
            assert_eq!(format!("{record:?}"), format!("{:?}", decode(&bytes).unwrap()));
        }
    });
}
