//! Both ends of the socket, one against the other.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Instant;

use super::*;
use crate::control::client::{self, ClientError, Rows};
use crate::control::protocol::TEXT_MAX;
use crate::pipeline::{Named, RuleStat};
use crate::sink::sample;
use crate::state::container::Present;
use crate::state::flow::{Bytes, Direction, End, FlowState, OpenConnection, Part};
use crate::state::process::{Process, ProcessKey, Resident};

const SECOND: u64 = 1_000_000_000;

fn resident(pid: u32, parent: u32, container: Option<&str>) -> Resident {
    let key = |pid: u32| ProcessKey { pid, start_time: u64::from(pid) * SECOND };
    let process = Process {
        key: key(pid),
        parent: Some(key(parent)),
        container: container.map(Arc::from),
        // No such namespace: nobody's passwd is read.
        mnt_ns: 0,
        ..(*secretive()).clone()
    };
    Resident::Whole(Arc::new(process))
}

/// Its command line has a secret.
fn secretive() -> Arc<Process> {
    let words = ["curl", "--oauth2-bearer", "unguessable", "http://10.0.0.2/payload"].map(str::to_owned);
    Arc::new(Process { arguments: words.as_slice().into(), ..(*sample::event().process).clone() })
}

fn connection(pid: u32) -> Named {
    let process = ProcessKey { pid, start_time: u64::from(pid) * SECOND };
    let end = End { number: 6, address: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 80 };
    let bytes = Bytes { sent: 1, received: 2 };
    let news = bytes;
    let (direction, state) = (Direction::Outbound, FlowState::Open);
    let part = Part { process, socket: 1, end, direction, connected: true, bytes, news, state };
    Named { connection: OpenConnection { part, since: SECOND }, hostname: Some(Arc::from("a.example")) }
}

fn stats() -> RuleStats {
    let rule = RuleStat {
        id: "id".to_owned(),
        title: "dear".to_owned(),
        level: sigma::Level::High,
        name: "dear_rule".to_owned(),
        is_correlation: false,
        cost: sigma::Cost { runs: 640, matches: 3, suppressed: 1, time: 64_000, sampled: 10 },
    };
    let correlations = sigma::Stats { groups: 2, late: 1, ..sigma::Stats::default() };
    RuleStats { time: 30 * SECOND, rules: vec![rule], correlations, ..RuleStats::default() }
}

fn suppressed() -> SuppressedMatch {
    SuppressedMatch {
        time: 29 * SECOND,
        rule: "dear".to_owned(),
        rule_id: "id".to_owned(),
        filter: "quiet".to_owned(),
        filter_source: "quiet.yml".to_owned(),
        category: crate::event::field::Category::ProcessCreation,
        process: secretive(),
        container: Some(Arc::new(sample::container())),
    }
}

/// An agent with a container of two processes and `host` processes besides, the first of which has a
/// connection.
struct Fixture {
    _directory: tempfile::TempDir,
    path: PathBuf,
    server: Server,
}

