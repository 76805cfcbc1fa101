//! What it does when the server, or the way to it, fails.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use sensor_user::state::pod::PodUpdate;
use tests::wait;
use tests::wire::{Mode, Wire};

use crate::ask::known;
use crate::{Case, NODE, Source, TOLD_MAX, World, pod};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case { name: "a watch that ends in order goes on where it was", run: ended },
        Case { name: "a watch that breaks goes on where it was", run: broken },
        Case { name: "a server that takes connections and never answers", run: held },
        Case { name: "a watch over which nothing comes any more is given up", run: silent },
        Case { name: "a server that cannot prove who it is gets no question", run: unproven },
        Case { name: "a server that forgot where the watch was is asked for a list", run: forgotten },
    ]
}

/// A source through a wire.
fn through(world: &World, wire: &Wire) -> Result<Source> {
    Source::start(&world.kubeconfig(wire.port())?)
}

/// The server ends each watch after the 3 s it is asked for.
fn ended(world: &World) -> Result<()> {
    let mut source = world.source()?;
    source.until_listening(true)?;
    source.until_listening(true)?;
    let uid = pod::create(&world.cluster.borrow(), "late", NODE, "")?;
    known(&mut source, &uid)?;
    ensure!(source.lists() == 1, "{} lists", source.lists());
    ensure!(!source.told.contains(&PodUpdate::Listening(false)), "an end in order is no failure");
    pod::delete(&world.cluster.borrow(), "late")
}

fn broken(world: &World) -> Result<()> {
    let wire = Wire::start(world.cluster.borrow().port(), Mode::Open)?;
    let mut source = through(world, &wire)?;
    source.until_listening(true)?;
    wire.set(Mode::Cut);
    source.until_listening(false)?;
    // What happens meanwhile is told afterwards, also what began and ended in it.
    let uid = pod::create(&world.cluster.borrow(), "between", NODE, "")?;
    pod::delete(&world.cluster.borrow(), "between")?;
    wire.set(Mode::Open);
    known(&mut source, &uid)?;
    let gone = PodUpdate::Gone { uid };
    source.until("its end", |update| (*update == gone).then_some(()))?;
    ensure!(source.lists() == 1, "{} lists", source.lists());
    Ok(())
}

fn held(world: &World) -> Result<()> {
    let uid = pod::create(&world.cluster.borrow(), "patient", NODE, "")?;
    let wire = Wire::start(world.cluster.borrow().port(), Mode::Held)?;
    let start = Instant::now();
    let mut source = through(world, &wire)?;
    ensure!(start.elapsed() < Duration::from_secs(2), "it was waited for: {:?}", start.elapsed());
    source.until_listening(false)?;
    wire.set(Mode::Open);
    known(&mut source, &uid)?;
    pod::delete(&world.cluster.borrow(), "patient")
}

/// The wire takes all and carries nothing: no end, no error. Only the clock tells.
fn silent(world: &World) -> Result<()> {
    let wire = Wire::start(world.cluster.borrow().port(), Mode::Open)?;
    let mut source = through(world, &wire)?;
    source.until_listening(true)?;
    let connections = wire.accepted();
    wire.set(Mode::Muted);
    source.until_listening(false)?;
    wire.set(Mode::Open);
    let uid = pod::create(&world.cluster.borrow(), "again", NODE, "")?;
    known(&mut source, &uid)?;
    ensure!(wire.accepted() > connections, "over the old connection");
    pod::delete(&world.cluster.borrow(), "again")
}

fn unproven(world: &World) -> Result<()> {
    let wire = Wire::start(world.cluster.borrow().port(), Mode::Open)?;
    let path = {
        let cluster = world.cluster.borrow();
        cluster.kubeconfig("untrusting", "a-token", wire.port(), false)?
    };
    let mut source = Source::start(&path)?;
    source.until_listening(false)?;
    wait::until(TOLD_MAX, "a second attempt", || Ok((wire.accepted() > 1).then_some(())))?;
    ensure!(source.told.iter().all(|update| *update == PodUpdate::Listening(false)), "{:?}", source.told);
    Ok(())
}

/// A server that starts anew remembers nothing from before: it answers 410 Gone.
fn forgotten(world: &World) -> Result<()> {
    let stays = pod::create(&world.cluster.borrow(), "stays", NODE, "")?;
    let goes = pod::create(&world.cluster.borrow(), "goes", NODE, "")?;
    pod::settle(&world.cluster.borrow())?;
    let wire = Wire::start(world.cluster.borrow().port(), Mode::Open)?;
    let mut source = through(world, &wire)?;
    source.until_listening(true)?;
    wire.set(Mode::Cut);
    source.until_listening(false)?;
    pod::delete(&world.cluster.borrow(), "goes")?;
    world.cluster.borrow_mut().restart()?;
    pod::settle(&world.cluster.borrow())?;
    wire.set(Mode::Open);
    let listed = source.until("a list", |update| match update {
        PodUpdate::Listed(uids) => Some(uids.clone()),
        PodUpdate::Known(_) | PodUpdate::Listening(_) | PodUpdate::Gone { .. } | PodUpdate::Owned { .. } => {
            None
        }
    })?;
    ensure!(listed.contains(&stays) && !listed.contains(&goes), "{listed:?}");
    pod::delete(&world.cluster.borrow(), "stays")
}
