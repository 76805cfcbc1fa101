//! The Sigma rule engine: reads rule documents, matches records. Pure.
//!
//! It knows nothing of this sensor. The host program tells it two things: which fields and log
//! sources exist ([`Taxonomy`]) and how to read a field of one record ([`Record`]). A document it
//! does not understand to the last key is refused with the place of the mistake ([`Diagnostic`]);
//! no rule is half-understood. It does no IO, keeps no clock, and allocates nothing per record
//! once warm.
//!
//! Followed: Sigma specification 2.1, <https://github.com/SigmaHQ/sigma-specification>. Where it
//! leaves a choice, the choice is stated beside the code that makes it.

mod record;
mod level;
mod log_source;
mod rule;
mod rule_set;
mod succession;
mod placeholder;
mod document;
mod metadata;
mod collection;
mod detection;
mod keyword;
mod value;
mod condition;
mod filter;
mod correlation;
mod modifier;
mod pattern;
mod encoding;
mod moment;
mod predicate;
mod expression;
mod plan;
mod matcher;
mod anchor;
mod gram;
mod engine;
mod cost;
mod explain;
mod yaml;
mod diagnostic;
mod suggestion;
#[cfg(test)]
mod tests;

pub use correlation::{
    Bound, Condition, Correlated, Correlation, Correlator, Joined, Key, Kind, Operator, Stats, Step,
};
pub use cost::{Clock, Cost, Excess, over_budget};
pub use diagnostic::{Diagnostic, Source, Span};
pub use engine::{Engine, Matches};
pub use explain::{Asked, Clause, Detected, Explainer, Explanation, Filtered, Found, Item, Part, Search};
pub use filter::Filter;
pub use level::{Level, UnknownLevel};
pub use log_source::LogSource;
pub use placeholder::Placeholders;
pub use record::{FieldId, Lifetime, LogSourceId, Owner, Presence, Record, Taxonomy, Truth, Value};
pub use rule::{FilterIndex, Related, Relation, Rule, RuleIndex, Status};
pub use rule_set::RuleSet;
pub use suggestion::nearest;
