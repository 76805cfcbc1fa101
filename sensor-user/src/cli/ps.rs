//! `tidewaiter ps`: the live picture of a running agent.

use std::path::PathBuf;

use anstream::{AutoStream, ColorChoice};
use clap::Args;
use jiff::tz::TimeZone;

use super::table::print;
use super::{Exit, Failure};
use crate::config::FormatChoice;
use crate::control::SOCKET;
use crate::control::client::{self, ClientError};
use crate::control::protocol::About;
use crate::control::scene::{Choice, Scene};
use crate::sink::stdout::terminal_width;
use crate::sink::text::{self, View};
use crate::sink::{Format, Origin, document::PictureDocument, json};

pub(super) const ABOUT: &str = "\
Show who runs in which container and pod, and over which connections, as a running agent has it

On a terminal it is a tree: pods, their containers, the processes of each, and below each process its connections with \
the bytes it moved. What is odd stands below its process: a program that is not part of the image, who wrote it, a \
process whose cgroup and namespaces disagree about its container. Elsewhere it is one JSON document.

Processes of the host are counted; those that have a connection are shown. The agent answers at a local socket of \
its own user and root (`control` in its configuration).";

pub(super) const EXAMPLES: &str = "\
Examples:
  sudo tidewaiter ps
      All containers, and who on the host has a connection
  sudo tidewaiter ps --container web-1
      One container, by name or the beginning of its id
  sudo tidewaiter ps --pid $$
      This shell and what it started
  sudo tidewaiter ps --format json | jq '.tidewaiter.processes[] | select(.tidewaiter.executable.upper_layer)'
      Programs that run and are not part of their image";

/// Options of `ps`. Those that narrow hold together.
#[derive(Clone, Debug, Default, Args)]
pub struct PsOptions {
    /// Only this container: its name, its id, or four digits of it or more
    #[arg(long, value_name = "NAME|ID")]
    pub container: Option<String>,
    /// Only this pod: its name, NAMESPACE/NAME, or its uid
    #[arg(long, value_name = "POD")]
    pub pod: Option<String>,
    /// Only this process and what it started
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pub pid: Option<u32>,
    /// All processes of the host too
    #[arg(long, conflicts_with_all = ["container", "pod"])]
    pub all: bool,
    /// How it looks
    #[arg(long, value_enum)]
    pub format: Option<FormatChoice>,
    /// Where the agent answers
    #[arg(long, value_name = "PATH", default_value = SOCKET)]
    pub socket: PathBuf,
}

/// Negative when nothing is there of what was asked for.
pub(super) fn ps(options: PsOptions) -> Result<Exit, Failure> {
    let PsOptions { container, pod, pid, all, format, socket } = options;
    let rows = client::ask(&socket, About::Picture { is_host_wanted: all || pid.is_some() })?;
    let choice = Choice { container, pod, pid };
    let scene = Scene::new(rows, &choice);
    let is_terminal = rustix::termios::isatty(std::io::stdout());
    match format.unwrap_or_default().resolve(is_terminal) {
        Format::Json => print(&(json::encode(&PictureDocument::new(&scene, &Origin::read())) + "\n")),
        Format::Text if scene.is_empty() => {
            let remedy = "`tidewaiter ps --all` shows everything the agent knows to live";
            Failure::new("nothing to show", &sentence(&choice), remedy).tell();
        }
        Format::Text => {
            let colour = AutoStream::choice(&std::io::stdout()) != ColorChoice::Never;
            print(&text::picture(
                &scene,
                &View { width: terminal_width(), colour, zone: TimeZone::system() },
            ));
        }
    }
    Ok(if scene.is_empty() { Exit::Negative } else { Exit::Good })
}

fn sentence(choice: &Choice) -> String {
    let Choice { container, pod, pid } = choice;
    let wishes = [
        pid.map(|pid| format!("process {pid}")),
        container.as_ref().map(|name| format!("container {name}")),
        pod.as_ref().map(|name| format!("pod {name}")),
    ];
    let wishes: Vec<String> = wishes.into_iter().flatten().collect();
    format!("the agent knows no live {}", wishes.join(" in "))
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::new("no answer", &error, error.remedy())
    }
}
