//! `cargo xtask setup`: makes sure that what a task needs is there, and says what it does and why.
//!
//! A part that is there is left alone, so a second run costs a glance. The host gets as little as can be: what
//! the tests use beyond that lives in the lab, `target/lab`, and goes away with it.

use std::fs::{self, File};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::kernel::KERNELS;
use crate::lab::LabPart;
use crate::machine::Machine;
use crate::package;
use crate::place::Place;
use crate::progress;
use crate::toolchain;

/// One thing a task can need.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    /// `core` for the BPF target.
    Core,
    /// The linker that turns LLVM bitcode into a BPF object.
    Linker,
    /// What builds and runs the fuzz targets.
    Fuzzer,
    /// The standard library for a machine.
    Standard(Machine),
    /// A program of the host, with the Debian package that brings it.
    Host(&'static package::HostTool),
    /// A part of the lab.
    Lab(LabPart),
}

/// What building needs.
pub(crate) const BUILD: &[Part] = &[Part::Core, Part::Linker, Part::Host(&package::STRIP)];

/// What making programs that are handed on needs, besides.
pub(crate) fn dist(machine: Machine) -> Vec<Part> {
    match machine.cross() {
        None => vec![Part::Host(&package::LIBC)],
        Some(compiler) => vec![Part::Standard(machine), Part::Host(compiler)],
    }
}

/// What the live tests need.
pub(crate) const LIVE: &[Part] = &[
    Part::Host(&package::DOCKER),
    Part::Host(&package::CONTAINERD),
    Part::Host(&package::RUNC),
    Part::Host(&package::CRUN),
    Part::Host(&package::PODMAN),
    Part::Host(&package::IP),
    Part::Host(&package::CURL),
    Part::Host(&package::RSYSLOG),
    Part::Host(&package::RSYSLOG_RELP),
    Part::Host(&package::RSYSLOG_GNUTLS),
    Part::Host(&package::RSYSLOG_OPENSSL),
    Part::Host(&package::PROMTOOL),
    Part::Host(&package::JOURNALD),
    Part::Host(&package::NGINX),
    Part::Host(&package::PYTHON),
    Part::Host(&package::SSHD),
    Part::Host(&package::RSYNC),
    Part::Host(&package::DEBOOTSTRAP),
    Part::Host(&package::KEYRING),
    Part::Lab(LabPart::Image),
    Part::Lab(LabPart::Machine),
    Part::Lab(LabPart::ApiServer),
    Part::Lab(LabPart::SyslogNg),
    Part::Lab(LabPart::Python),
];

/// What the corpus of harmless work needs.
pub(crate) const CORPUS: &[Part] = &[
    Part::Host(&package::DOCKER),
    Part::Host(&package::IP),
    Part::Host(&package::CURL),
    Part::Host(&package::DEBOOTSTRAP),
    Part::Host(&package::KEYRING),
    Part::Lab(LabPart::Corpus),
];

/// What the tests against a Kubernetes API server need.
pub(crate) const CLUSTER: &[Part] = &[
    Part::Host(&package::CURL),
    Part::Host(&package::DEBOOTSTRAP),
    Part::Host(&package::KEYRING),
    Part::Lab(LabPart::Machine),
    Part::Lab(LabPart::ApiServer),
];

/// What the rule engine is compared with, and what renders and judges manifests.
pub(crate) const DIFFERENTIAL: &[Part] = &[
    Part::Host(&package::PYTHON),
    Part::Host(&package::CURL),
    Part::Lab(LabPart::Python),
    Part::Lab(LabPart::Helm),
];

