//! An event as a document: what `tidewaiter events` writes, one line each.
//!
//! The facts are those that rules see, each under the ECS name that the table of `event/field.rs` gives
//! it; a field that is added there is in the line at once. What rules have no field for stands beside
//! them. A name is a path: `process.parent.pid` lies three deep, as in every other document.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::OnceLock;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sigma::{FieldId, Presence, Record as _, Value as Fact};

use super::dotted::Dotted;
use super::{ECS_VERSION, SCHEMA, entity_id};
use crate::event::field::{Category, Field, TABLE};
use crate::event::{Body, Connection, DnsQuery, Event, Flow, FlowState, ProcessAccess, Socket};
use crate::sink::Origin;

/// A line's document.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub struct EventDocument(Dotted);

impl EventDocument {
    /// All of an event. `time` is its date, `sequence` its number among all messages of this agent.
    #[must_use]
    pub fn new(event: &Event, time: Timestamp, sequence: u64, origin: &Origin) -> Self {
        let mut document = Self::default();
        document.0.set("@timestamp", format!("{time:.6}"));
        document.0.set("kind", "event");
        document.0.set("event.kind", "event");
        document.0.set("event.category", vec![category(event)]);
        document.0.set("event.action", event.deed());
        document.0.set("event.sequence", sequence);
        document.0.set("event.module", "tidewaiter");
        document.0.set("event.dataset", format!("tidewaiter.{}", event.category().name()));
        document.0.set("tidewaiter.schema", SCHEMA);
        document.0.set("tidewaiter.category", event.category().name());
        document.0.set("tidewaiter.boot_ns", event.time);
        document.fields(event);
        document.process(event, origin);
        document.body(&event.body);
        document.0.set("host.hostname", origin.hostname.as_str());
        document.0.set_known("host.boot.id", origin.boot_id.as_deref());
        document.0.set("agent.type", "tidewaiter");
        document.0.set("agent.version", origin.version);
        document.0.set("agent.id", origin.agent_id.to_string());
        document.0.set("agent.ephemeral_id", origin.run_id.to_string());
        document.0.set("ecs.version", ECS_VERSION);
        document
    }

    /// With how many secrets were taken out of its texts.
    #[must_use]
    pub fn redacted(mut self, count: u32) -> Self {
        self.0.set_known("tidewaiter.redacted", Some(count).filter(|count| *count > 0));
        self
    }

    /// What rules see. Of a field with several values the first is the fact and the others are other names
    /// of it, except where the field is a list.
    fn fields(&mut self, event: &Event) {
        let mut pending = Vec::new();
        // The date stands there already, to the microsecond.
        for (field, _, name, _) in TABLE.iter().filter(|(field, ..)| *field != Field::UtcTime) {
            let mut values = Vec::new();
            let presence = event.visit(FieldId(*field as u16), &mut |fact| values.push(value_of(name, fact)));
            match presence {
                Presence::Present => {}
                Presence::Absent => continue,
                Presence::Pending => pending.push(*name),
            }
            if LISTS.contains(name) && !values.is_empty() {
                self.0.set(name, values);
            } else if let Some(first) = values.into_iter().next() {
                self.0.set(name, first);
            }
        }
        if !pending.is_empty() {
            self.0.set("tidewaiter.pending", pending);
        }
    }

    fn process(&mut self, event: &Event, origin: &Origin) {
        if let Some(written) = &event.process.executable.written {
            let time = origin.date(written.time).map(|time| format!("{time:.6}"));
            self.0.set("tidewaiter.executable.writer.pid", written.by.pid);
            self.0.set_known("tidewaiter.executable.writer.time", time);
        }
        self.0.set("process.entity_id", entity_id(event.process.key));
        if let Some(parent) = event.ancestors.first() {
            self.0.set("process.parent.entity_id", entity_id(parent.key));
        }
        let images: Vec<_> = event.process.executable.images().collect();
        if images.len() > 1 {
            self.0.set("tidewaiter.images", images);
        }
    }

