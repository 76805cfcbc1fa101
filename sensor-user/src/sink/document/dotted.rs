//! A document that is filled by dotted names: `process.parent.pid` lies three deep.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

/// Keys in the order in which they were first set.
#[derive(Debug, Default)]
pub(super) struct Dotted(Vec<(&'static str, Node)>);

#[derive(Debug)]
enum Node {
    Leaf(Value),
    Branch(Dotted),
    List(Vec<Dotted>),
}

impl Serialize for Dotted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, node) in &self.0 {
            match node {
                Node::Leaf(value) => map.serialize_entry(name, value)?,
                Node::Branch(branch) => map.serialize_entry(name, branch)?,
                Node::List(list) => map.serialize_entry(name, list)?,
            }
        }
        map.end()
    }
}

impl Dotted {
    /// Puts a value at a dotted name. What stood there before is replaced.
    pub(super) fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        self.put(name, Node::Leaf(value.into()));
    }

    /// The same, where there is a value.
    pub(super) fn set_known(&mut self, name: &'static str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    /// Puts several documents at a dotted name.
    pub(super) fn set_list(&mut self, name: &'static str, list: Vec<Self>) {
        self.put(name, Node::List(list));
    }

    fn put(&mut self, name: &'static str, value: Node) {
        let (first, rest) = match name.split_once('.') {
            Some((first, rest)) => (first, Some(rest)),
            None => (name, None),
        };
        let at = self.0.iter().position(|(known, _)| *known == first);
        match (rest, at.and_then(|at| self.0.get_mut(at))) {
            (None, Some((_, node))) => *node = value,
            (None, None) => self.0.push((first, value)),
            (Some(rest), Some((_, Node::Branch(branch)))) => branch.put(rest, value),
            (Some(rest), known) => {
                let mut branch = Self::default();
                branch.put(rest, value);
                match known {
                    Some((_, node)) => *node = Node::Branch(branch),
                    None => self.0.push((first, Node::Branch(branch))),
                }
            }
        }
    }
}
