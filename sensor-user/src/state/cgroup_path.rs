//! Reads a container's identity out of a cgroup path: the one name that every process carries from
//! its first instruction, whatever the runtime, the cgroup version or the driver.
//!
//! Pure text. Any root can make a directory of this form, so the answer is a claim until a runtime's
//! own state confirms it. Where containers are nested, the innermost is meant. No IO, no names.

use super::container::{CgroupIdentity, OCI_ID_DIGITS, Runtime};

/// Characters of the id of a build step: a number in base 36 (moby/buildkit, identity/randomid.go).
const BUILD_ID_LENGTH: usize = 25;
/// Lengths of a pod uid: a UUID, or the hash that the kubelet gives static pods.
const POD_UID_LENGTHS: [usize; 2] = [36, 32];
/// Longest machine or LXC name taken from a path (`HOST_NAME_MAX`, include/uapi/linux/utsname.h).
const NAME_MAX: usize = 64;

/// Most containers around a container that are told: one in one is common, three were never seen.
const NESTING_MAX: usize = 8;

/// What stands before the id in a scope or directory, and whose it is.
const PREFIXES: [(&str, Runtime); 6] = [
    ("docker-", Runtime::Docker),
    ("cri-containerd-", Runtime::Containerd),
    ("containerd-", Runtime::Containerd),
    ("nerdctl-", Runtime::Containerd),
    ("crio-", Runtime::Crio),
    ("libpod-", Runtime::Podman),
];

/// Container of a cgroup path (`/docker/<id>`, `/kubepods.slice/.../cri-containerd-<id>.scope`), or
/// none: the host, a service, a pod's own cgroup, a runtime's monitor.
#[must_use]
pub fn identify(path: &str) -> Option<CgroupIdentity> {
    let components: Vec<&str> = path.split('/').filter(|component| !component.is_empty()).collect();
    for (depth, component) in components.iter().enumerate().rev() {
        let outer = components.get(..depth).unwrap_or_default();
        if let Some((id, runtime)) = container(component, outer) {
            let pod_uid = components.iter().take(depth + 1).rev().find_map(|component| pod_uid(component));
            return Some(CgroupIdentity { id, runtime, pod_uid, outer: around(outer), user: user(path) });
        }
    }
    None
}

/// The user of this host in whose slice a path lies, if any: he may make what is below. A slice within a
/// container is of a user of that container.
#[must_use]
pub fn user(path: &str) -> Option<u32> {
    let components: Vec<&str> = path.split('/').filter(|component| !component.is_empty()).collect();
    for (depth, component) in components.iter().enumerate() {
        if let Some(uid) = user_of_slice(component) {
            return Some(uid);
        }
        if container(component, components.get(..depth).unwrap_or_default()).is_some() {
            return None;
        }
    }
    None
}

fn container(component: &str, outer: &[&str]) -> Option<(String, Runtime)> {
    oci(component, outer).or_else(|| build(component, outer)).or_else(|| machine(component, outer))
}

/// Containers that these directories are, the outermost first.
fn around(components: &[&str]) -> Vec<(String, Runtime)> {
    let mut around = Vec::new();
    for (depth, component) in components.iter().enumerate() {
        let outer = components.get(..depth).unwrap_or_default();
        around.extend(container(component, outer));
    }
    around.truncate(NESTING_MAX);
    around
}

/// An OCI runtime's directory: `<id>`, `docker-<id>.scope`, `libpod-<id>`, or the colon form that
/// runc's systemd notation leaves behind where a cgroupfs driver was handed it.
fn oci(component: &str, outer: &[&str]) -> Option<(String, Runtime)> {
    let name = component.strip_suffix(".scope").unwrap_or(component);
    if is_oci_id(name) {
        return Some((name.to_owned(), owner_of_bare_id(outer)));
    }
    for (prefix, runtime) in PREFIXES {
        // `crio-conmon-<id>` is the monitor, not the container: what is left is no id.
        if let Some(id) = name.strip_prefix(prefix).filter(|id| is_oci_id(id)) {
            return Some((id.to_owned(), runtime));
        }
    }
    let (left, id) = name.rsplit_once(':')?;
    let (_slice, prefix) = left.rsplit_once(':')?;
    let runtime = PREFIXES
        .iter()
        .find(|(known, _)| known.strip_suffix('-') == Some(prefix))
        .map(|(_, runtime)| *runtime);
    is_oci_id(id).then(|| (id.to_owned(), runtime.unwrap_or(Runtime::Unknown)))
}

