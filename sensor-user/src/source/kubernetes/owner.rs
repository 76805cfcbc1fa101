//! Who made the makers: the Deployment behind a ReplicaSet, the CronJob behind a Job. Asked one at a time, and
//! not at all for a while where that is not allowed.

use std::collections::VecDeque;
use std::time::Instant;

use rustc_hash::FxHashMap;
use tracing::info;

use super::access::is_name;
use super::api::{Api, ApiError};
use super::document::Maker;
use crate::state::container::{Owner, Pod};

/// Most makers whose owner is remembered: more than a node has pods. Beyond it all are forgotten and asked anew.
const REMEMBERED_MAX: usize = 2_048;
/// Most questions that wait: what goes beyond is asked when its pod changes.
const QUESTIONS_MAX: usize = 2_048;

/// A ReplicaSet or a Job, by namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Question {
    pub(super) namespace: String,
    kind: Kind,
    name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    ReplicaSet,
    Job,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::ReplicaSet => "ReplicaSet",
            Self::Job => "Job",
        }
    }

    const fn collection(self) -> (&'static str, &'static str) {
        match self {
            Self::ReplicaSet => ("apps/v1", "replicasets"),
            Self::Job => ("batch/v1", "jobs"),
        }
    }
}

impl Question {
    /// The question that the maker of a pod gives rise to.
    fn of(pod: &Pod) -> Option<Self> {
        let maker = pod.owner.as_ref()?;
        let kind = [Kind::ReplicaSet, Kind::Job].into_iter().find(|kind| kind.name() == maker.kind)?;
        let is_askable = is_name(&pod.namespace) && is_name(&maker.name);
        is_askable.then(|| Self { namespace: pod.namespace.clone(), kind, name: maker.name.clone() })
    }

    /// Who is asked about.
    pub(super) fn maker(&self) -> Owner {
        Owner { kind: self.kind.name().to_owned(), name: self.name.clone() }
    }

    async fn ask(&self, api: &Api) -> Result<Option<Owner>, ApiError> {
        let (group, collection) = self.kind.collection();
        let Self { namespace, name, .. } = self;
        let text = api.metadata(&format!("/apis/{group}/namespaces/{namespace}/{collection}/{name}")).await?;
        let maker: Maker =
            serde_json::from_slice(&text).map_err(|error| ApiError::Malformed(error.to_string()))?;
        Ok(maker.owner())
    }
}

/// What is known of makers, and what is to be asked.
#[derive(Default)]
pub(super) struct Owners {
    /// None: made by nobody else, as far as could be seen.
    known: FxHashMap<Question, Option<Owner>>,
    questions: VecDeque<Question>,
    /// No kind of maker is asked about before.
    refused_until: FxHashMap<Kind, Instant>,
}

impl Owners {
    /// Puts the owner in the place of the maker where it is known; else it will be asked for.
    pub(super) fn complete(&mut self, pod: &mut Pod) {
        let Some(question) = Question::of(pod) else { return };
        match self.known.get(&question) {
            Some(Some(owner)) => pod.owner = Some(owner.clone()),
            Some(None) => {}
            None if self.questions.len() < QUESTIONS_MAX && !self.questions.contains(&question) => {
                self.questions.push_back(question);
            }
            None => {}
        }
    }

    /// The next question. It must be [`Owners::answered`].
    pub(super) fn next(&mut self) -> Option<Question> {
        let now = Instant::now();
        self.refused_until.retain(|_, until| *until > now);
        while let Some(question) = self.questions.pop_front() {
            if !self.refused_until.contains_key(&question.kind) {
                return Some(question);
            }
        }
        None
    }

    /// Remembers an answer; gives the owner, where there is one.
    pub(super) fn answered(
        &mut self,
        api: &Api,
        question: &Question,
        answer: Result<Option<Owner>, ApiError>,
    ) -> Option<Owner> {
        let owner = match answer {
            Ok(owner) => owner,
            // Deleted since, and so it stays.
            Err(ApiError::NotFound(_)) => None,
            Err(error) => {
                info!(
                    %error,
                    "owners behind a {} are not known for a while: its name is shown instead; \
                     deploy/kubernetes/component/api/rbac.yaml allows to read it",
                    question.kind.name()
                );
                let pause = match error {
                    ApiError::Forbidden(_) => api.patience.refused,
                    ApiError::Unauthorized(_)
                    | ApiError::NotFound(_)
                    | ApiError::Gone
                    | ApiError::Status { .. }
                    | ApiError::Unreachable(_)
                    | ApiError::Silent(_)
                    | ApiError::TooLong(_)
                    | ApiError::Malformed(_)
                    | ApiError::Tls(_) => api.patience.pause_max,
                };
                self.refused_until.insert(question.kind, Instant::now() + pause);
                return None;
            }
        };
        if self.known.len() >= REMEMBERED_MAX {
            self.known.clear();
        }
        self.known.insert(question.clone(), owner.clone());
        owner
    }
}

/// Asks, and gives the question back with its answer.
pub(super) async fn ask(api: Api, question: Question) -> (Question, Result<Option<Owner>, ApiError>) {
    let answer = question.ask(&api).await;
    (question, answer)
}
