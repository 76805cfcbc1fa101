//! Keywords: texts without a field, searched in the whole record (rules specification, "Keywords search").
//!
//! The specification searches "an entire event" and knows no message that our records would have. Our choice: a
//! keyword is a question to every value of a record, whatever its field ([`FieldId::MESSAGE`]), and holds if one
//! of them contains it. Wildcards, case and modifiers are those of any value; a chain that names a place
//! (`'|startswith'`) means the place in a value. The keywords of `'|all'` may be found in different values. What
//! needs one field (`exists`, `fieldref`, comparisons of numbers and dates) is refused.

use super::detection::Key;
use super::document::Reader;
use super::expression::Expression;
use super::modifier::{Comparison, Modifiers};
use super::pattern::Place;
use super::record::FieldId;
use super::yaml::{Node, Scalar};

impl Reader<'_> {
    /// A keyword that stands alone or in a list.
    pub(super) fn keyword(&mut self, node: &Node) -> Option<Expression> {
        let modifiers = Modifiers { place: Place::Anywhere, ..Modifiers::default() };
        self.value(&Key { field: FieldId::MESSAGE, modifiers }, node)
    }

    /// The key of keywords with modifiers, `'|all'`.
    pub(super) fn keyword_key(&mut self, key: &Scalar, mut read: Key) -> Option<Key> {
        match read.modifiers.comparison {
            Comparison::Text => {
                if read.modifiers.place == Place::Whole {
                    read.modifiers.place = Place::Anywhere;
                }
                Some(read)
            }
            Comparison::Regex(_) | Comparison::Cidr => Some(read),
            Comparison::Order(_) | Comparison::Exists | Comparison::FieldRef | Comparison::Moment(..) => {
                let help = Some("write the field before the first `|`".to_owned());
                self.refuse(key.span(), "these modifiers need a field, and this is a keyword", help)
            }
        }
    }
}
