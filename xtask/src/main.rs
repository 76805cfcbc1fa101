//! The one door: `cargo xtask <task>` builds, runs and checks Tidewaiter, for people and for CI alike.
//!
//! Each task is one file. A task that lacks something calls `setup`, which says what it does and why. Nothing
//! here is part of the sensor.

mod build;
mod command;
mod lab;
mod package;
mod place;
mod progress;
mod run;
mod setup;
mod toolchain;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::place::Place;

/// Builds, runs and checks Tidewaiter.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Words {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build everything and run the sensor here (root); this is where to start
    ///
    /// Installs what the build lacks, builds both halves in release and becomes `tidewaiter run`.
    Run {
        /// Words for `tidewaiter run`, after `--`
        #[arg(last = true)]
        words: Vec<String>,
    },
    /// Build the kernel half and the agent
    ///
    /// The kernel half is compiled for bpfel-unknown-none, linked by bpf-linker and embedded in the agent.
    Build {
        /// Optimised, as users run it: target/release/tidewaiter
        #[arg(long)]
        release: bool,
    },
    /// Install what building and testing need, and make the lab (root)
    ///
    /// The other tasks call this for what they lack. What is there is left alone. The host gets the eBPF tool
    /// chain and, where missing, docker, debootstrap and ip; QEMU, rsyslog, servers and kernels lie in
    /// target/lab.
    Setup {
        /// Also fetch this kernel for `vm`; `all` for every one the lab knows
        #[arg(long, value_name = "VERSION")]
        kernel: Vec<String>,
    },
}

fn main() -> ExitCode {
    match perform(Words::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress::failure(&error);
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> Result<()> {
    let place = Place::find();
    match task {
        Task::Run { words } => run::run(&place, &words),
        Task::Build { release } => build::build(&place, release),
        Task::Setup { kernel } => setup::everything(&place, &lab::kernels(&kernel)?),
    }
}
