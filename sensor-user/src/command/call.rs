//! Which program a command line really calls: through BusyBox, a dynamic loader or an interpreter.

/// Multi-call binaries whose first or second word names what runs.
const MULTI_CALL: [&str; 3] = ["busybox", "toybox", "sbase-box"];
/// Most words before the program in a call by an interpreter or loader: their options are few.
const BEFORE_MAX: usize = 16;

/// A program and its own arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call<'a> {
    /// Last part of its path, or the name of a Python module (`http.server`).
    pub name: &'a str,
    /// Behind its own name.
    pub arguments: &'a [String],
}

/// What a command line may be a call of, the likeliest first: one for each name of the executable.
pub fn calls<'a>(
    images: impl Iterator<Item = &'a str>,
    arguments: &'a [String],
) -> impl Iterator<Item = Call<'a>> {
    images.enumerate().filter_map(move |(index, path)| {
        let name = last(path);
        if MULTI_CALL.contains(&name) {
            applet(name, arguments)
        } else if name.starts_with("python") || name.starts_with("pypy") {
            script(arguments)
        } else {
            // What an interpreter or a loader runs stands behind its own name.
            let before = (index > 0).then(|| place_of(path, arguments)).flatten().unwrap_or_default();
            Some(Call { name, arguments: arguments.get(before + 1..).unwrap_or_default() })
        }
    })
}

/// Last part of a path.
fn last(path: &str) -> &str {
    path.rfind('/').and_then(|slash| path.get(slash + 1..)).unwrap_or(path)
}

/// `wget ...` as the binary's other name, or `busybox wget ...`.
fn applet<'a>(binary: &str, arguments: &'a [String]) -> Option<Call<'a>> {
    let own = arguments.first()?;
    // A login shell's name begins with a dash.
    let name = last(own.trim_start_matches('-'));
    if name != binary {
        return Some(Call { name, arguments: arguments.get(1..)? });
    }
    let name = last(arguments.get(1)?);
    (!name.starts_with('-')).then_some(Call { name, arguments: arguments.get(2..)? })
}

/// Where a further name of the executable stands among the words, in front of its own arguments.
fn place_of(path: &str, arguments: &[String]) -> Option<usize> {
    let is_it = |word: &String| {
        let before = path.strip_suffix(word.as_str());
        !word.is_empty() && before.is_some_and(|before| before.is_empty() || before.ends_with('/'))
    };
    // Its own name in front: nothing else runs it.
    if arguments.first().is_none_or(|first| last(first) == last(path)) {
        return None;
    }
    arguments.iter().take(BEFORE_MAX).position(is_it)
}

/// The script or module that Python is told to run (Python 3.13, "Command line and environment").
fn script(arguments: &[String]) -> Option<Call<'_>> {
    let mut place = 1;
    while place < BEFORE_MAX {
        let word = arguments.get(place)?.as_str();
        let Some(cluster) = word.strip_prefix('-').filter(|cluster| !cluster.is_empty()) else {
            return Some(Call { name: last(word), arguments: arguments.get(place + 1..)? });
        };
        if cluster.starts_with('-') {
            // `--check-hash-based-pycs` alone takes a value.
            place += if cluster == "-check-hash-based-pycs" { 2 } else { 1 };
            continue;
        }
        let Some(at) = cluster.find(['c', 'm', 'W', 'X']) else {
            place += 1;
            continue;
        };
        let (option, attached) = cluster.get(at..)?.split_at_checked(1)?;
        match (option, attached) {
            ("c", _) => return None,
            ("m", "") => {
                let name = arguments.get(place + 1)?;
                return Some(Call { name, arguments: arguments.get(place + 2..)? });
            }
            ("m", name) => return Some(Call { name, arguments: arguments.get(place + 1..)? }),
            (_, "") => place += 2,
            (_, _) => place += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn first(images: &[&str], line: &str) -> Option<String> {
        let arguments = words(line);
        let call = calls(images.iter().copied(), &arguments).next()?;
        Some(
            std::iter::once(call.name)
                .chain(call.arguments.iter().map(String::as_str))
                .collect::<Vec<_>>()
                .join(" "),
        )
    }

    #[test]
    fn a_program_is_found_behind_what_runs_it() {
        for (images, line, expected) in [
            (&["/usr/bin/curl"][..], "curl -o x u", Some("curl -o x u")),
            (&["/usr/bin/curl"], "innocent -o /usr/bin/curl u", Some("curl -o /usr/bin/curl u")),
            (&["/bin/busybox"], "busybox wget u", Some("wget u")),
            (&["/bin/busybox"], "/bin/wget u", Some("wget u")),
            (&["/bin/busybox"], "-sh", Some("sh")),
            (&["/bin/busybox"], "busybox --list", None),
            (&["/bin/busybox"], "busybox", None),
            (&["/usr/bin/python3.11"], "python3 -m http.server 80", Some("http.server 80")),
            (&["/usr/bin/python3.11"], "python3 -Im http.server", Some("http.server")),
            (&["/usr/bin/python3.11"], "python3 -W ignore -X utf8 /usr/bin/s3cmd put f", Some("s3cmd put f")),
            (&["/usr/bin/python3.11"], "python3 -c import", None),
            (&["/usr/bin/python3.11"], "python3", None),
        ] {
            assert_eq!(first(images, line).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn what_a_loader_or_a_script_was_called_with_is_its_own() {
        let arguments = words("ld.so --argv0 x ./curl -o f u");
        let images = ["/lib/ld-linux-x86-64.so.2", "/srv/./curl"];
        let call = calls(images.into_iter(), &arguments).nth(1);
        assert_eq!(call, Some(Call { name: "curl", arguments: &arguments[4..] }));
        let arguments = words("/bin/sh /usr/bin/gcloud storage cp");
        let call = calls(["/usr/bin/dash", "/usr/bin/gcloud"].into_iter(), &arguments).nth(1);
        assert_eq!(call, Some(Call { name: "gcloud", arguments: &arguments[2..] }));
    }
}
