//! Where: paths out of dentries and mounts, names out of kernfs, texts out of user memory.
//!
//! A walk goes leaf to root and writes components in that order; the agent turns them round.

use aya_ebpf::helpers::generated::{bpf_probe_read_kernel_str, bpf_probe_read_user};
use sensor_ebpf::wire::text::{
    ARGUMENTS_MAX, CGROUP_COMPONENTS_MAX, NAME_MAX, PATH_COMPONENTS_MAX, PATH_MAX, Text,
};

use crate::map::{Large, Scratch};
use crate::read::{Address, offset};

/// Puts a value into memory, past the compiler's registers: see [`Scratch::position`].
#[inline(always)]
fn keep<T: Copy>(place: &mut T, value: T) {
    // SAFETY: a reference is valid and aligned.
    unsafe { core::ptr::write_volatile(place, value) };
}

/// Takes a value out of memory, whatever the compiler knows of it.
#[inline(always)]
fn kept<T: Copy>(place: &T) -> T {
    // SAFETY: a reference is valid and aligned.
    unsafe { core::ptr::read_volatile(place) }
}

impl<const SIZE: usize> Scratch<SIZE> {
    /// Where the next text goes; `room` bytes are free behind it.
    #[inline(always)]
    fn next(&mut self, mask: u32) -> *mut u8 {
        let position = (self.position & mask) as usize;
        // SAFETY: the mask keeps the position within the area for texts, which has room behind it.
        unsafe { self.bytes.as_mut_ptr().add(position) }
    }

    /// Begins a text at the position.
    #[inline(always)]
    fn begin(&mut self, flags: u16) {
        self.start = self.position;
        self.flag(flags);
    }

    /// Sets the flags of the text under construction.
    #[inline(always)]
    fn flag(&mut self, flags: u16) {
        keep(&mut self.flags, flags as u32);
    }

    /// The text from its beginning to the position.
    #[inline(always)]
    fn end(&self) -> Text {
        let (position, start) = (kept(&self.position), kept(&self.start));
        Text { size: (position - start) as u16, flags: kept(&self.flags) as u16 }
    }

    /// Appends a NUL-terminated string with its NUL, cut at `ROOM`.
    #[inline(always)]
    #[expect(clippy::cast_sign_loss, reason = "the size is taken where it is known to be positive")]
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
        self.begin(0);
        match self.append::<ROOM>(mask, string) {
            Some(size) if size == ROOM => self.flag(Text::TRUNCATED),
            Some(_) => {}
            None => self.flag(Text::UNREADABLE),
        }
        self.end()
    }

    /// Appends the components of a path: from `dentry` up to the root of the mount namespace, or,
    /// without a mount, up to the root of the file system.
    #[inline(always)]
    pub fn path(&mut self, mask: u32, mount: Address, dentry: Address) -> Text {
        self.begin(Text::COMPONENTS | Text::TRUNCATED);
        self.stand(mount.container(offset!(mount_mnt)), dentry);
        for turn in 0..PATH_COMPONENTS_MAX {
            let (mount, dentry) = self.standing();
            let parent = dentry.follow(offset!(dentry_parent));
            let root = mount.member(offset!(mount_mnt)).follow(offset!(vfsmount_root));
            if dentry == root || dentry == parent || parent.is_null() {
                let above = mount.follow(offset!(mount_parent));
                if above.is_null() || above == mount {
                    // A file outside of every tree (memfd, a detached mount) still has its own name.
                    if turn == 0 {
                        self.append::<{ NAME_MAX as u32 }>(mask, dentry.follow(offset!(dentry_name)));
                    }
                    self.flag(Text::COMPONENTS);
                    break;
                }
                self.stand(above, mount.follow(offset!(mount_mountpoint)));
                continue;
            }
            if self.position - self.start > (PATH_MAX - NAME_MAX) as u32 {
                break;
            }
            if self.append::<{ NAME_MAX as u32 }>(mask, dentry.follow(offset!(dentry_name))).is_none() {
                self.flag(Text::COMPONENTS | Text::TRUNCATED | Text::UNREADABLE);
                break;
            }
            self.stand(mount, parent);
        }
        self.end()
    }

    /// Where a walk has come to: its mount and dentry. In memory, for the verifier's sake.
    #[inline(always)]
    fn stand(&mut self, mount: Address, dentry: Address) {
        keep(&mut self.mount, mount.0);
        keep(&mut self.dentry, dentry.0);
    }

    #[inline(always)]
    fn standing(&self) -> (Address, Address) {
        (Address(kept(&self.mount)), Address(kept(&self.dentry)))
    }

    /// Appends the names of a cgroup's directories, from `node` up to below the hierarchy's root.
    #[inline(always)]
    pub fn cgroup(&mut self, mask: u32, node: Address) -> Text {
        self.begin(Text::COMPONENTS | Text::TRUNCATED);
        let mut node = node;
        for _ in 0..CGROUP_COMPONENTS_MAX {
            let parent = node.follow(offset!(kernfs_node_parent));
            if parent.is_null() {
                self.flag(Text::COMPONENTS);
                break;
            }
            let name = node.follow(offset!(kernfs_node_name));
            if self.append::<{ NAME_MAX as u32 }>(mask, name).is_none() {
                self.flag(Text::COMPONENTS | Text::TRUNCATED | Text::UNREADABLE);
                break;
            }
            node = parent;
        }
        self.end()
    }
}

impl Large {
    /// Appends the current task's argument vector as it lies in its memory. Last text of its record.
    #[inline(always)]
    pub fn arguments(&mut self, start: u64, end: u64) -> Text {
        self.begin(0);
        let mut size = end.saturating_sub(start);
        if size > ARGUMENTS_MAX as u64 {
            size = ARGUMENTS_MAX as u64;
            self.flag(Text::TRUNCATED);
        }
        let target = self.next(Self::mask());
        // SAFETY: at most ARGUMENTS_MAX bytes, which lie free behind the area for texts.
        let result = unsafe { bpf_probe_read_user(target.cast(), size as u32, start as *const _) };
        if result == 0 {
            self.position += size as u32;
        } else {
            self.flag(Text::TRUNCATED | Text::UNREADABLE);
        }
        self.end()
    }
}
