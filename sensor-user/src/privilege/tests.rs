//! The real lists and rules, in processes of their own: this very test program, started again for one deed.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};

use rustix::fs::{Mode, OFlags};
use rustix::mount::{UnmountFlags, unmount};
use rustix::net::{AddressFamily, SocketType, netlink, socket};
use rustix::process::{Signal, getpid, kill_process};
use rustix::thread::{CapabilitySet, LinkNameSpaceType, move_into_link_name_space};

use super::*;

/// What the process started again is to do.
const DEED: &str = "TIDEWAITER_TEST_DEED";

/// Starts this test program for the test that is named, which does `deed`.
fn again(test: &str, deed: &str) -> ExitStatus {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("privilege::tests::{test}"), "--nocapture"]).env(DEED, deed);
    command.output().unwrap().status
}

/// The deeds, each with whether the agent and the keeper may do it. What is allowed may fail.
const DEEDS: [(&str, bool, bool); 13] = [
    ("file", true, true),
    ("thread", true, true),
    ("tcp", true, false),
    ("route", true, false),
    ("name", true, false),
    ("exec", false, true),
    ("mount", false, false),
    ("kill", false, false),
    ("audit", false, false),
    ("packet", false, false),
    ("namespace", false, false),
    ("module", false, false),
    ("filter", false, false),
];

fn act(deed: &str) {
    // Most of them are refused anyway where the tests run without privilege; what counts is that the call is reached.
    match deed {
        "file" => drop(File::open("/proc/self/stat").unwrap()),
        "thread" => std::thread::spawn(|| {}).join().unwrap(),
        "exec" => _ = Command::new("/bin/true").status(),
        "mount" => _ = unmount("/nonexistent", UnmountFlags::empty()),
        "kill" => _ = kill_process(getpid(), Signal::CONT),
        "tcp" => _ = socket(AddressFamily::INET, SocketType::STREAM, None),
        "route" => _ = socket(AddressFamily::NETLINK, SocketType::RAW, None),
        "name" => _ = fs::rename("/nonexistent/a", "/nonexistent/b"),
        "audit" => _ = socket(AddressFamily::NETLINK, SocketType::RAW, Some(netlink::AUDIT)),
        "packet" => _ = socket(AddressFamily::PACKET, SocketType::RAW, None),
        "namespace" => {
            let own = File::open("/proc/self/stat").unwrap();
            let _ = move_into_link_name_space(own.as_fd(), Some(LinkNameSpaceType::Network));
        }
        "module" => _ = rustix::system::init_module(&[], c""),
        // One more would do no harm, but nobody needs it.
        "filter" => _ = forbid(Part::Agent),
        other => panic!("{other}"),
    }
}

/// Of the process started again; by itself it does nothing.
#[test]
fn one_deed_of_a_part() {
    let Ok(deed) = std::env::var(DEED) else { return };
    let Some((part, deed)) = deed.split_once(' ') else { return };
    assert!(forbid(if part == "agent" { Part::Agent } else { Part::Keeper }).unwrap());
    act(deed);
}

#[test]
fn a_call_that_is_not_on_the_list_ends_the_process() {
    for (deed, of_agent, of_keeper) in DEEDS {
        for (part, is_allowed) in [("agent", of_agent), ("keeper", of_keeper)] {
            let status = again("one_deed_of_a_part", &format!("{part} {deed}"));
            if is_allowed {
                assert!(status.success(), "{part} {deed}: {status}");
            } else {
                assert_eq!(status.signal(), Some(libc::SIGSYS), "{part} {deed}: {status}");
            }
        }
    }
}

