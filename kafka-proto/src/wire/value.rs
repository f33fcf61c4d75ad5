//! Values and how each stands on the wire.

use bytes::Bytes;

use super::{
    DecodeErrorKind, Place, Reader, Result, Uuid, Writer,
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
    #[inline]
    fn write(&self, w: &mut Writer) {
        let place = self.put(w, w.place());
        w.leave(place);
    }

    /// Writes it at the writer's place, and says where the next value goes.
    fn put(&self, w: &mut Writer, place: Place) -> Place;

    /// The first field that this version of the message can neither carry nor do without.
    ///
    /// Empty if the value itself is too long, outside of any field.
    fn misfit_in(&self, _version: i16, _flexible: bool) -> Option<&'static str> {
        None
    }

    /// Reads the `n` elements of an array; no more than there are bytes left.
    fn read_array(array: &mut Vec<Self>, r: &mut Reader<'_>, n: usize) -> Result<()> {
        let from = r.remaining();
        while array.len() < n {
            if array.len() == array.capacity() {
                let more = growth(from, r.remaining(), array.len(), size_of::<Self>());
                array.reserve_exact(more.min(n - array.len()));
            }
            array.push(Self::default());
            if let [.., last] = &mut array[..] {
                last.read(r)?;
            }
        }
        Ok(())
    }

    /// Writes the elements of an array, as many as a count can say.
    fn put_array(array: &[Self], w: &mut Writer, mut place: Place) -> Place {
        // every struct has a copy of this: a loop by pattern needs none of the iterators'
        let (mut rest, mut written) = (array, 0);
        while let [first, others @ ..] = rest
            && written < MAX_LEN
        {
            place = first.put(w, place);
            (rest, written) = (others, written + 1);
        }
        place
    }
}

/// For how many elements more an array makes room, never by its count alone, which may be a lie: for as many as the bytes
/// that are left have if the others are like the first ones. Before there is a first one, as many as take no more memory than
/// bytes are left.
fn growth(from: usize, remaining: usize, read: usize, size: usize) -> usize {
    let likely = match (from - remaining) as u64 {
        0 => remaining / size.max(1),
        used => (remaining as u64 * read as u64 / used) as usize,
    };
    // and by half at least: each time all that was read is copied
    likely.max(read / 2) + 1
}

/// A value that can be null on the wire.
pub trait Nullable: Wire {
    /// Reads a value or null.
    ///
    /// # Errors
    ///
    /// As for [`Wire::read`].
    fn read_nullable(r: &mut Reader<'_>) -> Result<Option<Self>>;

    /// Writes a value or null.
    fn put_nullable(value: Option<&Self>, w: &mut Writer, place: Place) -> Place;
}

/// A message, or a part of one with fields of its own.
pub trait Struct: Wire {}

impl<T: Struct> Nullable for T {
    fn read_nullable(r: &mut Reader<'_>) -> Result<Option<Self>> {
        let [marker] = r.array()?;
        if marker >= 0x80 {
            return Ok(None);
        }
        let mut value = Self::default();
        value.read(r)?;
        Ok(Some(value))
    }

    fn put_nullable(value: Option<&Self>, w: &mut Writer, place: Place) -> Place {
        match value {
            None => w.put_array(place, [0xff]),
            Some(value) => {
                let place = w.put_array(place, [1]);
                value.put(w, place)
            }
        }
    }
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
            fn put(&self, w: &mut Writer, place: Place) -> Place {
                w.put_array(place, self.to_be_bytes())
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
    fn put(&self, w: &mut Writer, place: Place) -> Place {
        w.put_array(place, [u8::from(*self)])
    }
}

impl Wire for Uuid {
    #[inline]
    fn read(&mut self, r: &mut Reader<'_>) -> Result<()> {
        self.0 = r.array()?;
        Ok(())
    }

    #[inline]
    fn put(&self, w: &mut Writer, place: Place) -> Place {
        w.put_array(place, self.0)
    }
}

impl Nullable for String {
    #[inline]
    fn read_nullable(r: &mut Reader<'_>) -> Result<Option<Self>> {
        let Some(n) = r.string_len()? else {
            return Ok(None);
        };
        let start = r.clone();
        match str::from_utf8(r.take(n)?) {
            Ok(text) => Ok(Some(text.to_owned())),
            Err(_) => Err(start.error(DecodeErrorKind::InvalidUtf8)),
        }
    }

    #[inline]
    fn put_nullable(value: Option<&Self>, w: &mut Writer, place: Place) -> Place {
        w.put_string(place, value.map(Self::as_str))
    }
}

impl Nullable for Bytes {
    #[inline]
    fn read_nullable(r: &mut Reader<'_>) -> Result<Option<Self>> {
        match r.array_len()? {
            Some(n) => r.bytes(n).map(Some),
            None => Ok(None),
        }
    }

