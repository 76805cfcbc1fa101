//! Pods of this node as the Kubernetes API tells them: by uid, bounded, known for a while after their end.
//!
//! Pure: who asks the API is `source::kubernetes`, who joins pods and containers is `state::container`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::container::{CONTAINER_KEPT, Owner, Pod, Runtime};

/// Most pods, ended ones included. The kubelet runs 110 unless told otherwise and some 500 where it was;
/// the rest is ten minutes of churn. Beyond it the pod that ended first is evicted, else the one told first.
pub const PODS_MAX: usize = 2_048;
/// How long a pod is known after its end, nanoseconds: as long as its containers.
pub const POD_KEPT: u64 = CONTAINER_KEPT;
/// Most labels of one pod; charts set some ten. Those beyond it, in the order of their names, are left out
/// and counted.
pub const LABELS_MAX: usize = 64;
/// Longest label, name and value together, bytes: what the API itself admits (a prefix of 253, a slash, a name
/// of 63, a value of 63).
pub const LABEL_BYTES_MAX: usize = 253 + 1 + 63 + 63;
/// Most containers of one pod whose facts are kept; what goes beyond is counted.
pub const POD_CONTAINERS_MAX: usize = 64;
/// Most arguments of a probe, and bytes of all of them. A longer probe is not known as one, and counted.
pub const PROBE_ARGUMENTS_MAX: usize = 32;
/// See [`PROBE_ARGUMENTS_MAX`]: four times what a script in a manifest usually has.
pub const PROBE_BYTES_MAX: usize = 4_096;

/// A pod with its containers, as the API tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodFacts {
    pub pod: Pod,
    pub containers: Vec<PodContainer>,
}

/// A container in the words of its pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodContainer {
    pub name: String,
    pub image: Option<String>,
    /// Id by the runtime, once the kubelet has told it.
    pub id: Option<String>,
    pub runtime: Runtime,
    pub image_id: Option<String>,
    pub image_digest: Option<String>,
    /// Argument vectors with which the kubelet asks for its health.
    pub probes: Vec<Vec<String>>,
}

/// What the API says, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodUpdate {
    /// True: pods are being told, so that one which is not known will be. False: the API is silent.
    Listening(bool),
    /// A pod that is there, new or changed.
    Known(Box<PodFacts>),
    /// A pod is gone.
    Gone { uid: String },
    /// The uids of all pods there are: any other is gone.
    Listed(FxHashSet<String>),
    /// Who made the maker of pods: all of `namespace` that `maker` owns are `owner`'s.
    Owned { namespace: String, maker: Owner, owner: Owner },
}

/// Sizes now and counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodStats {
    pub known: usize,
    /// Dropped because the table was full.
    pub evicted: u64,
    /// Dropped [`POD_KEPT`] after their end.
    pub expired: u64,
    /// Labels, containers and probes left out because a pod had too many or too long ones.
    pub left_out: u64,
}

#[derive(Debug)]
struct Entry {
    facts: Arc<PodFacts>,
    /// Boot, nanoseconds.
    ended: Option<u64>,
}

/// All pods the agent remembers.
#[derive(Debug, Default)]
pub struct PodTable {
    pods: FxHashMap<String, Entry>,
    /// Order of first word and of ends; what is gone, or there again, is skipped.
    arrivals: VecDeque<String>,
    ended: VecDeque<String>,
    is_told: bool,
    stats: PodStats,
}

impl PodTable {
    /// Takes over what the API said at `now` (boot, nanoseconds). Gives the uids of the pods of which something
    /// new is known.
    pub fn tell(&mut self, update: PodUpdate, now: u64) -> Vec<String> {
        match update {
            PodUpdate::Listening(is_told) => {
                self.is_told = is_told;
                Vec::new()
            }
            PodUpdate::Known(facts) => self.known(*facts),
            PodUpdate::Gone { uid } => {
                self.end(&uid, now);
                Vec::new()
            }
            PodUpdate::Listed(uids) => {
                let gone: Vec<String> =
                    self.pods.keys().filter(|uid| !uids.contains(*uid)).cloned().collect();
                gone.iter().for_each(|uid| self.end(uid, now));
                Vec::new()
            }
            PodUpdate::Owned { namespace, maker, owner } => self.own(&namespace, &maker, &owner),
        }
    }

