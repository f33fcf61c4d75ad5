//! The cursor that reads one message.

use bytes::Bytes;
use nom::{
    IResult, Parser,
    error::{ErrorKind, ParseError},
    number::complete::be_u8,
};

use super::{DecodeError, DecodeErrorKind, Result, UnknownTags};

/// Reads a message, or what stands before it, at one version.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    input: &'a [u8],
    frame: &'a Bytes,
    /// The version of the message; it decides which fields there are.
    pub version: i16,
    /// Whether lengths are compact and structs end with tagged fields.
    pub flexible: bool,
    keep_unknown_tags: bool,
}

impl<'a> Reader<'a> {
    /// A cursor at the start of `frame`. What is read as [`Bytes`] shares its memory.
    pub fn new(frame: &'a Bytes, version: i16, flexible: bool) -> Self {
        Self {
            input: frame,
            frame,
            version,
            flexible,
            keep_unknown_tags: false,
        }
    }

    /// Keeps tagged fields that no table knows in the `unknown_tags` of their structs. Default: they are skipped.
    ///
    /// For proxies: what is written again then has them, too. Each takes 40 bytes, and its value shares the memory of the
    /// frame.
    pub fn keep_unknown_tags(self) -> Self {
        Self {
            keep_unknown_tags: true,
            ..self
        }
    }

    /// Takes as many bytes as a fixed-size value has.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let Some((head, rest)) = self.input.split_first_chunk::<N>() else {
            return Err(self.error(DecodeErrorKind::UnexpectedEnd));
        };
        self.input = rest;
        Ok(*head)
    }

    /// Takes `n` bytes.
    #[inline]
    pub fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let Some((head, rest)) = self.input.split_at_checked(n) else {
            return Err(self.error(DecodeErrorKind::UnexpectedEnd));
        };
        self.input = rest;
        Ok(head)
    }

    /// Takes `n` bytes that share the memory of the frame.
    #[inline]
    pub fn bytes(&mut self, n: usize) -> Result<Bytes> {
        let slice = self.take(n)?;
        Ok(self.frame.slice_ref(slice))
    }

    /// Takes an unsigned varint of at most 32 bits.
    #[inline]
    pub fn uvarint(&mut self) -> Result<u32> {
        match self.input {
            // one byte is by far the most common
            [b, rest @ ..] if *b < 0x80 => {
                self.input = rest;
                Ok(u32::from(*b))
            }
            _ => {
                let (value, len) = long_uvarint(self.input);
                match self.input.get(len..) {
                    Some(rest) if len > 0 => {
                        self.input = rest;
                        Ok(value)
                    }
                    _ => self.run(uvarint),
                }
            }
        }
    }

    /// Takes the length of a string; `None` is null.
    #[inline]
    pub fn string_len(&mut self) -> Result<Option<usize>> {
        match self.flexible {
            true => self.compact_len(),
            false => self.classic_len::<2>(|b| i16::from_be_bytes(b).into()),
        }
    }

    /// Takes the length of bytes or the count of an array; `None` is null.
    #[inline]
    pub fn array_len(&mut self) -> Result<Option<usize>> {
        match self.flexible {
            true => self.compact_len(),
            false => self.classic_len::<4>(i32::from_be_bytes),
        }
    }

    /// Takes the tagged fields that end a flexible struct; `field` gets each tag and a reader of its value.
    ///
    /// Tags must ascend: no Kafka writes them otherwise, and a tag that could come twice would have two values.
    #[inline]
    pub fn tagged(&mut self, mut field: impl FnMut(u32, &mut Self) -> Result<()>) -> Result<()> {
        if !self.flexible {
            return Ok(());
        }
        let mut next = 0u64;
        for _ in 0..self.uvarint()? {
            let at = self.clone();
            let tag = self.uvarint()?;
            if u64::from(tag) < next {
                return Err(at.error(DecodeErrorKind::TagOrder));
            }
            next = u64::from(tag) + 1;
            let len = self.uvarint()? as usize;
            let input = self.take(len)?;
            field(tag, &mut Self { input, ..*self })?;
        }
        Ok(())
    }

    /// Takes the tagged fields that end a struct which knows none.
    #[inline]
    pub fn end_struct(&mut self, unknown: &mut UnknownTags) -> Result<()> {
        if !self.flexible {
            return Ok(());
        }
        match self.input {
            // most have none
            [0, rest @ ..] => {
                self.input = rest;
                Ok(())
            }
            _ => self.tagged(|tag, r| r.unknown_tag(tag, unknown)),
        }
    }

    /// Keeps or skips a tagged field, of which this reader is at the value.
    pub fn unknown_tag(&mut self, tag: u32, unknown: &mut UnknownTags) -> Result<()> {
        if self.keep_unknown_tags {
            let value = self.bytes(self.remaining())?;
            unknown.insert(tag, value);
        }
        Ok(())
    }

    /// Takes the count of an array, which is no more than the bytes that are left; `None` is null.
    #[inline]
    pub(super) fn count(&mut self) -> Result<Option<usize>> {
        let start = self.input;
        let count = self.array_len()?;
        match count {
            // no element is encoded in less than a byte
            Some(n) if n > self.input.len() => {
                let at = Self {
                    input: start,
                    ..*self
                };
                Err(at.error(DecodeErrorKind::UnexpectedEnd))
            }
            _ => Ok(count),
        }
    }

    /// Returns `value` if nothing is left.
    pub fn finish<T>(self, value: T) -> Result<T> {
        self.finish_ref().map(|()| value)
    }

    /// Fails if anything is left.
    pub(crate) fn finish_ref(&self) -> Result<()> {
        match self.input.is_empty() {
            true => Ok(()),
            false => Err(self.error(DecodeErrorKind::TrailingData)),
        }
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.input.len()
    }

    /// An error here.
    #[cold]
    pub(super) fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        // the input always lies in the frame, also that of a tagged field
        DecodeError::new(
            kind,
            self.input
                .as_ptr()
                .addr()
                .wrapping_sub(self.frame.as_ptr().addr()),
        )
    }

    #[inline]
    fn compact_len(&mut self) -> Result<Option<usize>> {
        Ok((self.uvarint()? as usize).checked_sub(1))
    }

    #[inline]
    fn classic_len<const N: usize>(
        &mut self,
        number: impl Fn([u8; N]) -> i32,
    ) -> Result<Option<usize>> {
        let at = self.input;
        match number(self.array()?) {
            -1 => Ok(None),
            n => match usize::try_from(n) {
                Ok(n) => Ok(Some(n)),
                Err(_) => Err(Self { input: at, ..*self }.error(DecodeErrorKind::InvalidLength)),
            },
        }
    }

    /// Runs a nom parser at the cursor.
    fn run<T>(
        &mut self,
        mut parser: impl Parser<&'a [u8], Output = T, Error = DecodeErrorKind>,
    ) -> Result<T> {
        match parser.parse(self.input) {
            Ok((rest, value)) => {
                self.input = rest;
                Ok(value)
            }
            Err(nom::Err::Error(kind) | nom::Err::Failure(kind)) => Err(self.error(kind)),
            Err(nom::Err::Incomplete(_)) => Err(self.error(DecodeErrorKind::UnexpectedEnd)),
        }
    }
}

