//! Values and how each stands on the wire.

use bytes::Bytes;

use super::{
    DecodeErrorKind, Reader, Result, Uuid, Writer,
    writer::{MAX_LEN, MAX_STRING},
};

/// A value with an encoding that depends on the version of the message.
///
/// Reading fills a default in place, so that large messages are never moved.
pub trait Wire: Default + PartialEq {
    /// Reads into a value that is still at its default.
    ///
    /// # Errors
    ///
    /// The bytes at the cursor are no such value; `self` is then partly filled.
    fn read(&mut self, r: &mut Reader<'_>) -> Result<()>;

    /// Writes what the version can carry.
    ///
    /// Ask [`misfit_in`](Self::misfit_in) first: fields that the version lacks are left out, and what is longer than a
    /// length can say is cut there, so that the message stays readable.
    fn write(&self, w: &mut Writer);

    /// The first field that this version of the message can neither carry nor do without.
    ///
    /// Empty if the value itself is too long, outside of any field.
    fn misfit_in(&self, _version: i16, _flexible: bool) -> Option<&'static str> {
        None
    }

    /// Reads the `n` elements of an array; no more than there are bytes left.
    fn read_array(array: &mut Vec<Self>, r: &mut Reader<'_>, n: usize) -> Result<()> {
        for read in 0..n {
            if array.len() == array.capacity() {
                // never more than the bytes that are left make likely, or than have come: the count may be a lie
                let likely = r.remaining() / size_of::<Self>().max(1) + 1;
                array.reserve_exact(likely.max(read).min(n - read));
            }
            array.push(Self::default());
            array.last_mut().map_or(Ok(()), |v| v.read(r))?;
        }
        Ok(())
    }

    /// Writes the elements of an array.
    fn write_array(array: &[Self], w: &mut Writer) {
        array.iter().for_each(|v| v.write(w));
    }
}

/// A value that can be null on the wire.
pub trait Nullable: Wire {
    /// Reads into a value that is still at its default; returns whether it was there.
    ///
    /// # Errors
    ///
    /// As for [`Wire::read`].
    fn read_nullable(&mut self, r: &mut Reader<'_>) -> Result<bool>;

    /// Writes a value or null.
    fn write_nullable(value: Option<&Self>, w: &mut Writer);
}

macro_rules! numbers {
    ($($ty:ty)*) => {$(
        impl Wire for $ty {
            #[inline]
            fn read(&mut self, r: &mut Reader<'_>) -> Result<()> {
                *self = Self::from_be_bytes(r.array()?);
                Ok(())
            }

            #[inline]
            fn write(&self, w: &mut Writer) {
                w.put_slice(&self.to_be_bytes());
            }

            fn read_array(array: &mut Vec<Self>, r: &mut Reader<'_>, n: usize) -> Result<()> {
                const SIZE: usize = size_of::<$ty>();
                let bytes = r.take(n.saturating_mul(SIZE))?;
                array.reserve_exact(n);
                array.extend(bytes.as_chunks::<SIZE>().0.iter().map(|b| Self::from_be_bytes(*b)));
                Ok(())
            }
        }
    )*};
}
numbers! { i8 i16 u16 i32 i64 f64 }

impl Wire for bool {
    #[inline]
    fn read(&mut self, r: &mut Reader<'_>) -> Result<()> {
        *self = r.array()? != [0];
        Ok(())
    }

    #[inline]
    fn write(&self, w: &mut Writer) {
        w.put_slice(&[u8::from(*self)]);
    }
}

impl Wire for Uuid {
    #[inline]
    fn read(&mut self, r: &mut Reader<'_>) -> Result<()> {
        self.0 = r.array()?;
        Ok(())
    }

    #[inline]
    fn write(&self, w: &mut Writer) {
        w.put_slice(&self.0);
    }
}

impl Nullable for String {
    #[inline]
    fn read_nullable(&mut self, r: &mut Reader<'_>) -> Result<bool> {
        let Some(n) = r.string_len()? else {
            return Ok(false);
        };
        let start = r.clone();
        match str::from_utf8(r.take(n)?) {
            Ok(text) => *self = text.to_owned(),
            Err(_) => return Err(start.error(DecodeErrorKind::InvalidUtf8)),
        }
        Ok(true)
    }

    #[inline]
    fn write_nullable(value: Option<&Self>, w: &mut Writer) {
        let text = value.map(|s| cut(s, max_string(w.flexible)));
        w.put_string_len(text.map(str::len));
        w.put_slice(text.unwrap_or_default().as_bytes());
    }
}

impl Nullable for Bytes {
    #[inline]
    fn read_nullable(&mut self, r: &mut Reader<'_>) -> Result<bool> {
        let Some(n) = r.array_len()? else {
            return Ok(false);
        };
        *self = r.bytes(n)?;
        Ok(true)
    }

    #[inline]
    fn write_nullable(value: Option<&Self>, w: &mut Writer) {
        w.put_array_len(value.map(Self::len));
        match value {
            Some(bytes) if bytes.len() > MAX_LEN => w.put_bytes(&bytes.slice(..MAX_LEN)),
            Some(bytes) => w.put_bytes(bytes),
            None => {}
        }
    }
}

impl<T: Wire> Nullable for Vec<T> {
    #[inline]
    fn read_nullable(&mut self, r: &mut Reader<'_>) -> Result<bool> {
        let start = r.clone();
        let Some(n) = r.array_len()? else {
            return Ok(false);
        };
        // no element is encoded in less than a byte
        if n > r.remaining() {
            return Err(start.error(DecodeErrorKind::UnexpectedEnd));
        }
        T::read_array(self, r, n)?;
        Ok(true)
    }