    #[must_use]
    pub fn get(&self, uid: &str) -> Option<&Arc<PodFacts>> {
        self.pods.get(uid).map(|entry| &entry.facts)
    }

    /// Whether the API will tell of this pod, and has not yet.
    #[must_use]
    pub fn awaits(&self, uid: &str) -> bool {
        self.is_told && !self.pods.contains_key(uid)
    }

    /// Forgets what ended longer than [`POD_KEPT`] before `now` (boot, nanoseconds).
    pub fn sweep(&mut self, now: u64) -> PodStats {
        while let Some(uid) = self.ended.front() {
            match self.pods.get(uid).and_then(|entry| entry.ended) {
                Some(time) if now.saturating_sub(time) < POD_KEPT => break,
                Some(_) => {
                    self.pods.remove(uid);
                    self.stats.expired += 1;
                }
                None => {}
            }
            self.ended.pop_front();
        }
        self.arrivals.retain(|uid| self.pods.contains_key(uid));
        self.stats()
    }

    #[must_use]
    pub fn stats(&self) -> PodStats {
        PodStats { known: self.pods.len(), ..self.stats }
    }

    fn known(&mut self, mut facts: PodFacts) -> Vec<String> {
        self.stats.left_out += bound(&mut facts);
        let uid = facts.pod.uid.clone();
        match self.pods.get_mut(&uid) {
            Some(entry) if *entry.facts == facts => {
                entry.ended = None;
                Vec::new()
            }
            Some(entry) => {
                *entry = Entry { facts: Arc::new(facts), ended: None };
                vec![uid]
            }
            None => {
                if self.pods.len() >= PODS_MAX {
                    self.evict();
                }
                self.pods.insert(uid.clone(), Entry { facts: Arc::new(facts), ended: None });
                self.arrivals.push_back(uid.clone());
                vec![uid]
            }
        }
    }

    fn end(&mut self, uid: &str, now: u64) {
        if let Some(entry) = self.pods.get_mut(uid)
            && entry.ended.is_none()
        {
            entry.ended = Some(now);
            self.ended.push_back(uid.to_owned());
        }
    }

    fn own(&mut self, namespace: &str, maker: &Owner, owner: &Owner) -> Vec<String> {
        let mut changed = Vec::new();
        for (uid, entry) in &mut self.pods {
            let pod = &entry.facts.pod;
            if pod.namespace == namespace && pod.owner.as_ref() == Some(maker) {
                Arc::make_mut(&mut entry.facts).pod.owner = Some(owner.clone());
                changed.push(uid.clone());
            }
        }
        changed
    }

    fn evict(&mut self) {
        while let Some(uid) = self.ended.pop_front().or_else(|| self.arrivals.pop_front()) {
            // One that came back is in `ended` still.
            if self.pods.remove(&uid).is_some() {
                self.stats.evicted += 1;
                return;
            }
        }
    }
}

/// Keeps a pod within the bounds; returns how much was left out.
fn bound(facts: &mut PodFacts) -> u64 {
    let mut left_out = 0;
    let labels = std::mem::take(&mut facts.pod.labels);
    let mut kept = BTreeMap::new();
    for (name, value) in labels {
        if kept.len() < LABELS_MAX && name.len() + value.len() <= LABEL_BYTES_MAX {
            kept.insert(name, value);
        } else {
            left_out += 1;
        }
    }
    facts.pod.labels = kept;
    left_out += facts.containers.len().saturating_sub(POD_CONTAINERS_MAX) as u64;
    facts.containers.truncate(POD_CONTAINERS_MAX);
    for container in &mut facts.containers {
        container.probes.retain(|probe| {
            let is_short = probe.len() <= PROBE_ARGUMENTS_MAX
                && probe.iter().map(String::len).sum::<usize>() <= PROBE_BYTES_MAX;
            left_out += u64::from(!is_short);
            is_short
        });
    }
    left_out
}

#[cfg(test)]
mod tests;
