//! Puts the kernel half where the agent embeds it: `$OUT_DIR/tidewaiter-ebpf.o`.
//!
//! It builds nothing: `cargo xtask build` compiles the kernel half and leaves the object in
//! `target/ebpf/`. Where that has not happened yet an empty object stands in, so that tests, clippy and
//! editors work without the eBPF tool chain; the agent tells the two apart by the length.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed=TIDEWAITER_EBPF");
    println!("cargo::rerun-if-env-changed=CARGO_TARGET_DIR");
    println!("cargo::rerun-if-changed=build.rs");
    // Embedded by a macro that does not watch what it reads.
    println!("cargo::rerun-if-changed=../rules");

    let object = match env::var_os("TIDEWAITER_EBPF") {
        Some(path) => PathBuf::from(path),
        None => stand_in(target_directory()?.join("ebpf/tidewaiter-ebpf.o"))?,
    };
    println!("cargo::rerun-if-changed={}", object.display());

    let embedded = variable("OUT_DIR")?.join("tidewaiter-ebpf.o");
    fs::copy(&object, &embedded).map(drop).map_err(|error| {
        io::Error::other(format!("cannot embed the kernel half {}: {error}", object.display()))
    })
}

/// An empty file where there is none: cargo reruns this script at every build while a watched file is missing.
fn stand_in(object: PathBuf) -> io::Result<PathBuf> {
    if !object.exists() {
        if let Some(directory) = object.parent() {
            fs::create_dir_all(directory)?;
        }
        fs::write(&object, [])?;
    }
    Ok(object)
}

/// The same answer `xtask` gives: `CARGO_TARGET_DIR` (from the workspace if relative), else `target`.
fn target_directory() -> io::Result<PathBuf> {
    let workspace = variable("CARGO_MANIFEST_DIR")?.join("..");
    Ok(workspace.join(env::var_os("CARGO_TARGET_DIR").as_deref().map_or(Path::new("target"), Path::new)))
}

fn variable(name: &str) -> io::Result<PathBuf> {
    env::var_os(name).map(PathBuf::from).ok_or_else(|| io::Error::other(format!("cargo did not set {name}")))
}
