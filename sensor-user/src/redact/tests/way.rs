//! A secret in every text of an alert and of an event, and every way out: it is found nowhere.

use std::sync::Arc;
use std::time::Duration;

use crate::alert::{Action, Alert, Message, Participant, Step};
use crate::event::{Body, Event, FileAction, FileChange};
use crate::sink::document::{Document, EventDocument};
use crate::sink::form::Form;
use crate::sink::text::{self, View};
use crate::sink::{SinkSet, encode, json, sample};
use crate::state::process::{Executable, Process, Session, Written};

/// Known wherever it stands.
const SECRET: &str = "ghp_0123456789abcdefABCDEF0123456789abcd";

fn path() -> String {
    format!("/srv/{SECRET}/f")
}

fn process(of: &Process) -> Arc<Process> {
    let words: Vec<String> =
        ["curl", "-u", "bob:unguessable", "-H", "X-Api-Key: also unguessable", "-T", "/f"]
            .map(str::to_owned)
            .into_iter()
            .chain([format!("https://bob:unguessable@h/{SECRET}")])
            .collect();
    let written =
        Written { time: 1, by: of.key, image: path(), arguments: words.as_slice().into(), received: None };
    let executable = Executable {
        path: path(),
        invoked: Some(path() + "i"),
        applet: Some(path() + "a"),
        loaded: Some(path() + "l"),
        interpreter: Some(path()),
        upper_layer: true,
        written: Some(Arc::new(written)),
        ..Executable::default()
    };
    let session = Session {
        terminal: Some(path()),
        environment: vec!["GIT_SSH_COMMAND=sshpass -p unguessable ssh".to_owned(), format!("X={SECRET}")],
        ..Session::default()
    };
    let mut process = Process {
        executable,
        arguments: words.as_slice().into(),
        session,
        directory: Some(path()),
        comm: SECRET.to_owned(),
        ..of.clone()
    };
    process.command = crate::command::understand(["/usr/bin/curl"].into_iter(), &words);
    assert!(process.command.is_some(), "curl is known");
    Arc::new(process)
}

fn alert() -> Alert {
    let mut alert = sample::correlated();
    alert.process = process(&alert.process);
    alert.ancestors = alert.ancestors.iter().map(|ancestor| process(ancestor)).collect();
    let arguments = alert.process.arguments.clone();
    let place = alert.destinations().next().map(|(place, _)| place.clone());
    let mut place = place.unwrap_or_else(|| sample::connections().destination().unwrap().0.clone());
    place.name = Some(format!("{SECRET}.example").as_str().into());
    let actions = [
        Action::Executed { arguments: arguments.clone() },
        Action::Opened { path: path() },
        Action::Connected { place: place.clone(), direction: crate::event::Direction::Outbound },
        Action::Transferred { place: place.clone(), socket: 1, bytes_sent: 1, bytes_received: 1 },
        Action::Disconnected { place: place.clone(), bytes_sent: 1, bytes_received: 1 },
        Action::Failed { place, error: 1 },
        Action::Wrote { path: path(), bytes: None, size: None },
        Action::Renamed { from: path(), to: path() },
        Action::Linked { from: path(), to: path() },
        Action::Deleted { path: path() },
        Action::MadeExecutable { path: path() },
        Action::Read { path: path() },
        Action::Did { deed: "mount", object: path() },
    ];
    let step = |action| Step { offset: 0, pid: 1, program: SECRET.to_owned(), action };
    alert.steps = actions.map(step).to_vec();
    alert.story.participants =
        vec![Participant { pid: 1, parent: None, program: SECRET.to_owned(), arguments: arguments.clone() }];
    let group = vec![
        ("CommandLine".to_owned(), Some(arguments.line().to_owned())),
        ("Image".to_owned(), Some(path())),
    ];
    let mut found = alert.correlation.clone().unwrap();
    found.group = group;
    alert.story.evidence.iter_mut().for_each(|proof| {
        proof.rule = "another".to_owned();
        proof.correlation = Some(Box::new(found.clone()));
    });
    alert.correlation = Some(found);
    alert
}

