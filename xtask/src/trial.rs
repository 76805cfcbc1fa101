//! `cargo xtask test package`: what is handed on, on trial. The image watches under runc and containerd, and the Debian
//! package comes, is replaced and goes on a Debian under systemd, in QEMU, where the image runs with all privileges, too.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::artifact::Artifact;
use crate::dist::{self, Shipment};
use crate::kernel::KERNELS;
use crate::lab::LabPart;
use crate::machine::Machine;
use crate::place::Place;
use crate::qemu;
use crate::setup;
use crate::system;
use crate::verdict::Tally;
use crate::vm;

/// systemd boots and the agent starts five times, emulated; beyond this something hangs.
const TRIAL_MAX: Duration = Duration::from_secs(900);

/// What the guest does with the package.
const PACKAGE: &str = include_str!("../guest/package.sh");
/// And with the image, once that has gone.
const IMAGE: &str = include_str!("../guest/image.sh");

/// What the package is put on trial with, and its image for the live test that asks for it.
pub(crate) fn shipment(place: &Place) -> Result<Shipment<'_>> {
    dist::dist(place, Machine::own()?)
}

/// Boots a Debian with systemd and has two versions of the package come to it, one after the other.
pub(crate) fn package(place: &Place, shipment: &Shipment<'_>) -> Result<Tally> {
    setup::ensure(&[setup::Part::Lab(LabPart::System)], place)?;
    let older = shipment.package();
    let newer = shipment.next()?;
    let image = shipment.image();
    let files = [("older.deb", older), ("newer.deb", newer), ("image.tar", image)];
    let files = files.map(|(name, path)| Artifact { name, path });
    let script = [PACKAGE, IMAGE].concat();
    let kernel = KERNELS.first().context("the lab knows no kernel")?;
    vm::every(place, &[kernel], |kernel| {
        let guest = system::pack(place, LabPart::Kernel(kernel), &script, &files)?;
        let run = qemu::run(place, kernel, &guest, false, TRIAL_MAX)?;
        let tally = vm::told(kernel, &run);
        Ok((run, tally))
    })
}
