//! Webhooks against a real nginx, started here on loopback with files of its own and stopped by its own pid. Runs without
//! root. Where nginx is not installed it says so and checks nothing.

mod nginx;
mod refusal;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use self::nginx::{Nginx, Request};
use crate::alert::{Loss, Message};
use crate::outbox::Opened;
use crate::sink::sample::{self, Log, PATIENCE, free_port, soon};
use crate::sink::{self, FileTarget, Form, SinkSet, Target, WebhookTarget};

/// Ids of the tests' alerts, counted up.
const FIRST_ID: u128 = 0x0193_2b9e_4c11_7abc_8def_0000_0000_0000;

pub(in crate::sink) fn numbered(sequence: u64) -> Arc<Message> {
    let mut alert = sample::alert();
    (alert.sequence, alert.id) = (sequence, id(sequence));
    Arc::new(Message::Alert(Box::new(alert)))
}

pub(in crate::sink) fn id(sequence: u64) -> Uuid {
    Uuid::from_u128(FIRST_ID + u128::from(sequence))
}

pub(in crate::sink) fn start(targets: &[Target]) -> SinkSet {
    let kept = Opened::in_memory(sink::kept(targets));
    SinkSet::start(targets, &Arc::new(sample::origin()), Some(kept)).unwrap()
}

fn webhook(entry: &str) -> Target {
    let target: Result<WebhookTarget, _> = serde_saphyr::from_str(entry);
    Target::Webhook(target.unwrap_or_else(|error| panic!("{entry}: {error}")))
}

fn refused(losses: &[Loss]) -> u64 {
    let refused = losses.iter().filter(|loss| loss.reason == "refused by its receiver");
    refused.map(|loss| loss.count).sum()
}

fn numbers(requests: &[Request]) -> Vec<u64> {
    requests.iter().flat_map(Request::documents).map(|document| sequence(&document)).collect()
}

fn sequence(document: &Value) -> u64 {
    document["event"]["sequence"].as_u64().unwrap_or_else(|| panic!("no number in {document}"))
}

#[tokio::test]
async fn each_message_is_a_post_of_its_own_over_one_connection() {
    let Some(nginx) = Nginx::start(free_port().await, "").await else { return };
    let set = start(&[webhook(&nginx.url("/hook"))]);
    (1..=5).for_each(|number| set.deliver(&numbered(number)));
    let requests = nginx.requests(5).await;
    assert_eq!(numbers(&requests), [1, 2, 3, 4, 5]);
    for (request, number) in requests.iter().zip(1..) {
        assert_eq!(request.content_type, "application/json");
        assert_eq!(request.key, format!("\"{}-{number}\"", id(number)));
        assert_eq!(request.connection, requests[0].connection, "another connection");
        assert_eq!((request.uri.as_str(), request.agent.starts_with("tidewaiter/")), ("/hook", true));
    }
    assert_eq!(soon("the flush", set.flush(PATIENCE)).await, []);
}

#[tokio::test]
async fn several_are_lines_where_that_is_wanted() {
    let Some(nginx) = Nginx::start(free_port().await, "").await else { return };
    let set = start(&[webhook(&format!("{{url: \"{}\", batch: 8}}", nginx.url("/")))]);
    (1..=40).for_each(|number| set.deliver(&numbered(number)));
    let requests = nginx.documents(40).await;
    assert_eq!(numbers(&requests), (1..=40).collect::<Vec<_>>());
    assert!(requests.len() < 20 && requests.iter().all(|request| request.documents().len() <= 8));
    assert!(requests.iter().all(|request| request.content_type == "application/x-ndjson"));
    let last = requests.iter().find(|request| request.documents().len() > 1).unwrap();
    let documents = last.documents();
    let (first, end) = (sequence(&documents[0]), sequence(documents.last().unwrap()));
    assert_eq!(last.key, format!("\"{}-{first}-{end}\"", id(first)));
    assert_eq!(soon("the flush", set.flush(PATIENCE)).await, []);
}

#[tokio::test]
async fn falcos_form_is_one_document_too() {
    let Some(nginx) = Nginx::start(free_port().await, "").await else { return };
    let set = start(&[webhook(&format!("{{url: \"{}\", format: falco}}", nginx.url("/")))]);
    assert!(set.outstanding()[0].name.ends_with(" as falco"));
    set.deliver(&numbered(1));
    let requests = nginx.requests(1).await;
    assert_eq!(requests[0].documents()[0]["uuid"], id(1).to_string());
    assert_eq!(soon("the flush", set.flush(PATIENCE)).await, []);
}

#[tokio::test]
async fn a_receiver_that_comes_late_and_dies_gets_everything() {
    let port = free_port().await;
    let (log, _guard) = Log::start();
    let set = start(&[webhook(&format!("http://127.0.0.1:{port}"))]);
    set.deliver(&numbered(1));
    soon("a refusal", log.holds("is away: Connection refused")).await;
    let Some(first) = Nginx::start(port, "").await else { return };
    assert_eq!(numbers(&first.requests(1).await), [1]);
    soon("the news", log.holds("is back after")).await;
    drop(first);
    set.deliver(&numbered(2));
    set.deliver(&numbered(3));
    soon("another", async {
        while log.count("is away") < 2 {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let Some(second) = Nginx::start(port, "").await else { return };
    assert_eq!(numbers(&second.requests(2).await), [2, 3]);
    assert_eq!(soon("the flush", set.flush(PATIENCE)).await, []);
    assert_eq!((log.count("is away"), log.count("is back after")), (2, 2), "{log:?}");
}

/// A connection that the receiver closes while nothing is sent says nothing about it.
#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_no_outage() {
    let Some(nginx) = Nginx::start(free_port().await, "keepalive_requests 1;").await else { return };
    let (log, _guard) = Log::start();
    let set = start(&[webhook(&nginx.url("/"))]);
    for number in 1..=4 {
        set.deliver(&numbered(number));
        nginx.requests(usize::try_from(number).unwrap()).await;
    }
    assert_eq!(soon("the flush", set.flush(PATIENCE)).await, []);
    assert_eq!(log.count("away"), 0, "{log:?}");
}

/// It takes a connection and a request, and never answers: whoever else there is has everything all the same.
#[tokio::test]
async fn one_that_never_answers_slows_nobody() {
    const MESSAGES: u64 = 200;
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts.jsonl");
    let file = Target::File(FileTarget { path: path.clone(), mebibytes: 10, keep: 1, form: Form::Ecs });
    let set = start(&[webhook(&format!("http://{}", silent.local_addr().unwrap())), file]);
    let begun = Instant::now();
    (1..=MESSAGES).for_each(|number| set.deliver(&numbered(number)));
    soon("every line", async {
        while set.outstanding()[1].outstanding > 0 || set.outstanding()[0].outstanding < MESSAGES {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 200);
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "the file waited for the webhook: {:?}",
        begun.elapsed()
    );
    let left = soon("the flush", set.flush(Duration::from_millis(300))).await;
    let left: u64 = left.iter().filter(|loss| loss.what.starts_with("webhook")).map(|loss| loss.count).sum();
    assert_eq!(left, MESSAGES, "what is in memory only is counted at the end");
}
