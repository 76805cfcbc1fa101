//! A story reaches back to what led to its first match, over siblings and written files, and rises with what its
//! steps amount to.

use super::*;
use crate::alert::Stage;
use crate::state::process::{Arguments, Written};

const SECOND: u64 = 1000 * MILLISECOND;

/// Lines of one script in a container.
struct Script {
    shell: Arc<Process>,
}

impl Script {
    fn new() -> Self {
        Self { shell: of(1, "/bin/sh", None) }
    }

    fn event(&self, process: &Arc<Process>, time: u64, body: Body) -> Event {
        let process = Arc::clone(process);
        Event { process, ancestors: vec![Arc::clone(&self.shell)], ..event(1, START + time, body) }
    }
}

/// A process of the container; `writer` wrote its program.
fn of(pid: u32, path: &str, writer: Option<u32>) -> Arc<Process> {
    let written = writer.map(|pid| {
        let by = ProcessKey { pid, start_time: START };
        Arc::new(Written {
            time: START,
            by,
            image: String::new(),
            arguments: Arguments::default(),
            received: None,
        })
    });
    let executable = Executable { path: path.to_owned(), written, ..Executable::default() };
    let container = Some(Arc::from("8f3a"));
    Arc::new(Process {
        exec_time: START + u64::from(pid.saturating_sub(2)) * 2 * SECOND,
        executable,
        container,
        arguments: vec![path.to_owned()].into(),
        ..Process::clone(&process(pid))
    })
}

fn wrote(path: &str) -> Body {
    Body::FileEvent(FileChange { path: path.to_owned(), ..FileChange::default() })
}

fn file(path: &str, action: FileAction) -> Body {
    Body::FileEvent(FileChange { path: path.to_owned(), action, ..FileChange::default() })
}

fn of_technique(id: &str, technique: &str, level: Level) -> Detection {
    Detection { techniques: vec![technique.to_owned()], ..detection(id, level) }
}

/// A program that no rule knows fetches a tool; it is made executable, run by its script, and that is the first match.
fn brought_and_run(stories: &mut Stories, script: &Script) -> Arc<Process> {
    let fetch = of(2, "/opt/fetch", None);
    let chmod = of(3, "/bin/chmod", None);
    let tool = of(4, "/tmp/tool", Some(2));
    stories.observe(&script.event(&fetch, 0, Body::ProcessCreation));
    stories.observe(&script.event(&fetch, SECOND, connection(443)));
    stories.observe(&script.event(&fetch, 2 * SECOND, wrote("/tmp/tool")));
    stories.observe(&script.event(&fetch, 3 * SECOND, flow(443, 90, FlowState::Closed)));
    stories.observe(&script.event(&chmod, 4 * SECOND, file("/tmp/tool", FileAction::Mode)));
    let runs = script.event(&tool, 5 * SECOND, Body::ProcessCreation);
    stories.matched(&runs, of_technique("dropped", "T1105", Level::Low));
    stories.observe(&runs);
    tool
}

#[test]
fn a_story_begins_with_what_led_to_its_match() {
    let mut stories = Stories::default();
    brought_and_run(&mut stories, &Script::new());
    let accounts = stories.due(START + 6 * SECOND);
    let [account] = accounts.as_slice() else { panic!("one account") };
    let told: Vec<(u32, u64)> = account.steps.iter().map(|step| (step.pid, step.offset / SECOND)).collect();
    assert_eq!(told, [(2, 0), (2, 1), (2, 2), (3, 2), (2, 3), (4, 4), (3, 4)]);
    let pids: Vec<_> = account.participants.iter().map(|one| (one.pid, one.parent)).collect();
    assert!(pids.contains(&(4, Some(1))) && pids.contains(&(2, None)), "{pids:?}");
    let stages: Vec<Stage> = account.chain.links().iter().map(|link| link.stage).collect();
    assert_eq!(stages, [Stage::BroughtIn, Stage::Ran]);
    assert_eq!((account.level(), account.evidence[0].level), (Level::High, Level::Low));
}

#[test]
fn a_level_that_rises_after_the_alert_is_told_as_its_amendment() {
    let mut stories = Stories::default();
    let script = Script::new();
    let tool = brought_and_run(&mut stories, &script);
    let first = stories.due(START + 6 * SECOND);
    let Body::NetworkConnection(home) = connection(4444) else { panic!("a connection") };
    let home = Connection { address: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)), ..home };
    stories.observe(&script.event(&tool, 7 * SECOND, Body::NetworkConnection(home)));
    let second = stories.due(START + 8 * SECOND);
    let [account] = second.as_slice() else { panic!("told once more") };
    assert!(account.is_amendment && account.number == first[0].number);
    assert_eq!(account.level(), Level::Critical, "it calls home");
}

