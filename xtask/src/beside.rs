//! The lab, made while the compiler works: half of it is waiting for a mirror.

use std::env;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

use crate::command::is_root;
use crate::place::Place;
use crate::progress;
use crate::setup;

/// A `cargo xtask setup` beside this one. They take turns by the lock of setup, part by part.
pub(crate) struct Beside {
    child: Child,
    log: PathBuf,
}

impl Beside {
    /// Starts it. None: nothing is missing, or it may not be made by this user, which the parts that need it say.
    pub(crate) fn begin(place: &Place) -> Result<Option<Self>> {
        if !is_root() || setup::is_complete(place) {
            return Ok(None);
        }
        // The compiler waits for these.
        setup::ensure(setup::BUILD, place)?;
        let log = place.log("setup");
        if let Some(directory) = log.parent() {
            fs::create_dir_all(directory)
                .with_context(|| format!("cannot create {}", directory.display()))?;
        }
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut setup = Command::new(env::current_exe().context("cannot find this program")?);
        setup.arg("setup").stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = setup.spawn().context("cannot start the setup of the lab")?;
        progress::say(&format!("  … the lab is made meanwhile: {}", log.display()));
        Ok(Some(Self { child, log }))
    }

    /// Waits for it. What it could not make is tried again by the part that needs it, and told there.
    pub(crate) fn end(mut self) {
        progress::say("  … waiting for the lab");
        match self.child.wait() {
            Ok(status) if status.success() => {}
            Ok(status) => progress::bad("lab", &format!("{status}; why is in {}", self.log.display())),
            Err(error) => progress::bad("lab", &format!("cannot be waited for: {error}")),
        }
    }
}
