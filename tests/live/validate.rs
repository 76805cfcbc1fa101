//! `tidewaiter validate`: every detection proves out in containers that it makes, what does not is told, and
//! nothing stays, however it ends.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tests::docker::IMAGE;
use tests::wait;
use tests::world::World;

use crate::Case;

/// What containers of validate are labelled with.
const LABEL: &str = "label=tidewaiter.validate";

/// Detections that need more than a container and a minute: what is normal for an image must have been learned (the
/// corpus proves two of them), or a container must have been quiet for minutes.
const ELSEWHERE: [&str; 5] = [
    "container_cpu_spike",
    "container_memory_spike",
    "new_destination_for_image",
    "new_executable_for_image",
    "volume_new_for_image",
];

/// Making an image and a container takes seconds.
const MADE_MAX: Duration = Duration::from_secs(60);

/// An interrupted run ends its scripts, its agent and its containers.
const END_MAX: Duration = Duration::from_secs(60);

pub(crate) fn cases() -> Vec<Case> {
    let few = |name: &'static str, options: &'static [&'static str]| {
        Case::new(format!("validate: {name}"), move |world| {
            let arguments = [options, &["curl_download", "bash_dev_tcp"]].concat();
            prove(world, &arguments)
        })
    };
    vec![
        Case::new("validate: all, in an image, until rsyslogd has it", proves_all),
        few("with this machine's tools in Docker", &[]),
        few("runc alone", &["--runtime", "runc"]),
        few("no container", &["--runtime", "host"]),
        Case::new("validate: without its rule a detection fails", fails_without_rule),
        Case::new("validate: a look-alike that alerts fails", fails_with_a_loud_look_alike),
        Case::new("validate: acts in no other container", refuses_others),
        Case::new("validate: interrupted, nothing stays", leaves_nothing),
    ]
}

fn proves_all(world: &World) -> Result<String> {
    let receiver = format!("tcp://{}", world.rsyslog.address);
    let file = world.rsyslog.file().display().to_string();
    let (lines, sum) =
        proven(world, &["--all", "--image", IMAGE, "--syslog", &receiver, "--received", &file])?;
    let times = |key: &str| {
        let mut times: Vec<u64> = lines.iter().filter_map(|line| line[key].as_u64()).collect();
        times.sort_unstable();
        ensure!(times.len() == lines.len(), "only {} of {} have {key}", times.len(), lines.len());
        let of = |place: usize| times.get(place).copied().unwrap_or_default();
        Ok((of(times.len() / 2), of(times.len().saturating_sub(1))))
    };
    let (event, event_max) = times("since_event_ms")?;
    let (received, received_max) = times("received_ms")?;
    Ok(format!(
        "{} proven in {} s; alert {event} ms after its event ({event_max} at most), at rsyslogd {received} ms after the \
         script's start ({received_max})",
        lines.len(),
        sum["seconds"]
    ))
}

/// All of these prove out.
fn prove(world: &World, arguments: &[&str]) -> Result<String> {
    let (lines, sum) = proven(world, arguments)?;
    Ok(format!("{} proven in {} s by {}", lines.len(), sum["seconds"], sum["runtime"]))
}

fn proven(world: &World, arguments: &[&str]) -> Result<(Vec<Value>, Value)> {
    let output = run(world, arguments)?;
    let (lines, sum) = read(&output)?;
    let is_elsewhere = |line: &Value| {
        line["verdict"] == "impossible"
            && line["detection"].as_str().is_some_and(|name| ELSEWHERE.contains(&name))
    };
    let (elsewhere, lines): (Vec<_>, Vec<_>) = lines.into_iter().partition(is_elsewhere);
    if !elsewhere.is_empty() {
        let names = elsewhere.iter().filter_map(|line| line["detection"].as_str());
        println!("        left out, each with its reason: {}", names.collect::<Vec<_>>().join(", "));
    }
    let bad: Vec<_> = lines.iter().filter(|line| line["verdict"] != "proven").map(Value::to_string).collect();
    ensure!(bad.is_empty() && output.status.success(), "{}: {}", output.status, bad.join("\n"));
    let silent = lines.iter().all(|line| line["benign"] == "silent");
    // Some emulations make a cgroup that poses as a container's.
    let is_posed = |loss: &Value| loss["reason"] == "undecided: no runtime knows the container";
    let is_whole = sum["losses"].as_array().is_some_and(|losses| losses.iter().all(is_posed));
    ensure!(silent && !lines.is_empty() && sum["lost_records"] == 0 && is_whole, "{sum}");
    ensure_nothing_left(world)?;
    Ok((lines, sum))
}

fn fails_without_rule(world: &World) -> Result<String> {
    let output = run(world, &["--no-embedded-rules", "--image", IMAGE, "curl_download"])?;
    let (lines, _) = read(&output)?;
    ensure!(output.status.code() == Some(1), "it ended with {}", output.status);
    let line = lines.first().context("no line")?;
    let fault = line["faults"][0].as_str().unwrap_or_default();
    ensure!(line["verdict"] == "failed" && fault.contains("no alert of this detection"), "{line}");
    ensure!(line["benign"] == "silent", "{line}");
    ensure_nothing_left(world)?;
    Ok(fault.to_owned())
}

