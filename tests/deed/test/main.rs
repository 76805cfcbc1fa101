//! The program `deed` is believed by the live tests, so here it is not: what it tells is compared with what a
//! server at the other end of the connection counted and what is in the files that it left.
//!
//! Each deed that takes no capability is done once. What this machine has no way for is printed with its reason.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that panics is a test that fails; clippy.toml excuses the test functions, not what they call, and a skipped deed is told"
)]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Output};
use std::thread;

use serde_json::Value;

/// The exit status of a deed that has no way here.
const MISSING: i32 = 77;

/// Times that a deed of many is repeated here: it must work, not last.
const COUNT: &str = "200";

/// What the server answers; the peer that `deed` makes itself answers another number of bytes.
const ANSWER: &[u8] = b"forty-one bytes that come from the server";

/// What the deeds on files fill them with before and after; and how long the files are at first.
const BEFORE: u8 = b'a';
const WRITTEN: u8 = b'b';
const SIZE: usize = 8192;

fn deed(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_deed")).args(words).output().expect("deed is built with its test")
}

fn pairs(list: &[&str]) -> Vec<(String, String)> {
    let output = deed(list);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("a list is text");
    let pair = |line: &str| line.split_once(' ').map(|(action, way)| (action.to_owned(), way.to_owned()));
    text.lines().map(|line| pair(line).unwrap_or_else(|| panic!("no pair: {line}"))).collect()
}

/// What a deed told; none, with the reason printed, where it has no way here.
fn told(words: &[&str]) -> Option<Value> {
    let output = deed(words);
    let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.code() == Some(MISSING) {
        assert!(complaint.starts_with("deed: ") && output.stdout.is_empty(), "{words:?}: {output:?}");
        println!("skipped {}: {complaint}", words.join(" "));
        return None;
    }
    assert!(output.status.success(), "{words:?} ended with {}: {complaint}", output.status);
    let line = String::from_utf8(output.stdout).expect("JSON is text");
    assert_eq!(line.lines().count(), 1, "{words:?} told {line}");
    let truth: Value = serde_json::from_str(&line).expect("one JSON object");
    assert_eq!((truth["action"].as_str(), truth["way"].as_str()), (Some(words[0]), Some(words[1])), "{line}");
    assert!(truth["pid"].as_u64().is_some_and(|pid| pid > 1), "{line}");
    Some(truth)
}

/// The deeds of one action that take no capability.
fn ways(action: &str) -> Vec<String> {
    let all = pairs(&["list", "unprivileged"]);
    let ways: Vec<_> = all.into_iter().filter(|(of, _)| of == action).map(|(_, way)| way).collect();
    assert!(!ways.is_empty(), "no way to {action}");
    ways
}

fn number(truth: &Value, name: &str) -> usize {
    let number = truth[name].as_u64().unwrap_or_else(|| panic!("no {name} in {truth}"));
    usize::try_from(number).expect("a count of bytes")
}

#[test]
fn every_deed_without_a_capability_is_done_or_has_no_way_here() {
    let others = ["transfer", "write"];
    for (action, way) in pairs(&["list", "unprivileged"]) {
        if !others.contains(&action.as_str()) {
            told(&[&action, &way, "--count", COUNT]);
        }
    }
}

#[test]
fn a_pair_is_listed_once_and_found_by_its_names_alone() {
    let all = pairs(&["list"]);
    let unique: BTreeSet<_> = all.iter().collect();
    assert_eq!(unique.len(), all.len());
    let unprivileged: BTreeSet<_> = pairs(&["list", "unprivileged"]).into_iter().collect();
    assert!(unprivileged.iter().all(|pair| unique.contains(pair)) && unprivileged.len() < all.len());

    // Another action's way, and one that is in no table.
    for words in [["exec", "io_uring_sqpoll"], ["connect", "carrier_pigeon"]] {
        let output = deed(&words);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("there is no deed"), "{output:?}");
    }
}

