//! Fields of who it was: the program's origin, the container's, the pod's, and what speaks for them.

use sigma::{Presence, Value};

use super::{Each, Field, all, one, size, text};
use crate::event::Event;
use crate::state::container::{Confirmation, Pod};
use crate::state::phase::Phase;
use crate::state::standing::{Claim, Trick};

impl Event {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the table names the fields that come here")]
    pub(super) fn identity(&self, field: Field, each: Each<'_>) -> Presence {
        let (executable, standing) = (&self.process.executable, &self.process.standing);
        let written = executable.written.as_deref();
        match field {
            Field::ExeWritten => one(Value::Bool(written.is_some()), each),
            Field::ExeWriterImage => text(written.map(|written| written.image.as_str()), each),
            Field::ExeWriterCommandLine => text(written.map(|written| written.arguments.line()), each),
            Field::ExeWriterBytesReceived => size(written.and_then(|written| written.received), each),
            Field::ContainerImageId => self.container(|container| container.image_id.as_deref(), each),
            Field::ContainerImageDigest => {
                self.container(|container| container.image_digest.as_deref(), each)
            }
            Field::ContainerVerified => match &self.container {
                Some(container) if container.confirmation == Confirmation::Asked => Presence::Pending,
                Some(container) => one(Value::Bool(container.is_verified()), each),
                None => Presence::Absent,
            },
            Field::ContainerNesting => {
                let nested = self.container.iter().flat_map(|container| &container.nested);
                all(nested.map(|id| Value::Text(id)), each)
            }
            Field::ContainerRole => self.container(
                |container| {
                    // What it is for is known with its name.
                    container.is_complete().then_some(container.role.name())
                },
                each,
            ),
            Field::ContainerPhase => match &self.container {
                // What it is for, and how its health is asked for, comes with its name.
                Some(container) if container.is_asked() && self.phase != Some(Phase::Build) => {
                    Presence::Pending
                }
                _ => text(self.phase.map(Phase::name), each),
            },
            Field::PodUid => self.container(|container| container.pod_uid.as_deref(), each),
            Field::PodLabels => {
                let labels = |pod: &Pod| {
                    let labels = pod.labels.iter().map(|(name, value)| format!("{name}={value}"));
                    all(labels.collect::<Vec<_>>().iter().map(|label| Value::Text(label)), each)
                };
                self.by_api(labels)
            }
            Field::PodOwner => {
                let owner =
                    |pod: &Pod| pod.owner.as_ref().map(|owner| format!("{}/{}", owner.kind, owner.name));
                self.by_api(|pod| text(owner(pod).as_deref(), each))
            }
            Field::PodServiceAccount => self.by_api(|pod| text(pod.service_account.as_deref(), each)),
            Field::NodeName => self.by_api(|pod| text(pod.node.as_deref(), each)),
            Field::CgroupContainerId => claim(&standing.cgroup, each),
            Field::MountContainerId => claim(&standing.mount, each),
            Field::PidContainerId => claim(&standing.pid, each),
            Field::IdentityTrick => text(standing.trick.map(Trick::name), each),
            _ => Presence::Absent,
        }
    }

    /// The pod, or whether one may become known.
    fn pod(&self) -> Result<&Pod, Presence> {
        let Some(container) = &self.container else { return Err(Presence::Absent) };
        let missing = if container.is_complete() { Presence::Absent } else { Presence::Pending };
        container.pod.as_ref().ok_or(missing)
    }

    /// What only the Kubernetes API tells of the pod: while it is about to, neither known nor known to be absent.
    fn by_api(&self, tell: impl FnOnce(&Pod) -> Presence) -> Presence {
        let is_awaited = self.container.as_ref().is_some_and(|container| container.awaits_pod);
        let presence = self.pod().map_or_else(|presence| presence, tell);
        if presence == Presence::Absent && is_awaited { Presence::Pending } else { presence }
    }
}

fn claim(claim: &Claim, each: Each<'_>) -> Presence {
    text(claim.text(), each)
}
