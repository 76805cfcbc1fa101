//! Single archives of the npm registry, each held against the digest that it had when it was chosen. No npm is needed, and none of
//! what an archive asks for comes with it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::command;
use crate::place::Place;

/// Where it is fetched when no npm of this host knows a nearer one.
const REGISTRY: &str = "https://registry.npmjs.org/";

/// An archive: its package, its file, and the file's SHA-512.
pub(crate) struct Archive {
    pub(crate) package: &'static str,
    pub(crate) file: &'static str,
    pub(crate) sum: &'static str,
}

/// Fetches it to `to`, or says why not.
pub(crate) fn fetch(archive: &Archive, place: &Place, to: &Path) -> Result<()> {
    let Archive { package, file, sum } = archive;
    let known = command::read(Command::new("npm").args(["config", "get", "registry"])).ok();
    let registry = known.map(|text| text.trim().to_owned()).filter(|text| text.starts_with("https://"));
    let registry = registry.as_deref().unwrap_or(REGISTRY).trim_end_matches('/');
    let mut curl = Command::new("curl");
    curl.args(["--fail", "--silent", "--show-error", "--location", "--output"]).arg(to);
    command::log(curl.arg(format!("{registry}/{package}/-/{file}")), &place.log(&format!("lab-{package}")))
        .with_context(|| format!("{file} cannot be fetched from the npm registry"))?;
    let found = command::read(Command::new("sha512sum").arg(to))?;
    ensure!(found.starts_with(sum), "{file} of the registry is not what it was: its SHA-512 is {found}");
    Ok(())
}
