//! What is new for an image, by what was learned of it.

use sigma::{Presence, Value};

use super::{Each, Field, one};
use crate::event::Event;
use crate::state::baseline::{Image, destination_of, image_of};

impl Event {
    /// Absent without a baseline, of images it does not have, where its list is only a part, and of events that say
    /// nothing of the matter.
    pub(super) fn baseline(&self, field: Field, each: Each<'_>) -> Presence {
        let (Some(baseline), Some(container)) = (&self.baseline, &self.container) else {
            return Presence::Absent;
        };
        let is_executable = field == Field::ExeNewForImage;
        let destination = if is_executable { None } else { destination_of(self) };
        let is_asked = is_executable
            || (destination.is_some()
                && (field == Field::DestinationNewForImage || self.sent_in_hour.is_some()));
        if !is_asked {
            return Presence::Absent;
        }
        let normal = match image_of(container) {
            Image::Known(image) => baseline.normal(image),
            Image::Pending => return Presence::Pending,
            Image::None => None,
        };
        let Some(normal) = normal else { return Presence::Absent };
        let is_new = match (destination, self.sent_in_hour) {
            (None, _) => normal.is_new_executable(&self.process.executable),
            (Some(destination), _) if field == Field::DestinationNewForImage => {
                normal.is_new_destination(&destination)
            }
            (Some(destination), Some(sent)) => {
                baseline.volume_max(normal, &destination).map(|most| sent > most)
            }
            (Some(_), None) => None,
        };
        is_new.map_or(Presence::Absent, |is_new| one(Value::Bool(is_new), each))
    }
}
