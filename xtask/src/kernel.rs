//! The lab's kernels: Debian's own for virtual machines, found, fetched and unpacked for QEMU; nothing is installed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command;
use crate::lab::{self, LabPart, SUITE};
use crate::machine::Machine;
use crate::place::Place;
use crate::verdict::Tier;

/// A kernel the sensor is tried on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kernel {
    /// As people say it, and as `--kernel` takes it.
    pub(crate) version: &'static str,
    /// The Debian suite that has it.
    pub(crate) suite: &'static str,
    /// Its packages begin with [`IMAGE`] and this and end with the flavour; the highest number between is taken.
    line: &'static str,
    pub(crate) machine: Machine,
    pub(crate) tier: Tier,
}

/// What the name of a kernel's package begins with.
const IMAGE: &str = "linux-image-";

/// Where a kernel's files are: all in the first package, or, since Linux 7, in the others, which it depends on.
const PACKAGES: [&str; 4] = [IMAGE, "linux-base-", "linux-binary-", "linux-modules-"];

/// Where the kernel itself lies in them; `/lib` is `/usr/lib` since trixie.
const BINARIES: [(&str, &str); 2] = [("boot/vmlinuz-", ""), ("usr/lib/modules/", "/vmlinuz")];

/// The kernels that every test run boots; the first is the one `vm` boots when none is named.
///
/// `newest` is what Debian's unstable suite had when it was fetched: deleting it in `target/lab/kernel` fetches anew.
pub(crate) const KERNELS: &[Kernel] = &[
    Kernel::new("6.1", "bookworm", "6.1.0-"),
    Kernel::new("5.10", "bullseye", "5.10.0-"),
    Kernel::new("6.12", "trixie", "6.12."),
    Kernel::new("newest", "sid", ""),
];

/// The same for the other machine; tried when they are named. Programs attach to functions there since Linux 6.4, which
/// brought direct calls of ftrace (`arch/arm64/Kconfig`, `HAVE_DYNAMIC_FTRACE_WITH_DIRECT_CALLS`).
pub(crate) const ARM_KERNELS: &[Kernel] = &[
    Kernel::arm("6.1-aarch64", "bookworm", "6.1.0-", Tier::Second),
    Kernel::arm("5.10-aarch64", "bullseye", "5.10.0-", Tier::Second),
    Kernel::arm("6.12-aarch64", "trixie", "6.12.", Tier::First),
    Kernel::arm("newest-aarch64", "sid", "", Tier::First),
];

impl Kernel {
    const fn new(version: &'static str, suite: &'static str, line: &'static str) -> Self {
        Self { version, suite, line, machine: Machine::X86, tier: Tier::First }
    }

    const fn arm(version: &'static str, suite: &'static str, line: &'static str, tier: Tier) -> Self {
        Self { version, suite, line, machine: Machine::Arm, tier }
    }

    /// All that decides which packages are fetched.
    pub(crate) fn recipe(&self) -> String {
        format!("{} {IMAGE}{}*{}\n", self.suite, self.line, self.flavour())
    }

    /// The kernels with drivers for virtual machines only: a tenth of the size.
    fn flavour(&self) -> String {
        format!("-cloud-{}", self.machine.debian())
    }
}

/// The kernel a person names.
fn named(version: &str) -> Result<&'static Kernel> {
    let mut kernels = KERNELS.iter().chain(ARM_KERNELS);
    kernels.clone().find(|kernel| kernel.version == version).with_context(|| {
        let known: Vec<_> = kernels.by_ref().map(|kernel| kernel.version).collect();
        format!("the lab knows no kernel {version}; it knows {}", known.join(", "))
    })
}

/// The kernels a person names, each once; `all` is every one of this machine's kind.
pub(crate) fn chosen(versions: &[String]) -> Result<Vec<&'static Kernel>> {
    if versions.iter().any(|version| version == "all") {
        return Ok(KERNELS.iter().collect());
    }
    let mut kernels = Vec::new();
    for version in versions {
        let kernel = named(version)?;
        if !kernels.contains(&kernel) {
            kernels.push(kernel);
        }
    }
    Ok(kernels)
}

