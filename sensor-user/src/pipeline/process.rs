//! Programs that start and end, and what they do to each other.

mod program;

use sensor_ebpf::wire::Actor;
use sensor_ebpf::wire::process::Exec as ExecFlags;
use sensor_ebpf::wire::text::ARGUMENTS_MAX;

use super::{Host, Pipeline, comm, key};
use crate::decode::{Access, Exec, Fork};
use crate::event::field::Category;
use crate::event::{Body, FileAction, FileChange, ProcessAccess};
use crate::state::cgroup_path;
use crate::state::process::{Arguments, Executable, Fork as Forked, Process, ProcessKey, Session};
use crate::state::standing::Standing;
use program::{applet, loaded, terminal};

impl Pipeline {
    pub(super) fn exec(&mut self, time: u64, actor: &Actor, exec: Exec, host: &mut impl Host) {
        let identity = cgroup_path::identify(&exec.cgroup);
        let container = identity.map(|identity| self.containers.see(actor.cgroup_id, &identity, time));
        let parent_key = ProcessKey { pid: exec.parent_pid, start_time: exec.parent_start_time };
        let process = Process {
            key: key(actor),
            parent: (exec.parent_pid != 0).then_some(parent_key),
            executable: executable(&exec),
            session: self.session(&exec),
            arguments_truncated: exec.arguments_truncated,
            arguments: arguments(
                exec.arguments,
                exec.last_arguments,
                exec.argument_count,
                exec.arguments_size,
            ),
            directory: Some(exec.directory),
            comm: comm(actor),
            uid: actor.uid,
            gid: actor.gid,
            effective_uid: exec.effective_uid,
            mnt_ns: actor.mnt_ns,
            pid_ns: actor.pid_ns,
            cgroup_id: actor.cgroup_id,
            container,
            standing: Standing::default(),
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
        self.forked(parent, child);
    }

    pub(super) fn exit(&mut self, time: u64, actor: &Actor, code: u32, host: &mut impl Host) {
        // Where nobody counts what is written, the file itself tells how much it has now.
        for (path, now) in self.stories.unsized_files(&key(actor)) {
            let size = host.size(&now, actor.mnt_ns);
            let close = FileChange { action: FileAction::Close, path, size, ..FileChange::default() };
            self.event(time, key(actor), Body::FileEvent(close), host);
        }
        let process = self.processes.exit(key(actor), time);
        self.exited(time, key(actor), process.as_ref(), code);
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

fn arguments(list: Vec<String>, end: Vec<String>, count: u32, size: u32) -> Arguments {
    if end.is_empty() && usize::try_from(size).is_ok_and(|size| size <= ARGUMENTS_MAX) {
        return list.into();
    }
    Arguments::cut(list, end, count, size)
}

fn executable(exec: &Exec) -> Executable {
    let has = |flag| exec.flags & flag != 0;
    let loaded = loaded(&exec.path, &exec.arguments);
    let applet = match &loaded {
        Some(loaded) => applet(&loaded.path, &loaded.arguments),
        None => applet(&exec.path, &exec.arguments),
    };
    let directory = exec.directory.trim_end_matches('/');
    let absolute = |path: String| if path.starts_with('/') { path } else { format!("{directory}/{path}") };
    Executable {
        path: exec.path.clone(),
        invoked: Some(exec.filename.clone()).filter(|name| !name.is_empty()),
        applet: applet.map(absolute),
        loaded: loaded.map(|loaded| absolute(loaded.path)),
        interpreter: exec.interpreter.clone(),
        file: Some(exec.file),
        memfd: has(ExecFlags::MEMFD),
        deleted: has(ExecFlags::DELETED),
        upper_layer: has(ExecFlags::UPPER_LAYER),
        written: None,
    }
}

impl Pipeline {
    fn session(&self, exec: &Exec) -> Session {
        Session {
            login_uid: exec.login_uid,
            terminal: exec.terminal.map(|(major, minor)| terminal(major, minor)),
            net_ns: exec.net_ns,
            user_ns: exec.user_ns,
            by_thread: exec.flags & ExecFlags::BY_THREAD != 0,
            environment: self.capture.environment(&exec.environment),
        }
    }
}
