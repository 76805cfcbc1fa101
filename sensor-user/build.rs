//! Packs what the agent embeds into `$OUT_DIR`: the kernel half, and the folders of `rules/`, those files apart that a
//! running agent never needs.
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
    println!("cargo::rerun-if-changed=../rules");

    let object = match env::var_os("TIDEWAITER_EBPF") {
        Some(path) => PathBuf::from(path),
        None => stand_in(target_directory()?.join("ebpf/tidewaiter-ebpf.o"))?,
    };
    println!("cargo::rerun-if-changed={}", object.display());

    let bytes = fs::read(&object).map_err(|error| {
        io::Error::other(format!("cannot embed the kernel half {}: {error}", object.display()))
    })?;
    pack("tidewaiter-ebpf", &bytes)?;

    let rules = variable("CARGO_MANIFEST_DIR")?.join("../rules");
    let mut files = Vec::new();
    gather(&rules, "", &mut files)?;
    files.sort();
    let is_wanted = |(name, _): &&(String, String)| RUNNING.iter().any(|end| name.ends_with(end));
    let archive = |files: Vec<&(String, String)>| -> String {
        files.iter().map(|(name, text)| format!("{name}\0{text}\0")).collect()
    };
    pack("rules", archive(files.iter().filter(is_wanted).collect()).as_bytes())?;
    pack("proofs", archive(files.iter().filter(|file| !is_wanted(file)).collect()).as_bytes())
}

/// The files of a detection that an agent reads when it starts; the others prove it.
const RUNNING: [&str; 2] = ["/rule.yml", "/ads.md"];

/// The best that the packer can do: it is done once, and unpacking takes the same time.
const LEVEL: u8 = 10;

/// An empty text stays one.
fn pack(name: &str, bytes: &[u8]) -> io::Result<()> {
    let packed =
        if bytes.is_empty() { Vec::new() } else { miniz_oxide::deflate::compress_to_vec(bytes, LEVEL) };
    fs::write(variable("OUT_DIR")?.join(name).with_extension("packed"), packed)
}

/// The names, from `rules/` on, and texts of all files below a folder.
fn gather(folder: &Path, before: &str, files: &mut Vec<(String, String)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{before}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            gather(&entry.path(), &format!("{name}/"), files)?;
        } else {
            let text = fs::read_to_string(entry.path())
                .map_err(|error| io::Error::other(format!("cannot embed rules/{name}: {error}")))?;
            files.push((name, text));
        }
    }
    Ok(())
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
