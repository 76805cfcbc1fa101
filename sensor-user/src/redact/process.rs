//! Every text of a process. A struct that gets another field does not compile until it is said here what is in it.

use std::sync::Arc;

use super::Tally;
use crate::command::{Cloud, Command, Transfer};
use crate::state::process::{Executable, Process, Session, Written};

impl Tally<'_> {
    /// The process as it may be told; who has no secret stays shared.
    pub(crate) fn process(&mut self, process: &mut Arc<Process>) {
        if !self.may_have(process) {
            return;
        }
        let before = self.count;
        let mut copy = Process::clone(process);
        self.texts(&mut copy);
        if self.count > before {
            *process = Arc::new(copy);
        }
    }

    pub(super) fn string(&mut self, text: &mut String) {
        if let Some(redacted) = self.text(text) {
            *text = redacted;
        }
    }

    pub(super) fn name(&mut self, name: &mut Option<Arc<str>>) {
        if let Some(redacted) = name.as_deref().and_then(|name| self.text(name)) {
            *name = Some(redacted.into());
        }
    }

    /// Searches without a copy. What a command means is part of its line, so it is not searched again.
    fn may_have(&self, process: &Process) -> bool {
        let Process {
            key: _,
            parent: _,
            executable,
            arguments,
            arguments_truncated: _,
            command: _,
            session,
            directory,
            comm,
            uid: _,
            gid: _,
            effective_uid: _,
            mnt_ns: _,
            pid_ns: _,
            cgroup_id: _,
            container: _,
            standing: _,
            exec_time: _,
        } = process;
        let Executable {
            path,
            invoked,
            applet,
            loaded,
            interpreter,
            file: _,
            memfd: _,
            deleted: _,
            upper_layer: _,
            written,
        } = executable;
        let Session { login_uid: _, terminal, net_ns: _, user_ns: _, by_thread: _, streams: _, environment } =
            session;
        let names = [invoked, applet, loaded, interpreter, directory, terminal].into_iter().flatten();
        let written = written.as_deref().map(|written| [written.image.as_str(), written.arguments.line()]);
        let texts = [arguments.line(), path.as_str(), comm.as_str()].into_iter();
        let texts = texts.chain(names.map(String::as_str)).chain(written.into_iter().flatten());
        let mut texts = texts.chain(environment.iter().map(String::as_str));
        texts.any(|text| self.redactor.may_have(text))
    }

    fn texts(&mut self, process: &mut Process) {
        let Process {
            key: _,
            parent: _,
            executable,
            arguments,
            arguments_truncated: _,
            command,
            session,
            directory,
            comm,
            uid: _,
            gid: _,
            effective_uid: _,
            mnt_ns: _,
            pid_ns: _,
            cgroup_id: _,
            container: _,
            standing: _,
            exec_time: _,
        } = process;
        self.executable(executable);
        if let Some(redacted) = self.arguments(arguments) {
            *arguments = redacted;
        }
        let Session { login_uid: _, terminal, net_ns: _, user_ns: _, by_thread: _, streams: _, environment } =
            session;
        for variable in environment {
            if let Some(redacted) = self.line(variable) {
                *variable = redacted;
            }
        }
        [terminal, directory].into_iter().flatten().for_each(|text| self.string(text));
        self.string(comm);
        // Parts of the arguments: what was taken out of them is counted already.
        let counted = self.count;
        self.command(command);
        self.count = counted;
    }

    fn executable(&mut self, executable: &mut Executable) {
        let Executable {
            path,
            invoked,
            applet,
            loaded,
            interpreter,
            file: _,
            memfd: _,
            deleted: _,
            upper_layer: _,
            written,
        } = executable;
        self.string(path);
        [invoked, applet, loaded, interpreter].into_iter().flatten().for_each(|text| self.string(text));
        if let Some(known) = written {
            let before = self.count;
            let mut copy = Written::clone(known);
            let Written { time: _, by: _, image, arguments, received: _ } = &mut copy;
            self.string(image);
            if let Some(redacted) = self.arguments(arguments) {
                *arguments = redacted;
            }
            if self.count > before {
                *known = Arc::new(copy);
            }
        }
    }

    fn command(&mut self, command: &mut Option<Arc<Command>>) {
        let Some(known) = command else { return };
        let before = self.count;
        let mut copy = Command::clone(known);
        let Command { transfer, cloud } = &mut copy;
        transfer.iter_mut().flat_map(Transfer::texts_mut).for_each(|text| self.string(text));
        cloud.iter_mut().flat_map(Cloud::texts_mut).for_each(|text| self.string(text));
        if self.count > before {
            *known = Arc::new(copy);
        }
    }
}
