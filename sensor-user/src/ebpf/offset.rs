//! Struct offsets of the running kernel, for the programs' read-only data.

use std::path::{Path, PathBuf};

use sensor_ebpf::wire::setting::{Facts, Offsets};
use thiserror::Error;
use zerocopy::FromBytes as _;

use super::btf::{Btf, BtfError};

/// Where the kernel shows its type information (CONFIG_DEBUG_INFO_BTF).
pub const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// Why the offsets could not be had.
#[derive(Debug, Error)]
pub enum OffsetError {
    #[error("cannot read {path}: {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("cannot understand {path}: {source}")]
    Malformed { path: PathBuf, source: BtfError },
}

/// What the running kernel's BTF says.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    pub offsets: Offsets,
    pub facts: Facts,
}

impl Layout {
    /// Reads the layout of a kernel.
    ///
    /// # Errors
    /// The file is missing, unreadable or no BTF. A member that is not in it is no error:
    /// see [`Layout::missing`].
    pub fn read(path: &Path) -> Result<Self, OffsetError> {
        let bytes = std::fs::read(path)
            .map_err(|source| OffsetError::Unreadable { path: path.to_owned(), source })?;
        let btf =
            Btf::parse(&bytes).map_err(|source| OffsetError::Malformed { path: path.to_owned(), source })?;
        Ok(Self { offsets: offsets(&btf), facts: facts(&btf) })
    }

    /// Members that this kernel does not have.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        use zerocopy::IntoBytes as _;
        let values = self.offsets.as_bytes().chunks_exact(size_of::<u32>());
        Offsets::TABLE
            .iter()
            .zip(values)
            .filter_map(|((name, _), value)| value.iter().all(|byte| *byte == 0).then_some(*name))
            .collect()
    }
}

fn offsets(btf: &Btf<'_>) -> Offsets {
    let bytes: Vec<u8> = Offsets::TABLE
        .iter()
        .map(|(_, places)| places.iter().find_map(|place| btf.offset(place)))
        .flat_map(|offset| offset.map_or(0, |offset| offset + Offsets::BIAS).to_ne_bytes())
        .collect();
    // Both come from one macro, so the lengths agree; were they not to, nothing would be known.
    Offsets::read_from_bytes(&bytes).unwrap_or(Offsets::ABSENT)
}

fn facts(btf: &Btf<'_>) -> Facts {
    Facts {
        inode_size: btf.size("inode").unwrap_or(0),
        pids_subsystem: btf.enumerator("cgroup_subsys_id", "pids_cgrp_id").map_or(0, |id| id + 1),
        agent_pid: std::process::id(),
        dirty_pages: dirty_pages(btf).unwrap_or(0),
    }
}

/// `I_DIRTY_PAGES`. An enumerator since 6.18, of an enumeration that got another name in 6.19. A macro
/// before, which is in no BTF: bit 5 since 6.12, where the state of an inode became 32 bits wide in the same
/// series of changes, and bit 2 while it was an `unsigned long`
/// <https://github.com/torvalds/linux/blob/v6.12/include/linux/fs.h#L2501>
fn dirty_pages(btf: &Btf<'_>) -> Option<u32> {
    const NARROW: u32 = 1 << 5;
    const WIDE: u32 = 1 << 2;
    let enumerator = |enumeration| btf.enumerator(enumeration, "I_DIRTY_PAGES");
    let known = || match btf.width("inode.i_state")? {
        4 => Some(NARROW),
        8 => Some(WIDE),
        _ => None,
    };
    enumerator("inode_state_flags_enum").or_else(|| enumerator("inode_state_flags_t")).or_else(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_kernel_has_what_the_programs_need() {
        if !Path::new(VMLINUX).exists() {
            println!("skipped: this kernel has no {VMLINUX}");
            return;
        }
        let layout = Layout::read(Path::new(VMLINUX)).expect("the kernel's own BTF is readable");
        assert_eq!(layout.missing(), Vec::<&str>::new());
        assert_ne!(layout.facts.inode_size, 0);
        assert!(layout.facts.dirty_pages.is_power_of_two(), "{}", layout.facts.dirty_pages);
    }
}
