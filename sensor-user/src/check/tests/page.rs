//! `docs/check.md` is what the table of checks makes of it, to the letter. With `TIDEWAITER_WRITE=1` it is written.

use std::path::PathBuf;

use crate::check::{Check, Section, Verdict};
use crate::ebpf::hook::Feed;
use crate::event::field::{Category, TABLE};

const INTRODUCTION: &str = "\
# The doctor: `tidewaiter check`

`tidewaiter check` looks at all that the sensor needs on a host, and says what would go unseen or undelivered there, what
that means, what to do, and which detections it weakens. It takes the options of `tidewaiter run`, so name the same
configuration. It changes nothing: hooks are attached for as long as it takes to see them fire, receivers are connected
to, with the TLS handshake, and get no message.

The tables of this page are made from `sensor-user/src/check/table.rs` and compared with it by a test. After a change:

```console
$ TIDEWAITER_WRITE=1 cargo test --package sensor-user --lib check::tests::page
```

## How to read it

Every check stands alone: what is wrong with one hides no other. Without privilege it looks at what it may, and says of
the rest that it could not.

";

const NAMES: &str = "
**Exit status**: 0 when every finding is `good` or a `note`; 1 when one is `unknown`, `weak` or `bad`; 2 when it could not
run (usage, configuration).

**Which detections a finding weakens** is written down nowhere. A hook says what its events always say (a category, and
fields such as `FileAction: rename`), and which fields of other events come of it; a problem of the tables below names
fields in the same way. The rule engine is asked which rules may match such an event, or ask for such a field; what joins
these rules suffers too. So your own rules are named as the built-in ones are. On a terminal six are named, `--all` names
all of them, and every hook.

**Receivers** are tried side by side, each as its sink connects: 5 s for a connection, of which the TLS handshake has 3. Over
UDP nobody answers, and an HTTP receiver is asked nothing: whether messages are taken there the delivery canary proves
([metric.md](metric.md)). Sockets of runtimes get one question each, about a container that nobody has, and one second.

**Not looked at**: `kernel.perf_event_paranoid`, since nothing here uses perf events; whether a certificate was revoked.

## JSON

`--json` (or `--format json`) prints one document. Keys may be added; those that are here stay.

| key | what it is |
|---|---|
| `is_well` | whether the exit status is 0 |
| `findings[]` | every finding, in the order of this page |
| `findings[].section`, `.check` | the names of the tables below |
| `findings[].subject` | which of several: a hook, a capability, a runtime, a receiver; absent elsewhere |
| `findings[].verdict` | good, note, unknown, weak or bad |
| `findings[].problem` | the name in the tables below; absent of what is good or unknown |
| `findings[].what` | what was found, with the reason |
| `findings[].means`, `.remedy` | what it means and what to do; absent of what is good |
| `findings[].weakens[]` | names of the detections that suffer; absent where none does |
| `weakened[]` | names of all detections that an `unknown`, `weak` or `bad` finding weakens |
| `detections` | how many there are; 0 where the rules cannot be read |
| `hooks[]` | every hook as it turned out; empty where none could be tried |
| `hooks[].purpose`, `.attached`, `.tier` | what it observes, where it is attached, and in which tier; null where nowhere |
| `hooks[].proven`, `.unprovable` | whether it was seen to fire, or why it cannot be proven here |
| `hooks[].refused[].attach_point`, `.reason` | better places, and what the kernel said |
| `hooks[].not_seen` | what is not seen for it |
| `missing_offsets[]` | members of structures that this kernel does not have |

";

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str("| verdict | what it says |\n|---|---|\n");
    for verdict in Verdict::ALL {
        page.push_str(&format!("| `{}` | {} |\n", verdict.name(), verdict.about()));
    }
    page.push_str(NAMES);
    for section in Section::ALL {
        page.push_str(&format!("## {}\n\n", title(section.name())));
        for check in Check::ALL.iter().map(|check| check.row()).filter(|row| row.section == section) {
            page.push_str(&format!("`{}`: {}.\n\n", check.name, check.about));
            page.push_str("| problem | verdict | what it means | what to do | weakens detections by |\n|---|---|---|---|---|\n");
            for problem in check.problems.iter().map(|problem| problem.row()) {
                let (name, verdict) = (problem.name, problem.verdict.name());
                let feeds = feeds(problem.feeds, problem);
                page.push_str(&format!(
                    "| `{name}` | {verdict} | {} | {} | {feeds} |\n",
                    problem.means, problem.remedy
                ));
            }
            page.push('\n');
        }
    }
    page.trim_end().to_owned() + "\n"
}

fn title(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn feeds(feeds: &[Feed], problem: &crate::check::table::ProblemRow) -> String {
    if problem.check == Check::Hook && feeds.is_empty() {
        return "what the hook feeds".to_owned();
    }
    let words = feeds.iter().map(|feed| match feed {
        Feed::Every => "all of them".to_owned(),
        Feed::Event(category, _) => format!("`{}`", Category::name(*category)),
        Feed::Field(field) => {
            let name = TABLE.get(*field as usize).map_or("", |(_, name, ..)| *name);
            format!("`{name}`")
        }
    });
    words.collect::<Vec<_>>().join(", ")
}

#[test]
fn the_page_of_checks_says_what_the_table_says() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/check.md");
    let expected = page();
    if std::env::var_os("TIDEWAITER_WRITE").is_some() {
        std::fs::write(&path, &expected).expect("docs/check.md can be written");
        return;
    }
    let found = std::fs::read_to_string(&path).expect("docs/check.md can be read");
    let differs = found.lines().zip(expected.lines()).position(|(found, expected)| found != expected);
    let line = differs.map_or("its length".to_owned(), |line| format!("line {}", line + 1));
    assert!(
        found == expected,
        "docs/check.md differs from the table in {line}; write it with TIDEWAITER_WRITE=1"
    );
}
