//! Accounts that were told before their container had a name: each is told once more when it has one.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::state::container::Container;
use crate::story::Account;

/// Most accounts that wait. A container is named or given up within 5 s, so this is a hundred alerts a
/// second; with the dozen steps of a transfer they take about 2 MiB.
const AWAITED_MAX: usize = 512;

/// What was told of containers that no runtime has named, or of whose pods the API is about to tell.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    /// In the order in which they were told first.
    told: VecDeque<Told>,
    dropped: u64,
}

#[derive(Debug)]
struct Told {
    container: Arc<str>,
    account: Account,
    /// Its name was announced as pending. Of a container that was given up it may come all the same.
    is_promised: bool,
}

impl Awaited {
    /// Notes what is about to be told. What has a name by now waits no longer; of several versions the last
    /// counts.
    pub(super) fn note(&mut self, account: &Account) {
        let is_settled = |it: &Container| it.is_complete() && it.is_named() && !it.awaits_pod;
        let open = account.container.as_ref().filter(|container| !is_settled(container));
        if open.is_none() && self.told.is_empty() {
            return;
        }
        let known = self.told.iter().position(|told| told.account.number == account.number);
        match (known, open) {
            (Some(index), Some(_)) => {
                if let Some(told) = self.told.get_mut(index) {
                    told.account = account.clone();
                }
            }
            (Some(index), None) => _ = self.told.remove(index),
            (None, Some(container)) => {
                if self.told.len() >= AWAITED_MAX {
                    self.make_room();
                }
                self.told.push_back(Told {
                    container: container.id.as_str().into(),
                    account: account.clone(),
                    is_promised: container.is_open(),
                });
            }
            (None, None) => {}
        }
    }

    /// Takes out the accounts of a container that was named.
    pub(super) fn take(&mut self, container: &str) -> Vec<Account> {
        let (taken, rest): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.told).into_iter().partition(|told| *told.container == *container);
        self.told = rest;
        taken.into_iter().map(|told| told.account).collect()
    }

    /// No runtime has named the container in time.
    pub(super) fn give_up(&mut self, container: &str) {
        self.told
            .iter_mut()
            .filter(|told| *told.container == *container)
            .for_each(|told| told.is_promised = false);
    }

    /// Accounts that stay without the name they announced because too many waited, since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Who waits for what may never come goes first.
    fn make_room(&mut self) {
        let index = self.told.iter().position(|told| !told.is_promised);
        self.dropped += u64::from(index.is_none());
        self.told.remove(index.unwrap_or(0));
    }
}
