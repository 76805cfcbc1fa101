//! The agent of Tidewaiter. Read the modules in the order in which a record travels.
//!
//! `ebpf` loads the kernel half and reads its ring; `decode` checks the bytes; `state` remembers
//! processes, containers and files; `event` is what rules see; the crate `sigma` matches; `story` joins
//! what belongs together; `alert` is what leaves; `outbox` keeps it until
//! receivers have it; `sink` delivers it; `source` brings what others tell.
//! `agent` is the whole flow on one page. IO happens in `ebpf`, `host`, `source`, `outbox`, `sink`, `config` and
//! the binary only.

pub mod agent;
pub mod ebpf;
pub mod octet;
mod packed;
#[cfg(test)]
mod fuzz;
pub mod decode;
pub mod dns;
pub mod command;
pub mod state;
pub mod event;
pub mod detection;
pub mod rule;
pub mod story;
pub mod pipeline;
pub mod alert;
pub mod redact;
pub mod outbox;
pub mod sink;
pub mod control;
pub mod host;
pub mod keeper;
pub mod privilege;
pub mod source;
pub mod canary;
pub mod capture;
pub mod config;
pub mod validate;
pub mod verify;
pub mod cli;
pub mod metric;
pub mod check;
pub mod exposition;
pub mod shutdown;
