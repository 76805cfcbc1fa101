//! What was done, in a word and in a line.

use std::net::{IpAddr, SocketAddr};

use super::{Body, Direction, Event, FlowState, ProcessAccess, Socket, SystemChange};
use super::{Connection, ContainerAction, ContainerLife, DnsQuery, Resource, ResourceUse};

impl Event {
    /// What was done, in one word: `event.action`.
    #[must_use]
    pub fn deed(&self) -> &'static str {
        match &self.body {
            Body::ProcessCreation => "exec",
            Body::ProcessAccess(access) => {
                if access.signal.is_some() {
                    "signal"
                } else {
                    "access"
                }
            }
            Body::NetworkConnection(connection) => match (connection.direction, connection.connected) {
                (Direction::Outbound, true) => "connect",
                (Direction::Outbound, false) => "datagram",
                (Direction::Inbound, _) => "accept",
                (Direction::Unknown, _) => "traffic",
            },
            Body::NetworkFlow(flow) => match flow.state {
                FlowState::Open => "transfer",
                FlowState::Closed => "close",
                FlowState::Failed(_) => "fail",
            },
            Body::NetworkSocket(Socket::Runtime { .. }) => "runtime_connect",
            Body::NetworkSocket(_) => "socket",
            Body::DnsQuery(query) => {
                if query.answer.is_some() {
                    "answer"
                } else {
                    "query"
                }
            }
            Body::FileEvent(change) => change.action.name(),
            Body::SystemChange(change) => change.name(),
            Body::ContainerEvent(life) => life.action.name(),
            Body::ContainerResource(used) => used.resource.name(),
        }
    }

    /// To what it was done, in one line; how it looks by itself.
    #[must_use]
    pub fn object(&self) -> String {
        match &self.body {
            Body::ProcessCreation => self.process.command_line().to_owned(),
            Body::ProcessAccess(access) => target(access),
            Body::NetworkConnection(connection) => place(connection),
            Body::NetworkFlow(flow) => place(&flow.connection),
            Body::NetworkSocket(Socket::Runtime { path }) => path.clone(),
            Body::NetworkSocket(Socket::Raw { protocol }) => format!("raw, protocol {protocol}"),
            Body::NetworkSocket(Socket::Packet) => "packet".to_owned(),
            Body::NetworkSocket(Socket::Vsock) => "vsock".to_owned(),
            Body::NetworkSocket(Socket::Other { family, kind }) => format!("family {family} type {kind}"),
            Body::DnsQuery(query) => question(query),
            Body::FileEvent(change) => change.path.clone(),
            Body::SystemChange(change) => system(change),
            Body::ContainerEvent(life) => told(life),
            Body::ContainerResource(used) => usage(used),
        }
    }
}

fn target(access: &ProcessAccess) -> String {
    let ProcessAccess { target, target_pid, signal } = access;
    let name = target.as_deref().map_or("", |target| target.name());
    let signal = signal.map_or_else(String::new, |signal| format!(" signal {signal}"));
    format!("{name}[{target_pid}]{signal}")
}

fn place(connection: &Connection) -> String {
    SocketAddr::new(connection.address, connection.port).to_string()
}

fn question(query: &DnsQuery) -> String {
    let mut text = format!("{} {}", query.name, query.kind);
    if let Some(answer) = &query.answer {
        let addresses = answer.addresses.iter().map(IpAddr::to_string);
        for part in
            std::iter::once(answer.code.clone()).chain(addresses).chain(answer.records.iter().cloned())
        {
            text.push(' ');
            text.push_str(&part);
        }
    }
    text
}

/// Its age in seconds, and what was found in it.
fn told(life: &ContainerLife) -> String {
    let ContainerLife { action, age, alerts } = life;
    match action {
        ContainerAction::Start => "container".to_owned(),
        ContainerAction::End => format!("container after {age} s, {alerts} matches of high or graver"),
    }
}

fn usage(used: &ResourceUse) -> String {
    let amount = |value: u64| match used.resource {
        Resource::Cpu => format!("{}.{:02} CPU", value / 1000, value % 1000 / 10),
        Resource::Memory => format!("{} MiB", value >> 20),
    };
    format!("{}, {} before", amount(used.value), amount(used.normal))
}

fn system(change: &SystemChange) -> String {
    match change {
        SystemChange::CgroupAttach { target_pid, path } => format!("[{target_pid}] to {path}"),
        SystemChange::NamespaceEnter { mnt_ns, pid_ns, net_ns } => {
            format!("mnt {mnt_ns} pid {pid_ns} net {net_ns}")
        }
        SystemChange::BpfLoad { kind, name } => format!("{kind} {name}"),
        SystemChange::ModuleLoad { name } => name.clone(),
        SystemChange::Mount { source, target, kind, .. } => format!("{source} to {target} {kind}"),
        SystemChange::Identity { trick } => trick.name().to_owned(),
    }
}
