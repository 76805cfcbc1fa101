//! What the agent has told so far, and waiting for more of it.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;
use sigma::Level;
use tokio::sync::watch as channel;

use super::{Loss, Losses, ValidateError};

/// Alerts that are remembered, the newest: a host under attack must not fill memory. A proof looks at the last
/// seconds, and in them there are never so many of its own.
const ALERTS_KEPT: usize = 16_384;

/// An alert, as far as proofs ask.
#[derive(Clone, Debug)]
pub(super) struct Alert {
    /// `event.id`.
    pub(super) id: String,
    /// When what it is about began.
    pub(super) time: Timestamp,
    /// When it was here.
    pub(super) arrival: (Instant, Timestamp),
    pub(super) title: String,
    /// Its own level, of the gravest match.
    pub(super) level: Level,
    /// The detection's folder.
    detection: String,
    /// Ids of all rules that matched.
    rules: Vec<String>,
    container: Option<String>,
    pub(super) command_line: String,
    /// Its process and the ancestors.
    pids: Vec<u64>,
}

impl Alert {
    /// Reads an alert or an amendment; none of anything else.
    pub(super) fn read(document: &Value) -> Option<Self> {
        let text = |path: &str| document.pointer(path).and_then(Value::as_str);
        if !matches!(text("/kind")?, "alert" | "amendment") {
            return None;
        }
        let list = |path: &str| document.pointer(path).and_then(Value::as_array).into_iter().flatten();
        let ids = |path: &'static str| list(path).filter_map(|one| Some(one.get("id")?.as_str()?.to_owned()));
        let pids = list("/tidewaiter/lineage").filter_map(|one| one.get("pid")?.as_u64());
        Some(Self {
            id: text("/event/id")?.to_owned(),
            time: text("/@timestamp")?.parse().ok()?,
            arrival: (Instant::now(), Timestamp::now()),
            title: text("/rule/name").unwrap_or_default().to_owned(),
            level: text("/rule/level")?.parse().ok()?,
            detection: text("/tidewaiter/detection").unwrap_or_default().to_owned(),
            rules: text("/rule/id")
                .map(str::to_owned)
                .into_iter()
                .chain(ids("/tidewaiter/related"))
                .collect(),
            container: text("/container/id").map(str::to_owned),
            command_line: text("/process/command_line").unwrap_or_default().to_owned(),
            pids: document.pointer("/process/pid").and_then(Value::as_u64).into_iter().chain(pids).collect(),
        })
    }

    /// Whether it is about the detection of this name or one of these rules.
    pub(super) fn is_of(&self, name: &str, rules: &[String]) -> bool {
        self.detection == name || self.rules.iter().any(|rule| rules.contains(rule))
    }

    pub(super) fn is_in(&self, containers: &[String]) -> bool {
        self.container.as_ref().is_some_and(|container| containers.contains(container))
    }

    /// Whether this process or a descendant of it did it.
    pub(super) fn descends_from(&self, pid: u32) -> bool {
        self.pids.contains(&u64::from(pid))
    }
}

/// How far the agent is.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// Alerts that came.
    alerts: u64,
    pub(super) is_ready: bool,
    /// Its standard output is closed.
    pub(super) has_ended: bool,
    /// Records that it told as lost.
    pub(super) losses: Losses,
}

