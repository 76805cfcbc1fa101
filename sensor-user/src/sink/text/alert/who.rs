//! Whose doing it was: the container with all that is known of it, where the program comes from, and what
//! speaks against the process being where it says.

use std::time::Duration;

use super::super::line::{FAINT, Line, PLACE, PLAIN, STRONG, WARNING, wrap};
use super::super::quantity::duration;
use super::super::witness::{self, NESTING, UNVERIFIED};
use super::{COMMAND_LINES, Page};
use crate::alert::Alert;
use crate::state::container::{Confirmation, Owner, Pod, Runtime, short_id};
use crate::state::standing::{Claim, Trick};

/// Name, id, image, runtime, phase; below it what is odd about it, and what is exact.
pub(super) fn container(alert: &Alert) -> Vec<Line> {
    let Some(container) = alert.container.as_deref() else {
        return vec![Line::new().with(FAINT, "none: it happened on the host itself")];
    };
    let mut line = Line::new();
    if let Some(name) = &container.name {
        line = line.with(STRONG, name).with(PLAIN, "  ");
    }
    line = line.with(FAINT, container.short_id());
    if let Some(image) = &container.image {
        line = line.with(PLAIN, "  ").with(PLAIN, image);
    }
    line = line.with(FAINT, format!("  {}", runtime(container.runtime)));
    if let Some(phase) = alert.phase {
        line = line.with(FAINT, format!("  {}", phase.name()));
    }
    let mut lines = vec![line];
    if container.confirmation == Confirmation::Unknown {
        lines.push(Line::new().with(WARNING, UNVERIFIED));
    }
    if !container.nested.is_empty() {
        let path: Vec<&str> = container.nested.iter().map(|id| short_id(id)).collect();
        lines.push(Line::new().with(FAINT, "in a container within it  ").with(PLAIN, path.join(NESTING)));
    }
    if let Some(digest) = &container.image_digest {
        lines.push(Line::new().with(FAINT, digest));
    }
    lines
}

/// `shop/web-0  StatefulSet/web  as shop  on node-1`, then its labels.
pub(super) fn pod(pod: &Pod) -> Vec<Line> {
    let mut line = Line::new().with(PLACE, format!("{}/{}", pod.namespace, pod.name));
    if let Some(Owner { kind, name }) = &pod.owner {
        line = line.with(PLAIN, format!("  {kind}/{name}"));
    }
    if let Some(account) = &pod.service_account {
        line = line.with(FAINT, "  as ").with(PLAIN, account);
    }
    if let Some(node) = &pod.node {
        line = line.with(FAINT, format!("  on {node}"));
    }
    let labels: Vec<String> = pod.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let labels = (!labels.is_empty()).then(|| Line::new().with(FAINT, labels.join("  ")));
    std::iter::once(line).chain(labels).collect()
}

fn runtime(runtime: Runtime) -> &'static str {
    if runtime == Runtime::Unknown { "unknown runtime" } else { runtime.name() }
}

/// Where the program comes from, if not from the image.
pub(super) fn origin(page: &mut Page, alert: &Alert) {
    let executable = &alert.process.executable;
    let written = executable.written.as_deref().map(|written| {
        let before = alert.process.exec_time.saturating_sub(written.time);
        let writer = written.image.rsplit('/').next().unwrap_or_default();
        format!("written {} before by {writer}[{}]", duration(Duration::from_nanos(before)), written.by.pid)
    });
    let told = witness::origin(executable.memfd, executable.deleted, executable.upper_layer, written);
    if let Some(told) = told {
        page.rows("program", wrap(WARNING, &told, page.room(), COMMAND_LINES));
    }
}

/// Both truths, where the process pretends to be somewhere else.
pub(super) fn witnesses(page: &mut Page, alert: &Alert) {
    let standing = &alert.process.standing;
    let claims = [&standing.cgroup, &standing.mount, &standing.pid].map(Claim::text);
    let told = witness::sentence(standing.trick.map(Trick::name), claims, |id| {
        let own = alert.container.as_deref().filter(|container| container.id == id);
        own.and_then(|container| container.name.as_deref()).unwrap_or_else(|| short_id(id))
    });
    if let Some(told) = told {
        page.rows("identity", wrap(WARNING, &told, page.room(), COMMAND_LINES));
    }
}
