//! Reading kernel memory at offsets that the agent found in this kernel's BTF.

use core::mem::MaybeUninit;

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use sensor_ebpf::wire::setting::Offsets;
use zerocopy::FromZeros;

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

/// An address in kernel memory. Reading through it cannot fault: what cannot be read is zero, as the
/// helper leaves it, and nothing branches on that, which keeps the verifier's ways few.
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
        if offset == 0 { Self::NULL } else { Self(self.0.wrapping_add((offset - Offsets::BIAS) as u64)) }
    }

    /// The object that has its member at this address (`container_of`).
    #[inline(always)]
    pub fn container(self, offset: u32) -> Self {
        if offset == 0 { Self::NULL } else { Self(self.0.wrapping_sub((offset - Offsets::BIAS) as u64)) }
    }

    /// The value at this address; zero when it cannot be read, as at and near null.
    #[inline(always)]
    pub fn read<T: FromZeros>(self) -> T {
        let mut value = MaybeUninit::<T>::uninit();
        // SAFETY: the helper checks the source and writes no more than the size it is told.
        unsafe {
            bpf_probe_read_kernel(value.as_mut_ptr().cast(), size_of::<T>() as u32, self.0 as *const _)
        };
        // SAFETY: the helper has filled all of it, with zeroes where it must
        // (bpf_probe_read_kernel_common, kernel/trace/bpf_trace.c), and `T` may be zero.
        unsafe { value.assume_init() }
    }

    /// The value of the member at a biased offset; zero when there is none.
    #[inline(always)]
    pub fn get<T: FromZeros>(self, offset: u32) -> T {
        self.member(offset).read()
    }

    /// The pointer in the member at a biased offset; null when there is none.
    #[inline(always)]
    pub fn follow(self, offset: u32) -> Self {
        Self(self.get(offset))
    }
}
