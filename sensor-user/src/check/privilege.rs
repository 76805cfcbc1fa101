//! What this process may do: the capabilities that loading needs, and those that some things need.

use super::{Check, Fact, Finding, Problem};
use crate::host::capability::{Capability, NEEDED, Sets, lacking, names};

/// A capability without which something is missing, and what.
const OPTIONAL: [(Capability, Problem); 4] = [
    (Capability::SYS_PTRACE, Problem::PtraceMissing),
    (Capability::DAC_READ_SEARCH, Problem::SearchMissing),
    (Capability::SYS_ADMIN, Problem::AdminMissing),
    (Capability::NET_BIND_SERVICE, Problem::BindMissing),
];

/// By `/proc/self/status`.
#[must_use]
pub fn capabilities(status: &Fact<String>) -> Vec<Finding> {
    let sets = match status {
        Ok(status) => Sets::parse(status),
        Err(error) => return vec![Finding::unknown(Check::Capability, error.to_string())],
    };
    let Some(sets) = sets else {
        return vec![Finding::unknown(Check::Capability, "/proc/self/status names none")];
    };
    let mut findings = vec![needed(&sets)];
    findings.extend(OPTIONAL.iter().filter(|(capability, _)| !sets.has(*capability)).map(
        |(capability, problem)| {
            let what = format!("not there; it lets the sensor {}", capability.purpose);
            Finding::problem(*problem, what).of(capability.name)
        },
    ));
    findings
}

fn needed(sets: &Sets) -> Finding {
    let missing = lacking(sets.effective);
    if missing.is_empty() {
        return Finding::good(Check::Capability, format!("{} are there", names(&NEEDED)));
    }
    let could = lacking(sets.permitted).is_empty();
    let hint = if could { "; they are permitted, and not effective" } else { "" };
    Finding::problem(Problem::CapabilityMissing, format!("it lacks {}{hint}", names(&missing)))
}
