//! The private directory: all files that validate makes, and their end.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use uuid::Uuid;

use super::ValidateError;
use crate::detection::Emulation;

/// Digits of the name that all it makes have in common: enough that two runs at once differ.
const ID_DIGITS: usize = 8;

/// Nobody but the owner.
const PRIVATE: u32 = 0o700;

/// A directory that only its owner may enter. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Stage {
    /// What names of containers and images of this run end with.
    pub(super) id: String,
    path: PathBuf,
    count: AtomicU32,
}

impl Stage {
    /// Makes it, with all scripts in it.
    ///
    /// # Errors
    /// It cannot be made or written to.
    pub(super) fn make() -> Result<Self, ValidateError> {
        let id: String = Uuid::new_v4().simple().to_string().chars().take(ID_DIGITS).collect();
        let path = std::env::temp_dir().join(format!("tidewaiter-validate-{id}"));
        DirBuilder::new().mode(PRIVATE).create(&path).map_err(ValidateError::file(&path))?;
        let stage = Self { id, path, count: AtomicU32::new(0) };
        let (name, text) = Emulation::shared();
        stage.write(Path::new("rules").join(name), text)?;
        for emulation in Emulation::built_in() {
            let folder = Path::new("rules").join(emulation.name);
            stage.write(folder.join("emulate.sh"), emulation.emulate)?;
            stage.write(folder.join("benign.sh"), emulation.benign)?;
        }
        Ok(stage)
    }

    /// A path in it.
    pub(super) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file that its owner may run, with the folders above it; returns where it lies.
    ///
    /// # Errors
    /// As the system says.
    pub(super) fn write(&self, name: impl AsRef<Path>, text: &str) -> Result<PathBuf, ValidateError> {
        let path = self.path(name);
        if let Some(folder) = path.parent() {
            self.folder_at(folder)?;
        }
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(PRIVATE).open(&path);
        file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(ValidateError::file(&path))?;
        Ok(path)
    }

    /// A new empty folder whose name begins with `name`.
    ///
    /// # Errors
    /// As the system says.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf, ValidateError> {
        let path = self.path(format!("{name}-{}", self.count.fetch_add(1, Ordering::Relaxed)));
        self.folder_at(&path)?;
        Ok(path)
    }

    /// A new empty folder that everybody may read: a container's users are others.
    ///
    /// # Errors
    /// As the system says.
    pub(super) fn open_folder(&self, name: &str) -> Result<PathBuf, ValidateError> {
        let path = self.folder(name)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(ValidateError::file(&path))?;
        Ok(path)
    }

    fn folder_at(&self, path: &Path) -> Result<(), ValidateError> {
        DirBuilder::new().mode(PRIVATE).recursive(true).create(path).map_err(ValidateError::file(path))
    }

    /// Removes it with all that is in it.
    ///
    /// # Errors
    /// As the system says; it is no error when it is gone.
    pub(super) fn remove(&self) -> Result<(), ValidateError> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(ValidateError::File { path: self.path.clone(), source: error })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Whoever could be told was told by `remove`.
        let _ = self.remove();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_private_holds_every_script_and_leaves_nothing() {
        let stage = Stage::make().unwrap();
        let path = stage.path.clone();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, PRIVATE);
        for script in
            ["rules/emulation.sh", "rules/curl_download/emulate.sh", "rules/curl_download/benign.sh"]
        {
            assert_eq!(
                fs::metadata(stage.path(script)).unwrap().permissions().mode() & 0o777,
                PRIVATE,
                "{script}"
            );
        }
        drop(stage);
        assert!(!path.exists());
    }
}
