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
mod tests {
    use super::*;

    const ID: &str = "accab06600d8e4c16fbf7d95112383c8780e35d72d95fce0bd5e6a3e1f94f814";
    const OUTER: &str = "5e66d74033272cd2d45d995ea4eccbe8d627d1b76e987dc1fcabdfc7e4801980";
    const UID: &str = "0a1f6b2c-7d3e-4f50-8a9b-c0d1e2f3a4b5";
    const STATIC_UID: &str = "d4c3b2a1908f7e6d5c4b3a2918070605";

    /// Path (`{id}`, `{outer}`, `{uid}`, `{uid_}`, `{static}` filled in), runtime, has the pod uid.
    const CONTAINERS: &[(&str, Runtime, bool)] = &[
        // Docker: cgroupfs, systemd, rootless, a parent of its own, processes below the container.
        ("/docker/{id}", Runtime::Docker, false),
        ("/docker/{id}/system.slice/cron.service", Runtime::Docker, false),
        ("/docker/{id}/init", Runtime::Docker, false),
        ("/system.slice/docker-{id}.scope", Runtime::Docker, false),
        (
            "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{id}.scope",
            Runtime::Docker,
            false,
        ),
        ("/builds/{id}", Runtime::Unknown, false),
        ("/ecs/3c1f/{id}", Runtime::Unknown, false),
        // Docker in Docker, kind: the innermost is meant.
        ("/docker/{outer}/docker/{id}", Runtime::Docker, false),
        (
            "/docker/{outer}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod{uid_}.slice/cri-containerd-{id}.scope",
            Runtime::Containerd,
            true,
        ),
        // Seen from another cgroup namespace.
        ("/../../docker/{id}", Runtime::Docker, false),
        // Kubelet with containerd: both drivers, three classes of service, static pods, k3s.
        ("/kubepods/burstable/pod{uid}/{id}", Runtime::Unknown, true),
        ("/kubepods/besteffort/pod{uid}/{id}", Runtime::Unknown, true),
        ("/kubepods/pod{uid}/{id}", Runtime::Unknown, true),
        (
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{uid_}.slice/cri-containerd-{id}.scope",
            Runtime::Containerd,
            true,
        ),
        ("/kubepods.slice/kubepods-pod{uid_}.slice/cri-containerd-{id}.scope", Runtime::Containerd, true),
        (
            "/system.slice/containerd.service/kubepods-burstable-pod{uid_}.slice:cri-containerd:{id}",
            Runtime::Containerd,
            true,
        ),
        (
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{uid_}.slice/docker-{id}.scope",
            Runtime::Docker,
            true,
        ),
        // CRI-O, with and without crun's nested child.
        (
            "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{uid_}.slice/crio-{id}.scope",
            Runtime::Crio,
            true,
        ),
        (
            "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{uid_}.slice/crio-{id}.scope/container",
            Runtime::Crio,
            true,
        ),
        ("/kubepods/burstable/pod{uid}/crio-{id}", Runtime::Crio, true),
        // Podman: root, rootless, in a pod of its own, cgroupfs.
        ("/machine.slice/libpod-{id}.scope", Runtime::Podman, false),
        ("/machine.slice/libpod-{id}.scope/container", Runtime::Podman, false),
        (
            "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{id}.scope/container",
            Runtime::Podman,
            false,
        ),
        ("/machine.slice/machine-libpod_pod_{outer}.slice/libpod-{id}.scope", Runtime::Podman, false),
        ("/libpod_parent/libpod-{id}", Runtime::Podman, false),
        ("/libpod_parent/{id}", Runtime::Podman, false),
        // nerdctl and ctr.
        ("/default/{id}", Runtime::Containerd, false),
        ("/k8s.io/{id}", Runtime::Containerd, false),
        ("/system.slice/nerdctl-{id}.scope", Runtime::Containerd, false),
    ];

    fn fill(pattern: &str) -> String {
        pattern
            .replace("{id}", ID)
            .replace("{outer}", OUTER)
            .replace("{uid}", UID)
            .replace("{uid_}", &UID.replace('-', "_"))
            .replace("{static}", STATIC_UID)
    }

    #[test]
    fn oci_layouts_are_identified() {
        for (pattern, runtime, in_pod) in CONTAINERS {
            let expected = CgroupIdentity {
                id: ID.to_owned(),
                runtime: *runtime,
                pod_uid: in_pod.then(|| UID.to_owned()),
                outer: if pattern.starts_with("/docker/{outer}") {
                    vec![(OUTER.to_owned(), Runtime::Docker)]
                } else {
                    vec![]
                },
                user: pattern.starts_with("/user.slice/user-1000.slice").then_some(1000),
            };
            assert_eq!(identify(&fill(pattern)), Some(expected), "{pattern}");
        }
    }