#[test]
fn another_technique_is_the_next_alert_of_the_story_and_the_same_is_counted() {
    let mut stories = Stories::default();
    let script = Script::new();
    let tool = brought_and_run(&mut stories, &script);
    let first = stories.due(START + 6 * SECOND);
    let upload = script.event(&tool, 7 * SECOND, connection(443));
    for _ in 0..3 {
        stories.matched(&upload, of_technique("dropped", "T1105", Level::Low));
    }
    stories.matched(&upload, of_technique("upload", "T1048.003", Level::Medium));
    let second = stories.due(START + 8 * SECOND);
    let [account] = second.as_slice() else { panic!("one more") };
    assert_eq!((account.story, account.alerts, account.is_amendment), (first[0].story, 2, false));
    assert_ne!(account.number, first[0].number);
    assert_eq!(account.detections().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["upload", "dropped"]);
    assert!(account.steps.len() >= first[0].steps.len(), "all that was told is told again");
    assert_eq!(account.evidence[0].count, 4);
    assert_eq!(stories.repeats(), 3);
}

#[test]
fn another_rule_of_a_technique_that_was_told_amends_its_alert() {
    let mut stories = Stories::default();
    let script = Script::new();
    let tool = brought_and_run(&mut stories, &script);
    let first = stories.due(START + 6 * SECOND);
    let again = script.event(&tool, 7 * SECOND, Body::ProcessCreation);
    stories.matched(&again, of_technique("twin", "T1105", Level::High));
    let second = stories.due(START + 8 * SECOND);
    let [account] = second.as_slice() else { panic!("told once more") };
    assert!(account.is_amendment && account.number == first[0].number);
}

#[test]
fn what_was_only_counted_is_told_when_the_story_is_over() {
    let mut stories = Stories::default();
    let started = event(1, START, Body::ProcessCreation);
    stories.matched(&started, detection("scan", Level::Low));
    assert_eq!(stories.due(START + SECOND).len(), 1);
    stories.matched(&started, detection("scan", Level::Low));
    stories.exited(START + 2 * SECOND, &started.process.key, None, 0);
    assert!(stories.due(START + 10 * SECOND).is_empty());
    let last = stories.due(OVER);
    let [account] = last.as_slice() else { panic!("its count") };
    assert_eq!((account.is_amendment, account.evidence[0].count), (true, 2));
    assert!(stories.open.is_empty() && stories.groups.is_empty() && stories.entries.is_empty());
}

#[test]
fn a_separate_way_into_the_container_is_joined_by_the_file_it_runs() {
    let mut stories = Stories::default();
    let script = Script::new();
    let fetch = of(2, "/usr/bin/curl", None);
    let fetched = script.event(&fetch, 0, Body::ProcessCreation);
    stories.matched(&fetched, of_technique("download", "T1105", Level::Informational));
    stories.observe(&script.event(&fetch, SECOND, connection(443)));
    stories.observe(&script.event(&fetch, SECOND, wrote("/tmp/tool")));
    stories.observe(&script.event(&fetch, SECOND, flow(443, 90, FlowState::Closed)));
    let first = stories.due(START + 2 * SECOND);
    assert_eq!(first[0].level(), Level::Informational, "a lone download");
    // `docker exec web /tmp/tool`: no ancestor in the container.
    let alone = Event {
        ancestors: Vec::new(),
        ..script.event(&of(9, "/tmp/tool", Some(2)), 3 * SECOND, Body::ProcessCreation)
    };
    stories.observe(&alone);
    let risen = stories.due(START + 4 * SECOND);
    assert_eq!((risen.len(), risen[0].number, risen[0].level()), (1, first[0].number, Level::High));
}

#[test]
fn another_container_is_another_story() {
    let mut stories = Stories::default();
    let script = Script::new();
    brought_and_run(&mut stories, &script);
    let mut elsewhere = Process::clone(&of(8, "/usr/bin/curl", None));
    elsewhere.container = Some(Arc::from("0000"));
    let event =
        Event { ancestors: Vec::new(), ..script.event(&Arc::new(elsewhere), SECOND, Body::ProcessCreation) };
    stories.matched(&event, of_technique("download", "T1105", Level::Low));
    assert_eq!(stories.due(START + 7 * SECOND).len(), 2);
}

#[test]
fn what_nobody_asked_for_is_bounded_and_forgotten_with_its_container() {
    let mut stories = Stories::default();
    let script = Script::new();
    for number in 0..5000_u16 {
        let mut process = Process::clone(&of(2, "/usr/bin/curl", None));
        process.key.pid = u32::from(number) + 100;
        process.container = Some(Arc::from(format!("{:04}", number % 50)));
        let event = script.event(&Arc::new(process), u64::from(number), connection(443));
        stories.observe(&event);
    }
    assert!(stories.past.len() <= 1024, "{}", stories.past.len());
    (0..50).for_each(|number| stories.container_ended(&Arc::from(format!("{number:04}"))));
    assert_eq!(stories.past.len(), 0);
}
