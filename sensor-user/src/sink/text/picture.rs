//! The live picture as a tree: pods, containers, processes, connections.
//!
//! Pid and user stand in columns of their own, so that they can be read down the page whatever the tree
//! does beside them. What is odd about a process stands below it: a long command line cannot push it out.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::line::{FAINT, Line, PLACE, PLAIN, STRONG, WARNING};
use super::quantity::{bytes, duration};
use super::witness::{NESTING, UNVERIFIED};
use super::{View, witness};
use crate::control::protocol::{ConnectionRow, ContainerRow, Entry, PodRow, ProcessRow, WriterRow};
use crate::control::scene::{Ground, Node, Scene};
use crate::state::container::short_id;
use crate::state::phase::Phase;

/// Columns of a pid (at most 7 digits) and of a user's name; longer ones are cut.
const PID: usize = 7;
const USER: usize = 10;
/// Column at which the tree begins.
const TREE: usize = PID + 2 + USER + 2;
/// Levels that are drawn; what lies deeper stands at the last of them.
const DEPTH_MAX: usize = 16;
/// Connections listed of one process; the document has all.
const LIST: usize = 12;
/// Columns in which the other ends of one process are aligned.
const END_MAX: usize = 48;

/// All lines, each ended by a newline.
#[must_use]
pub fn render(scene: &Scene, view: &View) -> String {
    let mut page = Page { lines: vec![summary(scene)], rails: Vec::new() };
    page.lines.push(Line::new());
    let mut pod = None;
    for (index, ground) in scene.grounds.iter().enumerate() {
        let own = ground.container.as_ref().and_then(|container| container.pod.as_ref());
        let is_same = |other: Option<&PodRow>| {
            own.is_some() && other.map(|it| &it.uid) == own.map(|it| &it.uid) && other == own
        };
        if let Some(own) = own
            && !is_same(pod)
        {
            page.item(0, true, self::pod(own), false);
        }
        pod = own;
        let next = scene.grounds.get(index + 1).and_then(|next| next.container.as_ref()?.pod.as_ref());
        self::ground(&mut page, scene, ground, usize::from(own.is_some()), !is_same(next));
    }
    let mut text = String::new();
    for line in page.lines {
        line.cut(view.columns()).paint(view.colour, &mut text);
        text.push('\n');
    }
    text
}

/// The lines so far.
struct Page {
    lines: Vec<Line>,
    /// Of each level above: does it go on below?
    rails: Vec<bool>,
}

impl Page {
    /// A line of the tree, nothing in the columns before it.
    fn item(&mut self, depth: usize, is_last: bool, content: Line, is_process: bool) {
        let line = if is_process {
            content
        } else {
            Line::new().pad(TREE).join(self.branch(depth, is_last)).join(content)
        };
        self.lines.push(line);
        self.rails.truncate(depth);
        self.rails.resize(depth, false);
        self.rails.push(!is_last);
    }

    /// What stands before an item.
    fn branch(&self, depth: usize, is_last: bool) -> Line {
        let Some(above) = depth.checked_sub(1) else { return Line::new() };
        if depth > DEPTH_MAX {
            return self.trunk(DEPTH_MAX).with(FAINT, "… ");
        }
        self.trunk(above).with(FAINT, if is_last { "└─ " } else { "├─ " })
    }

    /// The rails of levels 1 to `depth`.
    fn trunk(&self, depth: usize) -> Line {
        let rails = self.rails.iter().skip(1).chain(std::iter::repeat(&false)).take(depth.min(DEPTH_MAX));
        let text: String = rails.map(|goes_on| if *goes_on { "│  " } else { "   " }).collect();
        Line::new().with(FAINT, text)
    }

    /// What belongs to the item before it.
    fn detail(&mut self, depth: usize, has_children: bool, content: Line) {
        let own = if has_children && depth < DEPTH_MAX { "│  " } else { "   " };
        let line = Line::new().pad(TREE).join(self.trunk(depth)).with(FAINT, own).join(content);
        self.lines.push(line);
    }
}

