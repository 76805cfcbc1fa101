//! Programs that start and end, and what they do to each other.

use std::sync::Arc;

use sensor_ebpf::wire::Actor;
use sensor_ebpf::wire::process::Exec as ExecFlags;
use sensor_ebpf::wire::text::ARGUMENTS_MAX;

use super::{Host, Pipeline, comm, key};
use crate::decode::{Access, Exec, Fork};
use crate::event::field::Category;
use crate::event::{Body, FileAction, FileChange, ProcessAccess};
use crate::state::process::program::{further_names, terminal};
use crate::state::process::stream::Streams;
use crate::state::process::{Arguments, Executable, Fork as Forked, Process, ProcessKey, Session, Written};
use crate::state::standing::Standing;
use crate::state::writer::Write;

/// Longest command line kept of whoever wrote a program, bytes: it says what was done, and a linker's has ten
/// times as much.
const WRITER_LINE_MAX: usize = 512;

impl Pipeline {
    pub(super) fn exec(&mut self, time: u64, actor: &Actor, mut exec: Exec, host: &mut impl Host) {
        let parent_key = ProcessKey { pid: exec.parent_pid, start_time: exec.parent_start_time };
        let process = Process {
            key: key(actor),
            parent: (exec.parent_pid != 0).then_some(parent_key),
            executable: executable(&exec),
            session: self.session(&exec),
            arguments_truncated: exec.arguments_truncated,
            arguments: arguments(&exec),
            command: None,
            directory: Some(exec.directory),
            comm: comm(actor),
            uid: actor.uid,
            gid: actor.gid,
            effective_uid: exec.effective_uid,
            mnt_ns: actor.mnt_ns,
            pid_ns: actor.pid_ns,
            cgroup_id: actor.cgroup_id,
            container: None,
            standing: Standing::default(),
            exec_time: time,
        };
        exec.arguments.append(&mut exec.last_arguments);
        let mut process = process.understood(&exec.arguments);
        process.executable.written = self.writer_of(&process);
        if let Some(pipe) = process.session.streams.output.id() {
            self.writers.intake.feeds(pipe, process.key);
        }
        let trick = self.admit(time, actor, &exec.cgroup, &mut process);
        if let Some(container) = &process.container {
            host.entered(process.mnt_ns, container, process.key.pid, time);
        }
        let process = self.processes.insert_exec(process);
        self.passed.count(Category::ProcessCreation);
        // What is found in a container's first program counts already.
        let begun = self.begin_lives();
        self.event_of(time, process, Body::ProcessCreation, host);
        self.tell_begun(begun, host);
        if let Some(trick) = trick {
            self.tricked(time, key(actor), trick, host);
        }
    }

    /// Who wrote the file that a process runs, as far as was seen.
    fn writer_of(&mut self, process: &Process) -> Option<Arc<Written>> {
        let Executable { file, upper_layer, .. } = &process.executable;
        let Write { by, time, .. } = self.writers.of((*file)?, *upper_layer)?;
        // Ten minutes after its end it is not known any more; that it was written still is.
        let writer = self.processes.get(by);
        let input = writer.as_ref().and_then(|writer| writer.session.streams.input.id());
        let image = writer.as_ref().map_or_else(String::new, |writer| writer.executable.telling().to_owned());
        let arguments = writer.map(|writer| writer.arguments.head(WRITER_LINE_MAX)).unwrap_or_default();
        let received = self.writers.intake.of(by, input);
        Some(Arc::new(Written { time, by, image, arguments, received }))
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
        self.left(time, key(actor), host);
        let process = self.processes.exit(key(actor), time);
        self.exited(time, key(actor), process.as_ref(), code);
        self.process_ended(time, key(actor));
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

fn arguments(exec: &Exec) -> Arguments {
    let size = exec.arguments_size;
    if exec.last_arguments.is_empty() && usize::try_from(size).is_ok_and(|size| size <= ARGUMENTS_MAX) {
        return exec.arguments.as_slice().into();
    }
    Arguments::cut(&exec.arguments, &exec.last_arguments, exec.argument_count, size)
}

fn executable(exec: &Exec) -> Executable {
    let has = |flag| exec.flags & flag != 0;
    let (applet, loaded) = further_names(&exec.path, &exec.arguments, &exec.directory);
    Executable {
        path: exec.path.clone(),
        invoked: Some(exec.filename.clone()).filter(|name| !name.is_empty()),
        applet,
        loaded,
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
            streams: Streams::from(exec.streams),
            environment: self.capture.environment(&exec.environment),
        }
    }
}
