//! Puts right what was done to a hook, and has it fire: attached again is not yet seen again.

use super::hook::{HOOKS, Tier, Trial};
use super::load::Loaded;
use super::proof::{Proof, Prover};
use super::watch::Broken;
use crate::alert::Mended;

/// Said of a hook that is attached again and does not fire.
const SILENT: &str = "attached again, and did not fire";

impl Loaded {
    /// Puts one link right.
    pub fn mend(&mut self, broken: &Broken) -> Mended {
        let Some(programs) = &self.programs else { return Mended::Failed("the sensor is ending".to_owned()) };
        if let Err(error) = self.watch.mend(programs, broken) {
            return Mended::Failed(error.to_string());
        }
        self.prove_again(&broken.program)
    }

    /// Switches the tracing of functions on again. What one of these hooks sees, the others do.
    pub fn trace_again(&mut self) -> Mended {
        if let Err(error) = self.watch.trace_again() {
            return Mended::Failed(format!("kernel.ftrace_enabled cannot be set: {error}"));
        }
        let programs: Vec<String> = self.watch.traced().map(str::to_owned).collect();
        let mut proofs = programs.iter().map(|program| self.prove_again(program));
        proofs
            .find(|mended| *mended == Mended::Proven)
            .unwrap_or_else(|| Mended::Unproven("none of these hooks can be proven a second time".to_owned()))
    }

    fn prove_again(&mut self, program: &str) -> Mended {
        let Some((trial, tier)) = trial(program) else {
            return Mended::Unproven("no trial is known for it".to_owned());
        };
        match Prover::new(&self.ledger, &mut self.trials, &self.hierarchy).prove(trial, tier) {
            Proof::Proven => Mended::Proven,
            Proof::Silent => Mended::Failed(SILENT.to_owned()),
            Proof::Unprovable(reason) => Mended::Unproven(reason),
        }
    }
}

/// What makes a program fire.
fn trial(program: &str) -> Option<(Trial, Tier)> {
    HOOKS.iter().find_map(|hook| {
        let has_it = |tier: &&Tier| tier.iter().any(|attach| attach.program() == Some(program));
        hook.tiers.iter().find(has_it).map(|tier| (hook.trial, *tier))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_that_others_can_detach_has_a_trial() {
        assert_eq!(trial("connect4").map(|(trial, _)| trial), Some(Trial::Connect4));
        assert_eq!(trial("dns_query").map(|(trial, _)| trial), Some(Trial::Query));
        assert_eq!(trial("sock_release").map(|(trial, _)| trial), Some(Trial::Release));
        assert_eq!(trial("nothing"), None);
    }
}
