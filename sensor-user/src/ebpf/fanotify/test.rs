//! The watch against the running kernel. Needs root; without, each test says so and returns.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::*;
use crate::octet;

/// How long the kernel may take to tell of a rename that is done. Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// A watch on the file system of `directory`, or `None` with the reason printed.
fn watch(directory: &Path) -> Option<FileWatch> {
    watch_for(directory, FileEvent::Rename)
}

fn watch_for(directory: &Path, event: FileEvent) -> Option<FileWatch> {
    let capture = Capture { closes: true, ..Capture::default() };
    let mut watch = FileWatch::new(&[directory.to_owned()], &capture);
    match watch.enable(event) {
        Ok(()) => Some(watch),
        Err(error) if !rustix::process::geteuid().is_root() => {
            eprintln!("not run, it needs root: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// A rename as the tests look at it.
#[derive(Debug)]
struct RenameSeen {
    pid: u32,
    from: String,
    to: String,
    is_directory: bool,
    time: u64,
}

impl RenameSeen {
    fn read(seen: Seen) -> Option<Self> {
        let Seen { pid, time, deed: Deed::Renamed { from, to, is_directory, .. } } = seen else {
            return None;
        };
        Some(Self { pid, from, to, is_directory, time })
    }
}

/// Runs `mv <arguments>` to its end; its pid.
fn mv(arguments: &[&OsStr]) -> u32 {
    run("mv", arguments)
}

/// Runs a program to its end; its pid.
fn run(program: &str, arguments: &[&OsStr]) -> u32 {
    let mut child = Command::new(program).args(arguments).spawn().unwrap();
    assert!(child.wait().unwrap().success());
    child.id()
}

/// Drains until `enough` events below `directory` are in; those, and nobody else's.
fn events_below(watch: &mut FileWatch, directory: &Path, enough: usize) -> (Vec<Seen>, Drained) {
    let prefix = format!("{}/", directory.display());
    let (mut all, mut last) = (Vec::new(), Drained::default());
    let begin = Instant::now();
    while all.len() < enough && begin.elapsed() < PATIENCE {
        let wait = Timespec { tv_sec: 1, tv_nsec: 0 };
        let groups = [watch.names.as_ref(), watch.closes.as_ref()].into_iter().flatten();
        let mut ready: Vec<_> = groups.map(|group| PollFd::new(&group.descriptor, PollFlags::IN)).collect();
        if let Some(secrets) = &watch.secrets {
            ready.push(PollFd::new(&secrets.group, PollFlags::IN));
        }
        poll(&mut ready, Some(&wait)).unwrap();
        let mut keep = |seen: Seen| {
            let is_below = |path: &String| path.starts_with(&prefix);
            let is_ours = match &seen.deed {
                Deed::Renamed { from, to, .. } => is_below(from) || is_below(to),
                Deed::Created { path, .. }
                | Deed::Closed { path, .. }
                | Deed::Changed { path, .. }
                | Deed::Deleted { path }
                | Deed::Opened { path } => is_below(path),
            };
            if is_ours {
                all.push(seen);
            }
        };
        last =
            watch.drain(&mut Ask { is_wanted: &mut |_, _| true, has_ended: &|_| true }, &mut keep).unwrap();
        assert_eq!((last.malformed, last.first_malformed.clone()), (0, None));
    }
    (all, last)
}

/// The same of renames.
fn seen_below(watch: &mut FileWatch, directory: &Path, enough: usize) -> (Vec<RenameSeen>, Drained) {
    let (seen, last) = events_below(watch, directory, enough);
    (seen.into_iter().filter_map(RenameSeen::read).collect(), last)
}

#[test]
fn renames_are_seen_with_their_pid_and_paths() {
    let scratch = tempfile::tempdir().unwrap();
    let at = |name: &str| scratch.path().join(name);
    let Some(mut watch) = watch(scratch.path()) else { return };
    std::fs::create_dir_all(at("one/two")).unwrap();
    for file in ["a", "victim", "attacker"] {
        std::fs::write(at(file), file).unwrap();
    }
    let odd = scratch.path().join(OsStr::from_bytes(b"odd\xff\n"));
    std::fs::write(&odd, "odd").unwrap();

    let moves = [
        (at("a"), at("b")),
        (at("b"), at("one/two/c")),
        (at("attacker"), at("victim")),
        (odd, at("plain")),
        (at("one"), at("uno")),
        (at("uno/two/c"), at("c")),
    ];
    let begin = boot_time();
    for (from, to) in moves {
        let is_directory = from.is_dir();
        let pid = mv(&["-fT".as_ref(), from.as_os_str(), to.as_os_str()]);
        // Read step by step: a path is the one at the time of reading.
        let (seen, _) = seen_below(&mut watch, scratch.path(), 1);
        let [seen] = <[_; 1]>::try_from(seen).unwrap();
        assert!(seen.time > begin && seen.time <= boot_time());
        let told = (seen.pid, seen.from, seen.to, seen.is_directory);
        let [from, to] = [from, to].map(|path| octet::text(path.as_os_str().as_bytes()));
        assert_eq!(told, (pid, from, to, is_directory));
    }
}

#[test]
fn several_renames_come_in_one_drain_in_their_order() {
    let scratch = tempfile::tempdir().unwrap();
    let Some(mut watch) = watch(scratch.path()) else { return };
    std::fs::write(scratch.path().join("0"), "").unwrap();
    let names: Vec<_> = (0..50).map(|index| scratch.path().join(index.to_string())).collect();
    for pair in names.windows(2) {
        mv(&[pair[0].as_os_str(), pair[1].as_os_str()]);
    }
    let (seen, _) = seen_below(&mut watch, scratch.path(), 49);
    let told: Vec<_> = seen.iter().map(|seen| (Path::new(&seen.from), Path::new(&seen.to))).collect();
    let done: Vec<_> = names.windows(2).map(|pair| (pair[0].as_path(), pair[1].as_path())).collect();
    assert_eq!(told, done);
}

#[test]
fn a_directory_that_is_gone_leaves_the_bare_name() {
    let scratch = tempfile::tempdir().unwrap();
    let Some(mut watch) = watch(scratch.path()) else { return };
    let (gone, kept) = (scratch.path().join("gone"), scratch.path().join("kept"));
    std::fs::create_dir(&gone).unwrap();
    std::fs::write(gone.join("x"), "").unwrap();
    mv(&[gone.join("x").as_os_str(), kept.as_os_str()]);
    std::fs::remove_dir(&gone).unwrap();
    let (seen, drained) = seen_below(&mut watch, scratch.path(), 1);
    let [seen] = <[_; 1]>::try_from(seen).unwrap();
    assert_eq!((seen.from.as_str(), Path::new(&seen.to)), ("x", kept.as_path()));
    assert!(drained.unresolved >= 1);
}

#[test]
fn a_removed_directory_that_somebody_holds_keeps_its_path() {
    let scratch = tempfile::tempdir().unwrap();
    let Some(mut watch) = watch(scratch.path()) else { return };
    let (held, kept) = (scratch.path().join("held"), scratch.path().join("kept"));
    std::fs::create_dir(&held).unwrap();
    let _holder = std::fs::File::open(&held).unwrap();
    std::fs::write(held.join("x"), "").unwrap();
    mv(&[held.join("x").as_os_str(), kept.as_os_str()]);
    std::fs::remove_dir(&held).unwrap();
    let (seen, _) = seen_below(&mut watch, scratch.path(), 1);
    let [seen] = <[_; 1]>::try_from(seen).unwrap();
    // Whether a file system still opens it by handle is its own affair; a wrong path never is.
    let told = Path::new(&seen.from);
    assert!(told == held.join("x") || told == Path::new("x"), "{told:?}");
    assert_eq!(Path::new(&seen.to), kept);
}

/// On /dev/shm, so that the flood does not fill the queues of the tests on /tmp.
#[test]
fn a_full_queue_is_told_and_the_watch_goes_on() {
    let Ok(scratch) = tempfile::tempdir_in("/dev/shm") else {
        eprintln!("not run: no directory can be made in /dev/shm");
        return;
    };
    let Some(mut watch) = watch(scratch.path()) else { return };
    let limit = std::fs::read_to_string("/proc/sys/fs/fanotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    let at = |index: usize| scratch.path().join(index.to_string());
    std::fs::write(at(0), "").unwrap();
    for index in 0..limit + 10 {
        std::fs::rename(at(index), at(index + 1)).unwrap();
    }
    let (mut overflowed, mut turns) = (0, 2);
    while turns > 0 {
        let mut ask = Ask { is_wanted: &mut |_, _| true, has_ended: &|_| false };
        let drained = watch.drain(&mut ask, &mut |_| {}).unwrap();
        overflowed += drained.overflowed.names;
        // The last one hands on what the one before has read.
        turns = if drained.more { 2 } else { turns - 1 };
    }
    assert_eq!(overflowed, 1);
    let last = scratch.path().join("last");
    mv(&[at(limit + 10).as_os_str(), last.as_os_str()]);
    let (seen, _) = seen_below(&mut watch, scratch.path(), 1);
    assert_eq!(seen.iter().map(|seen| Path::new(&seen.to)).collect::<Vec<_>>(), [last.as_path()]);
}

#[test]
fn the_agents_own_renames_are_no_news() {
    let scratch = tempfile::tempdir().unwrap();
    let Some(mut watch) = watch(scratch.path()) else { return };
    let (own, moved, theirs) =
        (scratch.path().join("own"), scratch.path().join("moved"), scratch.path().join("theirs"));
    std::fs::write(&own, "").unwrap();
    std::fs::rename(&own, &moved).unwrap();
    let pid = mv(&[moved.as_os_str(), theirs.as_os_str()]);
    let (seen, _) = seen_below(&mut watch, scratch.path(), 1);
    assert_eq!(seen.iter().map(|seen| seen.pid).collect::<Vec<_>>(), [pid]);
}

#[test]
fn a_root_that_refuses_is_told_and_not_fatal() {
    let scratch = tempfile::tempdir().unwrap();
    let missing = scratch.path().join("missing");
    if watch(scratch.path()).is_none() {
        return;
    }
    let roots = [scratch.path().to_owned(), missing.clone(), PathBuf::from("/proc")];
    let mut watch = FileWatch::new(&roots, &Capture::default());
    watch.enable(FileEvent::Rename).unwrap();
    let refused: Vec<_> = watch.refused().iter().map(|(path, _)| path.as_path()).collect();
    assert_eq!(refused, [missing.as_path(), Path::new("/proc")]);
    assert!(!watch.add(scratch.path()).unwrap(), "the file system is watched already");
    let mut watch = FileWatch::new(std::slice::from_ref(&missing), &Capture::default());
    let nothing = watch.enable(FileEvent::Rename).err().unwrap();
    assert!(nothing.to_string().contains("missing: No such file or directory"), "{nothing}");
}

#[test]
fn closes_are_watched_where_they_are_wanted_only() {
    let scratch = tempfile::tempdir().unwrap();
    let capture = Capture { closes: false, ..Capture::default() };
    let mut watch = FileWatch::new(&[scratch.path().to_owned()], &capture);
    assert!(matches!(watch.enable(FileEvent::Close), Err(FanotifyError::Unwanted)));
}

/// The name and what is said of it, in their order.
fn told(seen: &[Seen]) -> Vec<(&'static str, &Path, Option<u64>)> {
    seen.iter()
        .map(|seen| {
            let size = |stat: &Option<Stat>| stat.as_ref().map(|stat| stat.size);
            match &seen.deed {
                Deed::Renamed { to, .. } => ("renamed", Path::new(to), None),
                Deed::Created { path, stat, .. } => ("created", Path::new(path), size(stat)),
                Deed::Closed { path, stat } => ("closed", Path::new(path), size(stat)),
                Deed::Changed { path, stat } => ("changed", Path::new(path), size(stat)),
                Deed::Deleted { path } => ("deleted", Path::new(path), None),
                Deed::Opened { path } => ("opened", Path::new(path), None),
            }
        })
        .collect()
}

#[test]
fn each_event_is_seen_with_what_the_file_is() {
    let scratch = tempfile::tempdir().unwrap();
    let at = |name: &str| scratch.path().join(name);
    let (file, link) = (at("file"), at("link"));
    let Some(mut watch) = watch_for(scratch.path(), FileEvent::Create) else { return };
    for event in [FileEvent::Delete, FileEvent::Attributes, FileEvent::Close] {
        watch.enable(event).unwrap();
    }
    let script = format!("printf abc > {}", file.display());
    let pid = run("sh", &["-c".as_ref(), script.as_ref()]);
    let (seen, _) = events_below(&mut watch, scratch.path(), 2);
    assert_eq!(told(&seen), [("closed", file.as_path(), Some(3)), ("created", file.as_path(), Some(3))]);
    assert!(seen.iter().all(|seen| seen.pid == pid), "{seen:?}");

    run("chmod", &["+x".as_ref(), file.as_os_str()]);
    let (seen, _) = events_below(&mut watch, scratch.path(), 1);
    let [Seen { deed: Deed::Changed { stat: Some(stat), .. }, .. }] = seen.as_slice() else {
        panic!("{seen:?}");
    };
    assert!(stat.is_executable() && stat.born.is_some_and(|born| born < PATIENCE));

    run("ln", &[file.as_os_str(), link.as_os_str()]);
    let (seen, _) = events_below(&mut watch, scratch.path(), 1);
    let [Seen { deed: Deed::Created { path, stat: Some(stat), .. }, .. }] = seen.as_slice() else {
        panic!("{seen:?}");
    };
    assert_eq!((Path::new(path), stat.links), (link.as_path(), 2));

    run("rm", &[link.as_os_str()]);
    let (seen, _) = events_below(&mut watch, scratch.path(), 1);
    assert!(told(&seen).contains(&("deleted", link.as_path(), None)), "{seen:?}");
}

/// A name is renamed before its close is read.
#[test]
fn a_file_keeps_its_size_under_another_name() {
    let scratch = tempfile::tempdir().unwrap();
    let (file, final_name) = (scratch.path().join(".x.tmp"), scratch.path().join("x"));
    let Some(mut watch) = watch_for(scratch.path(), FileEvent::Close) else { return };
    let script = format!("printf abcd > {0} && mv {0} {1}", file.display(), final_name.display());
    run("sh", &["-c".as_ref(), script.as_ref()]);
    let (seen, _) = events_below(&mut watch, scratch.path(), 1);
    assert_eq!(told(&seen), [("closed", file.as_path(), Some(4))]);
}

#[test]
fn what_nobody_wants_is_not_looked_into() {
    let scratch = tempfile::tempdir().unwrap();
    let Some(mut watch) = watch_for(scratch.path(), FileEvent::Create) else { return };
    let wanted = run("touch", &[scratch.path().join("a").as_os_str()]);
    run("touch", &[scratch.path().join("b").as_os_str()]);
    let mut pids = Vec::new();
    let mut is_wanted = |pid, _| pid == wanted;
    let mut ask = Ask { is_wanted: &mut is_wanted, has_ended: &|_| false };
    watch.drain(&mut ask, &mut |_| panic!("its process may not be known yet")).unwrap();
    let drained = watch.drain(&mut ask, &mut |seen| pids.push(seen.pid)).unwrap();
    assert_eq!(pids, [wanted], "a turn later");
    assert!(drained.unwanted >= 1);
}

#[test]
fn a_secret_is_told_by_the_path_it_was_looked_for() {
    let scratch = tempfile::tempdir().unwrap();
    let keys = scratch.path().join(".ssh");
    std::fs::create_dir(&keys).unwrap();
    for name in ["id_test", "known_hosts"] {
        std::fs::write(keys.join(name), "x").unwrap();
    }
    let pattern = format!("{}/*/id_*", scratch.path().display());
    // Files that are not there take no other's place.
    let missing = (0..100).map(|number| format!("{}/none/file_{number}", scratch.path().display()));
    let secrets = missing.chain([pattern]).map(|path| path.parse().unwrap()).collect();
    let capture = Capture { secrets, ..Capture::default() };
    let mut watch = FileWatch::new(&[scratch.path().to_owned()], &capture);
    if let Err(error) = watch.enable(FileEvent::Open) {
        assert!(!rustix::process::geteuid().is_root(), "{error}");
        eprintln!("not run, it needs root: {error}");
        return;
    }
    let table = MountTable::parse(&std::fs::read_to_string("/proc/self/mountinfo").unwrap());
    watch.add_secrets(1, std::process::id(), &table);
    run("cat", &[keys.join("known_hosts").as_os_str()]);
    let pid = run("cat", &[keys.join("id_test").as_os_str()]);
    let (seen, _) = events_below(&mut watch, scratch.path(), 1);
    assert_eq!(told(&seen), [("opened", keys.join("id_test").as_path(), None)]);
    assert_eq!(seen.first().map(|seen| seen.pid), Some(pid));
    // A key that is new is found by its name.
    watch.enable(FileEvent::Create).unwrap();
    run("cp", &[keys.join("id_test").as_os_str(), keys.join("id_new").as_os_str()]);
    events_below(&mut watch, scratch.path(), 2);
    assert_eq!(watch.take_rescans().len(), 1);
    watch.add_secrets(1, std::process::id(), &table);
    run("cat", &[keys.join("id_new").as_os_str()]);
    let (seen, _) = events_below(&mut watch, scratch.path(), 1);
    assert_eq!(told(&seen).last(), Some(&("opened", keys.join("id_new").as_path(), None)));
}

#[test]
fn every_event_proves_itself() {
    for place in ["/tmp", "/dev/shm"] {
        let scratch = tempfile::tempdir_in(place).unwrap();
        for event in [
            FileEvent::Rename,
            FileEvent::Create,
            FileEvent::Delete,
            FileEvent::Attributes,
            FileEvent::Close,
            FileEvent::Open,
        ] {
            let Some(mut watch) = watch_for(scratch.path(), event) else { return };
            assert!(watch.proves(event, scratch.path()).unwrap(), "{event:?} in {place}");
            watch.disable(event);
            assert!(!watch.proves(event, scratch.path()).unwrap(), "{event:?} in {place}, not watched");
        }
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "nothing is left");
    }
}

#[test]
fn the_default_roots_are_one_for_each_file_system() {
    let roots = default_roots();
    assert_eq!(roots.first().map(PathBuf::as_path), Some(Path::new("/")));
    let devices: HashSet<_> = roots.iter().map(|root| rustix::fs::stat(root).unwrap().st_dev).collect();
    assert_eq!(devices.len(), roots.len());
}
