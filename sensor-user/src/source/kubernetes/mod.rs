//! The Kubernetes API as a source of what no file of a node tells: labels, owners, service accounts of pods.
//!
//! Optional: names of pods come from the runtimes' files without it. It lists and watches the pods of its own
//! node alone (field selector `spec.nodeName`), on a thread of its own. It never lists a cluster, writes nothing,
//! and runs no program for its credentials.

mod access;
mod api;
mod document;
mod owner;
mod watch;

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::mpsc;
use tracing::{info, warn};

pub use access::AccessError;
pub use api::{ApiError, Patience};

use crate::check::runtime::ApiAnswer;
use crate::state::pod::PodUpdate;
use access::Access;
use api::Api;

/// Most updates that wait for the agent. Beyond it the watch waits, and the server with it: nothing is lost.
const UPDATES_MAX: usize = 256;
/// Port of `https` where none is named.
const HTTPS: u16 = 443;

/// How long a single question of `tidewaiter check` waits for its answer: whoever waits sits at a terminal.
const PROBE: Duration = Duration::from_secs(5);

/// Whether and how the Kubernetes API is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Kubernetes {
    pub mode: Mode,
    /// Instead of the service account of the agent's own pod.
    pub kubeconfig: Option<PathBuf>,
    /// Name of this node; without it `NODE_NAME` of the environment, else the host's name.
    pub node: Option<String>,
}

/// When the API is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Off,
    /// Where the agent's pod has a service account, or a kubeconfig is given.
    #[default]
    Auto,
    /// Always: the agent does not start without access.
    On,
}

/// Asks once whether the API tells the pods of this node, as the watch would begin.
pub async fn probe(settings: &Kubernetes) -> ApiAnswer {
    match settings.mode {
        Mode::Off => return ApiAnswer::Off,
        Mode::Auto if settings.kubeconfig.is_none() && !access::is_in_cluster() => return ApiAnswer::Off,
        Mode::Auto | Mode::On => {}
    }
    let found = access::node(settings.node.as_deref())
        .and_then(|node| access::find(settings.kubeconfig.as_deref()).map(|access| (node, access)));
    let (node, Access { config, server }) = match found {
        Ok(found) => found,
        Err(error) => {
            return ApiAnswer::NoAccess { reason: error.to_string(), remedy: error.remedy() };
        }
    };
    let patience = Patience { answer: PROBE, ..Patience::default() };
    let answer = match Api::new(config, patience) {
        Ok(api) => api.list(&watch::list_path(&node)).await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(_) => ApiAnswer::Told { server, node },
        Err(error) => ApiAnswer::Silent { server, reason: error.to_string(), remedy: error.remedy() },
    }
}

/// A way to the API, not yet taken.
pub struct Prepared {
    access: Access,
    node: String,
    patience: Patience,
}

/// Looks for a way to the API. None: nobody is to be asked.
///
/// # Errors
/// With [`Mode::On`], when there is no way to ask that is safe to use. With [`Mode::Auto`] that is told and
/// left at it. A server that cannot be reached, or refuses, is never an error: it is told and tried again.
pub fn prepare(settings: &Kubernetes) -> Result<Option<Prepared>, AccessError> {
    prepare_with(settings, Patience::default())
}

fn prepare_with(settings: &Kubernetes, patience: Patience) -> Result<Option<Prepared>, AccessError> {
    let find = || {
        let node = access::node(settings.node.as_deref())?;
        Ok(Prepared { access: access::find(settings.kubeconfig.as_deref())?, node, patience })
    };
    let outcome = match settings.mode {
        Mode::Off => return Ok(None),
        Mode::Auto if settings.kubeconfig.is_none() && !access::is_in_cluster() => return Ok(None),
        Mode::Auto | Mode::On => find(),
    };
    match outcome {
        Ok(prepared) => Ok(Some(prepared)),
        Err(error) if settings.mode == Mode::Auto => {
            left(&error);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn left(error: &AccessError) {
    warn!(%error, remedy = error.remedy(), "the Kubernetes API is not asked: pods go without labels");
}

/// Begins to watch the pods of this node.
///
/// # Errors
/// As [`prepare`].
pub fn start_with(
    settings: &Kubernetes,
    patience: Patience,
) -> Result<Option<mpsc::Receiver<PodUpdate>>, AccessError> {
    prepare_with(settings, patience)?.map(Prepared::start).transpose()
}

impl Prepared {
    /// The server's port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.access.config.cluster_url.port_u16().unwrap_or(HTTPS)
    }

    /// Files that are read again: tokens are renewed.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        self.access.config.auth_info.token_file.iter().map(PathBuf::from).collect()
    }

    /// Begins to watch, on a thread of its own.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub fn start(self) -> Result<mpsc::Receiver<PodUpdate>, AccessError> {
        let Self { access: Access { config, server }, node, patience } = self;
        follow(config, &server, node, patience)
    }
}

fn follow(
    config: kube::Config,
    server: &str,
    node: String,
    patience: Patience,
) -> Result<mpsc::Receiver<PodUpdate>, AccessError> {
    let (updates, told) = mpsc::channel(UPDATES_MAX);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(AccessError::Thread)?;
    info!(server, node, "asking the Kubernetes API for the pods of this node");
    let body = move || {
        runtime.block_on(async {
            let api = match Api::new(config, patience) {
                Ok(api) => api,
                Err(error) => {
                    warn!(%error, remedy = error.remedy(), "the Kubernetes API cannot be asked");
                    return;
                }
            };
            tokio::select! {
                // Nobody takes updates any more: the agent has ended.
                () = updates.closed() => {}
                () = watch::run(&api, &node, &updates) => {}
            }
        });
    };
    thread::Builder::new().name("kubernetes".to_owned()).spawn(body).map_err(AccessError::Thread)?;
    Ok(told)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[tokio::test]
    async fn a_probe_says_why_nobody_tells_of_pods() {
        let settings = |mode, kubeconfig| Kubernetes { mode, kubeconfig, node: Some("node-1".to_owned()) };
        assert_eq!(probe(&settings(Mode::Off, None)).await, ApiAnswer::Off);
        let missing = Some(PathBuf::from("/nonexistent/kubeconfig"));
        let ApiAnswer::NoAccess { reason, .. } = probe(&settings(Mode::Auto, missing)).await else {
            panic!("there is no kubeconfig");
        };
        assert!(reason.contains("/nonexistent/kubeconfig"), "{reason}");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let server = format!("https://{}", listener.local_addr().unwrap());
        drop(listener);
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(
            file,
            "{{apiVersion: v1, kind: Config, current-context: c, contexts: [{{name: c, context: {{cluster: k, user: u}}}}], \
             clusters: [{{name: k, cluster: {{server: '{server}'}}}}], users: [{{name: u, user: {{token: tops3cret}}}}]}}"
        )
        .unwrap();
        let answer = probe(&settings(Mode::On, Some(file.path().to_owned()))).await;
        let ApiAnswer::Silent { server: told, reason, remedy } = answer else { panic!("{answer:?}") };
        assert_eq!(told, server);
        assert!(reason.contains("cannot be reached") && !reason.contains("tops3cret"), "{reason}");
        assert!(remedy.contains("reach the API server"), "{remedy}");
    }
}
