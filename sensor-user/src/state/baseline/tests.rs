//! What is learned is what is normal, and a file says no more than it may.

use std::sync::Arc;

use super::*;
use crate::event::Body;
use crate::event::field::TABLE;
use crate::event::{Flow, FlowState, Protocol};
use crate::sink::sample;
use crate::state::container::Confirmation;
use crate::state::process::Executable;

fn connection(name: Option<&str>, address: &str, port: u16) -> Connection {
    Connection {
        socket: 1,
        protocol: Protocol::Tcp,
        address: address.parse().unwrap(),
        port,
        hostname: name.map(Into::into),
        direction: Direction::Outbound,
        connected: true,
    }
}

fn flow(destination: Connection, sent: u64) -> Body {
    Body::NetworkFlow(Flow {
        connection: destination,
        bytes_sent: sent,
        bytes_received: 0,
        bytes_sent_new: sent,
        bytes_received_new: 0,
        state: FlowState::Open,
    })
}

fn event(container: Container, path: &str, body: Body) -> Event {
    let mut event = sample::event();
    let mut process = (*event.process).clone();
    process.executable = Executable { path: path.to_owned(), ..Executable::default() };
    event.process = Arc::new(process);
    Event { container: Some(Arc::new(container)), body, ..event }
}

fn web() -> Container {
    Container { image: Some("docker.io/shop/web:1.4".to_owned()), ..sample::container() }
}

/// What the three fields say: executable, destination, volume.
fn novelty(event: &Event) -> [Option<bool>; 3] {
    use sigma::{FieldId, Presence, Record as _, Value};
    ["ExeNewForImage", "DestinationNewForImage", "VolumeNewForImage"].map(|name| {
        let (field, ..) = TABLE.iter().find(|(_, known, ..)| *known == name).unwrap();
        let mut found = None;
        let presence = event.visit(FieldId(*field as u16), &mut |value| {
            if let Value::Bool(fact) = value {
                found = Some(fact);
            }
        });
        assert_eq!(presence == Presence::Present, found.is_some());
        found
    })
}

#[test]
fn an_image_is_its_name_without_tag_and_digest() {
    for (reference, name) in [
        ("shop/web:1.4", "shop/web"),
        ("docker.io/library/nginx:1.25@sha256:ab", "nginx"),
        ("docker.io/shop/web", "shop/web"),
        ("localhost:5000/web", "localhost:5000/web"),
        ("localhost:5000/web:2", "localhost:5000/web"),
        ("sha256:abcd", "sha256:abcd"),
        ("nginx", "nginx"),
    ] {
        assert_eq!(bare(reference), name, "{reference}");
    }
    let asked =
        Container { image: None, image_id: None, confirmation: Confirmation::Asked, ..sample::container() };
    assert_eq!(image_of(&asked), Image::Pending);
    let known = Container { confirmation: Confirmation::Known, ..asked };
    assert_eq!(image_of(&known), Image::None);
    let by_id = Container { image_id: Some("sha256:1".to_owned()), ..known };
    assert_eq!(image_of(&by_id), Image::Known("sha256:1"));
}

#[test]
fn what_was_learned_is_not_new_and_all_else_is() {
    let mut learner = Learner::new();
    let mut sent = event(web(), "/usr/sbin/nginx", flow(connection(Some("db"), "10.0.0.2", 5432), 100));
    sent.sent_in_hour = Some(2 << 20);
    learner.observe(&sent);
    learner.observe(&event(web(), "/bin/sh", Body::NetworkConnection(connection(None, "fd00::1", 53))));
    learner.observe(&event(web(), "/bin/sh", Body::NetworkConnection(connection(None, "127.0.0.1", 9))));
    learner.observe(&event(web(), "/bin/sh", Body::NetworkConnection(connection(None, "10.0.0.3", 0))));
    let baseline = Arc::new(learner.finish(3600));
    let normal = baseline.normal("shop/web").unwrap();
    assert_eq!(normal.containers, 1);
    assert_eq!(normal.destinations.keys().collect::<Vec<_>>(), ["[fd00::1]:53", "db:5432"]);

    let later = |path, body| {
        let container = Container { image: Some("shop/web:1.5".to_owned()), ..sample::container() };
        Event { baseline: Some(Arc::clone(&baseline)), ..event(container, path, body) }
    };
    assert_eq!(novelty(&later("/bin/sh", Body::ProcessCreation)), [Some(false), None, None]);
    assert_eq!(novelty(&later("/tmp/x", Body::ProcessCreation)), [Some(true), None, None]);
    let mut known = later("/bin/sh", flow(connection(Some("db"), "10.0.0.9", 5432), 1));
    assert_eq!(novelty(&known), [Some(false), Some(false), None]);
    for (bytes, is_new) in [(4 << 20, false), ((4 << 20) + 1, true)] {
        known.sent_in_hour = Some(bytes);
        assert_eq!(novelty(&known), [Some(false), Some(false), Some(is_new)]);
    }
    let other = later("/bin/sh", Body::NetworkConnection(connection(None, "203.0.113.7", 443)));
    assert_eq!(novelty(&other), [Some(false), Some(true), None]);
    // Its own loopback, an image nobody knows, the host.
    let inside = later("/bin/sh", Body::NetworkConnection(connection(None, "127.0.0.1", 443)));
    assert_eq!(novelty(&inside), [Some(false), None, None]);
    let foreign = Container { image: Some("other".to_owned()), ..sample::container() };
    assert_eq!(novelty(&Event { container: Some(Arc::new(foreign)), ..other.clone() }), [None; 3]);
    assert_eq!(novelty(&Event { container: None, ..other }), [None; 3]);
}

