//! The one door: `cargo xtask <task>` builds, runs and checks Tidewaiter, for people and for CI alike.
//!
//! Each task is one file. A task that lacks something calls `setup`, which says what it does and why. Nothing
//! here is part of the sensor.

mod run;
mod build;
mod dist;
mod test;
mod vm;
mod trial;
mod bench;
mod fuzz;
mod tidy;
mod setup;
mod beside;
mod toolchain;
mod package;
mod lab;
mod corpus;
mod registry;
mod kernel;
mod apiserver;
mod python;
mod helm;
mod syslog_ng;
mod guest;
mod system;
mod foreign;
mod module;
mod artifact;
mod qemu;
mod verdict;
mod machine;
mod command;
mod progress;
mod place;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::bench::workload::{CHILD, Workload};
use crate::machine::Machine;
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
    /// Make what is handed on: the static binary, a Debian package, an image, the bill of materials, in target/dist
    ///
    /// Of one commit and one tool chain the files are always the same, wherever the repository lies.
    Dist {
        /// The machine it is for; another than this one takes Debian's cross compiler and rustup's target
        #[arg(long, value_enum, default_value = std::env::consts::ARCH)]
        machine: Machine,
    },
    /// Run every check: formatting, house rules, lints, unit, replay, live and vm tests (root)
    ///
    /// Parts that this machine cannot run are told with their reason. The last line sums up all tests.
    Test {
        /// Only these parts
        parts: Vec<test::Choice>,
        /// Only live tests with one of these words in their names, after `--`
        #[arg(last = true)]
        words: Vec<String>,
    },
    /// Boot other kernels in QEMU and see that a transfer in a container is alerted there (root)
    ///
    /// With a command after `--` it runs that in the guest instead and shows its output:
    /// `cargo xtask vm --kernel 5.10 -- ls /sys/kernel/btf`. In PATH are busybox and, as built last,
    /// `tidewaiter`, `deed` and `matrix`; `/disk` is an ext4 disk.
    Vm {
        /// A kernel the lab knows: 6.1, 5.10, 6.12, newest (of Debian unstable), `all` for every one; 6.12-aarch64 and the
        /// others of that machine with what `dist` made for it
        #[arg(long, default_value = "6.1", value_name = "VERSION")]
        kernel: Vec<String>,
        /// How many seconds a guest may run once it is up
        #[arg(long, default_value_t = qemu::RUN_MAX.as_secs(), value_name = "SECONDS")]
        timeout: u64,
        /// A shell command for the guest, after `--`
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// Measure what the sensor costs, with and without it in turn (root)
    ///
    /// Each run with it is compared with the runs before and after it. All of them take about three minutes;
    /// docs/cost.md says what the figures mean.
    Bench {
        /// Only these workloads
        workloads: Vec<Workload>,
        /// How often each runs with the sensor
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=100))]
        rounds: u32,
        /// One JSON document instead of the table
        #[arg(long)]
        json: bool,
    },
    /// Be one workload of `bench` and print the nanoseconds it took
    #[command(name = CHILD, hide = true)]
    BenchWorkload { workload: Workload },
    /// Try millions of random rules, records and texts on the rule engine
    ///
    /// Without targets: each of them. A finding ends it with an error and the smallest input that shows it.
    Fuzz {
        /// Only these targets
        targets: Vec<fuzz::Target>,
        /// How many cases of each target
        #[arg(long, default_value_t = 1_000_000)]
        cases: u64,
        /// End each target after so many seconds, also where cases are left
        #[arg(long)]
        seconds: Option<u64>,
    },
    /// Check the rules of the house that no compiler checks
    Tidy,
    /// Install what building and testing need, and make the lab (root)
    ///
    /// The other tasks call this for what they lack. What is there is left alone. The host gets the eBPF tool
    /// chain and, where missing, docker, debootstrap and ip; QEMU, rsyslog, servers, kernels and pySigma
    /// lie in target/lab.
    Setup,
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
        Task::Dist { machine } => dist::dist(&place, machine).map(drop),
        Task::Test { parts, words } => test::test(&place, &parts, &words),
        Task::Vm { kernel, timeout, command } => {
            vm::run(&place, &kernel::chosen(&kernel)?, &command, Duration::from_secs(timeout))
        }
        Task::Bench { workloads, rounds, json } => bench::bench(&place, &workloads, rounds, json),
        Task::BenchWorkload { workload } => workload.perform(),
        Task::Fuzz { targets, cases, seconds } => fuzz::fuzz(&place, &targets, cases, seconds),
        Task::Tidy => tidy::tidy(&place),
        Task::Setup => setup::everything(&place),
    }
}
