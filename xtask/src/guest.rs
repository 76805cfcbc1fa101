//! A guest's root: what is packed into the initramfs that a kernel boots with in QEMU.
//!
//! Two roots in one, so that two C libraries never meet: the guest's own has busybox, and the agent and other programs
//! with the libraries of this host; `/container` has curl with those of the lab's image. A guest of another machine has
//! busybox and curl from Debian's packages for it, and programs that need no library. Beside them lie the kernel's modules
//! and an empty disk.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use anyhow::{Context, Result};

use crate::artifact::Artifact;
use crate::command;
use crate::kernel::Kernel;
use crate::lab::LabPart;
use crate::machine::Machine;
use crate::module;
use crate::place::Place;
use crate::progress;

const INIT: &str = include_str!("../guest/init.sh");
const CONTAINER: &str = include_str!("../guest/container.sh");

/// Directories a Linux expects; the scripts mount on them.
const DIRECTORIES: [&str; 8] = [
    "bin",
    "guest/module",
    "usr/bin",
    "container/bin",
    "container/dev",
    "container/proc",
    "container/tmp",
    "container/usr/bin",
];

/// Enough for tests that write a few files; sparse, so that it costs the host what is written.
const DISK_MB: u32 = 256;

/// A guest's files, below the lab's machine so that QEMU finds them after chroot. Gone when dropped.
#[derive(Debug)]
pub(crate) struct Guest {
    machine: PathBuf,
    directory: PathBuf,
}

impl Guest {
    /// Packs a root that runs `script` with these programs in `/usr/bin`, and lays the kernel and a disk beside it.
    pub(crate) fn pack(
        place: &Place,
        kernel: &'static Kernel,
        script: &str,
        programs: &[Artifact],
    ) -> Result<Self> {
        let guest = Self::empty(place);
        guest.fill(place, kernel.machine, script, programs).context("cannot make the guest's root")?;
        guest.boot_files(place, LabPart::Kernel(kernel))?;
        Ok(guest)
    }

    /// A guest of which there is nothing yet but its place.
    pub(crate) fn empty(place: &Place) -> Self {
        let machine = LabPart::Machine.path(place);
        sweep(&machine.join("srv"));
        let directory = machine.join("srv").join(format!("guest-{}", process::id()));
        Self { machine, directory }
    }

    /// Where its files are, as seen from outside.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Lays the kernel, its modules, the packed root and an empty disk.
    pub(crate) fn boot_files(&self, place: &Place, kernel: LabPart) -> Result<()> {
        let kernel = kernel.path(place);
        self.add_modules(&kernel).context("cannot give the guest its modules")?;
        fs::copy(kernel.join("vmlinuz"), self.directory.join("vmlinuz")).context("cannot copy the kernel")?;
        // Not compressed: an emulated processor would spend longer unpacking than QEMU does reading.
        let pack = "(cd root && find . | cpio --quiet -o -H newc > ../initrd)";
        // mke2fs is in every Debian.
        let disk = format!("truncate -s {DISK_MB}M disk && /sbin/mke2fs -q -F -t ext4 disk");
        let line = format!("cd {} && {pack} && {disk}", self.inside("").display());
        command::log(
            Command::new("chroot").arg(&self.machine).args(["sh", "-ec", &line]),
            &place.log("guest-pack"),
        )
    }

    /// The lab's machine, to chroot into.
    pub(crate) fn machine(&self) -> &Path {
        &self.machine
    }

    /// A file of the guest, as seen from inside the machine.
    pub(crate) fn inside(&self, name: &str) -> PathBuf {
        Path::new("/").join(self.directory.strip_prefix(&self.machine).unwrap_or(&self.directory)).join(name)
    }

