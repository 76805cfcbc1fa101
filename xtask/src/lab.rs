//! The lab, `target/lab`: what the tests use and no host should have to install. Deleting it costs minutes, nothing else.
//!
//! - `image/` and `image.tar`: a small Debian with the real tools people move files with; a container's root.
//! - `corpus/` and `corpus.tar`: a Debian with what everyday containers run: packages of three kinds, servers, a compiler.
//! - `machine/`: a Debian with QEMU and rsyslog, used by `chroot`; nothing in it is ever started on the host.
//! - `system/`: a Debian with systemd, which a guest boots to have the package installed.
//! - `apiserver/`: a Kubernetes API server and its database.
//! - `python/`: a Python with pySigma, another reader of rules, OCSF's schema, OpenTelemetry's definitions for a receiver of logs, and
//!   librdkafka's brokers.
//! - `helm/`: Helm, which renders the chart.
//! - `syslog-ng/`: Debian's syslog-ng with its libraries, unpacked.
//! - `kernel/<version>/`: distribution kernels for QEMU, unpacked.
//! - `aarch64/`: programs for guests of that machine; made when such a guest is asked for.
//!
//! Each part carries a stamp that is its recipe, word for word: a changed recipe makes that part again.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::apiserver;
use crate::command;
use crate::command::require_root;
use crate::corpus;
use crate::foreign;
use crate::helm;
use crate::kernel::{self, Kernel};
use crate::machine::Machine;
use crate::place::Place;
use crate::python;
use crate::syslog_ng;

/// The Debian of the lab. Its tools are old enough to be everywhere and it is supported until 2028.
pub(crate) const SUITE: &str = "bookworm";

/// What the tests and emulations move files with, and the servers they move them to. nginx has Debian's WebDAV module: it
/// accepts `curl -T`. busybox is the dynamic one that a Debian container has.
const IMAGE: &[&str] = &[
    "aria2",
    "bind9-dnsutils",
    "busybox",
    "ca-certificates",
    "curl",
    "iproute2",
    "iputils-ping",
    "lftp",
    "lua5.4",
    "lua-socket",
    "netcat-openbsd",
    "nginx-light",
    "openssh-client",
    "openssh-server",
    "openssl",
    "perl",
    "procps",
    "python3",
    "rsync",
    "socat",
    "tftp-hpa",
    "tnftp",
    "wget",
];

/// The applets by name, as in an Alpine container: `/opt/busybox/wget` runs busybox.
const IMAGE_FINISH: &str = "mkdir -p /opt/busybox && /bin/busybox --install -s /opt/busybox";

/// QEMU boots other kernels, rsyslog receives alerts; a static busybox and cpio make the guests' roots.
const MACHINE: &[&str] = &[
    "busybox-static",
    "ca-certificates",
    "cpio",
    "iproute2",
    "qemu-system-arm",
    "qemu-system-x86",
    "rsyslog",
];

/// What a host has that the package comes to, and a web server to download from.
const SYSTEM: &[&str] = &["busybox-static", "curl", "procps", "rsyslog", "runc", "systemd-sysv"];

/// No password opens it: nobody logs in.
const SYSTEM_FINISH: &str = "apt-get clean";

/// apt inside the machine finds and fetches kernels, so that the host's own sources do not matter.
const MACHINE_FINISH: &str = "apt-get update";

