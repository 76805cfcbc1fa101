//! What it tells, and with which rights.

use anyhow::{Context as _, Result, ensure};
use sensor_user::state::container::{CgroupIdentity, Container, ContainerTable, Owner, Pod, Runtime};
use sensor_user::state::pod::{PodFacts, PodUpdate};

use crate::{Case, NODE, Source, World, pod};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case { name: "a pod's labels, owner, account and node are told", run: told },
        Case { name: "a CronJob is told behind its Job", run: cron },
        Case { name: "pods of other nodes are not", run: other_node },
        Case { name: "a change, a container's id and the end are told", run: change },
        Case { name: "names of a bundle and labels of the API come together", run: join },
        Case { name: "the rights of deploy/kubernetes are enough and no more", run: rights },
        Case { name: "without rights it waits until it has some", run: without_rights },
        Case { name: "without the right to follow makers they are told themselves", run: makers },
    ]
}

/// The facts of a pod, once they are told.
pub(crate) fn known(source: &mut Source, uid: &str) -> Result<PodFacts> {
    source.until(&format!("pod {uid}"), |update| match update {
        PodUpdate::Known(facts) if facts.pod.uid == uid => Some(PodFacts::clone(facts)),
        PodUpdate::Known(_)
        | PodUpdate::Listening(_)
        | PodUpdate::Gone { .. }
        | PodUpdate::Listed(_)
        | PodUpdate::Owned { .. } => None,
    })
}

fn owner(kind: &str, name: &str) -> Owner {
    Owner { kind: kind.to_owned(), name: name.to_owned() }
}

/// The owner behind a maker, once it is told.
fn owned(source: &mut Source, of: &Owner) -> Result<Owner> {
    source.until(&format!("the owner of {}", of.name), |update| match update {
        PodUpdate::Owned { namespace, maker, owner } if maker == of && namespace == "shop" => {
            Some(owner.clone())
        }
        PodUpdate::Owned { .. }
        | PodUpdate::Known(_)
        | PodUpdate::Listening(_)
        | PodUpdate::Gone { .. }
        | PodUpdate::Listed(_) => None,
    })
}

