//! Programs for guests of another machine: a static busybox, and curl with its libraries, unpacked from Debian's packages.
//! Nothing of it is ever run on this machine.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::lab::{self, LabPart, SUITE};
use crate::machine::Machine;
use crate::place::Place;

/// What a guest has; apt adds the libraries.
const PACKAGES: [&str; 2] = ["busybox-static", "curl"];

/// What only people read.
const MANUALS: &str = "usr/share";

/// All that decides what comes out.
pub(crate) fn recipe(machine: Machine) -> String {
    format!("{SUITE} {} {}\n", machine.debian(), PACKAGES.join(" "))
}

/// Unpacks them into `draft`, by the apt of the lab's machine.
pub(crate) fn make(machine: Machine, place: &Place, draft: &Path) -> Result<String> {
    let (root, debian) = (LabPart::Machine.path(place), machine.debian());
    let parts = Path::new("/tmp").join(format!("programs-{debian}"));
    let parts_outside = root.join(parts.strip_prefix("/")?);
    lab::remove(&parts_outside)?;
    let packages = PACKAGES.map(|name| format!("{name}:{debian}")).join(" ");
    // Suites that were added for their kernels must not give libraries.
    let line = format!(
        "dpkg --add-architecture {debian} && apt-get update && mkdir -p {0}/partial && \
         apt-get install --download-only --yes --no-install-recommends --target-release {SUITE} \
         -o Dir::Cache::archives={0} {packages} && \
         for part in {0}/*_{debian}.deb; do dpkg-deb -x $part {0}/root; done && rm -rf {0}/root/{MANUALS}",
        parts.display()
    );
    lab::inside(&root, &line, place, "lab-foreign")?;
    lab::remove(draft)?;
    fs::rename(parts_outside.join("root"), draft)
        .with_context(|| format!("cannot move {}", parts_outside.display()))?;
    lab::remove(&parts_outside)?;
    Ok(format!("{} for {}", PACKAGES.join(", "), machine.name()))
}
