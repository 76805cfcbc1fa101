//! Finds runtimes that keep their state elsewhere: by the flags and configuration files of the
//! `dockerd` and `containerd` that run.
//!
//! A process may call itself anything, so only root's in the host's mount namespace are believed:
//! others could neither be told apart from a liar nor mean the same paths.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{ContainerRoots, STATE_MAX};
use crate::host::{file, procfs};
use crate::keeper::{Found, Kind};

/// Longest command line read, bytes.
const COMMAND_LINE_MAX: u64 = 64 * 1024;
/// Where dockerd reads its configuration if no flag says otherwise (dockerd(8), `--config-file`).
const DOCKER_CONFIGURATION: &str = "/etc/docker/daemon.json";
/// Where containerd does (containerd(8), `--config`).
const CONTAINERD_CONFIGURATION: &str = "/etc/containerd/config.toml";

/// Directories of the runtimes that run now.
pub(crate) fn running_runtimes() -> Vec<Found> {
    let ContainerRoots { docker, containerd, .. } = search();
    docker.into_iter().map(Found::Docker).chain(containerd.into_iter().map(Found::Containerd)).collect()
}

fn search() -> ContainerRoots {
    let mut roots = ContainerRoots::none();
    let Ok(entries) = std::fs::read_dir("/proc") else { return roots };
    let host = procfs::namespace(procfs::host_pid(), Kind::Mount);
    for entry in entries.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let comm = read_text(&entry.path().join("comm"));
        let daemon = match comm.as_deref().map(str::trim_end) {
            Some("dockerd") => Daemon::Docker,
            Some("containerd") => Daemon::Containerd,
            Some(_) | None => continue,
        };
        let is_root = entry.metadata().is_ok_and(|metadata| metadata.uid() == 0);
        if !is_root || procfs::namespace(pid, Kind::Mount) != host {
            continue;
        }
        let Ok(Some((command_line, _))) = file::read_head(&entry.path().join("cmdline"), COMMAND_LINE_MAX)
        else {
            continue;
        };
        let command_line = String::from_utf8_lossy(&command_line);
        let arguments: Vec<&str> = command_line.split_terminator('\0').collect();
        roots.extend(daemon.roots(&arguments, read_text));
    }
    roots
}

#[derive(Clone, Copy)]
enum Daemon {
    Docker,
    Containerd,
}

/// Keys of `daemon.json` that move directories.
#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct DockerConfiguration {
    data_root: Option<PathBuf>,
    exec_root: Option<PathBuf>,
}

impl Daemon {
    /// Directories that these arguments and the configuration file they name speak of. Flags win, as
    /// they do for the daemons (dockerd refuses to start where both speak).
    fn roots(self, arguments: &[&str], read: impl Fn(&Path) -> Option<String>) -> ContainerRoots {
        let mut roots = ContainerRoots::none();
        match self {
            Self::Docker => {
                let file = flag(arguments, &["--config-file"]).unwrap_or(DOCKER_CONFIGURATION);
                let configuration: DockerConfiguration = read(Path::new(file))
                    .and_then(|text| serde_json::from_str(&text).ok())
                    .unwrap_or_default();
                let data = flag(arguments, &["--data-root", "--graph", "-g"]).map(PathBuf::from);
                let exec = flag(arguments, &["--exec-root"]).map(PathBuf::from);
                roots.docker.extend(data.or(configuration.data_root));
                // A containerd that dockerd starts itself keeps its bundles there.
                let exec = exec.or(configuration.exec_root);
                roots.containerd.extend(exec.map(|exec| exec.join("containerd/daemon")));
            }
            Self::Containerd => {
                let file = flag(arguments, &["--config", "-c"]).unwrap_or(CONTAINERD_CONFIGURATION);
                let state = flag(arguments, &["--state"]).map(PathBuf::from);
                let configured = || read(Path::new(file)).and_then(|text| top_level_state(&text));
                roots.containerd.extend(state.or_else(configured));
            }
        }
        // A relative path means the daemon's directory, which may have changed since.
        roots.docker.retain(|path| path.is_absolute());
        roots.containerd.retain(|path| path.is_absolute());
        roots
    }
}

