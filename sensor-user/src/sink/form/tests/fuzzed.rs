//! Random texts through the encoders, and random documents through the forms.

use super::*;
use crate::octet;
use crate::sink::syslog::{Facility, frame};

/// What every line must be, whoever made it.
fn check(envelope: &Envelope) {
    for form in [Form::Ecs, Form::Ocsf, Form::Cef, Form::Falco] {
        let line = form.render(envelope, ROOM_MIN);
        assert!(form == Form::Ecs || line.len() <= ROOM_MIN, "{form:?} {}", line.len());
        assert!(!line.chars().any(is_unsafe), "{form:?}: {line}");
        match form {
            Form::Ecs | Form::Ocsf | Form::Falco => {
                assert!(serde_json::from_str::<Value>(&line).unwrap().is_object());
            }
            Form::Cef => assert!(line.starts_with("CEF:0|Tidewaiter|tidewaiter|")),
        }
    }
}

#[test]
fn fuzzed_texts_stay_in_their_records() {
    let seeds =
        [b"<34>1 - \"]\\ |=\n\r\x1b\xe2\x80\xae".to_vec(), b"\xff\xed\xa0\x80\xee\xbe\x80 a=b".to_vec()];
    let target = "tcp://h:1".parse().unwrap();
    crate::fuzz::run(&seeds, |bytes, _| {
        let text = octet::text(bytes);
        assert_eq!(octet::bytes(&text), bytes);
        let mut alert = sample::alert();
        alert.user = Some(text.as_str().into());
        alert.detection.title.clone_from(&text);
        let process = std::sync::Arc::make_mut(&mut alert.process);
        process.arguments = vec![text.clone(), text.clone()].into();
        process.executable.path.clone_from(&text);
        let mut container = sample::container();
        container.name = Some(text.clone());
        alert.container = Some(std::sync::Arc::new(container));
        let envelope = envelope(&Message::Alert(Box::new(alert)));
        check(&envelope);
        for form in [Form::Ecs, Form::Ocsf, Form::Cef, Form::Falco] {
            let frame = frame(&envelope, &target, Facility::Authpriv, form);
            assert!(frame.len() <= crate::sink::syslog::FRAME_MAX + 5);
            assert!(!frame.iter().any(u8::is_ascii_control), "{frame:?}");
        }
        let document: Value = serde_json::from_str(&envelope.document).unwrap();
        assert_eq!(octet::bytes(document["process"]["args"][1].as_str().unwrap()), bytes);
    });
}

/// The disk may give back anything under a sound checksum.
#[test]
fn fuzzed_documents_have_a_form_all_the_same() {
    let seeds: Vec<Vec<u8>> = [sample::message(), sample::heartbeat(), sample::coverage()]
        .map(|message| envelope(&message).document.into_bytes())
        .into();
    let base = envelope(&sample::message());
    crate::fuzz::run(&seeds, |bytes, _| {
        let document = String::from_utf8_lossy(bytes).into_owned();
        let kept = Envelope { document, ..base.clone() };
        for form in [Form::Ocsf, Form::Cef] {
            let line = form.render(&kept, usize::MAX);
            assert!(!line.chars().any(is_unsafe), "{form:?}: {line}");
        }
    });
}
