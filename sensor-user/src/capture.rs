//! What is taken in of environments and of files that hold secrets. Pure.
//!
//! The kernel half compares little: the first eight bytes of a variable, the last component of a path. What
//! it lets pass is compared in full here.

mod path;
mod variable;

use serde::Deserialize;
use thiserror::Error;

pub(crate) use path::matches_name;
pub use path::{SecretPath, name_key};
pub(crate) use variable::SET;
pub use variable::Variable;

/// Most entries of one list: what the kernel half has room for, less the sockets of runtimes.
const ENTRIES_MAX: usize = 200;

/// Why a list in the configuration cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CaptureError {
    #[error("`{0}` is no name of an environment variable (letters, digits, `_`, and `*` at the end only)")]
    Name(String),
    #[error("`{0}` is too short: the kernel half tells variables apart by eight characters, `=` included")]
    Short(String),
    #[error("`{0}` begins neither with `/` nor with `**/`")]
    Relative(String),
    #[error(
        "the last part of `{0}` must be a name, or three characters of one and `*`: the kernel half looks at \
         nothing else"
    )]
    Last(String),
    #[error("`{0}` has more than 32 parts")]
    Deep(String),
    #[error("a list of more than {ENTRIES_MAX} entries")]
    Long,
}

/// The lists, as the configuration file has them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Capture {
    /// Variables of the environment that are kept when a program starts.
    #[serde(deserialize_with = "bounded")]
    pub environment: Vec<Variable>,
    /// Files whose opening is told.
    #[serde(deserialize_with = "bounded")]
    pub secrets: Vec<SecretPath>,
    /// Where fentry is refused: tell of every file that was open for writing and is closed. It costs
    /// each such close 0.5 to 0.9 µs, of any process.
    pub closes: bool,
}

/// What decides where a tool connects, with whose rights, and what is loaded into it.
const ENVIRONMENT: [&str; 32] = [
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "LD_AUDIT",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "RSYNC_PROXY",
    "RSYNC_PASSWORD",
    "RSYNC_CONNECT_PROG",
    "GIT_SSH_COMMAND",
    "RCLONE_CONFIG*",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_ENDPOINT_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "CLOUDSDK_COMPUTE_REGION",
    "CLOUDSDK_COMPUTE_ZONE",
    "CLOUDSDK_RUN_REGION",
    "CLOUDSDK_CORE_PROJECT",
    "AZURE_DEFAULTS_LOCATION",
    "AZURE_CLIENT_SECRET",
    "AZURE_STORAGE_CONNECTION_STRING",
    "KUBECONFIG",
    "SSH_CONNECTION",
    "SSH_CLIENT",
];

/// What gives whoever reads it the rights of somebody else.
const SECRETS: [&str; 19] = [
    "**/etc/shadow",
    "**/etc/shadow-",
    "**/etc/gshadow",
    "**/.ssh/id_*",
    "**/etc/ssh/ssh_host_rsa_key",
    "**/etc/ssh/ssh_host_ed25519_key",
    "**/.aws/credentials",
    "**/.kube/config",
    "/etc/kubernetes/admin.conf",
    "**/secrets/kubernetes.io/serviceaccount/**/token",
    "**/.config/gcloud/credentials.db",
    "**/application_default_credentials.json",
    "**/service-account.json",
    "**/.docker/config.json",
    "**/.git-credentials",
    "**/.netrc",
    "**/.pgpass",
    "**/.vault-token",
    "/proc/*/environ",
];

impl Default for Capture {
    fn default() -> Self {
        // Both lists are tested to be well-formed.
        Self {
            environment: ENVIRONMENT.iter().filter_map(|name| name.parse().ok()).collect(),
            secrets: SECRETS.iter().filter_map(|path| path.parse().ok()).collect(),
            closes: false,
        }
    }
}

impl Capture {
    /// Is this path, as a process sees it, one of the secrets?
    #[must_use]
    pub fn is_secret(&self, path: &str) -> bool {
        self.secrets.iter().any(|secret| secret.matches(path))
    }

    /// May a file of this name be one? Asked before its whole path is known.
    #[must_use]
    pub fn may_be_secret(&self, name: &str) -> bool {
        self.secrets.iter().any(|secret| secret.matches_name(name))
    }

    /// What is kept of an environment: the variables asked for, without what must stay secret.
    #[must_use]
    pub fn environment(&self, variables: &[String]) -> Vec<String> {
        let wanted = variables.iter().filter_map(|variable| variable.split_once('='));
        let wanted = wanted.filter(|(name, _)| self.environment.iter().any(|known| known.matches(name)));
        wanted.map(|(name, value)| variable::tell(name, value)).collect()
    }
}

fn bounded<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    let list = Vec::deserialize(deserializer)?;
    if list.len() > ENTRIES_MAX {
        return Err(serde::de::Error::custom(CaptureError::Long));
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_well_formed() {
        let capture = Capture::default();
        assert_eq!(capture.environment.len(), ENVIRONMENT.len());
        assert_eq!(capture.secrets.len(), SECRETS.len());
    }

    #[test]
    fn an_environment_keeps_what_was_asked_for_and_no_secret() {
        let given = [
            "LD_PRELOAD=/tmp/x.so",
            "LD_PRELOADED=1",
            "AWS_SECRET_ACCESS_KEY=wJalr",
            "AWS_SESSION_TOKEN=",
            "RCLONE_CONFIG_R_TYPE=s3",
            "RCLONE_CONFIG_R_SECRET=x",
            "https_proxy=http://me:pw@proxy:3128/",
            "http_proxy=proxy:3128",
            "KUBECONFIG",
        ]
        .map(str::to_owned);
        let kept = Capture::default().environment(&given);
        assert_eq!(
            kept,
            [
                "LD_PRELOAD=/tmp/x.so",
                "AWS_SECRET_ACCESS_KEY=(set)",
                "AWS_SESSION_TOKEN=(set)",
                "RCLONE_CONFIG_R_TYPE=s3",
                "RCLONE_CONFIG_R_SECRET=(set)",
                "https_proxy=http://(set)@proxy:3128/",
                "http_proxy=proxy:3128",
            ]
        );
    }

    #[test]
    fn secrets_are_known_by_their_whole_path() {
        let capture = Capture::default();
        for path in [
            "/etc/shadow",
            "/root/.ssh/id_ed25519",
            "/home/a/b/.ssh/id_rsa",
            "/run/secrets/kubernetes.io/serviceaccount/..2026_11_21/token",
            "/var/run/secrets/kubernetes.io/serviceaccount/token",
            "/proc/77/environ",
            "/root/.aws/credentials",
        ] {
            assert!(capture.is_secret(path), "{path}");
        }
        for path in ["/srv/token", "/etc/x/shadow", "/root/id_rsa", "/proc/self/task/7/environ", "/shadow"] {
            assert!(!capture.is_secret(path), "{path}");
            assert!(capture.may_be_secret(path.rsplit('/').next().unwrap()), "{path}");
        }
    }
}
