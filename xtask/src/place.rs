//! Where everything lies: the repository, the build output, the lab. Nothing here creates or reads files.

use std::env;
use std::path::{Path, PathBuf};

/// The paths every task starts from.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The workspace.
    pub(crate) root: PathBuf,
    /// Cargo's output; `sensor-user/build.rs` finds it by the same rule.
    pub(crate) target: PathBuf,
}

impl Place {
    /// The workspace this xtask was compiled in.
    pub(crate) fn find() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default();
        let target =
            root.join(env::var_os("CARGO_TARGET_DIR").as_deref().map_or(Path::new("target"), Path::new));
        Self { root, target }
    }

    /// Tools built from crates, so that the user's own `~/.cargo/bin` stays as it was.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// The kernel half has its own cargo output: another target, other flags, no shared cache.
    pub(crate) fn ebpf(&self) -> PathBuf {
        self.target.join("ebpf")
    }

    /// The fuzzer's cargo output, its corpus and what it found: other flags, no shared cache.
    pub(crate) fn fuzz(&self) -> PathBuf {
        self.target.join("fuzz")
    }

    /// The finished kernel half, where `sensor-user/build.rs` looks for it.
    pub(crate) fn ebpf_object(&self) -> PathBuf {
        self.ebpf().join("tidewaiter-ebpf.o")
    }

    /// The agent of one cargo profile.
    pub(crate) fn agent(&self, release: bool) -> PathBuf {
        self.target.join(if release { "release" } else { "debug" }).join("tidewaiter")
    }

    /// Everything the tests need that must not be installed on the host.
    pub(crate) fn lab(&self) -> PathBuf {
        self.target.join("lab")
    }

    /// What is handed on.
    pub(crate) fn dist(&self) -> PathBuf {
        self.target.join("dist")
    }

    /// What long commands said; one file each.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.target.join("log").join(format!("{name}.log"))
    }
}
