//! Overlay layers by the layout of their directories: what is left when nobody can be asked.

/// Directories in which the runtimes keep writable layers, and the directory that stands between a
/// layer's name and its content: Docker, Podman and CRI-O (containers/storage), containerd.
const LAYOUTS: [(&str, Name, &str); 4] = [
    ("/overlay2/", Name::Hex, "/diff/"),
    ("/overlay/", Name::Hex, "/diff/"),
    ("/io.containerd.snapshotter.v1.overlayfs/snapshots/", Name::Number, "/fs/"),
    ("/io.containerd.snapshotter.v1.fuse-overlayfs/snapshots/", Name::Number, "/fs/"),
];

#[derive(Clone, Copy)]
enum Name {
    /// 64 hex digits, `-init` behind it in Docker's first layer.
    Hex,
    Number,
}

impl Name {
    fn fits(self, text: &str) -> bool {
        match self {
            Self::Hex => {
                let digits = text.strip_suffix("-init").unwrap_or(text);
                digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
            }
            Self::Number => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()),
        }
    }
}

/// The container's own path of a file in the writable layer of a known layout:
/// `/var/lib/docker/overlay2/<64 hex>/diff/tmp/x` is `/tmp/x`. None for any other path.
#[must_use]
pub fn strip_layer(path: &str) -> Option<&str> {
    LAYOUTS.iter().find_map(|(before, name, behind)| {
        let (_, rest) = path.split_once(before)?;
        let (layer, inner) = rest.split_once('/')?;
        if !name.fits(layer) {
            return None;
        }
        // Keep the slash that begins the container's path.
        let start = path.len() - inner.len() + behind.len().checked_sub(2)?;
        inner.starts_with(behind.trim_start_matches('/')).then(|| path.get(start..)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_layouts_are_stripped() {
        let hex = "5e66d74033272cd2d45d995ea4eccbe8d627d1b76e987dc1fcabdfc7e4801980";
        for (path, inner) in [
            (format!("/var/lib/docker/overlay2/{hex}/diff/tmp/x"), Some("/tmp/x")),
            (format!("/srv/docker/overlay2/{hex}-init/diff/etc/hosts"), Some("/etc/hosts")),
            (format!("/var/lib/containers/storage/overlay/{hex}/diff/x"), Some("/x")),
            (
                "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/17/fs/usr/bin/x".into(),
                Some("/usr/bin/x"),
            ),
            // The layer's own directory, a work directory, names that are none.
            (format!("/var/lib/docker/overlay2/{hex}/diff"), None),
            (format!("/var/lib/docker/overlay2/{hex}/work/work/#1"), None),
            (format!("/var/lib/docker/overlay2/{hex}/merged/x"), None),
            ("/home/me/overlay2/notes/diff/x".into(), None),
            ("/io.containerd.snapshotter.v1.overlayfs/snapshots/new/fs/x".into(), None),
            ("/tmp/x".into(), None),
            (String::new(), None),
        ] {
            assert_eq!(strip_layer(&path), inner, "{path}");
        }
    }
}
