//! Cgroups, which make containers, and what changes the ground under processes.

use sensor_ebpf::wire::Actor;

use super::{Host, Pipeline, key};
use crate::decode::{Cgroup, Mount, Namespace};
use crate::event::field::Category;
use crate::event::{Body, SystemChange};
use crate::state::cgroup_path;
use crate::state::process::{Place, ProcessKey};
use crate::state::standing::Claim;

/// Number of the v2 hierarchy (`cgroup_root.hierarchy_id` of `cgrp_dfl_root`, kernel/cgroup/cgroup.c).
const V2: u32 = 0;

/// `enum bpf_prog_type` (include/uapi/linux/bpf.h), with bpftool's names.
const BPF_TYPES: [&str; 33] = [
    "unspec",
    "socket_filter",
    "kprobe",
    "sched_cls",
    "sched_act",
    "tracepoint",
    "xdp",
    "perf_event",
    "cgroup_skb",
    "cgroup_sock",
    "lwt_in",
    "lwt_out",
    "lwt_xmit",
    "sock_ops",
    "sk_skb",
    "cgroup_device",
    "sk_msg",
    "raw_tracepoint",
    "cgroup_sock_addr",
    "lwt_seg6local",
    "lirc_mode2",
    "sk_reuseport",
    "flow_dissector",
    "cgroup_sysctl",
    "raw_tracepoint_writable",
    "cgroup_sockopt",
    "tracing",
    "struct_ops",
    "ext",
    "lsm",
    "sk_lookup",
    "syscall",
    "netfilter",
];

impl Pipeline {
    pub(super) fn cgroup_created(&mut self, time: u64, cgroup: &Cgroup) {
        // Ids are inode numbers and each hierarchy counts its own.
        if cgroup.hierarchy != V2 {
            return;
        }
        match cgroup_path::identify(&cgroup.path) {
            Some(identity) => drop(self.containers.see(cgroup.id, &identity, time)),
            None => self.strangers.see(cgroup.id, &cgroup.path, time),
        }
    }

    pub(super) fn cgroup_removed(&mut self, time: u64, cgroup: &Cgroup) {
        if cgroup.hierarchy == V2 {
            if self.containers.ended(cgroup.id, time)
                && let Some(id) = self.containers.by_cgroup(cgroup.id)
            {
                self.release(&id);
                self.lives.ended(&id, time);
                self.container_ended(time, &id);
            }
            self.strangers.ended(cgroup.id, time);
        }
    }

    pub(super) fn cgroup_attached(&mut self, time: u64, actor: &Actor, cgroup: Cgroup, host: &mut impl Host) {
        let Cgroup { id, hierarchy, path, target_pid, target_start_time } = cgroup;
        let target = ProcessKey { pid: target_pid, start_time: target_start_time };
        let claim = (hierarchy == V2).then(|| self.claim_of_path(&path, id, time));
        self.changed(time, actor, SystemChange::CgroupAttach { target_pid, path }, host);
        let (Some(claim), Some(was)) = (claim, self.processes.place(target)) else { return };
        if let Claim::Container(container) = &claim {
            self.containers.note_seen(container, target);
        }
        self.moved(time, target, Place { cgroup_id: id, ..was }, Some(claim), host);
    }

    pub(super) fn namespace_entered(
        &mut self,
        time: u64,
        actor: &Actor,
        namespace: Namespace,
        host: &mut impl Host,
    ) {
        let before = self.processes.get(key(actor)).map_or(0, |process| process.session.net_ns);
        let another = |now: u32, before: u32| if now == before { 0 } else { now };
        let mnt_ns = another(namespace.mnt_ns, actor.mnt_ns);
        let pid_ns = another(namespace.pid_ns, actor.pid_ns);
        let net_ns = another(namespace.net_ns, before);
        self.changed(time, actor, SystemChange::NamespaceEnter { mnt_ns, pid_ns, net_ns }, host);
        if let Some(was) = self.processes.place(key(actor)) {
            let now = |new: u32, old: u32| if new == 0 { old } else { new };
            let place = Place {
                mnt_ns: now(namespace.mnt_ns, was.mnt_ns),
                pid_ns: now(namespace.pid_ns, was.pid_ns),
                ..was
            };
            self.moved(time, key(actor), place, None, host);
        }
    }

    pub(super) fn bpf_loaded(
        &mut self,
        time: u64,
        actor: &Actor,
        program_type: u32,
        name: String,
        host: &mut impl Host,
    ) {
        let kind = usize::try_from(program_type).ok().and_then(|number| BPF_TYPES.get(number));
        let kind = kind.map_or_else(|| program_type.to_string(), |name| (*name).to_owned());
        self.changed(time, actor, SystemChange::BpfLoad { kind, name }, host);
    }

    pub(super) fn module_loaded(&mut self, time: u64, actor: &Actor, name: String, host: &mut impl Host) {
        self.changed(time, actor, SystemChange::ModuleLoad { name }, host);
    }

    pub(super) fn mounted(&mut self, time: u64, actor: &Actor, mount: Mount, host: &mut impl Host) {
        let Mount { flags, source, kind, target } = mount;
        self.changed(time, actor, SystemChange::Mount { source, kind, target, flags }, host);
    }

    fn changed(&mut self, time: u64, actor: &Actor, change: SystemChange, host: &mut impl Host) {
        if self.wants(Category::SystemChange, key(actor)) {
            self.event(time, key(actor), Body::SystemChange(change), host);
        }
    }
}