/// `--name value` or `--name=value`.
fn flag<'a>(arguments: &[&'a str], names: &[&str]) -> Option<&'a str> {
    arguments.iter().enumerate().find_map(|(place, argument)| {
        names.iter().find_map(|name| match argument.strip_prefix(name)? {
            "" => arguments.get(place + 1).copied(),
            value => value.strip_prefix('='),
        })
    })
}

/// `state = "/run/containerd"` of containerd's configuration: of the top level, so before the first
/// table. The one key needed of that file, and always written as a plain string.
fn top_level_state(toml: &str) -> Option<PathBuf> {
    let top = toml.lines().map(str::trim).take_while(|line| !line.starts_with('['));
    top.filter_map(|line| line.split_once('=')).find(|(key, _)| key.trim() == "state").and_then(
        |(_, value)| {
            let value = value.trim();
            let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
            let (value, _) = value.strip_prefix(quote)?.split_once(quote)?;
            Some(PathBuf::from(value))
        },
    )
}

fn read_text(path: &Path) -> Option<String> {
    let bytes = file::read(path, STATE_MAX).ok().flatten()?;
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(_: &Path) -> Option<String> {
        None
    }

    #[test]
    fn flags_are_read_in_both_forms() {
        let roots = Daemon::Docker.roots(
            &["dockerd", "--data-root", "/tmp/d/data", "--exec-root=/tmp/d/exec", "-H", "unix:///tmp/d/s"],
            none,
        );
        assert_eq!(roots.docker, [PathBuf::from("/tmp/d/data")]);
        assert_eq!(roots.containerd, [PathBuf::from("/tmp/d/exec/containerd/daemon")]);
        let roots = Daemon::Containerd.roots(&["containerd", "--state", "/run/mine"], none);
        assert_eq!(roots.containerd, [PathBuf::from("/run/mine")]);
    }

    #[test]
    fn configuration_files_are_read_where_flags_are_silent() {
        let read = |path: &Path| {
            match path.to_str()? {
            DOCKER_CONFIGURATION => Some(r#"{"data-root": "/srv/docker", "debug": true}"#.to_owned()),
            "/tmp/d/containerd.toml" => Some(
                "version = 0\nroot = \"/tmp/d/root\"\nstate = \"/tmp/d/state\" # here\n[grpc]\nstate = \"/no\"\n"
                    .to_owned(),
            ),
            _ => None,
        }
        };
        assert_eq!(Daemon::Docker.roots(&["dockerd"], read).docker, [PathBuf::from("/srv/docker")]);
        let roots = Daemon::Containerd.roots(&["containerd", "--config", "/tmp/d/containerd.toml"], read);
        assert_eq!(roots.containerd, [PathBuf::from("/tmp/d/state")]);
    }

    #[test]
    fn fuzzed_command_lines_and_files_of_daemons_tell_of_whole_paths_or_nothing() {
        let seeds = [
            &b"dockerd\0--data-root\0/srv/docker\0--exec-root=/run/docker"[..],
            b"containerd\0-c\0/etc/c.toml\0--state=/run/c",
            b"{\"data-root\": \"/srv/docker\"}",
            b"version = 2\nstate = \"/run/c\"\n[grpc]\n",
        ]
        .map(<[u8]>::to_vec);
        crate::fuzz::run(&seeds, |bytes, _| {
            let text = crate::octet::text(bytes);
            let words: Vec<&str> = text.split('\0').collect();
            for daemon in [Daemon::Docker, Daemon::Containerd] {
                let roots = daemon.roots(&words, |_| Some(text.clone()));
                assert!(roots.docker.iter().chain(&roots.containerd).all(|path| path.is_absolute()));
            }
        });
    }

    #[test]
    fn nonsense_tells_nothing() {
        let nonsense = |_: &Path| Some("{[=\"state\nstate = [".to_owned());
        assert_eq!(Daemon::Docker.roots(&["dockerd", "--data-root"], nonsense), ContainerRoots::none());
        assert_eq!(
            Daemon::Containerd.roots(&["containerd", "--state", "here"], nonsense),
            ContainerRoots::none()
        );
    }
}
