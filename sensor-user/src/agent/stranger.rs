//! Looks out for the containers behind cgroups of unknown form, in a thread of its own.
//!
//! runc and crun write who a container is after its cgroup and take it away with its end: between the two may
//! lie 20 ms, and the loop's own turns take up to that long. So a new cgroup is looked for every few
//! milliseconds for a while, instead of once a turn.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tracing::{debug, warn};

use super::lookup::Answer;
use crate::host::container::ContainerSource;
use crate::state::container::Container;

/// Between two looks: a fraction of the shortest container's life. A look costs some ten failed opens, and there are looks
/// only while a cgroup is new.
const PAUSE: Duration = Duration::from_millis(1);
/// How long a cgroup is looked for. runc writes its state 20 to 50 ms after it; what comes later is asked for
/// again by the schedule of the stranger table, or when a program starts.
const LOOKED_FOR: Duration = Duration::from_millis(80);
/// Questions that may wait for the thread, which takes all of them at each look. Beyond it they are left to
/// the schedule.
const WAITING_MAX: usize = 64;

/// Cgroup ids with paths.
type Cgroups = Vec<(u64, String)>;

/// The way to the thread, which ends when this is dropped.
pub(super) struct Lookout {
    questions: Option<SyncSender<Cgroups>>,
}

/// One that is looked for.
struct Wanted {
    cgroup_id: u64,
    path: String,
    until: Instant,
}

impl Lookout {
    /// Starts the thread; what it finds goes to `answers`.
    pub(super) fn start(files: Arc<ContainerSource>, answers: mpsc::Sender<Answer>) -> Self {
        let (questions, waiting) = sync_channel(WAITING_MAX);
        let thread = thread::Builder::new().name("lookout".to_owned());
        let started = thread.spawn(move || look_out(&files, &waiting, &answers));
        if let Err(error) = &started {
            warn!(%error, "containers of runc and crun alone will not be known: no thread for them");
        }
        Self { questions: started.is_ok().then_some(questions) }
    }

    /// Looks for the containers of these from now on.
    pub(super) fn look_for(&self, cgroups: Cgroups) {
        if let Some(questions) = &self.questions
            && questions.try_send(cgroups).is_err()
        {
            debug!("the lookout is behind; it is asked again");
        }
    }
}

/// The thread: until nobody can ask any more, or nobody wants to know.
fn look_out(files: &ContainerSource, waiting: &Receiver<Cgroups>, answers: &mpsc::Sender<Answer>) {
    let mut wanted: Vec<Wanted> = Vec::new();
    loop {
        if wanted.is_empty() {
            let Ok(cgroups) = waiting.recv() else { return };
            want(&mut wanted, cgroups);
        }
        waiting.try_iter().for_each(|cgroups| want(&mut wanted, cgroups));
        let now = Instant::now();
        let mut found = Vec::new();
        wanted.retain(|one| match look_up(files, &one.path) {
            Some(container) => {
                debug!(path = one.path, id = container.id, "a cgroup is a container's");
                found.push((one.cgroup_id, container));
                false
            }
            None => now < one.until,
        });
        if !found.is_empty() && answers.blocking_send(Answer::Strangers(found)).is_err() {
            return;
        }
        if !wanted.is_empty() {
            thread::sleep(PAUSE);
        }
    }
}

/// Who is asked for again is looked for that much longer.
fn want(wanted: &mut Vec<Wanted>, cgroups: Cgroups) {
    let until = Instant::now() + LOOKED_FOR;
    for (cgroup_id, path) in cgroups {
        match wanted.iter_mut().find(|one| one.cgroup_id == cgroup_id) {
            Some(one) => one.until = until,
            None => wanted.push(Wanted { cgroup_id, path, until }),
        }
    }
}

fn look_up(files: &ContainerSource, path: &str) -> Option<Container> {
    files.lookup_cgroup(path).unwrap_or_else(|error| {
        debug!(path, %error, "whether a cgroup is a container's is not known");
        None
    })
}
