//! A document in a bounded number of bytes: still valid JSON, the essential fields still whole.
//!
//! What is given up goes by how much a receiver misses it: explanations first, then command lines of others, then
//! repeats of what stands elsewhere, then the ends of long texts and lists. Identity (ids, sequence, rule,
//! container, process, destination) goes last and only by shortening texts.

use std::borrow::Cow;

use super::{ContainerReport, Document, StepAction, Tidewaiter};
use crate::sink::json::encode;
use crate::sink::text::escape::escaped_size;

/// The document as one line of at most `bytes` bytes, cut as far as needed.
///
/// From 4,000 bytes on every document fits, whatever its texts hold. With less room the smallest
/// form is returned, which may be longer than asked for.
#[must_use]
pub fn fit(mut document: Document<'_>, bytes: usize) -> String {
    let mut line = encode(&document);
    for cut in STAGES {
        if line.len() <= bytes {
            break;
        }
        document.tidewaiter.truncated = true;
        cut(&mut document);
        line = encode(&document);
    }
    line
}

/// Mildest first; each keeps what those before it left.
const STAGES: [fn(&mut Document<'_>); 5] =
    [explanations, context, repeats, long_texts, all_but_the_essential];

fn explanations(document: &mut Document<'_>) {
    let own = &mut document.tidewaiter;
    own.false_positives.clear();
    own.response.clear();
    if let Some(coverage) = &mut own.coverage {
        coverage.hooks.iter_mut().for_each(|hook| hook.refused.clear());
    }
}

/// What the process itself was called with is worth more than the command lines of others: an ancestor's may be a whole
/// script.
fn context(document: &mut Document<'_>) {
    const COMMAND_LINE: usize = 120;
    if let Some(parent) = document.process.as_mut().and_then(|process| process.parent.as_mut()) {
        cut(&mut parent.command_line, COMMAND_LINE);
    }
    if let Some(writer) = document.tidewaiter.executable.as_mut().and_then(|program| program.writer.as_mut())
    {
        cut(&mut writer.command_line, COMMAND_LINE);
    }
    for ancestor in &mut document.tidewaiter.lineage {
        if let Some(command_line) = &mut ancestor.command_line {
            cut(command_line, COMMAND_LINE);
        }
    }
    for process in document.tidewaiter.story.iter_mut().flat_map(|story| &mut story.processes) {
        cut(&mut process.command_line, COMMAND_LINE);
    }
    for step in &mut document.tidewaiter.steps {
        if let StepAction::Executed { command_line } = &mut step.action {
            cut(command_line, COMMAND_LINE);
        }
    }
}

/// `args` stand in `command_line`.
fn repeats(document: &mut Document<'_>) {
    if let Some(process) = &mut document.process {
        process.args.clear();
    }
}

fn long_texts(document: &mut Document<'_>) {
    const TEXT: usize = 400;
    const SHORT: usize = 80;
    // The story's begin tells most; 12 steps and 4 ancestors take some 2,500 bytes at these lengths.
    const STEPS: usize = 12;
    const LINEAGE: usize = 4;
    // As many again are in the sum.
    const BEAT_ROWS: usize = 16;
    cut_essential(document, TEXT);
    let own = &mut document.tidewaiter;
    let beyond = own.steps.len().saturating_sub(STEPS);
    own.steps_omitted = own.steps_omitted.saturating_add(u32::try_from(beyond).unwrap_or(u32::MAX));
    own.steps.truncate(STEPS);
    for step in &mut own.steps {
        cut(&mut step.program, SHORT);
        match &mut step.action {
            StepAction::Executed { command_line } => cut(command_line, SHORT),
            StepAction::Opened { path }
            | StepAction::Wrote { path, .. }
            | StepAction::Deleted { path }
            | StepAction::MadeExecutable { path }
            | StepAction::Read { path } => cut(path, SHORT),
            StepAction::Linked { from, to } => {
                cut_option(from, SHORT);
                cut(to, SHORT);
            }
            StepAction::Renamed { from, to } => {
                cut(from, SHORT);
                cut(to, SHORT);
            }
            StepAction::Connected { place, .. }
            | StepAction::Transferred { place, .. }
            | StepAction::Disconnected { place, .. }
            | StepAction::Failed { place, .. } => cut_option(&mut place.domain, SHORT),
            StepAction::Did { object, .. } => cut(object, SHORT),
            StepAction::Exited { .. } => {}
        }
    }
    own.lineage.truncate(LINEAGE);
    for ancestor in &mut own.lineage {
        cut(&mut ancestor.executable, SHORT);
        if let Some(command_line) = &mut ancestor.command_line {
            cut(command_line, SHORT);
        }
    }
    own.related.truncate(LINEAGE);
    for related in &mut own.related {
        cut(&mut related.name, SHORT);
        cut(&mut related.id, SHORT);
        cut_list(&mut related.technique, LINEAGE, SHORT);
    }
    cut_list(&mut own.images, LINEAGE, SHORT);
    cut_list(&mut own.files, LINEAGE, SHORT);
    own.transfer.iter_mut().for_each(|transfer| transfer.cut(LINEAGE, &mut |text| cut(text, SHORT)));
    own.cloud.iter_mut().for_each(|cloud| cloud.cut(LINEAGE, &mut |text| cut(text, SHORT)));
    own.correlation.iter_mut().for_each(|found| found.cut(LINEAGE, &mut |text| cut(text, SHORT)));
    own.story.iter_mut().for_each(|story| story.cut(LINEAGE, &mut |text| cut(text, SHORT)));
    own.reload.iter_mut().for_each(|reload| reload.cut(LINEAGE, &mut |text| cut(text, 2 * SHORT)));
    cut_heartbeat(own, BEAT_ROWS, SHORT);
}

fn all_but_the_essential(document: &mut Document<'_>) {
    // About 40 texts can occur at once: with keys and numbers below 4,000 bytes.
    const TEXT: usize = 42;
    const WORD: usize = 24;
    const LOSSES: usize = 6;
    const LEDGER: usize = 12;
    cut_essential(document, TEXT);
    // The pod is known by its name and uid; what the API tells of it can be asked there again.
    if let Some(orchestrator) = &mut document.orchestrator {
        orchestrator.resource.label.clear();
    }
    document.tidewaiter.pod = None;
    let own = &mut document.tidewaiter;
    let steps = u32::try_from(own.steps.len()).unwrap_or(u32::MAX);
    own.steps_omitted = own.steps_omitted.saturating_add(steps);
    own.steps.clear();
    own.lineage.clear();
    own.related.clear();
    own.images.clear();
    own.files.clear();
    own.pod = None;
    // It stands in the command line.
    own.transfer = None;
    own.cloud = None;
    // What they have in common is what it is about; the rules are named in its own.
    own.correlation.iter_mut().for_each(|found| {
        found.rules.clear();
        found.cut(1, &mut |text| cut(text, WORD));
    });
    // Which story it is, and what it amounts to, stays.
    own.story.iter_mut().for_each(|story| {
        story.stages.clear();
        story.cut(0, &mut |_| {});
    });
    own.losses.truncate(LOSSES);
    own.costs.truncate(LOSSES);
    own.aggregates.truncate(LOSSES);
    own.ledger.truncate(LEDGER);
    own.reload.iter_mut().for_each(|reload| reload.cut(2, &mut |text| cut(text, TEXT)));
    cut_heartbeat(own, LOSSES, TEXT);
    if let Some(coverage) = &mut own.coverage {
        coverage.hooks.clear();
        coverage.missing_offsets.clear();
    }
    if let Some(orchestrator) = &mut document.orchestrator {
        // Its name and uid say which pod it is.
        orchestrator.resource.label.clear();
        orchestrator.resource.parent = None;
    }
}

/// Shortens every text that stays in the smallest form.
fn cut_essential(document: &mut Document<'_>, bytes: usize) {
    const LIST: usize = 4;
    // Of a pod's labels the first by name; they and its owner are named after the pod, mostly.
    const LABELS: usize = 2;
    const SHORT: usize = 64;
    cut(&mut document.message, bytes);
    cut(&mut document.host.hostname, bytes);
    cut(&mut document.host.os.kernel, bytes);
    if let Some(boot) = &mut document.host.boot {
        cut(&mut boot.id, bytes);
    }
    if let Some(rule) = &mut document.rule {
        cut(&mut rule.id, bytes);
        cut(&mut rule.name, bytes);
    }
    if let Some(threat) = &mut document.threat {
        cut_list(&mut threat.technique.id, LIST, bytes.min(40));
        cut_list(&mut threat.tactic.name, LIST, bytes.min(40));
    }
    if let Some(container) = &mut document.container {
        cut(&mut container.id, bytes);
        cut_option(&mut container.name, bytes);
        if let Some(image) = &mut container.image {
            cut_option(&mut image.name, bytes);
            if let Some(hash) = &mut image.hash {
                cut_list(&mut hash.all, 1, bytes);
            }
        }
    }
    if let Some(orchestrator) = &mut document.orchestrator {
        cut_option(&mut orchestrator.namespace, bytes);
        cut_option(&mut orchestrator.resource.name, bytes);
        cut_option(&mut orchestrator.resource.id, bytes);
        cut_list(&mut orchestrator.resource.label, LABELS, bytes.min(SHORT));
        if let Some(parent) = &mut orchestrator.resource.parent {
            cut(&mut parent.r#type, bytes.min(SHORT));
            cut(&mut parent.name, bytes.min(SHORT));
        }
    }
    if let Some(pod) = &mut document.tidewaiter.pod {
        cut_option(&mut pod.owner, bytes.min(SHORT));
        cut_option(&mut pod.service_account, bytes.min(SHORT));
        cut_option(&mut pod.node, bytes.min(SHORT));
    }
    if let Some(process) = &mut document.process {
        cut(&mut process.name, bytes);
        cut(&mut process.executable, bytes);
        cut(&mut process.command_line, bytes);
        cut_option(&mut process.working_directory, bytes);
        cut_option(&mut process.user.name, bytes);
        if let Some(parent) = &mut process.parent {
            cut(&mut parent.name, bytes);
            cut(&mut parent.executable, bytes);
            cut(&mut parent.command_line, bytes);
        }
    }
    if let Some(destination) = &mut document.destination {
        cut_option(&mut destination.domain, bytes);
    }
    if let Some(file) = &mut document.file {
        cut(&mut file.path, bytes);
    }
    cut_option(&mut document.tidewaiter.detection, bytes);
    cut_identity(&mut document.tidewaiter, bytes);
    let own = &mut document.tidewaiter;
    for loss in &mut own.losses {
        cut(&mut loss.what, bytes);
        loss.container.iter_mut().for_each(|container| cut_container(container, bytes));
    }
    own.costs.iter_mut().for_each(|cost| cost.cut(&mut |text| cut(text, bytes)));
    for aggregate in &mut own.aggregates {
        aggregate.container.iter_mut().for_each(|container| cut_container(container, bytes));
        cut_option(&mut aggregate.program, bytes);
    }
}

/// Keeps the first rows of a heartbeat: of its losses the sum stays.
fn cut_heartbeat(own: &mut Tidewaiter<'_>, rows: usize, bytes: usize) {
    if let Some(beat) = &mut own.heartbeat {
        beat.losses.truncate(rows);
        beat.losses.iter_mut().for_each(|sum| cut(&mut sum.what, bytes));
        beat.sinks.truncate(rows);
        beat.sinks.iter_mut().for_each(|sink| cut(&mut sink.name, bytes));
    }
}

/// Shortens what `tidewaiter` says of who it was.
fn cut_identity(own: &mut Tidewaiter<'_>, bytes: usize) {
    const NESTED: usize = 2;
    if let Some(container) = &mut own.container {
        // The innermost tells where the process is.
        let beyond = container.nested.len().saturating_sub(NESTED);
        container.nested.drain(..beyond);
        cut_list(&mut container.nested, NESTED, bytes);
        if let Some(image) = &mut container.image {
            image.id.iter_mut().chain(&mut image.registry).for_each(|text| cut(text, bytes));
        }
    }
    if let Some(writer) = own.executable.as_mut().and_then(|executable| executable.writer.as_mut()) {
        cut(&mut writer.executable, bytes);
        cut(&mut writer.command_line, bytes);
    }
    if let Some(process) = &mut own.process {
        for text in [&mut process.terminal, &mut process.script, &mut process.interpreter] {
            cut_option(text, bytes);
        }
    }
    if let Some(identity) = &mut own.identity {
        for text in [&mut identity.cgroup, &mut identity.mount, &mut identity.pid] {
            cut_option(text, bytes);
        }
    }
}

fn cut_container(container: &mut ContainerReport<'_>, bytes: usize) {
    cut(&mut container.id, bytes);
    cut_option(&mut container.name, bytes);
}

fn cut_list(texts: &mut Vec<Cow<'_, str>>, count: usize, bytes: usize) {
    texts.truncate(count);
    texts.iter_mut().for_each(|text| cut(text, bytes));
}

fn cut_option(text: &mut Option<Cow<'_, str>>, bytes: usize) {
    if let Some(text) = text {
        cut(text, bytes);
    }
}

/// Shortens a text to what takes at most `bytes` bytes in JSON, an ellipsis included.
pub fn cut(text: &mut Cow<'_, str>, bytes: usize) {
    const ELLIPSIS: char = '…';
    let mut size = 0;
    let mut keep = 0;
    for (at, character) in text.char_indices() {
        if size + ELLIPSIS.len_utf8() <= bytes {
            keep = at;
        }
        size += encoded_size(character);
        if size > bytes {
            let kept = text.get(..keep).unwrap_or_default();
            *text = Cow::Owned(format!("{kept}{ELLIPSIS}"));
            return;
        }
    }
}

/// Bytes of a character in [`encode`]'s JSON, at most.
fn encoded_size(character: char) -> usize {
    match character {
        '"' => 2,
        _ => escaped_size(character),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cut_text_keeps_its_bound(text in any::<String>(), bytes in 3..60_usize) {
            let mut cut_text = Cow::Borrowed(text.as_str());
            cut(&mut cut_text, bytes);
            // Two quotation marks.
            prop_assert!(encode(&cut_text).len() <= bytes + 2);
            prop_assert!(cut_text == text || cut_text.ends_with('…'));
        }
    }
}
