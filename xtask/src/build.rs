//! `cargo xtask build`: the kernel half for the BPF target, then the agent that embeds it.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command;
use crate::dist;
use crate::package;
use crate::place::Place;
use crate::progress;
use crate::setup;
use crate::toolchain;

/// Builds both halves.
pub(crate) fn build(place: &Place, release: bool) -> Result<()> {
    kernel_half(place)?;
    agent(place, release)
}

/// Compiles the kernel half and puts it where the agent's build script looks.
pub(crate) fn kernel_half(place: &Place) -> Result<()> {
    setup::ensure(setup::BUILD, place)?;
    let core = toolchain::core().context("core for the BPF target is missing; run `cargo xtask setup`")?;
    let linker = toolchain::linker(place).context("bpf-linker is missing; run `cargo xtask setup`")?;

    let mut cargo = core.cargo_build();
    cargo.current_dir(&place.root);
    cargo.args(["--release", "--quiet", "--package", "sensor-ebpf", "--bin", "tidewaiter-ebpf"]);
    cargo.args(["--target", toolchain::TARGET, "--target-dir"]).arg(place.ebpf());
    let key = format!("target.{}", toolchain::TARGET);
    cargo.arg("--config").arg(format!("{key}.linker='{}'", linker.display()));
    // BTF names every map and program to the kernel's own tools, and bpf_loop is refused without it.
    // BTF names source files too: without the folders of this machine.
    let remaps = dist::remaps(place)?.into_iter().map(|flag| format!(",'{flag}'")).collect::<String>();
    cargo.arg("--config").arg(format!("{key}.rustflags=['-Cdebuginfo=2','-Clink-arg=--btf'{remaps}]"));
    // A caller's flags are meant for the host, and would replace these.
    cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    command::show(&mut cargo).context("the kernel half does not build")?;

    let built = place.ebpf().join(toolchain::TARGET).join("release/tidewaiter-ebpf");
    let size = fs::metadata(&built).with_context(|| format!("cannot read {}", built.display()))?.len();
    if size == 0 {
        bail!("{} is empty: the linker ended well and wrote nothing", built.display());
    }
    let bytes = strip(place, &built)?;
    // Written only when it differs, so that the agent is not compiled again for nothing.
    let object = place.ebpf_object();
    if fs::read(&object).ok().as_ref() != Some(&bytes) {
        fs::write(&object, &bytes).with_context(|| format!("cannot write {}", object.display()))?;
    }
    progress::good("kernel half", &format!("{} KB, {}", bytes.len() / 1000, object.display()));
    Ok(())
}

/// Takes out what only debuggers read, five sixths of it: the agent carries the object in its memory. BTF, which the
/// kernel reads and which is made of that, stays.
fn strip(place: &Place, built: &Path) -> Result<Vec<u8>> {
    let tool = package::STRIP.found().context("llvm-strip is missing; run `cargo xtask setup`")?;
    let stripped = place.ebpf().join("tidewaiter-ebpf.stripped.o");
    command::show(Command::new(tool).arg("--strip-debug").arg(built).arg("-o").arg(&stripped))?;
    fs::read(&stripped).with_context(|| format!("cannot read {}", stripped.display()))
}

fn agent(place: &Place, release: bool) -> Result<()> {
    let mut cargo = command::cargo();
    cargo.current_dir(&place.root).args(["build", "--package", "sensor-user"]);
    if release {
        cargo.arg("--release");
    }
    command::show(&mut cargo).context("the agent does not build")?;
    progress::good("agent", &place.agent(release).display().to_string());
    Ok(())
}
