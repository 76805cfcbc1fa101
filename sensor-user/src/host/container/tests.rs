//! What runtimes leave on disk, as recorded, and what must be read from it.

use std::fs;
use std::path::Path;

use super::*;
use crate::state::container::Pod;

const ID: &str = "accab06600d8e4c16fbf7d95112383c8780e35d72d95fce0bd5e6a3e1f94f814";
const UID: &str = "4cad64d0-7a36-452a-8a08-bd3a694cdad5";

/// Docker 20.10's record of `docker run --name web --network=none idk/busybox:1`; data and exec root renamed.
const DOCKER: &str = include_str!("../data/docker-config.v2.json");

fn claim(runtime: Runtime) -> CgroupIdentity {
    CgroupIdentity { id: ID.to_owned(), runtime, pod_uid: None, outer: vec![] }
}

/// Roots below one directory, none of this machine's.
fn roots(directory: &Path) -> ContainerRoots {
    ContainerRoots {
        docker: vec![directory.join("docker")],
        containerd: vec![directory.join("containerd")],
        storage: vec![directory.join("run"), directory.join("storage")],
        lxc: vec![directory.join("lxc")],
        nspawn: vec![directory.join("machines")],
    }
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
        let found = search(&roots(directory.path()), &claim(runtime)).unwrap().unwrap();
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
    let found = search(&roots(directory.path()), &claim(Runtime::Unknown)).unwrap().unwrap();
    assert!(found.is_verified());
    assert_eq!((found.runtime, found.name), (Runtime::Docker, None));
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
    let found = search(&roots(directory.path()), &claim(Runtime::Unknown)).unwrap().unwrap();
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
    let found = search(&roots(directory.path()), &claim(Runtime::Crio)).unwrap().unwrap();
    assert_eq!((found.runtime, found.pod), (Runtime::Crio, Some(pod())));
    assert_eq!((found.name.as_deref(), found.image_id.as_deref()), (Some("nginx"), Some("ab12")));
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
    let found = search(&roots(directory.path()), &claim(Runtime::Podman)).unwrap().unwrap();
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
        let identity = |id: &str| CgroupIdentity { id: id.to_owned(), runtime, pod_uid: None, outer: vec![] };
        let found = search(&roots(directory.path()), &identity("web")).unwrap().unwrap();
        assert!(found.is_verified());
        assert_eq!((found.name.as_deref(), found.runtime), (Some("web"), runtime));
        assert!(search(&roots(directory.path()), &identity("other")).unwrap().is_none());
    }
}

#[test]
fn what_no_file_knows_is_none_and_what_is_no_record_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let roots = roots(directory.path());
    let path = "docker/containers/{id}/config.v2.json";
    assert!(search(&roots, &claim(Runtime::Docker)).unwrap().is_none());

    let other = DOCKER.replace(ID, &"0".repeat(64));
    let deep = "[".repeat(100_000);
    for hostile in ["", "null", "{", "\u{0}", r#"{"ID": 7}"#, &other, &deep, &DOCKER[..500]] {
        write(directory.path(), path, hostile);
        let error = search(&roots, &claim(Runtime::Docker)).unwrap_err();
        assert!(matches!(error, ContainerError::Malformed { .. }), "{error}");
        assert!(error.to_string().contains("config.v2.json"), "{error}");
    }
    write(directory.path(), path, &" ".repeat(usize::try_from(STATE_MAX).unwrap() + 1));
    let error = search(&roots, &claim(Runtime::Docker)).unwrap_err();
    assert!(matches!(error, ContainerError::File(FileError::TooLong { .. })), "{error}");

    // Another source that knows better is heard all the same.
    let bundle = "containerd/io.containerd.runtime.v2.task/moby/{id}/config.json";
    write(directory.path(), bundle, "{}");
    assert!(search(&roots, &claim(Runtime::Docker)).unwrap().unwrap().is_verified());
}

#[test]
fn the_configuration_may_move_every_root() {
    let roots: ContainerRoots = serde_json::from_str(r#"{"docker": ["/srv/docker"]}"#).unwrap();
    assert_eq!(roots.docker, [Path::new("/srv/docker")]);
    assert_eq!(roots.containerd, ContainerRoots::default().containerd);
    assert!(serde_json::from_str::<ContainerRoots>(r#"{"dcoker": []}"#).is_err());
}
