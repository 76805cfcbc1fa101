//! Joins containers and pods: what a runtime said first and the API later, or the other way round. Neither
//! takes away what the other knew.

use std::sync::Arc;

use super::table::ContainerTable;
use super::{Container, Pod, Runtime};
use crate::state::pod::{PodContainer, PodFacts, PodStats, PodUpdate};

/// How long a pod is awaited after the first sight of its container, nanoseconds. The API knows a pod before its
/// kubelet does; one that it does not tell in this time it does not know (a runtime driven by hand).
const POD_AWAITED: u64 = 10_000_000_000;

impl ContainerTable {
    /// Takes over what the Kubernetes API said at `now` (boot, nanoseconds).
    pub fn tell_pod(&mut self, update: PodUpdate, now: u64) {
        let is_about_all = matches!(update, PodUpdate::Listening(_));
        let news = self.pods.tell(update, now);
        if news.is_empty() && !is_about_all {
            return;
        }
        let Self { containers, pods, .. } = self;
        for entry in containers.values_mut() {
            let Some(uid) = entry.container.pod_uid.as_deref() else { continue };
            if is_about_all {
                // Whoever was waited for in vain is no longer; only newcomers are waited for.
                if entry.container.awaits_pod && !pods.awaits(uid) {
                    Arc::make_mut(&mut entry.container).awaits_pod = false;
                }
            } else if news.iter().any(|one| one == uid)
                && let Some(facts) = pods.get(uid)
            {
                Arc::make_mut(&mut entry.container).take_facts(facts);
            }
        }
    }

    /// Sizes and counts of the pods.
    #[must_use]
    pub fn pod_stats(&self) -> PodStats {
        self.pods.stats()
    }

    /// Forgets pods that are long over, and waits no longer for those of which nothing came.
    pub(super) fn sweep_pods(&mut self, now: u64) {
        self.pods.sweep(now);
        for entry in self.containers.values_mut() {
            if entry.container.awaits_pod && now.saturating_sub(entry.first_seen) >= POD_AWAITED {
                Arc::make_mut(&mut entry.container).awaits_pod = false;
            }
        }
    }

    /// Gives a container what is known of its pod by now. `is_news`: that it has one was not known before.
    pub(super) fn join(&mut self, id: &str, is_news: bool) {
        let Self { containers, pods, .. } = self;
        let Some(entry) = containers.get_mut(id) else { return };
        let Some(uid) = entry.container.pod_uid.clone() else { return };
        if let Some(facts) = pods.get(&uid) {
            Arc::make_mut(&mut entry.container).take_facts(facts);
        } else if is_news && pods.awaits(&uid) {
            Arc::make_mut(&mut entry.container).awaits_pod = true;
        }
    }
}

impl Container {
    /// Keeps of `before` what this word of a runtime does not say.
    pub(super) fn keeping(mut self, before: &Self) -> Self {
        self.pod_uid = self.pod_uid.or_else(|| before.pod_uid.clone());
        self.name = self.name.or_else(|| before.name.clone());
        self.image = self.image.or_else(|| before.image.clone());
        self.image_id = self.image_id.or_else(|| before.image_id.clone());
        self.image_digest = self.image_digest.or_else(|| before.image_digest.clone());
        if self.runtime == Runtime::Unknown {
            self.runtime = before.runtime;
        }
        self.verified |= before.verified;
        self.awaits_pod |= before.awaits_pod;
        add_probes(&mut self.probes, &before.probes);
        match (&mut self.pod, &before.pod) {
            (Some(pod), Some(before)) if pod.uid == before.uid || pod.uid.is_empty() => pod.fill(before),
            (Some(_), _) | (None, None) => {}
            (None, Some(before)) => self.pod = Some(before.clone()),
        }
        self
    }

    /// Takes over what the API says of its pod and, where that is told, of itself.
    fn take_facts(&mut self, facts: &PodFacts) {
        self.awaits_pod = false;
        let pod = self.pod.get_or_insert_with(Pod::default);
        let labels = facts.pod.labels.clone();
        let known =
            Pod { owner: facts.pod.owner.clone().or(pod.owner.take()), labels, ..std::mem::take(pod) };
        *pod = known;
        pod.fill(&facts.pod);
        let by_id = |one: &&PodContainer| one.id.as_deref() == Some(self.id.as_str());
        let by_name = |one: &&PodContainer| self.name.as_deref() == Some(one.name.as_str());
        if let Some(own) = facts.containers.iter().find(by_id) {
            self.name.get_or_insert_with(|| own.name.clone());
            self.image = self.image.take().or_else(|| own.image.clone());
            self.image_id = self.image_id.take().or_else(|| own.image_id.clone());
            self.image_digest = self.image_digest.take().or_else(|| own.image_digest.clone());
            if self.runtime == Runtime::Unknown {
                self.runtime = own.runtime;
            }
            // The kubelet tells ids that its runtime gave it.
            self.verified = true;
            add_probes(&mut self.probes, &own.probes);
        } else if let Some(own) = facts.containers.iter().find(by_name) {
            // Started a moment ago: its status does not tell the id yet.
            add_probes(&mut self.probes, &own.probes);
        }
    }
}

impl Pod {
    /// Takes of `other`, the same pod, what is not known here.
    fn fill(&mut self, other: &Self) {
        for (own, other) in [
            (&mut self.name, &other.name),
            (&mut self.namespace, &other.namespace),
            (&mut self.uid, &other.uid),
        ] {
            if own.is_empty() {
                own.clone_from(other);
            }
        }
        if self.labels.is_empty() {
            self.labels.clone_from(&other.labels);
        }
        self.owner = self.owner.take().or_else(|| other.owner.clone());
        self.node = self.node.take().or_else(|| other.node.clone());
        self.service_account = self.service_account.take().or_else(|| other.service_account.clone());
    }
}

fn add_probes(probes: &mut Vec<Vec<String>>, more: &[Vec<String>]) {
    for probe in more {
        if !probes.contains(probe) {
            probes.push(probe.clone());
        }
    }
}

#[cfg(test)]
mod tests;