impl Fixture {
    fn start(host: u32) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run/agent.sock");
        let (sender, mut asks) = mpsc::channel(ASKS_MAX);
        let server = Server::start(&path, Arc::new(sample::origin()), sender).unwrap();
        tokio::spawn(async move {
            while let Some(ask) = asks.recv().await {
                let ask = match ask {
                    Ask::Picture(ask) => ask,
                    Ask::Rules(ask) => {
                        let _ = ask.send(stats());
                        continue;
                    }
                    Ask::Suppressed(ask) => {
                        let _ = ask.send((30 * SECOND, vec![suppressed()]));
                        continue;
                    }
                    Ask::Snapshot(ask) => {
                        let _ = ask.send(Box::new(sample::snapshot()));
                        continue;
                    }
                };
                let container = sample::container();
                let id = Some(container.id.as_str());
                let inside = [resident(10, 1, id), resident(11, 10, id)];
                let outside = (0..host).map(|number| resident(100 + number, 1, None));
                let picture = Picture {
                    time: 20 * SECOND,
                    containers: vec![Present {
                        container: Arc::new(container.clone()),
                        outer: vec![Arc::from("outer")],
                        began: None,
                    }],
                    processes: inside.into_iter().chain(outside).collect(),
                    connections: vec![connection(11), connection(100)],
                    connections_omitted: 7,
                };
                // The asker may have gone.
                let _ = ask.send(picture);
            }
        });
        Self { _directory: directory, path, server }
    }

    async fn ask(&self, is_host_wanted: bool) -> Result<Rows, ClientError> {
        self.ask_about(About::Picture { is_host_wanted }).await
    }

    async fn ask_about(&self, about: About) -> Result<Rows, ClientError> {
        let path = self.path.clone();
        tokio::task::spawn_blocking(move || client::ask(&path, about)).await.unwrap()
    }

    /// Sends a line and returns what comes until the agent hangs up.
    async fn say(&self, line: &[u8]) -> String {
        let (path, line) = (self.path.clone(), line.to_owned());
        tokio::task::spawn_blocking(move || {
            let mut stream = BlockingStream::connect(path).unwrap();
            stream.write_all(&line).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        })
        .await
        .unwrap()
    }
}

#[tokio::test]
async fn the_picture_arrives_and_the_host_is_counted() {
    let fixture = Fixture::start(50);
    let rows = fixture.ask(false).await.unwrap();
    let pids: Vec<u32> = rows.processes.iter().map(|process| process.pid).collect();
    assert_eq!(pids, [10, 11, 100], "and who has a connection");
    let parents: Vec<_> = rows.processes.iter().map(|process| process.parent).collect();
    assert_eq!(parents, [None, Some(10), None], "who lives is a parent");
    assert_eq!(rows.containers[0].name.as_deref(), Some("web-1"));
    assert_eq!((rows.containers[0].is_verified, &*rows.containers[0].outer[0]), (Some(true), "outer"));
    assert_eq!(rows.connections[0].hostname.as_deref(), Some("a.example"));
    let end = rows.end;
    assert_eq!((end.processes, end.host_processes, end.omitted_processes), (52, 50, 49));
    assert_eq!((end.connections, end.omitted_connections), (9, 7));
    assert_eq!(fixture.ask(true).await.unwrap().processes.len(), 52);
    let path = fixture.path.clone();
    drop(fixture.server);
    assert!(!path.exists());
}

#[tokio::test]
async fn no_answer_has_a_secret() {
    let fixture = Fixture::start(3);
    let picture = About::Picture { is_host_wanted: true };
    for (about, count) in [(picture, 5), (About::Suppressed, 1)] {
        let told = format!("{:?}", fixture.ask_about(about).await.unwrap());
        assert_eq!(told.matches("--oauth2-bearer <redacted:option:").count(), count, "{told}");
        assert!(!told.contains("unguessable"), "{told}");
    }
}

#[tokio::test]
async fn what_rules_did_and_what_filters_kept_back_arrive() {
    let fixture = Fixture::start(0);
    let rows = fixture.ask_about(About::Rules).await.unwrap();
    let [rule] = rows.rules.as_slice() else { panic!("{:?}", rows.rules) };
    assert_eq!((rule.title.as_str(), rule.level.as_str(), rule.runs), ("dear", "high", 640));
    assert_eq!((rule.matches, rule.suppressed, rule.mean), (3, 1, Some(100)));
    assert_eq!((rows.shared.groups, rows.shared.late, rows.head.now), (2, 1, 30 * SECOND));
    assert!(rows.processes.is_empty());

    let rows = fixture.ask_about(About::Suppressed).await.unwrap();
    let [found] = rows.suppressed.as_slice() else { panic!("{:?}", rows.suppressed) };
    assert_eq!((found.rule.as_str(), found.filter.as_str(), found.pid), ("dear", "quiet", 4242));
    assert_eq!((found.category.as_str(), found.time), ("process_creation", 29 * SECOND));
    assert_eq!(found.container_name.as_deref(), Some("web-1"));
}