/// A rule of the site's own that takes the look-alike for something grave.
const LOUD: &str = "\
title: Asked for its version
id: 3d0f57ab-6c7c-44cf-9b0b-41a2cbd91e63
level: medium
logsource: {category: process_creation, product: linux}
detection: {asked: {CommandLine|endswith: 'curl --version'}, condition: asked}
";

fn fails_with_a_loud_look_alike(world: &World) -> Result<String> {
    let rule = world.directory().join("loud.yml");
    fs::write(&rule, LOUD)?;
    let output = run(world, &["--rules", &rule.display().to_string(), "--image", IMAGE, "curl_download"])?;
    let (lines, _) = read(&output)?;
    ensure!(output.status.code() == Some(1), "it ended with {}", output.status);
    let line = lines.first().context("no line")?;
    let fault = line["faults"][0].as_str().unwrap_or_default();
    ensure!(line["benign"] == "told" && fault.contains("Asked for its version"), "{line}");
    ensure_nothing_left(world)?;
    Ok(fault.to_owned())
}

fn refuses_others(world: &World) -> Result<String> {
    let other = world.container("bystander", &["sleep", "600"])?;
    other.start()?;
    let output = run(world, &["--image", &other.name, "curl_download"])?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(2) && said.contains("did not make"), "{}: {said}", output.status);
    let directed = command(world, &["curl_download"])?
        .env("TIDEWAITER_INSIDE", format!("docker exec -i {}", other.name))
        .output()?;
    let told = String::from_utf8_lossy(&directed.stderr).into_owned();
    ensure!(directed.status.code() == Some(2) && told.contains("TIDEWAITER_INSIDE"), "{told}");
    ensure!(other.pid()? > 0, "it runs no more");
    ensure_nothing_left(world)?;
    Ok(said.lines().next().unwrap_or_default().to_owned())
}

fn leaves_nothing(world: &World) -> Result<String> {
    let mut command = command(world, &["--all", "--image", IMAGE])?;
    let mut running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    wait::until(MADE_MAX, "a container of validate", || Ok((!containers(world)?.is_empty()).then_some(())))?;
    // Not yet waited for, so the id is still this child's.
    kill_process(Pid::from_child(&running), Signal::INT)?;
    let status = wait::until(END_MAX, "the end of validate after SIGINT", || Ok(running.try_wait()?))?;
    ensure!(status.code() == Some(2), "it ended with {status}");
    ensure_nothing_left(world)?;
    Ok("2 containers at work, none left".to_owned())
}

/// Where a run makes its files.
fn folder(world: &World) -> PathBuf {
    world.directory().join("validate")
}

fn command(world: &World, arguments: &[&str]) -> Result<Command> {
    let folder = folder(world);
    fs::create_dir_all(&folder)?;
    let mut command = Command::new(world.binary());
    // Without the lists of the other tests: here an image of theirs comes from where none should.
    let configuration = fs::read_to_string(world.configuration())?;
    let (without, _) =
        configuration.split_once("placeholders:").context("the tests have lists of their own")?;
    let path = world.directory().join("validate.yaml");
    fs::write(&path, without)?;
    command.args(["validate", "--config"]).arg(path).args(arguments);
    command.env("DOCKER_HOST", world.docker.host()).env("DOCKER_CONFIG", &folder).env("TMPDIR", &folder);
    command.stdin(Stdio::null());
    Ok(command)
}

fn run(world: &World, arguments: &[&str]) -> Result<Output> {
    command(world, arguments)?.output().context("starting validate")
}

/// A line for each detection, and the sum.
fn read(output: &Output) -> Result<(Vec<Value>, Value)> {
    let said = String::from_utf8_lossy(&output.stderr);
    let text = std::str::from_utf8(&output.stdout)?;
    let lines = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>();
    let mut lines = lines.with_context(|| format!("it wrote {text}"))?;
    let sum = lines.pop().with_context(|| format!("it wrote nothing, and said: {said}"))?;
    Ok((lines, sum))
}

fn containers(world: &World) -> Result<String> {
    world.docker.ask(&["ps", "--all", "--quiet", "--filter", LABEL])
}

fn ensure_nothing_left(world: &World) -> Result<()> {
    let containers = containers(world)?;
    ensure!(containers.is_empty(), "containers are left: {containers}");
    let images = world.docker.ask(&["images", "--quiet", "tidewaiter-validate"])?;
    ensure!(images.is_empty(), "images are left: {images}");
    let files = fs::read_dir(folder(world))?.collect::<Result<Vec<_>, _>>()?;
    let files: Vec<_> = files.iter().map(fs::DirEntry::file_name).collect();
    ensure!(files.iter().all(|name| !name.to_string_lossy().starts_with("tidewaiter")), "left are {files:?}");
    for process in fs::read_dir("/proc")?.filter_map(Result::ok) {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        ensure!(!line.contains("tidewaiter-validate-"), "a process is left: {line}");
    }
    Ok(())
}
