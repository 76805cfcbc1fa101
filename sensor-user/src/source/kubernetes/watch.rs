//! The pods of one node: a list, then a watch from where the list ended, for as long as somebody takes what it
//! tells (Kubernetes, "API Concepts", "Efficient detection of changes").
//!
//! A watch that ends or breaks goes on from the last version that was seen. Only a server that has forgotten it
//! (410 Gone) is asked for a list again.

use std::future::{Future, pending};
use std::hash::{BuildHasher as _, RandomState};
use std::pin::Pin;
use std::time::{Duration, Instant};

use rustc_hash::FxHashSet;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

use super::api::{Api, ApiError};
use super::document::{Change, List, PodDocument};
use super::owner::{self, Owners, Question};
use crate::state::container::Owner;
use crate::state::pod::PodUpdate;

/// A watch that ended sooner than this is followed by a pause: a server that always hangs up is not to be asked
/// in a loop.
const WATCH_MIN: Duration = Duration::from_secs(1);

/// Why a turn is over before its watch was.
enum Stop {
    /// Nobody takes updates any more.
    Unheard,
    Failed(ApiError),
}

impl From<ApiError> for Stop {
    fn from(error: ApiError) -> Self {
        Self::Failed(error)
    }
}

/// Nobody takes updates any more.
struct Unheard;

type Answer = (Question, Result<Option<Owner>, ApiError>);
type Asking = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// Tells what happens to the pods of `node` until nobody takes it.
pub(super) async fn run(api: &Api, node: &str, updates: &mpsc::Sender<PodUpdate>) {
    let mut watch = Watch {
        api,
        node,
        updates,
        owners: Owners::default(),
        asking: None,
        version: None,
        pause: api.patience.pause,
        told: None,
    };
    while let Ok(()) = watch.turn().await {}
}

/// Where the pods of a node are listed, from the server's memory.
pub(super) fn list_path(node: &str) -> String {
    format!("/api/v1/pods?fieldSelector=spec.nodeName%3D{node}&resourceVersion=0")
}

struct Watch<'a> {
    api: &'a Api,
    node: &'a str,
    updates: &'a mpsc::Sender<PodUpdate>,
    owners: Owners,
    /// The question about an owner that is open.
    asking: Option<Asking>,
    /// Where the watch goes on. None: a list comes first.
    version: Option<String>,
    /// After the next failure.
    pause: Duration,
    /// The failure that was told last, until it is over.
    told: Option<String>,
}

