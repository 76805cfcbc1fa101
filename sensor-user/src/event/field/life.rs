//! What becomes of a container as a whole, and which registry its image comes from.

use sigma::{Presence, Value};

use super::{Each, Field, one, text};
use crate::event::{Body, ContainerAction, Event};

impl Event {
    pub(super) fn life(&self, field: Field, each: Each<'_>) -> Presence {
        if field == Field::ContainerImageRegistry {
            return self.image_registry(each);
        }
        let number = |value: u64| Value::Number(i64::try_from(value).unwrap_or(i64::MAX));
        match (&self.body, field) {
            (Body::ContainerEvent(life), Field::ContainerAction) => text(Some(life.action.name()), each),
            (Body::ContainerEvent(life), Field::ContainerAge) => one(number(life.age), each),
            (Body::ContainerEvent(life), Field::ContainerAlertCount)
                if life.action == ContainerAction::End =>
            {
                one(number(life.alerts.into()), each)
            }
            (Body::ContainerResource(used), Field::ContainerResource) => {
                text(Some(used.resource.name()), each)
            }
            (Body::ContainerResource(used), Field::ContainerResourceValue) => one(number(used.value), each),
            (Body::ContainerResource(used), Field::ContainerResourceNormal) => one(number(used.normal), each),
            (Body::ContainerResource(used), Field::ContainerResourceRatio) => one(number(used.ratio()), each),
            _ => Presence::Absent,
        }
    }

    fn image_registry(&self, each: Each<'_>) -> Presence {
        let Some(container) = &self.container else { return Presence::Absent };
        if container.image.is_none() && !container.is_complete() {
            return Presence::Pending;
        }
        text(container.image_registry(), each)
    }
}
