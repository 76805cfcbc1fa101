//! The texts of /proc, read without IO (proc_pid_stat(5), proc_pid_status(5), cgroups(7)).

use sensor_ebpf::wire::FileId;

use crate::octet;
use crate::state::process::Executable;

/// Ticks a second in /proc, whatever the kernel's own clock (`USER_HZ`; 100 on every architecture
/// this runs on).
const USER_HZ: u64 = 100;
/// One tick, nanoseconds.
const TICK: u64 = 1_000_000_000 / USER_HZ;

/// Of /proc/PID/stat.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) comm: String,
    /// Has ended: only its name and its number are left.
    pub(super) is_over: bool,
    pub(super) parent: u32,
    /// Controlling terminal, major and minor.
    pub(super) terminal: Option<(u32, u32)>,
    /// `CLOCK_BOOTTIME` nanoseconds, rounded down to a tick.
    pub(super) start_time: u64,
}

impl Stat {
    /// `pid (comm) state ppid ...`. The name may hold anything, blanks, brackets and newlines too,
    /// so it ends at the last bracket.
    pub(super) fn parse(stat: &str) -> Option<Self> {
        let (left, right) = stat.rsplit_once(')')?;
        let (_pid, comm) = left.split_once('(')?;
        // Fields 3 to 52: state is field 3, ppid 4, tty_nr 7, starttime 22.
        let mut fields = right.split_ascii_whitespace();
        let is_over = matches!(fields.next()?, "Z" | "X" | "x");
        let parent = fields.next()?.parse().ok()?;
        let terminal = terminal(fields.nth(2)?.parse::<i32>().ok()?.cast_unsigned());
        let ticks: u64 = fields.nth(14)?.parse().ok()?;
        let start_time = ticks.checked_mul(TICK)?;
        Some(Self { comm: comm.to_owned(), is_over, parent, terminal, start_time })
    }
}

/// Device number in the form of the system call interface (`new_encode_dev`, include/linux/kdev_t.h).
fn terminal(device: u32) -> Option<(u32, u32)> {
    let (major, minor) = (device >> 8 & 0xfff, device & 0xff | device >> 12 & 0xf_ff00);
    (device != 0).then_some((major, minor))
}

/// Of /proc/PID/loginuid: who logged in. None: nobody did (`INVALID_UID`, include/linux/uidgid.h).
pub(super) fn login_uid(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|uid| *uid != u32::MAX)
}

/// Of /proc/PID/status.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) effective_uid: u32,
}

impl Status {
    /// The task's name stands on a line of its own with its newlines escaped, so no line is forged.
    pub(super) fn parse(status: &str) -> Option<Self> {
        let mut uids = numbers(status, "Uid:")?;
        let mut gids = numbers(status, "Gid:")?;
        Some(Self { uid: uids.next()?, effective_uid: uids.next()?, gid: gids.next()? })
    }
}

fn numbers<'a>(status: &'a str, name: &str) -> Option<impl Iterator<Item = u32> + use<'a>> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_ascii_whitespace().map_while(|number| number.parse().ok()))
}

/// The path that tells the container, and the path in the v2 hierarchy. They are the same unless
/// the process sits in the root of v2: then the v1 `pids` or `memory` hierarchy tells.
pub(super) fn cgroup(cgroup: &str) -> (String, Option<String>) {
    let path = |controller: &str| {
        cgroup.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (_number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
            controllers.split(',').any(|name| name == controller).then_some(path)
        })
    };
    let unified = path("");
    let telling = ["", "pids", "memory"].into_iter().filter_map(path).find(|path| *path != "/");
    (telling.unwrap_or("/").to_owned(), unified.map(str::to_owned))
}

/// Arguments, each ended by NUL. A process may overwrite them (setproctitle) and leave the last end out.
pub(super) fn arguments(cmdline: &[u8]) -> Vec<String> {
    let cmdline = cmdline.strip_suffix(b"\0").unwrap_or(cmdline);
    if cmdline.is_empty() {
        return Vec::new();
    }
    cmdline.split(|byte| *byte == 0).map(octet::text).collect()
}

/// `mnt:[4026531841]`
pub(super) fn namespace(link: &str) -> Option<u32> {
    link.split_once(":[")?.1.strip_suffix(']')?.parse().ok()
}

