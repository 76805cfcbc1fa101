//! The binary that is handed on: static, stripped, small, and the same from whichever folder it was built.
//!
//! glibc and not musl: its memory allocator and string functions are what the sensor was measured with.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{Shipment, audit, weigh};
use crate::command;
use crate::machine::Machine;
use crate::place::Place;
use crate::progress;

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

/// Builds it and lays it into the shipment.
pub(super) fn make(shipment: &Shipment<'_>) -> Result<PathBuf> {
    let (place, machine) = (shipment.place, shipment.machine);
    let built = place.target.join(machine.triple()).join(PROFILE).join("tidewaiter");
    command::show(&mut cargo(place, machine)?)
        .with_context(|| format!("the binary for {} does not build", machine.name()))?;
    let file = shipment.binary();
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
    machine.equip(&mut cargo)?;
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
