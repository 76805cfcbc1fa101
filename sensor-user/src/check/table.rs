//! The table of checks: what is looked at, what can be wrong with it, what that means and what to do.
//!
//! One list makes the enums, the findings' words and `docs/check.md`, so they cannot differ.

use super::{Section, Verdict};
use crate::ebpf::hook::Feed;
use crate::event::field::Field;

/// Declares [`Check`], [`Problem`] and what is said of each.
macro_rules! checks {
    ($($check:ident $section:ident $name:literal $about:literal {
        $($problem:ident $word:literal $verdict:ident [$($feed:expr),*] $means:literal $remedy:literal;)*
    })+) => {
        /// Something that is looked at.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Check { $(#[doc = $about] $check,)+ }

        /// Something that can be wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Problem { $($(#[doc = $means] $problem,)*)+ }

        impl Check {
            /// In the order in which they are told.
            pub const ALL: &[Self] = &[$(Self::$check),+];

            /// What is said of it.
            #[must_use]
            pub const fn row(self) -> &'static CheckRow {
                match self {
                    $(Self::$check => &CheckRow {
                        section: Section::$section,
                        name: $name,
                        about: $about,
                        problems: &[$(Problem::$problem),*],
                    }),+
                }
            }
        }

        impl Problem {
            /// What is said of it.
            #[must_use]
            pub const fn row(self) -> &'static ProblemRow {
                match self {
                    $($(Self::$problem => &ProblemRow {
                        check: Check::$check,
                        name: $word,
                        verdict: Verdict::$verdict,
                        feeds: &[$($feed),*],
                        means: $means,
                        remedy: $remedy,
                    },)*)+
                }
            }
        }
    };
}

/// What is said of a check.
#[derive(Debug)]
pub struct CheckRow {
    pub section: Section,
    /// As `--json` names it.
    pub name: &'static str,
    pub about: &'static str,
    pub problems: &'static [Problem],
}

/// What is said of a problem.
#[derive(Debug)]
pub struct ProblemRow {
    pub check: Check,
    /// As `--json` names it.
    pub name: &'static str,
    pub verdict: Verdict,
    /// What events lack for it: which detections that weakens follows.
    pub feeds: &'static [Feed],
    pub means: &'static str,
    pub remedy: &'static str,
}

/// Names by the runtimes' files.
const NAME: Feed = Feed::Field(Field::ContainerName);
const IMAGE: Feed = Feed::Field(Field::ContainerImage);
const REGISTRY: Feed = Feed::Field(Field::ContainerImageRegistry);
const VERIFIED: Feed = Feed::Field(Field::ContainerVerified);
const PHASE: Feed = Feed::Field(Field::ContainerPhase);
const NAMESPACE: Feed = Feed::Field(Field::Namespace);
/// What /proc tells of others.
const USER: Feed = Feed::Field(Field::User);
const PARENT: Feed = Feed::Field(Field::ParentImage);
const ANCESTORS: Feed = Feed::Field(Field::AncestorImages);
const PATH: Feed = Feed::Field(Field::TargetFilename);
const TRICK: Feed = Feed::Field(Field::IdentityTrick);
/// What the Kubernetes API tells.
const LABELS: Feed = Feed::Field(Field::PodLabels);
const OWNER: Feed = Feed::Field(Field::PodOwner);
const ACCOUNT: Feed = Feed::Field(Field::PodServiceAccount);
const NODE: Feed = Feed::Field(Field::NodeName);
/// What a baseline tells.
const NEW_EXECUTABLE: Feed = Feed::Field(Field::ExeNewForImage);
const NEW_DESTINATION: Feed = Feed::Field(Field::DestinationNewForImage);
const NEW_VOLUME: Feed = Feed::Field(Field::VolumeNewForImage);

