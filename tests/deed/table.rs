//! All deeds: what `deed list` names is what can be done, as both are this table.

use anyhow::{Context as _, Result};

use crate::request::Request;
use crate::truth::Truth;
use crate::{file, flood, identity, network, pace, process, race, system};

/// One action in one way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deed {
    pub(crate) action: &'static str,
    pub(crate) way: &'static str,
    /// Whether the kernel wants a capability for it.
    pub(crate) privileged: bool,
    pub(crate) run: fn(&Request) -> Result<Truth>,
}

/// A deed that everybody may do.
pub(crate) const fn deed(
    action: &'static str,
    way: &'static str,
    run: fn(&Request) -> Result<Truth>,
) -> Deed {
    Deed { action, way, privileged: false, run }
}

/// A deed that takes a capability.
pub(crate) const fn privileged(
    action: &'static str,
    way: &'static str,
    run: fn(&Request) -> Result<Truth>,
) -> Deed {
    Deed { action, way, privileged: true, run }
}

/// Every deed, family by family.
pub(crate) fn all() -> impl Iterator<Item = Deed> {
    let families = [
        process::DEEDS,
        identity::DEEDS,
        network::connect::DEEDS,
        network::datagram::DEEDS,
        network::accept::DEEDS,
        network::transfer::DEEDS,
        network::passed::DEEDS,
        network::socket::DEEDS,
        file::write::DEEDS,
        file::name::DEEDS,
        file::read::DEEDS,
        system::target::DEEDS,
        system::host::DEEDS,
        system::tamper::DEEDS,
        flood::DEEDS,
        pace::DEEDS,
        race::DEEDS,
    ];
    families.into_iter().flatten().copied()
}

/// The deed of these names.
pub(crate) fn find(action: &str, way: &str) -> Result<Deed> {
    all()
        .find(|deed| deed.action == action && deed.way == way)
        .with_context(|| format!("there is no deed `{action} {way}`; `deed list` names all"))
}
