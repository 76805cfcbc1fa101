//! What a program is called, and where it is called from.

/// Multi-call binaries whose `argv[0]` is the applet that runs.
const MULTI_CALL: [&str; 4] = ["busybox", "toybox", "coreutils", "sbase-box"];
/// How the file names of dynamic loaders begin: of glibc, of musl, of glibc before 2.34, Debian's `ld.so`.
const LOADERS: [&str; 5] = ["ld-linux", "ld-musl", "ld-2.", "ld64.so", "ld.so"];
/// Their options that take a value (glibc's elf/rtld.c, musl's ldso/dynlink.c).
const WITH_VALUE: [&str; 7] = [
    "--library-path",
    "--glibc-hwcaps-prepend",
    "--glibc-hwcaps-mask",
    "--inhibit-rpath",
    "--audit",
    "--preload",
    "--argv0",
];
/// With these they run nothing.
const IDLE: [&str; 6] =
    ["--list", "--verify", "--list-tunables", "--list-diagnostics", "--help", "--version"];

/// The names beside its own that a program goes by, absolute: a multi-call binary's applet, and what a
/// dynamic loader was told to run.
#[must_use]
pub fn further_names(path: &str, arguments: &[String], directory: &str) -> (Option<String>, Option<String>) {
    let loaded = loaded(path, arguments);
    let applet = match &loaded {
        Some(loaded) => applet(&loaded.path, &loaded.arguments),
        None => applet(path, arguments),
    };
    let directory = directory.trim_end_matches('/');
    let absolute = |path: String| if path.starts_with('/') { path } else { format!("{directory}/{path}") };
    (applet.map(absolute), loaded.map(|loaded| absolute(loaded.path)))
}

/// The applet a multi-call binary runs as, as a path beside it: by `argv[0]`, or where that is the
/// binary's own name by the first argument (`busybox wget ...`).
fn applet(path: &str, arguments: &[String]) -> Option<String> {
    let (directory, name) = split(path);
    if !MULTI_CALL.contains(&name) {
        return None;
    }
    let mut names = arguments.iter().map(|argument| split(argument).1);
    let applet = names.next().filter(|applet| *applet != name).or_else(|| names.next())?;
    let is_name = !applet.is_empty() && !applet.starts_with('-');
    is_name.then(|| format!("{directory}{}", applet.trim_start_matches('-')))
}

/// What a dynamic loader was told to run.
#[derive(Debug, PartialEq, Eq)]
struct Loaded {
    /// As given: may be relative.
    path: String,
    /// What the program finds as its own.
    arguments: Vec<String>,
}

/// A loader that is called by itself runs the program that its first argument names: whatever that one
/// is called, the kernel sees the loader start.
fn loaded(path: &str, arguments: &[String]) -> Option<Loaded> {
    let name = split(path).1;
    if !LOADERS.iter().any(|loader| name.starts_with(loader)) {
        return None;
    }
    let mut words = arguments.iter().skip(1);
    let mut argv0 = None;
    let path = loop {
        let word = words.next()?;
        if word == "--" {
            break words.next()?;
        }
        if !word.starts_with("--") {
            break word;
        }
        if IDLE.contains(&word.as_str()) {
            return None;
        }
        // glibc takes the next word as the value, musl that or what follows `=`.
        if let Some(value) = word.strip_prefix("--argv0=") {
            argv0 = Some(value.to_owned());
        } else if WITH_VALUE.contains(&word.as_str()) {
            let value = words.next()?;
            argv0 = (word == "--argv0").then(|| value.clone()).or(argv0);
        }
    };
    let first = argv0.unwrap_or_else(|| path.clone());
    Some(Loaded { path: path.clone(), arguments: std::iter::once(first).chain(words.cloned()).collect() })
}

/// Name of a terminal by its device number (Documentation/admin-guide/devices.txt).
#[must_use]
pub fn terminal(major: u32, minor: u32) -> String {
    match (major, minor) {
        (4, 0..64) => format!("tty{minor}"),
        (4, _) => format!("ttyS{}", minor - 64),
        (5, 1) => "console".to_owned(),
        // Eight numbers of 256 each; since Linux 2.6 all are below the first.
        (136..144, _) => format!("pts/{}", (major - 136) * 256 + minor),
        _ => format!("{major}:{minor}"),
    }
}

/// The directory with its slash, and the name.
fn split(path: &str) -> (&str, &str) {
    path.split_at(path.rfind('/').map_or(0, |slash| slash + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn an_applet_is_named_by_what_called_it() {
        assert_eq!(applet("/bin/busybox", &list(&["wget", "-O", "x"])).as_deref(), Some("/bin/wget"));
        assert_eq!(applet("/bin/busybox", &list(&["/bin/wget"])).as_deref(), Some("/bin/wget"));
        assert_eq!(applet("/bin/busybox", &list(&["busybox", "nc"])).as_deref(), Some("/bin/nc"));
        assert_eq!(applet("/bin/busybox", &list(&["busybox"])), None);
        assert_eq!(applet("/bin/busybox", &list(&["busybox", "--list"])), None);
        assert_eq!(applet("/usr/bin/curl", &list(&["wget"])), None, "not a multi-call binary");
    }

    #[test]
    fn a_loader_is_seen_through() {
        let glibc = "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2";
        let runs = |loader: &str, words: &[&str]| loaded(loader, &list(words)).map(|loaded| loaded.path);
        assert_eq!(runs(glibc, &["ld.so", "/usr/bin/curl", "-o", "x"]).as_deref(), Some("/usr/bin/curl"));
        let options = [
            "x",
            "--inhibit-cache",
            "--library-path",
            "/l",
            "--preload",
            "/p.so",
            "--argv0",
            "sh",
            "./c",
            "-s",
        ];
        assert_eq!(
            loaded("/usr/lib/ld-2.31.so", &list(&options)),
            Some(Loaded { path: "./c".to_owned(), arguments: list(&["sh", "-s"]) })
        );
        let musl = "/lib/ld-musl-x86_64.so.1";
        assert_eq!(
            loaded(musl, &list(&["ld", "--library-path=/l", "--argv0=wget", "--", "/bin/busybox", "-q"])),
            Some(Loaded { path: "/bin/busybox".to_owned(), arguments: list(&["wget", "-q"]) })
        );
        for idle in [&["ld.so"][..], &["ld.so", "--list", "/bin/ls"], &["ld.so", "--preload"], &[]] {
            assert_eq!(runs(glibc, idle), None, "{idle:?}");
        }
        assert_eq!(runs("/usr/bin/ld", &["ld", "/usr/bin/curl"]), None, "the linker");
    }

    #[test]
    fn terminals_have_their_names() {
        for (major, minor, name) in
            [(136, 3, "pts/3"), (4, 1, "tty1"), (4, 64, "ttyS0"), (5, 1, "console"), (204, 64, "204:64")]
        {
            assert_eq!(terminal(major, minor), name);
        }
    }
}
