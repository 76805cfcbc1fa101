//! The local door of a running agent: a socket in the file system through which `tidewaiter ps` asks for
//! the live picture, and `tidewaiter rules stats` and `suppressed` for what the rules did. Not a way to change anything, and never a listener on a network.
//!
//! The directory is the agent's own (0700), the socket is 0600, and whoever connects must be root or the
//! agent's own user by the kernel's word (`SO_PEERCRED`). A client may be slow or silent: it gets a short
//! time and one of few places, and the loop hands out references only.

mod place;
mod server;
pub mod protocol;
mod answer;
pub mod client;
pub mod scene;

pub(crate) use place::Place;
pub use place::PlaceError;
pub(crate) use server::ask;
pub use server::{ASKS_MAX, Ask, Server};

/// Where the socket is unless the configuration says otherwise.
pub const SOCKET: &str = "/run/tidewaiter/agent.sock";