    /// The modules as files, and their names in the order in which they load.
    fn add_modules(&self, kernel: &Path) -> Result<()> {
        let guest = self.directory.join("root/guest");
        let modules = module::lay(kernel, &self.machine, &guest.join("module"))?;
        if !modules.absent.is_empty() {
            progress::say(&format!("  … this kernel has no {}", modules.absent.join(", ")));
        }
        fs::write(guest.join("modules"), modules.loaded.join("\n") + "\n")?;
        Ok(())
    }

    fn fill(&self, place: &Place, machine: Machine, script: &str, programs: &[Artifact]) -> Result<()> {
        let root = self.directory.join("root");
        for directory in DIRECTORIES {
            fs::create_dir_all(root.join(directory))?;
        }
        fs::write(root.join("init"), INIT)?;
        fs::set_permissions(root.join("init"), fs::Permissions::from_mode(0o755))?;
        fs::write(root.join("guest/container.sh"), CONTAINER)?;
        fs::write(root.join("guest/script"), script)?;
        for Artifact { name, path } in programs {
            fs::copy(path, root.join("usr/bin").join(name))
                .with_context(|| format!("no {name} at {}", path.display()))?;
            copy_all(&libraries(Command::new("ldd").arg(path))?, Path::new("/"), &root)?;
        }
        if Machine::own()? == machine {
            self.add_own(place, &root)
        } else {
            add_foreign(&LabPart::Foreign(machine).path(place), &root)
        }
    }

    /// busybox of the lab's machine, and curl of its image.
    fn add_own(&self, place: &Place, root: &Path) -> Result<()> {
        add_busybox(&self.machine.join("bin/busybox"), root).context("the lab's machine has no busybox")?;
        let image = LabPart::Image.path(place);
        let curl = libraries(Command::new("chroot").arg(&image).args(["ldd", "/usr/bin/curl"]))?;
        copy_all(&[PathBuf::from("/usr/bin/curl")], &image, &root.join("container"))?;
        copy_all(&curl, &image, &root.join("container"))
    }
}

/// The same of packages for another machine, whose libraries no `ldd` of this one can tell: all that they brought.
fn add_foreign(programs: &Path, root: &Path) -> Result<()> {
    let mut copy = Command::new("cp");
    copy.arg("-a").arg(programs.join(".")).arg(root.join("container"));
    command::read(&mut copy).context("cannot copy the lab's programs")?;
    add_busybox(&programs.join("bin/busybox"), root).context("the lab's programs have no busybox")
}

/// Both roots' shell.
fn add_busybox(busybox: &Path, root: &Path) -> Result<()> {
    for bin in ["bin", "container/bin"] {
        fs::copy(busybox, root.join(bin).join("busybox"))?;
        symlink("busybox", root.join(bin).join("sh"))?;
    }
    Ok(())
}

impl Drop for Guest {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.directory));
    }
}

/// Removes guests whose xtask was killed before it could: their names end with its process id.
fn sweep(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix("guest-"));
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

/// The absolute paths that ldd names, the loader included; none for a static program.
fn libraries(ldd: &mut Command) -> Result<Vec<PathBuf>> {
    match command::read(ldd) {
        Ok(text) => Ok(paths(&text)),
        Err(error) if error.to_string().contains("not a dynamic executable") => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn paths(text: &str) -> Vec<PathBuf> {
    text.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}

/// Copies absolute paths from one root to the same places in another, links followed.
fn copy_all(paths: &[PathBuf], from: &Path, to: &Path) -> Result<()> {
    for path in paths {
        let relative = path.strip_prefix("/")?;
        let (source, copy) = (from.join(relative), to.join(relative));
        if let Some(directory) = copy.parent() {
            fs::create_dir_all(directory)?;
        }
        fs::copy(&source, &copy).with_context(|| format!("cannot copy {}", source.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ldd_names_libraries_and_the_loader() {
        let text = "\tlinux-vdso.so.1 (0x00007fff)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        let expected = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"].map(PathBuf::from);
        assert_eq!(paths(text), expected);
    }
}
