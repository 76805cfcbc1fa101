//! A crowd of containers that each upload one file and are gone before anybody could ask about them, started
//! as fast as the runtime can: every one is told, under its right id, with its names.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::Value;
use tests::agent::{Agent, Line};
use tests::bundle::{Bundle, BundleSpec, Program};
use tests::docker::IMAGE;
use tests::wait;
use tests::world::SHARED;

use crate::Stage;

/// Containers of each engine.
const COUNT_FULL: usize = 500;
/// Of those that start a program or more for each container, and take as long for it.
const COUNT_FULL_SLOW: usize = 100;
const COUNT_SHORT: usize = 40;
/// Who start them beside each other: enough that the runtime never waits for us.
const STARTERS: usize = 3;
/// Pods that share the containers of CRI.
const PODS: usize = 4;
/// "Gone at once": who lived longer is told and judged, and does not count. Others take their place.
const LIFE_MAX: Duration = Duration::from_millis(50);
/// How often places are filled again. Where most live longer than [`LIFE_MAX`], the machine is too busy.
const ROUNDS_MAX: usize = 5;
/// Of a hundred, alerts whose first version has name and image.
const NAMED_FIRST_MIN: usize = 99;
/// Of a hundred, alerts with the right id, and with name and image at last.
const RIGHT_MIN: usize = 100;
/// The same of containers with no engine above them. What says who they are lies there for some 20 ms, and an
/// agent that the machine does not let run meanwhile takes them for the host; it asks its keeper for each state that is
/// new. 32 to 39 of 40 were right in four runs, 27 the least while this was built.
const RIGHT_ALONE_MIN: usize = 60;
/// For the last container to end after the last start.
const END_MAX: Duration = Duration::from_secs(60);
/// For all alerts to come, and to be amended.
const ALERT_MAX: Duration = Duration::from_secs(20);
/// Between two looks at what has come; an alert wakes us earlier.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// One of the crowd.
struct Member {
    /// Of the container, as its runtime gave it.
    id: String,
    name: String,
    /// None: its runtime knows none.
    image: Option<&'static str>,
    /// What nobody else uploads to: it tells whose the command line is.
    url: String,
}

pub(crate) fn docker(stage: &Stage<'_>) -> Result<String> {
    let engine = stage.world.docker.engine();
    let crowd = Crowd { kind: "docker", full: COUNT_FULL, image: Some(IMAGE), right_min: RIGHT_MIN };
    let outcome = crowd.come(stage, |_, name, command| engine.run(name, command))?;
    wait::until(END_MAX, "the end of all containers", || {
        Ok((!engine.names()?.iter().any(|name| name.starts_with("docker-"))).then_some(()))
    })?;
    Ok(outcome)
}

pub(crate) fn cri(stage: &Stage<'_>) -> Result<String> {
    let containerd = stage.world.containerd()?;
    let pods = (0..PODS).map(|number| containerd.pod(&format!("crowd-{number}")));
    let pods = pods.collect::<Result<Vec<_>>>()?;
    let crowd = Crowd { kind: "cri", full: COUNT_FULL, image: Some(IMAGE), right_min: RIGHT_MIN };
    crowd.come(stage, |number, name, command| {
        let pod = pods.get(number % PODS).context("no such pod")?;
        let container = pod.container(name, IMAGE, None, command)?;
        container.start()?;
        Ok(container.id)
    })
}

pub(crate) fn podman(stage: &Stage<'_>) -> Result<String> {
    let (podman, volume) = (stage.world.podman()?, stage.world.volume());
    let crowd = Crowd { kind: "podman", full: COUNT_FULL_SLOW, image: Some(IMAGE), right_min: RIGHT_MIN };
    crowd.come(stage, |_, name, command| {
        let container = podman.create(name, volume, command)?;
        let ended = container.run()?;
        ensure!(ended.status.success(), "{name} ended with {}: {}", ended.status, ended.output);
        Ok(container.id.clone())
    })
}

pub(crate) fn runc(stage: &Stage<'_>) -> Result<String> {
    alone(stage, Program::Runc)
}

pub(crate) fn crun(stage: &Stage<'_>) -> Result<String> {
    alone(stage, Program::Crun)
}

