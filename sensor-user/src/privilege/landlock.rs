//! Landlock: which files may be read and written, which ports connected to (Documentation/userspace-api/landlock.rst).
//!
//! As far as the kernel has it: files since 5.13, cutting and renaming since 6.2, TCP since 6.7, signals and abstract
//! sockets since 6.12. Nothing may be executed or made a device. Paths that are not there cannot be granted.

use std::path::PathBuf;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, NetPort, PathBeneath,
    PathFd, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus, Scope,
};

use super::PrivilegeError;

/// What the sensor was tried with: rights of later versions stay as they are.
const VERSION: ABI = ABI::V6;

/// What is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Folders whose names may be listed, with all that is below: no file is opened there.
    pub list: Vec<PathBuf>,
    /// Files, or folders with all that is below.
    pub read: Vec<PathBuf>,
    /// The same, to change and make as well.
    pub write: Vec<PathBuf>,
    /// TCP ports that may be connected to, at any address.
    pub ports: Ports,
}

/// Ports to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ports {
    /// All of them: which will be needed is told by somebody else, later.
    Any,
    These(Vec<u16>),
}

impl Default for Ports {
    fn default() -> Self {
        Self::These(Vec::new())
    }
}

/// How far the kernel follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// All that is asked for.
    Whole,
    /// What this kernel has of it.
    Part,
    /// The kernel has no Landlock, or it is switched off.
    None,
}

/// Limits this thread, and those it starts, to what is granted.
///
/// # Errors
/// The kernel has Landlock and does not take the rules.
pub fn confine(grants: &Grants) -> Result<Ground, PrivilegeError> {
    match rules(grants) {
        Ok(status) => Ok(match status {
            RulesetStatus::FullyEnforced => Ground::Whole,
            RulesetStatus::PartiallyEnforced => Ground::Part,
            RulesetStatus::NotEnforced => Ground::None,
        }),
        Err(error) => Err(PrivilegeError::Landlock(error.to_string())),
    }
}

fn rules(grants: &Grants) -> Result<RulesetStatus, landlock::RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = AccessFs::from_all(VERSION)
        & !(AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev);
    let (limited, ports) = match &grants.ports {
        Ports::Any => (BitFlags::from(AccessNet::BindTcp), &[][..]),
        Ports::These(ports) => (AccessNet::from_all(VERSION), ports.as_slice()),
    };
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(VERSION))?
        .handle_access(limited)?
        .scope(Scope::from_all(VERSION))?
        .create()?;
    let list = BitFlags::from(AccessFs::ReadDir);
    for (paths, access) in [(&grants.list, list), (&grants.read, read), (&grants.write, write)] {
        for path in paths {
            let Ok(open) = PathFd::new(path) else { continue };
            rules = rules.add_rule(PathBeneath::new(open, of(path, access)))?;
        }
    }
    for port in ports {
        rules = rules.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
    }
    Ok(rules.restrict_self()?.ruleset)
}

/// The rights that mean something for what the path leads to: those of folders are refused for a file.
fn of(path: &std::path::Path, access: BitFlags<AccessFs>) -> BitFlags<AccessFs> {
    if path.is_dir() { access } else { access & AccessFs::from_file(VERSION) }
}
