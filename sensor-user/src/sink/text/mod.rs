//! Messages for people at a terminal.

pub mod escape;

use crate::alert::Message;

/// One message as lines for a terminal of `width` columns.
#[must_use]
pub fn render(message: &Message, width: usize, colour: bool) -> String {
    let _ = (width, colour);
    format!("{message:?}\n")
}
