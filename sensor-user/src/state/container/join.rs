//! Joins containers and pods: what a runtime said first and the API later, or the other way round. Neither
//! takes away what the other knew.

use std::sync::Arc;

use super::table::ContainerTable;
use super::{Confirmation, Container, Pod, Runtime};
use crate::state::pod::{PodContainer, PodFacts, PodStats, PodTable, PodUpdate};

/// How long a pod is awaited after the first sight of its container, nanoseconds. The API knows a pod before its
/// kubelet does; one that it does not tell in this time it does not know (a runtime driven by hand).
const POD_AWAITED: u64 = 10_000_000_000;

impl ContainerTable {
    /// Takes over what the Kubernetes API said at `now` (boot, nanoseconds).
    pub fn tell_pod(&mut self, update: PodUpdate, now: u64) {
        let is_about_all = matches!(update, PodUpdate::Listening(_));
        let news = self.pods.tell(update, now);
        let is_concerned = |container: &Container| {
            // When the API falls silent, whoever was waited for is no longer.
            let Some(uid) = container.pod_uid.as_ref() else { return false };
            news.contains(uid) || is_about_all && container.awaits_pod && !self.pods.awaits(uid)
        };
        for id in self.ids(is_concerned) {
            self.change(&id, |container, pods| {
                container.awaits_pod = false;
                container.join(pods, false);
            });
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
        let late = self.containers.values().filter(|entry| {
            entry.container.awaits_pod && now.saturating_sub(entry.first_seen) >= POD_AWAITED
        });
        let late: Vec<Arc<str>> = late.map(|entry| entry.container.id.as_str().into()).collect();
        for id in late {
            self.change(&id, |container, _| container.awaits_pod = false);
        }
    }

    /// Changes what is known of a container and how it is shown; notes when it is named, or all is known of it.
    pub(super) fn change(&mut self, id: &str, change: impl FnOnce(&mut Container, &PodTable)) {
        let Self { containers, pods, settled, .. } = self;
        let Some(entry) = containers.get_mut(id) else { return };
        let state = |it: &Container| (it.is_asked(), it.is_answered(), it.is_open());
        let (was_asked, had_name, was_open) = state(&entry.container);
        change(Arc::make_mut(&mut entry.container), pods);
        let (is_asked, has_name, is_open) = state(&entry.container);
        if was_asked && !is_asked || !had_name && has_name || was_open && !is_open {
            settled.push(Arc::clone(&entry.id));
        }
        self.show(id);
    }

    fn ids(&self, is_wanted: impl Fn(&Container) -> bool) -> Vec<Arc<str>> {
        let wanted = self.containers.iter().filter(|(_, entry)| is_wanted(&entry.container));
        wanted.map(|(id, _)| Arc::clone(id)).collect()
    }
}

impl Container {
    /// Takes over what is known of its pod by now. `is_news`: that it has one was not known before.
    pub(super) fn join(&mut self, pods: &PodTable, is_news: bool) {
        let Some(uid) = self.pod_uid.as_deref() else { return };
        if let Some(facts) = pods.get(uid) {
            self.take_facts(&Arc::clone(facts));
        } else if is_news && pods.awaits(uid) {
            self.awaits_pod = true;
        }
    }

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
        self.awaits_pod |= before.awaits_pod;
        // Another runtime, or its socket, may know the name, and has until it is given up.
        let is_partly = before.is_asked() && self.is_verified() && !self.is_named();
        self.confirmation = match self.confirmation {
            Confirmation::Known if is_partly => Confirmation::Partly,
            Confirmation::Asked | Confirmation::Unknown if before.is_verified() => before.confirmation,
            confirmation @ (Confirmation::Asked
            | Confirmation::Partly
            | Confirmation::Known
            | Confirmation::Unknown) => confirmation,
        };
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
            self.confirmation = Confirmation::Known;
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
