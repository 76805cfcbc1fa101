//! The table itself.

use super::{Attach, Direction, Hook, Trial};
use crate::ebpf::fanotify::FileEvent;

const fn tracepoint(program: &'static str, tracepoint: &'static str) -> Attach {
    Attach::RawTracepoint { program, tracepoint }
}

const fn fentry(program: &'static str, function: &'static str) -> Attach {
    Attach::Fentry { program, function }
}

const fn fexit(program: &'static str, function: &'static str) -> Attach {
    Attach::Fexit { program, function }
}

const fn fanotify(event: FileEvent) -> Attach {
    Attach::Fanotify { event }
}

/// A hook without which the sensor runs, and that loses nothing in a lower tier.
const OPTIONAL: Hook =
    Hook { purpose: "", trial: Trial::Exec, is_required: false, tiers: &[], unseen: "", weakened: "" };

/// Everything the sensor observes, the mandatory part first. A row that is [`Attach::With`] programs of
/// others, or proven through them, stands behind those.
pub const HOOKS: &[Hook] = &[
    Hook {
        purpose: "program started",
        trial: Trial::Exec,
        is_required: true,
        tiers: &[&[tracepoint("process_exec", "sched_process_exec")]],
        unseen: "every detection",
        ..OPTIONAL
    },
    Hook {
        purpose: "process forked",
        trial: Trial::Fork,
        is_required: true,
        tiers: &[&[tracepoint("process_fork", "sched_process_fork")]],
        unseen: "lineage",
        ..OPTIONAL
    },
    Hook {
        purpose: "process ended",
        trial: Trial::Exit,
        is_required: true,
        tiers: &[&[tracepoint("process_exit", "sched_process_exit")]],
        unseen: "the end of processes",
        ..OPTIONAL
    },
    Hook {
        purpose: "IPv4 connect",
        trial: Trial::Connect4,
        is_required: true,
        tiers: &[&[Attach::CgroupAddress { program: "connect4" }]],
        unseen: "destinations",
        ..OPTIONAL
    },
    Hook {
        purpose: "IPv6 connect",
        trial: Trial::Connect6,
        tiers: &[&[Attach::CgroupAddress { program: "connect6" }]],
        unseen: "IPv6 destinations",
        ..OPTIONAL
    },
    Hook {
        purpose: "IPv4 datagram",
        trial: Trial::Datagram4,
        tiers: &[&[Attach::CgroupAddress { program: "sendmsg4" }]],
        unseen: "destinations of unconnected UDP sockets",
        ..OPTIONAL
    },
    Hook {
        purpose: "IPv6 datagram",
        trial: Trial::Datagram6,
        tiers: &[&[Attach::CgroupAddress { program: "sendmsg6" }]],
        unseen: "destinations of unconnected UDP sockets over IPv6",
        ..OPTIONAL
    },
    Hook {
        purpose: "connection ended",
        trial: Trial::Close,
        tiers: &[&[tracepoint("tcp_state", "inet_sock_set_state")]],
        unseen: "bytes of TCP connections at their end, failed connects, Multipath TCP",
        ..OPTIONAL
    },
    Hook {
        purpose: "bytes sent",
        trial: Trial::Sent,
        tiers: &[
            &[tracepoint("bytes_sent", "sock_send_length")],
            &[
                fexit("inet_sendmsg", "inet_sendmsg"),
                fexit("inet6_sendmsg", "inet6_sendmsg"),
                fexit("inet_sendpage", "inet_sendpage"),
            ],
        ],
        unseen: "bytes of UDP, of open connections, and by which process",
        ..OPTIONAL
    },
    Hook {
        purpose: "bytes received",
        trial: Trial::Received,
        tiers: &[
            &[tracepoint("bytes_received", "sock_recv_length")],
            &[fexit("inet_recvmsg", "inet_recvmsg"), fexit("inet6_recvmsg", "inet6_recvmsg")],
        ],
        unseen: "bytes of UDP, of open connections, and by which process",
        ..OPTIONAL
    },
    Hook {
        purpose: "connection accepted",
        trial: Trial::Accept,
        tiers: &[
            &[fexit("tcp_accept", "inet_csk_accept")],
            &[fexit("tcp_accept_by_position", "inet_csk_accept")],
            &[Attach::With { program: "tcp_state", place: "tracepoint inet_sock_set_state" }],
        ],
        unseen: "connections from outside",
        weakened: "who accepted a connection, until it moves data",
        ..OPTIONAL
    },
    Hook {
        purpose: "socket released",
        trial: Trial::Release,
        tiers: &[&[Attach::CgroupSocket { program: "sock_release" }]],
        unseen: "bytes of UDP sockets at their end",
        ..OPTIONAL
    },
    Hook {
        purpose: "raw socket made",
        trial: Trial::RawSocket,
        tiers: &[
            &[fentry("socket_create", "security_socket_create")],
            &[Attach::CgroupSocket { program: "inet_socket_create" }],
        ],
        unseen: "raw, packet and hypervisor sockets",
        weakened: "packet and hypervisor sockets until they move data",
        ..OPTIONAL
    },
    Hook {
        purpose: "runtime socket connected",
        trial: Trial::Unix,
        tiers: &[
            &[fentry("unix_connect", "security_unix_stream_connect")],
            &[tracepoint("unix_traffic", "sock_send_length")],
        ],
        unseen: "who speaks to container runtimes",
        ..OPTIONAL
    },
    Hook {
        purpose: "DNS answer",
        trial: Trial::Answer,
        tiers: &[&[Attach::CgroupPacket { program: "dns_answer", direction: Direction::In }]],
        unseen: "names of destinations",
        ..OPTIONAL
    },
    Hook {
        purpose: "DNS query",
        trial: Trial::Query,
        tiers: &[&[Attach::CgroupPacket { program: "dns_query", direction: Direction::Out }]],
        unseen: "names that were asked for in vain",
        ..OPTIONAL
    },
    Hook {
        purpose: "file opened to write",
        trial: Trial::Open,
        tiers: &[&[fentry("file_open", "security_file_open")], &[fanotify(FileEvent::Create)]],
        unseen: "opens that write nothing",
        weakened: "opens of files that are there already",
        ..OPTIONAL
    },
    Hook {
        purpose: "secret opened",
        trial: Trial::Read,
        tiers: &[&[fentry("file_read", "security_file_open")], &[fanotify(FileEvent::Open)]],
        unseen: "who reads keys and tokens",
        weakened: "secrets of processes (/proc), and those that were made a moment before",
        ..OPTIONAL
    },
    Hook {
        purpose: "file written",
        trial: Trial::Write,
        tiers: &[
            &[fentry("file_write", "rw_verify_area")],
            &[tracepoint("file_dirty", "writeback_mark_inode_dirty")],
        ],
        unseen: "written files",
        weakened: "writes to a file that another process left dirty",
        ..OPTIONAL
    },
    Hook {
        purpose: "file mapped to write",
        trial: Trial::Map,
        tiers: &[
            &[fentry("file_map", "security_mmap_file")],
            &[Attach::With { program: "file_dirty", place: "tracepoint writeback_mark_inode_dirty" }],
        ],
        unseen: "stores through mappings",
        weakened: "writes to a file that another process left dirty",
        ..OPTIONAL
    },
    Hook {
        purpose: "mapping made writable",
        trial: Trial::Protect,
        tiers: &[
            &[fentry("file_protect", "security_file_mprotect")],
            &[Attach::With { program: "file_dirty", place: "tracepoint writeback_mark_inode_dirty" }],
        ],
        unseen: "stores through mappings that were made to read",
        weakened: "writes to a file that another process left dirty",
        ..OPTIONAL
    },
    Hook {
        purpose: "file length set",
        trial: Trial::Truncate,
        tiers: &[
            &[fentry("file_truncate", "do_truncate")],
            &[fentry("file_truncate_by_dentry", "do_truncate")],
            &[Attach::With { program: "file_dirty", place: "tracepoint writeback_mark_inode_dirty" }],
        ],
        unseen: "truncated files",
        weakened: "lengths set on tmpfs, or within the clock tick in which the file was made",
        ..OPTIONAL
    },
    Hook {
        purpose: "file space allocated",
        trial: Trial::Allocate,
        tiers: &[&[fentry("file_allocate", "vfs_fallocate")]],
        unseen: "fallocate",
        ..OPTIONAL
    },
    Hook {
        purpose: "written file closed",
        trial: Trial::FileClose,
        tiers: &[
            &[
                fentry("file_close", "__fput"),
                fentry("sendfile_begin", "do_splice_direct"),
                fexit("sendfile_end", "do_splice_direct"),
                fentry("splice_begin", "do_splice"),
                fexit("splice_end", "do_splice"),
                fentry("copy_begin", "vfs_copy_file_range"),
                fexit("copy_end", "vfs_copy_file_range"),
            ],
            &[fentry("file_close_about", "__fput")],
            &[fanotify(FileEvent::Close)],
        ],
        unseen: "how many bytes were written to a file; its size is known when its process ends",
        weakened: "how many bytes were written to a file; its size is",
        ..OPTIONAL
    },
    Hook {
        purpose: "file renamed",
        trial: Trial::Rename,
        tiers: &[&[fentry("file_rename", "security_inode_rename")], &[fanotify(FileEvent::Rename)]],
        unseen: "final names of files that are written under a temporary one",
        weakened: "renames on file systems mounted after the start",
        ..OPTIONAL
    },
    Hook {
        purpose: "file linked",
        trial: Trial::Link,
        tiers: &[&[fentry("file_link", "security_inode_link")], &[fanotify(FileEvent::Create)]],
        unseen: "second names of files",
        weakened: "the first names of linked files, and names on file systems mounted later",
        ..OPTIONAL
    },
    Hook {
        purpose: "symbolic link made",
        trial: Trial::Symlink,
        tiers: &[&[fentry("file_symlink", "security_inode_symlink")]],
        unseen: "symbolic links",
        ..OPTIONAL
    },
    Hook {
        purpose: "file deleted",
        trial: Trial::Delete,
        tiers: &[&[fentry("file_delete", "security_inode_unlink")], &[fanotify(FileEvent::Delete)]],
        unseen: "deleted files",
        weakened: "names on file systems mounted later",
        ..OPTIONAL
    },
    Hook {
        purpose: "file made executable",
        trial: Trial::Mode,
        tiers: &[
            &[fentry("file_mode", "security_inode_setattr")],
            &[fentry("file_mode_by_dentry", "security_inode_setattr")],
            &[fanotify(FileEvent::Attributes)],
        ],
        unseen: "chmod, until the file runs",
        weakened: "chmod of files made more than ten minutes ago, on file systems mounted later",
        ..OPTIONAL
    },
    Hook {
        purpose: "cgroup created",
        trial: Trial::CgroupCreate,
        tiers: &[&[tracepoint("cgroup_create", "cgroup_mkdir")]],
        unseen: "containers before their first program",
        ..OPTIONAL
    },
    Hook {
        purpose: "cgroup removed",
        trial: Trial::CgroupRemove,
        tiers: &[&[tracepoint("cgroup_remove", "cgroup_rmdir")]],
        unseen: "the end of containers",
        ..OPTIONAL
    },
    Hook {
        purpose: "process moved to a cgroup",
        trial: Trial::CgroupAttach,
        tiers: &[&[tracepoint("cgroup_attach", "cgroup_attach_task")]],
        unseen: "processes that leave their container's cgroup",
        ..OPTIONAL
    },
    Hook {
        purpose: "namespace entered",
        trial: Trial::Namespace,
        tiers: &[&[fentry("namespace_enter", "switch_task_namespaces")]],
        unseen: "setns and unshare, until a program starts there",
        ..OPTIONAL
    },
    Hook {
        purpose: "process controlled",
        trial: Trial::Access,
        tiers: &[&[fentry("process_access", "security_ptrace_access_check")]],
        unseen: "ptrace and writes into other processes",
        ..OPTIONAL
    },
    Hook {
        purpose: "signal to the agent",
        trial: Trial::Signal,
        tiers: &[&[tracepoint("process_signal", "signal_generate")]],
        unseen: "who ends the sensor",
        ..OPTIONAL
    },
    Hook {
        purpose: "BPF program loaded",
        trial: Trial::BpfLoad,
        tiers: &[&[fentry("bpf_load", "security_bpf_prog")]],
        unseen: "who loads BPF programs",
        ..OPTIONAL
    },
    Hook {
        purpose: "module loaded",
        trial: Trial::ModuleLoad,
        tiers: &[
            &[
                fentry("module_read", "security_kernel_read_file"),
                fentry("module_data", "security_kernel_load_data"),
            ],
            &[tracepoint("module_load", "module_load")],
        ],
        unseen: "kernel modules",
        weakened: "kernel modules that were refused",
        ..OPTIONAL
    },
    Hook {
        purpose: "file system mounted",
        trial: Trial::Mount,
        tiers: &[&[fentry("mount", "security_sb_mount")]],
        unseen: "mounts",
        ..OPTIONAL
    },
    Hook {
        purpose: "mount moved",
        trial: Trial::MountMove,
        tiers: &[&[fentry("mount_move", "security_move_mount")]],
        unseen: "mounts by the newer calls",
        ..OPTIONAL
    },
];
