//! What an image reference says of where the image comes from.

use super::Container;

/// Where an image comes from whose reference names no registry (distribution/reference, normalize.go,
/// `defaultDomain`; `legacyDefaultDomain` is another name of it).
const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_OF_OLD: &str = "index.docker.io";
/// The one word without a dot or port that is a registry (the same file, `localhost`).
const LOCALHOST: &str = "localhost";
/// Digits of an image's digest, which in place of a name says nothing of where it comes from.
const DIGEST_DIGITS: usize = 64;

impl Container {
    /// The registry its image comes from, where the reference is known and is no digest.
    #[must_use]
    pub fn image_registry(&self) -> Option<&str> {
        self.image.as_deref().and_then(registry)
    }
}

/// The registry of an image reference, as its own software reads it (distribution/reference, `splitDockerDomain`):
/// what stands before the first slash, where it has a dot, a port or a capital letter, or is `localhost`. None:
/// it is a digest, not a name.
fn registry(image: &str) -> Option<&str> {
    let image = image.trim();
    let is_digest = image.len() == DIGEST_DIGITS && image.bytes().all(|byte| byte.is_ascii_hexdigit());
    if image.is_empty() || is_digest || image.starts_with("sha256:") {
        return None;
    }
    let Some((first, _)) = image.split_once('/') else { return Some(DOCKER_HUB) };
    let is_host = first == LOCALHOST
        || first.contains(['.', ':'])
        || first.chars().any(|letter| letter.is_ascii_uppercase());
    Some(if is_host && first != DOCKER_HUB_OF_OLD { first } else { DOCKER_HUB })
}

#[cfg(test)]
mod tests {
    use super::registry;

    #[test]
    fn a_registry_is_what_a_runtime_takes_for_one() {
        for (image, expected) in [
            ("nginx", Some("docker.io")),
            ("nginx:1.25", Some("docker.io")),
            ("shop/web:4.2", Some("docker.io")),
            ("docker.io/library/nginx@sha256:00", Some("docker.io")),
            ("index.docker.io/library/nginx", Some("docker.io")),
            ("ghcr.io/shop/web", Some("ghcr.io")),
            ("registry:5000/web", Some("registry:5000")),
            ("localhost/web", Some("localhost")),
            ("[::1]:5000/web", Some("[::1]:5000")),
            ("Registry/web", Some("Registry")),
            ("team/web.d/x", Some("docker.io")),
            ("sha256:8f3a2c91d0b4aa0b", None),
            ("8f3a2c91d0b4aa0b1c2d3e4f5061728394a5b6c7d8e9f0011223344556677889", None),
            ("", None),
        ] {
            assert_eq!(registry(image), expected, "{image}");
        }
    }
}
