//! Tests that need no root and no kernel: recorded input, expected output.
//!
//! They read the documents under `rules/` and `tests/data/` and run the agent's own code on them; what
//! the kernel does is the live tests' matter.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics is a test that fails; clippy.toml excuses the test functions, not what they call"
)]

mod detection;
mod strategy;
mod command_line;
mod field_table;
mod layout;
mod public;
