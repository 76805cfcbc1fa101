//! Reading kernel memory at offsets that the agent found in this kernel's BTF.

use aya_ebpf::helpers::bpf_probe_read_kernel;

/// The offset of a member in the running kernel, biased; zero when it has none. The verifier knows
/// the value (frozen read-only data) and removes the branches of absent members.
macro_rules! offset {
    ($field:ident) => {
        // SAFETY: a static that the loader fills before the program runs; volatile so that the
        // compiler does not fold the zeroes it was built with.
        unsafe { core::ptr::read_volatile(&raw const $crate::map::OFFSETS.$field) }
    };
}
pub(crate) use offset;

/// An address in kernel memory. Reading through it cannot fault: `bpf_probe_read_kernel` fails.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Address(pub u64);

impl Address {
    pub const NULL: Self = Self(0);

    #[inline(always)]
    pub fn is_null(self) -> bool {
        self.0 == 0
    }

    /// Address of the member at a biased offset; null when the kernel has no such member.
    #[inline(always)]
    pub fn member(self, offset: u32) -> Self {
        if offset == 0 || self.is_null() {
            Self::NULL
        } else {
            Self(self.0 + (offset - sensor_ebpf::wire::setting::Offsets::BIAS) as u64)
        }
    }

    /// The object that has its member at this address (`container_of`).
    #[inline(always)]
    pub fn container(self, offset: u32) -> Self {
        if offset == 0 || self.is_null() {
            Self::NULL
        } else {
            Self(self.0 - (offset - sensor_ebpf::wire::setting::Offsets::BIAS) as u64)
        }
    }

    /// The value at this address.
    #[inline(always)]
    pub fn read<T>(self) -> Option<T> {
        if self.is_null() {
            return None;
        }
        // SAFETY: the helper checks the address and copies; callers name plain numbers as `T`.
        unsafe { bpf_probe_read_kernel(self.0 as *const T) }.ok()
    }

    /// The value of the member at a biased offset.
    #[inline(always)]
    pub fn get<T>(self, offset: u32) -> Option<T> {
        self.member(offset).read()
    }

    /// The pointer in the member at a biased offset; null when it cannot be read.
    #[inline(always)]
    pub fn follow(self, offset: u32) -> Self {
        Self(self.get(offset).unwrap_or(0))
    }
}
