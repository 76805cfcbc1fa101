//! The two parts of every record: what has a fixed place, and the texts behind it.

use sensor_ebpf::wire::text::Text;
use zerocopy::{FromBytes, Immutable, KnownLayout};

use super::DecodeError;
use crate::octet;

/// The fixed part and what follows it.
pub(super) fn fixed<'a, T: FromBytes + KnownLayout + Immutable>(
    bytes: &'a [u8],
    what: &'static str,
) -> Result<(T, &'a [u8]), DecodeError> {
    T::read_from_prefix(bytes).map_err(|_| DecodeError::Short {
        what,
        have: bytes.len(),
        need: size_of::<T>(),
    })
}

/// The tail of a record: takes its texts off the front, one by one.
pub(super) struct Texts<'a>(pub(super) &'a [u8]);

impl<'a> Texts<'a> {
    pub(super) fn take(&mut self, text: Text) -> Result<&'a [u8], DecodeError> {
        let need = usize::from(text.size);
        let (taken, rest) = self.0.split_at_checked(need).ok_or(DecodeError::Short {
            what: "a text",
            have: self.0.len(),
            need,
        })?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn string(&mut self, text: Text) -> Result<String, DecodeError> {
        let bytes = self.take(text)?;
        Ok(octet::text(bytes.split(|byte| *byte == 0).next().unwrap_or_default()))
    }

    /// Components leaf to root become a path. A truncated one lacks its beginning, and says so.
    pub(super) fn path(&mut self, text: Text) -> Result<String, DecodeError> {
        let bytes = self.take(text)?;
        let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
        let mut path = String::with_capacity(bytes.len() + 1);
        if text.flags & (Text::TRUNCATED | Text::UNREADABLE) != 0 {
            path.push('…');
        }
        if !bytes.is_empty() && bytes != b"/" {
            for component in bytes.rsplit(|byte| *byte == 0) {
                path.push('/');
                path.push_str(&octet::text(component));
            }
        }
        if path.is_empty() {
            path.push('/');
        }
        Ok(path)
    }

    /// Strings, each ended by NUL; the last may be cut.
    pub(super) fn list(&mut self, text: Text) -> Result<Vec<String>, DecodeError> {
        let bytes = self.take(text)?;
        let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
        if bytes.is_empty() && text.size == 0 {
            return Ok(Vec::new());
        }
        Ok(bytes.split(|byte| *byte == 0).map(octet::text).collect())
    }

    pub(super) fn end(self) -> Result<(), DecodeError> {
        if self.0.is_empty() { Ok(()) } else { Err(DecodeError::Trailing(self.0.len())) }
    }
}