#[test]
fn what_a_container_did_before_its_name_came_is_its_images() {
    let asked = Container { image: None, image_id: None, confirmation: Confirmation::Asked, ..web() };
    let mut learner = Learner::new();
    learner.observe(&event(asked, "/bin/first", Body::ProcessCreation));
    assert_eq!(learner.progress(), (0, 0, 0, 1));
    learner.settle(|_| Some(Arc::new(web())));
    assert_eq!(learner.progress(), (1, 1, 0, 0));
    let baseline = learner.finish(1);
    assert!(baseline.normal("shop/web").unwrap().executables.contains("/bin/first"));
}

#[test]
fn a_short_time_is_taken_for_its_share_of_an_hour() {
    let mut baseline = Baseline { learned_seconds: 600, ..Baseline::new() };
    baseline.entry("a").unwrap().note_sent("d:1".to_owned(), 1 << 20);
    let normal = baseline.normal("a").unwrap();
    assert_eq!(baseline.volume_max(normal, "d:1"), Some(12 << 20));
    assert_eq!(baseline.volume_max(normal, "e:1"), None);
}

#[test]
fn lists_are_bounded_and_a_partial_list_judges_nobody() {
    let mut normal = Normal::default();
    for number in 0..=EXECUTABLES_MAX {
        normal.note_executable(&format!("/{number}"));
    }
    assert_eq!((normal.executables.len(), normal.executables_omitted), (EXECUTABLES_MAX, 1));
    let executable = |path: &str| Executable { path: path.to_owned(), ..Executable::default() };
    assert_eq!(normal.is_new_executable(&executable("/7")), Some(false));
    assert_eq!(normal.is_new_executable(&executable("/none")), None);
    let mut baseline = Baseline::new();
    for number in 0..=IMAGES_MAX {
        baseline.entry(&number.to_string());
    }
    assert_eq!((baseline.images.len(), baseline.images_omitted), (IMAGES_MAX, 1));
}

#[test]
fn the_file_is_read_back_and_joined() {
    let mut one = Baseline { learned_seconds: 60, ..Baseline::new() };
    one.entry("a").unwrap().note_sent("d:1".to_owned(), 5);
    one.entry("a").unwrap().note_executable("/bin/a");
    assert_eq!(Baseline::parse(&one.text()).unwrap(), one);
    let mut two = Baseline { learned_seconds: 40, ..Baseline::new() };
    two.entry("a").unwrap().note_sent("d:1".to_owned(), 9);
    two.entry("b").unwrap().note_executable("/bin/b");
    one.merge(two);
    assert_eq!(one.learned_seconds, 100);
    assert_eq!(one.normal("a").unwrap().destinations["d:1"], 9);
    assert!(one.normal("b").is_some());
}

#[test]
fn what_is_no_baseline_is_refused_with_its_place() {
    let file = |images: &str| {
        format!("{{\n  \"tidewaiter_baseline\": 1,\n  \"learned_seconds\": 1,\n  \"images\": {images}\n}}\n")
    };
    assert!(Baseline::parse(&file("{\"a\": {\"executables\": [\"/bin/a\"]}}")).is_ok());
    for (text, line, reason) in [
        (String::new(), 1, "EOF"),
        ("{\n\"tidewaiter_baseline\": 2, \"learned_seconds\": 1, \"images\": {}}".to_owned(), 2, "version 2"),
        (file("{\"a\": {}, \"a\": {}}"), 4, "`a` stands here twice"),
        (file("{\"a\": {\"binaries\": []}}"), 4, "unknown field `binaries`"),
        (file("{\n\"a\": {\n\"executables\": [\"sh\"]}}"), 6, "`sh` is no path"),
        (file("{\"a\": {\"destinations\": {\n\"db\": 1}}}"), 5, "`db` is no destination"),
        (file("{\"a\": {\"destinations\": {\n\"db:0\": 1}}}"), 5, "write host:port"),
        (file("{\"a\": {\"destinations\": {\n\"db:1\": -1}}}"), 5, "invalid value"),
    ] {
        let error = Baseline::parse(&text).expect_err(&text);
        assert!(error.reason.contains(reason), "{error}: {text}");
        assert_eq!(error.line, line, "{error}: {text}");
    }
}

#[test]
fn fuzzed_files_are_a_baseline_or_refused() {
    let mut baseline = Baseline { learned_seconds: 600, ..Baseline::new() };
    let normal = baseline.entry("shop/web").unwrap();
    normal.executables.insert("/bin/curl".to_owned());
    normal.note_sent("db.internal:5432".to_owned(), 1 << 20);
    let seeds = [baseline.text().into_bytes()];
    crate::fuzz::run(&seeds, |bytes, _| match Baseline::parse(&crate::octet::text(bytes)) {
        Ok(read) => assert_eq!(Baseline::parse(&read.text()).ok(), Some(read)),
        Err(Malformed { line, column, reason }) => assert!(line > 0 && column > 0 && !reason.is_empty()),
    });
}
