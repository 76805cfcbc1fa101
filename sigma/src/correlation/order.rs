//! The order in which correlations are made: each behind those it reads. One that reads itself has none.

use rustc_hash::FxHashMap;

use super::document::Draft;
use crate::diagnostic::{Diagnostic, Source, Span};
use crate::rule::RuleIndex;

/// Drafts so that each stands behind those it reads; `None` if some read themselves.
pub(super) fn of(
    drafts: &[(RuleIndex, Source, Draft)],
    members: &[Vec<Option<RuleIndex>>],
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Vec<usize>> {
    let of_rule: FxHashMap<RuleIndex, usize> =
        drafts.iter().enumerate().map(|(at, (index, ..))| (*index, at)).collect();
    let reads = |members: &[Option<RuleIndex>]| -> Vec<Option<usize>> {
        members.iter().map(|index| index.and_then(|index| of_rule.get(&index).copied())).collect()
    };
    let inner: Vec<_> = members.iter().map(|members| reads(members)).collect();
    let mut waits: Vec<usize> = inner.iter().map(|inner| inner.iter().flatten().count()).collect();
    let mut outer = vec![Vec::new(); drafts.len()];
    for (at, inner) in inner.iter().enumerate() {
        for &inner in inner.iter().flatten() {
            outer.get_mut(inner).into_iter().for_each(|readers| readers.push(at));
        }
    }
    let mut order: Vec<usize> = Vec::with_capacity(drafts.len());
    order.extend(waits.iter().enumerate().filter(|(_, waits)| **waits == 0).map(|(at, _)| at));
    let mut next = 0;
    while let Some(&settled) = order.get(next) {
        next += 1;
        for &reader in outer.get(settled).into_iter().flatten() {
            if let Some(waits) = waits.get_mut(reader) {
                *waits -= 1;
                if *waits == 0 {
                    order.push(reader);
                }
            }
        }
    }
    if order.len() == drafts.len() {
        return Some(order);
    }
    note_circles(drafts, &inner, &waits, diagnostics);
    None
}

/// `waits`: those above zero read themselves, or one that does.
fn note_circles(
    drafts: &[(RuleIndex, Source, Draft)],
    inner: &[Vec<Option<usize>>],
    waits: &[usize],
    diagnostics: &mut Vec<Diagnostic>,
) {
    let unsettled = |at: usize| waits.get(at).is_some_and(|waits| *waits > 0);
    // By draft: the walk that came by.
    let mut seen: Vec<Option<usize>> = vec![None; drafts.len()];
    for walk in (0..drafts.len()).filter(|at| unsettled(*at)) {
        let mut at = walk;
        while let Some(place) = seen.get_mut(at).filter(|seen| seen.is_none()) {
            *place = Some(walk);
            let reads = inner.get(at).into_iter().flatten().enumerate();
            let mut steps = reads.filter_map(|(member, inner)| inner.map(|inner| (member, inner)));
            let Some((member, onward)) = steps.find(|(_, inner)| unsettled(*inner)) else { break };
            if let Some((_, source, draft)) =
                drafts.get(at).filter(|_| seen.get(onward).copied().flatten() == Some(walk))
            {
                let span = draft.rules.get(member).map_or(Span::default(), |name| name.span);
                let message = "this correlation would read itself, by way of this rule";
                diagnostics.push(Diagnostic::new(source, span, message).with_help("remove it"));
            }
            at = onward;
        }
    }
}
