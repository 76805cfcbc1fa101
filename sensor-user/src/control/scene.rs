//! Rows put together: pods, their containers, the processes of each in the order of a tree. Pure.
//!
//! A tree is a list in its order from above, each process with its depth: a chain of a thousand forks must
//! not be a thousand calls deep.

use rustc_hash::{FxHashMap, FxHashSet};

use super::client::Rows;
use super::protocol::{ConnectionRow, ContainerRow, End, Head, PodRow, ProcessRow};
use crate::state::container::{Role, short_id};
use crate::state::phase::{Phase, START_GRACE};

/// What is to be shown; the default is everything that was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// A container by name, or by its id or the beginning of that.
    pub container: Option<String>,
    /// A pod by name, `namespace/name`, or uid.
    pub pod: Option<String>,
    /// This process and what it started.
    pub pid: Option<u32>,
}

/// Everything that is shown.
#[derive(Debug)]
pub struct Scene {
    pub head: Head,
    pub end: End,
    /// Pods by name, then containers without one by name, then the host.
    pub grounds: Vec<Ground>,
    /// Names of all containers by id, also of those that are not shown.
    pub names: FxHashMap<String, String>,
    /// Whether processes of the host belong to it at all.
    pub has_host: bool,
}

/// Where processes run: a container, or the host.
#[derive(Debug, Default)]
pub struct Ground {
    /// None: the host.
    pub container: Option<ContainerRow>,
    pub phase: Option<Phase>,
    pub processes: Vec<Node>,
}

/// A process in its tree.
#[derive(Debug)]
pub struct Node {
    pub depth: usize,
    pub is_last: bool,
    pub process: ProcessRow,
    /// Those that moved most come first.
    pub connections: Vec<ConnectionRow>,
}

/// Digits of a container id that are taken for one: fewer are a name.
const ID_MIN: usize = 4;

impl Choice {
    /// Whether it is about containers: the host then has no part in it.
    fn is_of_containers(&self) -> bool {
        self.container.is_some() || self.pod.is_some()
    }

    fn has(&self, container: &ContainerRow) -> bool {
        self.container.as_deref().is_none_or(|wanted| is_called(container, wanted))
            && self.pod.as_deref().is_none_or(|wanted| is_in_pod(container, wanted))
    }
}

fn is_called(container: &ContainerRow, wanted: &str) -> bool {
    let by_id = wanted.len() >= ID_MIN && container.id.starts_with(wanted);
    container.name.as_deref() == Some(wanted) || container.id == wanted || by_id
}

fn is_in_pod(container: &ContainerRow, wanted: &str) -> bool {
    let by_name = |pod: &PodRow| pod.name == wanted || format!("{}/{}", pod.namespace, pod.name) == wanted;
    container.pod_uid.as_deref() == Some(wanted) || container.pod.as_ref().is_some_and(by_name)
}

impl Scene {
    #[must_use]
    pub fn new(rows: Rows, choice: &Choice) -> Self {
        let Rows { head, containers, mut processes, connections, end, .. } = rows;
        if let Some(root) = choice.pid {
            let family = family(&processes, root);
            processes.retain(|process| family.contains(&process.pid));
        }
        let named = containers.iter().filter_map(|it| Some((it.id.clone(), it.name.clone()?)));
        let names = named.collect();
        let mut by_container: FxHashMap<Option<String>, Vec<ProcessRow>> = FxHashMap::default();
        for process in processes {
            by_container.entry(process.container.clone()).or_default().push(process);
        }
        let mut by_process: FxHashMap<u32, Vec<ConnectionRow>> = FxHashMap::default();
        for connection in connections {
            by_process.entry(connection.pid).or_default().push(connection);
        }
        let mut grounds = Vec::new();
        for container in containers {
            let processes = by_container.remove(&Some(container.id.clone())).unwrap_or_default();
            let is_shown = choice.pid.is_none() || !processes.is_empty();
            if is_shown && choice.has(&container) {
                grounds.push(Ground::new(Some(container), processes, &mut by_process, head.now));
            }
        }
        let host = by_container.remove(&None).unwrap_or_default();
        // Evicted from the agent's table: the id is all that is left of it.
        for (id, processes) in by_container {
            let container = ContainerRow { id: id.unwrap_or_default(), ..ContainerRow::default() };
            if choice.has(&container) {
                grounds.push(Ground::new(Some(container), processes, &mut by_process, head.now));
            }
        }
        grounds.sort_by(|one, other| one.order().cmp(&other.order()));
        let has_host = !choice.is_of_containers() && (choice.pid.is_none() || !host.is_empty());
        if has_host {
            grounds.push(Ground::new(None, host, &mut by_process, head.now));
        }
        Self { head, end, grounds, names, has_host }
    }

