//! `cargo xtask dist`: everything that is handed on, in `target/dist`, with a sum for each file.
//!
//! Twice the same: of one commit, by one tool chain, each file comes out the same to the last bit, wherever the
//! repository lies. Nothing here is published, signed or pushed anywhere.

mod binary;
mod audit;
mod manual;
mod debian;
mod image;
mod sbom;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::build;
use crate::command;
use crate::machine::Machine;
use crate::place::Place;
use crate::progress;
use crate::setup;

pub(crate) use binary::remaps;

/// Larger than this the stripped binary may not be: what a sensor brings to each host and into each image.
const BYTES_MAX: u64 = 15 << 20;

/// What is made for one machine.
pub(crate) struct Shipment<'p> {
    place: &'p Place,
    machine: Machine,
    /// As cargo knows it.
    version: String,
    /// When it was made as far as the files say: the time of the commit, in seconds.
    epoch: String,
    directory: PathBuf,
}

/// Makes everything, for one kind of machine.
pub(crate) fn dist(place: &Place, machine: Machine) -> Result<Shipment<'_>> {
    build::kernel_half(place)?;
    setup::ensure(&setup::dist(machine), place)?;
    let shipment =
        Shipment { place, machine, version: version(place)?, epoch: epoch(place), directory: place.dist() };
    shipment.clear()?;
    let binary = binary::make(&shipment)?;
    let sbom = sbom::make(&shipment)?;
    manual::make(place)?;
    let package = debian::make(&shipment, &binary)?;
    let image = image::make(&shipment, &binary)?;
    let files = [binary, sbom, package, image];
    let names: Vec<_> = files.iter().filter_map(|file| file.file_name()).collect();
    let sums = command::read(Command::new("sha256sum").args(names).current_dir(&shipment.directory))?;
    let place = shipment.directory.join("SHA256SUMS");
    fs::write(&place, &sums).with_context(|| format!("cannot write {}", place.display()))?;
    progress::say(sums.trim_end());
    Ok(shipment)
}

impl Shipment<'_> {
    /// An empty folder: what an earlier commit left must not get the sums of this one.
    fn clear(&self) -> Result<()> {
        if self.directory.exists() {
            fs::remove_dir_all(&self.directory)
                .with_context(|| format!("cannot remove {}", self.directory.display()))?;
        }
        fs::create_dir_all(&self.directory)
            .with_context(|| format!("cannot create {}", self.directory.display()))
    }

    /// The binary.
    pub(crate) fn binary(&self) -> PathBuf {
        self.file("")
    }

    /// The Debian package.
    pub(crate) fn package(&self) -> PathBuf {
        debian::file(self)
    }

    /// What `docker load` takes.
    pub(crate) fn image(&self) -> PathBuf {
        self.file(".image.tar")
    }

    /// The same package under the next version, for trials: beside what is handed on, not in it.
    pub(crate) fn next(&self) -> Result<PathBuf> {
        let directory = self.place.target.join("next");
        fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
        let (version, epoch) = (format!("{}+next", self.version), self.epoch.clone());
        let next = Shipment { place: self.place, machine: self.machine, version, epoch, directory };
        debian::make(&next, &self.binary())
    }

    /// `tidewaiter-0.1.0-x86_64` and what follows.
    fn file(&self, rest: &str) -> PathBuf {
        self.directory.join(format!("tidewaiter-{}-{}{rest}", self.version, self.machine.name()))
    }
}

/// The agent's version, from its manifest by way of cargo.
fn version(place: &Place) -> Result<String> {
    let mut cargo = command::cargo();
    cargo.current_dir(&place.root).args(["pkgid", "--package", "sensor-user"]);
    let id = command::read(&mut cargo)?;
    let version = id.trim().rsplit(['#', '@']).next().unwrap_or_default();
    ensure!(version.starts_with(|first: char| first.is_ascii_digit()), "cargo names no version: {id}");
    Ok(version.to_owned())
}

/// `SOURCE_DATE_EPOCH` as others have it (reproducible-builds.org), else the time of the commit; else the day on which
/// time begins, for a tree without its history.
fn epoch(place: &Place) -> String {
    env::var("SOURCE_DATE_EPOCH").ok().unwrap_or_else(|| {
        let mut git = Command::new("git");
        git.current_dir(&place.root).args(["log", "-1", "--format=%ct"]);
        command::read(&mut git).map_or_else(|_| "1".to_owned(), |time| time.trim().to_owned())
    })
}

/// Refuses a binary that is larger than promised.
fn weigh(binary: &Path) -> Result<u64> {
    let size = fs::metadata(binary).with_context(|| format!("no binary at {}", binary.display()))?.len();
    if size > BYTES_MAX {
        bail!(
            "{} has {size} bytes, and {BYTES_MAX} are the bound: `nm --size-sort` on a build with `strip = false` shows \
             what grew",
            binary.display()
        );
    }
    Ok(size)
}