#[test]
fn a_deed_that_fails_says_so() {
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap();
    let output = deed(&["connect", "connect", "--to", &nobody.to_string()]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("refused"), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
}

/// A server for one connection: who connected, and how many bytes came.
fn serve() -> (SocketAddr, thread::JoinHandle<(SocketAddr, usize)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    let address = listener.local_addr().expect("its address");
    let server = thread::spawn(move || {
        let (mut stream, peer) = listener.accept().expect("a connection");
        let received = std::io::copy(&mut stream, &mut std::io::sink()).expect("a payload");
        stream.write_all(ANSWER).expect("an answer");
        (peer, usize::try_from(received).expect("a count of bytes"))
    });
    (address, server)
}

#[test]
fn the_other_end_of_a_transfer_counts_the_same_bytes() {
    const BYTES: &str = "300001";
    for way in ways("transfer") {
        let datagrams = way.starts_with("udp_");
        // Its own peer compares what arrived, byte by byte.
        let Some(own) = told(&["transfer", &way, "--bytes", BYTES]) else { continue };
        assert_eq!(number(&own, "bytes_sent").to_string(), BYTES, "{own}");
        if datagrams {
            continue;
        }
        let (address, server) = serve();
        let words = ["transfer", &way, "--bytes", BYTES, "--to", &address.to_string()];
        let truth = told(&words).unwrap_or_else(|| panic!("{way} was there before"));
        let (peer, received) = server.join().expect("the server's thread");
        assert_eq!(number(&truth, "bytes_sent"), received, "{truth}");
        assert_eq!(number(&truth, "bytes_received"), ANSWER.len(), "{truth}");
        assert_eq!(number(&truth, "port"), usize::from(address.port()), "{truth}");
        assert_eq!(number(&truth, "local_port"), usize::from(peer.port()), "{truth}");
    }
}

#[test]
fn a_changed_file_is_what_was_told() {
    for way in ways("write") {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_str().expect("a path in UTF-8");
        let Some(truth) = told(&["write", &way, "--dir", path]) else { continue };
        let content = std::fs::read(truth["path"].as_str().expect("a path")).unwrap();
        let (written, size) = (number(&truth, "bytes"), number(&truth, "size"));
        assert_eq!(content.len(), size, "{truth}");
        if way == "create_write" {
            assert_eq!(truth["made_by"], truth["pid"], "{truth}");
            continue;
        }
        assert_ne!(truth["made_by"], truth["pid"], "{truth}");
        let count = |byte: u8| content.iter().filter(|other| **other == byte).count();
        assert_eq!(count(WRITTEN), written, "{truth}");
        let kept = if way == "append" { SIZE } else { size.min(SIZE) - written };
        assert_eq!(count(BEFORE), kept, "{truth}");
        assert!(written > 0 || size != SIZE, "nothing changed: {truth}");
    }
}

#[test]
fn a_program_that_ran_had_the_marker_among_its_arguments() {
    for way in ways("exec") {
        let Some(truth) = told(&["exec", &way]) else { continue };
        let words = truth["argv"].as_array().expect("arguments");
        assert!(words.contains(&truth["marker"]), "{truth}");
        assert_ne!(truth["pid"], truth["parent"], "{truth}");
    }
}

#[test]
fn a_directory_of_its_own_is_gone_afterwards_and_one_that_was_told_stays() {
    let own = told(&["name", "rename"]).expect("every file system renames");
    let path = own["to"].as_str().expect("a path");
    assert!(!std::path::Path::new(path).exists(), "{path}");

    let directory = tempfile::tempdir().unwrap();
    let truth = told(&["name", "rename", "--dir", directory.path().to_str().unwrap()]).expect("the same");
    assert!(!std::path::Path::new(truth["path"].as_str().unwrap()).exists(), "{truth}");
    assert!(std::path::Path::new(truth["to"].as_str().unwrap()).exists(), "{truth}");
}
