//! Bytes over sockets: what a process sent is what the sensor tells.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tests::wait;

use crate::observer::{Observer, Told};
use crate::{DEED, Stage, truth};

/// As many as the figures are about, or enough for many segments.
const FULL_BYTES: &str = "100000000";
const SHORT_BYTES: &str = "10000000";
/// A port that nobody else has in a container of its own.
const PORT: &str = "7000";
/// A listener is there within a moment.
const LISTEN_MAX: Duration = Duration::from_secs(10);

const FLOW: &str = "network_flow";

fn size(stage: &Stage<'_>) -> &'static str {
    if stage.full { FULL_BYTES } else { SHORT_BYTES }
}

pub(crate) fn loopback(stage: &Stage<'_>) -> Result<String> {
    each(stage, &["write", "sendfile", "splice", "io_uring", "io_uring_sqpoll", "zerocopy", "mptcp"])
}

pub(crate) fn udp(stage: &Stage<'_>) -> Result<String> {
    each(stage, &["udp_connected", "udp_sendto"])
}

fn each(stage: &Stage<'_>, ways: &[&str]) -> Result<String> {
    let mut said = Vec::new();
    for way in ways {
        let observer = Observer::start(stage, &format!("bytes-{way}"), &[FLOW])?;
        // io_uring is not among the calls that Docker's seccomp profile lets through.
        let options = ["--volume", &stage.volume, "--security-opt", "seccomp=unconfined"];
        let words = [DEED, "transfer", way, "--bytes", size(stage)];
        let container = stage.world.container_with("bytes", &options, &words)?;
        let truth = truth(&container.run()?)?;
        let told = observer.end()?;
        let sent = ensure_sent(&told, &container.id, &truth).with_context(|| format!("by {way}"))?;
        said.push(format!("{way} {sent}"));
    }
    Ok(format!("exact: {}", said.join(", ")))
}

/// Fails unless a flow of the container carries what the deed says it sent and got.
fn ensure_sent(told: &Told, container: &str, truth: &Value) -> Result<u64> {
    let number = |name: &str| truth.get(name).and_then(Value::as_u64).with_context(|| format!("no {name}"));
    let (sent, received) = (number("bytes_sent")?, number("bytes_received")?);
    let flows: Vec<(u64, u64)> = told
        .events(FLOW, container)
        .map(|event| {
            let bytes = |name: &str| event.field(name).and_then(Value::as_u64).unwrap_or_default();
            (bytes("source.bytes"), bytes("destination.bytes"))
        })
        .collect();
    ensure!(flows.contains(&(sent, received)), "true: {sent} sent, {received} received; told: {flows:?}");
    Ok(sent)
}

pub(crate) fn between(stage: &Stage<'_>) -> Result<String> {
    let server = stage.world.container("sink", &["sh", "-c", "nc -lN 7000 > /dev/null"])?;
    server.start()?;
    let listens = ["sh", "-c", "ss -ltn | grep -q :7000"];
    wait::until(LISTEN_MAX, "the sink to listen", || {
        Ok(server.exec(&listens)?.status.success().then_some(()))
    })?;
    let address = server.exec(&["sh", "-c", "ip -4 -o addr show eth0 | sed 's/.*inet //; s,/.*,,'"])?;
    let address = address.output.trim().to_owned();
    let observer = Observer::start(stage, "between", &[FLOW])?;
    let to = format!("{address}:{PORT}");
    let words = [DEED, "transfer", "sendfile", "--bytes", size(stage), "--to", &to];
    let container = stage.container("source", &words)?;
    let truth = truth(&container.run()?)?;
    let told = observer.end()?;
    let sent = ensure_sent(&told, &container.id, &truth)?;
    let got = told
        .events(FLOW, &server.id)
        .filter_map(|event| event.field("destination.bytes").and_then(Value::as_u64))
        .max();
    ensure!(got == Some(sent), "{sent} sent; the other container received {got:?}");
    Ok(format!("exact at both ends: {sent}"))
}

/// A connection that is open when the sensor starts: counted from then on, for who sends.
pub(crate) fn earlier(stage: &Stage<'_>) -> Result<String> {
    let script = "exec 3<>/dev/tcp/10.201.0.1/80; touch /tmp/open; \
                  until [ -e /tmp/go ]; do read -t 0.1 < /dev/zero || :; done; \
                  printf 'GET /download/payload.bin HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3 > /tmp/got";
    let container = stage.world.container("earlier", &["bash", "-c", script])?;
    container.start()?;
    wait::until(LISTEN_MAX, "the connection", || {
        Ok(container.exec(&["test", "-e", "/tmp/open"])?.status.success().then_some(()))
    })?;
    let mut observer = Observer::start(stage, "earlier", &[FLOW])?;
    ensure!(container.exec(&["touch", "/tmp/go"])?.status.success(), "the container is gone");
    let payload = u64::try_from(stage.world.payload.len())?;
    let what = "the bytes of a connection that was open before";
    let event = observer.agent().await_line(LISTEN_MAX, what, |line| {
        let received = line.field("destination.bytes").and_then(Value::as_u64).unwrap_or_default();
        line.text("container.id") == container.id && received >= payload
    })?;
    let direction = event.text("network.direction").to_owned();
    observer.end()?;
    Ok(format!("{} by {}, direction {direction}", payload, event.text("process.name")))
}
