//! A guest that is a whole Debian under systemd: a disk made of the lab's root, and an initramfs that finds it.
//!
//! The disk is made anew for each boot, so that nothing is left of the one before.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::artifact::Artifact;
use crate::command;
use crate::guest::Guest;
use crate::lab::LabPart;
use crate::place::Place;

const INIT: &str = include_str!("../guest/system.sh");

/// Room for the root, which has some 300 MB, and for what a test writes; sparse.
const DISK_MB: u32 = 1024;

/// Packs it; `script` runs as a service once the Debian is up, with `files` beside it in `/guest`.
pub(crate) fn pack(place: &Place, kernel: LabPart, script: &str, files: &[Artifact]) -> Result<Guest> {
    let guest = Guest::empty(place);
    let root = guest.directory().join("root");
    for folder in ["bin", "guest/module"] {
        fs::create_dir_all(root.join(folder))?;
    }
    fs::write(root.join("init"), INIT)?;
    fs::set_permissions(root.join("init"), fs::Permissions::from_mode(0o755))?;
    fs::write(root.join("guest/script"), script)?;
    fs::copy(guest.machine().join("bin/busybox"), root.join("bin/busybox"))
        .context("the lab's machine has no busybox")?;
    symlink("busybox", root.join("bin/sh"))?;
    for Artifact { name, path } in files {
        fs::copy(path, root.join("guest").join(name))
            .with_context(|| format!("no {name} at {}", path.display()))?;
    }
    guest.boot_files(place, kernel)?;
    disk(&LabPart::System.path(place), &guest.directory().join("disk"))?;
    Ok(guest)
}

fn disk(root: &Path, disk: &Path) -> Result<()> {
    // A file where an earlier guest had another disk keeps what it does not overwrite.
    if disk.exists() {
        fs::remove_file(disk)?;
    }
    let mke2fs = command::find("mke2fs").context("mke2fs is missing; the package e2fsprogs brings it")?;
    let mut make = Command::new(mke2fs);
    make.args(["-q", "-F", "-t", "ext4", "-d"]).arg(root).arg(disk).arg(format!("{DISK_MB}M"));
    command::read(&mut make).map(drop).context("the guest's disk cannot be made")
}