fn told(world: &World) -> Result<()> {
    let maker = pod::deployment(&world.cluster.borrow(), "web")?;
    let uid = pod::create(&world.cluster.borrow(), "web", NODE, &maker)?;
    pod::settle(&world.cluster.borrow())?;
    let mut source = world.source()?;
    let facts = known(&mut source, &uid)?;
    let set = owner("ReplicaSet", "web-65747dc769");
    let labels = [("app", "web"), ("tier", "front")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let expected = Pod {
        name: "web".to_owned(),
        namespace: "shop".to_owned(),
        uid: uid.clone(),
        labels: labels.into(),
        owner: Some(set.clone()),
        node: Some(NODE.to_owned()),
        service_account: Some("shop".to_owned()),
    };
    ensure!(facts.pod == expected, "{:?}", facts.pod);
    let probes = facts.containers.first().map(|container| container.probes.clone());
    ensure!(probes == Some(vec![vec!["cat".to_owned(), "/tmp/healthy".to_owned()]]), "{probes:?}");
    let found = owned(&mut source, &set)?;
    ensure!(found == owner("Deployment", "web"), "{found:?}");
    // Its next word has the owner at once.
    pod::label(&world.cluster.borrow(), "web", "seen", "yes")?;
    let facts = known(&mut source, &uid)?;
    ensure!(facts.pod.owner == Some(owner("Deployment", "web")), "{:?}", facts.pod.owner);
    pod::delete(&world.cluster.borrow(), "web")
}

fn cron(world: &World) -> Result<()> {
    let mut source = world.source()?;
    source.until_listening(true)?;
    let maker = pod::job(&world.cluster.borrow(), "report")?;
    let uid = pod::create(&world.cluster.borrow(), "report", NODE, &maker)?;
    known(&mut source, &uid)?;
    let found = owned(&mut source, &owner("Job", "report-1700000000"))?;
    ensure!(found == owner("CronJob", "report"), "{found:?}");
    pod::delete(&world.cluster.borrow(), "report")
}

fn other_node(world: &World) -> Result<()> {
    let elsewhere = pod::create(&world.cluster.borrow(), "elsewhere", "node-2", "")?;
    pod::settle(&world.cluster.borrow())?;
    let mut source = world.source()?;
    source.until_listening(true)?;
    let later = pod::create(&world.cluster.borrow(), "elsewhere-too", "node-2", "")?;
    // Made after both: when it is told, they would have been.
    let here = pod::create(&world.cluster.borrow(), "here", NODE, "")?;
    known(&mut source, &here)?;
    let told = format!("{:?}", source.told);
    ensure!(!told.contains(&elsewhere) && !told.contains(&later), "{told}");
    for name in ["elsewhere", "elsewhere-too", "here"] {
        pod::delete(&world.cluster.borrow(), name)?;
    }
    Ok(())
}

fn change(world: &World) -> Result<()> {
    let mut source = world.source()?;
    source.until_listening(true)?;
    let uid = pod::create(&world.cluster.borrow(), "api", NODE, "")?;
    ensure!(known(&mut source, &uid)?.containers.iter().all(|container| container.id.is_none()));
    pod::runs(&world.cluster.borrow(), "api", &"4".repeat(64))?;
    let facts = known(&mut source, &uid)?;
    let container = facts.containers.first().context("no container")?;
    ensure!(
        container.id == Some("4".repeat(64)) && container.runtime == Runtime::Containerd,
        "{container:?}"
    );
    pod::label(&world.cluster.borrow(), "api", "tier", "back")?;
    let facts = known(&mut source, &uid)?;
    ensure!(facts.pod.labels.get("tier").is_some_and(|tier| tier == "back"), "{:?}", facts.pod.labels);
    pod::delete(&world.cluster.borrow(), "api")?;
    let gone = PodUpdate::Gone { uid };
    source.until("its end", |update| (*update == gone).then_some(()))
}

/// The table that the agent has: a bundle names the container, the API its pod.
fn join(world: &World) -> Result<()> {
    let id = "5".repeat(64);
    let mut source = world.source()?;
    source.until_listening(true)?;
    let maker = pod::deployment(&world.cluster.borrow(), "cart")?;
    let uid = pod::create(&world.cluster.borrow(), "cart", NODE, &maker)?;
    let identity = CgroupIdentity {
        id: id.clone(),
        runtime: Runtime::Containerd,
        pod_uid: Some(uid.clone()),
        outer: Vec::new(),
        user: None,
    };
    let mut table = ContainerTable::default();
    table.see(42, &identity, 0);
    let bundle = Container {
        name: Some("cart".to_owned()),
        image: Some("docker.io/shop/cart:1".to_owned()),
        pod: Some(Pod { name: "cart".to_owned(), namespace: "shop".to_owned(), uid, ..Pod::default() }),
        ..Container::from_cgroup(&identity)
    };
    table.complete(&id, bundle);
    owned(&mut source, &owner("ReplicaSet", "cart-65747dc769"))?;
    source.told.drain(..).for_each(|update| table.tell_pod(update, 0));
    let container = table.get(&id).context("it is not known")?;
    ensure!(container.image.as_deref() == Some("docker.io/shop/cart:1"), "{container:?}");
    let pod = container.pod.as_ref().context("it has no pod")?;
    ensure!(pod.owner == Some(owner("Deployment", "cart")) && pod.labels.len() == 2, "{pod:?}");
    pod::delete(&world.cluster.borrow(), "cart")
}

fn rights(world: &World) -> Result<()> {
    let cluster = world.cluster.borrow();
    let token = cluster.token("tidewaiter", "tidewaiter")?;
    for path in ["/api/v1/pods", "/api/v1/pods?watch=1&timeoutSeconds=1"] {
        let code = cluster.status(&token, path)?;
        ensure!(code == 200, "{path}: {code}");
    }
    for path in [
        "/api/v1/secrets",
        "/api/v1/namespaces/shop/pods/web/log",
        "/api/v1/nodes",
        "/api/v1/configmaps",
        "/apis/apps/v1/replicasets",
        "/apis/apps/v1/deployments",
        "/apis/batch/v1/jobs",
    ] {
        let code = cluster.status(&token, path)?;
        ensure!(code == 403, "{path}: {code}");
    }
    Ok(())
}

/// Makes an account that may do nothing.
fn account(world: &World, name: &str) -> Result<String> {
    let cluster = world.cluster.borrow();
    cluster.create(&format!(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {name}\n  namespace: tidewaiter\n"
    ))?;
    cluster.token("tidewaiter", name)
}

/// Lets an account ask for pods, and for nothing else.
fn allow(world: &World, name: &str) -> Result<()> {
    world.cluster.borrow().create(&format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata:\n  name: {name}\nroleRef: \
         {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: tidewaiter-pods}}\nsubjects: [{{kind: \
         ServiceAccount, name: {name}, namespace: tidewaiter}}]\n"
    ))
}

fn without_rights(world: &World) -> Result<()> {
    let token = account(world, "stranger")?;
    let path = {
        let cluster = world.cluster.borrow();
        cluster.kubeconfig("stranger", &token, cluster.port(), true)?
    };
    let uid = pod::create(&world.cluster.borrow(), "waiting", NODE, "")?;
    let mut source = Source::start(&path)?;
    source.until_listening(false)?;
    ensure!(source.told == [PodUpdate::Listening(false)], "{:?}", source.told);
    allow(world, "stranger")?;
    known(&mut source, &uid)?;
    source.until_listening(true)?;
    pod::delete(&world.cluster.borrow(), "waiting")
}

fn makers(world: &World) -> Result<()> {
    let token = account(world, "half")?;
    allow(world, "half")?;
    let path = {
        let cluster = world.cluster.borrow();
        cluster.kubeconfig("half", &token, cluster.port(), true)?
    };
    let mut source = Source::start(&path)?;
    source.until_listening(true)?;
    let maker = pod::deployment(&world.cluster.borrow(), "shop")?;
    let uid = pod::create(&world.cluster.borrow(), "shop", NODE, &maker)?;
    let set = Some(owner("ReplicaSet", "shop-65747dc769"));
    ensure!(known(&mut source, &uid)?.pod.owner == set);
    // The watch goes on beside the refused question, and says the same.
    pod::label(&world.cluster.borrow(), "shop", "seen", "yes")?;
    ensure!(known(&mut source, &uid)?.pod.owner == set);
    pod::delete(&world.cluster.borrow(), "shop")
}
