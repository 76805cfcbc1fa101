//! Every text of an event that a watched process had a hand in, for `tidewaiter events`.

use super::{Redactor, Tally};
use crate::event::{
    Body, Connection, DnsAnswer, DnsQuery, Event, FileChange, Flow, ProcessAccess, Socket, SystemChange,
};

impl Redactor {
    /// The event as it may be told, and how many secrets were taken out; none: it may be told as it is.
    #[must_use]
    pub fn event(&self, event: &Event) -> Option<(Event, u32)> {
        if self.is_off() {
            return None;
        }
        let mut tally = self.tally();
        let mut copy = event.clone();
        tally.event(&mut copy);
        (tally.count > 0).then_some((copy, tally.count))
    }
}

impl Tally<'_> {
    fn event(&mut self, event: &mut Event) {
        let Event {
            time: _,
            date: _,
            process,
            ancestors,
            container: _,
            phase: _,
            user: _,
            sent_in_hour: _,
            baseline: _,
            body,
        } = event;
        self.process(process);
        ancestors.iter_mut().for_each(|ancestor| self.process(ancestor));
        match body {
            Body::ProcessCreation | Body::ContainerEvent(_) | Body::ContainerResource(_) => {}
            Body::ProcessAccess(ProcessAccess { target, target_pid: _, signal: _ }) => {
                target.iter_mut().for_each(|target| self.process(target));
            }
            Body::NetworkConnection(connection) => self.connection(connection),
            Body::NetworkFlow(flow) => {
                let Flow {
                    connection,
                    bytes_sent: _,
                    bytes_received: _,
                    bytes_sent_new: _,
                    bytes_received_new: _,
                    state: _,
                } = flow;
                self.connection(connection);
            }
            Body::NetworkSocket(socket) => match socket {
                Socket::Runtime { path } => self.string(path),
                Socket::Raw { protocol: _ }
                | Socket::Packet
                | Socket::Vsock
                | Socket::Other { family: _, kind: _ } => {}
            },
            Body::DnsQuery(DnsQuery { server: _, name, kind: _, answer }) => {
                self.string(name);
                if let Some(DnsAnswer { code: _, addresses: _, records }) = answer {
                    records.iter_mut().for_each(|record| self.string(record));
                }
            }
            Body::FileEvent(FileChange {
                action: _,
                path,
                from,
                file: _,
                bytes: _,
                size: _,
                is_mapped: _,
            }) => {
                self.string(path);
                from.iter_mut().for_each(|from| self.string(from));
            }
            Body::SystemChange(change) => self.change(change),
        }
    }

    fn connection(&mut self, connection: &mut Connection) {
        let Connection { socket: _, protocol: _, address: _, port: _, hostname, direction: _, connected: _ } =
            connection;
        self.name(hostname);
    }

    fn change(&mut self, change: &mut SystemChange) {
        match change {
            SystemChange::CgroupAttach { target_pid: _, path } => self.string(path),
            SystemChange::BpfLoad { kind: _, name } | SystemChange::ModuleLoad { name } => self.string(name),
            SystemChange::Mount { source, kind: _, target, flags: _ } => {
                self.string(source);
                self.string(target);
            }
            SystemChange::NamespaceEnter { mnt_ns: _, pid_ns: _, net_ns: _ }
            | SystemChange::Identity { trick: _ } => {}
        }
    }
}
