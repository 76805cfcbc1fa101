//! What monitoring asks of a running agent: `/metrics` in the text format of Prometheus, `/healthz` and `/readyz`.
//!
//! It answers on a Unix socket of root and the agent's user, and on a TCP address where the configuration names one.
//! `table` is the one table of metrics; `text` writes them; `request` reads what is asked; `server` does the IO beside
//! the loop, which only hands out a [`Snapshot`](crate::metric::snapshot::Snapshot).
//!
//! The HTTP is our own, and little: one GET or HEAD without a body a connection, its head within 4 KiB and a second.
//! That is all a scraper needs, every bound of it is in sight here, and no server library runs in a root process for it.

mod request;
mod server;
pub mod table;
pub mod text;

pub use server::{ListenError, Pulse, Server};

/// Where the socket is unless the configuration says otherwise.
pub const SOCKET: &str = "/run/tidewaiter/metrics.sock";
