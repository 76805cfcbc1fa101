//! The Debian package: a tree that is laid out and packed by `dpkg-deb`, with the scripts of `deploy/debian`.
//!
//! Not debhelper: what it would generate is short, stands in the tree to be read, and packs wherever dpkg is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{Shipment, manual};
use crate::command;
use crate::progress;

/// Scripts that dpkg runs, and lists it reads (deb(5)): name, and mode.
const CONTROL: [(&str, u32); 4] =
    [("conffiles", 0o644), ("postinst", 0o755), ("prerm", 0o755), ("postrm", 0o755)];

/// Where files of the repository lie on a host.
const FILES: [(&str, &str); 7] = [
    ("deploy/tidewaiter.yaml", "etc/tidewaiter/tidewaiter.yaml"),
    ("deploy/systemd/tidewaiter.service", "lib/systemd/system/tidewaiter.service"),
    ("deploy/allow.yaml", "usr/share/doc/tidewaiter/examples/allow.yaml"),
    ("deploy/debian/copyright", "usr/share/doc/tidewaiter/copyright"),
    ("deploy/prometheus/rules.yml", "usr/share/doc/tidewaiter/examples/prometheus-rules.yml"),
    ("deploy/grafana/tidewaiter.json", "usr/share/doc/tidewaiter/examples/grafana.json"),
    ("deploy/debian/overrides", "usr/share/lintian/overrides/tidewaiter"),
];

/// Where shells look for completions: the file that is made for them, and its name there.
const COMPLETIONS: [(&str, &str); 3] = [
    ("tidewaiter.bash", "usr/share/bash-completion/completions/tidewaiter"),
    ("_tidewaiter", "usr/share/zsh/vendor-completions/_tidewaiter"),
    ("tidewaiter.fish", "usr/share/fish/vendor_completions.d/tidewaiter.fish"),
];

/// Where it lies.
pub(super) fn file(shipment: &Shipment<'_>) -> PathBuf {
    let Shipment { directory, version, machine, .. } = shipment;
    directory.join(format!("tidewaiter_{version}_{}.deb", machine.debian()))
}

/// Packs it into the shipment.
pub(super) fn make(shipment: &Shipment<'_>, binary: &Path) -> Result<PathBuf> {
    let place = shipment.place;
    let tree = place.target.join("debian");
    if tree.exists() {
        fs::remove_dir_all(&tree).with_context(|| format!("cannot remove {}", tree.display()))?;
    }
    lay(binary, &tree.join("usr/bin/tidewaiter"), 0o755)?;
    for (from, to) in FILES {
        lay(&place.root.join(from), &tree.join(to), 0o644)?;
    }
    let made = manual::folder(place);
    for (from, to) in COMPLETIONS {
        lay(&made.join("completion").join(from), &tree.join(to), 0o644)?;
    }
    pages(&made.join("man"), &tree)?;
    news(shipment, &tree)?;
    fs::create_dir_all(tree.join("etc/tidewaiter/conf.d"))?;
    control(shipment, &tree)?;
    plain(&tree)?;

    let file = file(shipment);
    let mut pack = Command::new("dpkg-deb");
    pack.args(["--root-owner-group", "-Zxz", "--build"]).arg(&tree).arg(&file);
    command::read(pack.env("SOURCE_DATE_EPOCH", &shipment.epoch))
        .context("the Debian package cannot be packed; dpkg-deb is in every Debian")?;
    progress::good("Debian package", &file.display().to_string());
    Ok(file)
}

/// The list of dpkg's fields, with the version and the size; the sums of all files; the scripts.
fn control(shipment: &Shipment<'_>, tree: &Path) -> Result<()> {
    let source = shipment.place.root.join("deploy/debian");
    let text = fs::read_to_string(source.join("control")).context("deploy/debian/control cannot be read")?;
    let size = command::read(Command::new("du").args(["--summarize", "--apparent-size", "-k"]).arg(tree))?;
    let size = size.split_whitespace().next().unwrap_or_default();
    let text = text
        .replace("@VERSION@", &shipment.version)
        .replace("@ARCHITECTURE@", shipment.machine.debian())
        .replace("@SIZE@", size);
    let sums = "find . -type f -not -path './DEBIAN/*' -printf '%P\\0' | LC_ALL=C sort -z | xargs -0 md5sum";
    let sums = command::read(Command::new("sh").args(["-ec", sums]).current_dir(tree))?;
    let control = tree.join("DEBIAN");
    fs::create_dir_all(&control)?;
    fs::write(control.join("control"), text)?;
    fs::write(control.join("md5sums"), sums)?;
    for (name, mode) in CONTROL {
        lay(&source.join(name), &control.join(name), mode)?;
    }
    Ok(())
}

fn pages(from: &Path, tree: &Path) -> Result<()> {
    let entries = fs::read_dir(from).with_context(|| format!("no manual pages in {}", from.display()))?;
    for entry in entries {
        let path = entry?.path();
        let section = path.extension().and_then(|section| section.to_str()).unwrap_or("1").to_owned();
        let name = path.file_name().context("a manual page has a name")?;
        let copy = tree.join(format!("usr/share/man/man{section}")).join(name);
        lay(&path, &copy, 0o644)?;
        pack(&copy)?;
    }
    Ok(())
}

/// What changed, as Debian has it: the entry is of this version and the time of the commit.
fn news(shipment: &Shipment<'_>, tree: &Path) -> Result<()> {
    let mut date = Command::new("date");
    date.args(["--utc", "--rfc-email", "--date"]).arg(format!("@{}", shipment.epoch)).env("LC_ALL", "C");
    let date = command::read(&mut date)?;
    let text = format!(
        "tidewaiter ({}) unstable; urgency=medium\n\n  * All that changed is in CHANGELOG.md of the repository.\n\n -- \
         Tidewaiter <tidewaiter@lab.invalid>  {date}",
        shipment.version
    );
    let file = tree.join("usr/share/doc/tidewaiter/changelog");
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;
    pack(&file)
}

/// As Debian wants texts packed: the same bytes each time.
fn pack(file: &Path) -> Result<()> {
    command::read(Command::new("gzip").args(["--best", "--no-name"]).arg(file)).map(drop)
}

/// Copies a file to its place, and makes the folders to it.
fn lay(from: &Path, to: &Path, mode: u32) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    fs::set_permissions(to, fs::Permissions::from_mode(mode))?;
    Ok(())
}

/// Folders have the mode of a host's, whatever this user's umask is.
fn plain(tree: &Path) -> Result<()> {
    let mut find = Command::new("find");
    find.arg(tree).args(["-type", "d", "-exec", "chmod", "755", "{}", "+"]);
    command::read(&mut find).map(drop)
}