fn summary(scene: &Scene) -> Line {
    let (head, end) = (&scene.head, &scene.end);
    let up = duration(Duration::from_nanos(head.now.saturating_sub(head.started)));
    let containers = scene.grounds.iter().filter(|ground| ground.container.is_some()).count();
    let counts = [
        counted(containers as u64, "container"),
        counted(end.processes, "process"),
        counted(end.connections, "connection"),
    ];
    let line = Line::new().with(STRONG, &head.hostname).with(FAINT, format!("  Linux {}", head.kernel));
    line.with(FAINT, format!("   agent {} up {up}   ", head.agent_pid)).with(PLAIN, counts.join(" · "))
}

fn counted(number: u64, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ if noun.ends_with('s') => format!("{number} {noun}es"),
        _ => format!("{number} {noun}s"),
    }
}

fn pod(pod: &PodRow) -> Line {
    let mut line = Line::new().with(FAINT, "pod ").with(PLACE, format!("{}/{}", pod.namespace, pod.name));
    for fact in [&pod.owner, &pod.node].into_iter().flatten() {
        line = line.with(FAINT, format!("  {fact}"));
    }
    line
}

fn ground(page: &mut Page, scene: &Scene, ground: &Ground, depth: usize, is_last: bool) {
    let line = match &ground.container {
        Some(container) => self::container(scene, container, ground.phase),
        None => host(scene, ground),
    };
    page.item(depth, is_last, line, false);
    let mut nodes = ground.processes.iter().peekable();
    while let Some(node) = nodes.next() {
        let has_children = nodes.peek().is_some_and(|next| next.depth > node.depth);
        self::node(page, scene, node, depth + 1 + node.depth, has_children);
    }
    if ground.processes.is_empty() && ground.container.is_some() {
        page.detail(depth, false, Line::new().with(FAINT, "no process"));
    }
}

fn host(scene: &Scene, ground: &Ground) -> Line {
    let line = Line::new().with(STRONG, "host");
    match scene.end.omitted_processes {
        0 => line,
        omitted => {
            let others = if ground.processes.is_empty() { "" } else { " more" };
            line.with(FAINT, format!("  {omitted}{others} without a connection (--all shows them)"))
        }
    }
}

fn container(scene: &Scene, container: &ContainerRow, phase: Option<Phase>) -> Line {
    let mut line = Line::new();
    if let Some(name) = &container.name {
        line = line.with(STRONG, name).with(PLAIN, "  ");
    }
    line = line.with(FAINT, short_id(&container.id));
    if let Some(image) = &container.image {
        line = line.with(PLAIN, format!("  {image}"));
    }
    line = line.with(FAINT, format!("  {}", container.runtime));
    if let Some(phase) = phase {
        line = line.with(FAINT, format!("  {}", phase.name()));
    }
    if container.role == "sandbox" {
        line = line.with(FAINT, "  sandbox");
    }
    if !container.outer.is_empty() {
        let around: Vec<&str> = container.outer.iter().map(|id| scene.name(id)).collect();
        // No runtime of the host knows it, and none needs to.
        line = line.with(FAINT, format!("  within {}", around.join(NESTING)));
    } else if container.is_verified == Some(false) {
        line = line.with(WARNING, format!("  {UNVERIFIED}"));
    } else if container.is_verified.is_none() {
        line = line.with(FAINT, "  not confirmed yet");
    }
    line
}

fn node(page: &mut Page, scene: &Scene, node: &Node, depth: usize, has_children: bool) {
    let process = &node.process;
    let user = process.user.clone().unwrap_or_else(|| process.uid.to_string());
    let style = if process.uid == process.effective_uid { PLAIN } else { WARNING };
    let line = Line::new()
        .with(FAINT, format!("{:>PID$}  ", process.pid))
        .join(Line::new().with(style, user).cut(USER))
        .pad(TREE)
        .join(page.branch(depth, node.is_last))
        .join(command(process, node.depth == 0));
    page.item(depth, node.is_last, line, true);
    for warning in warnings(scene, process) {
        page.detail(depth, has_children, Line::new().with(WARNING, format!("! {warning}")));
    }
    let listed = node.connections.get(..LIST.min(node.connections.len())).unwrap_or_default();
    let column = listed.iter().map(|it| end(it).width()).max().unwrap_or(0).min(END_MAX);
    for connection in listed {
        page.detail(depth, has_children, self::connection(connection, column, scene.head.now));
    }
    let more = node.connections.len() - listed.len();
    if more > 0 {
        page.detail(depth, has_children, Line::new().with(FAINT, format!("and {more} more connections")));
    }
}

