//! Asks the runtimes who a container is, beside the loop: nothing that happens waits for an answer. Their
//! files first; their sockets, where the configuration names some, when no file told a name.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tracing::warn;

use super::stranger::Lookout;
use crate::host::container::{ContainerRoots, ContainerSource};
use crate::host::runtime::Socket;
use crate::pipeline::Pipeline;
use crate::state::container::{CgroupIdentity, Container};

/// Questions to the runtimes' files that may be open at once; further ones are asked at their next
/// turn in the container table's schedule.
const LOOKUPS_MAX: usize = 64;

/// Questions and answers.
pub(super) struct Lookups {
    files: Arc<ContainerSource>,
    sockets: Arc<[Arc<Socket>]>,
    asked: mpsc::Sender<Answer>,
    answers: mpsc::Receiver<Answer>,
    /// Questions about ids that are open.
    open: usize,
    /// For cgroups of unknown form.
    lookout: Lookout,
}

/// What the runtimes said.
pub(super) enum Answer {
    /// Their files, of a container.
    Container(Option<Box<Container>>),
    /// A socket, of a container.
    Socket(Box<Container>),
    /// Their files, of cgroups that no path tells the container of.
    Strangers(Vec<(u64, Container)>),
}

impl Lookups {
    pub(super) fn new(roots: &ContainerRoots) -> Self {
        let (asked, answers) = mpsc::channel(LOOKUPS_MAX);
        let files = Arc::new(ContainerSource::new(roots.clone()));
        let sockets = roots.sockets.iter().cloned().map(Socket::new).collect();
        let lookout = Lookout::start(Arc::clone(&files), asked.clone());
        Self { files, sockets, asked, answers, open: 0, lookout }
    }

    /// Asks whom the pipeline wants to know.
    pub(super) fn ask(&mut self, pipeline: &mut Pipeline, now: u64) {
        for identity in pipeline.unnamed(now, LOOKUPS_MAX.saturating_sub(self.open)) {
            self.open += 1;
            let (files, answers) = (Arc::clone(&self.files), self.asked.clone());
            let sockets = Arc::clone(&self.sockets);
            let later = Handle::current();
            tokio::task::spawn_blocking(move || {
                let container = look_up(&files, &identity);
                let is_named = container.as_ref().is_some_and(Container::is_named);
                // The agent may have ended meanwhile; then nobody needs the answer.
                let _ = answers.blocking_send(Answer::Container(container.map(Box::new)));
                if !is_named {
                    ask_sockets(&sockets, &identity, &answers, &later);
                }
            });
        }
        self.look_out(pipeline, now);
    }

    /// Has the containers behind cgroups of unknown form looked out for.
    pub(super) fn look_out(&self, pipeline: &mut Pipeline, now: u64) {
        let cgroups = pipeline.strangers(now);
        if !cgroups.is_empty() {
            self.lookout.look_for(cgroups);
        }
    }

    /// The next answer. Never ends: an answer is always still possible.
    pub(super) async fn answer(&mut self) -> Answer {
        let Some(answer) = self.answers.recv().await else { return std::future::pending().await };
        self.note(&answer);
        answer
    }

    /// Tells the pipeline, and what else has been answered meanwhile: a turn for each would take long when
    /// many containers start.
    pub(super) fn take(&mut self, answer: Answer, pipeline: &mut Pipeline) {
        Self::tell(answer, pipeline);
        while let Ok(answer) = self.answers.try_recv() {
            self.note(&answer);
            Self::tell(answer, pipeline);
        }
    }

    fn note(&mut self, answer: &Answer) {
        match answer {
            Answer::Container(_) => self.open = self.open.saturating_sub(1),
            Answer::Socket(_) | Answer::Strangers(_) => {}
        }
    }

    fn tell(answer: Answer, pipeline: &mut Pipeline) {
        match answer {
            Answer::Container(None) => {}
            Answer::Container(Some(container)) => {
                pipeline.containers.complete(&container.id.clone(), *container);
            }
            Answer::Socket(container) => {
                // The files may have told meanwhile, and they tell more.
                let known = pipeline.containers.get(&container.id);
                if !known.is_some_and(|known| known.is_verified() && known.is_named()) {
                    pipeline.containers.complete(&container.id.clone(), *container);
                }
            }
            Answer::Strangers(found) => {
                found.into_iter().for_each(|(cgroup_id, container)| pipeline.adopt(cgroup_id, container));
            }
        }
    }
}

/// Asks each socket that may know, in tasks of their own: one that hangs holds up neither the others nor the
/// questions to files.
fn ask_sockets(
    sockets: &[Arc<Socket>],
    identity: &CgroupIdentity,
    answers: &mpsc::Sender<Answer>,
    later: &Handle,
) {
    for socket in sockets.iter().filter(|socket| socket.may_know(identity)) {
        let (socket, identity, answers) = (Arc::clone(socket), identity.clone(), answers.clone());
        later.spawn(async move {
            if let Some(container) = socket.ask(&identity).await {
                let _ = answers.send(Answer::Socket(Box::new(container))).await;
            }
        });
    }
}

fn look_up(files: &ContainerSource, identity: &CgroupIdentity) -> Option<Container> {
    files.lookup(identity).unwrap_or_else(|error| {
        warn!(container = identity.id, %error, "a container stays without its name");
        None
    })
}
