//! The kinds of machine that the sensor is built for, and tried on in QEMU.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::package::{self, HostTool};

/// A kind of machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Machine {
    #[value(name = "x86_64")]
    X86,
    #[value(name = "aarch64")]
    Arm,
}

/// How QEMU is one of the kind.
pub(crate) struct Emulator {
    pub(crate) program: &'static str,
    /// `virt` has nothing that `pc` has not; what a processor of the kind can do.
    pub(crate) words: &'static [&'static str],
    /// The serial line, as its kernels call it.
    pub(crate) console: &'static str,
}

impl Machine {
    /// The kind that this is.
    pub(crate) fn own() -> Result<Self> {
        [Self::X86, Self::Arm]
            .into_iter()
            .find(|machine| machine.name() == env::consts::ARCH)
            .with_context(|| format!("nothing is handed on for {}", env::consts::ARCH))
    }

    /// As `uname -m` has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm => "aarch64",
        }
    }

    /// As Debian has it, and images.
    pub(crate) fn debian(self) -> &'static str {
        match self {
            Self::X86 => "amd64",
            Self::Arm => "arm64",
        }
    }

    /// As rustc has it.
    pub(crate) fn triple(self) -> &'static str {
        match self {
            Self::X86 => "x86_64-unknown-linux-gnu",
            Self::Arm => "aarch64-unknown-linux-gnu",
        }
    }

    /// `la57` and `cx16` off because QEMU 7.2 emulates them badly.
    pub(crate) fn emulator(self) -> Emulator {
        match self {
            Self::X86 => Emulator {
                program: "/usr/bin/qemu-system-x86_64",
                words: &["-cpu", "max,la57=off,cx16=off"],
                console: "ttyS0",
            },
            Self::Arm => Emulator {
                program: "/usr/bin/qemu-system-aarch64",
                words: &["-machine", "virt", "-cpu", "max"],
                console: "ttyAMA0",
            },
        }
    }

    /// The compiler that makes programs for it here; none: the usual one.
    pub(crate) fn cross(self) -> Option<&'static HostTool> {
        match self {
            _ if self.name() == env::consts::ARCH => None,
            Self::X86 => Some(&package::GCC_X86),
            Self::Arm => Some(&package::GCC_ARM),
        }
    }

    /// Tells cargo what compiles C and links for it.
    pub(crate) fn equip(self, cargo: &mut Command) -> Result<()> {
        let Some(tool) = self.cross() else { return Ok(()) };
        let found: PathBuf = tool
            .found()
            .with_context(|| format!("{} is missing: `apt-get install {}`", tool.name, tool.package))?;
        let triple = self.triple();
        cargo.arg("--config").arg(format!("target.{triple}.linker='{}'", found.display()));
        cargo.env(format!("CC_{}", triple.replace('-', "_")), &found);
        Ok(())
    }
}
