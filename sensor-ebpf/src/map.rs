//! What the programs share with each other and with the agent.

use aya_ebpf::Global;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf};
use sensor_ebpf::wire::counter::{Account, AccountKey, AggregateKey, Counter};
use sensor_ebpf::wire::flow::{Flow, FlowKey};
use sensor_ebpf::wire::setting::{Facts, Offsets, RING_SIZE, trial};
use sensor_ebpf::wire::{Actor, FileId, Kind};

use crate::task::now;

/// `BPF_NOEXIST` (include/uapi/linux/bpf.h): an insertion leaves a row that is there as it is.
pub const NO_EXIST: u64 = 1;

/// `BPF_F_RDONLY_PROG`: programs only read it. The agent freezes such a map once it is filled, and then nobody
/// writes it any more, not by the system call, and not by a program of his own that he gives this map to.
const READ_ONLY: u32 = 1 << 7;

/// Records on their way to the agent, in the order in which they were made.
#[map]
pub static RECORDS: RingBuf = RingBuf::with_byte_size(RING_SIZE, 0);

/// The loss ledger, one row per [`Kind::row`].
#[map]
pub static COUNTERS: PerCpuArray<Counter> = PerCpuArray::with_max_entries(Kind::ALL.len() as u32, 0);

/// The same by cgroup, with each one's token bucket. The agent removes the rows of cgroups that are gone.
#[map]
pub static ACCOUNTS: HashMap<AccountKey, Account> = HashMap::with_max_entries(ACCOUNTS_MAX, 0);

/// Twenty kinds for eight hundred cgroups: a large node has 250 pods of a few containers, of which most
/// do a few things.
const ACCOUNTS_MAX: u32 = 16_384;

/// How many records beyond the limit had the same destination or process. The agent takes them out.
#[map]
pub static AGGREGATES: HashMap<AggregateKey, u64> = HashMap::with_max_entries(AGGREGATES_MAX, 0);

/// What one cgroup reaches in an epoch by going through ports at random; beyond it the count of the
/// cgroup's account remains.
const AGGREGATES_MAX: u32 = 16_384;

/// Bytes of connections that are open.
#[map]
pub static FLOWS: HashMap<FlowKey, Flow> = HashMap::with_max_entries(FLOWS_MAX, 0);

/// Open sockets that have moved data or were connected; more are rare on one host. Those beyond have
/// their bytes counted at the end of a TCP connection only, and are counted as lost.
const FLOWS_MAX: u32 = 32_768;

/// Sockets of connections that came from outside: the value is one once the acceptor was told.
#[map]
pub static ACCEPTED: LruHashMap<u64, u32> = LruHashMap::with_max_entries(FLOWS_MAX, 0);

/// Files that are being written, by `struct file *`.
#[map]
pub static WRITES: HashMap<u64, Writes> = HashMap::with_max_entries(WRITES_MAX, 0);

/// Files open for writing and written at once, on one host.
const WRITES_MAX: u32 = 16_384;

/// What was written through one open file.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Writes {
    pub bytes: u64,
    /// Calls in progress that count for themselves.
    pub inside: u64,
    /// Who wrote first.
    pub actor: Actor,
}

/// Where a task sends its datagram now, by thread: written by `sendmsg4/6`, read when the same call ends.
#[map]
pub static DATAGRAMS: LruHashMap<u64, Datagram> = LruHashMap::with_max_entries(DATAGRAMS_MAX, 0);

/// Threads that are inside one call at once.
const DATAGRAMS_MAX: u32 = 4096;

/// A destination that is not in the socket.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Datagram {
    pub socket: u64,
    pub address: [u32; 4],
    pub port: u16,
    pub reserved: [u16; 3],
}

/// First eight bytes of the names of environment variables that are kept; filled by the agent.
#[map]
pub static ENVIRONMENT_KEYS: HashMap<u64, u32> = HashMap::with_max_entries(KEYS_MAX, READ_ONLY);

/// Last components of the paths of files whose opening is told, cut at 16 bytes, or three characters and
/// `*`; filled by the agent.
#[map]
pub static SECRET_NAMES: HashMap<[u8; 16], u32> = HashMap::with_max_entries(KEYS_MAX, READ_ONLY);

/// As many as a person would list.
const KEYS_MAX: u32 = 256;

/// What the agent does to prove the hooks, see [`trial`].
#[map]
pub static TRIAL: Array<u64> = Array::with_max_entries(trial::CELLS, READ_ONLY);

/// Not zero while the agent looks seldom, because nothing happens, and wants to be woken by the next record; written
/// by the agent.
#[map]
pub static DOZING: Array<u32> = Array::with_max_entries(1, READ_ONLY);

