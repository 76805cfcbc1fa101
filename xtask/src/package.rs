//! Debian packages on the host: found by the file they bring, installed only when that is missing.
//!
//! No service of theirs is started: the host is somebody's machine, and the tests start what they need.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command;
use crate::command::require_root;
use crate::place::Place;

/// A program (or file) the host must have.
#[derive(Debug)]
pub(crate) struct HostTool {
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
    pub(crate) purpose: &'static str,
    /// A program's name, or an absolute path.
    file: &'static str,
}

/// Comes with the LLVM that the BPF linker is built on, whose version it has.
pub(crate) const STRIP: HostTool = HostTool {
    name: "llvm-strip",
    package: "llvm-22",
    purpose: "takes out of the kernel half what only debuggers read",
    file: "/usr/lib/llvm-22/bin/llvm-strip",
};

/// Link what is handed on for another machine than this one; installed by who asks for that.
pub(crate) const GCC_ARM: HostTool = HostTool {
    name: "gcc for aarch64",
    package: "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
    purpose: "links the binary for another machine",
    file: "aarch64-linux-gnu-gcc",
};
pub(crate) const GCC_X86: HostTool = HostTool {
    name: "gcc for x86_64",
    package: "gcc-x86-64-linux-gnu libc6-dev-amd64-cross",
    purpose: "links the binary for another machine",
    file: "x86_64-linux-gnu-gcc",
};

/// The C library to be linked into the binary: where it lies depends on the machine.
pub(crate) const LIBC: HostTool = HostTool {
    name: "libc.a",
    package: "libc6-dev",
    purpose: "is linked into the binary that is handed on",
    file: LIBC_FILE,
};
#[cfg(target_arch = "x86_64")]
const LIBC_FILE: &str = "/usr/lib/x86_64-linux-gnu/libc.a";
#[cfg(not(target_arch = "x86_64"))]
const LIBC_FILE: &str = "/usr/lib/aarch64-linux-gnu/libc.a";

/// Real containers for the live tests; only the daemon's presence counts, the tests start their own.
pub(crate) const DOCKER: HostTool = HostTool {
    name: "docker",
    package: "docker.io",
    purpose: "live tests run real containers",
    file: "dockerd",
};

/// The runtimes below Docker, which brings the first two, and beside it: each names containers in its own way.
pub(crate) const CONTAINERD: HostTool = HostTool {
    name: "containerd",
    package: "containerd",
    purpose: "live tests make pods through its CRI plug-in",
    file: "containerd",
};
pub(crate) const RUNC: HostTool = HostTool {
    name: "runc",
    package: "runc",
    purpose: "live tests run containers that no engine knows",
    file: "runc",
};
pub(crate) const CRUN: HostTool = HostTool {
    name: "crun",
    package: "crun",
    purpose: "live tests run containers that no engine knows",
    file: "crun",
};
pub(crate) const PODMAN: HostTool = HostTool {
    name: "podman",
    package: "podman",
    purpose: "live tests run containers without a daemon",
    file: "podman",
};

/// Networks for the live tests, in namespaces of their own.
pub(crate) const IP: HostTool =
    HostTool { name: "ip", package: "iproute2", purpose: "live tests lay their own networks", file: "ip" };

/// The tool of the cases that happen on the host itself, outside of containers.
pub(crate) const CURL: HostTool =
    HostTool { name: "curl", package: "curl", purpose: "live tests download on the host too", file: "curl" };

/// The receiver of the live tests; they start one of their own, on loopback.
pub(crate) const RSYSLOG: HostTool = HostTool {
    name: "rsyslogd",
    package: "rsyslog",
    purpose: "live tests send alerts to a real receiver",
    file: "/usr/sbin/rsyslogd",
};

/// Its input for RELP, and its two drivers for TLS. Where they lie depends on the architecture; the tests' is this one.
pub(crate) const RSYSLOG_RELP: HostTool = HostTool {
    name: "rsyslog's RELP",
    package: "rsyslog-relp",
    purpose: "tests send alerts to a receiver that acknowledges them",
    file: "/usr/lib/x86_64-linux-gnu/rsyslog/imrelp.so",
};
pub(crate) const RSYSLOG_GNUTLS: HostTool = HostTool {
    name: "rsyslog's GnuTLS",
    package: "rsyslog-gnutls",
    purpose: "tests send alerts to a receiver over TLS",
    file: "/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_gtls.so",
};
pub(crate) const RSYSLOG_OPENSSL: HostTool = HostTool {
    name: "rsyslog's OpenSSL",
    package: "rsyslog-openssl",
    purpose: "tests send alerts to a receiver over TLS",
    file: "/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_ossl.so",
};
/// Reads what the agent exposes, and the rules on it; its server is not started.
pub(crate) const PROMTOOL: HostTool = HostTool {
    name: "promtool",
    package: "prometheus",
    purpose: "live tests have Prometheus's own parser read metrics, rules and dashboard",
    file: "promtool",
};

