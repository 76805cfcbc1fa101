//! The container image, as `docker load`, `podman load` and `ctr image import` take it: what `deploy/image/Dockerfile` says,
//! made without a daemon, so that it needs no root and comes out the same each time.
//!
//! Of Dockerfiles only what stands in ours is understood; all else is refused.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::Shipment;
use crate::command;
use crate::progress;

/// The only file that the image is made of, by its name in the Dockerfile.
const BINARY: &str = "tidewaiter";

/// What a Dockerfile says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Recipe {
    labels: BTreeMap<String, String>,
    /// Where the binary goes.
    place: String,
    entrypoint: Vec<String>,
    command: Vec<String>,
}

/// Packs it into the shipment.
pub(super) fn make(shipment: &Shipment<'_>, binary: &Path) -> Result<PathBuf> {
    let source = shipment.place.root.join("deploy/image/Dockerfile");
    let text = fs::read_to_string(&source).with_context(|| format!("cannot read {}", source.display()))?;
    let recipe = Recipe::read(&text, &shipment.version)
        .with_context(|| format!("{} is not understood", source.display()))?;

    let stage = shipment.place.target.join("image");
    if stage.exists() {
        fs::remove_dir_all(&stage).with_context(|| format!("cannot remove {}", stage.display()))?;
    }
    let (root, files) = (stage.join("root"), stage.join("files"));
    let copy = root.join(recipe.place.trim_start_matches('/'));
    fs::create_dir_all(copy.parent().context("the binary has a place")?)?;
    fs::create_dir_all(&files)?;
    fs::copy(binary, &copy).with_context(|| format!("cannot copy {}", binary.display()))?;
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755))?;

    let layer = stage.join("layer.tar");
    tar(&root, &layer, &shipment.epoch)?;
    let sum = sum(&layer)?;
    fs::rename(&layer, files.join(format!("{sum}.tar"))).context("cannot name the image's layer")?;
    let configuration = recipe.configuration(shipment, &sum)?.to_string();
    let draft = stage.join("configuration");
    fs::write(&draft, configuration).context("cannot write the image's configuration")?;
    let name = format!("{}.json", self::sum(&draft)?);
    fs::rename(&draft, files.join(&name)).context("cannot name the image's configuration")?;
    let tag = format!("tidewaiter:{}", shipment.version);
    let manifest = json!([{"Config": name, "RepoTags": [tag], "Layers": [format!("{sum}.tar")]}]);
    fs::write(files.join("manifest.json"), manifest.to_string()).context("cannot write the manifest")?;
    let file = shipment.image();
    tar(&files, &file, &shipment.epoch)?;
    progress::good("image", &format!("{tag}, {}", file.display()));
    Ok(file)
}

impl Recipe {
    fn read(text: &str, version: &str) -> Result<Self> {
        let mut recipe = Self::default();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (word, rest) = line.split_once(' ').with_context(|| format!("`{line}` says nothing"))?;
            let list =
                || serde_json::from_str(rest).with_context(|| format!("`{line}` has no list of words"));
            match word {
                "FROM" => ensure!(rest == "scratch", "`{line}`: the image is made from nothing"),
                "ARG" => ensure!(rest == "VERSION", "`{line}`: only VERSION is known"),
                "LABEL" => {
                    let (name, value) =
                        rest.split_once('=').with_context(|| format!("`{line}` has no value"))?;
                    let value = value.trim_matches('"').replace("$VERSION", version);
                    recipe.labels.insert(name.to_owned(), value);
                }
                "COPY" => match rest.split_once(' ') {
                    Some((BINARY, place)) => place.clone_into(&mut recipe.place),
                    _ => bail!("`{line}`: only {BINARY} is there to be copied"),
                },
                "ENTRYPOINT" => recipe.entrypoint = list()?,
                "CMD" => recipe.command = list()?,
                _ => bail!("`{line}` is unknown"),
            }
        }
        ensure!(recipe.place.starts_with('/'), "it copies no {BINARY}");
        Ok(recipe)
    }

    /// OCI image specification, config.md.
    fn configuration(&self, shipment: &Shipment<'_>, layer: &str) -> Result<Value> {
        let mut date = Command::new("date");
        date.args(["--utc", "+%Y-%m-%dT%H:%M:%SZ", "--date"]).arg(format!("@{}", shipment.epoch));
        let created = command::read(&mut date)?.trim().to_owned();
        Ok(json!({
            "architecture": shipment.machine.debian(),
            "os": "linux",
            "created": created,
            "config": {"Entrypoint": self.entrypoint, "Cmd": self.command, "Labels": self.labels},
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{layer}")]},
            "history": [{"created": created, "created_by": "cargo xtask dist"}],
        }))
    }
}

/// The same bytes for the same files.
fn tar(folder: &Path, file: &Path, epoch: &str) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.args([
        "--sort=name",
        "--format=ustar",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
        "--mode=u=rwX,go=rX",
    ]);
    tar.arg(format!("--mtime=@{epoch}")).arg("-C").arg(folder).arg("-cf").arg(file);
    // Not `.`: an image's root has no entry of its own.
    let names = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name()));
    let mut names = names.collect::<Result<Vec<_>, _>>()?;
    names.sort();
    command::read(tar.args(names)).map(drop)
}

fn sum(file: &Path) -> Result<String> {
    let told = command::read(Command::new("sha256sum").arg(file))?;
    Ok(told.split_whitespace().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_dockerfile_is_understood() {
        let recipe = Recipe::read(include_str!("../../../deploy/image/Dockerfile"), "1.2.3").unwrap();
        assert_eq!(recipe.labels["org.opencontainers.image.version"], "1.2.3");
        assert_eq!(
            (recipe.place.as_str(), &*recipe.entrypoint),
            ("/usr/bin/tidewaiter", &["/usr/bin/tidewaiter".to_owned()][..])
        );
        assert_eq!(recipe.command, ["run"]);
    }

    #[test]
    fn what_is_not_in_it_is_refused() {
        for text in
            ["FROM debian\n", "FROM scratch\nRUN true\n", "FROM scratch\nCOPY other /x\n", "FROM scratch\n"]
        {
            assert!(Recipe::read(text, "1").is_err(), "{text}");
        }
    }
}
