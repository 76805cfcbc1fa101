//! What speaks for a process and its container, as sentences: where its program comes from, who disagrees
//! with whom.

/// Said of a container's id that stands in a cgroup's path only.
pub(super) const UNVERIFIED: &str = "unverified: no runtime knows this id";
/// Between containers, the outer one first.
pub(super) const NESTING: &str = " › ";

/// Where a program comes from, if not from an image or package. None: nothing is odd about it.
pub(super) fn origin(
    memfd: bool,
    deleted: bool,
    upper_layer: bool,
    written: Option<String>,
) -> Option<String> {
    let facts = [
        (memfd, "runs from memory"),
        (deleted && !memfd, "its file is deleted"),
        (upper_layer, "not in image"),
    ];
    let facts = facts.into_iter().filter(|(holds, _)| *holds).map(|(_, told)| told.to_owned());
    let told: Vec<String> = facts.chain(written).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

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
