//! What others tell over a network, beside the host's own records. Each source runs on a thread of its own and
//! speaks by a bounded channel: nothing here is ever on the way of a record.

pub mod kubernetes;
