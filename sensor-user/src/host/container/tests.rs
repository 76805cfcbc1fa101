//! What runtimes leave on disk, as recorded, and what must be read from it.

use std::fs;
use std::path::Path;

use super::*;
use crate::state::container::{Pod, Role};

mod fuzzed;

pub(super) const ID: &str = "accab06600d8e4c16fbf7d95112383c8780e35d72d95fce0bd5e6a3e1f94f814";
const UID: &str = "4cad64d0-7a36-452a-8a08-bd3a694cdad5";

/// Docker 20.10's record of `docker run --name web --network=none idk/busybox:1`; data and exec root renamed.
const DOCKER: &str = include_str!("../data/docker-config.v2.json");

pub(super) fn claim(runtime: Runtime) -> CgroupIdentity {
    CgroupIdentity { id: ID.to_owned(), runtime, pod_uid: None, outer: vec![], user: None }
}

/// Roots below one directory, none of this machine's.
fn roots(directory: &Path) -> ContainerRoots {
    ContainerRoots {
        docker: vec![directory.join("docker")],
        containerd: vec![directory.join("containerd")],
        storage: vec![directory.join("run"), directory.join("storage")],
        lxc: vec![directory.join("lxc")],
        nspawn: vec![directory.join("machines")],
        runc: vec![directory.join("runc"), directory.join("crun")],
        sockets: vec![],
    }
}

fn ask(roots: &ContainerRoots, identity: &CgroupIdentity) -> Answer {
    search(roots, identity, &Remembered::default())
}

fn write(directory: &Path, path: &str, text: &str) {
    let path = directory.join(path.replace("{id}", ID));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn pod() -> Pod {
    Pod { name: "web-65747dc769-pjztg".into(), namespace: "shop".into(), uid: UID.into(), ..Pod::default() }
}

#[test]
fn docker_names_its_containers() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "docker/containers/{id}/config.v2.json", DOCKER);
    for runtime in [Runtime::Docker, Runtime::Unknown] {
        let found = ask(&roots(directory.path()), &claim(runtime)).unwrap().unwrap();
        let expected = Container {
            id: ID.into(),
            runtime: Runtime::Docker,
            name: Some("web".into()),
            image: Some("idk/busybox:1".into()),
            image_id: Some("sha256:ed20e304befee88ad481a5c071efc2b22ee9c6a27d597f0a24c418e7a6cf9fb9".into()),
            confirmation: Confirmation::Known,
            ..Container::from_cgroup(&claim(runtime))
        };
        assert_eq!(found, expected);
    }
}

#[test]
fn a_bundle_of_dockers_containerd_verifies_but_does_not_name() {
    let directory = tempfile::tempdir().unwrap();
    write(
        directory.path(),
        "containerd/io.containerd.runtime.v2.task/moby/{id}/config.json",
        r#"{"ociVersion":"1.0.2-dev"}"#,
    );
    let found = ask(&roots(directory.path()), &claim(Runtime::Unknown)).unwrap().unwrap();
    assert_eq!((found.runtime, found.is_verified(), found.name), (Runtime::Docker, true, None));
}

#[test]
fn containerd_tells_the_pod() {
    let directory = tempfile::tempdir().unwrap();
    let bundle = format!(
        r#"{{"annotations": {{
            "io.kubernetes.cri.container-name": "nginx",
            "io.kubernetes.cri.container-type": "container",
            "io.kubernetes.cri.image-name": "docker.io/library/nginx:1.25",
            "io.kubernetes.cri.sandbox-id": "655b0ad6e26c0403c00ef9ab69c399e4e86f92d6bd3ad22a286849bf310b31f3",
            "io.kubernetes.cri.sandbox-name": "web-65747dc769-pjztg",
            "io.kubernetes.cri.sandbox-namespace": "shop",
            "io.kubernetes.cri.sandbox-uid": "{UID}"}}}}"#
    );
    write(directory.path(), "containerd/io.containerd.runtime.v2.task/k8s.io/{id}/config.json", &bundle);
    let found = ask(&roots(directory.path()), &claim(Runtime::Unknown)).unwrap().unwrap();
    assert_eq!(
        (found.runtime, found.pod, found.pod_uid),
        (Runtime::Containerd, Some(pod()), Some(UID.into()))
    );
    assert_eq!(
        (found.name.as_deref(), found.image.as_deref()),
        (Some("nginx"), Some("docker.io/library/nginx:1.25"))
    );
}

