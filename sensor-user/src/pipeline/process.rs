//! Programs that start and end, and what they do to each other.

use sensor_ebpf::wire::Actor;
use sensor_ebpf::wire::process::Exec as ExecFlags;

use super::{Host, Pipeline, comm, key};
use crate::decode::{Access, Exec, Fork};
use crate::event::field::Category;
use crate::event::{Body, ProcessAccess};
use crate::state::cgroup_path;
use crate::state::process::{Executable, Fork as Forked, Process, ProcessKey};

impl Pipeline {
    pub(super) fn exec(&mut self, time: u64, actor: &Actor, exec: Exec, host: &mut impl Host) {
        let identity = cgroup_path::identify(&exec.cgroup);
        let container = identity.map(|identity| self.containers.see(actor.cgroup_id, &identity, time));
        let parent_key = ProcessKey { pid: exec.parent_pid, start_time: exec.parent_start_time };
        let process = Process {
            key: key(actor),
            parent: (exec.parent_pid != 0).then_some(parent_key),
            executable: executable(&exec),
            arguments: exec.arguments.into(),
            arguments_truncated: exec.arguments_truncated,
            directory: Some(exec.directory),
            comm: comm(actor),
            uid: actor.uid,
            gid: actor.gid,
            effective_uid: exec.effective_uid,
            mnt_ns: actor.mnt_ns,
            pid_ns: actor.pid_ns,
            cgroup_id: actor.cgroup_id,
            container,
            exec_time: time,
        };
        if process.container.is_some() {
            host.entered(process.mnt_ns, process.key.pid, time);
        }
        let process = self.processes.insert_exec(process);
        self.passed.events += 1;
        self.event_of(time, process, Body::ProcessCreation, host);
    }

    pub(super) fn fork(&mut self, actor: &Actor, fork: Fork) {
        let parent = key(actor);
        let child = ProcessKey { pid: fork.child_pid, start_time: fork.child_start_time };
        self.processes.insert_fork(Forked {
            parent,
            child,
            uid: actor.uid,
            gid: actor.gid,
            mnt_ns: actor.mnt_ns,
            pid_ns: fork.child_pid_ns,
            cgroup_id: fork.child_cgroup_id,
            container: self.containers.by_cgroup(fork.child_cgroup_id),
            comm: comm(actor),
        });
        self.stories.forked(&parent, child);
    }

    pub(super) fn exit(&mut self, time: u64, actor: &Actor, code: u32) {
        let process = self.processes.exit(key(actor), time);
        self.stories.exited(time, &key(actor), process.as_deref(), code);
    }

    pub(super) fn access(
        &mut self,
        time: u64,
        actor: &Actor,
        access: Access,
        is_signal: bool,
        host: &mut impl Host,
    ) {
        if !self.wants(Category::ProcessAccess, key(actor)) {
            return;
        }
        let Access { target_pid, target_start_time, mode } = access;
        let target = self.processes.get_by_pid(target_pid, target_start_time);
        let signal = is_signal.then_some(mode);
        let body = Body::ProcessAccess(ProcessAccess { target, target_pid, signal });
        self.event(time, key(actor), body, host);
    }
}

/// Multi-call binaries whose `argv[0]` is the applet that runs.
const MULTI_CALL: [&str; 4] = ["busybox", "toybox", "coreutils", "sbase-box"];

fn executable(exec: &Exec) -> Executable {
    let has = |flag| exec.flags & flag != 0;
    Executable {
        path: exec.path.clone(),
        invoked: Some(exec.filename.clone()).filter(|name| !name.is_empty()),
        applet: applet(&exec.path, &exec.arguments),
        file: Some(exec.file),
        memfd: has(ExecFlags::MEMFD),
        deleted: has(ExecFlags::DELETED),
        upper_layer: has(ExecFlags::UPPER_LAYER),
    }
}

/// The applet a multi-call binary runs as, as a path beside it: by `argv[0]`, or where that is the
/// binary's own name by the first argument (`busybox wget ...`).
fn applet(path: &str, arguments: &[String]) -> Option<String> {
    let (directory, name) = path.rsplit_once('/')?;
    if !MULTI_CALL.contains(&name) {
        return None;
    }
    let mut names = arguments.iter().map(|argument| argument.rsplit('/').next().unwrap_or(argument));
    let applet = names.next().filter(|applet| *applet != name).or_else(|| names.next())?;
    let is_name = !applet.is_empty() && !applet.starts_with('-');
    is_name.then(|| format!("{directory}/{}", applet.trim_start_matches('-')))
}

#[cfg(test)]
mod tests {
    use super::applet;

    #[test]
    fn an_applet_is_named_by_what_called_it() {
        let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(applet("/bin/busybox", &list(&["wget", "-O", "x"])).as_deref(), Some("/bin/wget"));
        assert_eq!(applet("/bin/busybox", &list(&["/bin/wget"])).as_deref(), Some("/bin/wget"));
        assert_eq!(applet("/bin/busybox", &list(&["busybox", "nc"])).as_deref(), Some("/bin/nc"));
        assert_eq!(applet("/bin/busybox", &list(&["busybox"])), None);
        assert_eq!(applet("/bin/busybox", &list(&["busybox", "--list"])), None);
        assert_eq!(applet("/usr/bin/curl", &list(&["wget"])), None, "not a multi-call binary");
    }
}
