//! The kernel's own type information (BTF), as far as offsets need it: structs, their members, the
//! sizes and enum values. Reads bytes, never trusts them.
//!
//! Format: Documentation/bpf/btf.rst of the kernel.

use rustc_hash::FxHashMap;
use thiserror::Error;

/// Why bytes are no BTF.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum BtfError {
    #[error("BTF ends within {what} at byte {at}")]
    Short { what: &'static str, at: usize },
    #[error("BTF has magic {0:#06x}, expected 0xeb9f")]
    Magic(u16),
    #[error("BTF has a type of unknown kind {kind} at byte {at}")]
    UnknownKind { kind: u32, at: usize },
}

const MAGIC: u16 = 0xeb9f;
/// Size of a type before its kind's own data (`struct btf_type`).
const TYPE_SIZE: usize = 12;
/// Longest chain of typedefs and qualifiers, and deepest nesting of anonymous members, that is
/// followed: the kernel's own stay below 8. Bounds a malformed loop.
const DEPTH_MAX: usize = 32;

mod kind {
    pub(super) const INT: u32 = 1;
    pub(super) const ARRAY: u32 = 3;
    pub(super) const STRUCT: u32 = 4;
    pub(super) const UNION: u32 = 5;
    pub(super) const ENUM: u32 = 6;
    pub(super) const TYPEDEF: u32 = 8;
    pub(super) const VOLATILE: u32 = 9;
    pub(super) const CONST: u32 = 10;
    pub(super) const RESTRICT: u32 = 11;
    pub(super) const FUNC_PROTO: u32 = 13;
    pub(super) const VAR: u32 = 14;
    pub(super) const DATASEC: u32 = 15;
    pub(super) const DECL_TAG: u32 = 17;
    pub(super) const TYPE_TAG: u32 = 18;
    pub(super) const ENUM64: u32 = 19;
}

/// Parsed BTF: positions of its types and an index of its structs by name.
pub struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    /// Byte position of each type; entry 0 is `void`.
    positions: Vec<u32>,
    structs: FxHashMap<&'a [u8], u32>,
    enums: FxHashMap<&'a [u8], u32>,
}

struct Type {
    at: usize,
    name: u32,
    kind: u32,
    members: usize,
    bitfields: bool,
    size_or_type: u32,
}