fn ensure_clean(what: &str, text: &str) {
    assert!(text.contains("<redacted:"), "{what} has no mark: {text}");
    for secret in [SECRET, "unguessable"] {
        assert!(!text.contains(secret), "{what} has {secret}: {text}");
    }
}

fn view() -> View {
    View { width: 140, colour: false, zone: jiff::tz::TimeZone::UTC }
}

/// Every form, whole and cut.
fn each_form(message: &Message) {
    ensure_clean("text", &text::render(message, &view()));
    ensure_clean("document", &json::encode(&Document::new(message, &sample::origin())));
    let envelope = encode::encode(message, &sample::origin());
    for kept in [Some(&envelope.document), envelope.fitted.as_ref()].into_iter().flatten() {
        ensure_clean("kept", kept);
    }
    assert!(!envelope.header.contains(SECRET) && !envelope.header.contains("unguessable"));
    for form in [Form::Ecs, Form::Ocsf, Form::Cef, Form::Falco] {
        for room in [8_000, 100_000] {
            ensure_clean(form.name(), &form.render(&envelope, room));
        }
    }
}

#[tokio::test]
async fn no_sink_gets_a_secret() {
    let (set, mut inbox) = SinkSet::with_one_lane("stdout");
    set.deliver(&Arc::new(Message::Alert(Box::new(alert()))));
    let told = tokio::time::timeout(Duration::from_secs(10), inbox.queue.recv()).await.unwrap().unwrap();
    each_form(&told);
    let Message::Alert(told) = &*told else { panic!("it was an alert") };
    let document: serde_json::Value =
        serde_json::from_str(&json::encode(&Document::new(&Message::Alert(told.clone()), &sample::origin())))
            .unwrap();
    assert_eq!(document["tidewaiter"]["redacted"], told.redacted);
    let words: Vec<&str> = told.process.arguments.iter().collect();
    assert_eq!(document["process"]["args"].as_array().unwrap().len(), words.len());
    assert_eq!(document["process"]["args_count"], words.len());
    assert_eq!(document["process"]["command_line"], words.join(" "));
    // Equal texts are equal still.
    assert_eq!(document["tidewaiter"]["correlation"]["group"]["CommandLine"], words.join(" "));
}

/// What the test above would not notice: a text that was not filled.
#[test]
fn without_it_every_way_would_have_one() {
    let message = Message::Alert(Box::new(alert()));
    let document = json::encode(&Document::new(&message, &sample::origin()));
    for name in [
        "\"command_line\"",
        "\"args\"",
        "\"working_directory\"",
        "\"images\"",
        "\"transfer\"",
        "\"writer\"",
        "\"terminal\"",
        "\"interpreter\"",
        "\"group\"",
        "\"steps\"",
        "\"files\"",
        "\"lineage\"",
        "\"processes\"",
    ] {
        assert!(document.contains(name), "{name}: {document}");
    }
    assert!(document.matches(SECRET).count() > 40, "{document}");
}

#[test]
fn no_event_has_a_secret() {
    let origin = sample::origin();
    let event = sample::event();
    let change =
        FileChange { action: FileAction::Rename, path: path(), from: Some(path()), ..FileChange::default() };
    for body in [Body::ProcessCreation, Body::FileEvent(change)] {
        let ancestors = event.ancestors.iter().map(|ancestor| process(ancestor)).collect();
        let event = Event { process: process(&event.process), ancestors, body, ..event.clone() };
        let (told, count) = origin.redactor.event(&event).unwrap();
        let document = EventDocument::new(&told, told.date, 1, &origin).redacted(count);
        let line = json::encode(&document);
        ensure_clean("event", &line);
        assert!(line.contains(&format!("\"redacted\":{count}")), "{line}");
        ensure_clean("line", &text::event(&told, told.date, &view()));
    }
    assert!(origin.redactor.event(&event).is_none(), "an event without a secret is not copied");
}
