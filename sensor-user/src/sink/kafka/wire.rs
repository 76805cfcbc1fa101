//! The protocol's primitive types (<https://kafka.apache.org/protocol#protocol_types>), written and read. All that a broker
//! sends is read through [`Reader`], which runs out of bytes and never beyond them.
//!
//! Not here: the flexible versions with their compact types and tagged fields. Nothing that is asked for needs one.

/// What a broker sent is not what the protocol says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// What is left of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (chunk, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*chunk)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn boolean(&mut self) -> Result<bool, Malformed> {
        self.chunk::<1>().map(|[byte]| byte != 0)
    }

    pub(super) fn int16(&mut self) -> Result<i16, Malformed> {
        self.chunk().map(i16::from_be_bytes)
    }

    pub(super) fn int32(&mut self) -> Result<i32, Malformed> {
        self.chunk().map(i32::from_be_bytes)
    }

    pub(super) fn int64(&mut self) -> Result<i64, Malformed> {
        self.chunk().map(i64::from_be_bytes)
    }

    /// Text; none where it is null.
    pub(super) fn nullable_string(&mut self) -> Result<Option<&'a str>, Malformed> {
        match self.int16()? {
            -1 => Ok(None),
            length => {
                let bytes = self.take(usize::try_from(length).map_err(|_| Malformed)?)?;
                std::str::from_utf8(bytes).map(Some).map_err(|_| Malformed)
            }
        }
    }

    pub(super) fn string(&mut self) -> Result<&'a str, Malformed> {
        self.nullable_string()?.ok_or(Malformed)
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.int32()?;
        self.take(usize::try_from(length).map_err(|_| Malformed)?)
    }

    /// Hands each element to `each`. A null array is an empty one; none has more elements than there are bytes.
    pub(super) fn array(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let count = match self.int32()? {
            -1 => 0,
            count => usize::try_from(count).map_err(|_| Malformed)?,
        };
        if count > self.0.len() {
            return Err(Malformed);
        }
        (0..count).try_for_each(|_| each(self))
    }
}

/// Writes what a request is made of.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn boolean(mut self, value: bool) -> Self {
        self.0.push(u8::from(value));
        self
    }

    pub(super) fn int8(mut self, value: i8) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn int16(mut self, value: i16) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn int32(mut self, value: i32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn int64(mut self, value: i64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn uint32(mut self, value: u32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// Text of at most 32,767 bytes: names and words of the configuration, which are checked to be shorter.
    pub(super) fn string(self, text: &str) -> Self {
        let mut written = self.int16(i16::try_from(text.len()).unwrap_or(i16::MAX));
        written.0.extend(text.as_bytes());
        written
    }

    pub(super) fn null_string(self) -> Self {
        self.int16(-1)
    }

    pub(super) fn bytes(self, bytes: &[u8]) -> Self {
        let mut written = self.int32(length(bytes.len()));
        written.0.extend(bytes);
        written
    }

    /// Bytes without their length.
    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    /// A number of variable length, zigzag-encoded: what stands within a record.
    pub(super) fn varint(mut self, value: i64) -> Self {
        let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
        while rest >= 0x80 {
            self.0.push(low(rest) | 0x80);
            rest >>= 7;
        }
        self.0.push(low(rest));
        self
    }

    /// Bytes with their length as a [`varint`](Self::varint).
    pub(super) fn varbytes(self, bytes: &[u8]) -> Self {
        self.varint(i64::from(length(bytes.len()))).raw(bytes)
    }
}

/// The lowest seven bits.
fn low(value: u64) -> u8 {
    value.to_le_bytes()[0] & 0x7f
}

/// A length as the protocol has it. A batch has a few MiB at most.
pub(super) fn length(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_there_and_no_more() {
        let bytes = [0, 1, 0, 0, 0, 2, 0, 3, b'a', b'b', b'c', 0xff, 0xff, 0, 0, 0, 1, 9, 1];
        let mut reader = Reader::new(&bytes);
        assert_eq!((reader.int16(), reader.int32(), reader.string()), (Ok(1), Ok(2), Ok("abc")));
        assert_eq!((reader.nullable_string(), reader.bytes()), (Ok(None), Ok(&[9][..])));
        assert_eq!((reader.boolean(), reader.boolean()), (Ok(true), Err(Malformed)));
        for lying in [&[0, 9, b'a'][..], &[0xff, 0xfe], &[0, 1, 0xff], &[0xff, 0xff], &[]] {
            assert_eq!(Reader::new(lying).string(), Err(Malformed), "{lying:?}");
        }
        assert_eq!(Reader::new(&[0xff; 8]).bytes(), Err(Malformed));
    }

    #[test]
    fn an_array_has_no_more_elements_than_bytes() {
        let read = |bytes: &[u8]| {
            let mut found = Vec::new();
            let read = Reader::new(bytes).array(|reader| {
                found.push(reader.int16()?);
                Ok(())
            });
            read.map(|()| found)
        };
        assert_eq!(read(&[0, 0, 0, 2, 0, 1, 0, 2]), Ok(vec![1, 2]));
        assert_eq!((read(&[0xff; 4]), read(&[0; 4])), (Ok(vec![]), Ok(vec![])));
        for lying in [&[0x7f, 0xff, 0xff, 0xff, 0, 1][..], &[0, 0, 0, 2, 0, 1], &[0xff, 0xff, 0xff, 0xfe]] {
            assert_eq!(read(lying), Err(Malformed), "{lying:?}");
        }
    }

    /// Those of Protocol Buffers' description of zigzag, which the protocol refers to.
    #[test]
    fn numbers_of_variable_length() {
        for (number, bytes) in [
            (0, &[0][..]),
            (-1, &[1]),
            (1, &[2]),
            (-64, &[0x7f]),
            (64, &[0x80, 1]),
            (2_147_483_647, &[0xfe, 0xff, 0xff, 0xff, 0xf]),
            (i64::MIN, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ] {
            assert_eq!(Writer::default().varint(number).into_bytes(), bytes, "{number}");
        }
    }
}
