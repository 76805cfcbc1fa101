//! The hooks as they turned out: where each is attached, whether it is known to fire, what is not seen without it.

use super::dependence::Dependence;
use super::{Check, Finding, Problem};
use crate::alert::HookCoverage;
use crate::ebpf::hook::HOOKS;
use crate::ebpf::proof::Proof;

/// The best place is not wanted.
fn is_avoided(hook: &HookCoverage, avoided: &str) -> bool {
    hook.refused.first().is_some_and(|(_, reason)| reason == avoided)
}

/// One hook. `avoided` is what is said of a place that the configuration does without.
#[must_use]
pub fn hook(hook: &HookCoverage, proof: Option<&Proof>, avoided: &str) -> Finding {
    let place = match &hook.attached {
        Some(place) => format!("{place}, tier {}", hook.tier),
        None => "nothing".to_owned(),
    };
    let proven = match proof {
        Some(Proof::Proven) | None => String::new(),
        Some(Proof::Unprovable(reason)) => format!("; it cannot be proven here: {reason}"),
        Some(Proof::Silent) => "; it does not fire".to_owned(),
    };
    let problem = match (&hook.attached, hook.weakens) {
        (_, Some(_)) if is_avoided(hook, avoided) => Problem::HookAvoided,
        (None, _) => Problem::HookMissing,
        (Some(_), Some(_)) => Problem::HookWeak,
        (Some(_), None) => return Finding::good(Check::Hook, format!("{place}{proven}")).of(hook.purpose),
    };
    let finding = Finding::problem(problem, format!("{place}{proven}{}", refusals(hook))).of(hook.purpose);
    match hook.weakens {
        Some(unseen) => finding.meaning(format!("not seen: {unseen}")),
        None => finding,
    }
}

/// The better places, each once, with what the kernel said of it.
fn refusals(hook: &HookCoverage) -> String {
    let mut told: Vec<String> = Vec::new();
    for (place, reason) in &hook.refused {
        // The kernel's words need no number beside them.
        let reason = reason.split(" (os error").next().unwrap_or_default();
        let refusal = format!("{place}: {reason}");
        if !told.contains(&refusal) {
            told.push(refusal);
        }
    }
    if told.is_empty() { String::new() } else { format!("; refused: {}", told.join("; ")) }
}

/// With the detections that each problem weakens: those of a hook by what it feeds, those of all else by what the
/// table says.
pub fn name_detections(findings: &mut [Finding], dependence: &mut Dependence) {
    for finding in findings {
        let Some(problem) = finding.problem else { continue };
        let of_hook = finding.subject.as_deref().filter(|_| finding.check == Check::Hook);
        let row = of_hook.and_then(|purpose| HOOKS.iter().find(|hook| hook.purpose == purpose));
        finding.weakens = dependence.weakened(row.map_or(problem.row().feeds, |hook| hook.feeds()));
    }
}