impl<'a> Btf<'a> {
    /// Indexes a BTF image such as `/sys/kernel/btf/vmlinux`.
    ///
    /// # Errors
    /// [`BtfError`] names the place where the bytes stop making sense.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BtfError> {
        let header = |at, what| word(bytes, at).ok_or(BtfError::Short { what, at });
        let magic = (header(0, "the header")? & 0xffff) as u16;
        if magic != MAGIC {
            return Err(BtfError::Magic(magic));
        }
        let start = header(4, "the header")? as usize;
        let section = |offset: usize, size: usize, what| {
            let from = start + offset;
            bytes.get(from..from + size).ok_or(BtfError::Short { what, at: from })
        };
        let types = section(header(8, "the header")? as usize, header(12, "the header")? as usize, "types")?;
        let strings =
            section(header(16, "the header")? as usize, header(20, "the header")? as usize, "strings")?;
        let mut btf = Self {
            types,
            strings,
            positions: vec![0],
            structs: FxHashMap::default(),
            enums: FxHashMap::default(),
        };
        btf.index()?;
        Ok(btf)
    }

    fn index(&mut self) -> Result<(), BtfError> {
        let mut at = 0;
        while at < self.types.len() {
            let item = self.read(at).ok_or(BtfError::Short { what: "a type", at })?;
            let id = u32::try_from(self.positions.len()).unwrap_or(u32::MAX);
            self.positions.push(u32::try_from(at).unwrap_or(u32::MAX));
            let name = self.string(item.name);
            match item.kind {
                kind::STRUCT => _ = self.structs.entry(name).or_insert(id),
                kind::ENUM => _ = self.enums.entry(name).or_insert(id),
                _ => {}
            }
            at += TYPE_SIZE + item.tail().ok_or(BtfError::UnknownKind { kind: item.kind, at })?;
        }
        Ok(())
    }

    /// Byte offset of `struct.member[.member...]`, through anonymous structs and unions.
    #[must_use]
    pub fn offset(&self, path: &str) -> Option<u32> {
        let (bits, _) = self.place(path)?;
        (bits % 8 == 0).then_some(bits / 8)
    }

    /// Size of `struct.member[.member...]`, bytes; none of a pointer or an array.
    #[must_use]
    pub fn width(&self, path: &str) -> Option<u32> {
        let (_, member) = self.place(path)?;
        let item = self.resolve(member)?;
        matches!(item.kind, kind::INT | kind::ENUM | kind::STRUCT | kind::UNION).then_some(item.size_or_type)
    }

    /// Bit offset and type of a member.
    fn place(&self, path: &str) -> Option<(u32, u32)> {
        let mut parts = path.split('.');
        let mut current = *self.structs.get(parts.next()?.as_bytes())?;
        let mut bits = 0;
        for part in parts {
            let (offset, member) = self.member(current, part.as_bytes(), 0)?;
            bits += offset;
            current = member;
        }
        Some((bits, current))
    }

    /// Size of a struct, bytes.
    #[must_use]
    pub fn size(&self, name: &str) -> Option<u32> {
        Some(self.get(*self.structs.get(name.as_bytes())?)?.size_or_type)
    }

    /// Value of an enumerator.
    #[must_use]
    pub fn enumerator(&self, enumeration: &str, name: &str) -> Option<u32> {
        let item = self.get(*self.enums.get(enumeration.as_bytes())?)?;
        (0..item.members).find_map(|index| {
            let at = item.at + TYPE_SIZE + index * 8;
            (self.string(word(self.types, at)?) == name.as_bytes()).then(|| word(self.types, at + 4))?
        })
    }

    /// Bit offset and type of a member, looked up through anonymous members too.
    fn member(&self, id: u32, name: &[u8], depth: usize) -> Option<(u32, u32)> {
        let item = self.resolve(id)?;
        if depth > DEPTH_MAX || !matches!(item.kind, kind::STRUCT | kind::UNION) {
            return None;
        }
        (0..item.members).find_map(|index| {
            let at = item.at + TYPE_SIZE + index * 12;
            let (label, member) = (self.string(word(self.types, at)?), word(self.types, at + 4)?);
            let offset = word(self.types, at + 8)?;
            // With bitfields the upper 8 bits hold the field's width.
            let offset = if item.bitfields { offset & 0x00ff_ffff } else { offset };
            if label == name {
                return Some((offset, member));
            }
            if !label.is_empty() {
                return None;
            }
            self.member(member, name, depth + 1).map(|(inner, found)| (offset + inner, found))
        })
    }

    /// The type behind typedefs and qualifiers.
    fn resolve(&self, id: u32) -> Option<Type> {
        let mut item = self.get(id)?;
        for _ in 0..DEPTH_MAX {
            match item.kind {
                kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => {
                    item = self.get(item.size_or_type)?;
                }
                _ => return Some(item),
            }
        }
        None
    }

    fn get(&self, id: u32) -> Option<Type> {
        if id == 0 {
            return None;
        }
        self.read(*self.positions.get(id as usize)? as usize)
    }

    fn read(&self, at: usize) -> Option<Type> {
        let info = word(self.types, at + 4)?;
        Some(Type {
            at,
            name: word(self.types, at)?,
            kind: (info >> 24) & 0x1f,
            members: (info & 0xffff) as usize,
            bitfields: info >> 31 == 1,
            size_or_type: word(self.types, at + 8)?,
        })
    }

    fn string(&self, at: u32) -> &'a [u8] {
        let rest = self.strings.get(at as usize..).unwrap_or_default();
        rest.split(|byte| *byte == 0).next().unwrap_or_default()
    }
}

impl Type {
    /// Bytes behind the common part, by kind; none for a kind this reader does not know.
    fn tail(&self) -> Option<usize> {
        Some(match self.kind {
            kind::INT | kind::VAR | kind::DECL_TAG => 4,
            kind::ARRAY => 12,
            kind::STRUCT | kind::UNION | kind::DATASEC | kind::ENUM64 => self.members * 12,
            kind::ENUM | kind::FUNC_PROTO => self.members * 8,
            // Pointer, forward, typedef, qualifiers, function, float, type tag.
            2 | 7..=12 | 16 | 18 => 0,
            _ => return None,
        })
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_no_btf() {
        assert_eq!(Btf::parse(&[]).err(), Some(BtfError::Short { what: "the header", at: 0 }));
        assert_eq!(Btf::parse(&[0; 24]).err(), Some(BtfError::Magic(0)));
    }

    #[test]
    fn finds_members_of_the_running_kernel() {
        let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else {
            println!("skipped: this kernel has no /sys/kernel/btf/vmlinux");
            return;
        };
        let btf = Btf::parse(&bytes).expect("the kernel's own BTF parses");
        assert!(btf.offset("task_struct.tgid").is_some());
        assert_eq!(btf.offset("sock.__sk_common.skc_family").map(|at| at > 0), Some(true));
        assert_eq!(btf.offset("task_struct.no_such_member"), None);
        assert_eq!(btf.width("inode.i_mode"), Some(2));
        assert_eq!(btf.width("inode.i_sb"), None);
        assert!(btf.size("inode").is_some_and(|size| size > 300));
        assert!(btf.enumerator("cgroup_subsys_id", "CGROUP_SUBSYS_COUNT").is_some_and(|count| count > 5));
        // A cut image ends in an error, never in a panic.
        for cut in [23, 24, 1000, bytes.len() / 2] {
            let _ = Btf::parse(bytes.get(..cut).unwrap_or_default());
        }
    }
}
