//! `tidewaiter config`: what the configuration's files say when they are laid over one another.

use super::table::print;
use super::{ConfigOptions, Exit, Failure};
use crate::config::PLACE;
use crate::sink::text::escape::visible;

/// The files as comments, then a configuration that says the same in one.
pub(super) fn config(options: &ConfigOptions) -> Result<Exit, Failure> {
    let files = options.load()?.files;
    let read = files.read().iter().map(|path| format!("# {}\n", visible(&path.display().to_string())));
    let head: String = if files.read().is_empty() {
        format!("# no file: there is none at {PLACE}, and all is as deploy/tidewaiter.yaml has it\n")
    } else {
        read.collect()
    };
    print(&format!("{head}{}", files.render()));
    Ok(Exit::Good)
}
