//! What the sensor said beforehand that it would not see here.

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::deed::Deed;

/// The hooks as the coverage notice has them.
#[derive(Debug)]
pub(crate) struct Coverage(Vec<Hook>);

#[derive(Debug)]
struct Hook {
    purpose: String,
    /// None: nothing attached.
    tier: Option<u64>,
    /// The notice says that it sees less than it should.
    is_weakened: bool,
}

impl Coverage {
    pub(crate) fn read(hooks: &Value) -> Result<Self> {
        let rows = hooks.as_array().context("the hooks are no list")?;
        let hooks = rows.iter().map(|row| {
            Some(Hook {
                purpose: row.get("purpose")?.as_str()?.to_owned(),
                tier: row.get("tier").and_then(Value::as_u64),
                is_weakened: row.get("weakens").is_some_and(|weakens| weakens != ""),
            })
        });
        Ok(Self(hooks.collect::<Option<_>>().context("a hook has no purpose")?))
    }

    /// 1 where nothing is missing or weakened, whatever place a hook has for it.
    pub(crate) fn tier(&self) -> u64 {
        if self.0.iter().all(|hook| hook.tier.is_some() && !hook.is_weakened) { 1 } else { 2 }
    }

    pub(crate) fn summary(&self) -> String {
        let on =
            |wanted: &dyn Fn(Option<u64>) -> bool| self.0.iter().filter(|hook| wanted(hook.tier)).count();
        let first = on(&|tier| tier == Some(1));
        let missing = on(&|tier| tier.is_none());
        format!("{first} hooks on tier 1, {} lower, {missing} missing", self.0.len() - first - missing)
    }

    /// The row of the notice that says why this deed may go unseen.
    pub(crate) fn account_of(&self, deed: &Deed) -> Option<&str> {
        self.gap_in(seen_by(deed))
    }

    /// The row that says why its bytes may not be known.
    pub(crate) fn account_of_bytes(&self, deed: &Deed) -> Option<&str> {
        self.gap_in(counted_by(deed)).or_else(|| self.account_of(deed))
    }

    fn gap_in(&self, rows: &[&str]) -> Option<&str> {
        let hook = self.0.iter().find(|hook| {
            rows.contains(&hook.purpose.as_str()) && (hook.tier.is_none() || hook.is_weakened)
        })?;
        Some(&hook.purpose)
    }
}

/// The hooks that see a deed; a hook that is missing or weakened accounts for what is not told.
fn seen_by(deed: &Deed) -> &'static [&'static str] {
    match (deed.action.as_str(), deed.way.as_str()) {
        ("connect", "ipv6") => &["IPv6 connect"],
        ("connect", "refused") => &["connection ended"],
        ("datagram", "ipv6") => &["IPv6 datagram"],
        ("datagram", _) => &["IPv4 datagram"],
        ("accept", _) => &["connection accepted"],
        ("socket", "unix") => &["runtime socket connected"],
        ("socket", _) => &["raw socket made"],
        ("write", "mmap") => &["file mapped to write"],
        ("write", "truncate" | "ftruncate") => &["file length set"],
        ("write", "fallocate") => &["file space allocated"],
        ("write", _) => &["file written"],
        ("name", "rename" | "renameat2_exchange") => &["file renamed"],
        ("name", "link" | "tmpfile_link") => &["file linked"],
        ("name", "symlink") => &["symbolic link made"],
        ("name", "unlink") => &["file deleted"],
        ("name", _) => &["file made executable"],
        ("read", _) => &["secret opened"],
        ("system", "setns" | "unshare") => &["namespace entered"],
        ("system", "bpf_load") => &["BPF program loaded"],
        ("system", "module") => &["module loaded"],
        ("system", "mount") => &["file system mounted"],
        ("system", "mount_api") => &["mount moved"],
        ("system", "signal") => &["signal to the agent"],
        ("system", "cgroup_move") => &["process moved to a cgroup"],
        ("system", _) => &["process controlled"],
        // Programs started and IPv4 connects: without these hooks the sensor does not start.
        _ => &[],
    }
}

/// The hooks that count the bytes of a deed that is seen.
fn counted_by(deed: &Deed) -> &'static [&'static str] {
    match deed.action.as_str() {
        "transfer" => &["bytes sent", "bytes received", "connection ended", "socket released"],
        "write" => &["written file closed"],
        _ => &[],
    }
}
