//! What the loop waits for besides the ring: who may speak or ask, and the next time to look.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::door::Doors;
use crate::control::Ask;
use crate::ebpf::pace::TICK;
use crate::state::pod::PodUpdate;

/// The next word of a source that is asked; none from one that is not.
pub(super) async fn told(pods: &mut Option<mpsc::Receiver<PodUpdate>>) -> Option<PodUpdate> {
    pods.as_mut()?.recv().await
}

/// The next to ask for something; never, where nobody can.
pub(super) async fn asked(doors: &mut Option<Doors>) -> Option<Ask> {
    match doors {
        Some(doors) => doors.asked().await,
        None => std::future::pending().await,
    }
}

/// Ticks now and from then on.
pub(super) fn steady(period: Duration) -> Interval {
    debug_assert!(period > TICK);
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// Ticks for the first time when the period is over.
pub(super) fn later(period: Duration) -> Interval {
    let mut interval = steady(period);
    interval.reset();
    interval
}