/// A part of the lab.
#[derive(Debug, Clone, Copy)]
pub(crate) enum LabPart {
    Image,
    Corpus,
    Machine,
    System,
    ApiServer,
    Python,
    Helm,
    SyslogNg,
    Kernel(&'static Kernel),
    Foreign(Machine),
}

impl LabPart {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Image => "lab image",
            Self::Corpus => "lab corpus",
            Self::Machine => "lab machine",
            Self::System => "lab system",
            Self::ApiServer => "lab API server",
            Self::Python => "lab Python",
            Self::Helm => "lab Helm",
            Self::SyslogNg => "lab syslog-ng",
            Self::Kernel(_) => "lab kernel",
            Self::Foreign(_) => "lab programs",
        }
    }

    pub(crate) fn doing(self) -> String {
        match self {
            Self::Image => {
                format!("the containers of the live tests: Debian {SUITE} with {}", IMAGE.join(", "))
            }
            Self::Corpus => corpus::doing(),
            Self::Machine => {
                format!("QEMU and rsyslog without installing them: Debian {SUITE} to chroot into")
            }
            Self::System => {
                format!("a host for the Debian package to come to: Debian {SUITE} with systemd, for QEMU")
            }
            Self::ApiServer => format!(
                "Kubernetes' own for the tests of its source: built from Debian {}'s sources, some minutes",
                apiserver::SOURCE_SUITE
            ),
            Self::Python => {
                "pySigma and OpenTelemetry's definitions, which the sensor is compared with, in a virtual environment"
                    .to_owned()
            }
            Self::Helm => "tests render the chart with it: Helm's own program from the npm registry".to_owned(),
            Self::SyslogNg => {
                "live tests send alerts to it: unpacking it beside the host's daemon".to_owned()
            }
            Self::Kernel(kernel) => {
                format!("Linux {} from Debian {}, for QEMU", kernel.version, kernel.suite)
            }
            Self::Foreign(machine) => {
                format!("what guests of {} run: unpacking it from Debian {SUITE}", machine.name())
            }
        }
    }

    /// Where it lies.
    pub(crate) fn path(self, place: &Place) -> PathBuf {
        match self {
            Self::Image => place.lab().join("image"),
            Self::Corpus => place.lab().join("corpus"),
            Self::Machine => place.lab().join("machine"),
            Self::System => place.lab().join("system"),
            Self::ApiServer => place.lab().join("apiserver"),
            Self::Python => place.lab().join("python"),
            Self::Helm => place.lab().join("helm"),
            Self::SyslogNg => place.lab().join("syslog-ng"),
            Self::Kernel(kernel) => place.lab().join("kernel").join(kernel.version),
            Self::Foreign(machine) => place.lab().join(machine.name()),
        }
    }

    fn stamp(self, place: &Place) -> PathBuf {
        self.path(place).with_added_extension("stamp")
    }

    /// All that decides what comes out.
    fn recipe(self) -> String {
        match self {
            Self::Image => format!("{SUITE} {}\n{IMAGE_FINISH}\n", IMAGE.join(" ")),
            Self::Corpus => corpus::recipe(),
            Self::Machine => format!("{SUITE} {}\n{MACHINE_FINISH}\n", MACHINE.join(" ")),
            Self::System => format!("{SUITE} {}\n{SYSTEM_FINISH}\n", SYSTEM.join(" ")),
            Self::ApiServer => apiserver::recipe(),
            Self::Python => python::recipe(),
            Self::Helm => helm::recipe(),
            Self::SyslogNg => syslog_ng::recipe(),
            Self::Kernel(kernel) => kernel.recipe(),
            Self::Foreign(machine) => foreign::recipe(machine),
        }
    }

    pub(crate) fn found(self, place: &Place) -> Option<String> {
        let path = self.path(place);
        let fresh = fs::read_to_string(self.stamp(place)).is_ok_and(|stamp| stamp == self.recipe());
        if !fresh || !path.is_dir() {
            return None;
        }
        match self {
            Self::Image => {
                Some(image_tar(place)).filter(|tar| tar.is_file()).map(|tar| tar.display().to_string())
            }
            Self::Corpus => corpus::found(place),
            Self::Machine | Self::System | Self::Foreign(_) => Some(path.display().to_string()),
            Self::ApiServer => apiserver::found(&path),
            Self::Python => python::found(&path),
            Self::Helm => helm::found(&path),
            Self::SyslogNg => syslog_ng::found(&path),
            Self::Kernel(_) => {
                fs::read_to_string(path.join("release")).ok().map(|release| release.trim().to_owned())
            }
        }
    }

    /// Whether it is made by `chroot`.
    fn needs_root(self) -> bool {
        match self {
            Self::Image
            | Self::Corpus
            | Self::Machine
            | Self::System
            | Self::ApiServer
            | Self::SyslogNg
            | Self::Kernel(_)
            | Self::Foreign(_) => true,
            Self::Python | Self::Helm => false,
        }
    }

    /// Makes it beside its place and moves it there when it is whole.
    pub(crate) fn make(self, place: &Place) -> Result<String> {
        if self.needs_root() {
            require_root(&format!("making the {}", self.name()), "setup")?;
        }
        let path = self.path(place);
        let draft = path.with_added_extension("part");
        remove(&draft)?;
        remove(&self.stamp(place))?;
        fs::create_dir_all(&draft).with_context(|| format!("cannot create {}", draft.display()))?;
        let detail = match self {
            Self::Image => make_image(place, &draft),
            Self::Corpus => corpus::make(place, &draft),
            Self::Machine => make_machine(place, &draft),
            Self::System => make_system(place, &draft),
            Self::ApiServer => apiserver::make(place, &draft),
            Self::Python => python::make(place, &draft),
            Self::Helm => helm::make(place, &draft),
            Self::SyslogNg => syslog_ng::make(place, &draft),
            Self::Kernel(kernel) => kernel::fetch(kernel, place, &draft),
            Self::Foreign(machine) => foreign::make(machine, place, &draft),
        }?;
        remove(&path)?;
        fs::rename(&draft, &path).with_context(|| format!("cannot move {} to its place", draft.display()))?;
        fs::write(self.stamp(place), self.recipe()).context("cannot write the stamp")?;
        Ok(detail)
    }
}

