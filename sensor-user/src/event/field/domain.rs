//! Whose a name is: the part of it that somebody registered, by the public suffix list as it was when the agent
//! was built (<https://publicsuffix.org/list/>). Names below a suffix that it does not have (`cluster.local`)
//! count as registered with two labels.

use sigma::Presence;

use super::{Each, Field, size, text};
use crate::event::{Body, Event};

impl Event {
    pub(super) fn domain(&self, field: Field, each: Each<'_>) -> Presence {
        let Body::DnsQuery(query) = &self.body else { return Presence::Absent };
        let Some((before, domain)) = split(&query.name) else { return Presence::Absent };
        if field == Field::QueryDomain {
            text(Some(domain), each)
        } else if field == Field::QuerySubdomainLength {
            size(u64::try_from(before.chars().count()).ok(), each)
        } else {
            Presence::Absent
        }
    }
}

/// What stands before the registered domain, without the dot between, and the domain. None: nobody can own such
/// a name alone (`com`, `co.uk`, `localhost`).
fn split(name: &str) -> Option<(&str, &str)> {
    let domain = psl::domain_str(name)?;
    let before = name.strip_suffix(domain)?;
    Some((before.strip_suffix('.').unwrap_or(before), domain))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_name_is_split_where_somebody_registered_it() {
        for (name, expected) in [
            ("example.com", Some(("", "example.com"))),
            ("a.b.example.com", Some(("a.b", "example.com"))),
            ("www.example.co.uk", Some(("www", "example.co.uk"))),
            ("x.someone.github.io", Some(("x", "someone.github.io"))),
            ("web.default.svc.cluster.local", Some(("web.default.svc", "cluster.local"))),
            ("4f2a9c.t.xn--bcher-kva.example", Some(("4f2a9c.t", "xn--bcher-kva.example"))),
            ("co.uk", None),
            ("localhost", None),
            ("", None),
            (".", None),
        ] {
            assert_eq!(split(name), expected, "{name}");
        }
    }
}
