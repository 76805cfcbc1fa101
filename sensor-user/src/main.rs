//! The `tidewaiter` binary: reads the command line; everything else is in the library.

use std::process::ExitCode;

use clap::Parser;
use sensor_user::cli::{Cli, execute};

fn main() -> ExitCode {
    sensor_user::ebpf::sys::resolve_alone();
    execute(Cli::parse())
}