/// Most recent (process, file) and (socket, destination) pairs that were told: enough for the files
/// of several compilers at once; evicting one only makes a record appear twice.
const RECENT_MAX: u32 = 16_384;

/// When each was told last, `CLOCK_BOOTTIME` nanoseconds.
#[map]
pub static RECENT: LruHashMap<Recent, u64> = LruHashMap::with_max_entries(RECENT_MAX, 0);

/// Who did what to which object.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Recent {
    /// A file, or for a datagram a digest of its destination.
    pub object: FileId,
    /// Process start, or the socket's cookie.
    pub owner: u64,
    /// Process id, or the port.
    pub number: u32,
    /// A [`Kind`].
    pub kind: u32,
}

impl Recent {
    /// Was this told within the window, nanoseconds? If not, it is now.
    #[inline(always)]
    pub fn is_repeat(&self, window: u64) -> bool {
        let time = now();
        // SAFETY: an entry that is evicted meanwhile yields an old or a foreign time: told once more.
        if let Some(last) = unsafe { RECENT.get(self) }
            && time.wrapping_sub(*last) < window
        {
            return true;
        }
        // A full LRU map evicts; failing to remember only repeats a record.
        let _ = RECENT.insert(self, time, 0);
        false
    }
}

/// Struct offsets of the running kernel, set by the agent before the programs are loaded.
#[unsafe(no_mangle)]
pub static OFFSETS: Offsets = Offsets::ABSENT;

/// Facts that are not offsets, set by the agent before the programs are loaded.
#[unsafe(no_mangle)]
pub static FACTS: Global<Facts> = Global::new(Facts::UNKNOWN);

/// A record under construction, with the position of its next text.
///
/// Several programs may run on one CPU at once (they can be preempted), one tracing program cannot: the
/// kernel counts `bpf_prog.active` per CPU, and skips and counts a run that finds it taken. So each
/// that needs an area has its own. Of cgroup programs the kernel keeps no such count: they have none.
#[repr(C)]
pub struct Scratch<const SIZE: usize> {
    /// Where the next text goes. This and the four below are kept in memory, not in registers: the
    /// verifier then forgets their values, so the ways through a walk meet again at each turn and
    /// behind it (48 turns: 10k instead of 72k instructions; two walks: the sum, not the product).
    pub position: u32,
    /// Where the text under construction began.
    pub start: u32,
    /// Its flags, [`sensor_ebpf::wire::text::Text::flags`].
    pub flags: u32,
    pub reserved: u32,
    /// Where the walk of a path has come to, `struct mount *` and `struct dentry *`.
    pub mount: u64,
    pub dentry: u64,
    pub bytes: [u8; SIZE],
}

/// Texts may start anywhere below this; the bytes above it are room for the last one. The mask is a
/// volatile global: known to the verifier, unknown to LLVM, which would otherwise prove it needless
/// and drop it before the verifier sees it.
#[unsafe(no_mangle)]
static LARGE_MASK: Global<u32> = Global::new(LARGE_TEXTS as u32 - 1);
#[unsafe(no_mangle)]
static SMALL_MASK: Global<u32> = Global::new(SMALL_TEXTS as u32 - 1);

const LARGE_TEXTS: usize = 16 * 1024;
const SMALL_TEXTS: usize = 8 * 1024;

/// Room for an exec record: its texts, then an argument vector at its bound.
pub type Large = Scratch<{ LARGE_TEXTS + sensor_ebpf::wire::text::ARGUMENTS_MAX }>;
/// Room for two paths.
pub type Small = Scratch<{ SMALL_TEXTS + sensor_ebpf::wire::text::PATH_MAX }>;

impl Large {
    pub fn mask() -> u32 {
        LARGE_MASK.load()
    }
}

impl Small {
    pub fn mask() -> u32 {
        SMALL_MASK.load()
    }
}

#[map]
pub static EXEC_SCRATCH: PerCpuArray<Large> = PerCpuArray::with_max_entries(1, 0);

/// One slot per program that carries paths.
#[map]
pub static PATH_SCRATCH: PerCpuArray<Small> = PerCpuArray::with_max_entries(Slot::COUNT, 0);

/// Which slot of [`PATH_SCRATCH`] belongs to which program.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Slot {
    FileOpen,
    FileWrite,
    FileDirty,
    FileRead,
    FileRename,
    FileMap,
    FileProtect,
    FileTruncate,
    FileAllocate,
    FileLink,
    FileSymlink,
    FileDelete,
    FileMode,
    FileClose,
    UnixConnect,
    UnixTraffic,
    CgroupCreate,
    CgroupRemove,
    CgroupAttach,
    Mount,
    ModuleRead,
    ModuleData,
    ModuleLoad,
}

impl Slot {
    const COUNT: u32 = Self::ModuleLoad as u32 + 1;
}
