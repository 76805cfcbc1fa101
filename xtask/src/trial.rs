//! `cargo xtask test package`: what is handed on, on trial. The image watches under runc, and the Debian package comes,
//! is replaced and goes on a Debian under systemd, in QEMU.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::artifact::Artifact;
use crate::dist::{self, Shipment};
use crate::kernel::KERNELS;
use crate::lab::LabPart;
use crate::place::Place;
use crate::qemu;
use crate::setup;
use crate::system;
use crate::verdict::Tally;
use crate::vm;

/// systemd boots and the agent starts five times, emulated; beyond this something hangs.
const TRIAL_MAX: Duration = Duration::from_secs(900);

/// What the guest does.
const SCRIPT: &str = include_str!("../guest/package.sh");

/// What the package is put on trial with, and its image for the live test that asks for it.
pub(crate) fn shipment(place: &Place) -> Result<Shipment<'_>> {
    dist::dist(place, dist::Machine::own()?)
}

/// Boots a Debian with systemd and has two versions of the package come to it, one after the other.
pub(crate) fn package(place: &Place, shipment: &Shipment<'_>) -> Result<Tally> {
    setup::ensure(&[setup::Part::Lab(LabPart::System)], place)?;
    let older = shipment.package();
    let newer = shipment.next()?;
    let files = [Artifact { name: "older.deb", path: older }, Artifact { name: "newer.deb", path: newer }];
    let kernel = KERNELS.first().context("the lab knows no kernel")?;
    vm::every(place, &[kernel], |kernel| {
        let guest = system::pack(place, LabPart::Kernel(kernel), SCRIPT, &files)?;
        let run = qemu::run(place, kernel, &guest, false, TRIAL_MAX)?;
        let tally = vm::told(&run);
        Ok((run, tally))
    })
}
