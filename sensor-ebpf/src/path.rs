//! Where: paths out of dentries and mounts, names out of kernfs, texts out of user memory.
//!
//! A walk goes leaf to root and writes components in that order; the agent turns them round.

use aya_ebpf::helpers::generated::{bpf_probe_read_kernel_str, bpf_probe_read_user};
use sensor_ebpf::wire::text::{
    ARGUMENTS_MAX, CGROUP_COMPONENTS_MAX, NAME_MAX, PATH_COMPONENTS_MAX, PATH_MAX, Text,
};

use crate::map::{Large, Scratch};
use crate::read::{Address, offset};

impl<const SIZE: usize> Scratch<SIZE> {
    /// Where the next text goes; `room` bytes are free behind it.
    #[inline(always)]
    fn next(&mut self, mask: u32) -> *mut u8 {
        let position = (self.position & mask) as usize;
        // SAFETY: the mask keeps the position within the area for texts, which has room behind it.
        unsafe { self.bytes.as_mut_ptr().add(position) }
    }

    /// The text from `start` to the position.
    #[inline(always)]
    fn text(&self, start: u32, flags: u16) -> Text {
        Text { size: (self.position - start) as u16, flags }
    }

    /// Appends a NUL-terminated string with its NUL, cut at `ROOM`.
    #[inline(always)]
    fn append<const ROOM: u32>(&mut self, mask: u32, string: Address) -> Option<u32> {
        let target = self.next(mask);
        // SAFETY: `ROOM` is at most the room that every area keeps behind its mask.
        let size = unsafe { bpf_probe_read_kernel_str(target.cast(), ROOM, string.0 as *const _) };
        if size <= 0 || size > ROOM as i64 {
            return None;
        }
        self.position += size as u32;
        Some(size as u32)
    }

    /// Appends a kernel string, such as `bprm->filename`.
    #[inline(always)]
    pub fn string<const ROOM: u32>(&mut self, mask: u32, string: Address) -> Text {
        let start = self.position;
        match self.append::<ROOM>(mask, string) {
            Some(size) => self.text(start, if size == ROOM { Text::TRUNCATED } else { 0 }),
            None => self.text(start, Text::UNREADABLE),
        }
    }

    /// Appends the components of a path: from `dentry` up to the root of the mount namespace, or,
    /// without a mount, up to the root of the file system.
    #[inline(always)]
    pub fn path(&mut self, mask: u32, mount: Address, dentry: Address) -> Text {
        let start = self.position;
        let mut flags = Text::COMPONENTS | Text::TRUNCATED;
        let mut mount = mount.container(offset!(mount_mnt));
        let mut dentry = dentry;
        for turn in 0..PATH_COMPONENTS_MAX {
            let parent = dentry.follow(offset!(dentry_parent));
            let root = mount.member(offset!(mount_mnt)).follow(offset!(vfsmount_root));
            if dentry == root || dentry == parent || parent.is_null() {
                let above = mount.follow(offset!(mount_parent));
                if above.is_null() || above == mount {
                    // A file outside of every tree (memfd, a detached mount) still has its own name.
                    if turn == 0 {
                        let name = dentry.follow(offset!(dentry_name));
                        self.append::<{ NAME_MAX as u32 }>(mask, name);
                    }
                    flags = Text::COMPONENTS;
                    break;
                }
                dentry = mount.follow(offset!(mount_mountpoint));
                mount = above;
                continue;
            }
            if self.position - start > (PATH_MAX - NAME_MAX) as u32 {
                break;
            }
            let name = dentry.follow(offset!(dentry_name));
            if self.append::<{ NAME_MAX as u32 }>(mask, name).is_none() {
                flags |= Text::UNREADABLE;
                break;
            }
            dentry = parent;
        }
        self.text(start, flags)
    }

    /// Appends the names of a cgroup's directories, from `node` up to below the hierarchy's root.
    #[inline(always)]
    pub fn cgroup(&mut self, mask: u32, node: Address) -> Text {
        let start = self.position;
        let mut flags = Text::COMPONENTS | Text::TRUNCATED;
        let mut node = node;
        for _ in 0..CGROUP_COMPONENTS_MAX {
            let parent = node.follow(offset!(kernfs_node_parent));
            if parent.is_null() {
                flags = Text::COMPONENTS;
                break;
            }
            let name = node.follow(offset!(kernfs_node_name));
            if self.append::<{ NAME_MAX as u32 }>(mask, name).is_none() {
                flags |= Text::UNREADABLE;
                break;
            }
            node = parent;
        }
        self.text(start, flags)
    }
}

impl Large {
    /// Appends the current task's argument vector as it lies in its memory. Last text of its record.
    #[inline(always)]
    pub fn arguments(&mut self, start: u64, end: u64) -> Text {
        let first = self.position;
        let whole = end.saturating_sub(start);
        let mut flags = 0;
        let mut size = whole;
        if size > ARGUMENTS_MAX as u64 {
            size = ARGUMENTS_MAX as u64;
            flags = Text::TRUNCATED;
        }
        let target = self.next(Self::mask());
        // SAFETY: at most ARGUMENTS_MAX bytes, which lie free behind the area for texts.
        let result = unsafe { bpf_probe_read_user(target.cast(), size as u32, start as *const _) };
        if result == 0 {
            self.position += size as u32;
        } else {
            flags |= Text::UNREADABLE;
        }
        self.text(first, flags)
    }
}
