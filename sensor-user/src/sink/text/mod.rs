//! Messages for people at a terminal: what happened, to whom, in which order, and what to do now,
//! on one screen.
//!
//! Pure: how wide the terminal is, whether it has colours and which time zone its reader lives in
//! are arguments. Every text passes through [`escape::visible`] when it becomes a [`line::Span`],
//! the only way into a line, so no text can forge a line or move the cursor. What is too long ends
//! in an ellipsis; the document has it whole.

mod alert;
mod check;
mod event;
pub mod escape;
mod line;
mod notice;
mod picture;
pub mod quantity;
mod rule;
mod status;
mod witness;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use check::{Examination, render as check};
pub(crate) use event::render as event;
pub use picture::render as picture;
pub use quantity::{bytes, duration, fine, grouped};
pub use status::render as status;

use crate::alert::Message;
use crate::canary;

/// How somebody looks at messages.
#[derive(Clone, Debug)]
pub struct View {
    /// Columns; fewer than [`WIDTH_MIN`] are taken for that many.
    pub width: usize,
    pub colour: bool,
    /// In which times of day are told.
    pub zone: TimeZone,
}

/// Below this many columns nothing can be aligned any more, and lines are left to wrap.
pub const WIDTH_MIN: usize = 40;

/// Beyond this many columns the eye loses the line: wider terminals get this much.
const WIDTH_MAX: usize = 140;

impl View {
    fn columns(&self) -> usize {
        self.width.clamp(WIDTH_MIN, WIDTH_MAX)
    }

    /// `12:03:14.281`.
    fn time_of_day(&self, time: Timestamp) -> String {
        time.to_zoned(self.zone.clone()).strftime("%H:%M:%S%.3f").to_string()
    }
}

/// One message as lines, each ended by a newline; nothing of a heartbeat.
#[must_use]
pub fn render(message: &Message, view: &View) -> String {
    let lines = match message {
        Message::Alert(alert) if canary::is_alone(alert) => vec![notice::lone_canary(alert, view)],
        Message::Alert(alert) => alert::lines(alert, view),
        Message::Notice(notice) => notice::lines(notice, view),
    };
    let mut text = String::new();
    for line in lines {
        line.paint(view.colour, &mut text);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests;
