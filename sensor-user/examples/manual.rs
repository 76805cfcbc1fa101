//! `cargo run --example manual -- FOLDER`: manual pages and shell completions, made of the command line as it is parsed.
//!
//! An example, because what makes them must not be in the sensor. `cargo xtask dist` puts them into packages.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use sensor_user::cli::Cli;

/// What the configuration's own text becomes a page of.
const CONFIGURATION: &str = include_str!("../../deploy/tidewaiter.yaml");

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else { return ExitCode::from(2) };
    match write(&folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("cannot write to {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn write(folder: &Path) -> io::Result<()> {
    let (pages, words) = (folder.join("man"), folder.join("completion"));
    fs::create_dir_all(&pages)?;
    fs::create_dir_all(&words)?;
    let mut command = Cli::command();
    command.build();
    page(&command, "tidewaiter", &pages)?;
    fs::write(pages.join("tidewaiter.yaml.5"), configuration())?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut command, "tidewaiter", &words)?;
    }
    Ok(())
}

/// A page for a command, and one for each below it that a person may type: `tidewaiter-rules-check.1`.
fn page(command: &Command, name: &str, folder: &Path) -> io::Result<()> {
    // Names live for as long as the program, which is short.
    let named = command.clone().name(&*name.to_owned().leak()).bin_name(name.replace('-', " "));
    let named = named.version(env!("CARGO_PKG_VERSION"));
    let manual = clap_mangen::Man::new(named).section("1").date("").manual("Tidewaiter");
    manual.render(&mut File::create(folder.join(format!("{name}.1")))?)?;
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        page(below, &format!("{name}-{}", below.get_name()), folder)?;
    }
    Ok(())
}

/// The commented defaults, as they are shipped: they are the reference.
fn configuration() -> String {
    let text: String = CONFIGURATION
        .lines()
        .map(|line| {
            let line = line.replace('\\', "\\e");
            // A dot or a quote at the start of a line would be a request (groff(7)).
            let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
            format!("{guard}{}\n", line.replace('-', "\\-"))
        })
        .collect();
    format!(
        ".TH tidewaiter.yaml 5 \"\" \"tidewaiter {}\" Tidewaiter\n.SH NAME\ntidewaiter.yaml \\- configuration of the \
         Tidewaiter host sensor\n.SH DESCRIPTION\nRead by\n.BR tidewaiter\\-run (1)\nfrom\n.I \
         /etc/tidewaiter/tidewaiter.yaml\nor where \\fB\\-\\-config\\fR says. Then come all\n.I conf.d/*.yaml\nbeside it, \
         in the order of their names: of maps each key by itself, the later file wins; lists are replaced.\n.B \
         tidewaiter config\nshows what comes of them.\n.PP\nAt SIGHUP\n.RB ( \"systemctl reload tidewaiter\" )\nthe \
         rules and allow\\-lists are read again. All other keys take a restart, and the log names those that have \
         changed.\n.SH KEYS\nEvery key with its default:\n.PP\n.nf\n{text}.fi\n",
        env!("CARGO_PKG_VERSION")
    )
}