    #[inline]
    fn write_nullable(value: Option<&Self>, w: &mut Writer) {
        w.put_array_len(value.map(Self::len));
        T::write_array(value.map_or(&[], |v| &v[..v.len().min(MAX_LEN)]), w);
    }
}

macro_rules! never_null {
    ($([$($t:ident)?] $ty:ty, $misfit:expr;)*) => {$(
        impl $(<$t: Wire>)? Wire for $ty {
            #[inline]
            fn read(&mut self, r: &mut Reader<'_>) -> Result<()> {
                // brokers do send null where the schema says never: read it as empty
                self.read_nullable(r).map(drop)
            }

            #[inline]
            fn write(&self, w: &mut Writer) {
                Self::write_nullable(Some(self), w);
            }

            fn misfit_in(&self, version: i16, flexible: bool) -> Option<&'static str> {
                let misfit: fn(&Self, i16, bool) -> Option<&'static str> = $misfit;
                misfit(self, version, flexible)
            }
        }
    )*};
}

never_null! {
    [] String, |text, _, flexible| (text.len() > max_string(flexible)).then_some("");
    [] Bytes, |bytes, _, _| (bytes.len() > MAX_LEN).then_some("");
    [T] Vec<T>, |array, version, flexible| match array.len() > MAX_LEN {
        true => Some(""),
        false => array.iter().find_map(|v: &T| v.misfit_in(version, flexible)),
    };
}

impl<T: Nullable> Wire for Option<T> {
    #[inline]
    fn read(&mut self, r: &mut Reader<'_>) -> Result<()> {
        if !self.insert(T::default()).read_nullable(r)? {
            *self = None;
        }
        Ok(())
    }

    #[inline]
    fn write(&self, w: &mut Writer) {
        T::write_nullable(self.as_ref(), w);
    }

    fn misfit_in(&self, version: i16, flexible: bool) -> Option<&'static str> {
        self.as_ref()?.misfit_in(version, flexible)
    }
}

/// Whether a field holds something other than its default.
pub(crate) fn differs<T: PartialEq>(value: &T, default: T) -> bool {
    *value != default
}

/// The misfit of a field: what is wrong inside it, or it itself.
pub(crate) fn name_misfit<T: Wire>(
    value: &T,
    version: i16,
    flexible: bool,
    name: &'static str,
) -> Option<&'static str> {
    value
        .misfit_in(version, flexible)
        .map(|inner| if inner.is_empty() { name } else { inner })
}

/// Writes a field in a version that has no null for it: empty stands in, as in the Java client.
pub(crate) fn write_never_null<T: Nullable>(value: &Option<T>, w: &mut Writer) {
    match value {
        Some(value) => value.write(w),
        None => T::default().write(w),
    }
}

fn max_string(flexible: bool) -> usize {
    if flexible { MAX_LEN } else { MAX_STRING }
}

/// The longest start of `text` that has at most `max` bytes.
fn cut(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    // a character has at most four bytes
    (max.saturating_sub(3)..=max)
        .rev()
        .find_map(|n| text.get(..n))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::{heartbeat::HeartbeatRequest, metadata::MetadataRequest},
        wire::{decode, encode},
    };

    #[test]
    fn strings_too_long_for_a_classic_length_are_named_and_never_written_with_a_wrong_one() {
        let request = HeartbeatRequest::build(|r| r.member_id = "ä".repeat(MAX_STRING));
        assert_eq!(request.misfit_in(3, false), Some("member_id"));
        assert_eq!(request.misfit_in(4, true), None);
        let read: HeartbeatRequest = decode(&encode(&request, 4, true), 4, true).expect("whole");
        assert_eq!(read, request);
        let read: HeartbeatRequest =
            decode(&encode(&request, 3, false), 3, false).expect("cut, but readable");
        assert_eq!(read.member_id, "ä".repeat(MAX_STRING / 2));
    }

    #[test]
    fn misfits_name_the_innermost_field() {
        let request = MetadataRequest::build(|r| r.topics = None);
        assert_eq!(request.misfit_in(0, false), Some("topics"));
        assert_eq!(request.misfit_in(1, false), None);
        let request = MetadataRequest::build(|r| r.include_topic_authorized_operations = true);
        assert_eq!(
            request.misfit_in(7, false),
            Some("include_topic_authorized_operations")
        );
        assert_eq!(String::from("x").misfit_in(0, false), None);
        assert_eq!("x".repeat(MAX_STRING + 1).misfit_in(0, false), Some(""));
    }

    #[test]
    fn counts_above_the_bytes_that_are_left_are_refused_before_anything_is_allocated() {
        let frame = Bytes::from_static(b"\x7f\xff\xff\xff\0\0\0\0");
        let mut numbers = Vec::<i64>::new();
        let error = numbers
            .read(&mut Reader::new(&frame, 0, false))
            .expect_err("refused");
        assert_eq!(
            (error.kind(), error.offset()),
            (DecodeErrorKind::UnexpectedEnd, 0)
        );
        assert_eq!(numbers.capacity(), 0);
        // as many elements as bytes are left, but of eight bytes each
        let frame = Bytes::from_static(b"\0\0\0\x04\0\0\0\0");
        assert!(numbers.read(&mut Reader::new(&frame, 0, false)).is_err());
        assert_eq!(numbers.capacity(), 0);
    }

    #[test]
    fn null_where_the_schema_has_none_is_empty() {
        let frame = Bytes::from_static(b"\xff\xff");
        let mut text = String::new();
        assert_eq!(text.read(&mut Reader::new(&frame, 0, false)), Ok(()));
        let mut text = Some(String::new());
        assert_eq!(text.read(&mut Reader::new(&frame, 0, false)), Ok(()));
        assert_eq!(text, None);
    }
}