checks! {
    Release Kernel "release" "release and processor of the running kernel" {
        ReleaseTooOld "too_old" Bad [Feed::Every]
            "nothing can be loaded: the ring that programs write to came with Linux 5.8"
            "boot Linux 5.10 or newer";
        ReleaseUntried "untried" Note []
            "the sensor is tried on Linux 5.10 and newer: an older one may refuse programs"
            "see what the section hooks says, or boot Linux 5.10 or newer";
        ReleaseUnreadable "unreadable" Note []
            "the kernel names a release that is no number, so its age is not known"
            "see what the section hooks says";
        MachineUntried "untried_processor" Note []
            "the sensor is tried on x86_64 and aarch64: elsewhere a hook may see less than it says"
            "prove the detections there: `tidewaiter validate --all`";
    }
    Btf Kernel "btf" "the kernel's description of its own structures (BTF), and what programs look up in it" {
        BtfUnusable "unusable" Bad [Feed::Every]
            "nothing can be loaded, so nothing is seen: the programs do not know where this kernel keeps its fields"
            "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y (every current distribution's is), and mount sysfs at /sys";
        BtfIncomplete "incomplete" Weak []
            "what those members hold is in no event"
            "boot another kernel of the distribution, and report this one";
    }
    Lockdown Kernel "lockdown" "how far the kernel is locked down" {
        LockdownConfidentiality "confidentiality" Bad [Feed::Every]
            "programs may not read kernel memory: no path, no argument and no container is known"
            "boot with lockdown=integrity, or without; Secure Boot asks for no more than that";
    }
    UnprivilegedBpf Kernel "unprivileged_bpf" "whether any user may load BPF programs" {
        UnprivilegedBpfAllowed "allowed" Note []
            "any user may load BPF programs of some kinds: a way to attack the kernel below the sensor"
            "`sysctl kernel.unprivileged_bpf_disabled=1`; the sensor itself does not mind";
    }
    Cgroup Host "cgroup" "where the cgroup v2 hierarchy is mounted, and whether that is its root" {
        CgroupAbsent "absent" Bad [Feed::Every]
            "the sensor does not start: connections are seen at the root of the whole v2 hierarchy, and nowhere else"
            "mount it: `mount -t cgroup2 none /sys/fs/cgroup/unified` (any place will do; v1 may stay beside it); in a container \
             share the host's pid namespace and allow CAP_SYS_PTRACE, or mount the host's /sys/fs/cgroup";
    }
    PidNamespace Host "pid_namespace" "whether the agent is in the host's pid namespace" {
        PidNamespaceOwn "own" Bad [USER, PARENT, ANCESTORS, PATH, NAME, IMAGE, TRICK]
            "processes have other numbers here: who ran before, files in containers and their names are not found"
            "run in the host's pid namespace (docker run --pid=host; in a pod: hostPID: true)";
    }
    Procfs Host "proc" "whether /proc shows the processes of others" {
        ProcfsAbsent "absent" Bad [USER, PARENT, ANCESTORS, PATH, NAME, IMAGE, TRICK]
            "the sensor does not start: who runs already is not known"
            "mount it: `mount -t proc proc /proc`";
        ProcfsHidden "hidden" Weak [USER, PARENT, ANCESTORS, PATH, TRICK]
            "processes that ran before the sensor are not known, nor are paths and users in containers"
            "`mount -o remount,hidepid=0 /proc`, or give the sensor CAP_SYS_PTRACE";
    }
    Capability Privilege "capability" "the capabilities that loading needs, and those that some things need" {
        CapabilityMissing "missing" Bad [Feed::Every]
            "the sensor does not start"
            "run it as root (`sudo tidewaiter check`), or give it CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN";
        PtraceMissing "no_ptrace" Weak [USER, PARENT, ANCESTORS, PATH, TRICK]
            "the programs, folders and namespaces of processes that run already are not known, nor paths as containers \
             see them"
            "give it CAP_SYS_PTRACE";
        SearchMissing "no_search" Note []
            "files of others are closed to it; the sections hooks and containers say whether that matters here"
            "give it CAP_DAC_READ_SEARCH where they say so";
        AdminMissing "no_admin" Note []
            "what is seen by fanotify cannot be had; the section hooks says whether anything is, here"
            "give it CAP_SYS_ADMIN where hooks say that they need it";
        BindMissing "no_bind" Note []
            "that DNS is seen cannot be proven; it is"
            "give it CAP_NET_BIND_SERVICE for the proof";
    }
    Hook Hook "hook" "every hook: attached, fired and seen to fire, best place first" {
        HookMissing "missing" Bad []
            "what it watches for is not seen"
            "boot a kernel that allows it, or one newer; docs/hook.md has what each needs";
        HookWeak "lower_tier" Weak []
            "a lower tier sees less"
            "boot a kernel that lets programs attach by fentry (most of the distributions do); docs/hook.md has the tiers";
        HookAvoided "avoided" Weak []
            "the configuration does without it"
            "take it out of `avoid`";
        HooksRefused "refused" Bad [Feed::Every]
            "the sensor does not start"
            "mend what is named";
    }
    Runtime Container "runtime" "container runtimes: their state folders and sockets" {
        RuntimeNone "none" Note []
            "without containers most detections have nothing to look at, and have the lower level of the host"
            "name the folders under `containers` where a runtime keeps them elsewhere";
        RuntimeHidden "hidden" Weak [NAME, IMAGE, REGISTRY, VERIFIED, PHASE, NAMESPACE]
            "its socket is there, and its state in none of the folders that are looked through: its containers stay \
             without a name and an image"
            "name its folder under `containers`; in a container of its own, mount it at the same place";
        RuntimeUnreadable "unreadable" Weak [NAME, IMAGE, REGISTRY, VERIFIED, PHASE, NAMESPACE]
            "its containers stay without a name and an image"
            "run the sensor as root, or with CAP_DAC_READ_SEARCH";
    }
    RuntimeSocket Container "runtime_socket" "the sockets under `containers.sockets`: whether somebody answers" {
        RuntimeSocketSilent "silent" Weak [NAME, IMAGE, REGISTRY, VERIFIED]
            "a container that its runtime's files do not name has no name"
            "see that the runtime runs and answers there, or take the socket out of `containers.sockets`";
    }
    Kubernetes Container "kubernetes" "the Kubernetes API, where it is to be asked: whether it tells the pods of this node" {
        KubernetesAccess "no_access" Bad [LABELS, OWNER, ACCOUNT, NODE]
            "pods have no labels, owners and service accounts; with `mode: on` the sensor does not start"
            "mend the access, or set `kubernetes.mode: off`";
        KubernetesSilent "silent" Weak [LABELS, OWNER, ACCOUNT, NODE]
            "pods have no labels, owners and service accounts for as long as it lasts"
            "see that the server is there and that deploy/kubernetes/rbac.yaml is applied";
    }
    Rules Rule "rules" "the rules, to the last key" {
        RulesMistaken "mistaken" Bad [Feed::Every]
            "the sensor does not start with them"
            "mend them, or leave them out; `tidewaiter rules check PATH` shows all";
        RulesNone "none" Bad []
            "nothing is ever detected"
            "leave `embedded_rules` on, or name rules with --rules";
    }
    Allow Rule "allow" "the allow-lists" {
        AllowMistaken "mistaken" Bad [Feed::Every]
            "the sensor does not start with them"
            "mend what is named";
    }
    Baseline Rule "baseline" "what was learned of images" {
        BaselineNone "none" Note [NEW_EXECUTABLE, NEW_DESTINATION, NEW_VOLUME]
            "what is new for an image is not known: detections that ask for it are silent"
            "`tidewaiter baseline learn --for 1h --out base.json`, then `run --baseline base.json`";
        BaselineMistaken "mistaken" Bad [Feed::Every]
            "the sensor does not start with it"
            "name a file that `tidewaiter baseline learn` wrote; `tidewaiter baseline show FILE` reads it";
    }
    Receiver Delivery "receiver" "every receiver: really connected to, with the TLS handshake; no message is sent" {
        ReceiverNone "none" Note []
            "alerts are on standard output and nowhere else"
            "name a receiver: `syslog`, `file`, `webhook` or `otlp`";
        ReceiverFiles "files" Bad []
            "the sensor does not start"
            "mend what is named";
        ReceiverAway "away" Bad []
            "nothing reaches it: messages wait in the outbox, and when that is full the least important are lost"
            "start it, or mend its address and what is between";
        ReceiverRefused "refused" Bad []
            "nothing is sent before it is believed and believes this host: messages wait in the outbox"
            "do what the reason says";
        ReceiverUnproven "unproven" Note []
            "UDP does not tell whether anybody listens: what nobody takes is lost without a word"
            "take tcp://, tls:// or relp:// where the receiver can";
        ReceiverFolder "unwritable" Bad []
            "nothing is written there: messages wait in the outbox"
            "let this user write there, or name another file";
    }
    Clock Clock "clock" "the clock of the day: plausible, and kept right by somebody" {
        ClockWrong "wrong" Bad []
            "alerts have a wrong date, and certificates of receivers are taken for expired or not valid yet"
            "set it, and run a time service (chrony, systemd-timesyncd)";
        ClockLoose "not_synchronised" Note []
            "nobody keeps it right: times in alerts drift from those of other hosts"
            "run a time service (chrony, systemd-timesyncd); in a guest the host's may do";
    }
    Outbox Disk "outbox" "the folder in which messages wait: there, writable, with room" {
        OutboxNone "none" Note []
            "messages wait in memory alone, and are lost with the agent"
            "leave `outbox.directory` at its default";
        OutboxUnwritable "unwritable" Bad []
            "messages wait in memory alone, and are lost with the agent"
            "let this user write there, or name another folder with --outbox";
        OutboxReadOnly "read_only" Bad []
            "messages wait in memory alone, and are lost with the agent"
            "mount the file system for writing, or name another folder with --outbox";
        OutboxSmall "small" Weak []
            "before the outbox is full the disk is: messages that come then are in memory alone"
            "make room, or a lower `outbox.mebibytes`";
    }
    LockedMemory Resource "locked_memory" "the limit of locked memory, which BPF maps count against before Linux 5.11" {
        LockedMemoryLow "low" Bad [Feed::Every]
            "the kernel refuses the maps of the sensor, and it does not start"
            "`ulimit -l unlimited` (systemd: LimitMEMLOCK=infinity), or give it CAP_SYS_RESOURCE";
    }
    Memory Resource "memory" "the memory that its own cgroup may use" {
        MemoryLow "low" Weak []
            "the kernel may end the sensor when much happens, and nothing is seen until it is started again"
            "raise the limit to 128 MiB or more (systemd: MemoryMax=)";
    }
    Agent Resource "agent" "whether a sensor runs already" {
        AgentRuns "runs" Note []
            "a second one would share neither its outbox nor its sockets"
            "ask the one that runs: `tidewaiter status`";
    }
}
