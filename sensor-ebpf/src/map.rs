//! What the programs share with each other and with the agent.

use aya_ebpf::Global;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, LruHashMap, PerCpuArray, RingBuf};
use sensor_ebpf::wire::counter::Counter;
use sensor_ebpf::wire::setting::{Facts, Offsets, RING_SIZE, trial};
use sensor_ebpf::wire::{FileId, Kind};

/// Records on their way to the agent, in the order in which they were made.
#[map]
pub static RECORDS: RingBuf = RingBuf::with_byte_size(RING_SIZE, 0);

/// The loss ledger, one row per [`Kind::row`].
#[map]
pub static COUNTERS: PerCpuArray<Counter> = PerCpuArray::with_max_entries(Kind::ALL.len() as u32, 0);

/// What the agent does to prove the hooks, see [`trial`].
#[map]
pub static TRIAL: Array<u64> = Array::with_max_entries(trial::CELLS, 0);

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

/// Struct offsets of the running kernel, set by the agent before the programs are loaded.
#[unsafe(no_mangle)]
pub static OFFSETS: Offsets = Offsets::ABSENT;

/// Facts that are not offsets, set by the agent before the programs are loaded.
#[unsafe(no_mangle)]
pub static FACTS: Global<Facts> = Global::new(Facts::UNKNOWN);

/// A record under construction, with the position of its next text.
///
/// Several programs may run on one CPU at once (they can be preempted), one program cannot: the
/// kernel counts `bpf_prog.active` per CPU. So each program that needs one has its own.
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
    FileRename,
    CgroupCreate,
    CgroupRemove,
}

impl Slot {
    const COUNT: u32 = 6;
}
