//! Where: paths out of dentries and mounts, names out of kernfs, texts out of user memory.
//!
//! A walk goes leaf to root and writes components in that order; the agent turns them round.

use aya_ebpf::helpers::generated::{bpf_probe_read_kernel_str, bpf_probe_read_user, bpf_probe_read_user_str};
use sensor_ebpf::wire::text::{
    ARGUMENTS_MAX, CGROUP_COMPONENTS_MAX, CGROUP_MAX, ENVIRONMENT_MAX, NAME_MAX, PATH_COMPONENTS_MAX,
    PATH_MAX, TAIL_MAX, Text, VARIABLE_MAX, VARIABLES_MAX,
};

use crate::map::{ENVIRONMENT_KEYS, Large, Scratch};
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
        self.path_within::<{ PATH_MAX as u32 }>(mask, mount, dentry)
    }

    /// The same, in `ROOM` bytes.
    #[inline(always)]
    pub fn path_within<const ROOM: u32>(&mut self, mask: u32, mount: Address, dentry: Address) -> Text {
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
            if self.position - self.start > ROOM - NAME_MAX as u32 {
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
            if self.position - self.start > (CGROUP_MAX - NAME_MAX) as u32 {
                break;
            }
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

    /// Appends the end of an argument vector of which [`Large::arguments`] takes only the beginning.
    #[inline(always)]
    pub fn arguments_tail(&mut self, start: u64, end: u64) -> Text {
        self.begin(0);
        let size = end.saturating_sub(start);
        if size <= ARGUMENTS_MAX as u64 {
            return Text::default();
        }
        // The two do not overlap.
        let rest = size - ARGUMENTS_MAX as u64;
        let take = if rest > TAIL_MAX as u64 { TAIL_MAX as u64 } else { rest };
        let target = self.next(Self::mask());
        // SAFETY: at most TAIL_MAX bytes, which every area keeps behind its mask.
        let result = unsafe { bpf_probe_read_user(target.cast(), take as u32, (end - take) as *const _) };
        if result == 0 {
            self.position += take as u32;
        } else {
            self.flag(Text::UNREADABLE);
        }
        self.end()
    }

    /// Appends the variables of the environment whose names begin as the agent wants them.
    #[inline(always)]
    pub fn environment(&mut self, start: u64, end: u64) -> Text {
        self.begin(Text::TRUNCATED);
        // Where the walk has come to, and whether the variable there goes on from the turn before. In
        // memory, for the verifier's sake.
        keep(&mut self.mount, start);
        keep(&mut self.dentry, 0);
        for _ in 0..VARIABLES_MAX {
            let place = kept(&self.mount);
            if place >= end {
                self.flag(0);
                break;
            }
            if self.position - self.start > (ENVIRONMENT_MAX - VARIABLE_MAX) as u32 {
                break;
            }
            let target = self.next(Self::mask());
            // SAFETY: at most VARIABLE_MAX bytes, which every area keeps behind its mask.
            let size =
                unsafe { bpf_probe_read_user_str(target.cast(), VARIABLE_MAX as u32, place as *const _) };
            if size <= 0 || size > VARIABLE_MAX as i64 {
                self.flag(Text::TRUNCATED | Text::UNREADABLE);
                break;
            }
            self.variable(target, size as u32);
            let is_cut = size == VARIABLE_MAX as i64;
            // The last byte of a cut one is the NUL that the helper put there.
            keep(&mut self.mount, place + size as u64 - u64::from(is_cut));
            keep(&mut self.dentry, u64::from(is_cut));
        }
        self.end()
    }

    /// Keeps what was just read, if it is the beginning of a variable with one of the names.
    #[inline(always)]
    fn variable(&mut self, target: *mut u8, size: u32) {
        let target: *const u64 = target.cast();
        // SAFETY: the area has more than eight bytes behind every position.
        let key = unsafe { core::ptr::read_unaligned(target) };
        if kept(&self.dentry) == 0 && ENVIRONMENT_KEYS.get_ptr(&key).is_some() {
            self.position += size;
        }
    }
}

/// The first bytes of a file's name, padded with zeroes.
#[inline(always)]
pub fn name(dentry: Address) -> [u8; 16] {
    let mut name = [0; 16];
    let source = dentry.follow(offset!(dentry_name));
    // SAFETY: writes at most sixteen bytes, NUL-terminated; what follows the NUL stays zero.
    unsafe { bpf_probe_read_kernel_str(name.as_mut_ptr().cast(), 16, source.0 as *const _) };
    name
}