/// What every guest needs beside its kernel.
pub(crate) const VM: &[Part] = &[
    Part::Host(&package::DEBOOTSTRAP),
    Part::Host(&package::KEYRING),
    Part::Lab(LabPart::Image),
    Part::Lab(LabPart::Machine),
];

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Core => "core for BPF",
            Self::Linker => "bpf-linker",
            Self::Fuzzer => "cargo-fuzz",
            Self::Standard(_) => "standard library",
            Self::Host(tool) => tool.name,
            Self::Lab(part) => part.name(),
        }
    }

    /// What is there, or `None`.
    fn found(self, place: &Place) -> Option<String> {
        match self {
            Self::Core => toolchain::core().map(|core| core.to_string()),
            Self::Linker => toolchain::linker(place).map(|path| path.display().to_string()),
            Self::Fuzzer => toolchain::fuzzer(place).map(|path| path.display().to_string()),
            Self::Standard(machine) => toolchain::standard(machine).map(|path| path.display().to_string()),
            Self::Host(tool) => tool.found().map(|path| path.display().to_string()),
            Self::Lab(part) => part.found(place),
        }
    }

    /// What it is for and what will be done, as the line beside the spinner.
    fn doing(self) -> String {
        match self {
            Self::Core => "the kernel half is built with it: adding rust-src".to_owned(),
            Self::Linker => "links the kernel half: building it from crates, one to a few minutes".to_owned(),
            Self::Fuzzer => "builds the fuzz targets: building it from crates, a minute".to_owned(),
            Self::Standard(machine) => format!("for programs on {}: adding rustup's target", machine.name()),
            Self::Host(tool) => format!("{}: installing {}", tool.purpose, tool.package),
            Self::Lab(part) => part.doing(),
        }
    }

    fn make(self, place: &Place) -> Result<String> {
        match self {
            Self::Core => toolchain::add_core(place),
            Self::Linker => toolchain::build_linker(place),
            Self::Fuzzer => toolchain::build_fuzzer(place),
            Self::Standard(machine) => toolchain::add_standard(machine, place),
            Self::Host(tool) => tool.install(place),
            Self::Lab(part) => part.make(place),
        }
    }
}

/// All there is.
fn all() -> Vec<Part> {
    let mut parts: Vec<Part> = BUILD.iter().chain(LIVE).chain(CORPUS).chain(DIFFERENTIAL).copied().collect();
    parts.extend(KERNELS.iter().map(|kernel| Part::Lab(LabPart::Kernel(kernel))));
    parts
}

/// Is all there?
pub(crate) fn is_complete(place: &Place) -> bool {
    all().into_iter().all(|part| part.found(place).is_some())
}

/// Everything, with a line for each part: what a person asks for by `cargo xtask setup`.
pub(crate) fn everything(place: &Place) -> Result<()> {
    let start = Instant::now();
    progress::title("Tidewaiter: setup");
    let mut missing = 0;
    for part in &all() {
        if let Some(detail) = part.found(place) {
            progress::good(part.name(), &detail);
        } else {
            missing += 1;
            make(&[*part], place)?;
        }
    }
    let outcome = if missing == 0 { "Everything is there" } else { "Everything is there now" };
    progress::say(&format!("{outcome} ({}).", progress::seconds(start.elapsed())));
    Ok(())
}

/// Only what is missing of `parts`, in silence when that is nothing: what other tasks ask for.
pub(crate) fn ensure(parts: &[Part], place: &Place) -> Result<()> {
    let missing: Vec<Part> = parts.iter().filter(|part| part.found(place).is_none()).copied().collect();
    if missing.is_empty() {
        return Ok(());
    }
    progress::title("Setting up what this needs and this machine lacks");
    make(&missing, place)
}

/// Makes the parts one after the other; one xtask at a time, so that two do not build the same lab.
fn make(parts: &[Part], place: &Place) -> Result<()> {
    fs::create_dir_all(&place.target).with_context(|| format!("cannot create {}", place.target.display()))?;
    let path = place.target.join("setup.lock");
    let lock = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    if lock.try_lock().is_err() {
        progress::say("  … another cargo xtask is setting up here; waiting for it");
        lock.lock().context("cannot lock setup")?;
    }
    for part in parts {
        if part.found(place).is_some() {
            continue; // the xtask we waited for made it, or a part before this one brought it
        }
        progress::step(part.name(), &part.doing(), || part.make(place)).with_context(|| {
            format!(
                "setup stopped at {}; finished parts stay, run it again once the reason is gone",
                part.name()
            )
        })?;
        if part.found(place).is_none() {
            bail!("{} was made without an error and still is not found: a fault in xtask", part.name());
        }
    }
    Ok(())
}
