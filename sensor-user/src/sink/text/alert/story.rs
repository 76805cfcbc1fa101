//! What an alert's story amounts to, who took part in it, and which of its steps a rule spoke of.

use super::super::line::{FAINT, Line, PLAIN, STRONG, WARNING};
use super::correlation;
use crate::alert::{Alert, Evidence, Participant, Stage, Step, Story};

/// Processes listed: with the timeline still one screen.
const TREE: usize = 12;
/// Deepest branch drawn; what is deeper stands at this depth.
const DEPTH: usize = 6;

/// `brought in ▸ ran ▸ called home   2nd alert of the story 01a1fe1f`; nothing of a story of one stage and alert.
pub(super) fn stages(story: &Story) -> Option<Line> {
    if story.stages.len() < 2 && story.alerts < 2 {
        return None;
    }
    let mut line = Line::new();
    for (index, reached) in story.stages.iter().enumerate() {
        if index > 0 {
            line = line.with(FAINT, " ▸ ");
        }
        line = line.with(if story.level.is_some() { WARNING } else { PLAIN }, phrase(reached.stage));
    }
    if story.alerts > 1 {
        let gap = if story.stages.is_empty() { "" } else { "   " };
        line = line.with(FAINT, format!("{gap}alert {} of {}", story.alerts, story.id));
    }
    Some(line)
}

fn phrase(stage: Stage) -> &'static str {
    match stage {
        Stage::BroughtIn => "brought in",
        Stage::Ran => "run",
        Stage::ReadSecret => "secret read",
        Stage::Collected => "packed",
        Stage::CalledHome => "called home",
        Stage::SentOut => "sent out",
        Stage::CoveredTracks => "tracks covered",
        Stage::Escaped => "container left",
        Stage::Destroyed => "destroyed",
    }
}

/// Other rules that matched in the story, with what was counted where that is what they are about.
pub(super) fn others(alert: &Alert, room: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for related in &alert.related {
        let proof = alert.story.evidence.iter().find(|proof| proof.rule == related.id);
        let line = Line::new()
            .with(PLAIN, &related.title)
            .with(FAINT, format!("  {}  {}{}", related.techniques.join(" "), related.level, times(proof)));
        lines.push(line);
        if let Some(found) = proof.and_then(|proof| proof.correlation.as_deref()) {
            lines.extend(
                correlation::lines(found, room.saturating_sub(2))
                    .into_iter()
                    .map(|line| Line::new().pad(2).join(line)),
            );
        }
    }
    lines
}

fn times(proof: Option<&Evidence>) -> String {
    proof.filter(|proof| proof.count > 1).map_or_else(String::new, |proof| format!("  ×{}", proof.count))
}

/// The processes as a tree, where more than one did something.
pub(super) fn tree(alert: &Alert) -> Vec<Line> {
    let story = &alert.story;
    let mut pids: Vec<u32> = alert.steps.iter().map(|step| step.pid).collect();
    pids.sort_unstable();
    pids.dedup();
    if pids.len() < 2 {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let is_root = |one: &&Participant| one.parent.is_none();
    for root in story.participants.iter().filter(is_root) {
        branch(&story.participants, root, &mut Vec::new(), &mut lines);
    }
    let all = lines.len().saturating_add(usize::try_from(story.participants_omitted).unwrap_or(usize::MAX));
    lines.truncate(TREE);
    if all > lines.len() {
        lines.push(Line::new().with(FAINT, format!("and {} more", all - lines.len())));
    }
    lines
}

/// `is_last`: of each level above, whether its branch ends there.
fn branch(all: &[Participant], one: &Participant, is_last: &mut Vec<bool>, lines: &mut Vec<Line>) {
    let mut stem = String::new();
    for (depth, ends) in is_last.iter().enumerate() {
        let is_own = depth + 1 == is_last.len();
        stem.push_str(match (is_own, ends) {
            (true, true) => "└─ ",
            (true, false) => "├─ ",
            (false, true) => "   ",
            (false, false) => "│  ",
        });
    }
    let command_line = Some(one.arguments.line()).filter(|line| !line.is_empty()).unwrap_or(&one.program);
    let line = Line::new().with(FAINT, stem).with(FAINT, format!("{} ", one.pid));
    lines.push(line.with(if is_last.is_empty() { PLAIN } else { STRONG }, command_line));
    if is_last.len() >= DEPTH {
        return;
    }
    let mut children =
        all.iter().filter(|child| child.parent == Some(one.pid) && child.pid != one.pid).peekable();
    while let Some(child) = children.next() {
        is_last.push(children.peek().is_none());
        branch(all, child, is_last, lines);
        is_last.pop();
    }
}

/// The rules that spoke of each step, where there are several: at the step of their event, else at the last before it.
pub(super) fn marks<'a>(alert: &'a Alert, steps: &[Step]) -> Vec<Vec<&'a str>> {
    let mut marks = vec![Vec::new(); steps.len()];
    if alert.story.evidence.len() < 2 {
        return marks;
    }
    for proof in &alert.story.evidence {
        let of = |step: &Step| step.pid == proof.pid && step.offset <= proof.offset;
        if let Some(titles) = steps.iter().rposition(of).and_then(|index| marks.get_mut(index)) {
            titles.push(proof.title.as_str());
        }
    }
    marks
}