/// No engine above it: the id is the name, and there is no image.
fn alone(stage: &Stage<'_>, program: Program) -> Result<String> {
    let (network, root, shared) =
        (stage.world.network(), stage.world.servers.root.as_path(), stage.world.shared());
    let directory = stage.world.directory();
    let crowd =
        Crowd { kind: program.name(), full: COUNT_FULL_SLOW, image: None, right_min: RIGHT_ALONE_MIN };
    crowd.come(stage, |_, name, command| {
        let spec = BundleSpec { id: name, root, mount: (&shared, SHARED), command };
        let ended = Bundle::make(directory, network, program, &spec)?.run()?;
        ensure!(ended.status.success(), "{name} ended with {}: {}", ended.status, ended.output);
        Ok(name.to_owned())
    })
}

/// Containers that are started in one way.
struct Crowd {
    kind: &'static str,
    /// How many in the long run.
    full: usize,
    image: Option<&'static str>,
    /// Of a hundred.
    right_min: usize,
}

impl Crowd {
    /// Lets as many come as are wanted that live less than [`LIFE_MAX`], and judges all that came. `start` gets
    /// a number, a name and a command, and gives the container's id.
    fn come(
        &self,
        stage: &Stage<'_>,
        start: impl Fn(usize, &str, &[&str]) -> Result<String> + Sync,
    ) -> Result<String> {
        let wanted = if stage.full { self.full } else { COUNT_SHORT };
        let (mut members, mut took) = (Vec::new(), Duration::ZERO);
        let mut told = Told::default();
        for _ in 0..ROUNDS_MAX {
            let missing = wanted - told.short().min(wanted);
            if missing == 0 {
                break;
            }
            let began = Instant::now();
            members.extend(self.gather(members.len()..members.len() + missing, &start)?);
            took += began.elapsed();
            told = await_told(stage, &members)?;
        }
        self.judge(&told, wanted, members.len(), took)
    }

    /// Starts all of them, [`STARTERS`] at a time.
    fn gather(
        &self,
        numbers: Range<usize>,
        start: impl Fn(usize, &str, &[&str]) -> Result<String> + Sync,
    ) -> Result<Vec<Member>> {
        let next = AtomicUsize::new(numbers.start);
        let one_by_one = || -> Result<Vec<Member>> {
            let mut started = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= numbers.end {
                    return Ok(started);
                }
                let name = format!("{}-{number}", self.kind);
                let url = format!("http://10.201.0.1/upload/{name}");
                let id = start(number, &name, &["curl", "-sS", "-T", "/etc/passwd", &url])?;
                started.push(Member { id, name, image: self.image, url });
            }
        };
        std::thread::scope(|scope| {
            let starters = (0..STARTERS).map(|_| scope.spawn(one_by_one)).collect::<Vec<_>>();
            let ended =
                starters.into_iter().map(|one| one.join().map_err(|_| anyhow!("a starter panicked"))?);
            Ok(ended.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
        })
    }

    /// Holds what was told against what is true.
    fn judge(&self, told: &Told, wanted: usize, count: usize, took: Duration) -> Result<String> {
        let short = told.short();
        let figures = format!(
            "{count} in {:.1} s ({:.1}/s): {} alerts, {} right ids, {} named at first, {} at last; \
             alert after {}; lives {}, {short} below {} ms",
            took.as_secs_f64(),
            count as f64 / took.as_secs_f64(),
            told.alerts,
            told.right,
            told.named_first,
            told.named_last,
            Spread::of(&told.delays),
            Spread::of(&told.lives),
            LIFE_MAX.as_millis(),
        );
        let example = told.example.as_deref().unwrap_or_default();
        // Of forty one may lack what one of a hundred may.
        let are = |of: usize, percent: usize| of >= count * percent / 100;
        let first_min = NAMED_FIRST_MIN.min(self.right_min);
        let is_good = told.alerts == count
            && are(told.right, self.right_min)
            && are(told.named_first, first_min)
            && are(told.named_last, self.right_min);
        ensure!(is_good, "{figures}\n        {example}");
        ensure!(short >= wanted, "they live too long to prove anything: {figures}");
        Ok(figures)
    }
}

/// What was told of a crowd.
#[derive(Default)]
struct Told {
    alerts: usize,
    right: usize,
    named_first: usize,
    named_last: usize,
    /// From the first thing told to the alert's arrival.
    delays: Vec<Duration>,
    /// From its program's start to its end.
    lives: Vec<Duration>,
    /// Of the first alert that lacks something.
    example: Option<String>,
}

