//! The lab's Python: a virtual environment with pySigma, which the rule engine is compared with, the OCSF schema,
//! which events are held against, OpenTelemetry's definitions, by which a receiver of logs decodes, librdkafka, whose brokers take what
//! is written to Kafka, and Kubernetes' schemas, which manifests are held against. Every package of it has one version, and
//! nothing is looked up beyond the lists.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command;
use crate::package;
use crate::place::Place;

/// The lists that pip reads: where each stands, and what it says.
const REQUIREMENTS: &[(&str, &str)] = &[
    ("tests/differential/requirements.txt", include_str!("../../tests/differential/requirements.txt")),
    ("tests/support/requirements.txt", include_str!("../../tests/support/requirements.txt")),
];

/// What an environment is made with; Debian has it in a package of its own.
const VENV_PACKAGE: &str = "python3-venv";

/// All that decides what comes out.
pub(crate) fn recipe() -> String {
    REQUIREMENTS.iter().map(|(_, text)| *text).collect()
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
    for (file, _) in REQUIREMENTS {
        pip.arg("--requirement").arg(place.root.join(file));
    }
    command::log(&mut pip, &place.log("lab-python-packages"))
        .context("its packages cannot be installed; they need the network and a Python package index")?;
    Ok("pySigma, pydantic-ocsf, OpenTelemetry's definitions, librdkafka and Kubernetes' schemas in a virtual environment"
        .to_owned())
}

/// Where `path` has its Python.
pub(crate) fn found(path: &Path) -> Option<String> {
    Some(path.join("bin/python")).filter(|python| python.is_file()).map(|python| python.display().to_string())
}
