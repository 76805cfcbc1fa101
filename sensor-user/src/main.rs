//! The `tidewaiter` binary: reads the command line; everything else is in the library.

use std::process::ExitCode;

use clap::Parser;
use sensor_user::cli::{Cli, execute};

fn main() -> ExitCode {
    execute(Cli::parse())
}
