//! Whose process it is, from what its witnesses say. Pure.

use std::sync::Arc;

use super::{Claim, Trick};

/// What is known of a process when it is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// Where it, or the parent that forked it, was before. `Unknown`: nobody saw it until now.
    pub before: &'a Claim,
    pub cgroup: &'a Claim,
    pub mount: &'a Claim,
    pub pid: &'a Claim,
    /// The container that the cgroup speaks for has run no program yet.
    pub is_first: bool,
    /// That container has a mount namespace of its own, as far as is known.
    pub has_own_mount: bool,
    /// The two containers named are the same to whoever looks: one lies in the other, and no runtime of this
    /// host knows the inner one; or the second lies in the first.
    pub is_related: bool,
}

/// Whose it is, and what was done to make it look otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    pub container: Option<Arc<str>>,
    pub trick: Option<Trick>,
    /// It came into the container with this program.
    pub has_entered: bool,
}

/// Judges. The first sight counts: who was in a container stays its, who was outside comes in with the
/// cgroup and the mount namespace or not at all. Who was seen by nobody is where two of three say.
#[must_use]
pub fn judge(evidence: &Evidence<'_>) -> Judgement {
    match (evidence.before, evidence.cgroup) {
        (Claim::Container(home), cgroup) => resident(home, cgroup, evidence),
        (Claim::Host | Claim::Unknown, Claim::Container(id)) => newcomer(id, evidence),
        (Claim::Host, Claim::Host | Claim::Unknown) => outside(evidence.mount, false),
        (Claim::Unknown, Claim::Host | Claim::Unknown) => {
            outside(evidence.mount, evidence.mount == evidence.pid)
        }
    }
}

fn resident(home: &Arc<str>, cgroup: &Claim, evidence: &Evidence<'_>) -> Judgement {
    let stays = |trick| Judgement { container: Some(Arc::clone(home)), trick, has_entered: false };
    match cgroup {
        // A container within: the inner one is where it is now.
        Claim::Container(inner) if inner != home && evidence.is_related => {
            Judgement { container: Some(Arc::clone(inner)), trick: None, has_entered: evidence.is_first }
        }
        Claim::Container(other) if other != home => stays(Some(Trick::CgroupLeft)),
        // It came there as a runtime's stage, or was born of one: whatever it runs first is the container.
        Claim::Container(_) if evidence.is_first => {
            Judgement { container: Some(Arc::clone(home)), trick: None, has_entered: true }
        }
        Claim::Host => stays(Some(Trick::CgroupLeft)),
        Claim::Container(_) | Claim::Unknown => match evidence.mount {
            Claim::Host if evidence.has_own_mount => stays(Some(Trick::NamespaceLeft)),
            Claim::Container(other) if other != home && !evidence.is_related => {
                stays(Some(Trick::NamespaceEntered))
            }
            Claim::Host | Claim::Container(_) | Claim::Unknown => stays(None),
        },
    }
}

fn newcomer(id: &Arc<str>, evidence: &Evidence<'_>) -> Judgement {
    let entered = Judgement { container: Some(Arc::clone(id)), trick: None, has_entered: true };
    // Whatever its runtime runs first is the container: some share the host's mounts.
    if evidence.is_first {
        return entered;
    }
    let joined = |container| Judgement { container, trick: Some(Trick::CgroupJoined), has_entered: false };
    match evidence.mount {
        Claim::Container(owner) if owner == id => entered,
        Claim::Host if !evidence.has_own_mount => entered,
        // A mount namespace of its own, made by somebody within, or by a process of the host that wants to
        // look like it.
        Claim::Unknown if !evidence.has_own_mount || *evidence.before == Claim::Unknown => entered,
        Claim::Container(owner) if *evidence.before == Claim::Unknown && evidence.mount == evidence.pid => {
            joined(Some(Arc::clone(owner)))
        }
        Claim::Host | Claim::Unknown | Claim::Container(_) => joined(None),
    }
}

