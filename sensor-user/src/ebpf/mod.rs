//! The border to the kernel: loads the programs, attaches them by tier, reads the ring.
//!
//! `hook` is the table of what is observed and where; `load` walks it; `proof` makes each
//! attached hook fire; `watch` looks after them from then on, and `mend` attaches again what somebody detached; `offset` answers where the
//! running kernel keeps its fields. Nothing here knows what a record means.

pub mod load;
pub mod hook;
pub mod proof;
pub mod offset;
pub mod btf;
pub mod pace;
pub mod ring;
pub mod counter;
pub mod account;
pub mod flow;
pub mod fanotify;
pub mod sys;
pub mod descriptor;
pub mod stranger;
pub mod reattach;
pub mod watch;
pub mod mend;