#[tokio::test]
async fn thirty_thousand_processes_arrive() {
    let fixture = Fixture::start(30_000);
    let began = Instant::now();
    let rows = fixture.ask(true).await.unwrap();
    assert_eq!(rows.processes.len(), 30_002);
    println!("{:?}", began.elapsed());
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_a_reason() {
    let fixture = Fixture::start(0);
    for (line, reason) in [
        (b"GET / HTTP/1.1\r\n".as_slice(), "makes no sense"),
        (b"\xff\n", "makes no sense"),
        (b"{\"version\":1,\"is_host_wanted\":true}\n", "speaks version 3, not 1"),
        (b"{\"version\":3,\"about\":\"everything\"}\n", "makes no sense"),
        (format!("{}\n", "x".repeat(REQUEST_MAX - 1)).as_bytes(), "makes no sense"),
    ] {
        let answer = fixture.say(line).await;
        assert!(answer.contains("refusal") && answer.contains(reason), "{answer}");
    }
}

#[test]
fn fuzzed_requests_are_understood_or_refused() {
    let abouts = [
        About::Picture { is_host_wanted: true },
        About::Picture { is_host_wanted: false },
        About::Rules,
        About::Suppressed,
        About::Status,
    ];
    let seeds = abouts.map(|about| serde_json::to_vec(&Request { version: VERSION, about }).unwrap());
    crate::fuzz::run(&seeds, |bytes, _| match understand(bytes) {
        Ok(request) => assert_eq!(request.version, VERSION),
        Err(reason) => assert!(!reason.is_empty()),
    });
}

#[tokio::test]
async fn clients_that_say_nothing_keep_nobody_waiting_for_long() {
    let fixture = Fixture::start(0);
    let silent: Vec<_> = (0..CLIENTS_MAX).map(|_| BlockingStream::connect(&fixture.path).unwrap()).collect();
    let began = Instant::now();
    fixture.ask(false).await.unwrap();
    assert!(began.elapsed() < 3 * ASK_MAX, "{:?}", began.elapsed());
    drop(silent);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_given_up() {
    let fixture = Fixture::start(3_000);
    let mut deaf: Vec<_> =
        (0..CLIENTS_MAX).map(|_| BlockingStream::connect(&fixture.path).unwrap()).collect();
    for client in &mut deaf {
        client.write_all(b"{\"version\":3,\"about\":\"picture\",\"is_host_wanted\":true}\n").unwrap();
    }
    let began = Instant::now();
    let rows = fixture.ask(false).await.unwrap();
    assert_eq!(rows.end.processes, 3_002);
    assert!(began.elapsed() >= STALL_MAX, "all places were taken");
    drop(deaf);
}

#[tokio::test]
async fn a_text_is_cut_and_its_line_stays_below_the_bound() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run/agent.sock");
    let (sender, mut asks) = mpsc::channel(ASKS_MAX);
    let _server = Server::start(&path, Arc::new(sample::origin()), sender).unwrap();
    tokio::spawn(async move {
        let process = sample::hostile().process;
        let long = Process {
            directory: None,
            arguments: vec!["\u{1}".repeat(1 << 20)].into(),
            ..(*process).clone()
        };
        let picture = Picture { processes: vec![Resident::Whole(Arc::new(long))], ..Picture::default() };
        let Ask::Picture(ask) = asks.recv().await.unwrap() else { panic!("it was asked for a picture") };
        ask.send(picture).unwrap();
    });
    let rows =
        tokio::task::spawn_blocking(move || client::ask(&path, About::Picture { is_host_wanted: true }))
            .await
            .unwrap()
            .unwrap();
    assert!(rows.processes[0].command_line.len() <= TEXT_MAX);
    assert!(rows.processes[0].command_line.ends_with('…'));
}
