//! Where the API is, who the agent is to it, and which node this is. Refuses what is not safe: a server whose
//! certificate is not checked, a connection without TLS, a program to be run for credentials.

use std::env;
use std::path::{Path, PathBuf};

use kube::Config;
use kube::config::Kubeconfig;
use thiserror::Error;

/// Where Kubernetes mounts the token of a pod's service account.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
/// Set by the kubelet in every pod.
const SERVICE_HOST: &str = "KUBERNETES_SERVICE_HOST";
/// Set by `deploy/kubernetes/` from the pod's own `spec.nodeName`.
const NODE_NAME: &str = "NODE_NAME";
/// Longest kubeconfig, bytes; one for hundreds of clusters has some 100 KiB.
const KUBECONFIG_MAX: u64 = 1 << 20;
/// Longest name of a node: a DNS subdomain (Kubernetes, "Object Names and IDs").
const NODE_NAME_MAX: usize = 253;

/// Why the API is not asked.
#[derive(Debug, Error)]
pub enum AccessError {
    #[error("there is no service account here: {0}")]
    NoServiceAccount(String),
    #[error("the kubeconfig {} cannot be used: {reason}", .path.display())]
    Kubeconfig { path: PathBuf, reason: String },
    #[error("{server} would not have to prove who it is (insecure-skip-tls-verify)")]
    Unverified { server: String },
    #[error("{server} would be asked without TLS")]
    Plain { server: String },
    #[error("the kubeconfig wants a program to be run for its credentials")]
    Plugin,
    #[error("{0:?} is no name of a node")]
    NodeName(String),
    #[error("no thread for the Kubernetes API: {0}")]
    Thread(std::io::Error),
}

impl AccessError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NoServiceAccount(_) => {
                "run in a pod with a service account (automountServiceAccountToken: true), or give \
                 kubernetes.kubeconfig"
            }
            Self::Kubeconfig { .. } => "mend it, or give another kubernetes.kubeconfig",
            Self::Unverified { .. } => "give the certificate authority in the kubeconfig instead",
            Self::Plain { .. } => "give an https:// server in the kubeconfig",
            Self::Plugin => {
                "a sensor runs no programs for others: give a token, a tokenFile or a client certificate"
            }
            Self::NodeName(_) => "set kubernetes.node, or NODE_NAME, to what `kubectl get nodes` shows",
            Self::Thread(_) => "raise the limit of processes (`ulimit -u`)",
        }
    }
}

/// A way to the API that is safe to use.
pub(super) struct Access {
    pub(super) config: Config,
    /// For people: never with credentials.
    pub(super) server: String,
}

/// Whether this is a pod with a service account.
pub(super) fn is_in_cluster() -> bool {
    env::var_os(SERVICE_HOST).is_some() && Path::new(TOKEN).exists()
}

/// The way that is configured, else the service account of the agent's own pod.
pub(super) fn find(kubeconfig: Option<&Path>) -> Result<Access, AccessError> {
    let config = match kubeconfig {
        Some(path) => read(path)?,
        None => Config::incluster().map_err(|error| AccessError::NoServiceAccount(error.to_string()))?,
    };
    let server = server(&config);
    if config.accept_invalid_certs {
        return Err(AccessError::Unverified { server });
    }
    if config.cluster_url.scheme_str() != Some("https") {
        return Err(AccessError::Plain { server });
    }
    if config.auth_info.exec.is_some() || config.auth_info.auth_provider.is_some() {
        return Err(AccessError::Plugin);
    }
    Ok(Access { config, server })
}

/// Scheme, host and port alone: an address may carry a password.
fn server(config: &Config) -> String {
    let url = &config.cluster_url;
    let (scheme, host) = (url.scheme_str().unwrap_or("https"), url.host().unwrap_or_default());
    url.port().map_or_else(|| format!("{scheme}://{host}"), |port| format!("{scheme}://{host}:{port}"))
}

