//! The lab's kernels: Debian's own for virtual machines, found, fetched and unpacked for QEMU; nothing is installed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command;
use crate::lab::{self, LabPart, SUITE};
use crate::place::Place;

/// A kernel the sensor is tried on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kernel {
    /// As people say it, and as `--kernel` takes it.
    pub(crate) version: &'static str,
    /// The Debian suite that has it.
    pub(crate) suite: &'static str,
    /// Its packages begin with [`IMAGE`] and this and end with [`FLAVOUR`]; the highest number between is taken.
    line: &'static str,
}

/// What the name of a kernel's package begins with.
const IMAGE: &str = "linux-image-";

/// The kernels with drivers for virtual machines only: a tenth of the size.
const FLAVOUR: &str = "-cloud-amd64";

/// Where a kernel's files are: all in the first package, or, since Linux 7, in the others, which it depends on.
const PACKAGES: [&str; 4] = [IMAGE, "linux-base-", "linux-binary-", "linux-modules-"];

/// Where the kernel itself lies in them; `/lib` is `/usr/lib` since trixie.
const BINARIES: [(&str, &str); 2] = [("boot/vmlinuz-", ""), ("usr/lib/modules/", "/vmlinuz")];

/// Every kernel known to the lab; the first is the one `vm` boots when none is named.
///
/// `newest` is what Debian's unstable suite had when it was fetched: deleting it in `target/lab/kernel` fetches anew.
pub(crate) const KERNELS: &[Kernel] = &[
    Kernel { version: "6.1", suite: "bookworm", line: "6.1.0-" },
    Kernel { version: "5.10", suite: "bullseye", line: "5.10.0-" },
    Kernel { version: "6.12", suite: "trixie", line: "6.12." },
    Kernel { version: "newest", suite: "sid", line: "" },
];

impl Kernel {
    /// All that decides which packages are fetched.
    pub(crate) fn recipe(&self) -> String {
        format!("{} {IMAGE}{}*{FLAVOUR}\n", self.suite, self.line)
    }
}

/// The kernel a person names.
fn named(version: &str) -> Result<&'static Kernel> {
    KERNELS.iter().find(|kernel| kernel.version == version).with_context(|| {
        let known: Vec<_> = KERNELS.iter().map(|kernel| kernel.version).collect();
        format!("the lab knows no kernel {version}; it knows {}", known.join(", "))
    })
}

/// The kernels a person names, each once; `all` is every one.
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
    // Lists that are older than the mirror name packages that are gone.
    lab::inside(&machine, "apt-get update", place, "lab-kernel-lists")?;
    let listed = command::read(
        Command::new("chroot").arg(&machine).args(["apt-cache", "pkgnames", "linux-"]).env("LC_ALL", "C"),
    )?;
    let release = newest(&listed, kernel.line).with_context(|| {
        let Kernel { suite, line, .. } = kernel;
        format!("Debian {suite} lists no package {IMAGE}{line}*{FLAVOUR} at present")
    })?;
    let packages = packages(&listed, release).join(" ");
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
fn newest<'a>(listed: &'a str, line: &str) -> Option<&'a str> {
    let releases = listed.lines().filter_map(|name| name.trim().strip_prefix(IMAGE));
    let numbers = |release: &str| -> Option<Vec<u64>> {
        let middle = release.strip_suffix(FLAVOUR)?;
        middle.split(['.', '-', '+']).map(|text| text.trim_start_matches("deb").parse().ok()).collect()
    };
    releases
        .filter(|release| release.starts_with(line) && numbers(release).is_some())
        .max_by_key(|release| numbers(release))
}

/// The packages that Debian has of this release.
fn packages(listed: &str, release: &str) -> Vec<String> {
    let names = PACKAGES.iter().map(|package| format!("{package}{release}"));
    names.filter(|name| listed.lines().any(|line| line.trim() == name)).collect()
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
        assert_eq!(newest(listed, "6.1.0-"), Some("6.1.0-47-cloud-amd64"));
    }

    #[test]
    fn trixie_counts_in_its_own_way() {
        let listed = "linux-image-6.12.9+deb13-cloud-amd64\nlinux-image-6.12.107+deb13-cloud-amd64\n\
                      linux-image-6.12.107+deb13-cloud-amd64-unsigned\n";
        assert_eq!(newest(listed, "6.12."), Some("6.12.107+deb13-cloud-amd64"));
    }

    #[test]
    fn the_newest_of_all_comes_in_several_packages() {
        let listed = "linux-image-cloud-amd64\nlinux-image-6.12.107+deb13-cloud-amd64\n\
                      linux-modules-7.2.13+deb14-cloud-amd64\nlinux-image-7.2.13+deb14-cloud-amd64\n\
                      linux-binary-7.2.13+deb14-cloud-amd64\nlinux-image-7.2.9+deb14-cloud-amd64\n";
        let release = newest(listed, "").unwrap();
        assert_eq!(release, "7.2.13+deb14-cloud-amd64");
        let names =
            ["linux-image-", "linux-binary-", "linux-modules-"].map(|name| format!("{name}{release}"));
        assert_eq!(packages(listed, release), names);
        assert_eq!(
            packages(listed, "6.12.107+deb13-cloud-amd64"),
            ["linux-image-6.12.107+deb13-cloud-amd64"]
        );
    }
}
