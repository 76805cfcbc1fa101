//! What the agent hands down before it loads the programs: struct offsets and bounds.
//!
//! They become read-only data, which the verifier treats as constants, so a field that this kernel
//! lacks costs nothing: its branch is removed.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Size of the ring, bytes: a power of two and a multiple of the page size. It is mapped twice and
/// counts against the resident memory goal of 48 MiB.
pub const RING_SIZE: u32 = 4 * 1024 * 1024;
/// The part of the ring that only critical records ([`super::Kind::is_critical`]) may use: while a
/// flood of connects is refused, 1 MiB still takes several hundred execs.
pub const RESERVED_FOR_CRITICAL: u32 = 1024 * 1024;

/// The agent is woken early when this much waits, bytes: a tenth of a second of 20,000 records/s.
pub const WAKE_LEVEL: u32 = 512 * 1024;

/// Records of one ordinary kind that one cgroup may make: one every so many nanoseconds, 20,000 a second.
/// The agent takes in several times as many, so one container cannot silence another.
pub const LIMIT_INTERVAL: u64 = 50_000;
/// How far it may run ahead of that, nanoseconds: 4,000 at once, a quarter of the ring.
pub const LIMIT_BURST: u64 = 4_000 * LIMIT_INTERVAL;
/// Epochs of [`super::counter::AggregateKey`] are boot time shifted right by this: 4.3 s each. A program
/// runs for microseconds, so what it counts is in this epoch or the one before.
pub const EPOCH_SHIFT: u32 = 32;

