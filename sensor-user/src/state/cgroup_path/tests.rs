//! Paths as runtimes make them, and paths that are none.

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
    ("/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{id}.scope", Runtime::Docker, false),
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

#[test]
fn fuzzed_paths_are_a_containers_or_nobodys() {
    let filled = |path: &str| {
        let path = path.replace("{id}", ID).replace("{outer}", OUTER).replace("{static}", STATIC_UID);
        path.replace("{uid_}", &UID.replace('-', "_")).replace("{uid}", UID).into_bytes()
    };
    let seeds: Vec<_> = CONTAINERS.iter().map(|(path, ..)| filled(path)).collect();
    crate::fuzz::run(&seeds, |bytes, _| {
        let path = crate::octet::text(bytes);
        let _ = user(&path);
        if let Some(identity) = identify(&path) {
            assert!(!identity.id.contains('/') && !identity.id.is_empty());
        }
    });
}