#[test]
fn crio_tells_the_pod_by_the_kubelets_labels() {
    let directory = tempfile::tempdir().unwrap();
    let bundle = format!(
        r#"{{"annotations": {{
            "io.container.manager": "cri-o",
            "io.kubernetes.container.name": "nginx",
            "io.kubernetes.cri-o.ContainerName": "k8s_nginx_web_shop_0",
            "io.kubernetes.cri-o.ImageName": "docker.io/library/nginx:1.25",
            "io.kubernetes.cri-o.ImageRef": "ab12",
            "io.kubernetes.pod.name": "web-65747dc769-pjztg",
            "io.kubernetes.pod.namespace": "shop",
            "io.kubernetes.pod.uid": "{UID}"}}}}"#
    );
    write(directory.path(), "run/overlay-containers/{id}/userdata/config.json", &bundle);
    let found = ask(&roots(directory.path()), &claim(Runtime::Crio)).unwrap().unwrap();
    assert_eq!((found.runtime, found.pod), (Runtime::Crio, Some(pod())));
    assert_eq!((found.name.as_deref(), found.image_id.as_deref()), (Some("nginx"), Some("ab12")));
}

#[test]
fn health_probes_are_told_as_the_container_will_see_them() {
    let directory = tempfile::tempdir().unwrap();
    for (config, expected) in [
        (
            r#"{"Test": ["CMD-SHELL", "cat /x || exit 1"], "Interval": 1000000000}"#,
            vec![vec!["/bin/sh", "-c", "cat /x || exit 1"]],
        ),
        (
            r#"{"Test": ["CMD", "/bin/check", "-q"]}, "Shell": ["/bin/ash", "-ec"]"#,
            vec![vec!["/bin/check", "-q"]],
        ),
        (
            r#"{"Test": ["CMD-SHELL", "true"]}, "Shell": ["/bin/ash", "-ec"]"#,
            vec![vec!["/bin/ash", "-ec", "true"]],
        ),
        (r#"{"Test": ["NONE"]}"#, vec![]),
        (r#"{"Test": ["CMD"]}"#, vec![]),
        (r#"{"Test": null}"#, vec![]),
        ("null", vec![]),
    ] {
        let record = DOCKER.replacen(r#""Config": {"#, &format!(r#""Config": {{"Healthcheck":{config},"#), 1);
        assert_ne!(record, DOCKER);
        write(directory.path(), "docker/containers/{id}/config.v2.json", &record);
        let found = ask(&roots(directory.path()), &claim(Runtime::Docker)).unwrap().unwrap();
        assert_eq!(
            (found.probes, found.role),
            (
                expected
                    .into_iter()
                    .map(|probe| probe.into_iter().map(String::from).collect())
                    .collect::<Vec<Vec<String>>>(),
                Role::Workload
            ),
            "{config}"
        );
    }
}

/// As Docker 20.10 left it while `docker build` with the classic builder ran a step, shortened.
#[test]
fn the_classic_builders_containers_are_known_from_peoples() {
    let directory = tempfile::tempdir().unwrap();
    let image = format!("sha256:{}", "4a71".repeat(16));
    let record = |test: &str, name: &str| {
        format!(
            r#"{{"ID":"{ID}","Path":"/bin/sh","Config":{{"Healthcheck":{{"Test":["{test}"]}},"Image":"{name}","Labels":{{}}}},"Image":"{image}","LogPath":"","Name":"/busy_wright"}}"#
        )
    };
    let asked = |record: &str, log: &str| {
        write(directory.path(), "docker/containers/{id}/config.v2.json", record);
        write(
            directory.path(),
            "docker/containers/{id}/hostconfig.json",
            &format!(r#"{{"LogConfig":{{"Type":"{log}","Config":{{}}}}}}"#),
        );
        ask(&roots(directory.path()), &claim(Runtime::Docker)).unwrap().unwrap().role
    };
    assert_eq!(asked(&record("NONE", &image), "none"), Role::Build);
    assert_eq!(asked(&record("NONE", &image), "json-file"), Role::Workload);
    assert_eq!(asked(&record("NONE", "tools:1"), "none"), Role::Workload);
    assert_eq!(asked(&record("CMD-SHELL", &image), "none"), Role::Workload);
    let sandbox = record("NONE", &image)
        .replace(r#""Labels":{}"#, r#""Labels":{"io.kubernetes.docker.type":"podsandbox"}"#);
    assert_eq!(asked(&sandbox, "json-file"), Role::Sandbox);
}

#[test]
fn steps_of_builds_are_verified_by_their_files() {
    let directory = tempfile::tempdir().unwrap();
    let roots = roots(directory.path());
    for (runtime, id, path) in [
        (
            Runtime::Buildkit,
            "lpgw4b3z87nsf212t1u8r4ie5",
            "docker/buildkit/executor/lpgw4b3z87nsf212t1u8r4ie5/config.json",
        ),
        (Runtime::Buildah, "buildah-buildah741819567", "crun/buildah-buildah741819567/status"),
    ] {
        let identity = CgroupIdentity { id: id.to_owned(), ..claim(runtime) };
        assert_eq!(ask(&roots, &identity).unwrap(), None);
        write(directory.path(), path, r#"{"cgroup-path": "/buildah-buildah741819567"}"#);
        let found = ask(&roots, &identity).unwrap().unwrap();
        assert_eq!((found.role, found.is_verified(), found.name), (Role::Build, true, None));
    }
}

#[test]
fn digests_of_images_come_from_the_reference_or_the_runtimes_list() {
    let directory = tempfile::tempdir().unwrap();
    let digest = format!("sha256:{}", "ab12".repeat(16));
    let image = "sha256:ed20e304befee88ad481a5c071efc2b22ee9c6a27d597f0a24c418e7a6cf9fb9";
    write(directory.path(), "docker/containers/{id}/config.v2.json", DOCKER);
    let list = format!(
        r#"{{"Repositories":{{"idk/busybox":{{"idk/busybox:1":"{image}","idk/busybox@{digest}":"{image}"}}}}}}"#
    );
    write(directory.path(), "docker/image/overlay2/repositories.json", &list);
    let found = ask(&roots(directory.path()), &claim(Runtime::Docker)).unwrap().unwrap();
    assert_eq!((found.image_id.as_deref(), found.image_digest.as_ref()), (Some(image), Some(&digest)));

    let annotations = |name: &str, kind: &str| {
        [("io.kubernetes.cri.image-name", name), ("io.kubernetes.cri.container-type", kind)]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into()
    };
    let container = oci::container(
        &claim(Runtime::Unknown),
        Runtime::Containerd,
        &annotations(&format!("nginx:1.25@{digest}"), "sandbox"),
    );
    assert_eq!((container.image_digest, container.role), (Some(digest), Role::Sandbox));
    let container = oci::container(
        &claim(Runtime::Unknown),
        Runtime::Containerd,
        &annotations("nginx@sha256:12", "container"),
    );
    assert_eq!((container.image_digest, container.role), (None, Role::Workload));
}

/// `ctr run ... web-ctr` of containerd 1.6, shortened.
#[test]
fn a_cgroup_with_any_name_is_found_by_its_path() {
    let directory = tempfile::tempdir().unwrap();
    let source = ContainerSource {
        roots: Mutex::new(roots(directory.path())),
        discovered_at: Mutex::default(),
        known: Remembered::default(),
    };
    let asked = |path: &str| {
        source
            .lookup_cgroup(path)
            .unwrap()
            .map(|container| (container.is_verified(), container.name, container.runtime))
    };
    assert_eq!(asked("/default/web-ctr"), None);
    write(
        directory.path(),
        "containerd/io.containerd.runtime.v2.task/default/web-ctr/config.json",
        r#"{"linux": {"cgroupsPath": "/default/web-ctr"}}"#,
    );
    let found = Some((true, Some("web-ctr".to_owned()), Runtime::Containerd));
    assert_eq!(asked("/default/web-ctr"), found);
    assert_eq!(asked("/default/web-ctr/deep/er"), found);
    assert_eq!(asked("/other/web-ctr"), None, "another cgroup of that name");
    write(directory.path(), "runc/web/state.json", r#"{"cgroup_paths": {"": "/sys/fs/cgroup/any/where"}}"#);
    assert_eq!(asked("/any/where"), Some((true, Some("web".to_owned()), Runtime::Runc)));
}

#[test]
fn a_scan_for_runtimes_holds_up_no_other_question() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "docker/containers/{id}/config.v2.json", DOCKER);
    let source = ContainerSource {
        roots: Mutex::new(roots(directory.path())),
        discovered_at: Mutex::default(),
        known: Remembered::default(),
    };
    let _scanning = source.discovered_at.lock().unwrap();
    assert!(source.lookup(&claim(Runtime::Docker)).unwrap().unwrap().is_verified());
    let other = CgroupIdentity { id: "0".repeat(64), ..claim(Runtime::Docker) };
    assert_eq!(source.lookup(&other).unwrap(), None);
    assert_eq!(source.lookup_cgroup("/any").unwrap(), None);
}

/// Podman's bundle names nothing and lies in the run root, its list in the graph root.
#[test]
fn podman_names_its_containers_in_the_list() {
    let directory = tempfile::tempdir().unwrap();
    write(
        directory.path(),
        "run/overlay-containers/{id}/userdata/config.json",
        r#"{"annotations": {"io.container.manager": "libpod"}}"#,
    );
    let list = format!(
        r#"[{{"id": "{}", "names": ["other"], "image": "", "metadata": "x"}},
            {{"id": "{ID}", "names": ["web"], "image": "ab12", "layer": "cd34",
              "metadata": "{{\"image-name\":\"docker.io/library/nginx:1.25\",\"image-id\":\"ab12\",\"name\":\"web\",\"created-at\":1}}",
              "created": "2026-11-21T11:27:44Z", "flags": {{"MountLabel": ""}}}}]"#,
        "0".repeat(64)
    );
    write(directory.path(), "storage/overlay-containers/containers.json", &list);
    let found = ask(&roots(directory.path()), &claim(Runtime::Podman)).unwrap().unwrap();
    let expected = Container {
        id: ID.into(),
        runtime: Runtime::Podman,
        name: Some("web".into()),
        image: Some("docker.io/library/nginx:1.25".into()),
        image_id: Some("ab12".into()),
        confirmation: Confirmation::Known,
        ..Container::from_cgroup(&claim(Runtime::Podman))
    };
    assert_eq!(found, expected);
}

#[test]
fn named_machines_are_verified_by_their_files() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "lxc/web/config", "lxc.uts.name = web\n");
    write(directory.path(), "machines/web", "NAME=web\n");
    for runtime in [Runtime::Lxc, Runtime::Nspawn] {
        let identity = |id: &str| CgroupIdentity {
            id: id.to_owned(),
            runtime,
            pod_uid: None,
            outer: vec![],
            user: None,
        };
        let found = ask(&roots(directory.path()), &identity("web")).unwrap().unwrap();
        assert_eq!((found.name.as_deref(), found.runtime, found.is_verified()), (Some("web"), runtime, true));
        assert!(ask(&roots(directory.path()), &identity("other")).unwrap().is_none());
    }
}

#[test]
fn what_no_file_knows_is_none_and_what_is_no_record_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let roots = roots(directory.path());
    let path = "docker/containers/{id}/config.v2.json";
    assert!(ask(&roots, &claim(Runtime::Docker)).unwrap().is_none());

    let other = DOCKER.replace(ID, &"0".repeat(64));
    let deep = "[".repeat(100_000);
    for hostile in ["", "null", "{", "\u{0}", r#"{"ID": 7}"#, &other, &deep, &DOCKER[..500]] {
        write(directory.path(), path, hostile);
        let error = ask(&roots, &claim(Runtime::Docker)).unwrap_err();
        assert!(matches!(error, ContainerError::Malformed { .. }), "{error}");
        assert!(error.to_string().contains("config.v2.json"), "{error}");
    }
    write(directory.path(), path, &" ".repeat(usize::try_from(STATE_MAX).unwrap() + 1));
    let error = ask(&roots, &claim(Runtime::Docker)).unwrap_err();
    assert!(matches!(error, ContainerError::File(FileError::TooLong { .. })), "{error}");

    // Another source that knows better is heard all the same.
    let bundle = "containerd/io.containerd.runtime.v2.task/moby/{id}/config.json";
    write(directory.path(), bundle, "{}");
    assert!(ask(&roots, &claim(Runtime::Docker)).unwrap().unwrap().is_verified());
}

#[test]
fn the_configuration_may_move_every_root() {
    let roots: ContainerRoots = serde_json::from_str(r#"{"docker": ["/srv/docker"]}"#).unwrap();
    assert_eq!(roots.docker, [Path::new("/srv/docker")]);
    assert_eq!(roots.containerd, ContainerRoots::default().containerd);
    assert!(serde_json::from_str::<ContainerRoots>(r#"{"dcoker": []}"#).is_err());
}
