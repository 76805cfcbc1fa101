//! The binary that is handed on: static, stripped, small, and the same from whichever folder it was built.
//!
//! glibc and not musl: its memory allocator and string functions are what the sensor was measured with.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use super::{Shipment, audit, weigh};
use crate::command;
use crate::package::{self, HostTool};
use crate::place::Place;
use crate::progress;

/// A kind of machine the sensor is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Machine {
    #[value(name = "x86_64")]
    X86,
    #[value(name = "aarch64")]
    Arm,
}

/// The profile of `Cargo.toml`.
const PROFILE: &str = "shipped";

/// What every machine's build is told.
const FLAGS: [&str; 4] = [
    // No library of the host: it runs in an empty image, and on distributions older than this one.
    "-Ctarget-feature=+crt-static",
    // A panic aborts: nobody reads how to unwind. The rest of these tables the script below leaves out.
    "-Cforce-unwind-tables=no",
    "-Clink-arg=-Wl,--no-eh-frame-hdr",
    "-Clink-arg=-Wl,--build-id=none",
];

/// What the linker leaves out.
const SCRIPT: &str = "xtask/src/dist/unwind.ld";

/// What gcc is told so that a static program for aarch64 moves itself, and the linker beside it; for `x86_64` rustc knows.
const MOVING: &str = "xtask/src/dist/pie.specs";
const MOVING_LINK: &str = "-Clink-arg=-Wl,-pie,--no-dynamic-linker,-z,text";

/// For addresses that are random all the same: the list of what is to be moved is a bit map instead of 24 bytes each. 700 KB.
const RELOCATIONS: &str = "-Clink-arg=-Wl,-z,pack-relative-relocs";

impl Machine {
    /// The kind that this is.
    pub(crate) fn own() -> Result<Self> {
        [Self::X86, Self::Arm]
            .into_iter()
            .find(|machine| machine.name() == env::consts::ARCH)
            .with_context(|| format!("nothing is handed on for {}", env::consts::ARCH))
    }

    /// As `uname -m` has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm => "aarch64",
        }
    }

    /// As Debian has it, and images.
    pub(super) fn debian(self) -> &'static str {
        match self {
            Self::X86 => "amd64",
            Self::Arm => "arm64",
        }
    }

    pub(super) fn triple(self) -> &'static str {
        match self {
            Self::X86 => "x86_64-unknown-linux-gnu",
            Self::Arm => "aarch64-unknown-linux-gnu",
        }
    }

    /// The compiler that makes programs for it here; none: the usual one.
    fn cross(self) -> Option<&'static HostTool> {
        match self {
            _ if self.name() == env::consts::ARCH => None,
            Self::X86 => Some(&package::GCC_X86),
            Self::Arm => Some(&package::GCC_ARM),
        }
    }
}

/// Builds it and lays it into the shipment.
pub(super) fn make(shipment: &Shipment<'_>) -> Result<PathBuf> {
    let (place, machine) = (shipment.place, shipment.machine);
    let built = place.target.join(machine.triple()).join(PROFILE).join("tidewaiter");
    command::show(&mut cargo(place, machine)?)
        .with_context(|| format!("the binary for {} does not build", machine.name()))?;
    let file = shipment.file("");
    fs::copy(&built, &file).with_context(|| format!("cannot copy {}", built.display()))?;
    audit::add(shipment, &file)?;
    let size = weigh(&file)?;
    check(&file)?;
    progress::good("binary", &format!("{:.1} MiB, static, {}", mebibytes(size), file.display()));
    Ok(file)
}

fn cargo(place: &Place, machine: Machine) -> Result<Command> {
    let triple = machine.triple();
    let mut cargo = command::cargo();
    cargo.current_dir(&place.root).args([
        "build",
        "--locked",
        "--package",
        "sensor-user",
        "--bin",
        "tidewaiter",
    ]);
    cargo.args(["--profile", PROFILE, "--target", triple, "--target-dir"]).arg(&place.target);
    let mut flags = FLAGS.map(str::to_owned).to_vec();
    flags.push(format!("-Clink-arg=-Wl,-T,{}", place.root.join(SCRIPT).display()));
    flags.push(RELOCATIONS.to_owned());
    if machine == Machine::Arm {
        // The tool chain's own linker, as it is the usual one for the other: GNU's leaves no such tables out there.
        flags.push("-Clink-arg=-fuse-ld=lld".to_owned());
        flags.push(format!("-Clink-arg=-B{}", programs()?.join("gcc-ld").display()));
        flags.push(format!("-Clink-arg=-specs={}", place.root.join(MOVING).display()));
        flags.push(MOVING_LINK.to_owned());
    }
    let flags = flags.into_iter().chain(remaps(place)?);
    let flags = flags.map(|flag| format!("'{flag}'")).collect::<Vec<_>>().join(",");
    cargo.arg("--config").arg(format!("target.{triple}.rustflags=[{flags}]"));
    if let Some(tool) = machine.cross() {
        let found = tool
            .found()
            .with_context(|| format!("{} is missing: `apt-get install {}`", tool.name, tool.package))?;
        let linker = found.display();
        cargo.arg("--config").arg(format!("target.{triple}.linker='{linker}'"));
        cargo.env(format!("CC_{}", triple.replace('-', "_")), &found);
    }
    // A caller's flags would replace these.
    cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS").env("CARGO_INCREMENTAL", "0");
    Ok(cargo)
}

/// Where the tool chain has its programs for every machine: a linker, `rust-objcopy`.
pub(super) fn programs() -> Result<PathBuf> {
    let sysroot = command::read(command::rustc().args(["--print", "sysroot"]))?;
    let host = format!("{}-unknown-linux-gnu", env::consts::ARCH);
    Ok(Path::new(sysroot.trim()).join("lib/rustlib").join(host).join("bin"))
}

/// Names for the folders of this machine, which would else stand in the messages of panics.
pub(crate) fn remaps(place: &Place) -> Result<Vec<String>> {
    let sysroot = command::read(command::rustc().args(["--print", "sysroot"]))?;
    let cargo_home = env::var_os("CARGO_HOME").map_or_else(
        || {
            env::home_dir()
                .context("there is no home directory, and CARGO_HOME is not set")
                .map(|home| home.join(".cargo"))
        },
        |home| Ok(PathBuf::from(home)),
    )?;
    let root = place.root.canonicalize().context("the workspace is gone")?;
    // Of several that fit, rustc takes the last.
    let folders = [
        (Path::new(sysroot.trim()).join("lib/rustlib/src/rust"), "/rust"),
        (cargo_home, "/cargo"),
        (root, "/tidewaiter"),
        (place.target.clone(), "/tidewaiter/target"),
    ];
    Ok(folders.iter().map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display())).collect())
}

/// It starts without a loader and libraries of the host (`PT_INTERP`, elf(5)), and wherever the kernel lays it
/// (`ET_DYN`): whoever finds a fault in it must not know where its code lies.
fn check(binary: &Path) -> Result<()> {
    let mut readelf = Command::new("readelf");
    readelf.args(["--wide", "--file-header", "--program-headers"]).arg(binary);
    let headers = command::read(&mut readelf)?;
    ensure!(!headers.contains("INTERP"), "{} asks for libraries of the host", binary.display());
    ensure!(headers.contains(" DYN "), "{} has fixed addresses", binary.display());
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "for people, with one digit")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
