//! Fields of who it was: the program's origin, the container's, the pod's, and what speaks for them.

use super::{Each, Field, all, one, text};
use crate::event::Event;
use crate::sigma::{Presence, Value};
use crate::state::container::{Pod, Role};
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
            Field::ExeWriterCommandLine => text(written.map(|written| written.command_line.as_str()), each),
            Field::ContainerImageId => self.container(|container| container.image_id.as_deref(), each),
            Field::ContainerImageDigest => {
                self.container(|container| container.image_digest.as_deref(), each)
            }
            Field::ContainerVerified => match &self.container {
                Some(container) if container.verified => one(Value::Bool(true), each),
                Some(_) => Presence::Pending,
                None => Presence::Absent,
            },
            Field::ContainerNesting => {
                let nested = self.container.iter().flat_map(|container| &container.nested);
                all(nested.map(|id| Value::Text(id)), each)
            }
            Field::ContainerRole => self.container(
                |container| {
                    // What it is for is known with its name.
                    container.verified.then_some(match container.role {
                        Role::Workload => "workload",
                        Role::Sandbox => "sandbox",
                        Role::Build => "build",
                    })
                },
                each,
            ),
            Field::ContainerPhase => text(self.phase.map(Phase::name), each),
            Field::PodUid => self.container(|container| container.pod_uid.as_deref(), each),
            Field::PodLabels => {
                let labels = self.pod().into_iter().flat_map(|pod| &pod.labels);
                let labels: Vec<String> = labels.map(|(key, value)| format!("{key}={value}")).collect();
                self.of_pod(all(labels.iter().map(|label| Value::Text(label)), each))
            }
            Field::PodOwner => {
                let owner = self.pod().and_then(|pod| pod.owner.as_ref());
                let owner = owner.map(|owner| format!("{}/{}", owner.kind, owner.name));
                self.of_pod(text(owner.as_deref(), each))
            }
            Field::PodServiceAccount => {
                let account = self.pod().and_then(|pod| pod.service_account.as_deref());
                self.of_pod(text(account, each))
            }
            Field::NodeName => self.of_pod(text(self.pod().and_then(|pod| pod.node.as_deref()), each)),
            Field::CgroupContainerId => claim(&standing.cgroup, each),
            Field::MountContainerId => claim(&standing.mount, each),
            Field::PidContainerId => claim(&standing.pid, each),
            Field::IdentityTrick => text(standing.trick.map(Trick::name), each),
            _ => Presence::Absent,
        }
    }

    fn pod(&self) -> Option<&Pod> {
        self.container.as_ref()?.pod.as_ref()
    }

    /// What only the API tells is neither known nor known to be absent while it is being told.
    fn of_pod(&self, presence: Presence) -> Presence {
        let is_awaited = self.container.as_ref().is_some_and(|container| container.awaits_pod);
        if presence == Presence::Absent && is_awaited { Presence::Pending } else { presence }
    }
}

fn claim(claim: &Claim, each: Each<'_>) -> Presence {
    match claim {
        Claim::Unknown => Presence::Absent,
        Claim::Host => one(Value::Text("host"), each),
        Claim::Container(id) => one(Value::Text(id), each),
    }
}
