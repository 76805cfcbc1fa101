//! The container runtimes: whether what they keep of their containers can be read, and whether they answer.

use super::{Check, Fact, Finding, Problem, Unread};

/// A kind of runtime on this host, as far as its files show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeFacts {
    /// `Docker`, `containerd`.
    pub name: &'static str,
    /// Folders that are looked through for its state, and whether each can be listed.
    pub folders: Vec<(String, Fact<()>)>,
    /// Its sockets that are there.
    pub sockets: Vec<String>,
}

/// Every kind that shows, or that none does.
#[must_use]
pub fn runtimes(facts: &[RuntimeFacts]) -> Vec<Finding> {
    let found: Vec<Finding> = facts.iter().filter_map(runtime).collect();
    if found.is_empty() {
        return vec![Finding::problem(Problem::RuntimeNone, "no runtime shows a folder or a socket")];
    }
    found
}

/// None: it is not on this host.
fn runtime(facts: &RuntimeFacts) -> Option<Finding> {
    let readable: Vec<&str> = folders(facts, Result::is_ok);
    let forbidden = folders(facts, |outcome| matches!(outcome, Err(Unread::Forbidden | Unread::Failed(_))));
    let finding = match (readable.is_empty(), forbidden.is_empty(), facts.sockets.is_empty()) {
        (false, _, _) => {
            let sockets = if facts.sockets.is_empty() {
                String::new()
            } else {
                format!("; {}", facts.sockets.join(", "))
            };
            Finding::good(Check::Runtime, format!("{}{sockets}", readable.join(", ")))
        }
        (true, false, _) => {
            Finding::problem(Problem::RuntimeUnreadable, format!("{} cannot be read", forbidden.join(", ")))
        }
        (true, true, false) => {
            Finding::problem(Problem::RuntimeHidden, format!("{}, and no state", facts.sockets.join(", ")))
        }
        (true, true, true) => return None,
    };
    Some(finding.of(facts.name))
}

fn folders(facts: &RuntimeFacts, is_so: impl Fn(&Fact<()>) -> bool) -> Vec<&str> {
    facts.folders.iter().filter(|(_, outcome)| is_so(outcome)).map(|(path, _)| path.as_str()).collect()
}

/// A socket of the configuration, by what came of asking there.
#[must_use]
pub fn socket(path: &str, answer: &Result<(), String>) -> Finding {
    let finding = match answer {
        Ok(()) => Finding::good(Check::RuntimeSocket, "answers"),
        Err(reason) => Finding::problem(Problem::RuntimeSocketSilent, reason.clone()),
    };
    finding.of(path)
}

/// What came of asking the Kubernetes API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiAnswer {
    /// It is not to be asked.
    Off,
    /// It told the pods of this node.
    Told {
        server: String,
        node: String,
    },
    /// There is no way to ask.
    NoAccess {
        reason: String,
        remedy: &'static str,
    },
    Silent {
        server: String,
        reason: String,
        remedy: &'static str,
    },
}

/// By that.
#[must_use]
pub fn kubernetes(answer: &ApiAnswer) -> Finding {
    match answer {
        ApiAnswer::Off => {
            Finding::good(Check::Kubernetes, "not asked: this is no pod, and none is configured")
        }
        ApiAnswer::Told { server, node } => {
            Finding::good(Check::Kubernetes, format!("{server} tells the pods of {node}"))
        }
        ApiAnswer::NoAccess { reason, remedy } => {
            Finding::problem(Problem::KubernetesAccess, reason.clone()).remedied(*remedy)
        }
        ApiAnswer::Silent { server, reason, remedy } => {
            Finding::problem(Problem::KubernetesSilent, format!("{server}: {reason}")).remedied(*remedy)
        }
    }
}
