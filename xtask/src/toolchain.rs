//! Tools built from crates: the eBPF tool chain (`core` for the BPF target, bpf-linker with its LLVM), cargo-fuzz.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command;
use crate::lab;
use crate::machine::Machine;
use crate::package;
use crate::place::Place;

/// The BPF target of little-endian machines; both architectures the sensor knows are.
pub(crate) const TARGET: &str = "bpfel-unknown-none";

/// bpf-linker reads the bitcode rustc writes, so its LLVM must not be older than rustc's: 1.95 has 22.
const LLVM: u32 = 22;

/// The linker's newest release that reads LLVM 22.
const LINKER_VERSION: &str = "0.13.0";

/// A Debian compiler built for browsers and BPF; its `core` for our target comes prebuilt.
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "libstd-rust-web-dev-bpf"];

/// Where `core` for the BPF target comes from.
#[derive(Debug)]
pub(crate) enum Core {
    /// Built by cargo from the tool chain's own source.
    Source(PathBuf),
    /// Debian's prebuilt one, with Debian's compiler.
    Debian(PathBuf),
}

impl fmt::Display for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(path) => write!(f, "from source, {}", path.display()),
            Self::Debian(path) => write!(f, "prebuilt by Debian, {}", path.display()),
        }
    }
}

impl Core {
    /// The cargo command that builds for the BPF target with this `core`.
    pub(crate) fn cargo_build(&self) -> Command {
        match self {
            Self::Source(_) => {
                let mut cargo = command::cargo();
                // `-Z build-std` is unstable; the stable compiler takes it under this name.
                cargo.env("RUSTC_BOOTSTRAP", "1").args(["build", "-Z", "build-std=core"]);
                cargo
            }
            Self::Debian(_) => {
                let mut cargo = Command::new(DEBIAN_CARGO);
                cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", DEBIAN_RUSTC).arg("build");
                cargo
            }
        }
    }
}

/// The `core` of this machine; the tool chain's own goes first.
pub(crate) fn core() -> Option<Core> {
    let source = || {
        let sysroot = command::read(command::rustc().args(["--print", "sysroot"])).ok()?;
        let library = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library");
        library.join("core/src/lib.rs").exists().then_some(Core::Source(library))
    };
    let debian = || {
        let mut rustc = Command::new(DEBIAN_RUSTC);
        let directory = command::read(rustc.args(["--print", "target-libdir", "--target", TARGET])).ok()?;
        let directory = PathBuf::from(directory.trim());
        directory.is_dir().then_some(Core::Debian(directory))
    };
    source().or_else(debian)
}

/// rust-src by rustup, else Debian's prebuilt `core`.
pub(crate) fn add_core(place: &Place) -> Result<String> {
    let mut reasons = Vec::new();
    if command::find("rustup").is_some() {
        let mut rustup = Command::new("rustup");
        match command::log(rustup.args(["component", "add", "rust-src"]), &place.log("rust-src")) {
            Ok(()) => return Ok("added rust-src".to_owned()),
            Err(error) => reasons.push(format!("rustup: {error:#}")),
        }
    } else {
        reasons.push("rustup is not here to add the component rust-src".to_owned());
    }
    match package::install(place, &DEBIAN_PACKAGES) {
        Ok(done) => Ok(done),
        Err(error) => {
            reasons.push(format!("Debian's packages: {error:#}"));
            bail!("no way found to core for {TARGET}:\n  {}", reasons.join("\n  "))
        }
    }
}

/// The standard library for a machine, as it came with the tool chain or was added to it.
pub(crate) fn standard(machine: Machine) -> Option<PathBuf> {
    let words = ["--print", "target-libdir", "--target", machine.triple()];
    let directory = command::read(command::rustc().args(words)).ok()?;
    let directory = PathBuf::from(directory.trim());
    directory.is_dir().then_some(directory)
}

/// By rustup, which alone has those of other machines for each of its compilers.
pub(crate) fn add_standard(machine: Machine, place: &Place) -> Result<String> {
    let target = machine.triple();
    let rustup = command::find("rustup").with_context(|| {
        format!("rustup is not here to add the target {target}; a compiler without it cannot build for another machine")
    })?;
    command::log(Command::new(rustup).args(["target", "add", target]), &place.log("rust-std"))?;
    Ok(format!("added {target}"))
}