/// Fetches the newest kernel of its line and unpacks it into `draft`; returns its release.
pub(crate) fn fetch(kernel: &Kernel, place: &Place, draft: &Path) -> Result<String> {
    let machine = LabPart::Machine.path(place);
    if kernel.suite != SUITE {
        add_suite(&machine, kernel.suite)?;
    }
    let debian = kernel.machine.debian();
    // Lists that are older than the mirror name packages that are gone.
    let line = format!("dpkg --add-architecture {debian} && apt-get update");
    lab::inside(&machine, &line, place, "lab-kernel-lists")?;
    let listed = command::read(
        Command::new("chroot").arg(&machine).args(["apt-cache", "pkgnames", "linux-"]).env("LC_ALL", "C"),
    )?;
    let flavour = kernel.flavour();
    let release = newest(&listed, kernel.line, &flavour).with_context(|| {
        let Kernel { suite, line, .. } = kernel;
        format!("Debian {suite} lists no package {IMAGE}{line}*{flavour} at present")
    })?;
    let packages =
        packages(&listed, release).map(|name| format!("{name}:{debian}")).collect::<Vec<_>>().join(" ");
    let parts = Path::new("/tmp").join(format!("kernel-{}", kernel.version));
    let parts_outside = machine.join(parts.strip_prefix("/")?);
    lab::remove(&parts_outside)?;
    let line = format!(
        "mkdir {0} && cd {0} && apt-get download {packages} && mkdir root && \
         for part in *.deb; do dpkg-deb -x $part root; done",
        parts.display()
    );
    lab::inside(&machine, &line, place, "lab-kernel-fetch")?;
    lab::remove(draft)?;
    fs::rename(parts_outside.join("root"), draft)
        .with_context(|| format!("cannot move {}", parts_outside.display()))?;
    lab::remove(&parts_outside)?;
    let binary = BINARIES
        .iter()
        .map(|(before, after)| format!("{before}{release}{after}"))
        .find(|binary| draft.join(binary).is_file())
        .with_context(|| format!("no vmlinuz is in {packages}; Debian packs it in another way now"))?;
    symlink(binary, draft.join("vmlinuz")).context("cannot link vmlinuz")?;
    fs::write(draft.join("release"), format!("{release}\n")).context("cannot note the kernel's release")?;
    Ok(release.to_owned())
}

/// The release with the highest numbers; Debian keeps some older ones beside it, and debug and unsigned ones.
fn newest<'a>(listed: &'a str, line: &str, flavour: &str) -> Option<&'a str> {
    let releases = listed.lines().filter_map(|name| name.trim().strip_prefix(IMAGE));
    let numbers = |release: &str| -> Option<Vec<u64>> {
        let middle = release.strip_suffix(flavour)?;
        middle.split(['.', '-', '+']).map(|text| text.trim_start_matches("deb").parse().ok()).collect()
    };
    releases
        .filter(|release| release.starts_with(line) && numbers(release).is_some())
        .max_by_key(|release| numbers(release))
}

/// The packages that Debian has of this release.
fn packages(listed: &str, release: &str) -> impl Iterator<Item = String> {
    let names = PACKAGES.iter().map(move |package| format!("{package}{release}"));
    names.filter(|name| listed.lines().any(|line| line.trim() == name))
}

/// Another Debian beside the machine's own, from the same mirror, for its kernels alone. Unstable's lists expire
/// within a week and a mirror may lag: what is signed and late is good enough for a guest.
fn add_suite(machine: &Path, suite: &str) -> Result<()> {
    let sources = machine.join("etc/apt/sources.list");
    let text = fs::read_to_string(&sources).with_context(|| format!("cannot read {}", sources.display()))?;
    let rest = text
        .lines()
        .find_map(|line| line.strip_prefix("deb ").filter(|rest| rest.contains(SUITE)))
        .with_context(|| format!("{} names no {SUITE}", sources.display()))?;
    let file = machine.join("etc/apt/sources.list.d").join(format!("{suite}.list"));
    fs::write(&file, format!("deb [check-valid-until=no] {}\n", rest.replace(SUITE, suite)))
        .with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_kernel_counts_as_numbers_do() {
        let listed = "linux-image-6.1.0-9-cloud-amd64\nlinux-image-6.1.0-50-cloud-amd64-dbg\n\
                      linux-image-6.1.0-47-cloud-amd64\nlinux-image-6.1.0-50-amd64\n";
        assert_eq!(newest(listed, "6.1.0-", "-cloud-amd64"), Some("6.1.0-47-cloud-amd64"));
    }

    #[test]
    fn another_machines_kernels_are_not_taken() {
        let listed = "linux-image-6.1.0-50-cloud-arm64\nlinux-image-6.1.0-47-cloud-amd64\n";
        assert_eq!(newest(listed, "6.1.0-", "-cloud-arm64"), Some("6.1.0-50-cloud-arm64"));
        assert_eq!(newest(listed, "6.1.0-", "-cloud-amd64"), Some("6.1.0-47-cloud-amd64"));
    }

    #[test]
    fn trixie_counts_in_its_own_way() {
        let listed = "linux-image-6.12.9+deb13-cloud-amd64\nlinux-image-6.12.107+deb13-cloud-amd64\n\
                      linux-image-6.12.107+deb13-cloud-amd64-unsigned\n";
        assert_eq!(newest(listed, "6.12.", "-cloud-amd64"), Some("6.12.107+deb13-cloud-amd64"));
    }

    #[test]
    fn the_newest_of_all_comes_in_several_packages() {
        let listed = "linux-image-cloud-amd64\nlinux-image-6.12.107+deb13-cloud-amd64\n\
                      linux-modules-7.2.13+deb14-cloud-amd64\nlinux-image-7.2.13+deb14-cloud-amd64\n\
                      linux-binary-7.2.13+deb14-cloud-amd64\nlinux-image-7.2.9+deb14-cloud-amd64\n";
        let release = newest(listed, "", "-cloud-amd64").unwrap();
        assert_eq!(release, "7.2.13+deb14-cloud-amd64");
        let names =
            ["linux-image-", "linux-binary-", "linux-modules-"].map(|name| format!("{name}{release}"));
        assert!(packages(listed, release).eq(names));
        let older = packages(listed, "6.12.107+deb13-cloud-amd64");
        assert!(older.eq(["linux-image-6.12.107+deb13-cloud-amd64"]));
    }
}
