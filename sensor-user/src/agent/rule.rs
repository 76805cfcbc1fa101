//! The loop's part in changing rules: it swaps what was made ready beside it, and tells.

use std::thread;

use super::{Agent, facts};
use crate::alert::{Reload, RuleChange, RuleRefusal, Subject};
use crate::ebpf::sys::trim_heap;
use crate::rule::{Fresh, News, Reader};

impl Agent {
    /// Takes over rules that were read again, or tells why not.
    pub(super) fn reload(&mut self, news: News) {
        let reload = match news {
            News::Asked => return self.service.reading(),
            News::Unchanged => return self.service.ready(),
            News::Loaded(fresh) => {
                // What is in the ring was done under the rules of before.
                self.turn();
                let Fresh { rules, change, began } = *fresh;
                let (now, filters) = (rules.set.rules().len(), rules.set.filters().len());
                let retired = self.pipeline.reload(rules.set, rules.detections);
                let undecided = retired.undecided;
                self.budget.begin(facts::now(), self.pipeline.costs().1);
                // The loop does not wait for it; without a thread it is freed here.
                let freed = thread::Builder::new().name("retired".to_owned()).spawn(move || {
                    drop(retired);
                    trim_heap();
                });
                drop(freed);
                let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                Reload::Loaded(RuleChange { rules: now, filters, undecided, milliseconds, ..change })
            }
            News::Refused(refusal) => {
                Reload::Refused(RuleRefusal { rules: self.pipeline.detections(), ..refusal })
            }
        };
        self.reporter.notice(Subject::Reload(reload));
        self.service.ready();
    }

    /// Tells of rules that take more time than their budget.
    pub(super) fn look_at_costs(&mut self) {
        let (set, costs) = self.pipeline.costs();
        let expensive = self.budget.look(facts::now(), set, costs);
        if !expensive.is_empty() {
            self.reporter.notice(Subject::Cost(expensive));
        }
    }
}

/// What came of the next reading; never, where nobody reads.
pub(super) async fn read(reader: &mut Option<Reader>) -> News {
    match reader {
        Some(reader) => reader.news().await,
        None => std::future::pending().await,
    }
}