/// Of the process started again.
#[test]
fn confined_to_a_folder() {
    let Ok(folder) = std::env::var(DEED).map(PathBuf::from) else { return };
    if !folder.is_absolute() {
        return;
    }
    let (granted, other) = (folder.join("granted"), folder.join("other"));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Made before, so it is like that of another process, as the service manager is.
    let name = SocketAddr::from_abstract_name(folder.as_os_str().as_bytes()).unwrap();
    let manager = UnixDatagram::bind_addr(&name).unwrap();
    let connected = UnixDatagram::unbound().unwrap();
    connected.connect_addr(&name).unwrap();
    let listed = folder.join("listed");
    let grants = Grants {
        list: vec![listed.clone()],
        read: vec!["/proc".into()],
        write: vec![granted.clone()],
        ports: Ports::These(vec![53]),
    };
    match confine(&grants).unwrap() {
        Ground::Whole | Ground::Part => {}
        Ground::None => return eprintln!("not tried: this kernel has no Landlock"),
    }
    fs::write(granted.join("draft"), "x").unwrap();
    fs::rename(granted.join("draft"), granted.join("file")).unwrap();
    assert_eq!(fs::read_to_string(granted.join("file")).unwrap(), "x");
    fs::remove_file(granted.join("file")).unwrap();
    assert!(File::open("/proc/self/stat").is_ok());
    let refused = |outcome: io::Result<()>, what: &str| {
        let error = outcome.expect_err(what);
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{what}: {error}");
    };
    refused(fs::write(other.join("file"), "x"), "write elsewhere");
    refused(fs::write("/proc/self/comm", "x"), "write where only reading is granted");
    refused(File::open("/etc/passwd").map(drop), "read elsewhere");
    assert_eq!(fs::read_dir(&listed).unwrap().count(), 1);
    refused(File::open(listed.join("there")).map(drop), "read where only names are granted");
    refused(fs::read_dir(&other).map(drop), "list elsewhere");
    // What runtimes' folders are looked at by: nobody is asked, and nothing is told of it.
    rustix::fs::open(other.join("there"), OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
    refused(fs::remove_file(other.join("there")), "remove elsewhere");
    refused(Command::new("/bin/true").status().map(drop), "run a program");
    // TCP came later than files, abstract sockets later than that.
    if confine(&grants).unwrap() == Ground::Whole {
        refused(UnixDatagram::unbound().unwrap().connect_addr(&name), "connect to an abstract socket");
        connected.send(b"READY=1").unwrap();
        assert_eq!(manager.recv(&mut [0; 16]).unwrap(), 7, "one that was connected before is heard");
        refused(TcpStream::connect(address).map(drop), "connect to another port");
        refused(TcpListener::bind("127.0.0.1:0").map(drop), "listen");
    }
}

#[test]
fn nothing_is_read_or_written_beyond_what_is_granted() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["granted", "listed", "other"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join("listed/there"), "x").unwrap();
    fs::write(folder.path().join("other/there"), "x").unwrap();
    let status = again("confined_to_a_folder", folder.path().to_str().unwrap());
    assert!(status.success(), "{status}");
    assert!(folder.path().join("other/there").exists());
}

/// Capabilities are a thread's own, so these are of no consequence to other tests.
#[test]
fn capabilities_are_given_up_and_do_not_come_back() {
    std::thread::spawn(|| {
        let before = held();
        keep(CapabilitySet::SYS_PTRACE, None).unwrap();
        assert_eq!(held(), before & CapabilitySet::SYS_PTRACE);
        keep(CapabilitySet::SYS_PTRACE | CapabilitySet::SYS_ADMIN, None).unwrap();
        assert_eq!(held(), before & CapabilitySet::SYS_PTRACE, "what is gone is gone");
        keep(CapabilitySet::empty(), None).unwrap();
        assert!(held().is_empty());
        let status = fs::read_to_string("/proc/thread-self/status").unwrap();
        assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    })
    .join()
    .unwrap();
}

#[test]
fn with_other_threads_nothing_is_given_up() {
    let (end, wait) = std::sync::mpsc::channel::<()>();
    let other = std::thread::spawn(move || _ = wait.recv());
    assert!(matches!(await_alone(), Err(PrivilegeError::Threads(threads)) if threads > 1));
    drop(end);
    other.join().unwrap();
}