    #[test]
    fn static_pods_have_a_hash_for_a_uid() {
        let identity = identify(&fill("/kubepods/burstable/pod{static}/{id}")).unwrap();
        assert_eq!(identity.pod_uid.as_deref(), Some(STATIC_UID));
    }

    #[test]
    fn named_containers_are_identified() {
        for (path, id, runtime) in [
            ("/lxc/web", "web", Runtime::Lxc),
            ("/lxc/101/ns/system.slice/cron.service", "101", Runtime::Lxc),
            ("/lxc.payload/web/init.scope", "web", Runtime::Lxc),
            ("/lxc.payload.web-1/system.slice/ssh.service", "web-1", Runtime::Lxc),
            ("/machine.slice/machine-web.scope/payload", "web", Runtime::Nspawn),
            (r"/machine.slice/machine-my\x2dweb.scope", "my-web", Runtime::Nspawn),
            ("/machine.slice/systemd-nspawn@web.service/payload/init.scope", "web", Runtime::Nspawn),
        ] {
            let expected =
                CgroupIdentity { id: id.to_owned(), runtime, pod_uid: None, outer: vec![], user: None };
            assert_eq!(identify(path), Some(expected), "{path}");
        }
    }

    #[test]
    fn steps_of_builds_are_identified() {
        const STEP: &str = "lpgw4b3z87nsf212t1u8r4ie5";
        for (path, id, runtime, outer) in [
            ("/docker/buildkit/{step}", STEP, Runtime::Buildkit, 0),
            ("/system.slice/docker-{step}.scope", STEP, Runtime::Buildkit, 0),
            ("/docker/{outer}/buildkit/{step}", STEP, Runtime::Buildkit, 1),
            ("/buildkit/{step}", STEP, Runtime::Buildkit, 0),
            ("/buildah-buildah741819567", "buildah-buildah741819567", Runtime::Buildah, 0),
            (
                "/system.slice/crun-buildah-buildah741819567.scope",
                "buildah-buildah741819567",
                Runtime::Buildah,
                0,
            ),
        ] {
            let identity = identify(&fill(path).replace("{step}", STEP)).unwrap();
            assert_eq!((identity.id.as_str(), identity.runtime), (id, runtime), "{path}");
            assert_eq!(identity.outer.len(), outer, "{path}");
        }
    }

    #[test]
    fn a_users_slice_is_the_hosts_or_the_containers() {
        assert_eq!(user("/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope"), Some(1000));
        assert_eq!(user("/user.slice/user-.slice/x"), None);
        let inside = fill("/docker/{outer}/user.slice/user-1000.slice/libpod-{id}.scope");
        assert_eq!(identify(&inside).unwrap().user, None);
        let around = fill("/user.slice/user-1000.slice/docker-{outer}.scope/docker/{id}");
        assert_eq!(identify(&around).unwrap().user, Some(1000));
    }

    #[test]
    fn everything_else_is_the_host() {
        for pattern in [
            "",
            "/",
            "/docker",
            "/init.scope",
            "/system.slice/docker.service",
            "/system.slice/containerd.service",
            "/user.slice/user-1000.slice/session-3.scope",
            "/process_api/c6b006dc4fcffdd877b1c789db46e4bc",
            "/kubepods/burstable/pod{uid}",
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{uid_}.slice",
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{uid_}.slice/crio-conmon-{id}.scope",
            "/machine.slice/libpod-conmon-{id}.scope",
            "/docker/buildkit",
            "/docker/buildkit/LPGW4B3Z87NSF212T1U8R4IE5",
            "/elsewhere/lpgw4b3z87nsf212t1u8r4ie5",
            "/buildah-buildah",
            "/buildah-buildah../../x",
            "/lxc",
            "/lxc/..",
            "/lxc.monitor.web",
            r"/machine.slice/machine-qemu\x2d1\x2dvm.scope",
            r"/machine.slice/machine-..\x2f..\x2fetc.scope",
            "/docker/ACCAB06600D8E4C16FBF7D95112383C8780E35D72D95FCE0BD5E6A3E1F94F814",
        ] {
            assert_eq!(identify(&fill(pattern)), None, "{pattern}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_answered(path in "[/a-z0-9.:@\\\\x-]{0,200}|\\PC{0,60}") {
            if let Some(identity) = identify(&path) {
                proptest::prop_assert!(!identity.id.contains('/') && !identity.id.is_empty());
            }
        }
    }
}