impl Told {
    /// How many lived less than [`LIFE_MAX`].
    fn short(&self) -> usize {
        self.lives.iter().filter(|life| **life < LIFE_MAX).count()
    }
}

/// Waits for what is told of each.
fn await_told(stage: &Stage<'_>, crowd: &[Member]) -> Result<Told> {
    // The uploads happened: without them, alerts would prove little.
    let arrived = |member: &Member| stage.world.servers.uploaded(&member.name).ok().flatten().is_some();
    let what = format!("{} uploads", crowd.len());
    wait::until(END_MAX, &what, || Ok(crowd.iter().all(arrived).then_some(())))?;
    let mut agent = stage.world.agent();
    let deadline = Instant::now() + ALERT_MAX;
    loop {
        let told = tell(&mut agent, crowd)?;
        if told.named_last == crowd.len() || Instant::now() >= deadline {
            return Ok(told);
        }
        agent.await_any(LOOK_AGAIN)?;
    }
}

fn tell(agent: &mut Agent, crowd: &[Member]) -> Result<Told> {
    let is_told = |line: &Line| line.is("alert") || line.is("amendment");
    let lines = agent.lines_so_far(|line| is_told(line) && !line.is_of_end())?;
    // Whose an alert is says its command line; the first version and the last.
    let mut versions: BTreeMap<&str, Vec<&Line>> = BTreeMap::new();
    for line in &lines {
        let arguments = line.field("process.args").and_then(Value::as_array);
        if let Some(url) = arguments.and_then(|arguments| arguments.last()?.as_str()) {
            versions.entry(url).or_default().push(line);
        }
    }
    let mut told = Told::default();
    for member in crowd {
        let versions = versions.get(member.url.as_str()).map_or(&[][..], Vec::as_slice);
        let alerts = versions.iter().filter(|line| line.is("alert")).collect::<Vec<_>>();
        told.alerts += alerts.len();
        if let [_, second, ..] = alerts.as_slice() {
            told.example.get_or_insert_with(|| format!("again: {}", second.document));
        }
        let (Some(first), Some(last)) = (versions.first(), versions.last()) else {
            let beside = lines.iter().find(|line| line.text("container.id") == member.id);
            let beside = beside.map(|line| &line.document);
            told.example
                .get_or_insert_with(|| format!("none about {} ({}), but {beside:?}", member.name, member.id));
            continue;
        };
        let is_right = versions.iter().all(|line| line.text("container.id") == member.id);
        told.right += usize::from(is_right);
        told.named_first += usize::from(is_named(first, member));
        told.named_last += usize::from(is_named(last, member));
        told.delays.push(first.delay()?);
        told.lives.extend(life(last));
        if !is_right || !is_named(first, member) {
            told.example
                .get_or_insert_with(|| format!("{} ({}): {}", member.name, member.id, first.document));
        }
    }
    Ok(told)
}

fn is_named(alert: &Line, member: &Member) -> bool {
    alert.text("container.name") == member.name
        && alert.text("container.image.name") == member.image.unwrap_or_default()
}

/// From the start of the alert's program to its end, by the kernel's clock.
fn life(alert: &Line) -> Option<Duration> {
    let pid = alert.field("process.pid");
    let steps = alert.field("tidewaiter.steps")?.as_array()?;
    let when = |action: &str| {
        let is = |step: &&Value| {
            step.get("pid") == pid && step.get("action").and_then(Value::as_str) == Some(action)
        };
        steps.iter().find(is)?.get("offset_ns")?.as_u64()
    };
    Some(Duration::from_nanos(when("exited")?.checked_sub(when("executed")?)?))
}

/// Percentiles of durations, milliseconds.
struct Spread(Vec<Duration>);

impl Spread {
    fn of(durations: &[Duration]) -> Self {
        let mut durations = durations.to_vec();
        durations.sort_unstable();
        Self(durations)
    }

    fn at(&self, percent: usize) -> u128 {
        let last = self.0.len().saturating_sub(1);
        self.0.get(last * percent / 100).map_or(0, Duration::as_millis)
    }
}

impl Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [half, most, nearly_all, all] = [50, 90, 99, 100].map(|percent| self.at(percent));
        write!(f, "{half}/{most}/{nearly_all}/{all} ms (p50/p90/p99/max of {})", self.0.len())
    }
}
