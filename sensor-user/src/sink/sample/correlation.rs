//! An alert that several matches are together.

use sigma::{Bound, Condition, Kind, Operator};

use super::{ADDRESS, MILLISECOND, alert};
use crate::alert::{Action, Alert, Correlation, Member, Place, Step};
use crate::event::{Direction, Protocol};

/// Three destinations within a second.
fn correlation() -> Correlation {
    let member = |id: &str, title: &str| Member { id: id.to_owned(), title: title.to_owned() };
    Correlation {
        kind: Kind::ValueCount,
        condition: Condition {
            fields: vec!["DestinationPort".to_owned()],
            bounds: vec![Bound { operator: Operator::Gte, limit: 3.0 }],
            ..Condition::default()
        },
        timespan: 10_000 * MILLISECOND,
        value: 3.0,
        matches: 4,
        duration: 900 * MILLISECOND,
        group: vec![("ContainerName".to_owned(), Some("web-1".to_owned())), ("User".to_owned(), None)],
        repeats: 0,
        rules: vec![member("3d1f1a52-8c0e-4f2b-9d57-0f6d5d9b7c11", "A connection")],
    }
}

/// The same with every text as an attacker or a rule's author would like it.
pub(super) fn hostile(text: &str) -> Correlation {
    let member = Member { id: text.to_owned(), title: text.to_owned() };
    let mut condition = correlation().condition;
    condition.fields = vec![text.to_owned(); 8];
    let group = (0..8).map(|number| (format!("{number}{text}"), Some(text.to_owned()))).collect();
    Correlation { condition, group, rules: vec![member; 8], repeats: u64::MAX, ..correlation() }
}

/// The alert of it.
pub(crate) fn correlated() -> Alert {
    let step = |(milliseconds, pid, program, port): (u64, u32, &str, u16)| Step {
        offset: milliseconds * MILLISECOND,
        pid,
        program: program.to_owned(),
        action: Action::Connected {
            place: Place { protocol: Protocol::Tcp, address: ADDRESS, port, name: None },
            direction: Direction::Outbound,
        },
    };
    let steps = [(0, 4240, "sh", 22), (12, 4242, "curl", 80), (900, 4242, "curl", 443)];
    Alert { correlation: Some(correlation()), steps: steps.map(step).to_vec(), steps_omitted: 1, ..alert() }
}
