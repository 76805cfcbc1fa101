//! What a correlation takes from a match: the values of its group, and what its condition counts.

use std::hash::{BuildHasher, Hasher, RandomState};

use super::Kind;
use super::group::{GroupKey, GroupValue};
use super::measure::Measure;
use super::network::{Member, Origin};
use crate::predicate::text_of;
use crate::record::{FieldId, Lifetime, Presence, Record, Value};

/// A value of the record is not known yet.
pub(super) struct Pending;

/// Tells values of several fields apart by a hash that nobody outside can forge.
#[derive(Debug, Default)]
pub(super) struct Digest {
    state: RandomState,
}

impl Digest {
    pub(super) fn of_text(&self, text: &str) -> u64 {
        self.state.hash_one(text)
    }

    /// `digests` of the values of a tuple, in order.
    pub(super) fn of_all(&self, digests: impl IntoIterator<Item = u64>) -> u64 {
        let mut hasher = self.state.build_hasher();
        digests.into_iter().for_each(|digest| hasher.write_u64(digest));
        hasher.finish()
    }
}

impl Digest {
    /// What a group of this match has in common.
    pub(super) fn values(
        &self,
        member: &Member,
        record: Option<&dyn Record>,
        inner: Option<&GroupKey>,
    ) -> Result<Box<[GroupValue]>, Pending> {
        let digest = |text: &str| self.of_text(text);
        let mut values = Vec::with_capacity(member.keys.len());
        for origin in &member.keys {
            values.push(match *origin {
                Origin::Group(at) => match inner.and_then(|inner| inner.values.get(at)) {
                    Some(value) => value.clone(),
                    None => GroupValue::of(None, None, digest),
                },
                Origin::Record(field, lifetime) => {
                    let owner = match lifetime {
                        Lifetime::Lasting => None,
                        Lifetime::Container | Lifetime::Process => {
                            record.and_then(|record| record.owner(lifetime))
                        }
                    };
                    let mut found = None;
                    let mut buffer = String::new();
                    first(record, field, &mut |value| {
                        found = Some(GroupValue::of(Some(text_in(value, &mut buffer)), owner, digest));
                    })?;
                    found.unwrap_or_else(|| GroupValue::of(None, owner, digest))
                }
            });
        }
        Ok(values.into())
    }

    /// What the match brings to its window; `None`: nothing, and so it is no part of it.
    pub(super) fn measure(
        &self,
        kind: Kind,
        member: &Member,
        record: Option<&dyn Record>,
        inner: Option<&GroupKey>,
    ) -> Result<Option<Measure>, Pending> {
        let read = match kind {
            Kind::EventCount | Kind::Temporal | Kind::TemporalOrdered => return Ok(Some(Measure::Match)),
            Kind::ValueCount => |digest: &Digest, value: Value<'_>| {
                Some(Measure::Distinct(digest.of_text(text_in(value, &mut String::new()))))
            },
            Kind::ValueSum | Kind::ValueAvg | Kind::ValuePercentile => {
                |_: &Digest, value: Value<'_>| Measure::number(value)
            }
        };
        let mut measures = Vec::with_capacity(member.fields.len());
        for origin in &member.fields {
            let mut found = None;
            match *origin {
                Origin::Record(field, _) => {
                    first(record, field, &mut |value| found = read(self, value))?;
                }
                Origin::Group(at) => {
                    let text =
                        inner.and_then(|inner| inner.values.get(at)).and_then(|value| value.text.as_deref());
                    found = text.and_then(|text| read(self, Value::Text(text)));
                }
            }
            measures.push(found);
        }
        let Some(measures) = measures.into_iter().collect::<Option<Vec<_>>>() else { return Ok(None) };
        if let [only] = measures.as_slice() {
            return Ok(Some(*only));
        }
        let digests = measures.iter().filter_map(|measure| match measure {
            Measure::Distinct(digest) => Some(*digest),
            Measure::Match | Measure::Whole(_) | Measure::Decimal(_) => None,
        });
        Ok(Some(Measure::Distinct(self.of_all(digests))))
    }
}

/// The value as text: as it is, an address in its canonical form.
pub(super) fn text_in<'a>(value: Value<'a>, buffer: &'a mut String) -> &'a str {
    let canonical = match value {
        Value::Ip(address) => Value::Ip(address.to_canonical()),
        Value::Text(_) | Value::Number(_) | Value::Bool(_) => value,
    };
    text_of(canonical, buffer)
}

/// The first value of a field, if there is any.
fn first(
    record: Option<&dyn Record>,
    field: FieldId,
    each: &mut dyn FnMut(Value<'_>),
) -> Result<(), Pending> {
    let Some(record) = record else { return Ok(()) };
    let mut seen = false;
    let presence = record.visit(field, &mut |value| {
        if !seen {
            seen = true;
            each(value);
        }
    });
    match presence {
        Presence::Present | Presence::Absent => Ok(()),
        Presence::Pending => Err(Pending),
    }
}
