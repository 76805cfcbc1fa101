//! Whose doing something is, beyond one process: the script it is a line of, and the way by which it came into its
//! container.
//!
//! A script's lines are siblings: `curl` writes, `chmod` makes it executable, the file runs. None is the others'
//! ancestor, so the story follows the shell that started them all.

use std::sync::Arc;

use crate::event::Event;
use crate::state::process::{Process, ProcessKey};

/// Programs that run what others wrote, line by line. By name, which anybody may choose: who hides a shell behind
/// another name gets shorter stories, not fewer alerts.
const INTERPRETERS: [&str; 19] = [
    "sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "busybox", "python", "perl", "ruby", "node",
    "nodejs", "php", "lua", "make", "xargs", "timeout",
];

/// Where a process stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    /// The topmost of the interpreters that lead to it without a gap; itself where none does.
    pub(super) group: ProcessKey,
    /// The topmost of its ancestors within its container: the container's first process, or what was brought in by
    /// the runtime (`docker exec`). None outside of containers.
    pub(super) entry: Option<ProcessKey>,
}

impl Scope {
    pub(super) fn of(event: &Event) -> Self {
        let process = &event.process;
        let is_inside = |ancestor: &&Arc<Process>| ancestor.container == process.container;
        let inside = event.ancestors.iter().take_while(is_inside);
        let group =
            inside.clone().take_while(|ancestor| is_interpreter(ancestor)).last().unwrap_or(process).key;
        let entry = process.container.is_some().then(|| inside.last().unwrap_or(process).key);
        Self { group, entry }
    }
}

fn is_interpreter(process: &Process) -> bool {
    let name = process.name();
    // `python3.13`, `lua5.4`.
    let bare = name.trim_end_matches(|character: char| character.is_ascii_digit() || character == '.');
    process.executable.script().is_some() || INTERPRETERS.contains(&bare)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::sample;
    use crate::state::process::Executable;

    fn process(pid: u32, path: &str, container: Option<&str>) -> Arc<Process> {
        let event = sample::event();
        Arc::new(Process {
            key: ProcessKey { pid, start_time: 1 },
            executable: Executable { path: path.to_owned(), ..Executable::default() },
            container: container.map(Arc::from),
            ..Process::clone(&event.process)
        })
    }

    fn scope(lineage: &[(&str, Option<&str>)]) -> (u32, Option<u32>) {
        let mut all = (1..).zip(lineage).map(|(pid, (path, container))| process(pid, path, *container));
        let process = all.next().unwrap();
        let scope = Scope::of(&Event { process, ancestors: all.collect(), ..sample::event() });
        (scope.group.pid, scope.entry.map(|key| key.pid))
    }

    #[test]
    fn a_script_holds_its_lines_together_and_a_container_what_came_in_one_way() {
        let (curl, sh, shim) = ("/usr/bin/curl", "/bin/sh", "/usr/bin/containerd-shim");
        let web = Some("web");
        assert_eq!(
            scope(&[(curl, web), (sh, web), ("/usr/bin/python3.13", web), (shim, None)]),
            (3, Some(3))
        );
        assert_eq!(scope(&[(curl, web), ("/usr/bin/java", web), (sh, web), (shim, None)]), (1, Some(3)));
        assert_eq!(scope(&[(sh, web), (sh, None)]), (1, Some(1)), "a shell of the host is another matter");
        assert_eq!(scope(&[(curl, None), (sh, None), ("/usr/sbin/sshd", None)]), (2, None));
    }
}
