//! Fields that follow from others: what a command line means. A recording that has one of a group has all of it.

use sigma::{FieldId, Presence, Value};

use super::{Datum, Fact};
use crate::command;
use crate::event::field::{Field, cloud, transfer};

/// Adds what a recording's program and arguments mean.
pub(super) fn extend(fields: &mut Vec<Fact>) {
    let has =
        |wanted: &[Field]| fields.iter().any(|fact| wanted.iter().any(|field| id(*field) == fact.field));
    let (has_transfer, has_cloud) = (has(&transfer::FIELDS), has(&cloud::FIELDS));
    let images: Vec<&str> = texts(fields, Field::Image).collect();
    let mut words: Vec<String> = texts(fields, Field::Arguments).map(str::to_owned).collect();
    if words.is_empty() {
        let line = texts(fields, Field::CommandLine).flat_map(str::split_whitespace);
        words = line.map(str::to_owned).collect();
    }
    let environment: Vec<String> = texts(fields, Field::Environment).map(str::to_owned).collect();
    let Some(command) = command::understand(images.into_iter(), &words) else { return };
    if let Some(found) = command.transfer.as_ref().filter(|_| !has_transfer) {
        fields.extend(
            transfer::FIELDS
                .into_iter()
                .filter_map(|field| fact(field, |each| transfer::visit(found, field, each))),
        );
    }
    if let Some(found) = command.cloud.as_ref().filter(|_| !has_cloud) {
        let environment = environment.iter().map(String::as_str);
        let facts = cloud::FIELDS
            .into_iter()
            .filter_map(|field| fact(field, |each| cloud::visit(found, &environment, field, each)));
        fields.extend(facts);
    }
}

fn id(field: Field) -> FieldId {
    FieldId(field as u16)
}

fn texts(fields: &[Fact], field: Field) -> impl Iterator<Item = &str> {
    let values = fields.iter().filter(move |fact| fact.field == id(field)).flat_map(|fact| &fact.values);
    values.filter_map(|value| match value {
        Datum::Text(text) => Some(text.as_str()),
        Datum::Number(_) | Datum::Ip(_) | Datum::Bool(_) => None,
    })
}

/// What an event's field of that name would say. None: nothing.
fn fact(field: Field, visit: impl FnOnce(&mut dyn FnMut(Value<'_>)) -> Presence) -> Option<Fact> {
    let mut values = Vec::new();
    let presence = visit(&mut |value| {
        values.push(match value {
            Value::Text(text) => Datum::Text(text.to_owned()),
            Value::Number(number) => Datum::Number(number),
            Value::Ip(address) => Datum::Ip(address),
            Value::Bool(flag) => Datum::Bool(flag),
        });
    });
    (presence != Presence::Absent).then_some(Fact { field: id(field), presence, values })
}