/// Declares [`Offsets`] and its table of names from one list, so that the two cannot differ.
macro_rules! offsets {
    ($($(#[$doc:meta])* $field:ident = $($path:literal)|+;)+) => {
        /// Byte offsets of kernel struct members, read from the running kernel's BTF by the agent,
        /// each with [`Offsets::BIAS`] added. Zero means that this kernel has no such member.
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
        pub struct Offsets { $($(#[$doc])* pub $field: u32,)+ }

        impl Offsets {
            /// Added to every stored offset, so that zero can say "absent".
            pub const BIAS: u32 = 1;
            /// No member is known.
            pub const ABSENT: Self = Self { $($field: 0,)+ };
            /// For each field in order: its name and the places to look, newest kernel first.
            pub const TABLE: &'static [(&'static str, &'static [&'static str])] =
                &[$((stringify!($field), &[$($path),+]),)+];
        }
    };
}

offsets! {
    task_group_leader = "task_struct.group_leader";
    task_real_parent = "task_struct.real_parent";
    task_start_boottime = "task_struct.start_boottime" | "task_struct.real_start_time";
    task_tgid = "task_struct.tgid";
    task_pid = "task_struct.pid";
    task_exit_code = "task_struct.exit_code";
    task_signal = "task_struct.signal";
    task_cred = "task_struct.cred";
    task_real_cred = "task_struct.real_cred";
    task_nsproxy = "task_struct.nsproxy";
    task_cgroups = "task_struct.cgroups";
    task_fs = "task_struct.fs";
    task_files = "task_struct.files";
    files_table = "files_struct.fdt";
    table_entries = "fdtable.fd";
    task_mm = "task_struct.mm";
    task_thread_pid = "task_struct.thread_pid";
    task_comm = "task_struct.comm";
    task_flags = "task_struct.flags";
    task_loginuid = "task_struct.loginuid";
    signal_tty = "signal_struct.tty";
    tty_driver = "tty_struct.driver";
    tty_index = "tty_struct.index";
    tty_driver_major = "tty_driver.major";
    tty_driver_minor = "tty_driver.minor_start";
    cred_user_ns = "cred.user_ns";
    user_namespace_inum = "user_namespace.ns.inum";
    nsproxy_net_ns = "nsproxy.net_ns";
    net_inum = "net.ns.inum";
    signal_live = "signal_struct.live";
    cred_uid = "cred.uid";
    cred_gid = "cred.gid";
    cred_euid = "cred.euid";
    nsproxy_mnt_ns = "nsproxy.mnt_ns";
    nsproxy_pid_ns = "nsproxy.pid_ns_for_children";
    mnt_namespace_inum = "mnt_namespace.ns.inum";
    pid_namespace_inum = "pid_namespace.ns.inum";
    css_set_dfl_cgroup = "css_set.dfl_cgrp";
    css_set_subsys = "css_set.subsys";
    css_cgroup = "cgroup_subsys_state.cgroup";
    cgroup_kn = "cgroup.kn";
    cgroup_root = "cgroup.root";
    cgroup_root_hierarchy_id = "cgroup_root.hierarchy_id";
    kernfs_node_id = "kernfs_node.id";
    kernfs_node_name = "kernfs_node.name";
    kernfs_node_parent = "kernfs_node.__parent" | "kernfs_node.parent";
    fs_pwd = "fs_struct.pwd";
    path_mnt = "path.mnt";
    path_dentry = "path.dentry";
    mm_arg_start = "mm_struct.arg_start";
    mm_arg_end = "mm_struct.arg_end";
    mm_env_start = "mm_struct.env_start";
    mm_env_end = "mm_struct.env_end";
    bprm_file = "linux_binprm.file";
    bprm_filename = "linux_binprm.filename";
    bprm_interp = "linux_binprm.interp";
    bprm_argc = "linux_binprm.argc";
    file_path = "file.f_path";
    file_inode = "file.f_inode";
    file_mode = "file.f_mode";
    dentry_parent = "dentry.d_parent";
    dentry_name = "dentry.d_name.name";
    dentry_inode = "dentry.d_inode";
    dentry_alias = "dentry.d_u.d_alias" | "dentry.d_alias";
    inode_number = "inode.i_ino";
    inode_mode = "inode.i_mode";
    inode_special = "inode.i_rdev";
    inode_links = "inode.i_nlink";
    inode_size = "inode.i_size";
    inode_generation = "inode.i_generation";
    inode_super_block = "inode.i_sb";
    inode_mtime_seconds = "inode.i_mtime_sec" | "inode.__i_mtime.tv_sec" | "inode.i_mtime.tv_sec";
    inode_mtime_nanoseconds = "inode.i_mtime_nsec" | "inode.__i_mtime.tv_nsec" | "inode.i_mtime.tv_nsec";
    inode_atime_seconds = "inode.i_atime_sec" | "inode.__i_atime.tv_sec" | "inode.i_atime.tv_sec";
    inode_atime_nanoseconds = "inode.i_atime_nsec" | "inode.__i_atime.tv_nsec" | "inode.i_atime.tv_nsec";
    inode_ctime_seconds = "inode.i_ctime_sec" | "inode.__i_ctime.tv_sec" | "inode.i_ctime.tv_sec";
    inode_ctime_nanoseconds = "inode.i_ctime_nsec" | "inode.__i_ctime.tv_nsec" | "inode.i_ctime.tv_nsec";
    inode_dentry = "inode.i_dentry";
    super_block_device = "super_block.s_dev";
    super_block_magic = "super_block.s_magic";
    mount_mnt = "mount.mnt";
    mount_parent = "mount.mnt_parent";
    mount_mountpoint = "mount.mnt_mountpoint";
    mount_namespace = "mount.mnt_ns";
    vfsmount_root = "vfsmount.mnt_root";
    sock_family = "sock.__sk_common.skc_family";
    sock_state = "sock.__sk_common.skc_state";
    sock_daddr = "sock.__sk_common.skc_daddr";
    sock_dport = "sock.__sk_common.skc_dport";
    sock_v6_daddr = "sock.__sk_common.skc_v6_daddr";
    sock_type = "sock.sk_type";
    sock_error = "sock.sk_err";
    sock_cgroup = "sock.sk_cgrp_data.cgroup" | "sock.sk_cgrp_data.val";
    sock_addr_kern_sk = "bpf_sock_addr_kern.sk";
    sk_buff_sk = "sk_buff.sk";
    socket_sk = "socket.sk";
    unix_sock_peer = "unix_sock.peer";
    unix_sock_path = "unix_sock.path";
    iattr_valid = "iattr.ia_valid";
    iattr_mode = "iattr.ia_mode";
    vma_file = "vm_area_struct.vm_file";
    vma_flags = "vm_area_struct.vm_flags";
    module_name = "module.name";
    bpf_prog_type = "bpf_prog.type";
    bpf_prog_aux = "bpf_prog.aux";
    bpf_prog_aux_name = "bpf_prog_aux.name";
    sock_cookie = "sock.__sk_common.skc_cookie";
    sock_shutdown = "sock.sk_shutdown";
    sock_protocol = "sock.sk_protocol";
    tcp_bytes_sent = "tcp_sock.bytes_sent";
    tcp_bytes_retransmitted = "tcp_sock.bytes_retrans";
    tcp_bytes_received = "tcp_sock.bytes_received";
}

/// Cells of the map `TRIAL`, through which the agent says what of its own to count while it proves its
/// hooks at start. Afterwards the map is frozen, with the cookie of a socket that the agent keeps for as long as it runs:
/// by that it proves hooks that it attached again.
pub mod trial {
    /// Not zero: children of the agent are its own doing. Only then: for good it would be a place to
    /// hide, for whoever gets the agent to start a program or is handed over to it as an orphan.
    pub const CHILDREN: u32 = 0;
    /// Cookie of the agent's socket whose end and whose DNS messages are its own doing: another task may
    /// run when they happen.
    pub const SOCKET: u32 = 1;
    /// Cookie of the socket at the other end of that connection, which the agent holds too: its end is
    /// left out.
    pub const PEER: u32 = 2;
    /// How many cells there are.
    pub const CELLS: u32 = 3;
}

/// Facts that are not offsets of members. Zero means unknown.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Facts {
    /// `sizeof(struct inode)`: an overlay's upper dentry pointer lies behind its inode
    /// (`struct ovl_inode`, fs/overlayfs/ovl_entry.h).
    pub inode_size: u32,
    /// Index of the `pids` controller in `css_set.subsys`, plus one (`pids_cgrp_id`).
    pub pids_subsystem: u32,
    /// Thread group id of the agent: what it does itself is not reported.
    pub agent_pid: u32,
    /// `I_DIRTY_PAGES` (include/linux/fs.h): content of an inode, not just its times. The two bits below it
    /// are `I_DIRTY_DATASYNC` and `I_DIRTY_SYNC` on every kernel.
    pub dirty_pages: u32,
}

impl Facts {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self { inode_size: 0, pids_subsystem: 0, agent_pid: 0, dirty_pages: 0 };
}
