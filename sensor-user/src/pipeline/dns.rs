//! Names that are asked for: events of the process that asked, and names of addresses.

use std::sync::Arc;

use sensor_ebpf::wire::Actor;

use super::{Host, Pipeline};
use crate::decode::Dns;
use crate::dns;
use crate::event::field::Category;
use crate::event::{Body, DnsAnswer, DnsQuery};

impl Pipeline {
    /// A packet to or from a name server. Its socket tells the process; where nobody was seen to open it, its
    /// cgroup tells the container, and only the names are learnt.
    pub(super) fn dns(&mut self, time: u64, actor: &Actor, packet: &Dns, host: &mut impl Host) {
        let process = self.flows.owner(packet.socket).and_then(|owner| self.processes.get(owner));
        let container = match &process {
            Some(process) => process.container.clone(),
            None => self.containers.by_cgroup(actor.cgroup_id),
        };
        let messages = dns::read(&packet.message, packet.is_tcp, packet.is_answer);
        if messages.is_empty() {
            self.passed.refused_names += 1;
        }
        for message in messages {
            let answer = message.answer.map(|answer| {
                let name: Arc<str> = Arc::from(message.name.as_str());
                for (address, ttl) in &answer.addresses {
                    self.names.learn(container.as_ref(), *address, &name, *ttl, time);
                }
                let addresses = answer.addresses.into_iter().map(|(address, _)| address).collect();
                DnsAnswer { code: answer.code, addresses, records: answer.records }
            });
            let Some(process) = &process else { continue };
            if !self.wants(Category::DnsQuery, process.key) {
                continue;
            }
            let query = DnsQuery { server: packet.server, name: message.name, kind: message.kind, answer };
            self.event(time, process.key, Body::DnsQuery(query), host);
        }
    }
}
