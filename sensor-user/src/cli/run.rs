//! `tidewaiter run`: the agent on a runtime of one thread, until it is told to end.

use std::pin::Pin;
use std::time::Duration;

use tracing_subscriber::filter::LevelFilter;

use super::{Exit, Failure, RunOptions};
use crate::agent::StartError;
use crate::config::LogLevel;
use crate::{agent, shutdown};

/// Resolves when the agent is to end.
pub(super) type Shutdown = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How long lookups in runtimes' files that are still open may hold up the end.
const RUNTIME_END: Duration = Duration::from_millis(200);

pub(super) fn run(options: RunOptions) -> Result<Exit, Failure> {
    let config = options.config()?;
    log_to_stderr(config.log);
    attend(|shutdown| agent::run(config, shutdown))
}

/// Runs an agent on a runtime of its own until a signal tells it to end.
pub(super) fn attend<F>(agent: impl FnOnce(Shutdown) -> F) -> Result<Exit, Failure>
where
    F: Future<Output = Result<(), StartError>> + Send + 'static,
{
    attend_for(None, agent).map(|()| Exit::Good)
}

/// The same, until `time` is over at the latest; returns what came of it.
pub(super) fn attend_for<F, T>(
    time: Option<Duration>,
    agent: impl FnOnce(Shutdown) -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, StartError>> + Send + 'static,
    T: Send + 'static,
{
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        let shutdown = shutdown::requested().map_err(|error| {
            Failure::new("cannot wait for signals", &error, "raise the limit of open files (`ulimit -n`)")
        })?;
        let over = async move {
            match time {
                Some(time) => tokio::time::sleep(time).await,
                None => std::future::pending().await,
            }
        };
        let until = async move {
            tokio::select! {
                () = shutdown => {}
                () = over => {}
            }
        };
        // A task of its own: to wake the future that it is blocked on, tokio writes to an eventfd at every tick of the
        // ring, and is woken once more by that.
        match tokio::spawn(agent(Box::pin(until))).await {
            Ok(outcome) => outcome.map_err(Failure::from),
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(ended) => Err(Failure::new("the sensor was stopped", &ended, "start it again")),
            },
        }
    });
    runtime.shutdown_timeout(RUNTIME_END);
    outcome
}

/// One thread: records are handled in order by one task, and a second thread would only cost.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Failure::new("cannot start the runtime", &error, "raise the limit of open files (`ulimit -n`)")
    })
}

/// Sends the log of the agent and of the crates it uses to standard error.
pub(super) fn log_to_stderr(level: LogLevel) {
    let level = match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let colour = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    // An error says that a log is set up already, which is as good.
    let _ = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        .with_target(level >= LevelFilter::DEBUG)
        .with_max_level(level)
        .try_init();
}
