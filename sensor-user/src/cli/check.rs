//! `tidewaiter check`: everything that `run` does to start, then what came of it, then nothing more.

use std::path::Path;

use super::run::{log_to_stderr, runtime};
use super::table::{print, table};
use super::{Exit, Failure, RunOptions};
use crate::agent::StartError;
use crate::alert::HookCoverage;
use crate::detection::Catalogue;
use crate::ebpf::load::load;
use crate::ebpf::offset::{Layout, VMLINUX};
use crate::event::field::Fields;
use crate::host::capability;
use crate::sigma::RuleSet;

/// Negative when something that the sensor is made to see would go unseen.
pub(super) fn check(options: RunOptions) -> Result<Exit, Failure> {
    let config = options.config()?;
    log_to_stderr(config.log);
    let catalogue = Catalogue::load(&config.rules, config.embedded_rules).map_err(StartError::Catalogue)?;
    let rules = RuleSet::load(catalogue.sources(), &Fields).map_err(StartError::Rules)?;
    catalogue.bind(rules.rules()).map_err(StartError::Catalogue)?;
    let missing = capability::missing();
    if !missing.is_empty() {
        return Err(StartError::Privilege(missing).into());
    }
    let layout = Layout::read(Path::new(VMLINUX)).map_err(StartError::from)?;
    let runtime = runtime()?;
    // Attached for as long as it takes to know that it can be; dropping detaches.
    let hooks =
        runtime.block_on(async { load(&layout).map(|loaded| loaded.hooks) }).map_err(StartError::from)?;

    print(&table(&["seen", "by", "tier", "not seen", "refused"], hooks.iter().map(row)));
    let unseen = hooks.iter().filter(|hook| hook.attached.is_none()).count();
    print(&format!(
        "\n{} of {} hooks attach; detections: {}\n",
        hooks.len() - unseen,
        hooks.len(),
        rules.rules().len()
    ));
    let offsets = layout.missing();
    if !offsets.is_empty() {
        print(&format!("this kernel does not tell {}\n", offsets.join(", ")));
    }
    Ok(if unseen == 0 { Exit::Good } else { Exit::Negative })
}

fn row(hook: &HookCoverage) -> Vec<String> {
    let refused: Vec<String> =
        hook.refused.iter().map(|(point, reason)| format!("{point}: {reason}")).collect();
    vec![
        hook.purpose.to_owned(),
        hook.attached.clone().unwrap_or_else(|| "nothing".to_owned()),
        hook.attached.as_ref().map_or_else(String::new, |_| hook.tier.to_string()),
        hook.weakens.unwrap_or_default().to_owned(),
        refused.join("; "),
    ]
}
