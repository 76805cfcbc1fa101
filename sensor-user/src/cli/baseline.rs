//! `tidewaiter baseline`: what is normal for images is learned from the sensor's own events, shown, and compared.

mod table;

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};

use super::run::{attend_for, log_to_stderr};
use super::table::print;
use super::{ConfigOptions, EXIT_CODES, Exit, Failure};
use crate::agent;
use crate::config::{Config, LogLevel, read_baseline, write_baseline};
use crate::sink::text::quantity::duration;
use crate::state::baseline::Baseline;

const ABOUT: &str = "\
Learn what is normal for images: watch for a while and write it down

What containers run, where they connect and how much they send there in an hour is taken for normal, for all containers of \
an image together, whatever its tag. Nothing is judged meanwhile and no alert is sent: learn where you trust what runs, \
and through what is rare, too: a restart, a backup, a deployment. SIGINT ends it early and keeps what was learned.";

const EXAMPLES: &str = "\
Examples:
  sudo tidewaiter baseline learn --for 1h --out /var/lib/tidewaiter/baseline.json
      An hour of this host
  sudo tidewaiter baseline learn --for 10m --merge old.json --out new.json
      What was known before stays
  tidewaiter baseline show baseline.json shop/web
      What is normal for one image
  tidewaiter baseline diff old.json new.json
      What is new (+) and gone (-)
  sudo tidewaiter run --baseline baseline.json
      Judge by it";

/// Longest time to learn: what is rarer than every month is not normal.
const LEARN_MAX: Duration = Duration::from_secs(31 * 24 * 3600);

/// What to do with baselines.
#[derive(Debug, Subcommand)]
pub enum BaselineCommand {
    /// Watch containers for a while and write down what is normal
    #[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"), long_about = ABOUT)]
    Learn(LearnOptions),
    /// Show what is normal: of all images, or all of one
    #[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
    Show(ShowOptions),
    /// Compare two: what is new and what is gone; status 1 if anything is
    #[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
    Diff(DiffOptions),
}

/// Options of `baseline learn`.
#[derive(Clone, Debug, Args)]
pub struct LearnOptions {
    /// How long: a number with s, m, h or d behind it
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    pub time: Duration,
    /// Write it there
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Add it to what this one knows
    #[arg(long, value_name = "FILE")]
    pub merge: Option<PathBuf>,
    /// Its rules and receivers are left out
    #[command(flatten)]
    pub config: ConfigOptions,
    /// How much to log on standard error
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub log: Option<LogLevel>,
}

/// Options of `baseline show`.
#[derive(Clone, Debug, Args)]
pub struct ShowOptions {
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// This image only, as the table of all names it
    #[arg(value_name = "IMAGE")]
    pub image: Option<String>,
}

/// Options of `baseline diff`.
#[derive(Clone, Debug, Args)]
pub struct DiffOptions {
    #[arg(value_name = "OLD")]
    pub old: PathBuf,
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
}

pub(super) fn execute(command: BaselineCommand) -> Result<Exit, Failure> {
    match command {
        BaselineCommand::Learn(options) => learn(options),
        BaselineCommand::Show(options) => show(&options),
        BaselineCommand::Diff(options) => diff(&options),
    }
}

fn learn(options: LearnOptions) -> Result<Exit, Failure> {
    let LearnOptions { time, out, merge, config, log } = options;
    let config = config.load()?;
    let before = merge.as_deref().map(read).transpose()?;
    // Said now, not when the time is over.
    writable(&out)?;
    log_to_stderr(log.unwrap_or(config.log));
    let config =
        Config { syslog: Vec::new(), embedded_rules: false, rules: Vec::new(), baseline: None, ..config };
    let learned = attend_for(Some(time), |shutdown| agent::learn(config, out.clone(), shutdown))?;
    let known = before.map_or(learned.clone(), |mut before| {
        before.merge(learned.clone());
        before
    });
    write_baseline(&out, &known).map_err(|error| unwritable(&out, &error))?;
    print(&table::summary(&learned, &known, &out));
    Ok(Exit::Good)
}

fn show(options: &ShowOptions) -> Result<Exit, Failure> {
    let baseline = read(&options.file)?;
    match &options.image {
        None => print(&table::all(&baseline)),
        Some(image) => match baseline.normal(image) {
            Some(normal) => print(&table::one(&baseline, normal)),
            None => {
                let known = sigma::nearest(image, baseline.images.keys().map(String::as_str));
                let remedy = known.map_or_else(
                    || "`tidewaiter baseline show FILE` lists all, without tag and digest".to_owned(),
                    |known| format!("did you mean `{known}`?"),
                );
                Failure::new("nothing to show", &format!("the baseline knows no image `{image}`"), remedy)
                    .tell();
                return Ok(Exit::Negative);
            }
        },
    }
    Ok(Exit::Good)
}

fn diff(options: &DiffOptions) -> Result<Exit, Failure> {
    let text = table::difference(&read(&options.old)?, &read(&options.new)?);
    print(&text);
    Ok(if text.is_empty() { Exit::Good } else { Exit::Negative })
}

fn read(path: &Path) -> Result<Baseline, Failure> {
    read_baseline(path).map_err(|error| agent::StartError::Baseline(error).into())
}

/// Whether a file can be made there; one that is there is not touched.
fn writable(path: &Path) -> Result<(), Failure> {
    let is_new = !path.exists();
    OpenOptions::new().append(true).create(true).open(path).map_err(|error| unwritable(path, &error))?;
    if is_new {
        std::fs::remove_file(path).map_err(|error| unwritable(path, &error))?;
    }
    Ok(())
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    let reason = format!("{}: {error}", path.display());
    Failure::new(
        "cannot write the baseline",
        &reason,
        "name a file in a folder that this user may write, with --out",
    )
}

/// `90s`, `10m`, `2h`, `1d`.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("write a number with s, m, h or d behind it, at most {}", duration(LEARN_MAX));
    let at = text.len().checked_sub(1).ok_or_else(wrong)?;
    let (number, unit) = text.split_at_checked(at).ok_or_else(wrong)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let time = number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)?;
    if time.is_zero() || time > LEARN_MAX { Err(wrong()) } else { Ok(time) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_and_a_bound() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("2h", 7200), ("31d", 2_678_400)] {
            assert_eq!(time(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "10", "m", "0s", "32d", "1.5h", "-1s", "10µ", "99999999999999999999d"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