/// All that came.
#[derive(Debug)]
pub(super) struct Watch {
    alerts: Mutex<VecDeque<Alert>>,
    state: channel::Sender<State>,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self { alerts: Mutex::default(), state: channel::Sender::new(State::default()) }
    }

    /// Takes a line of the agent's.
    pub(super) fn take(&self, document: &Value) {
        if let Some(alert) = Alert::read(document) {
            let mut alerts = self.alerts.lock().unwrap_or_else(PoisonError::into_inner);
            if alerts.len() == ALERTS_KEPT {
                alerts.pop_front();
            }
            alerts.push_back(alert);
            drop(alerts);
            self.state.send_modify(|state| state.alerts += 1);
            return;
        }
        match document.get("kind").and_then(Value::as_str) {
            Some("coverage") => self.state.send_modify(|state| state.is_ready = true),
            Some("loss") => {
                let losses = document.pointer("/tidewaiter/losses").and_then(Value::as_array);
                let losses = losses.into_iter().flatten().filter_map(|loss| {
                    let text = |key| loss.get(key).and_then(Value::as_str).unwrap_or("unknown").to_owned();
                    let count = loss.get("count")?.as_u64()?;
                    Some((Loss { what: text("what"), reason: text("reason") }, count))
                });
                self.state.send_modify(|state| {
                    losses.for_each(|(loss, count)| *state.losses.entry(loss).or_default() += count);
                });
            }
            Some(_) | None => {}
        }
    }

    pub(super) fn end(&self) {
        self.state.send_modify(|state| state.has_ended = true);
    }

    pub(super) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Ids of all alerts so far.
    pub(super) fn ids(&self) -> HashSet<String> {
        let alerts = self.alerts.lock().unwrap_or_else(PoisonError::into_inner);
        alerts.iter().map(|alert| alert.id.clone()).collect()
    }

    /// All so far for which `wanted` holds.
    pub(super) fn select(&self, wanted: impl Fn(&Alert) -> bool) -> Vec<Alert> {
        let alerts = self.alerts.lock().unwrap_or_else(PoisonError::into_inner);
        alerts.iter().filter(|alert| wanted(alert)).cloned().collect()
    }

    /// The first, past or to come, for which `wanted` holds; none within `limit`.
    ///
    /// # Errors
    /// The agent ended meanwhile.
    pub(super) async fn first(
        &self,
        limit: Duration,
        wanted: impl Fn(&Alert) -> bool,
    ) -> Result<Option<Alert>, ValidateError> {
        let mut state = self.state.subscribe();
        let search = async {
            loop {
                state.borrow_and_update();
                if let Some(alert) = self.select(&wanted).into_iter().next() {
                    return Ok(Some(alert));
                }
                if self.state().has_ended {
                    return Err(ValidateError::Agent("ended before all was proven".to_owned()));
                }
                // The sender lives as long as this value.
                let _ = state.changed().await;
            }
        };
        tokio::time::timeout(limit, search).await.unwrap_or(Ok(None))
    }

    /// Waits until `wanted` holds of the state; false when it did not within `limit`.
    pub(super) async fn reaches(&self, limit: Duration, wanted: impl Fn(&State) -> bool) -> bool {
        let mut state = self.state.subscribe();
        tokio::time::timeout(limit, state.wait_for(|state| wanted(state))).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document() -> Value {
        json!({
            "@timestamp": "2026-11-21T12:40:15.794532Z", "kind": "alert", "event": {"id": "e1"},
            "rule": {"id": "r1", "name": "A title", "level": "medium"}, "container": {"id": "c1"},
            "process": {"pid": 7, "command_line": "curl x"},
            "tidewaiter": {"detection": "curl_download", "related": [{"id": "r2"}], "lineage": [{"pid": 5}]},
        })
    }

    #[test]
    fn an_alert_is_of_its_detection_and_of_all_that_matched_beside_it() {
        let alert = Alert::read(&document()).unwrap();
        let rules = |id: &str| [id.to_owned()];
        assert!(alert.is_of("curl_download", &[]) && alert.is_of("other", &rules("r2")));
        assert!(!alert.is_of("other", &rules("r3")));
        assert!(alert.is_in(&rules("c1")) && !alert.is_in(&rules("c2")));
        assert!(alert.descends_from(5) && alert.descends_from(7) && !alert.descends_from(6));
    }

    #[test]
    fn notices_are_no_alerts_and_losses_are_summed() {
        let watch = Watch::new();
        watch.take(&json!({"kind": "coverage"}));
        watch.take(&json!({"kind": "loss", "tidewaiter": {"losses": [
            {"what": "close", "count": 3, "reason": "full", "container": {}}, {"what": "close", "count": 4, "reason": "full"},
        ]}}));
        let state = watch.state();
        assert!(state.is_ready && !state.has_ended);
        let close = Loss { what: "close".to_owned(), reason: "full".to_owned() };
        assert!(close.is_record());
        assert_eq!((state.losses, state.alerts), (Losses::from([(close, 7)]), 0));
        watch.take(&document());
        assert_eq!(watch.ids(), HashSet::from(["e1".to_owned()]));
    }

    #[test]
    fn a_wait_ends_with_the_alert_the_limit_or_the_agent() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let watch = Watch::new();
            let short = Duration::from_millis(1);
            assert!(watch.first(short, |_| true).await.unwrap().is_none());
            watch.take(&document());
            assert_eq!(watch.first(short, |alert| alert.id == "e1").await.unwrap().unwrap().title, "A title");
            watch.end();
            assert!(watch.first(Duration::from_secs(60), |alert| alert.id == "e2").await.is_err());
        });
    }
}
