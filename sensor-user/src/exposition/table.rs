//! The one table of metrics: `docs/metric.md` has the same rows, and what is exposed has no others (tests).
//!
//! Names follow the practice of Prometheus: a prefix, base units, `_total` for what only grows.

/// What a value does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Only grows, from zero at the start of the agent.
    Counter,
    Gauge,
}

impl Type {
    /// As in `# TYPE`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

/// A metric.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Type,
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

macro_rules! metrics {
    ($($id:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal;)+) => {
        $(pub const $id: Metric = Metric {
            name: $name, kind: Type::$kind, labels: &[$($label),*], help: $help,
        };)+

        /// All of them, in the order in which they are exposed.
        pub const ALL: &[&Metric] = &[$(&$id),+];
    };
}

metrics! {
    BUILD_INFO = Gauge "tidewaiter_build_info" ["version", "kernel"]
        "Always 1: the agent's version, and the release of the kernel it watches.";
    START_TIME = Gauge "tidewaiter_start_time_seconds" []
        "When the agent started, seconds since 1970.";
    UPTIME = Gauge "tidewaiter_uptime_seconds" []
        "How long the agent has run.";
    CPU = Counter "tidewaiter_process_cpu_seconds_total" []
        "Processor time of all threads of the agent, user and kernel.";
    RESIDENT = Gauge "tidewaiter_process_resident_memory_bytes" []
        "Resident memory of the agent.";

    HOOKS_ATTACHED = Gauge "tidewaiter_hooks_attached" ["tier"]
        "Hooks that were attached at the start, by tier; 1 sees most.";
    HOOKS_WEAKENED = Gauge "tidewaiter_hooks_weakened" []
        "Of those attached: see less than they would at their best place.";
    HOOKS_MISSING = Gauge "tidewaiter_hooks_missing" []
        "Hooks that could be attached nowhere: what they watch for is not seen.";
    HOOKS_DETACHED = Counter "tidewaiter_hooks_detached_total" []
        "How often somebody unhooked a program of the sensor since the start.";
    HOOKS_BLIND = Gauge "tidewaiter_hooks_blind" []
        "Programs of the sensor that are unhooked now, and could not be hooked again so far.";

    KERNEL_SEEN = Counter "tidewaiter_kernel_records_seen_total" ["kind"]
        "What the kernel programs saw: the sum of all fates.";
    KERNEL_RECORDS = Counter "tidewaiter_kernel_records_total" ["kind", "fate"]
        "What became of it: delivered to the agent, aggregated beyond a container's share, filtered by design, lost.";
    RECORDS = Counter "tidewaiter_records_total" []
        "Records that the agent took from the ring and understood.";
    RECORDS_REFUSED = Counter "tidewaiter_records_refused_total" []
        "Records of the ring that made no sense.";

    EVENTS = Counter "tidewaiter_events_total" ["category"]
        "Events by log source, whether a rule looks at them or not.";
    EVENTS_UNKNOWN = Counter "tidewaiter_events_without_process_total" []
        "Doings of processes that the agent does not know, which become no events.";
    LOST = Counter "tidewaiter_lost_total" ["what", "reason"]
        "What loss notices told, looked at every two seconds; at most 64 rows, the rest as others.";
    TABLE_ENTRIES = Gauge "tidewaiter_table_entries" ["table"]
        "How many the agent knows: processes, containers, connections, open stories and others.";
    TABLE_EVICTED = Counter "tidewaiter_table_evicted_total" ["what"]
        "Dropped from full tables.";

    RULES_LOADED = Gauge "tidewaiter_rules_loaded" []
        "Rules at work.";
    RULE_RUNS = Counter "tidewaiter_rule_runs_total" []
        "Conditions that were gone through, of all rules together.";
    MATCHES = Counter "tidewaiter_matches_total" []
        "Matches of all rules together. After a reload, rules that were changed begin anew.";
    RULE_MATCHES = Counter "tidewaiter_rule_matches_total" ["rule", "title"]
        "Matches of a rule: the 20 that matched most since the start.";
    MATCHES_SUPPRESSED = Counter "tidewaiter_matches_suppressed_total" []
        "Matches that a filter kept back.";
    MATCHES_PENDING = Counter "tidewaiter_matches_pending_total" []
        "Matches that waited for a field that was not known yet.";
    MATCHES_LATE = Counter "tidewaiter_matches_late_total" []
        "Matches that came too late for the correlation that reads them.";
    RULE_SECONDS = Counter "tidewaiter_rule_evaluation_seconds_total" []
        "Time in the conditions of all rules, extrapolated from one event in 64.";
    READING_SECONDS = Counter "tidewaiter_rule_reading_seconds_total" []
        "Time to read the fields that rules share, extrapolated likewise.";

    ALERTS = Counter "tidewaiter_alerts_total" ["level"]
        "Alerts by level; amendments and the delivery canary do not count.";
    RULE_ALERTS = Counter "tidewaiter_rule_alerts_total" ["rule", "title", "level"]
        "Alerts by the rule that they are about: the first 64 rules, the rest under the rule others.";
    ALERT_REPEATS = Counter "tidewaiter_alert_repeats_total" []
        "Matches that were counted in a story that had told them.";
    MESSAGES = Counter "tidewaiter_messages_total" []
        "Alerts, amendments and notices of this run.";
    LAST_SEQUENCE = Gauge "tidewaiter_last_sequence" []
        "The last number that a message got (event.sequence): what a receiver has less is missing.";
    HEARTBEAT_SEQUENCE = Gauge "tidewaiter_heartbeat_sequence" []
        "Number of the last heartbeat.";
    HEARTBEAT_TIME = Gauge "tidewaiter_last_heartbeat_timestamp_seconds" []
        "When the last heartbeat was told, seconds since 1970.";

    SINK_UP = Gauge "tidewaiter_sink_up" ["sink"]
        "1: the receiver is there; 0: it is away. Absent until something has shown it.";
    SINK_SINCE = Gauge "tidewaiter_sink_state_timestamp_seconds" ["sink"]
        "Since when it is there or away, seconds since 1970.";
    SINK_ACCEPTED = Counter "tidewaiter_sink_accepted_messages_total" ["sink"]
        "Messages of this run that were meant for it.";
    SINK_DELIVERED = Counter "tidewaiter_sink_delivered_messages_total" ["sink"]
        "Messages that its receiver confirmed, as far as the transport tells; also those of earlier runs.";
    SINK_LOST = Counter "tidewaiter_sink_lost_messages_total" ["sink", "reason"]
        "Messages that it will never have, as loss notices told it.";
    SINK_BACKLOG = Gauge "tidewaiter_sink_backlog_messages" ["sink"]
        "Messages that its receiver has not confirmed.";
    SINK_LAG = Gauge "tidewaiter_sink_lag_seconds" ["sink"]
        "How long the oldest of them waits; 0 where none does.";
    SINK_LAST = Gauge "tidewaiter_sink_last_delivery_timestamp_seconds" ["sink"]
        "When its receiver confirmed a message last, seconds since 1970; absent before the first.";

    OUTBOX_BYTES = Gauge "tidewaiter_outbox_bytes" []
        "Bytes in the outbox's folder.";
    OUTBOX_LIMIT = Gauge "tidewaiter_outbox_limit_bytes" []
        "Bytes that the folder may have; 0: there is none.";
    OUTBOX_MEMORY = Gauge "tidewaiter_outbox_memory_bytes" []
        "Bytes of messages that are in memory alone.";
    OUTBOX_ON_DISK = Gauge "tidewaiter_outbox_on_disk" []
        "1: the disk takes what comes; 0: messages are in memory alone, and lost with the agent.";
    OUTBOX_EVICTED = Counter "tidewaiter_outbox_evicted_messages_total" []
        "Messages given up for want of room.";

    CANARY_UP = Gauge "tidewaiter_canary_up" []
        "1: the last delivery canary came through to every receiver; 0: it did not. Absent before the first ended.";
    CANARY_PASSED = Counter "tidewaiter_canary_passed_total" []
        "Canaries that every receiver confirmed in time.";
    CANARY_FAILED = Counter "tidewaiter_canary_failed_total" ["stage"]
        "Canaries that did not come through, by where they stayed: start, kernel, match, delivery.";
    CANARY_SUCCESS = Gauge "tidewaiter_canary_last_success_timestamp_seconds" []
        "When a canary came through last, seconds since 1970; absent before the first.";
    CANARY_SECONDS = Gauge "tidewaiter_canary_delivery_seconds" ["sink"]
        "Of the last canary: from the start of its process to the receiver's word; absent where that did not come.";
}
