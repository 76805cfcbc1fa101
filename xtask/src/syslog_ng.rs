//! The lab's syslog-ng: Debian's own with every library it needs, fetched and unpacked. It cannot be installed, since
//! Debian lets a host have one syslog daemon; with its own loader and libraries it runs on any distribution.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::lab::{self, LabPart, SUITE};
use crate::place::Place;

const PACKAGE: &str = "syslog-ng-core";

/// The daemon in the unpacked root, and the loader it is started by.
const PROGRAM: &str = "usr/sbin/syslog-ng";
const LOADER: &str = "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2";

/// All that decides what comes out.
pub(crate) fn recipe() -> String {
    format!("{SUITE} {PACKAGE}\n")
}

/// Fetches it by the machine's apt, so that the host's own sources do not matter, and unpacks it into `draft`.
pub(crate) fn make(place: &Place, draft: &Path) -> Result<String> {
    let machine = LabPart::Machine.path(place);
    let parts = Path::new("/tmp/syslog-ng");
    let parts_outside = machine.join("tmp/syslog-ng");
    lab::remove(&parts_outside)?;
    // As far as apt knows nothing is installed, so it fetches the C library too.
    let line = format!(
        "mkdir -p {0}/archives/partial && cd {0} && : > status && apt-get update && \
         apt-get install --yes --no-install-recommends --download-only --target-release {SUITE} \
         -o Dir::State::status={0}/status -o Dir::Cache::archives={0}/archives -o APT::Sandbox::User=root {PACKAGE} && \
         mkdir root && for part in archives/*.deb; do dpkg-deb -x $part root; done",
        parts.display()
    );
    lab::inside(&machine, &line, place, "lab-syslog-ng")
        .with_context(|| format!("{PACKAGE} cannot be fetched; it needs the network and a Debian mirror"))?;
    lab::remove(draft)?;
    fs::rename(parts_outside.join("root"), draft)
        .with_context(|| format!("cannot move {}", parts_outside.display()))?;
    lab::remove(&parts_outside)?;
    Ok(format!("{PACKAGE} of Debian {SUITE} with its libraries"))
}

/// The daemon, where it and its loader are in `path`.
pub(crate) fn found(path: &Path) -> Option<String> {
    let program: PathBuf = path.join(PROGRAM);
    (program.is_file() && path.join(LOADER).is_file()).then(|| program.display().to_string())
}