impl Watch<'_> {
    /// A list, if one is due, and a watch; after a failure a pause.
    async fn turn(&mut self) -> Result<(), Unheard> {
        let start = Instant::now();
        match self.follow().await {
            Ok(()) if start.elapsed() >= WATCH_MIN => return Ok(()),
            Ok(()) => {}
            Err(Stop::Unheard) => return Err(Unheard),
            Err(Stop::Failed(ApiError::Gone)) => {
                debug!("the watch of pods begins anew");
                // Two in a row are no accident.
                if self.version.take().is_some() {
                    return Ok(());
                }
            }
            Err(Stop::Failed(error)) => {
                self.send(PodUpdate::Listening(false)).await.map_err(|_| Unheard)?;
                self.tell(&error);
            }
        }
        tokio::time::sleep(self.pause + jitter(self.pause)).await;
        self.pause = (self.pause * 2).min(self.api.patience.pause_max);
        Ok(())
    }

    /// Until the watch ends, or fails.
    async fn follow(&mut self) -> Result<(), Stop> {
        let version = match self.version.clone() {
            Some(version) => version,
            None => self.list().await?,
        };
        let mut lines = self.api.open(&self.watch_path(&version)).await?;
        self.recovered();
        self.send(PodUpdate::Listening(true)).await?;
        loop {
            if self.asking.is_none()
                && let Some(question) = self.owners.next()
            {
                self.asking = Some(Box::pin(owner::ask(self.api.clone(), question)));
            }
            tokio::select! {
                line = lines.next() => match line? {
                    Some(line) => self.line(&line).await?,
                    None => return Ok(()),
                },
                answer = wait(&mut self.asking) => {
                    self.asking = None;
                    self.answered(answer).await?;
                }
            }
        }
    }

    /// All pods of the node. Gives the version from which to watch.
    async fn list(&mut self) -> Result<String, Stop> {
        // Version 0 is answered from the server's memory and by its index of nodes; without it the server
        // would read every pod of the cluster from its database to find ours.
        let path = list_path(self.node);
        let list: List = parse(&self.api.list(&path).await?)?;
        let version = list.metadata.resource_version.clone();
        let mut uids = FxHashSet::default();
        for pod in list.pods() {
            uids.insert(pod.uid().to_owned());
            self.known(pod).await?;
        }
        if uids.is_empty() {
            warn!(
                node = self.node,
                "the API knows no pod of this node; if `kubectl get nodes` shows another name for it, set \
                 kubernetes.node or NODE_NAME"
            );
        }
        debug!(pods = uids.len(), version, "listed");
        self.send(PodUpdate::Listed(uids)).await?;
        self.reached(&version);
        Ok(version)
    }

    fn watch_path(&self, version: &str) -> String {
        format!(
            "/api/v1/pods?watch=1&allowWatchBookmarks=true&fieldSelector=spec.nodeName%3D{}\
             &timeoutSeconds={}&resourceVersion={version}",
            self.node,
            self.api.patience.watch.as_secs().max(1)
        )
    }

    async fn line(&mut self, line: &[u8]) -> Result<(), Stop> {
        let (pod, is_gone) = match parse(line)? {
            Change::Error(status) => return Err(ApiError::of(&status).into()),
            Change::Bookmark(pod) => {
                self.reached(pod.resource_version());
                return Ok(());
            }
            Change::Added(pod) | Change::Modified(pod) => (pod, false),
            Change::Deleted(pod) => (pod, true),
        };
        let version = pod.resource_version().to_owned();
        if is_gone {
            self.send(PodUpdate::Gone { uid: pod.uid().to_owned() }).await?;
        } else {
            self.known(pod).await?;
        }
        self.reached(&version);
        Ok(())
    }

    fn reached(&mut self, version: &str) {
        // It goes into the next question: what is no number is none of the server's.
        if !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit()) {
            self.version = Some(version.to_owned());
        }
    }

    async fn known(&mut self, pod: PodDocument) -> Result<(), Stop> {
        // The selector is the server's promise; what it breaks is not taken in.
        if pod.node() != Some(self.node) {
            return Ok(());
        }
        let mut facts = pod.facts();
        self.owners.complete(&mut facts.pod);
        self.send(PodUpdate::Known(Box::new(facts))).await
    }

    async fn answered(&mut self, (question, answer): Answer) -> Result<(), Stop> {
        let Some(owner) = self.owners.answered(self.api, &question, answer) else { return Ok(()) };
        let maker = question.maker();
        self.send(PodUpdate::Owned { namespace: question.namespace, maker, owner }).await
    }

    async fn send(&self, update: PodUpdate) -> Result<(), Stop> {
        self.updates.send(update).await.map_err(|_| Stop::Unheard)
    }

    /// Says a failure once, however often it is tried again.
    fn tell(&mut self, error: &ApiError) {
        let said = error.to_string();
        if self.told.as_ref() != Some(&said) {
            warn!(
                %error,
                remedy = error.remedy(),
                "the pods of this node are not told by the Kubernetes API; it is asked again until they are"
            );
            self.told = Some(said);
        }
    }

    fn recovered(&mut self) {
        self.pause = self.api.patience.pause;
        if self.told.take().is_some() {
            info!("the Kubernetes API tells the pods of this node again");
        }
    }
}

/// The answer, once there is a question.
async fn wait(asking: &mut Option<Asking>) -> Answer {
    match asking {
        Some(asking) => asking.await,
        None => pending().await,
    }
}

fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(text).map_err(|error| ApiError::Malformed(error.to_string()))
}

/// Up to a quarter more, so that the agents of a cluster do not come back in one moment.
fn jitter(pause: Duration) -> Duration {
    let share = u32::try_from(RandomState::new().hash_one(()) % 256).unwrap_or(0);
    pause * share / 1024
}
