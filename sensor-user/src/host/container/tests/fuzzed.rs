//! Whatever lies where runtimes keep their files: those of a user's runtime that user writes.

use super::*;

/// Each file that is read, and what stands in it where all is well.
fn files() -> Vec<(String, Vec<u8>)> {
    let bundle = r#"{"annotations": {"io.kubernetes.cri.container-type": "sandbox", "nerdctl/name": "web",
        "io.kubernetes.pod.name": "web-1", "io.kubernetes.cri.image-name": "nginx@sha256:ab"}}"#;
    let list = format!(
        r#"[{{"id": "{ID}", "names": ["web"], "image": "ab", "metadata": "{{\"image-name\": \"nginx\"}}"}}]"#
    );
    let repositories = format!(r#"{{"Repositories": {{"nginx": {{"nginx@sha256:{ID}": "sha256:{ID}"}}}}}}"#);
    [
        ("docker/containers/{id}/config.v2.json", DOCKER),
        ("docker/containers/{id}/hostconfig.json", r#"{"LogConfig": {"Type": "none"}}"#),
        ("docker/image/overlay2/repositories.json", &repositories),
        ("containerd/io.containerd.runtime.v2.task/k8s.io/{id}/config.json", bundle),
        ("run/overlay-containers/{id}/userdata/config.json", bundle),
        ("storage/overlay-containers/containers.json", &list),
        ("storage/overlay-images/images.json", r#"[{"id": "ab", "digest": "sha256:cd"}]"#),
        (
            "runc/{id}/state.json",
            r#"{"cgroup_paths": {"": "/sys/fs/cgroup/web", "memory": "/sys/fs/cgroup/memory/web"}}"#,
        ),
        ("crun/{id}/status", r#"{"cgroup-path": "/web"}"#),
    ]
    .map(|(path, text)| (path.replace("{id}", ID), text.as_bytes().to_vec()))
    .into()
}

/// A memory-backed file system where there is one: each case writes a file.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

#[test]
fn fuzzed_files_of_runtimes_tell_of_this_container_or_are_refused() {
    let directory = folder();
    let (files, roots, standalone) = (files(), roots(directory.path()), Standalone::default());
    for (path, text) in &files {
        write(directory.path(), path, str::from_utf8(text).unwrap());
    }
    let seeds: Vec<_> = files.iter().map(|(_, text)| text.clone()).collect();
    let identities = [Runtime::Docker, Runtime::Containerd, Runtime::Podman, Runtime::Runc].map(claim);
    crate::fuzz::run(&seeds, |bytes, dice| {
        let (path, text) = &files[dice.roll(files.len())];
        let path = directory.path().join(path);
        fs::write(&path, bytes).unwrap();
        if let Ok(Some(container)) = ask(&roots, &identities[dice.roll(identities.len())]) {
            assert_eq!(&*container.id, ID);
        }
        if let Some(identity) = standalone.find(&hosts(&roots.runc), "/web/init") {
            assert_eq!(identity.id, ID);
        }
        fs::write(&path, text).unwrap();
    });
}
