//! Kernel modules for a guest: what it needs and its kernel has not built in, unpacked, in the order in which they
//! load. A guest loads them once at its start; there is no modprobe that would bring more.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command;

/// What a usual host loads when somebody asks for it, by names as `lsmod` prints them.
const WANTED: [&str; 6] = [
    "virtio_pci",     // finds the disk
    "virtio_blk",     // the disk: a file system whose pages are written back
    "loop",           // more disks, out of files
    "overlay",        // roots of containers
    "veth",           // networks of containers
    "vsock_loopback", // AF_VSOCK to oneself: what leaves without an IP address
];

/// A kernel's modules: the files by name, and which are part of the kernel itself.
#[derive(Debug)]
struct Tree {
    files: BTreeMap<String, PathBuf>,
    builtin: String,
}

/// What a guest gets.
#[derive(Debug, Default)]
pub(crate) struct Modules {
    /// In the order in which they load.
    pub(crate) loaded: Vec<String>,
    /// What this kernel does not have at all.
    pub(crate) absent: Vec<String>,
}

/// Lays `NAME.ko` for each wanted module and what it depends on into `directory`, which must be below `machine`.
pub(crate) fn lay(kernel: &Path, machine: &Path, directory: &Path) -> Result<Modules> {
    let tree = Tree::read(kernel)?;
    let mut modules = Modules::default();
    for name in WANTED {
        tree.lay(name, machine, directory, &mut modules)?;
    }
    Ok(modules)
}

impl Tree {
    /// Reads the names of a kernel of the lab.
    fn read(kernel: &Path) -> Result<Self> {
        let release =
            fs::read_to_string(kernel.join("release")).context("the lab's kernel has no release")?;
        let release = release.trim();
        let root = ["lib/modules", "usr/lib/modules"]
            .iter()
            .map(|parent| kernel.join(parent).join(release))
            .find(|root| root.join("kernel").is_dir())
            .with_context(|| format!("{} holds no modules of {release}", kernel.display()))?;
        let builtin = root.join("modules.builtin");
        let builtin =
            fs::read_to_string(&builtin).with_context(|| format!("cannot read {}", builtin.display()))?;
        let mut tree = Self { files: BTreeMap::new(), builtin };
        tree.walk(&root.join("kernel"))?;
        Ok(tree)
    }

    fn walk(&mut self, directory: &Path) -> Result<()> {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                self.walk(&path)?;
            } else if let Some(name) = name(&path) {
                self.files.insert(name, path);
            }
        }
        Ok(())
    }

    fn has_builtin(&self, wanted: &str) -> bool {
        self.builtin.lines().any(|line| name(Path::new(line)).as_deref() == Some(wanted))
    }

    /// A module after all it depends on.
    fn lay(&self, name: &str, machine: &Path, directory: &Path, modules: &mut Modules) -> Result<()> {
        let copy = directory.join(name).with_extension("ko");
        if copy.exists() || self.has_builtin(name) {
            return Ok(());
        }
        let Some(file) = self.files.get(name) else {
            modules.absent.push(name.to_owned());
            return Ok(());
        };
        unpack(file, &copy, machine)?;
        let bytes = fs::read(&copy)?;
        let needed = dependencies(&bytes).with_context(|| format!("{} is no module", file.display()))?;
        for needed in needed {
            self.lay(&needed.replace('-', "_"), machine, directory, modules)?;
        }
        modules.loaded.push(name.to_owned());
        Ok(())
    }
}

/// `kernel/fs/overlayfs/overlay.ko.xz` is `overlay`; file names may have a dash where the module has none.
fn name(path: &Path) -> Option<String> {
    let (name, rest) = path.file_name()?.to_str()?.split_once('.')?;
    rest.starts_with("ko").then(|| name.replace('-', "_"))
}

/// Copies a module as it is to be loaded: busybox has no decompression for `insmod`, but an `unxz`.
fn unpack(file: &Path, copy: &Path, machine: &Path) -> Result<()> {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("ko") => drop(fs::copy(file, copy)?),
        Some("xz") => {
            let packed = copy.with_added_extension("xz");
            fs::copy(file, &packed)?;
            let inside = Path::new("/").join(packed.strip_prefix(machine)?);
            let mut unpack = Command::new("chroot");
            command::read(unpack.arg(machine).args(["busybox", "unxz"]).arg(inside))?;
        }
        _ => bail!("{} is packed in a way unknown to xtask", file.display()),
    }
    Ok(())
}

/// The names in a module's `.modinfo`: strings with a NUL after each, one of them `depends=a,b`.
fn dependencies(module: &[u8]) -> Option<Vec<String>> {
    let names = module.split(|byte| *byte == 0).find_map(|text| text.strip_prefix(b"depends="))?;
    let names = std::str::from_utf8(names).ok()?;
    Some(names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_says_what_it_depends_on() {
        let module = b"\x7fELF\0license=GPL\0depends=vsock,vmw_vsock_virtio_transport_common\0intree=Y\0";
        let names = dependencies(module).unwrap();
        assert_eq!(names, ["vsock", "vmw_vsock_virtio_transport_common"]);
        assert_eq!(dependencies(b"license=GPL\0depends=\0"), Some(Vec::new()));
        assert_eq!(dependencies(b"no module"), None);
    }

    #[test]
    fn dependencies_load_first_and_once_and_what_is_built_in_not_at_all() {
        let lab = tempfile::tempdir().unwrap();
        let tree = lab.path().join("usr/lib/modules/7.2.0/kernel/net");
        fs::create_dir_all(&tree).unwrap();
        fs::write(lab.path().join("release"), "7.2.0\n").unwrap();
        fs::write(lab.path().join("usr/lib/modules/7.2.0/modules.builtin"), "kernel/virtio-pci.ko\n")
            .unwrap();
        for (name, needed) in [("vsock", ""), ("vsock-loopback", "vsock,common"), ("common", "vsock")] {
            fs::write(tree.join(format!("{name}.ko")), format!("a\0depends={needed}\0")).unwrap();
        }
        let copies = lab.path().join("copies");
        fs::create_dir(&copies).unwrap();
        let modules = lay(lab.path(), lab.path(), &copies).unwrap();
        assert_eq!(modules.loaded, ["vsock", "common", "vsock_loopback"]);
        assert_eq!(modules.absent, ["virtio_blk", "loop", "overlay", "veth"]);
    }
}
