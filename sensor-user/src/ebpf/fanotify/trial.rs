//! The watch proves itself: the agent does what an event is about and looks for it.

use std::fs::{File, Permissions};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::super::sys;
use super::{Ask, Drained, FanotifyError, FileEvent, FileWatch};

/// Names for a file, and for what becomes of it.
const NAMES: [&str; 2] = ["watched", "renamed"];

/// Why a trial says nothing.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    #[error(transparent)]
    Watch(#[from] FanotifyError),
    #[error(transparent)]
    Deed(#[from] io::Error),
}

impl FileWatch {
    /// Does in a private directory what the event is about, and says whether it was seen. What others do
    /// meanwhile waits for the next drain.
    ///
    /// # Errors
    /// When it cannot be done there, or the watch cannot be read.
    pub fn proves(&mut self, event: FileEvent, directory: &Path) -> Result<bool, TrialError> {
        let [path, renamed] = NAMES.map(|name| directory.join(name));
        let file = File::create(&path)?;
        // What came so far is none of it.
        self.hold()?;
        self.own_seen = 0;
        let done = match event {
            FileEvent::Rename => std::fs::rename(&path, &renamed),
            FileEvent::Create => std::fs::remove_file(&path).and_then(|()| File::create(&path).map(drop)),
            FileEvent::Delete => std::fs::remove_file(&path),
            FileEvent::Attributes => std::fs::set_permissions(&path, Permissions::from_mode(0o700)),
            FileEvent::Close => {
                drop(file);
                Ok(())
            }
            FileEvent::Open => self.open_marked(&path),
        };
        let held = self.hold();
        for path in [path, renamed] {
            // One of them is not there.
            let _ = std::fs::remove_file(path);
        }
        held?;
        if self.own_seen & event.mask() != 0 {
            return Ok(true);
        }
        done.map(|()| false).map_err(TrialError::from)
    }

    /// Opens a file that is marked for as long.
    fn open_marked(&self, path: &Path) -> io::Result<()> {
        let Some(secrets) = &self.secrets else { return Ok(()) };
        let file = File::open(path)?;
        let mark = |flags| sys::fanotify_mark(secrets.group.as_fd(), flags, libc::FAN_OPEN, file.as_fd());
        mark(libc::FAN_MARK_ADD)?;
        let opened = File::open(path).map(drop);
        mark(libc::FAN_MARK_REMOVE).and(opened)
    }

    /// Reads what is queued and keeps it for the next drain.
    fn hold(&mut self) -> Result<(), FanotifyError> {
        let mut seen = Vec::new();
        let mut ask = Ask { is_wanted: &mut |_, _| true, has_ended: &|_| false };
        let counts = self.drain(&mut ask, &mut |one| seen.push(one))?;
        self.held = seen;
        self.held_counts = Drained { more: false, ..counts };
        Ok(())
    }
}
