//! The lab's everyday Debian: what the corpus of harmless work runs in its containers. The image of the other live
//! tests stays small; this one has servers, a compiler and the package managers.

use std::path::PathBuf;

use anyhow::Result;

use crate::lab::{self, LabPart, SUITE};
use crate::place::Place;
use crate::registry::{self, Archive};

/// Three package managers (apt is in every Debian), three servers with their clients, a compiler, version control, what
/// backs up and what ships logs.
const PACKAGES: &[&str] = &[
    "ca-certificates",
    "curl",
    "gcc",
    "git",
    "libc6-dev",
    "make",
    "netcat-openbsd",
    "nginx-light",
    "nodejs",
    "openssh-client",
    "openssh-server",
    "postgresql-15",
    "procps",
    "python3-pip",
    "redis-server",
    "rsync",
    "rsyslog",
];

/// Debian's npm is four hundred packages; the registry's own is one archive of 2.7 MB that the same Node runs.
const NPM: Archive = Archive {
    package: "npm",
    file: "npm-9.9.4.tgz",
    sum: "37371088ba6a0ee2e16af772276277b4627f9e2fde6dca87545664bf50b8ffa95b96b6943db3e0089e1585be286b71458516b6623f60039f23187ff3b4ab9e35",
};

/// npm is unpacked where its own installer puts it. LLVM is there for PostgreSQL's just-in-time compiler alone, which works without
/// it by doing nothing; documents and translations nobody reads. A cluster of PostgreSQL that only loopback may enter is there
/// already and is not wanted: tests make their own.
const FINISH: &str = "mkdir -p /usr/local/lib/node_modules && \
    tar -C /usr/local/lib/node_modules -xf /npm.tgz && mv /usr/local/lib/node_modules/package /usr/local/lib/node_modules/npm && \
    ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && rm /npm.tgz && \
    rm -rf /usr/lib/*/libLLVM* /usr/lib/postgresql/15/lib/bitcode /usr/lib/postgresql/15/lib/llvmjit* && \
    rm -rf /usr/share/doc /usr/share/locale /usr/share/man /usr/share/info /var/cache/apt/* && \
    rm -rf /var/lib/postgresql/15 /etc/postgresql/15 && npm --version";

pub(crate) fn doing() -> String {
    format!("the containers of the corpus of harmless work: Debian {SUITE} with {}", PACKAGES.join(", "))
}

/// All that decides what comes out.
pub(crate) fn recipe() -> String {
    format!("{SUITE} {}\n{} {}\n{FINISH}\n", PACKAGES.join(" "), NPM.file, NPM.sum)
}

pub(crate) fn found(place: &Place) -> Option<String> {
    Some(tar(place)).filter(|tar| tar.is_file()).map(|tar| tar.display().to_string())
}

/// What `docker import` takes.
fn tar(place: &Place) -> PathBuf {
    LabPart::Corpus.path(place).with_extension("tar")
}

pub(crate) fn make(place: &Place, draft: &std::path::Path) -> Result<String> {
    lab::debootstrap(place, draft, PACKAGES, "lab-corpus")?;
    registry::fetch(&NPM, place, &draft.join("npm.tgz"))?;
    lab::inside(draft, FINISH, place, "lab-corpus-finish")?;
    lab::pack(place, draft, &tar(place), "lab-corpus-pack")
}