fn read(path: &Path) -> Result<Config, AccessError> {
    let refuse = |reason: String| AccessError::Kubeconfig { path: path.to_owned(), reason };
    let size = std::fs::metadata(path).map_err(|error| refuse(error.to_string()))?.len();
    if size > KUBECONFIG_MAX {
        return Err(refuse(format!("it has more than {KUBECONFIG_MAX} bytes")));
    }
    // What a parser says of a text may quote it, and a token stands in it.
    let kubeconfig =
        Kubeconfig::read_from(path).map_err(|_| refuse("it is not a kubeconfig in YAML".to_owned()))?;
    Config::try_from(kubeconfig).map_err(|error| refuse(error.to_string()))
}

/// The name of this node: as configured, by the environment, or the host's.
pub(super) fn node(configured: Option<&str>) -> Result<String, AccessError> {
    let by_environment = || env::var(NODE_NAME).ok().filter(|name| !name.is_empty());
    // The kubelet takes the host's name in lower case (`--hostname-override` aside).
    let by_host = || rustix::system::uname().nodename().to_string_lossy().to_lowercase();
    let name = configured.map(str::to_owned).or_else(by_environment).unwrap_or_else(by_host);
    if is_name(&name) { Ok(name) } else { Err(AccessError::NodeName(name)) }
}

/// A DNS subdomain (RFC 1123), as names of nodes and of most other things are: safe in a path and in a query.
pub(super) fn is_name(name: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    !name.is_empty()
        && name.len() <= NODE_NAME_MAX
        && name.bytes().all(is_fit)
        && !name.starts_with(['-', '.'])
        && !name.contains("..")
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn kubeconfig(cluster: &str, user: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(
            file,
            "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: c, \
             user: u}}}}]\nclusters: [{{name: c, cluster: {cluster}}}]\nusers: [{{name: u, user: {user}}}]\n"
        )
        .unwrap();
        file
    }

    fn refusal(cluster: &str, user: &str) -> AccessError {
        find(Some(kubeconfig(cluster, user).path())).err().expect("it is refused")
    }

    #[test]
    fn a_kubeconfig_with_a_token_is_taken() {
        let file = kubeconfig("{server: 'https://user:secret@10.0.0.1:6443'}", "{token: secret}");
        let access = find(Some(file.path())).unwrap();
        assert_eq!(access.server, "https://10.0.0.1:6443");
        assert!(!format!("{:?}", access.config.auth_info).contains("secret"));
    }

    #[test]
    fn what_is_not_safe_is_refused() {
        let https = "{server: 'https://10.0.0.1:6443'}";
        let unverified = "{server: 'https://10.0.0.1:6443', insecure-skip-tls-verify: true}";
        assert!(matches!(refusal(unverified, "{token: x}"), AccessError::Unverified { .. }));
        let plain = refusal("{server: 'http://127.0.0.1:8001'}", "{token: x}");
        assert_eq!(plain.to_string(), "http://127.0.0.1:8001 would be asked without TLS");
        let exec = "{exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/true}}";
        assert!(matches!(refusal(https, exec), AccessError::Plugin));
    }

    #[test]
    fn a_broken_kubeconfig_is_named_and_not_quoted() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "users: [{{name: u, user: {{token: tops3cret").unwrap();
        let error = find(Some(file.path())).err().expect("it is broken").to_string();
        assert!(
            error.contains(&file.path().display().to_string()) && !error.contains("tops3cret"),
            "{error}"
        );
        let missing = find(Some(Path::new("/nonexistent/kubeconfig"))).err().expect("it is missing");
        assert!(missing.to_string().contains("/nonexistent/kubeconfig"), "{missing}");
    }

    #[test]
    fn only_names_are_put_into_questions() {
        assert_eq!(node(Some("ip-10-0-0-1.eu-central-1.compute.internal")).unwrap().len(), 41);
        for name in ["", "a b", "a&limit=1", "../../secrets", "Node", "a%2Cb", ".a", "a..b"] {
            assert!(matches!(node(Some(name)), Err(AccessError::NodeName(_))), "{name:?}");
        }
    }
}