    fn body(&mut self, body: &Body) {
        match body {
            Body::ProcessCreation => {}
            Body::ProcessAccess(access) => self.access(access),
            Body::NetworkConnection(connection) => self.connection(connection),
            Body::NetworkFlow(flow) => self.flow(flow),
            Body::NetworkSocket(socket) => self.socket(socket),
            Body::DnsQuery(query) => self.query(query),
            Body::FileEvent(change) => {
                self.0.set_known("file.inode", change.file.map(|file| file.inode.to_string()));
            }
            // All that is known of them are fields.
            Body::SystemChange(_) | Body::ContainerEvent(_) | Body::ContainerResource(_) => {}
        }
    }

    fn access(&mut self, access: &ProcessAccess) {
        if let Some(target) = &access.target {
            self.0.set("tidewaiter.target.entity_id", entity_id(target.key));
        }
    }

    fn connection(&mut self, connection: &Connection) {
        let family = if connection.address.is_ipv4() { "ipv4" } else { "ipv6" };
        self.0.set("network.type", family);
        // As text: numbers beyond 2^53 do not survive every reader of JSON (RFC 8259, section 6).
        self.0.set("tidewaiter.network.id", opaque(connection.socket));
        self.0.set("tidewaiter.network.connected", connection.connected);
    }

    fn flow(&mut self, flow: &Flow) {
        self.connection(&flow.connection);
        self.0.set("network.bytes", flow.bytes_sent.saturating_add(flow.bytes_received));
        if let FlowState::Failed(errno) = flow.state {
            self.0.set_known("tidewaiter.network.errno", Some(errno).filter(|errno| *errno != 0));
        }
    }

    fn socket(&mut self, socket: &Socket) {
        match socket {
            Socket::Raw { protocol } => self.0.set("network.iana_number", protocol.to_string()),
            Socket::Other { family, kind } => {
                self.0.set("tidewaiter.network.family", *family);
                self.0.set("tidewaiter.network.kind", *kind);
            }
            Socket::Packet | Socket::Vsock | Socket::Runtime { .. } => {}
        }
    }

    fn query(&mut self, query: &DnsQuery) {
        self.0.set("dns.type", if query.answer.is_some() { "answer" } else { "query" });
        if let Some(answer) = &query.answer {
            let addresses: Vec<_> = answer.addresses.iter().map(IpAddr::to_string).collect();
            self.0.set("dns.resolved_ip", addresses);
        }
    }
}

/// Facts that are lists, however many values they have; several values of another are names of one thing, and the
/// first is the fact.
const LISTS: [&str; 17] = [
    "process.args",
    "process.env_vars",
    "tidewaiter.lineage.executable",
    "tidewaiter.container.nested",
    "container.image.hash.all",
    "orchestrator.resource.label",
    "dns.answers.data",
    "tidewaiter.transfer.scheme",
    "tidewaiter.transfer.remote",
    "tidewaiter.transfer.remote_host",
    "tidewaiter.transfer.remote_port",
    "tidewaiter.transfer.remote_user",
    "tidewaiter.transfer.local",
    "tidewaiter.cloud.region",
    "tidewaiter.cloud.region_source",
    "tidewaiter.cloud.bucket",
    "tidewaiter.cloud.account",
];

/// Ids of users are texts in ECS.
fn value_of(name: &str, fact: Fact<'_>) -> Value {
    match fact {
        Fact::Text(text) => text.into(),
        Fact::Number(number) if name.ends_with(".id") => number.to_string().into(),
        Fact::Number(number) => number.into(),
        Fact::Ip(ip) => ip.to_string().into(),
        Fact::Bool(flag) => flag.into(),
    }
}

/// The word of ECS for the sensor's category.
fn category(event: &Event) -> &'static str {
    match event.category() {
        Category::ProcessCreation | Category::ProcessAccess => "process",
        Category::NetworkConnection
        | Category::NetworkFlow
        | Category::NetworkSocket
        | Category::DnsQuery => "network",
        Category::FileEvent | Category::FileAccess => "file",
        // ECS has no word of its own for containers (event.category, allowed values).
        Category::SystemChange | Category::ContainerEvent | Category::ContainerResource => "host",
    }
}

/// A name for a socket that joins its events within one run and does not tell where the kernel keeps it: its
/// address would help whoever attacks the kernel.
fn opaque(socket: u64) -> String {
    static KEY: OnceLock<RandomState> = OnceLock::new();
    format!("{:016x}", KEY.get_or_init(RandomState::new).hash_one(socket))
}

#[cfg(test)]
mod tests;
