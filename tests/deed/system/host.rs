//! What a process asks of the kernel itself: namespaces, mounts, programs, modules.

use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use rustix::fs::{CWD, MemfdFlags, memfd_create};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags,
    fsconfig_create, fsmount, fsopen, mount, mount_change, move_mount,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::child::{Child, number};
use crate::place::Place;
use crate::request::Request;
use crate::sys;
use crate::table::{Deed, deed, privileged};
use crate::truth::{Truth, errno};

pub(crate) const DEEDS: &[Deed] = &[
    privileged("system", "setns", setns),
    privileged("system", "unshare", unshare),
    privileged("system", "bpf_load", bpf_load),
    privileged("system", "mount", |request| mounted(request, by_mount)),
    privileged("system", "mount_api", |request| mounted(request, by_descriptors)),
    deed("system", "module", module),
];

/// This process' own mount namespace.
const NAMESPACE: &str = "/proc/self/ns/mnt";

fn namespace() -> Result<String> {
    let name = fs::read_link(NAMESPACE).with_context(|| format!("reading {NAMESPACE}"))?;
    Ok(name.to_string_lossy().into_owned())
}

/// Into the mount namespace in which it is.
fn setns(_: &Request) -> Result<Truth> {
    let own = File::open(NAMESPACE).with_context(|| format!("opening {NAMESPACE}"))?;
    move_into_link_name_space(own.as_fd(), Some(LinkNameSpaceType::Mount)).context("setns")?;
    Ok(Truth::new().with("namespace", namespace()?))
}

/// A child in a new mount namespace; its truth, and whose it is.
fn in_child(work: impl FnOnce() -> Result<Truth>) -> Result<Truth> {
    let child = Child::start(|| {
        sys::process::unshare_mounts().context("unshare")?;
        // What is mounted from here on must not reach the namespace that this one was copied from.
        mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)?;
        work()
    })?;
    let pid = number(child.pid);
    Ok(child.finish()?.with("pid", pid).with("parent", std::process::id()))
}

fn unshare(_: &Request) -> Result<Truth> {
    let before = namespace()?;
    let truth = in_child(|| Ok(Truth::new().with("namespace", namespace()?)))?;
    ensure!(truth.text("namespace") != Some(&before), "the child is still in {before}");
    Ok(truth.with("namespace_before", before))
}

/// A tmpfs mounted by `act` on a directory, in a namespace of its own that ends with the child.
fn mounted(request: &Request, act: fn(&Path) -> Result<()>) -> Result<Truth> {
    let place = Place::new(request)?;
    let path = place.join("mount");
    fs::create_dir_all(&path)?;
    let truth = in_child(|| {
        act(&path).with_context(|| format!("mounting on {}", path.display()))?;
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let here = path.to_string_lossy();
        let is_there = mounts.lines().any(|line| line.split(' ').nth(4) == Some(&*here));
        ensure!(is_there, "nothing is mounted on {here}");
        Ok(Truth::new().with_path("path", &path).with("namespace", namespace()?))
    })?;
    Ok(truth.with("type", "tmpfs"))
}

fn by_mount(path: &Path) -> Result<()> {
    Ok(mount("deed", path, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, None)?)
}

fn by_descriptors(path: &Path) -> Result<()> {
    let system = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).context("fsopen")?;
    fsconfig_create(&system).context("fsconfig")?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    let mount = fsmount(&system, FsMountFlags::FSMOUNT_CLOEXEC, attributes).context("fsmount")?;
    move_mount(&mount, "", CWD, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).context("move_mount")
}

/// A program that does nothing and is attached to nothing.
fn bpf_load(_: &Request) -> Result<Truth> {
    // Before Linux 5.11 programs count as locked memory, of which another's maps may have taken all.
    // Where this may not be raised the load may still do, or says itself why not.
    setrlimit(Resource::Memlock, Rlimit { current: None, maximum: None }).ok();
    let program = sys::trace::load_program().context("loading a socket filter")?;
    let number = std::os::fd::AsRawFd::as_raw_fd(&program);
    let told = fs::read_to_string(format!("/proc/self/fdinfo/{number}"))?;
    let value = |name: &str| Some(told.lines().find_map(|line| line.strip_prefix(name))?.trim().to_owned());
    let truth = Truth::new().with("type", "socket_filter").with("tag", value("prog_tag:"));
    Ok(truth.with("id", value("prog_id:").and_then(|id| id.parse::<u32>().ok())))
}

/// A text offered as a module, which a kernel with modules refuses: the attempt is the deed.
fn module(_: &Request) -> Result<Truth> {
    let text = memfd_create("module", MemfdFlags::CLOEXEC)?;
    rustix::io::write(&text, b"no module").context("writing what is to be refused")?;
    let refused = sys::trace::load_module(text.as_fd()).context("finit_module");
    let Err(error) = refused else { anyhow::bail!("the kernel took a text as a module") };
    match errno(&error) {
        None | Some(Errno::NOSYS) => Err(error),
        Some(errno) => Ok(Truth::new().with("errno", errno.raw_os_error())),
    }
}
