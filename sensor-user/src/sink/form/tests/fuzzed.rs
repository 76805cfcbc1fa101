//! Random texts through the encoders, and random documents through the forms.

use super::*;
use crate::alert::Alert;
use crate::octet;
use crate::sink::syslog::{Facility, frame};

const FORMS: [Form; 4] = [Form::Ecs, Form::Ocsf, Form::Cef, Form::Falco];

/// What every line must be, whoever made it.
fn check(form: Form, line: &str) {
    assert!(!line.chars().any(is_unsafe), "{form:?}: {line}");
    match form {
        Form::Ecs | Form::Ocsf | Form::Falco => {
            assert!(serde_json::from_str::<Value>(line).unwrap().is_object());
        }
        Form::Cef => assert!(line.starts_with("CEF:0|Tidewaiter|tidewaiter|")),
    }
}

/// Small, so that millions of cases go into texts and not into what stands beside them.
fn alert() -> Alert {
    let mut alert = sample::alert();
    alert.ancestors.truncate(1);
    alert.steps.clear();
    alert.detection.response.clear();
    alert.detection.false_positives.clear();
    alert
}

/// The text wherever a stranger chooses one.
fn about(text: &str) -> Message {
    let mut alert = alert();
    alert.user = Some(text.into());
    text.clone_into(&mut alert.detection.title);
    let process = std::sync::Arc::make_mut(&mut alert.process);
    process.arguments = vec![text.to_owned(), text.to_owned()].into();
    text.clone_into(&mut process.executable.path);
    let mut container = sample::container();
    container.name = Some(text.to_owned());
    alert.container = Some(std::sync::Arc::new(container));
    Message::Alert(Box::new(alert))
}

/// Each case in one of the forms: as a frame of syslog, or, one in four, in the least room there is.
#[test]
fn fuzzed_texts_stay_in_their_records() {
    let seeds =
        [b"<34>1 - \"]\\ |=\n\r\x1b\xe2\x80\xae".to_vec(), b"\xff\xed\xa0\x80\xee\xbe\x80 a=b".to_vec()];
    let target = "tcp://h:1".parse().unwrap();
    crate::fuzz::run(&seeds, |bytes, dice| {
        let text = octet::text(bytes);
        assert_eq!(octet::bytes(&text), bytes);
        let envelope = envelope(&about(&text));
        let form = FORMS[dice.roll(FORMS.len())];
        if dice.roll(4) == 0 {
            let line = form.render(&envelope, ROOM_MIN);
            assert!(form == Form::Ecs || line.len() <= ROOM_MIN, "{form:?} {}", line.len());
            check(form, &line);
        } else {
            let frame = frame(&envelope, &target, Facility::Authpriv, form);
            assert!(frame.len() <= crate::sink::syslog::FRAME_MAX + 5);
            assert!(!frame.iter().any(u8::is_ascii_control), "{frame:?}");
        }
        if form == Form::Ecs {
            let document: Value = serde_json::from_str(&envelope.document).unwrap();
            assert_eq!(octet::bytes(document["process"]["args"][1].as_str().unwrap()), bytes);
        }
    });
}

/// The disk may give back anything under a sound checksum.
#[test]
fn fuzzed_documents_have_a_form_all_the_same() {
    let seeds: Vec<Vec<u8>> = [sample::message(), sample::heartbeat(), sample::coverage()]
        .map(|message| envelope(&message).document.into_bytes())
        .into();
    let base = envelope(&sample::message());
    crate::fuzz::run(&seeds, |bytes, dice| {
        let document = String::from_utf8_lossy(bytes).into_owned();
        let kept = Envelope { document, ..base.clone() };
        let form = [Form::Ocsf, Form::Cef][dice.roll(2)];
        let line = form.render(&kept, usize::MAX);
        assert!(!line.chars().any(is_unsafe), "{form:?}: {line}");
    });
}
