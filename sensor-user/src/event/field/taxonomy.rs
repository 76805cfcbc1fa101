//! This sensor's fields and log sources as the rule engine asks for them, and whose a value is.

use std::hash::{Hash, Hasher};

use rustc_hash::FxHasher;
use sigma::{FieldId, Lifetime, LogSource, LogSourceId, Owner, Taxonomy};

use super::{Category, Field, TABLE};
use crate::state::process::ProcessKey;

/// The taxonomy of rules that are written with the names of the Elastic Common Schema.
const ECS: &str = "ecs";

/// This sensor's fields and log sources, for the rule engine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fields;

impl Taxonomy for Fields {
    fn field(&self, name: &str) -> Option<FieldId> {
        TABLE.iter().find(|(_, sigma, _, _)| *sigma == name).map(|(field, ..)| FieldId(*field as u16))
    }

    fn field_names(&self) -> Vec<&'static str> {
        TABLE.iter().map(|(_, sigma, _, _)| *sigma).collect()
    }

    fn supports(&self, source: &LogSource) -> Option<LogSourceId> {
        let category = source.category.as_deref()?;
        if source.service.is_some() || source.product.as_deref().is_some_and(|product| product != "linux") {
            return None;
        }
        Category::ALL.into_iter().find(|known| known.name() == category).map(Category::id)
    }

    /// A parent's or target's id is not the event's process's, and would be forgotten with the wrong one. Names
    /// are used again on purpose: who counts by a container's or pod's name counts across its restarts. Ids of
    /// pods are never used again, and a network or user namespace may be shared by several containers.
    fn lifetime(&self, field: FieldId) -> Lifetime {
        match TABLE.get(usize::from(field.0)).map(|(field, ..)| field) {
            Some(Field::ProcessId) => Lifetime::Process,
            // Some runtimes' ids are names. The number of a mount namespace is soon another's.
            Some(Field::ContainerId | Field::MountNamespace) => Lifetime::Container,
            Some(_) | None => Lifetime::Lasting,
        }
    }

    fn field_of(&self, taxonomy: &str, name: &str) -> Option<FieldId> {
        let named = || TABLE.iter().find(|(_, _, ecs, _)| *ecs == name);
        (taxonomy == ECS).then(named)?.map(|(field, ..)| FieldId(*field as u16))
    }

    fn taxonomies(&self) -> &[&'static str] {
        &[ECS]
    }
}

/// The process as what rules keep of it belongs to it.
#[must_use]
pub fn process_owner(key: ProcessKey) -> Owner {
    let mut hasher = FxHasher::default();
    key.hash(&mut hasher);
    Owner { lifetime: Lifetime::Process, number: hasher.finish() }
}

/// The container, in the same way.
#[must_use]
pub fn container_owner(id: &str) -> Owner {
    let mut hasher = FxHasher::default();
    id.hash(&mut hasher);
    Owner { lifetime: Lifetime::Container, number: hasher.finish() }
}
