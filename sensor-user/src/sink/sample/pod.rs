//! An alert in a pod.

use std::sync::Arc;

use super::{alert, container};
use crate::alert::Alert;
use crate::state::container::{Container, Owner, Pod};

/// One in a pod of which the Kubernetes API tells.
pub(crate) fn in_pod() -> Alert {
    let labels = [("app", "web"), ("tier", "front")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let pod = Pod {
        name: "web-65747dc769-pjztg".to_owned(),
        namespace: "shop".to_owned(),
        uid: "4cad64d0-7a36-452a-8a08-bd3a694cdad5".to_owned(),
        labels: labels.into(),
        owner: Some(Owner { kind: "Deployment".to_owned(), name: "web".to_owned() }),
        node: Some("node-1".to_owned()),
        service_account: Some("shop".to_owned()),
    };
    let mut alert = alert();
    alert.container =
        Some(Arc::new(Container { pod_uid: Some(pod.uid.clone()), pod: Some(pod), ..container() }));
    alert
}
