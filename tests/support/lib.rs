//! Real parts for the live tests: a private dockerd, servers, rsyslogd, and the agent itself.
//!
//! Each part is one file and one type whose `Drop` ends exactly what it started. Nothing here knows
//! what a test expects, and nothing touches the machine outside a temporary directory and one network
//! namespace of its own.

pub mod wait;
pub mod child;
pub mod network;
pub mod docker;
pub mod engine;
pub mod cri;
pub mod containerd;
pub mod podman;
pub mod bundle;
pub mod cgroup;
pub mod bare;
pub mod server;
pub mod received;
pub mod rsyslog;
pub mod authority;
pub mod receiver;
pub mod nginx;
pub mod collector;
pub mod kafka;
pub mod cluster;
pub mod wire;
pub mod schema;
pub mod agent;
pub mod world;