impl<I> ParseError<I> for DecodeErrorKind {
    fn from_error_kind(_: I, _: ErrorKind) -> Self {
        Self::UnexpectedEnd
    }

    fn append(_: I, _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// Reads a varint of two or three bytes, as the lengths of records are, and says which; 0 if it is none.
// no `Option` around the pair: this goes back in two registers
#[inline(never)]
fn long_uvarint(input: &[u8]) -> (u32, usize) {
    match input {
        [a, b @ 0..0x80, ..] => (u32::from(a & 0x7f) | u32::from(*b) << 7, 2),
        [a, b, c @ 0..0x80, ..] => (
            u32::from(a & 0x7f) | u32::from(b & 0x7f) << 7 | u32::from(*c) << 14,
            3,
        ),
        _ => (0, 0),
    }
}

fn uvarint(mut input: &[u8]) -> IResult<&[u8], u32, DecodeErrorKind> {
    let mut value = 0u32;
    for shift in (0..35).step_by(7) {
        let (rest, byte) = be_u8(input)?;
        input = rest;
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok((input, value));
        }
    }
    Err(nom::Err::Failure(DecodeErrorKind::InvalidLength))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uvarints_have_at_most_five_bytes() {
        for (bytes, n) in [
            (&b"\x00"[..], 0),
            (b"\x7f", 127),
            (b"\x80\x01", 128),
            (b"\xff\xff\x03", 65_535),
            (b"\xff\xff\xff\xff\x0f", u32::MAX),
            // longer than it need be, like some encoders write it
            (b"\x81\x80\x00", 1),
        ] {
            let frame = Bytes::from_static(bytes);
            let mut r = Reader::new(&frame, 0, true);
            assert_eq!(r.uvarint().and_then(|n| r.finish(n)), Ok(n));
        }
        for (bytes, kind) in [
            (&b""[..], DecodeErrorKind::UnexpectedEnd),
            (b"\x80", DecodeErrorKind::UnexpectedEnd),
            (b"\x80\x80\x80\x80\x80", DecodeErrorKind::InvalidLength),
            (b"\xff\xff\xff\xff\xff\x01", DecodeErrorKind::InvalidLength),
        ] {
            let frame = Bytes::from_static(bytes);
            assert_eq!(
                Reader::new(&frame, 0, true)
                    .uvarint()
                    .expect_err("refused")
                    .kind(),
                kind
            );
        }
    }

    #[test]
    fn bytes_share_the_memory_of_the_frame() {
        let frame = Bytes::from(vec![7; 100]);
        let mut r = Reader::new(&frame, 0, true);
        r.take(10).expect("ten");
        let slice = r.bytes(80).expect("eighty");
        assert_eq!(slice.as_ptr(), frame[10..].as_ptr());
        assert_eq!(r.remaining(), 10);
    }
}
