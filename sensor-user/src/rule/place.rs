//! Which directories are to be watched so that no change of the rules goes unseen: every folder of rules, and
//! every place at which a path that names one could come to mean something else.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::detection::{DEPTH_MAX, is_hidden};

/// Most directories watched: public collections of rules have some 100. The kernel keeps about a kilobyte for
/// each. What changes in those beyond it is read with the next change of another, or at SIGHUP.
pub(super) const DIRECTORIES_MAX: usize = 1024;
/// Most links followed from one path, as the kernel itself does (`MAXSYMLINKS`).
const LINKS_MAX: usize = 40;

/// Directories, each with what matters in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) directories: BTreeMap<PathBuf, Wanted>,
    /// Directories that there was no room for.
    pub(super) left_out: usize,
}

/// What matters in a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Rules are searched for in it.
    pub(super) is_folder: bool,
    /// These names lead to rules.
    pub(super) names: BTreeSet<OsString>,
}

impl Wanted {
    pub(super) fn has(&self, name: &OsStr) -> bool {
        self.names.contains(name) || (self.is_folder && !is_hidden(name))
    }

    pub(super) fn join(&mut self, other: Self) {
        self.is_folder |= other.is_folder;
        self.names.extend(other.names);
    }
}

impl Places {
    /// Of files and folders of rules, as the file system is now. A path that does not exist is waited for.
    pub(super) fn of(paths: &[PathBuf]) -> Self {
        let mut places = Self::default();
        for path in paths {
            // Fails for an empty path only, which no reading finds either.
            if let Ok(path) = std::path::absolute(path) {
                places.follow(&path, DEPTH_MAX);
            }
        }
        places
    }

    /// Follows a path to what it names. Noted are the links on its way, as what they name may be swapped, its
    /// last part, and the first part that is missing.
    fn follow(&mut self, path: &Path, depth: usize) {
        let mut at = PathBuf::from("/");
        let mut rest = parts(path);
        let mut links = LINKS_MAX;
        while let Some(part) = rest.pop() {
            if part == ".." {
                at.pop();
                continue;
            }
            let next = at.join(&part);
            let about = fs::symlink_metadata(&next);
            let is_link = about.as_ref().is_ok_and(|about| about.file_type().is_symlink());
            if is_link || about.is_err() || rest.is_empty() {
                self.want(&at).map(|wanted| wanted.names.insert(part));
            }
            match about {
                Err(_) => return,
                Ok(_) if is_link => {
                    let Ok(target) = fs::read_link(&next) else { return };
                    if links == 0 {
                        return;
                    }
                    links -= 1;
                    if target.is_absolute() {
                        at = PathBuf::from("/");
                    }
                    rest.extend(parts(&target));
                }
                Ok(_) => at = next,
            }
        }
        if at.is_dir() {
            self.search(&at, depth);
        }
    }

    /// The folders below a folder, as the catalogue searches them.
    fn search(&mut self, folder: &Path, depth: usize) {
        if depth == 0 || self.directories.get(folder).is_some_and(|wanted| wanted.is_folder) {
            return;
        }
        let Some(wanted) = self.want(folder) else { return };
        wanted.is_folder = true;
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries.flatten().filter(|entry| !is_hidden(&entry.file_name())) {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => self.search(&entry.path(), depth - 1),
                Ok(kind) if kind.is_symlink() => self.follow(&entry.path(), depth - 1),
                Ok(_) | Err(_) => {}
            }
        }
    }

    fn want(&mut self, directory: &Path) -> Option<&mut Wanted> {
        if self.directories.len() >= DIRECTORIES_MAX && !self.directories.contains_key(directory) {
            self.left_out += 1;
            return None;
        }
        Some(self.directories.entry(directory.to_owned()).or_default())
    }
}

/// The last first.
fn parts(path: &Path) -> Vec<OsString> {
    let part = |component: Component<'_>| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().rev().filter_map(part).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// `directory: names` relative to `root`, a folder with a slash at its end.
    fn told(root: &Path, places: &Places) -> Vec<String> {
        let told = places.directories.iter().filter_map(|(directory, wanted)| {
            let path = directory.strip_prefix(root).ok()?.display();
            let slash = if wanted.is_folder { "/" } else { "" };
            let names: Vec<_> = wanted.names.iter().map(|name| name.display().to_string()).collect();
            Some(format!("{path}{slash}: {}", names.join(" ")).trim_end().to_owned())
        });
        told.collect()
    }

    #[test]
    fn every_way_to_a_rule_is_watched() {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path().canonicalize().unwrap();
        let make = |path: &str| fs::create_dir_all(root.join(path)).unwrap();
        let write = |path: &str| fs::write(root.join(path), "title: x").unwrap();
        // As kubelet lays out a ConfigMap.
        make("map/..2026_11_21");
        write("map/..2026_11_21/rule.yml");
        symlink("..2026_11_21", root.join("map/..data")).unwrap();
        symlink("..data/rule.yml", root.join("map/rule.yml")).unwrap();
        make("team/a/b");
        make("team/.git/objects");
        write("team/a/one.yml");
        symlink(root.join("elsewhere"), root.join("team/linked")).unwrap();
        make("elsewhere");
        // A circle.
        symlink("..", root.join("team/a/up")).unwrap();
        let cases: [(&str, &[&str]); 5] = [
            ("team/a/one.yml", &["team/a: one.yml"]),
            ("map/rule.yml", &["map: ..data rule.yml", "map/..2026_11_21: rule.yml"]),
            ("map", &[": map", "map/: ..data rule.yml", "map/..2026_11_21: rule.yml"]),
            ("team", &[": elsewhere team", "elsewhere/:", "team/: linked", "team/a/: up", "team/a/b/:"]),
            ("gone/deep/rule.yml", &[": gone"]),
        ];
        for (path, expected) in cases {
            let places = Places::of(&[root.join(path)]);
            assert_eq!(told(&root, &places), expected, "{path}");
            assert_eq!(places.left_out, 0);
        }
    }

    #[test]
    fn there_is_a_bound() {
        let root = tempfile::tempdir().unwrap();
        for number in 0..DIRECTORIES_MAX + 10 {
            fs::create_dir(root.path().join(number.to_string())).unwrap();
        }
        let places = Places::of(&[root.path().to_owned()]);
        assert_eq!(places.directories.len(), DIRECTORIES_MAX);
        // One is the folder's own parent, one the folder.
        assert_eq!(places.left_out, 12);
    }
}
