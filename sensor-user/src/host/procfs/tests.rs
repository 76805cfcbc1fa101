//! /proc as it is and as hostile processes make it.

use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use super::*;

/// A child with a hostile name, alive until its standard input is closed.
#[test]
fn the_inventory_finds_this_process_and_its_child() {
    // The shell tells when it has taken its name, so nothing waits for a clock.
    let mut child = Command::new("/bin/sh")
        .args(["-c", "printf ') R 1 (' > /proc/$$/comm; echo named; read line", "argument zero", ""])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = [0; 6];
    child.stdout.as_mut().unwrap().read_exact(&mut told).unwrap();
    let inventory = inventory().unwrap();
    let written = child.stdout.as_ref().map(|pipe| rustix::fs::fstat(pipe).unwrap().st_ino);
    drop(child.stdin.take());
    child.wait().unwrap();

    let of = |pid: u32| inventory.found.iter().find(|found| found.process.key.pid == pid).unwrap();
    let own = &of(std::process::id()).process;
    let found = &of(child.id()).process;
    assert_eq!(found.comm, ") R 1 (");
    assert_eq!(found.parent, Some(own.key));
    assert!(found.arguments.iter().skip(1).eq(own_arguments()), "{:?}", found.arguments);
    assert_eq!((found.mnt_ns, found.pid_ns), (own.mnt_ns, own.pid_ns));
    assert!(found.mnt_ns != 0 && found.key.start_time >= own.key.start_time);

    let Streams { input, output, .. } = found.session.streams;
    assert_eq!((input.kind, output.kind), (Some(StreamKind::Pipe), Some(StreamKind::Pipe)));
    assert_eq!(output.id(), written, "both ends have the same id");

    let exe = std::fs::metadata(std::env::current_exe().unwrap()).unwrap();
    let file = own.executable.file.unwrap();
    assert_eq!(file.inode, exe.ino());
    let (major, minor) = (rustix::fs::major(exe.dev()), rustix::fs::minor(exe.dev()));
    assert_eq!((file.device >> 20, file.device & 0xf_ffff), (major, minor));
    assert_eq!(own.executable.path, std::env::current_exe().unwrap().to_str().unwrap());
    assert_eq!(own.directory.as_deref(), std::env::current_dir().unwrap().to_str());
    assert_eq!(own.uid, rustix::process::getuid().as_raw());
}

fn own_arguments() -> Vec<String> {
    ["-c", "printf ') R 1 (' > /proc/$$/comm; echo named; read line", "argument zero", ""]
        .map(str::to_owned)
        .to_vec()
}

/// What a record would tell of it at its next exec: who logged in, where, in which namespaces.
#[test]
fn the_inventory_tells_the_session() {
    let inventory = inventory().unwrap();
    let own = |found: &&Found| found.process.key.pid == std::process::id();
    let session = &inventory.found.iter().find(own).unwrap().process.session;
    let number = |kind: &str| namespace_in(Path::new("/proc/self"), kind).unwrap();
    assert_eq!((session.net_ns, session.user_ns), (number("net"), number("user")));
    let login = std::fs::read_to_string("/proc/self/loginuid").ok();
    assert_eq!(session.login_uid, login.and_then(|text| text::login_uid(&text)));
}

/// A child that has ended and is not waited for has no program and can do nothing more.
#[test]
fn the_inventory_leaves_out_who_has_ended() {
    let mut child = Command::new("/bin/true").spawn().unwrap();
    let pid = child.id();
    let stat_of = || stat(Path::new(&format!("/proc/{pid}"))).unwrap().unwrap();
    while !stat_of().is_over {
        std::thread::yield_now();
    }
    let inventory = inventory().unwrap();
    assert!(inventory.found.iter().all(|found| found.process.key.pid != pid));
    child.wait().unwrap();
}

#[test]
fn an_applet_is_named_in_the_inventory() {
    // Any program will do: what counts is what it is called.
    let directory = tempfile::tempdir().unwrap();
    let busybox = directory.path().join("busybox");
    std::fs::copy("/bin/sleep", &busybox).unwrap();
    let mut child = Command::new(busybox).arg0("sleep").arg("600").spawn().unwrap();
    // exec lets its parent go on before it has laid out the arguments.
    let arguments = format!("/proc/{}/cmdline", child.id());
    while std::fs::read(&arguments).unwrap().is_empty() {
        std::thread::yield_now();
    }
    let inventory = inventory().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let found = inventory.found.iter().find(|found| found.process.key.pid == child.id()).unwrap();
    let images: Vec<_> = found.process.executable.images().collect();
    assert!(images.iter().any(|image| image.ends_with("/sleep")), "{images:?}");
}

#[test]
fn a_parent_younger_than_its_child_is_none() {
    let found = |pid, start_time, parent| {
        let mut found = inventory().unwrap().found.swap_remove(0);
        found.process.key = ProcessKey { pid, start_time };
        found.process.parent = Some(ProcessKey { pid: parent, start_time: 0 });
        found
    };
    let mut all = [found(1, 10, 9), found(2, 20, 1), found(3, 15, 2)];
    join_parents(&mut all);
    let parents = all.map(|found| found.process.parent);
    assert_eq!(parents, [None, Some(ProcessKey { pid: 1, start_time: 10 }), None]);
}

#[test]
fn a_layer_is_looked_into_without_following_links() {
    let layer = tempfile::tempdir().unwrap();
    std::fs::create_dir(layer.path().join("tmp")).unwrap();
    std::fs::write(layer.path().join("tmp/x"), "").unwrap();
    std::os::unix::fs::symlink("/", layer.path().join("host")).unwrap();
    std::os::unix::fs::symlink("tmp", layer.path().join("link")).unwrap();
    let is_below = |path: &str| is_below(layer.path(), path).unwrap_or_default();
    assert!(is_below("/tmp/x"));
    for path in ["/tmp/y", "/host/etc/passwd", "/host/proc", "/link/x", "/../../etc/passwd", ""] {
        assert!(!is_below(path), "{path}");
    }
}
