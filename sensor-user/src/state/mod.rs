//! What the agent remembers: processes, containers, connections, files. The only memory it has;
//! pure (time and host facts are arguments) and bounded (every table has a named bound and counts
//! what it evicts).

pub mod process;
pub mod container;
pub mod pod;
pub mod standing;
pub mod phase;
pub mod cgroup_path;
pub mod mount;
pub mod file;
pub mod writer;
pub mod intake;
pub mod resource;
pub mod flow;
pub mod name;
pub mod baseline;