/// What /proc/PID/exe points to. The kernel appends ` (deleted)`, which a file's name may do too;
/// the number of links decides.
pub(super) fn executable(target: &str, links: u32, file: Option<FileId>) -> Executable {
    let name = target.strip_suffix(" (deleted)").filter(|_| links == 0);
    let memfd = name.is_some_and(|name| name.starts_with("/memfd:"));
    Executable {
        path: name.unwrap_or(target).to_owned(),
        file,
        memfd,
        deleted: name.is_some() && !memfd,
        ..Executable::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_forge_the_rest_of_stat() {
        let tail = "S 9555 9576 9576 34817 -1 4194560 968 0 0 0 3 0 0 0 20 0 1 0 100598 2322432 316 18446744073709551615";
        for comm in ["busybox", "a) R 1 (b", "((", "x\n) Z 1 1", ""] {
            let stat = Stat::parse(&format!("9576 ({comm}) {tail}\n")).unwrap();
            let expected = Stat {
                comm: comm.into(),
                is_over: false,
                parent: 9555,
                terminal: Some((136, 1)),
                start_time: 1_005_980_000_000,
            };
            assert_eq!(stat, expected);
        }
        for cut in ["", "9576 (busybox", "9576 (busybox) S 9555", "9576 busybox S 9555"] {
            assert_eq!(Stat::parse(cut), None);
        }
    }

    #[test]
    fn status_gives_real_and_effective() {
        let status = "Name:\tsudo\\nUid:\t7\nUmask:\t0022\nUid:\t1000\t0\t0\t0\nGid:\t1001\t5\t5\t5\n";
        assert_eq!(Status::parse(status), Some(Status { uid: 1000, gid: 1001, effective_uid: 0 }));
        assert_eq!(Status::parse("Uid:\t1000\n"), None);
    }

    #[test]
    fn the_cgroup_is_v2s_unless_that_is_the_root() {
        let id = "accab06600d8e4c16fbf7d95112383c8780e35d72d95fce0bd5e6a3e1f94f814";
        let docker = format!("/docker/{id}");
        for (text, path, unified) in [
            (format!("8:pids:{docker}\n4:memory:{docker}\n0::{docker}\n"), &*docker, Some(&*docker)),
            (format!("8:pids:{docker}\n1:cpu:/\n0::/\n"), &docker, Some("/")),
            ("8:pids:/\n4:memory:/process_api/c6\n0::/\n".into(), "/process_api/c6", Some("/")),
            ("11:cpu,cpuacct:/a\n10:net_cls,pids:/b:c\n".into(), "/b:c", None),
            ("0::/init.scope\n".into(), "/init.scope", Some("/init.scope")),
            ("0::/\n".into(), "/", Some("/")),
            (String::new(), "/", None),
        ] {
            assert_eq!(cgroup(&text), (path.to_owned(), unified.map(str::to_owned)), "{text}");
        }
    }

    #[test]
    fn arguments_keep_their_empties() {
        assert_eq!(arguments(b"sh\0-c\0\0x y\0"), ["sh", "-c", "", "x y"]);
        assert_eq!(arguments(b"nginx: worker process"), ["nginx: worker process"]);
        assert_eq!(arguments(b""), Vec::<String>::new());
    }

    #[test]
    fn links_decide_what_is_deleted() {
        let of = |target: &str, links| {
            let executable = executable(target, links, None);
            (executable.path, executable.memfd, executable.deleted)
        };
        assert_eq!(of("/bin/x", 1), ("/bin/x".into(), false, false));
        assert_eq!(of("/tmp/x (deleted)", 0), ("/tmp/x".into(), false, true));
        assert_eq!(of("/tmp/x (deleted)", 1), ("/tmp/x (deleted)".into(), false, false));
        assert_eq!(of("/memfd:runc (deleted)", 0), ("/memfd:runc".into(), true, false));
        assert_eq!(of("/memfd:x", 1), ("/memfd:x".into(), false, false));
    }

    #[test]
    fn who_ended_has_no_terminal() {
        let stat = Stat::parse("7 () Z 1 7 7 0 -1 4227084 0 0 0 0 0 0 0 0 20 0 2 0 100598 0 0").unwrap();
        assert_eq!((stat.is_over, stat.terminal, stat.comm.as_str()), (true, None, ""));
        // 20 bits of minor number are split around the major one.
        assert_eq!(terminal(0x1230_8845), Some((136, 0x12345)));
    }

    #[test]
    fn nobody_is_no_uid() {
        assert_eq!((login_uid("1000"), login_uid("4294967295"), login_uid("")), (Some(1000), None, None));
    }

    #[test]
    fn fuzzed_texts_of_proc_are_read_or_passed_over() {
        let seeds = [
            &b"9576 (a) R 1 (b) S 9555 9576 9576 34817 -1 4194560 968 0 0 0 3 0 0 0 20 0 1 0 100598 2322432 316"[..],
            b"Name:\tsudo\nUid:\t1000\t0\t0\t0\nGid:\t1001\t5\t5\t5\n",
            b"8:pids:/docker/a\n4:memory:/docker/a\n0::/\n",
            b"sh\0-c\0\0x y\0",
            b"mnt:[4026531841]",
            b"/memfd:runc (deleted)",
            b"4294967295",
        ]
        .map(<[u8]>::to_vec);
        crate::fuzz::run(&seeds, |bytes, _| {
            let text = octet::text(bytes);
            let _ = (Stat::parse(&text), Status::parse(&text), login_uid(&text), namespace(&text));
            assert!(cgroup(&text).0.len() <= text.len().max(1));
            assert!(executable(&text, 0, None).path.len() <= text.len());
            let words = arguments(bytes);
            assert!(words.len() <= bytes.len() + 1);
        });
    }

    #[test]
    fn namespaces_are_numbers() {
        assert_eq!(namespace("mnt:[4026531841]"), Some(4_026_531_841));
        assert_eq!(namespace("mnt:[x]"), None);
    }
}