/// A bpf-linker of the right version that starts: ours first, then one on PATH.
pub(crate) fn linker(place: &Place) -> Option<PathBuf> {
    [Some(place.tools().join("bin/bpf-linker")), command::find("bpf-linker")].into_iter().flatten().find(
        |path| {
            command::read(Command::new(path).arg("--version"))
                .is_ok_and(|text| text.split_whitespace().nth(1) == Some(LINKER_VERSION))
        },
    )
}

/// Builds the linker into `target/tools`.
pub(crate) fn build_linker(place: &Place) -> Result<String> {
    refuse_newer_rustc()?;
    let prefix = format!("/usr/lib/llvm-{LLVM}");
    if !Path::new(&prefix).join("bin/llvm-config").exists()
        || !Path::new(&prefix).join("lib/libPolly.a").exists()
    {
        package::install(place, &[&format!("llvm-{LLVM}-dev"), &format!("libpolly-{LLVM}-dev")])
            .with_context(|| format!("bpf-linker is built on LLVM {LLVM}"))?;
    }
    let mut cargo = command::cargo();
    cargo.env("LLVM_PREFIX", &prefix);
    cargo.args([
        "install",
        "bpf-linker",
        "--version",
        &format!("={LINKER_VERSION}"),
        "--no-default-features",
    ]);
    cargo.args(["--features", &format!("llvm-{LLVM}"), "--root"]).arg(place.tools());
    // Its own output: inside a workspace's target it would meet other flags and other features.
    let output = place.tools().join("build");
    cargo.arg("--target-dir").arg(&output);
    command::log(&mut cargo, &place.log("bpf-linker"))?;
    // 300 MB that nothing reads again.
    fs::remove_dir_all(&output).with_context(|| format!("cannot remove {}", output.display()))?;
    Ok(format!("built {LINKER_VERSION} with LLVM {LLVM}"))
}

/// A tool of cargo's that is built from crates into `target/tools`.
struct CargoTool {
    name: &'static str,
    version: &'static str,
}

/// What calls cargo with libFuzzer's coverage counters.
const FUZZER: CargoTool = CargoTool { name: "cargo-fuzz", version: "0.13.2" };

impl CargoTool {
    /// Ours, of our version, as cargo noted it: not each of them says it itself.
    fn found(&self, place: &Place) -> Option<PathBuf> {
        let path = place.tools().join("bin").join(self.name);
        let noted = fs::read_to_string(place.tools().join(".crates.toml")).ok()?;
        (path.is_file() && noted.contains(&format!("\"{} {} ", self.name, self.version))).then_some(path)
    }

    fn build(&self, place: &Place) -> Result<String> {
        let mut cargo = command::cargo();
        let version = format!("={}", self.version);
        cargo.args(["install", "--locked", self.name, "--version", &version, "--root"]).arg(place.tools());
        let output = place.tools().join("build");
        command::log(cargo.arg("--target-dir").arg(&output), &place.log(self.name))?;
        lab::remove(&output)?;
        Ok(format!("built {}", self.version))
    }
}

/// cargo-fuzz in `target/tools`.
pub(crate) fn fuzzer(place: &Place) -> Option<PathBuf> {
    FUZZER.found(place)
}

/// Builds cargo-fuzz into `target/tools`.
pub(crate) fn build_fuzzer(place: &Place) -> Result<String> {
    FUZZER.build(place)
}

/// A bitcode newer than the linker's LLVM fails late and darkly; say it early.
fn refuse_newer_rustc() -> Result<()> {
    let version = command::read(command::rustc().arg("-vV"))?;
    let major = version
        .lines()
        .find_map(|line| line.strip_prefix("LLVM version: ")?.split('.').next()?.parse::<u32>().ok());
    match major {
        Some(major) if major > LLVM => bail!(
            "this rustc writes LLVM {major} bitcode and bpf-linker {LINKER_VERSION} reads up to LLVM {LLVM}; \
             use an older tool chain: `rustup toolchain install 1.95 && cargo +1.95 xtask build`"
        ),
        _ => Ok(()),
    }
}
