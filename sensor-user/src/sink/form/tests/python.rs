//! The lab's Python, which reads what we wrote.

use std::path::{Path, PathBuf};

/// None: there is none, which is told.
pub(super) fn found() -> Option<PathBuf> {
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/lab");
    let lab = std::env::var_os("TIDEWAITER_LAB").map_or(usual, PathBuf::from);
    let python = lab.join("python/bin/python");
    if python.is_file() {
        return Some(python);
    }
    println!("not read back: there is no {}; `cargo xtask setup` makes it", python.display());
    None
}

/// A script of the tests.
pub(super) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/format").join(name)
}