/// `is_confirmed`: the pid namespace says the same as the mount namespace.
fn outside(mount: &Claim, is_confirmed: bool) -> Judgement {
    let Claim::Container(owner) = mount else { return Judgement::default() };
    if is_confirmed {
        let container = Some(Arc::clone(owner));
        return Judgement { container, trick: Some(Trick::CgroupLeft), has_entered: false };
    }
    Judgement { container: None, trick: Some(Trick::NamespaceEntered), has_entered: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(text: &str) -> Claim {
        match text {
            "?" => Claim::Unknown,
            "host" => Claim::Host,
            id => Claim::Container(id.into()),
        }
    }

    /// Before, cgroup, mount, pid; flags: f = first, m = has its own mounts, r = related. Then whose, the
    /// trick, and whether it came in.
    type Case = (&'static str, [&'static str; 4], &'static str, Option<&'static str>, Option<Trick>, bool);

    const CASES: &[Case] = &[
        ("a container's first program", ["host", "a", "?", "?"], "f", Some("a"), None, true),
        ("one that shares the host's mounts", ["host", "a", "host", "host"], "f", Some("a"), None, true),
        ("one that a runtime's stage turned into", ["a", "a", "?", "?"], "f", Some("a"), None, true),
        ("and what is executed in such a one", ["host", "a", "host", "host"], "", Some("a"), None, true),
        ("docker exec", ["host", "a", "a", "a"], "m", Some("a"), None, true),
        ("found at start", ["?", "a", "a", "a"], "m", Some("a"), None, true),
        ("at home", ["a", "a", "a", "a"], "m", Some("a"), None, false),
        ("at home, with mounts of its own", ["a", "a", "?", "a"], "m", Some("a"), None, false),
        ("at home, its cgroup unknown", ["a", "?", "a", "a"], "m", Some("a"), None, false),
        ("moved to the host", ["a", "host", "a", "a"], "m", Some("a"), Some(Trick::CgroupLeft), false),
        ("moved to another", ["a", "b", "a", "a"], "m", Some("a"), Some(Trick::CgroupLeft), false),
        ("moved inwards", ["a", "b", "a", "a"], "mr", Some("b"), None, false),
        ("a container within", ["a", "b", "?", "?"], "fr", Some("b"), None, true),
        (
            "into the host's mounts",
            ["a", "a", "host", "host"],
            "m",
            Some("a"),
            Some(Trick::NamespaceLeft),
            false,
        ),
        ("into another's mounts", ["a", "a", "b", "a"], "m", Some("a"), Some(Trick::NamespaceEntered), false),
        (
            "a host's shell in its cgroup",
            ["host", "a", "host", "host"],
            "m",
            None,
            Some(Trick::CgroupJoined),
            false,
        ),
        (
            "the same with mounts of its own",
            ["host", "a", "?", "host"],
            "m",
            None,
            Some(Trick::CgroupJoined),
            false,
        ),
        (
            "the same before the sensor",
            ["?", "a", "host", "host"],
            "m",
            None,
            Some(Trick::CgroupJoined),
            false,
        ),
        (
            "b's process in a's cgroup, before",
            ["?", "a", "b", "b"],
            "m",
            Some("b"),
            Some(Trick::CgroupJoined),
            false,
        ),
        ("nsenter", ["host", "host", "a", "a"], "", None, Some(Trick::NamespaceEntered), false),
        ("nsenter --mount", ["host", "host", "a", "host"], "", None, Some(Trick::NamespaceEntered), false),
        ("left before the sensor", ["?", "host", "a", "a"], "", Some("a"), Some(Trick::CgroupLeft), false),
        ("the host", ["host", "host", "host", "host"], "", None, None, false),
        ("a service with mounts of its own", ["host", "host", "?", "host"], "", None, None, false),
    ];

    #[test]
    fn the_first_sight_counts_and_one_witness_alone_does_not() {
        for (name, [before, cgroup, mount, pid], flags, container, trick, has_entered) in CASES {
            let judgement = judge(&Evidence {
                before: &claim(before),
                cgroup: &claim(cgroup),
                mount: &claim(mount),
                pid: &claim(pid),
                is_first: flags.contains('f'),
                has_own_mount: flags.contains('m'),
                is_related: flags.contains('r'),
            });
            let expected =
                Judgement { container: container.map(Arc::from), trick: *trick, has_entered: *has_entered };
            assert_eq!(judgement, expected, "{name}");
        }
    }
}