    #[inline]
    fn put_nullable(value: Option<&Self>, w: &mut Writer, place: Place) -> Place {
        let place = w.array_len(place, value.map(Self::len));
        let Some(bytes) = value else {
            return place;
        };
        w.leave(place);
        match bytes.len() {
            ..=MAX_LEN => w.put_bytes(bytes),
            _ => w.put_bytes(&bytes.slice(..MAX_LEN)),
        }
        w.place()
    }
}

impl<T: Wire> Nullable for Vec<T> {
    #[inline]
    fn read_nullable(r: &mut Reader<'_>) -> Result<Option<Self>> {
        let Some(n) = r.count()? else {
            return Ok(None);
        };
        let mut array = Self::new();
        T::read_array(&mut array, r, n)?;
        Ok(Some(array))
    }

    #[inline]
    fn put_nullable(value: Option<&Self>, w: &mut Writer, place: Place) -> Place {
        let place = w.array_len(place, value.map(Self::len));
        T::put_array(value.map_or(&[], Self::as_slice), w, place)
    }
}

// brokers do send null where the schema says never: the types that can be null read it as empty

impl Wire for String {
    #[inline]
    fn read(&mut self, r: &mut Reader<'_>) -> Result<()> {
        if let Some(value) = Self::read_nullable(r)? {
            *self = value;
        }
        Ok(())
    }

    #[inline]
    fn put(&self, w: &mut Writer, place: Place) -> Place {
        Self::put_nullable(Some(self), w, place)
    }

    fn misfit_in(&self, _: i16, flexible: bool) -> Option<&'static str> {
        (self.len() > max_string(flexible)).then_some("")
    }
}

impl Wire for Bytes {
    #[inline]
    fn read(&mut self, r: &mut Reader<'_>) -> Result<()> {
        if let Some(value) = Self::read_nullable(r)? {
            *self = value;
        }
        Ok(())
    }

    #[inline]
    fn put(&self, w: &mut Writer, place: Place) -> Place {
        Self::put_nullable(Some(self), w, place)
    }

    fn misfit_in(&self, _: i16, _: bool) -> Option<&'static str> {
        (self.len() > MAX_LEN).then_some("")
    }
}

impl<T: Wire> Wire for Vec<T> {
    #[inline]
    fn read(&mut self, r: &mut Reader<'_>) -> Result<()> {
        match r.count()? {
            Some(n) => T::read_array(self, r, n),
            None => Ok(()),
        }
    }

    #[inline]
    fn put(&self, w: &mut Writer, place: Place) -> Place {
        let place = w.array_len(place, Some(self.len()));
        T::put_array(self, w, place)
    }

    fn misfit_in(&self, version: i16, flexible: bool) -> Option<&'static str> {
        if self.len() > MAX_LEN {
            return Some("");
        }
        let mut rest = &self[..];
        while let [first, others @ ..] = rest {
            let misfit = first.misfit_in(version, flexible);
            if misfit.is_some() {
                return misfit;
            }
            rest = others;
        }
        None
    }
}

impl<T: Nullable> Wire for Option<T> {
    #[inline]
    fn read(&mut self, r: &mut Reader<'_>) -> Result<()> {
        *self = T::read_nullable(r)?;
        Ok(())
    }

    #[inline]
    fn put(&self, w: &mut Writer, place: Place) -> Place {
        T::put_nullable(self.as_ref(), w, place)
    }

    fn misfit_in(&self, version: i16, flexible: bool) -> Option<&'static str> {
        self.as_ref()?.misfit_in(version, flexible)
    }
}

/// Whether a field holds something other than its default.
#[allow(
    clippy::nonminimal_bool,
    reason = "`!=` is another function for each type"
)]
pub(crate) fn differs<T: PartialEq>(value: &T, default: &T) -> bool {
    !(value == default)
}

/// The misfit of a field: what is wrong inside it, or it itself.
pub(crate) fn name_misfit(inner: &'static str, name: &'static str) -> &'static str {
    if inner.is_empty() { name } else { inner }
}

/// Writes a field in a version that has no null for it: empty stands in, as in the Java client.
pub(crate) fn put_never_null<T: Nullable>(
    value: &Option<T>,
    w: &mut Writer,
    place: Place,
) -> Place {
    match value {
        Some(value) => value.put(w, place),
        None => T::default().put(w, place),
    }
}

#[inline]
pub(super) fn max_string(flexible: bool) -> usize {
    if flexible { MAX_LEN } else { MAX_STRING }
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
