//! The kernel programs. `hook/` has one file per family, named as in `wire/`; `emit` is the only
//! writer of the ring; `task` and `path` read kernel objects; `map` declares what is shared.
//!
//! On the host this is an empty program, so that the workspace builds without the eBPF tool chain.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]
// `AtomicU64::fetch_add` is missing on this target although BPF has the instruction.
#![cfg_attr(
    target_arch = "bpf",
    feature(core_intrinsics),
    expect(internal_features, reason = "the only way to the atomic add")
)]
#![cfg_attr(
    target_arch = "bpf",
    expect(unsafe_code, reason = "kernel memory and BPF helpers have no safe form"),
    expect(
        unreachable_pub,
        reason = "in a binary nothing is reachable from outside; pub means: from other modules"
    ),
    expect(
        clippy::cast_possible_truncation,
        reason = "sizes are constants or masked below 64 KiB, other numbers have the kernel's own width; a checked \
                  conversion is a branch that the verifier walks twice"
    ),
    expect(clippy::needless_pass_by_value, reason = "the program macros hand the context over by value")
)]

#[cfg(target_arch = "bpf")]
mod hook;
#[cfg(target_arch = "bpf")]
mod emit;
#[cfg(target_arch = "bpf")]
mod map;
#[cfg(target_arch = "bpf")]
mod path;
#[cfg(target_arch = "bpf")]
mod read;
#[cfg(target_arch = "bpf")]
mod task;

/// The licence the kernel asks for: GPL-compatible, or the tracing helpers are refused.
#[cfg(target_arch = "bpf")]
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // A plain loop: `unreachable_unchecked` would tell the verifier a lie.
    loop {}
}

#[cfg(not(target_arch = "bpf"))]
fn main() {}
