//! The contract between the kernel half and the agent, written once and checked by the compiler.
//!
//! The kernel programs fill these records, the agent decodes them; both compile this crate, so a
//! layout that differs cannot exist. Nothing here does IO or allocates, and nothing here needs the
//! eBPF tool chain: the agent and its tests build it for the host.
#![no_std]

pub mod wire;
