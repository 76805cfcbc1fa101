//! Where a deed's files are, and files that another process made there.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rustix::process::Pid;
use tempfile::TempDir;

use crate::child::Child;
use crate::request::Request;
use crate::truth::Truth;

/// A directory; removed at the end if it is this process' own.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    /// Files of others are written back before they are used.
    is_settled: bool,
    _own: Option<TempDir>,
}

impl Place {
    pub(crate) fn new(request: &Request) -> Result<Self> {
        let (path, own) = match &request.dir {
            Some(directory) => {
                fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
                (directory.clone(), None)
            }
            None => {
                let own = TempDir::with_prefix("deed-").context("making a temporary directory")?;
                (own.path().to_owned(), Some(own))
            }
        };
        let path = fs::canonicalize(&path).with_context(|| format!("finding {}", path.display()))?;
        Ok(Self { path, is_settled: request.settled, _own: own })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A file with `content` that a child made, which has ended: this process has never had it open.
    pub(crate) fn foreign_file(&self, name: &str, content: &[u8]) -> Result<(PathBuf, Pid)> {
        let path = self.join(name);
        let child = Child::start(|| {
            let mut file = File::create(&path).with_context(|| format!("making {}", path.display()))?;
            file.write_all(content).with_context(|| format!("writing {}", path.display()))?;
            if self.is_settled {
                file.sync_all().with_context(|| format!("writing {} back", path.display()))?;
            }
            Ok(Truth::new())
        })?;
        let pid = child.pid;
        child.finish()?;
        Ok((path, pid))
    }
}