/// The program, then its arguments; the whole line where it calls itself something else.
fn command(process: &ProcessRow, is_root: bool) -> Line {
    let line = Line::new().with(STRONG, &process.name);
    let (first, rest) = process.command_line.split_once(' ').unwrap_or((&process.command_line, ""));
    let names = process.images.iter().map(String::as_str).chain([process.name.as_str()]);
    let line = if process.command_line.is_empty() {
        line
    } else if names.map(last).any(|name| is_called(first, name)) {
        line.with(PLAIN, format!(" {rest}"))
    } else {
        line.with(FAINT, " as ").with(PLAIN, &process.command_line)
    };
    // Whoever came by another door than the container's own command stands at the top of its tree.
    match process.entry {
        Entry::Exec if is_root => Line::new().with(FAINT, "exec: ").join(line),
        Entry::Terminal if is_root => Line::new().with(WARNING, "at a terminal: ").join(line),
        Entry::Probe if is_root => Line::new().with(FAINT, "probe: ").join(line),
        Entry::Exec | Entry::Terminal | Entry::Probe | Entry::Unknown | Entry::Main => line,
    }
}

/// A login shell is called `-bash`, a worker that renames itself `nginx: worker`.
fn is_called(argument: &str, name: &str) -> bool {
    last(argument).trim_start_matches('-').trim_end_matches(':') == name
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// What is odd about a process: where its program comes from, what it pretends to be.
fn warnings(scene: &Scene, process: &ProcessRow) -> Vec<String> {
    let written = process.written.as_ref().map(|WriterRow { time, pid, image, .. }| {
        let ago = duration(Duration::from_nanos(scene.head.now.saturating_sub(*time)));
        format!("written {ago} ago by {}[{pid}]", last(image))
    });
    let origin = witness::origin(process.is_memfd, process.is_deleted, process.is_upper_layer, written);
    let trick = process.identity.as_ref().and_then(|identity| {
        let claims = [&identity.cgroup, &identity.mount, &identity.pid].map(Option::as_deref);
        witness::sentence(identity.trick.as_deref(), claims, |id| scene.name(id))
    });
    origin.into_iter().chain(trick).collect()
}

/// `→ 10.0.0.2:80 tcp  example.com`
fn end(connection: &ConnectionRow) -> Line {
    let arrow = match connection.direction.as_str() {
        "egress" => "→ ",
        "ingress" => "← ",
        _ => "↔ ",
    };
    let line = Line::new().with(FAINT, arrow).with(PLACE, place(connection.address, connection.port));
    let line = line.with(FAINT, format!(" {}", connection.transport));
    match &connection.hostname {
        Some(name) => line.with(PLAIN, "  ").with(PLACE, name),
        None => line,
    }
}

fn connection(connection: &ConnectionRow, column: usize, now: u64) -> Line {
    let age = duration(Duration::from_nanos(now.saturating_sub(connection.since)));
    let amounts = format!("   ↑ {:<9} ↓ {:<9}", bytes(connection.sent), bytes(connection.received));
    let line = end(connection).cut(column).pad(column).with(PLAIN, amounts).with(FAINT, format!("  {age}"));
    if connection.is_connected { line } else { line.with(FAINT, "  datagrams") }
}

fn place(address: IpAddr, port: u16) -> String {
    match port {
        0 if address.is_unspecified() => "several".to_owned(),
        0 => address.to_string(),
        _ => SocketAddr::new(address, port).to_string(),
    }
}

#[cfg(test)]
mod tests;
