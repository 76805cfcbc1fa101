//! Where a configuration comes from: a file, and what the folder `conf.d` beside it lays over that.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::tree::Tree;
use super::{Config, ConfigError, is_blank, read_text};
use crate::detection::is_hidden;

/// Where the configuration is when nobody names one.
pub const PLACE: &str = "/etc/tidewaiter/tidewaiter.yaml";
/// The folder beside it, with the name's ending of the files in it that count.
const FOLDER: &str = "conf.d";
const ENDING: &str = "yaml";
/// Most files in the folder: more than a person looks through.
const FILES_MAX: usize = 256;

/// What a configuration was read from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigFiles {
    /// The one that was named, or lay in its place; none: all is as it comes.
    main: Option<PathBuf>,
    /// All that were read, in the order in which they were laid over one another.
    read: Vec<PathBuf>,
    tree: Tree,
}

impl Config {
    /// Reads the file that was named, or the one at [`PLACE`] if there is one, and what lies beside it.
    ///
    /// # Errors
    /// As [`Config::read`], of any of the files.
    pub fn load(named: Option<&Path>) -> Result<Self, ConfigError> {
        let main = named.or_else(|| Some(Path::new(PLACE)).filter(|place| place.exists()));
        main.map_or_else(|| Ok(Self::default()), Self::read)
    }

    /// Reads a configuration file and, over it in the order of their names, all in `conf.d` beside it.
    ///
    /// # Errors
    /// When one cannot be read, is longer than [`super::FILE_MAX`], or holds something else than a
    /// configuration; the error points at the place.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        let mut files = ConfigFiles { main: Some(path.to_owned()), ..ConfigFiles::default() };
        for path in [path.to_owned()].into_iter().chain(beside(path)?) {
            let text = read_text(&path)?;
            // Each by itself first: a mistake is told with its place.
            config = Self::parse(&text, &path)?;
            let tree = if is_blank(&text) { Ok(Tree::default()) } else { Tree::read(&text) };
            match tree {
                Ok(tree) => files.tree.lay(tree),
                // Alone it is read as it stands.
                Err(_) if files.read.is_empty() && beside(&path)?.is_empty() => {}
                Err((line, column, reason)) => {
                    return Err(ConfigError::placed(&path, &text, (line, column), reason.to_owned()));
                }
            }
            files.read.push(path);
        }
        if files.read.len() > 1 {
            config = Self::parse(&files.tree.render(), Path::new("all files together"))?;
        }
        config.files = files;
        Ok(config)
    }
}

impl ConfigFiles {
    /// All that were read, the later over the earlier.
    #[must_use]
    pub fn read(&self) -> &[PathBuf] {
        &self.read
    }

    /// What they say together, as YAML.
    #[must_use]
    pub fn render(&self) -> String {
        self.tree.render()
    }

    /// The uppermost keys that files say something else of now than when they were read.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn changed(&self) -> Result<Vec<String>, ConfigError> {
        let Some(main) = &self.main else { return Ok(Vec::new()) };
        Ok(self.tree.differing(&Config::read(main)?.files.tree))
    }
}

/// The files of the folder, by name; none where there is no folder.
fn beside(path: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let folder = path.with_file_name(FOLDER);
    let entries = match fs::read_dir(&folder).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(ConfigError::unreadable(&folder, error)),
    };
    let names = entries.iter().map(fs::DirEntry::path);
    let mut paths: Vec<PathBuf> = names
        .filter(|path| path.extension().is_some_and(|ending| ending == ENDING))
        .filter(|path| path.file_name().is_some_and(|name| !is_hidden(name)))
        .collect();
    if paths.len() > FILES_MAX {
        return Err(ConfigError::TooMany { folder, count: paths.len(), max: FILES_MAX });
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LogLevel;

    fn laid(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<Config, ConfigError>) {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join(FOLDER)).unwrap();
        files.iter().for_each(|(name, text)| fs::write(directory.path().join(name), text).unwrap());
        let config = Config::read(&directory.path().join("tidewaiter.yaml"));
        (directory, config)
    }

    #[test]
    fn later_names_win_by_key_and_what_does_not_count_is_left_out() {
        let (directory, config) = laid(&[
            ("conf.d/20-last.yaml", "log: debug\n"),
            ("conf.d/10-site.yaml", "log: warn\noutbox: {mebibytes: 5}\n"),
            ("conf.d/.hidden.yaml", "log: trace\n"),
            ("conf.d/30-saved.yaml~", "log: trace\n"),
            ("conf.d/README", "no YAML: {\n"),
            ("tidewaiter.yaml", "log: error\noutbox: {directory: /x}\n"),
        ]);
        let config = config.unwrap();
        assert_eq!(config.log, LogLevel::Debug);
        assert_eq!(config.outbox.directory, Some(PathBuf::from("/x")));
        assert!(config.files.render().contains("mebibytes: 5"), "{}", config.files.render());
        let names = ["tidewaiter.yaml", "conf.d/10-site.yaml", "conf.d/20-last.yaml"];
        assert_eq!(config.files.read(), names.map(|name| directory.path().join(name)));
    }

    #[test]
    fn a_mistake_is_told_in_the_file_that_has_it() {
        let (directory, config) =
            laid(&[("tidewaiter.yaml", "log: info\n"), ("conf.d/a.yaml", "\nlgo: info\n")]);
        let excerpt = config.unwrap_err().excerpt().unwrap().clone();
        assert_eq!((excerpt.path, excerpt.line), (directory.path().join("conf.d/a.yaml"), 2));
    }

    #[test]
    fn what_changes_later_is_named() {
        let (directory, config) =
            laid(&[("tidewaiter.yaml", "log: info\n"), ("conf.d/a.yaml", "file: []\n")]);
        let files = config.unwrap().files;
        assert_eq!(files.changed().unwrap(), [""; 0]);
        fs::write(directory.path().join("conf.d/b.yaml"), "log: warn\nrules: [/x]\n").unwrap();
        assert_eq!(files.changed().unwrap(), ["log", "rules"]);
        fs::write(directory.path().join("conf.d/b.yaml"), "lgo: warn\n").unwrap();
        assert!(files.changed().is_err());
    }

    #[test]
    fn a_file_alone_may_have_aliases() {
        let (_directory, config) = laid(&[("tidewaiter.yaml", "rules: &a [/x]\nallow: *a\n")]);
        assert_eq!(config.unwrap().allow, [PathBuf::from("/x")]);
        let (_directory, config) =
            laid(&[("tidewaiter.yaml", "rules: &a [/x]\nallow: *a\n"), ("conf.d/a.yaml", "log: warn\n")]);
        assert!(config.is_err());
    }
}