/// Its daemon alone, which the tests start in a mount namespace of theirs; no init is replaced.
pub(crate) const JOURNALD: HostTool = HostTool {
    name: "journald",
    package: "systemd",
    purpose: "tests send alerts to a real journal",
    file: "/usr/lib/systemd/systemd-journald",
};
/// The receiver of webhooks; the tests start one of their own, on loopback.
pub(crate) const NGINX: HostTool = HostTool {
    name: "nginx",
    package: "nginx-light",
    purpose: "tests send alerts by POST to a real server",
    file: "/usr/sbin/nginx",
};

/// What validated detections talk to is started on the host, within the container's network.
pub(crate) const SSHD: HostTool = HostTool {
    name: "sshd",
    package: "openssh-server",
    purpose: "live tests validate detections of scp, sftp and tunnels",
    file: "/usr/sbin/sshd",
};
pub(crate) const RSYNC: HostTool = HostTool {
    name: "rsync",
    package: "rsync",
    purpose: "live tests validate detections of its daemon",
    file: "rsync",
};

/// What pySigma, with which the rule engine is compared, and the receiver of OpenTelemetry logs are written in.
pub(crate) const PYTHON: HostTool = HostTool {
    name: "python3",
    package: "python3-venv",
    purpose: "runs pySigma, with which the rule engine is compared, and a receiver of OpenTelemetry logs",
    file: "python3",
};

/// Makes the roots of the lab.
pub(crate) const DEBOOTSTRAP: HostTool =
    HostTool { name: "debootstrap", package: "debootstrap", purpose: "makes the lab", file: "debootstrap" };

/// The keys debootstrap checks Debian's signatures with; other distributions leave them out.
pub(crate) const KEYRING: HostTool = HostTool {
    name: "Debian's keys",
    package: "debian-archive-keyring",
    purpose: "the lab's packages are checked with them",
    file: "/usr/share/keyrings/debian-archive-keyring.gpg",
};

impl HostTool {
    pub(crate) fn found(&self) -> Option<PathBuf> {
        if self.file.starts_with('/') {
            Some(PathBuf::from(self.file)).filter(|file| file.exists())
        } else {
            command::find(self.file)
        }
    }

    pub(crate) fn install(&self, place: &Place) -> Result<String> {
        install(place, &[self.package])
    }
}

/// Installs packages without asking and without starting services.
pub(crate) fn install(place: &Place, packages: &[&str]) -> Result<String> {
    let list = packages.join(" ");
    if command::find("apt-get").is_none() {
        bail!(
            "this is not Debian or Ubuntu; install what these Debian packages bring by your own means: {list}"
        );
    }
    require_root(&format!("installing {list}"), "setup")?;
    if packages.iter().any(|package| !is_known(package)) {
        command::log(apt().arg("update"), &place.log("apt-update"))
            .context("cannot read the package lists")?;
    }
    if let Some(unknown) = packages.iter().find(|package| !is_known(package)) {
        bail!(
            "this distribution has no package {unknown}; Debian 12 (with its security suite) or newer has it"
        );
    }
    let quiet = Quiet::begin()?;
    let outcome = command::log(
        apt().args(["install", "--yes", "--no-install-recommends", "--no-remove"]).args(packages),
        &place.log("apt-install"),
    );
    drop(quiet);
    outcome.with_context(|| format!("cannot install {list}"))?;
    Ok(format!("installed {list}"))
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C");
    command
}

/// Whether apt could install it from the lists it has.
fn is_known(package: &str) -> bool {
    command::read(Command::new("apt-cache").args(["policy", package]).env("LC_ALL", "C"))
        .is_ok_and(|text| text.lines().any(|line| line.contains("Candidate:") && !line.contains("(none)")))
}

/// Debian's own way to keep services down during an installation (invoke-rc.d(8)): a policy that answers 101.
/// A policy the machine already has is left alone.
struct Quiet(Option<&'static Path>);

impl Quiet {
    fn begin() -> Result<Self> {
        let policy = Path::new("/usr/sbin/policy-rc.d");
        let created = OpenOptions::new().write(true).create_new(true).mode(0o755).open(policy);
        let Ok(mut file) = created else { return Ok(Self(None)) };
        let guard = Self(Some(policy));
        file.write_all(
            b"#!/bin/sh\n# cargo xtask setup installs packages; this goes when it is done.\nexit 101\n",
        )
        .with_context(|| format!("cannot write {}", policy.display()))?;
        Ok(guard)
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Some(policy) = self.0 {
            drop(fs::remove_file(policy));
        }
    }
}
