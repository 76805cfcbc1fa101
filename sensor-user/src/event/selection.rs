//! Which events somebody wants to see: what `tidewaiter events` was asked for. Pure.

use super::Event;
use super::field::Category;

/// A choice among events; the default is all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Empty: every category.
    pub categories: Vec<Category>,
    /// A container by name, or by its id or the beginning of that.
    pub container: Option<String>,
    pub process: Option<Root>,
}

/// A choice among processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// This process alone, by its id in the initial pid namespace.
    Process(u32),
    /// This process and what came of it, as far as [`Event::ancestors`] reaches.
    Tree(u32),
}

/// Digits of a container id that are taken for one: fewer are a name.
const ID_MIN: usize = 4;

impl Selection {
    #[must_use]
    pub fn has(&self, event: &Event) -> bool {
        let categories = &self.categories;
        (categories.is_empty() || categories.contains(&event.category()))
            && self.process.is_none_or(|root| root.has(event))
            && self.container.as_deref().is_none_or(|wanted| is_in(event, wanted))
    }
}

impl Root {
    fn has(self, event: &Event) -> bool {
        match self {
            Self::Process(pid) => event.process.key.pid == pid,
            Self::Tree(pid) => {
                event.process.key.pid == pid || event.ancestors.iter().any(|one| one.key.pid == pid)
            }
        }
    }
}

/// A container whose runtime has not told its name yet may be the one: its first events are shown rather than missed.
fn is_in(event: &Event, wanted: &str) -> bool {
    let Some(container) = event.container.as_deref() else { return false };
    let may_be = container.name.is_none() && !container.is_complete();
    let by_id = wanted.len() >= ID_MIN && container.id.starts_with(wanted);
    container.name.as_deref() == Some(wanted) || container.id == wanted || by_id || may_be
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::sink::sample;
    use crate::state::container::{Confirmation, Container};

    #[test]
    fn nothing_asked_for_is_everything() {
        assert!(Selection::default().has(&sample::event()));
    }

    #[test]
    fn categories_add_up_and_other_wishes_narrow() {
        let event = sample::event();
        let categories = vec![Category::FileEvent, event.category()];
        assert!(Selection { categories, ..Selection::default() }.has(&event));
        let categories = vec![Category::FileEvent];
        assert!(!Selection { categories, ..Selection::default() }.has(&event));
    }

    #[test]
    fn a_tree_has_its_root_and_what_came_of_it() {
        let event = sample::event();
        let (own, parent) = (event.process.key.pid, event.ancestors[0].key.pid);
        let of = |process| Selection { process: Some(process), ..Selection::default() };
        assert!(of(Root::Process(own)).has(&event) && of(Root::Tree(own)).has(&event));
        assert!(!of(Root::Process(parent)).has(&event) && of(Root::Tree(parent)).has(&event));
        assert!(!of(Root::Tree(1)).has(&event));
    }

    #[test]
    fn a_container_is_found_by_name_and_id_and_shown_until_it_is_named() {
        let mut event = sample::event();
        let of = |name: &str| Selection { container: Some(name.to_owned()), ..Selection::default() };
        for (name, expected) in [("web-1", true), ("8f3a", true), ("8f3", false), ("web-2", false)] {
            assert_eq!(of(name).has(&event), expected, "{name}");
        }
        event.container = Some(Arc::new(Container {
            name: None,
            image: None,
            confirmation: Confirmation::Asked,
            ..sample::container()
        }));
        assert!(of("web-2").has(&event), "it may be that one");
        event.container = None;
        assert!(!of("web-1").has(&event));
    }
}
