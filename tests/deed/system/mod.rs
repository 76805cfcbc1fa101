//! Deeds on other processes and on the system, all within children and namespaces of their own.

pub(crate) mod target;
pub(crate) mod tamper;
pub(crate) mod host;
