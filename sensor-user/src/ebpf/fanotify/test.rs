//! The watch against the running kernel. Needs root; without, each test says so and returns.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::*;

/// How long the kernel may take to tell of a rename that is done. Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// A watch on the file system of `directory`, or `None` with the reason printed.
fn watch(directory: &Path) -> Option<RenameWatch> {
    match RenameWatch::open(&[directory.to_owned()]) {
        Ok(watch) => Some(watch),
        Err(error) if !rustix::process::geteuid().is_root() => {
            eprintln!("not run, it needs root: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Runs `mv <arguments>` to its end; its pid.
fn mv(arguments: &[&OsStr]) -> u32 {
    let mut child = Command::new("mv").args(arguments).spawn().unwrap();
    assert!(child.wait().unwrap().success());
    child.id()
}

/// Drains until `enough` renames below `directory` are in; those, and nobody else's.
fn seen_below(watch: &mut RenameWatch, directory: &Path, enough: usize) -> (Vec<RenameSeen>, Drained) {
    let prefix = format!("{}/", directory.display());
    let (mut all, mut last) = (Vec::new(), Drained::default());
    let begin = Instant::now();
    while all.len() < enough && begin.elapsed() < PATIENCE {
        let wait = Timespec { tv_sec: 1, tv_nsec: 0 };
        poll(&mut [PollFd::new(&*watch, PollFlags::IN)], Some(&wait)).unwrap();
        let mut keep = |seen: RenameSeen| {
            if seen.from.starts_with(&prefix) || seen.to.starts_with(&prefix) {
                all.push(seen);
            }
        };
        last = watch.drain(&mut keep).unwrap();
        assert_eq!((last.malformed, last.first_malformed.clone()), (0, None));
    }
    (all, last)
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
        let (from, to) = (from.to_string_lossy().into_owned(), to.to_string_lossy().into_owned());
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
    let (mut overflowed, mut more) = (0, true);
    while more {
        let drained = watch.drain(&mut |_| {}).unwrap();
        overflowed += drained.overflowed;
        more = drained.more;
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
    let mut watch = RenameWatch::open(&roots).unwrap();
    let refused: Vec<_> = watch.refused().iter().map(|(path, _)| path.as_path()).collect();
    assert_eq!(refused, [missing.as_path(), Path::new("/proc")]);
    assert!(!watch.add(scratch.path()).unwrap(), "the file system is watched already");
    let nothing = RenameWatch::open(std::slice::from_ref(&missing)).err().unwrap();
    assert!(nothing.to_string().contains("missing: No such file or directory"), "{nothing}");
}

#[test]
fn the_default_roots_are_one_for_each_file_system() {
    let roots = default_roots();
    assert_eq!(roots.first().map(PathBuf::as_path), Some(Path::new("/")));
    let devices: HashSet<_> = roots.iter().map(|root| rustix::fs::stat(root).unwrap().st_dev).collect();
    assert_eq!(devices.len(), roots.len());
}
