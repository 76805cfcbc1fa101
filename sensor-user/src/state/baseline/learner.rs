//! Learning: what containers do becomes what is normal for their images.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{Baseline, Image, Normal, destination_of, image_of};
use crate::event::Event;
use crate::state::container::Container;
use crate::state::process::Executable;

/// Most containers whose image is not known yet: names come within milliseconds. What goes beyond is not learned, and counted.
const WAITING_MAX: usize = 1024;
/// Most containers counted by their id; beyond it the count of an image's containers stands still.
const CONTAINERS_MAX: usize = 65_536;

/// Images, programs and destinations so far, and containers whose image is not known.
pub(super) type Progress = (usize, usize, usize, usize);

/// What has been learned so far.
#[derive(Debug, Default)]
pub struct Learner {
    baseline: Baseline,
    /// By container: what waits for the name of its image.
    waiting: FxHashMap<String, Normal>,
    counted: BTreeSet<String>,
    /// What was told last of how far it is.
    pub(crate) told: Progress,
    /// Containers without an image, or that had no room to wait.
    unnamed: BTreeSet<String>,
}

impl Learner {
    #[must_use]
    pub fn new() -> Self {
        Self { baseline: Baseline::new(), ..Self::default() }
    }

    /// Takes an event for normal.
    pub fn observe(&mut self, event: &Event) {
        let Some(container) = event.container.as_deref() else { return };
        let destination = destination_of(event);
        let sent = event.sent_in_hour.unwrap_or_default();
        self.note(container, |normal| {
            names(&event.process.executable).for_each(|path| normal.note_executable(path));
            if let Some(destination) = destination {
                normal.note_sent(destination, sent);
            }
        });
    }

    /// Takes a program for normal that runs in a container.
    pub fn running(&mut self, container: &Container, executable: &Executable) {
        self.note(container, |normal| names(executable).for_each(|path| normal.note_executable(path)));
    }

    fn note(&mut self, container: &Container, note: impl FnOnce(&mut Normal)) {
        let id = container.id.as_str();
        match image_of(container) {
            Image::Known(image) => {
                let waited = self.waiting.remove(id);
                let is_first = self.counted.len() < CONTAINERS_MAX && self.counted.insert(id.to_owned());
                let Some(normal) = self.baseline.entry(image) else { return };
                normal.containers += u64::from(is_first);
                waited.into_iter().for_each(|waited| normal.merge(waited));
                note(normal);
            }
            Image::Pending if self.waiting.contains_key(id) || self.waiting.len() < WAITING_MAX => {
                note(self.waiting.entry(id.to_owned()).or_default());
            }
            Image::Pending | Image::None => {
                self.waiting.remove(id);
                if self.unnamed.len() < CONTAINERS_MAX {
                    self.unnamed.insert(id.to_owned());
                }
            }
        }
    }

    /// Asks for the containers that wait whether they have a name by now.
    pub fn settle(&mut self, get: impl Fn(&str) -> Option<Arc<Container>>) {
        let ids: Vec<String> = self.waiting.keys().cloned().collect();
        for container in ids.iter().filter_map(|id| get(id)) {
            if image_of(&container) != Image::Pending {
                self.note(&container, |_| {});
            }
        }
    }

    /// Images, programs and destinations so far, and containers whose image is not known.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let images = self.baseline.images.values();
        let (executables, destinations) = images.fold((0, 0), |(executables, destinations), normal| {
            (executables + normal.executables.len(), destinations + normal.destinations.len())
        });
        (self.baseline.images.len(), executables, destinations, self.unnamed.len() + self.waiting.len())
    }

    /// All of it. `seconds`: for how long was learned.
    #[must_use]
    pub fn finish(mut self, seconds: u64) -> Baseline {
        self.baseline.learned_seconds = seconds;
        self.baseline
    }
}

/// The resolved path and the name that says most; most of the time the same.
fn names(executable: &Executable) -> impl Iterator<Item = &str> {
    let telling = executable.telling();
    let path = Some(executable.path.as_str()).filter(|path| *path != telling);
    std::iter::once(telling).chain(path).filter(|path| !path.is_empty())
}

impl Normal {
    /// Whether a program is none of these; none: the list is a part only.
    #[must_use]
    pub fn is_new_executable(&self, executable: &Executable) -> Option<bool> {
        let is_new = names(executable).any(|path| !self.executables.contains(path));
        (!is_new || self.executables_omitted == 0).then_some(is_new)
    }

    /// The same of a destination.
    #[must_use]
    pub fn is_new_destination(&self, destination: &str) -> Option<bool> {
        let is_new = !self.destinations.contains_key(destination);
        (!is_new || self.destinations_omitted == 0).then_some(is_new)
    }
}
