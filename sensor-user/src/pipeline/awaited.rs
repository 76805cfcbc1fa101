//! Accounts that were told before their container had a name: each is told once more when it has one.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::story::Account;

/// Most accounts that wait. A container is named or given up within 32 s, so this is some 16 alerts a
/// second; with the dozen steps of a transfer they take about 2 MiB. Beyond it the oldest stays as it was
/// told, and that is counted.
const AWAITED_MAX: usize = 512;

/// What was told of containers whose runtimes are still asked.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    /// In the order in which they were told first.
    accounts: VecDeque<(Arc<str>, Account)>,
    dropped: u64,
}

impl Awaited {
    /// Notes what is about to be told. What has a name by now waits no longer; of several versions the last
    /// counts.
    pub(super) fn note(&mut self, account: &Account) {
        let is_open = account.container.as_ref().is_some_and(|container| container.is_open());
        if !is_open && self.accounts.is_empty() {
            return;
        }
        let known = self.accounts.iter().position(|(_, known)| known.number == account.number);
        match (known, &account.container) {
            (Some(index), Some(container)) if container.is_open() => {
                if let Some((_, known)) = self.accounts.get_mut(index) {
                    *known = account.clone();
                }
            }
            (Some(index), _) => _ = self.accounts.remove(index),
            (None, Some(container)) if container.is_open() => {
                if self.accounts.len() >= AWAITED_MAX {
                    self.accounts.pop_front();
                    self.dropped += 1;
                }
                self.accounts.push_back((container.id.as_str().into(), account.clone()));
            }
            (None, _) => {}
        }
    }

    /// Takes out the accounts of a container that was named or given up.
    pub(super) fn take(&mut self, container: &str) -> Vec<Account> {
        let (taken, rest): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.accounts).into_iter().partition(|(id, _)| **id == *container);
        self.accounts = rest;
        taken.into_iter().map(|(_, account)| account).collect()
    }

    /// Accounts that stay without a name because too many waited, since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}
