//! Who: the identity of a task, from its own `task_struct`.

use aya_ebpf::helpers::generated::{
    bpf_get_current_cgroup_id, bpf_get_current_pid_tgid, bpf_get_current_task, bpf_ktime_get_boot_ns,
};
use sensor_ebpf::wire::setting::trial;
use sensor_ebpf::wire::{Actor, COMM_SIZE, Header, Kind, VERSION};

use crate::map::{FACTS, TRIAL};
use crate::read::{Address, offset};

/// A kernel thread (`PF_KTHREAD`, include/linux/sched.h): it writes pages back for others.
const KERNEL_THREAD: u32 = 0x0020_0000;

/// A `task_struct`.
#[derive(Clone, Copy)]
pub struct Task(pub Address);

impl Task {
    #[inline(always)]
    pub fn current() -> Self {
        // SAFETY: takes no argument and only returns a pointer.
        Self(Address(unsafe { bpf_get_current_task() }))
    }

    #[inline(always)]
    pub fn pid(self) -> u32 {
        self.0.get(offset!(task_tgid))
    }

    #[inline(always)]
    pub fn tid(self) -> u32 {
        self.0.get(offset!(task_pid))
    }

    #[inline(always)]
    pub fn is_kernel_thread(self) -> bool {
        self.0.get::<u32>(offset!(task_flags)) & KERNEL_THREAD != 0
    }

    /// The agent's own doings are not reported: they would make it watch itself.
    #[inline(always)]
    pub fn is_agent(self) -> bool {
        let agent = FACTS.load().agent_pid;
        agent != 0 && self.pid() == agent
    }

    /// A child that the agent started to prove its hooks.
    #[inline(always)]
    pub fn is_trial(self) -> bool {
        under_trial(trial::CHILDREN) != 0 && self.parent().is_agent()
    }

    /// Start of the thread group leader, `CLOCK_BOOTTIME` nanoseconds.
    #[inline(always)]
    pub fn start_time(self) -> u64 {
        self.0.follow(offset!(task_group_leader)).get(offset!(task_start_boottime))
    }

    #[inline(always)]
    pub fn net_ns(self) -> u32 {
        self.0.follow(offset!(task_nsproxy)).follow(offset!(nsproxy_net_ns)).get(offset!(net_inum))
    }

    #[inline(always)]
    pub fn user_ns(self) -> u32 {
        self.cred().follow(offset!(cred_user_ns)).get(offset!(user_namespace_inum))
    }

    #[inline(always)]
    pub fn parent(self) -> Self {
        Self(self.0.follow(offset!(task_real_parent)))
    }

    #[inline(always)]
    pub fn cred(self) -> Address {
        self.0.follow(offset!(task_cred))
    }

    /// It acts with the rights of somebody else for now, as an overlay does below itself
    /// (`override_creds`, kernel/cred.c).
    #[inline(always)]
    pub fn acts_for_another(self) -> bool {
        self.cred() != self.0.follow(offset!(task_real_cred))
    }

    #[inline(always)]
    pub fn pid_ns(self) -> u32 {
        self.0.follow(offset!(task_nsproxy)).follow(offset!(nsproxy_pid_ns)).get(offset!(pid_namespace_inum))
    }

    #[inline(always)]
    pub fn mnt_ns(self) -> u32 {
        self.0.follow(offset!(task_nsproxy)).follow(offset!(nsproxy_mnt_ns)).get(offset!(mnt_namespace_inum))
    }

    /// The `kernfs_node` of the task's cgroup in the v2 hierarchy.
    #[inline(always)]
    pub fn cgroup_node(self) -> Address {
        self.0.follow(offset!(task_cgroups)).follow(offset!(css_set_dfl_cgroup)).follow(offset!(cgroup_kn))
    }

    /// The same in the v1 `pids` hierarchy, for hosts whose runtime leaves v2's root to everybody.
    #[inline(always)]
    pub fn v1_cgroup_node(self) -> Address {
        let subsystem = FACTS.load().pids_subsystem;
        if subsystem == 0 {
            return Address::NULL;
        }
        let pointer = size_of::<u64>() as u64 * (subsystem - 1) as u64;
        let table = self.0.follow(offset!(task_cgroups)).member(offset!(css_set_subsys));
        let state = Address(Address(table.0.wrapping_add(pointer)).read());
        state.follow(offset!(css_cgroup)).follow(offset!(cgroup_kn))
    }

    #[inline(always)]
    pub fn cgroup_id(self) -> u64 {
        self.cgroup_node().get(offset!(kernfs_node_id))
    }

    #[inline(always)]
    pub fn actor(self) -> Actor {
        let cred = self.cred();
        Actor {
            start_time: self.start_time(),
            cgroup_id: self.cgroup_id(),
            pid: self.pid(),
            tid: self.tid(),
            uid: cred.get(offset!(cred_uid)),
            gid: cred.get(offset!(cred_gid)),
            mnt_ns: self.mnt_ns(),
            pid_ns: self.pid_ns(),
            comm: self.0.get::<[u8; COMM_SIZE]>(offset!(task_comm)),
        }
    }

    /// The first bytes of a record about this task. Of a record with texts `emit` sets the size.
    #[inline(always)]
    pub fn header(self, kind: Kind, size: usize) -> Header {
        Header { version: VERSION, kind: kind as u16, size: size as u32, time: now(), actor: self.actor() }
    }
}

/// The current task, by the helpers that cost next to nothing: for what is asked before it is known
/// whether there is anything to tell.
#[derive(Clone, Copy)]
pub struct Current {
    pub pid: u32,
    /// Thread group and thread in one number.
    pub thread: u64,
}

impl Current {
    #[inline(always)]
    pub fn get() -> Self {
        // SAFETY: takes no argument and only returns a number.
        let thread = unsafe { bpf_get_current_pid_tgid() };
        Self { pid: (thread >> 32) as u32, thread }
    }

    /// The agent's own doings are not reported: they would make it watch itself.
    #[inline(always)]
    pub fn is_agent(self) -> bool {
        let agent = FACTS.load().agent_pid;
        agent != 0 && self.pid == agent
    }

    /// Id of its cgroup in the v2 hierarchy.
    #[inline(always)]
    pub fn cgroup_id(self) -> u64 {
        // SAFETY: takes no argument and only returns a number.
        unsafe { bpf_get_current_cgroup_id() }
    }
}

/// A cell of the map `TRIAL`.
#[inline(always)]
pub fn under_trial(cell: u32) -> u64 {
    TRIAL.get(cell).copied().unwrap_or(0)
}

/// `CLOCK_BOOTTIME`, nanoseconds: the clock of every time in every record.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: takes no argument and only returns a number.
    unsafe { bpf_ktime_get_boot_ns() }
}
