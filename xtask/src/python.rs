//! The lab's Python: a virtual environment with pySigma, which the rule engine is compared with, and the OCSF schema,
//! which events are held against. Every package of it
//! has one version, and nothing is looked up beyond the list.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command;
use crate::package;
use crate::place::Place;

/// The list that pip reads.
const REQUIREMENTS: &str = include_str!("../../tests/differential/requirements.txt");

/// Where [`REQUIREMENTS`] stands.
const REQUIREMENTS_FILE: &str = "tests/differential/requirements.txt";

/// What an environment is made with; Debian has it in a package of its own.
const VENV_PACKAGE: &str = "python3-venv";

/// All that decides what comes out.
pub(crate) fn recipe() -> String {
    REQUIREMENTS.to_owned()
}

/// Makes the environment in `draft`. It may be moved: only its `bin/python` is ever run.
pub(crate) fn make(place: &Place, draft: &Path) -> Result<String> {
    if command::read(Command::new("python3").args(["-c", "import ensurepip, venv"])).is_err() {
        package::install(place, &[VENV_PACKAGE])?;
    }
    command::log(Command::new("python3").args(["-m", "venv"]).arg(draft), &place.log("lab-python"))
        .context("python3 cannot make a virtual environment")?;
    let mut pip = Command::new(draft.join("bin/python"));
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"]);
    pip.arg("--requirement").arg(place.root.join(REQUIREMENTS_FILE));
    command::log(&mut pip, &place.log("lab-python-packages")).context(
        "pySigma and pydantic-ocsf cannot be installed; that needs the network and a Python package index",
    )?;
    Ok("pySigma and pydantic-ocsf in a virtual environment".to_owned())
}

/// Where `path` has its Python.
pub(crate) fn found(path: &Path) -> Option<String> {
    Some(path.join("bin/python")).filter(|python| python.is_file()).map(|python| python.display().to_string())
}
