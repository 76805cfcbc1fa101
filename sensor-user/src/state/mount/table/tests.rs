//! Mount tables of hosts and containers, and the paths they give.

use super::*;

const LAYER: &str = "5e66d74033272cd2d45d995ea4eccbe8d627d1b76e987dc1fcabdfc7e4801980";
const VDA: u32 = 254 << 20;

/// The host of a Docker with its data root on the root file system, as recorded.
const HOST: &str = "\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard,resv_strict
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
42 27 254:0 /srv/docker /srv/docker rw,relatime shared:1 - ext4 /dev/vda rw,discard,resv_strict
";

/// A container of that Docker, as recorded, and a volume.
const CONTAINER: &str = "\
72 48 0:39 / / rw,relatime master:2 - overlay overlay rw,lowerdir=/srv/docker/overlay2/l/THVC:/srv/docker/overlay2/l/BQ2T,upperdir=/srv/docker/overlay2/5e66d74033272cd2d45d995ea4eccbe8d627d1b76e987dc1fcabdfc7e4801980/diff,workdir=/srv/docker/overlay2/5e66d74033272cd2d45d995ea4eccbe8d627d1b76e987dc1fcabdfc7e4801980/work
73 72 0:42 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
88 74 0:47 / /dev/shm rw,nosuid,nodev,noexec,relatime - tmpfs shm rw,size=65536k
90 72 254:0 /srv/docker/containers/accab0/hostname /etc/hostname rw,relatime - ext4 /dev/vda rw
91 72 254:0 /srv/my\\040data /data rw,relatime - ext4 /dev/vda rw
52 73 0:42 /sys /proc/sys ro,nosuid,nodev,noexec,relatime - proc proc rw
";

fn upper(rest: &str) -> String {
    format!("/srv/docker/overlay2/{LAYER}/diff{rest}")
}

#[test]
fn a_file_system_path_becomes_the_containers() {
    let (host, container) = (MountTable::parse(HOST), MountTable::parse(CONTAINER));
    for (device, path, seen) in [
        // On the overlay itself, in other mounts, in a mount of a part, of one file.
        (39, "/tmp/x", Some("/tmp/x")),
        (39, "/", Some("/")),
        (47, "/x", Some("/dev/shm/x")),
        (VDA, "/srv/my data/out.bin", Some("/data/out.bin")),
        (VDA, "/srv/my data", Some("/data")),
        (VDA, "/srv/docker/containers/accab0/hostname", Some("/etc/hostname")),
        (42, "/sys/kernel/x", Some("/proc/sys/kernel/x")),
        (42, "/self", Some("/proc/self")),
        // Not below what is mounted, nor on what is.
        (VDA, "/srv/my database/x", None),
        (VDA, "/etc/shadow", None),
        (99, "/x", None),
    ] {
        assert_eq!(container.locate(device, path).as_deref(), seen, "{device} {path}");
    }
    assert_eq!((container.root_upper(), host.root_upper()), (Some(&*upper("")), None));
    // Below the overlay: the writer of the layer is the container.
    assert_eq!(container.below_overlay(VDA, &upper("/tmp/x"), Some(&host)).as_deref(), Some("/tmp/x"));
    assert_eq!(container.below_overlay(VDA, &upper(""), Some(&host)).as_deref(), Some("/"));
    assert_eq!(container.below_overlay(VDA, &upper("erent/x"), Some(&host)), None);
    assert_eq!(container.below_overlay(47, &upper("/tmp/x"), Some(&host)), None, "another device");
}

/// The layer's directory on a disk of its own: the file system's path lacks what leads there.
#[test]
fn an_upper_layer_on_another_disk_is_found() {
    let host = MountTable::parse(
        "27 1 254:0 / / rw - ext4 /dev/vda rw\n\
         50 27 8:17 /docker /srv/docker rw - xfs /dev/sdb1 rw\n",
    );
    let container = MountTable::parse(CONTAINER);
    let on_disk = format!("/docker/overlay2/{LAYER}/diff/tmp/x");
    let found = container.below_overlay(8 << 20 | 17, &on_disk, Some(&host));
    assert_eq!(found.as_deref(), Some("/tmp/x"));
    assert_eq!(container.below_overlay(VDA, &upper("/tmp/x"), Some(&host)), None, "that path is hidden");
}

#[test]
fn a_hidden_mount_is_the_last_choice() {
    // The same file system twice; a tmpfs lies over the more specific one.
    let table = MountTable::parse(
        "27 1 254:0 / / rw - ext4 /dev/vda rw\n\
         28 27 254:0 /srv/a /mnt rw - ext4 /dev/vda rw\n\
         29 28 0:50 / /mnt rw - tmpfs tmpfs rw\n",
    );
    assert_eq!(table.locate(VDA, "/srv/a/x").as_deref(), Some("/srv/a/x"));
    assert_eq!(table.locate(50, "/x").as_deref(), Some("/mnt/x"));
}

#[test]
fn escapes_are_undone() {
    for (escaped, plain) in [
        ("/a\\040b", "/a b"),
        ("/a\\134b", "/a\\b"),
        ("/a\\011\\012", "/a\t\n"),
        ("/caf\\303\\251", "/café"),
        ("/a\\9", "/a\\9"),
        ("/a\\04", "/a\\04"),
        ("/a\\", "/a\\"),
    ] {
        assert_eq!(unescape(escaped), plain);
    }
    let upper = "36 35 0:39 / / rw - overlay overlay rw,upperdir=/a\\054b\\134:c,workdir=/w";
    assert_eq!(parse_line(upper).unwrap().upper.as_deref(), Some("/a,b:c"));
}

#[test]
fn a_line_that_is_none_is_counted() {
    let table =
        MountTable::parse("nonsense\n27 1 254:0 / / rw - ext4 /dev/vda rw\n1 2 99999:0 / / rw - a b c\n\n");
    assert_eq!((table.mounts.len(), table.refused()), (1, 3));
    assert_eq!(table.root_type(), Some("ext4"));
}

#[test]
fn a_table_is_bounded() {
    let line = "27 1 254:0 / /a rw - ext4 /dev/vda rw\n";
    let table = MountTable::parse(&line.repeat(MOUNTS_MAX + 1));
    assert!(table.is_truncated() && table.mounts.len() == MOUNTS_MAX);
}

proptest::proptest! {
    #[test]
    fn any_text_is_read(text in "([0-9a-z/:\\\\, -]{0,80}\n){0,8}") {
        let table = MountTable::parse(&text);
        let _ = (table.locate(VDA, &text), table.below_overlay(VDA, &text, Some(&table)));
    }

    /// Where a path is placed is where it is found again.
    #[test]
    fn place_and_locate_agree(path in "(/[a-z]{1,5}){1,5}") {
        let table = MountTable::parse(HOST);
        let (device, below) = table.place(&path).unwrap();
        proptest::prop_assert_eq!(table.locate(device, &below), Some(path));
    }
}

#[test]
fn fuzzed_tables_are_read_and_lines_that_are_none_counted() {
    let seeds = [HOST, CONTAINER].map(|table| table.as_bytes().to_vec());
    let host = MountTable::parse(HOST);
    crate::fuzz::run(&seeds, |bytes, _| {
        let text = octet::text(bytes);
        let table = MountTable::parse(&text);
        assert!(table.iter().count() + table.refused() <= text.lines().count());
        for mount in table.iter().take(4) {
            let _ =
                (table.locate(mount.device, "/a/b"), table.below_overlay(mount.device, "/a", Some(&host)));
        }
        let _ = (table.in_upper("/tmp/x"), table.place("/data/x"), table.has_scratch("/tmp"));
    });
}
