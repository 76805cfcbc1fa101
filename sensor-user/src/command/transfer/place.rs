//! The other end of a transfer, as tools write it: URLs, `host:port`, `user@host:path`.

use super::bounded;

/// One other end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remote {
    /// As it is written.
    pub text: String,
    /// In lower case, without brackets.
    pub host: Option<String>,
    pub port: Option<u16>,
    pub user: Option<String>,
}

impl Remote {
    pub(super) fn texts_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let Self { text, host, port: _, user } = self;
        std::iter::once(text).chain(host).chain(user)
    }

    /// Nothing in it is a host.
    pub(super) fn opaque(text: &str) -> Self {
        Self { text: bounded(text).to_owned(), ..Self::default() }
    }

    /// `user@host:port`, and what may follow a slash.
    pub(super) fn authority(text: &str) -> Self {
        let authority = text.split(['/', '?', '#', '\\']).next().unwrap_or(text);
        Self::place(text, authority)
    }

    /// A host that is named by itself, with its port beside it.
    pub(super) fn host(host: &str, port: Option<&str>) -> Self {
        let text = port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Self {
            text: bounded(&text).to_owned(),
            host: named(host),
            port: port.and_then(|port| port.parse().ok()),
            user: None,
        }
    }

    /// `scheme://user:password@host:port/path`: the scheme, and the rest. None: there is no scheme.
    pub(super) fn url(text: &str) -> Option<(&str, Self)> {
        let (scheme, rest) = split_url(text)?;
        let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or(rest);
        Some((scheme, Self::place(text, authority)))
    }

    /// `[user@]host:path`, where the colon stands before any slash, as rcp(1) and its heirs have it; the host
    /// may be an IPv6 address in brackets. The place and the path.
    pub(super) fn shell(text: &str) -> Option<(Self, &str)> {
        let (user, host) = match text.split_once('[') {
            Some((before, _)) if before.is_empty() || before.ends_with('@') => {
                (before, text.get(before.len()..)?)
            }
            Some(_) | None => ("", text),
        };
        let colon = match host.strip_prefix('[').and_then(|inside| inside.find(']')) {
            // Behind the bracket, which is one byte before the inside.
            Some(end) => host.get(end + 2..)?.starts_with(':').then_some(end + 2)?,
            None => host.find(':').filter(|colon| host.find('/').is_none_or(|slash| *colon < slash))?,
        };
        if user.len() + colon == 0 {
            return None;
        }
        let path = host.get(colon + 1..)?;
        let (user, name) = match host.get(..colon)?.rsplit_once('@') {
            Some((user, name)) => (user, name),
            None => (user.trim_end_matches('@'), host.get(..colon)?),
        };
        let user = Some(user).filter(|user| !user.is_empty()).map(|user| bounded(user).to_owned());
        Some((Self { text: bounded(text).to_owned(), host: named(name), port: None, user }, path))
    }

    fn place(text: &str, authority: &str) -> Self {
        // A host has no `@`, a password may.
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (user.split(':').next(), place),
            None => (None, authority),
        };
        let (host, port) = split_port(place);
        Self {
            text: bounded(text).to_owned(),
            host: named(host),
            port,
            user: user.filter(|user| !user.is_empty()).map(|user| bounded(user).to_owned()),
        }
    }

    /// It is this very machine: by the three names that cannot be anybody else's.
    pub(super) fn is_loopback(&self) -> bool {
        self.host.as_deref().is_some_and(is_loopback)
    }

    pub(super) fn texts(&self) -> usize {
        let optional = [&self.host, &self.user].into_iter().flatten();
        self.text.capacity() + optional.map(String::capacity).sum::<usize>()
    }
}

pub(super) fn is_loopback(host: &str) -> bool {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || host == "127.0.0.1" || host == "::1"
}

/// Scheme and what follows `://`; a scheme is a letter and letters, digits, `+`, `-`, `.` (RFC 3986, 3.1).
pub(super) fn split_url(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let mut letters = scheme.chars();
    let is_scheme = letters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && letters.all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '-' | '.'));
    is_scheme.then_some((scheme, rest))
}

/// `host:port`, `[v6]:port`, or a host alone; a bare IPv6 address is one.
pub(super) fn split_port(place: &str) -> (&str, Option<u16>) {
    let bracket = place.rfind(']').map_or(0, |end| end + 1);
    let (Some((host, port)), true) = (place.rsplit_once(':'), place.matches(':').count() == 1 || bracket > 0)
    else {
        return (place, None);
    };
    if host.len() < bracket {
        return (place, None);
    }
    (host, port.parse().ok())
}

/// A host's name as rules compare it. None: there is none.
fn named(host: &str) -> Option<String> {
    let inside = host.strip_prefix('[').and_then(|host| host.split(']').next()).unwrap_or(host);
    (!inside.is_empty()).then(|| bounded(inside).to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(remote: &Remote) -> (Option<&str>, Option<u16>, Option<&str>) {
        (remote.host.as_deref(), remote.port, remote.user.as_deref())
    }

    #[test]
    fn urls_have_their_parts() {
        for (text, scheme, expected) in [
            ("http://H/f", "http", (Some("h"), None, None)),
            ("https://u:p@ss@H:8443/f", "https", (Some("h"), Some(8443), Some("u"))),
            ("http://127.0.0.1@evil/f", "http", (Some("evil"), None, Some("127.0.0.1"))),
            ("http://[2001:DB8::1]:80/f", "http", (Some("2001:db8::1"), Some(80), None)),
            ("http://[::1]", "http", (Some("::1"), None, None)),
            ("http://h?x@y", "http", (Some("h"), None, None)),
            ("s3://bucket/key", "s3", (Some("bucket"), None, None)),
            ("file:///etc/passwd", "file", (None, None, None)),
        ] {
            let (found, remote) = Remote::url(text).unwrap();
            assert_eq!((found, told(&remote)), (scheme, expected), "{text}");
        }
        assert_eq!(Remote::url("h:80/f"), None);
        assert_eq!(Remote::url("1x://h"), None);
    }

    #[test]
    fn shells_write_host_and_path() {
        for (text, expected) in [
            ("h:f", Some((Some("h"), None, "f"))),
            ("u@h:", Some((Some("h"), Some("u"), ""))),
            ("u@[::1]:/in", Some((Some("::1"), Some("u"), "/in"))),
            ("[2001:db8::5]:f", Some((Some("2001:db8::5"), None, "f"))),
            ("h::mod/f", Some((Some("h"), None, ":mod/f"))),
            ("./a:b", None),
            ("/a:b", None),
            (":b", None),
            ("f", None),
            ("[::1]", None),
            ("[::1]x:y", None),
        ] {
            let found = Remote::shell(text);
            let found = found.as_ref().map(|(remote, path)| (told(remote).0, told(remote).2, *path));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn ports_stand_behind_the_last_colon() {
        assert_eq!(split_port("h:80"), ("h", Some(80)));
        assert_eq!(split_port("::1"), ("::1", None));
        assert_eq!(split_port("[::1]:80"), ("[::1]", Some(80)));
        assert_eq!(split_port("[::1]"), ("[::1]", None));
        assert_eq!(split_port("h"), ("h", None));
    }
}
