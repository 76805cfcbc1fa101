//! What speaks for a process's container, as a sentence: who disagrees with whom.

/// `cgroup left: cgroup says host, mount namespace says web-1`. `name` turns an id into what people call
/// the container. None: there is nothing to warn of.
pub(super) fn sentence<'c>(
    trick: Option<&str>,
    claims: [Option<&'c str>; 3],
    name: impl Fn(&'c str) -> &'c str,
) -> Option<String> {
    let witnesses = ["cgroup", "mount namespace", "pid namespace"].into_iter().zip(claims);
    let told: Vec<String> = witnesses
        .filter_map(|(witness, claim)| {
            let claim = claim?;
            let claim = if claim == HOST { HOST } else { name(claim) };
            Some(format!("{witness} says {claim}"))
        })
        .collect();
    Some(format!("{}: {}", trick?.replace('_', " "), told.join(", ")))
}

/// What a witness says of a process that is in no container.
const HOST: &str = "host";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_truths_are_told() {
        let name = |id: &'static str| if id == "8f3a" { "web-1" } else { id };
        let told = sentence(Some("cgroup_left"), [Some("host"), Some("8f3a"), None], name);
        assert_eq!(told.as_deref(), Some("cgroup left: cgroup says host, mount namespace says web-1"));
        assert_eq!(sentence(None, [Some("host"), Some("host"), None], name), None);
    }
}