/// What `docker import` takes.
fn image_tar(place: &Place) -> PathBuf {
    place.lab().join("image.tar")
}

fn make_image(place: &Place, draft: &Path) -> Result<String> {
    debootstrap(place, draft, IMAGE, "lab-image")?;
    inside(draft, IMAGE_FINISH, place, "lab-image-finish")?;
    pack(place, draft, &image_tar(place), "lab-image-pack")
}

/// Packs a root as `docker import` takes it; returns its size.
pub(crate) fn pack(place: &Place, root: &Path, tar: &Path, log: &str) -> Result<String> {
    let mut pack = Command::new("tar");
    // What apt keeps and device nodes are of no use in a container, which gets its own /dev.
    pack.args([
        "--exclude=./var/lib/apt/lists/*",
        "--exclude=./dev/*",
        "--numeric-owner",
        "--one-file-system",
    ]);
    command::log(pack.arg("-C").arg(root).arg("-cf").arg(tar).arg("."), &place.log(log))?;
    Ok(format!("{} in {}", size(tar), tar.file_name().unwrap_or_default().display()))
}

fn make_machine(place: &Place, draft: &Path) -> Result<String> {
    debootstrap(place, draft, MACHINE, "lab-machine")?;
    inside(draft, MACHINE_FINISH, place, "lab-machine-finish")?;
    Ok(format!("Debian {SUITE}"))
}

fn make_system(place: &Place, draft: &Path) -> Result<String> {
    debootstrap(place, draft, SYSTEM, "lab-system")?;
    inside(draft, SYSTEM_FINISH, place, "lab-system-finish")?;
    Ok(format!("Debian {SUITE} with systemd"))
}

/// A Debian root with `packages`.
pub(crate) fn debootstrap(place: &Place, root: &Path, packages: &[&str], log: &str) -> Result<()> {
    let cache = place.lab().join("cache"); // both roots share most packages
    fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
    let debootstrap =
        command::find("debootstrap").context("debootstrap is missing; run `cargo xtask setup`")?;
    let mut command = with_own_mounts(&debootstrap);
    command.arg("--variant=minbase").arg(format!("--cache-dir={}", cache.display()));
    command.arg(format!("--include={}", packages.join(","))).arg(SUITE).arg(root);
    command.args(mirror());
    command.env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C");
    command::log(&mut command, &place.log(log))
        .context("debootstrap could not make a Debian root; it needs the network and a Debian mirror")
}

/// A program whose mounts die with it, however it ends. Where the root is a mere chroot the kernel refuses that,
/// and debootstrap's own cleaning up has to do.
fn with_own_mounts(program: &Path) -> Command {
    if command::read(Command::new("unshare").args(["--mount", "true"])).is_err() {
        return Command::new(program);
    }
    let mut command = Command::new("unshare");
    command.arg("--mount").arg(program);
    command
}

/// The mirror this host's apt uses for the lab's Debian, if it does; debootstrap knows a default.
fn mirror() -> Option<String> {
    let mut targets = Command::new("apt-get");
    targets.args(["indextargets", "--format", "$(RELEASE) $(SITE)", "Created-By: Packages"]);
    let text = command::read(&mut targets).ok()?;
    text.lines().find_map(|line| line.strip_prefix(SUITE)?.strip_prefix(' ').map(str::to_owned))
}

/// Runs a shell line in a root of the lab.
pub(crate) fn inside(root: &Path, line: &str, place: &Place, log: &str) -> Result<()> {
    let mut command = Command::new("chroot");
    command.arg(root).args(["sh", "-ec", line]).env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C");
    // The host's PATH may lack where Debian keeps its tools.
    command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    command::log(&mut command, &place.log(log))
}

/// Removes a file or a tree, if there is one; only ever called below `target/lab`.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let outcome = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match outcome {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn size(file: &Path) -> String {
    fs::metadata(file).map_or_else(|_| "?".to_owned(), |meta| format!("{} MB", meta.len() / 1_000_000))
}
