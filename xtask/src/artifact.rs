//! Programs that cargo has built here and a guest may run: the agent and what tests it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};

use crate::command;
use crate::machine::Machine;
use crate::place::Place;

/// A program, and how it is called in a guest.
#[derive(Debug)]
pub(crate) struct Artifact {
    pub(crate) name: &'static str,
    pub(crate) path: PathBuf,
}

/// Binaries lie in a profile's directory under their own names.
const BINARIES: [&str; 2] = ["tidewaiter", "deed"];

/// Test programs lie below it, in `deps`, with a hash after their names.
const TESTS: [&str; 1] = ["matrix"];

/// What programs for another machine are linked with: nothing of its libraries is in a guest.
const STATIC: &str = "rustflags=['-Ctarget-feature=+crt-static']";

/// Builds the way matrix, and the program that it runs.
pub(crate) fn build_matrix(place: &Place, machine: Machine) -> Result<()> {
    let mut cargo = command::cargo();
    cargo.current_dir(&place.root).args([
        "test",
        "--no-run",
        "--quiet",
        "--package",
        "tests",
        "--test",
        "matrix",
    ]);
    if machine.cross().is_some() {
        let triple = machine.triple();
        cargo.args(["--target", triple, "--config"]).arg(format!("target.{triple}.{STATIC}"));
        machine.equip(&mut cargo)?;
    }
    command::show(&mut cargo).with_context(|| format!("the way matrix does not build for {}", machine.name()))
}

/// Of each program what was built last, in whichever profile; none for what never was.
pub(crate) fn built(place: &Place, machine: Machine) -> Vec<Artifact> {
    let target =
        if machine.cross().is_some() { place.target.join(machine.triple()) } else { place.target.clone() };
    let profiles = ["debug", "release", "shipped"].map(|profile| target.join(profile));
    let binaries = BINARIES.into_iter().filter_map(|name| {
        let paths = profiles.iter().map(|profile| profile.join(name)).collect();
        Some(Artifact { name, path: last(paths)? })
    });
    let tests = TESTS.into_iter().filter_map(|name| {
        let paths = profiles.iter().flat_map(|profile| hashed(&profile.join("deps"), name)).collect();
        Some(Artifact { name, path: last(paths)? })
    });
    binaries.chain(tests).collect()
}

/// Files named `NAME-0123456789abcdef`, without an extension.
fn hashed(directory: &Path, name: &str) -> Vec<PathBuf> {
    let is_hash = |text: &str| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths
        .filter(|path| {
            let file = path.file_name().and_then(|file| file.to_str());
            file.and_then(|file| file.strip_prefix(name)?.strip_prefix('-')).is_some_and(is_hash)
        })
        .collect()
}

/// The program that was written last.
fn last(paths: Vec<PathBuf>) -> Option<PathBuf> {
    let written = |path: &PathBuf| -> Option<SystemTime> {
        let meta = path.metadata().ok()?;
        (meta.is_file() && meta.permissions().mode() & 0o111 != 0).then(|| meta.modified().ok())?
    };
    paths.into_iter().filter(|path| written(path).is_some()).max_by_key(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_built_last_is_taken_and_no_other_file() {
        let root = tempfile::tempdir().unwrap();
        let place = Place { root: root.path().to_owned(), target: root.path().join("target") };
        let deps = place.target.join("debug/deps");
        fs::create_dir_all(&deps).unwrap();
        let names =
            ["matrix-0123456789abcdef", "matrix-fedcba9876543210", "matrix-fedcba9876543210.d", "matrix"];
        for name in names {
            let path = deps.join(name);
            fs::write(&path, name).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let older = fs::File::options().write(true).open(deps.join("matrix-0123456789abcdef")).unwrap();
        older.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        fs::write(place.target.join("debug/deed"), "not executable").unwrap();
        let built = built(&place, Machine::own().unwrap());
        let found: Vec<_> = built.iter().map(|artifact| (artifact.name, artifact.path.clone())).collect();
        assert_eq!(found, [("matrix", deps.join("matrix-fedcba9876543210"))]);
    }
}