/// A bare id tells its runtime only by the directory that holds it.
fn owner_of_bare_id(outer: &[&str]) -> Runtime {
    match outer.last().copied() {
        Some("docker") => Runtime::Docker,
        Some("libpod_parent") => Runtime::Podman,
        // containerd's own namespaces: ctr, nerdctl, the CRI plug-in without a kubelet.
        Some("default" | "k8s.io") => Runtime::Containerd,
        Some(_) | None => Runtime::Unknown,
    }
}

/// A step of an image build.
fn build(component: &str, outer: &[&str]) -> Option<(String, Runtime)> {
    let is_step = |id: &str| {
        id.len() == BUILD_ID_LENGTH
            && id.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
    };
    // `<parent>/buildkit/<id>`, and in Docker's systemd notation a scope like a container's
    // (moby/buildkit, executor/oci/spec.go; moby, cmd/dockerd/daemon_unix.go, newCgroupParent).
    if outer.last() == Some(&"buildkit") && is_step(component) {
        return Some((component.to_owned(), Runtime::Buildkit));
    }
    let scope = component.strip_suffix(".scope");
    if let Some(id) = scope.and_then(|scope| scope.strip_prefix("docker-")).filter(|id| is_step(id)) {
        return Some((id.to_owned(), Runtime::Buildkit));
    }
    // Named after its folder in /var/tmp, which has a random number; under systemd the runtime adds its own
    // name (containers/buildah, run_linux.go; seen of `podman build` 4.3).
    let name = scope.unwrap_or(component);
    let name = ["crun-", "runc-"].iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    let number = name.strip_prefix("buildah-buildah")?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && name.len() <= NAME_MAX).then(|| (name.to_owned(), Runtime::Buildah))
}

/// `user-1000.slice` or `user@1000.service` (systemd's `user@.service(5)`).
fn user_of_slice(component: &str) -> Option<u32> {
    let slice = component.strip_prefix("user-").and_then(|name| name.strip_suffix(".slice"));
    let service = || component.strip_prefix("user@").and_then(|name| name.strip_suffix(".service"));
    slice.or_else(service)?.parse().ok()
}

/// LXC and systemd-nspawn: named, not numbered.
fn machine(component: &str, outer: &[&str]) -> Option<(String, Runtime)> {
    if let Some(name) = component.strip_prefix("lxc.payload.") {
        return named(name, Runtime::Lxc);
    }
    // Only at the top: inside a container a directory may bear any name.
    if matches!(outer, ["lxc" | "lxc.payload"]) {
        return named(component, Runtime::Lxc);
    }
    if outer.last() != Some(&"machine.slice") {
        return None;
    }
    if let Some(name) =
        component.strip_prefix("systemd-nspawn@").and_then(|unit| unit.strip_suffix(".service"))
    {
        return named(&unescape_unit(name), Runtime::Nspawn);
    }
    let unit = component.strip_prefix("machine-")?.strip_suffix(".scope")?;
    let name = unescape_unit(unit);
    // libvirt registers its virtual machines the same way; they are no containers.
    if name.starts_with("qemu-") {
        return None;
    }
    named(&name, Runtime::Nspawn)
}

fn named(name: &str, runtime: Runtime) -> Option<(String, Runtime)> {
    // What is looked up on disk must stay one component.
    let fits = !name.is_empty() && name.len() <= NAME_MAX && !name.starts_with('.') && !name.contains('/');
    fits.then(|| (name.to_owned(), runtime))
}

/// Uid of a kubelet's pod directory: `pod<uid>` (cgroupfs) or `kubepods-burstable-pod<uid>.slice`
/// (systemd, which writes the dashes as underscores, for a dash there means a parent slice).
fn pod_uid(component: &str) -> Option<String> {
    let slice = component.split(':').next().unwrap_or(component);
    let name = slice.strip_suffix(".slice").unwrap_or(slice);
    let uid = name.strip_prefix("pod").or_else(|| name.rsplit_once("-pod").map(|(_, uid)| uid))?;
    let uid = uid.replace('_', "-");
    let is_uid =
        POD_UID_LENGTHS.contains(&uid.len()) && uid.bytes().all(|byte| byte == b'-' || is_lower_hex(byte));
    is_uid.then_some(uid)
}

fn is_oci_id(text: &str) -> bool {
    text.len() == OCI_ID_DIGITS && text.bytes().all(is_lower_hex)
}

fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// Undoes systemd's unit name escaping (`\x2d` is a dash; systemd.unit(5), "String escaping").
fn unescape_unit(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once("\\x") {
        out.push_str(before);
        let code = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code.filter(u8::is_ascii) {
            Some(byte) => {
                out.push(char::from(byte));
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                out.push_str("\\x");
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests;
