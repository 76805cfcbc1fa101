//! `tidewaiter.transfer`: what the process's command line asks to be moved, under the names of
//! `event/field.rs`.

use std::borrow::Cow;

use serde::Serialize;

use crate::command::transfer::{Direction, Transfer};
use crate::state::process::Process;

#[derive(Clone, Debug, Serialize)]
pub struct TransferReport<'a> {
    pub tool: &'static str,
    pub role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scheme: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remote: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remote_host: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remote_port: Vec<u16>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remote_user: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loopback: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub local: Vec<Cow<'a, str>>,
    pub listens: bool,
}

/// None: it is no tool that moves data.
pub(super) fn report(process: &Process) -> Option<TransferReport<'_>> {
    let transfer: &Transfer = process.command.as_deref()?.transfer.as_ref()?;
    let remotes = &transfer.remotes;
    Some(TransferReport {
        tool: transfer.tool,
        role: transfer.role.name(),
        direction: transfer.direction.map(Direction::name),
        scheme: texts(transfer.schemes.iter()),
        remote: texts(remotes.iter().map(|remote| &remote.text)),
        remote_host: texts(remotes.iter().filter_map(|remote| remote.host.as_ref())),
        remote_port: remotes.iter().filter_map(|remote| remote.port).collect(),
        remote_user: texts(remotes.iter().filter_map(|remote| remote.user.as_ref())),
        loopback: transfer.loopback(),
        local: texts(transfer.locals.iter()),
        listens: transfer.listens,
    })
}

fn texts<'a>(texts: impl Iterator<Item = &'a String>) -> Vec<Cow<'a, str>> {
    texts.map(|text| Cow::Borrowed(text.as_str())).collect()
}

impl<'a> TransferReport<'a> {
    /// Keeps so many of each list, and cuts their texts.
    pub(super) fn cut(&mut self, count: usize, cut: &mut impl FnMut(&mut Cow<'a, str>)) {
        let lists = [
            &mut self.scheme,
            &mut self.remote,
            &mut self.remote_host,
            &mut self.remote_user,
            &mut self.local,
        ];
        for list in lists {
            list.truncate(count);
            list.iter_mut().for_each(&mut *cut);
        }
        self.remote_port.truncate(count);
    }
}