    /// Whether there is nothing of what was chosen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.grounds.is_empty()
    }

    /// A container by the name people know, else by the beginning of its id.
    #[must_use]
    pub fn name<'s>(&'s self, id: &'s str) -> &'s str {
        self.names.get(id).map_or(short_id(id), String::as_str)
    }
}

impl Ground {
    fn new(
        container: Option<ContainerRow>,
        processes: Vec<ProcessRow>,
        connections: &mut FxHashMap<u32, Vec<ConnectionRow>>,
        now: u64,
    ) -> Self {
        let phase = container.as_ref().map(|container| phase(container, now));
        Self { container, phase, processes: tree(processes, connections) }
    }

    /// Pods first, the rest by name.
    fn order(&self) -> (bool, Option<(&str, &str)>, Option<&str>, &str) {
        let container = self.container.as_ref();
        let pod =
            container.and_then(|it| it.pod.as_ref()).map(|pod| (pod.namespace.as_str(), pod.name.as_str()));
        let name = container.and_then(|it| it.name.as_deref());
        (pod.is_none(), pod, name, container.map_or("", |it| &it.id))
    }
}

/// What a container does by its age; how a process came into it may say more of that one.
fn phase(container: &ContainerRow, now: u64) -> Phase {
    match container.began.map(|began| now.saturating_sub(began)) {
        _ if container.role == Role::Build.name() => Phase::Build,
        Some(age) if age < START_GRACE => Phase::Start,
        Some(_) | None => Phase::Steady,
    }
}

/// A process and all that came of it.
fn family(processes: &[ProcessRow], root: u32) -> FxHashSet<u32> {
    let children = children(processes);
    let mut family = FxHashSet::default();
    let mut next: Vec<u32> = processes.iter().map(|it| it.pid).filter(|pid| *pid == root).collect();
    while let Some(pid) = next.pop() {
        if family.insert(pid) {
            let of_it = children.get(&pid).into_iter().flatten();
            next.extend(of_it.filter_map(|index| processes.get(*index)).map(|child| child.pid));
        }
    }
    family
}

/// Places of the children of each pid.
fn children(processes: &[ProcessRow]) -> FxHashMap<u32, Vec<usize>> {
    let mut children: FxHashMap<u32, Vec<usize>> = FxHashMap::default();
    for (index, process) in processes.iter().enumerate() {
        if let Some(parent) = process.parent {
            children.entry(parent).or_default().push(index);
        }
    }
    children
}

/// Parents before their children, siblings by age.
fn tree(mut processes: Vec<ProcessRow>, connections: &mut FxHashMap<u32, Vec<ConnectionRow>>) -> Vec<Node> {
    processes.sort_by_key(|process| (process.start, process.pid));
    let here: FxHashSet<u32> = processes.iter().map(|process| process.pid).collect();
    let children = children(&processes);
    let is_root = |process: &ProcessRow| process.parent.is_none_or(|parent| !here.contains(&parent));
    let roots: Vec<usize> = processes
        .iter()
        .enumerate()
        .filter(|(_, process)| is_root(process))
        .map(|(index, _)| index)
        .collect();
    let mut rest: Vec<Option<ProcessRow>> = processes.into_iter().map(Some).collect();
    let mut nodes = Vec::with_capacity(rest.len());
    // The last of the stack comes next.
    let mut next = Vec::new();
    stack(&mut next, &roots, 0);
    // Rows that name each other as parents are nobody's children: each such circle is opened somewhere.
    let mut others = 0..rest.len();
    while let Some((index, depth, is_last)) =
        next.pop().or_else(|| others.next().map(|index| (index, 0, true)))
    {
        let Some(process) = rest.get_mut(index).and_then(Option::take) else { continue };
        stack(&mut next, children.get(&process.pid).map_or(&[], Vec::as_slice), depth + 1);
        let mut connections = connections.remove(&process.pid).unwrap_or_default();
        connections.sort_by_key(|it| (u64::MAX - it.sent.saturating_add(it.received), it.since, it.port));
        nodes.push(Node { depth, is_last, process, connections });
    }
    nodes
}

fn stack(next: &mut Vec<(usize, usize, bool)>, siblings: &[usize], depth: usize) {
    let last = siblings.last();
    next.extend(siblings.iter().rev().map(|index| (*index, depth, Some(index) == last)));
}

#[cfg(test)]
pub(crate) mod tests;
