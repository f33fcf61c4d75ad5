//! The buffer that a message is written to.

use bytes::Bytes;

use super::{Place, UnknownTags, Wire, buffer::Buffer, value::max_string};

/// Payloads from this length on are shared instead of copied.
const SHARED: usize = 512;

/// The longest string of a classic version.
pub(super) const MAX_STRING: usize = i16::MAX as usize;

/// The longest bytes and arrays that Kafka can read.
pub(super) const MAX_LEN: usize = i32::MAX as usize;

/// Takes a message, or what stands before it, at one version.
///
/// Small values are copied into one buffer, large payloads are kept beside it and never copied.
#[derive(Clone, Debug)]
pub struct Writer {
    buffer: Buffer,
    /// Payloads, each with the place in the buffer where it belongs.
    shared: Vec<(usize, Bytes)>,
    shared_len: usize,
    /// Payloads from this length on are shared.
    share_from: usize,
    /// The version of the message; it decides which fields there are.
    pub version: i16,
    /// Whether lengths are compact and structs end with tagged fields.
    pub flexible: bool,
}

/// Where a frame began; see [`Writer::begin_frame`].
#[derive(Debug)]
#[must_use]
pub struct FrameStart {
    length_at: usize,
    body_from: usize,
}

impl Writer {
    /// An empty writer with a buffer of its own.
    pub fn new(version: i16, flexible: bool) -> Self {
        Self::with_buffer(Vec::with_capacity(256), version, flexible)
    }

    /// Writes behind what `buffer` holds, so that a buffer can be used again.
    pub fn with_buffer(buffer: Vec<u8>, version: i16, flexible: bool) -> Self {
        Self {
            buffer: Buffer::new(buffer),
            shared: Vec::new(),
            shared_len: 0,
            share_from: SHARED,
            version,
            flexible,
        }
    }

    /// Copies payloads, too: for what will be sent as one piece and takes its buffer back by
    /// [`into_buffer`](Self::into_buffer).
    pub fn in_one_piece(mut self) -> Self {
        self.share_from = usize::MAX;
        self
    }

    /// Leaves room for the length that stands before a frame.
    pub fn begin_frame(&mut self) -> FrameStart {
        let length_at = self.buffer.len();
        self.put_slice(&[0; 4]);
        FrameStart {
            length_at,
            body_from: self.len(),
        }
    }

    /// Writes the length of all that came since `start` into the room for it.
    pub fn end_frame(&mut self, start: FrameStart) {
        let len = i32::try_from(self.len() - start.body_from).unwrap_or(i32::MAX);
        if let Some(room) = self.buffer.from(start.length_at).first_chunk_mut() {
            *room = len.to_be_bytes();
        }
    }

    /// Takes the place of the next value, for [`Wire::put`].
    ///
    /// Until [`leave`](Self::leave) has given it back, nothing may be called that does not take it.
    #[inline]
    pub fn place(&self) -> Place {
        self.buffer.place()
    }

    /// Goes on behind the last value that was put.
    #[inline]
    pub fn leave(&mut self, place: Place) {
        self.buffer.leave(place);
    }

    /// Copies bytes as they are.
    #[inline]
    pub fn put_slice(&mut self, bytes: &[u8]) {
        let place = self.buffer.put_slice(self.place(), bytes);
        self.leave(place);
    }

    /// Copies bytes of a number that is known when compiling.
    #[inline]
    pub(crate) fn put_array<const N: usize>(&mut self, place: Place, bytes: [u8; N]) -> Place {
        self.buffer.put_array(place, bytes)
    }

    /// Copies the first `n` bytes.
    #[inline]
    pub(crate) fn put_front<const N: usize>(
        &mut self,
        place: Place,
        bytes: [u8; N],
        n: usize,
    ) -> Place {
        self.buffer.put_front(place, bytes, n)
    }

    /// Puts bytes as they are: short ones are copied, long ones are shared.
    pub fn put_bytes(&mut self, bytes: &Bytes) {
        if bytes.len() < self.share_from {
            return self.put_slice(bytes);
        }
        self.shared_len += bytes.len();
        self.shared.push((self.buffer.len(), bytes.clone()));
    }

    /// Puts an unsigned varint.
    #[inline]
    pub fn put_uvarint(&mut self, n: u32) {
        let place = self.uvarint(self.place(), n);
        self.leave(place);
    }

    #[inline]
    fn uvarint(&mut self, place: Place, n: u32) -> Place {
        match n {
            // one byte is by far the most common
            0..0x80 => self.put_array(place, [n as u8]),
            _ => self.long_uvarint(place, n),
        }
    }

    #[inline(never)]
    fn long_uvarint(&mut self, mut place: Place, mut n: u32) -> Place {
        while n >= 0x80 {
            place = self.put_array(place, [n as u8 | 0x80]);
            n >>= 7;
        }
        self.put_array(place, [n as u8])
    }

    /// Puts a string; `None` is null.
    #[inline]
    pub(crate) fn put_string(&mut self, place: Place, text: Option<&str>) -> Place {
        match text {
            // nearly all, in one piece
            Some(text) if self.flexible && text.len() < 0x7f => {
                self.buffer
                    .put_headed(place, text.len() as u8 + 1, text.as_bytes())
            }
            _ => self.put_any_string(place, text),
        }
    }

    #[inline(never)]
    fn put_any_string(&mut self, place: Place, text: Option<&str>) -> Place {
        let text = text.map(|text| cut(text, max_string(self.flexible)));
        let place = self.string_len(place, text.map(str::len));
        self.buffer
            .put_slice(place, text.unwrap_or_default().as_bytes())
    }

    /// Puts the length of a string; `None` is null.
    #[inline]
    pub fn put_string_len(&mut self, len: Option<usize>) {
        let place = self.string_len(self.place(), len);
        self.leave(place);
    }

    #[inline]
    fn string_len(&mut self, place: Place, len: Option<usize>) -> Place {
        match self.flexible {
            true => self.compact_len(place, len),
            false => {
                let len = len.map_or(-1, |n| i16::try_from(n).unwrap_or(i16::MAX));
                self.put_array(place, len.to_be_bytes())
            }
        }
    }

    /// Puts the length of bytes or the count of an array; `None` is null.
    #[inline]
    pub fn put_array_len(&mut self, len: Option<usize>) {
        let place = self.array_len(self.place(), len);
        self.leave(place);
    }

    #[inline]
    pub(crate) fn array_len(&mut self, place: Place, len: Option<usize>) -> Place {
        match self.flexible {
            true => self.compact_len(place, len),
            false => {
                let len = len.map_or(-1, |n| i32::try_from(n).unwrap_or(i32::MAX));
                self.put_array(place, len.to_be_bytes())
            }
        }
    }

    #[inline]
    fn compact_len(&mut self, place: Place, len: Option<usize>) -> Place {
        self.uvarint(place, len.map_or(0, |n| n.min(MAX_LEN) as u32 + 1))
    }

    /// Puts a varint before what was put from `start` on.
    fn insert_uvarint(&mut self, start: usize, n: u32) {
        // append it, then turn it to the front
        let end = self.buffer.len();
        self.put_uvarint(n);
        let moved = self.buffer.len() - end;
        self.buffer.from(start).rotate_right(moved);
        let later = self.shared.iter_mut().rev();
        later
            .take_while(|(at, _)| *at >= start)
            .for_each(|(at, _)| *at += moved);
    }

    /// Puts the tagged fields that end a flexible struct, in the order of their tags; `fields` puts each.
    #[inline]
    pub fn tagged(
        &mut self,
        place: Place,
        unknown: &UnknownTags,
        fields: impl FnOnce(&mut Tags<'_>),
    ) -> Place {
        if !self.flexible {
            return place;
        }
        self.leave(place);
        let mut tags = self.begin_tags(unknown);
        fields(&mut tags);
        tags.end();
        self.place()
    }

    /// Ends a struct that knows no tagged fields.
    #[inline]
    pub fn end_struct(&mut self, place: Place, unknown: &UnknownTags) -> Place {
        match unknown.is_empty() {
            _ if !self.flexible => place,
            true => self.put_array(place, [0]),
            false => self.tagged(place, unknown, |_| {}),
        }
    }

    fn begin_tags<'a>(&'a mut self, unknown: &'a UnknownTags) -> Tags<'a> {
        let count_at = self.buffer.len();
        self.put_slice(&[0]);
        Tags {
            writer: self,
            count_at,
            count: 0,
            unknown: unknown.as_slice(),
        }
    }

    /// How many bytes there are, shared ones included.
    pub fn len(&self) -> usize {
        self.buffer.len() + self.shared_len
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All that was written, for a vectored write: slices of the buffer, and shared payloads between them.
    pub fn segments(self) -> Vec<Bytes> {
        let mut segments = Vec::with_capacity(2 * self.shared.len() + 1);
        let mut buffer = Bytes::from(self.buffer.into_vec());
        let mut taken = 0;
        for (at, payload) in self.shared {
            if at > taken {
                segments.push(buffer.split_to(at - taken));
                taken = at;
            }
            segments.push(payload);
        }
        if !buffer.is_empty() {
            segments.push(buffer);
        }
        segments
    }

    /// All that was written, as one: copies shared payloads, if there are any.
    pub fn flatten(self) -> Bytes {
        self.into_buffer().into()
    }

    /// All that was written, in the buffer that this writer was made with if there are no shared payloads.
    pub fn into_buffer(self) -> Vec<u8> {
        if self.shared.is_empty() {
            return self.buffer.into_vec();
        }
        let mut out = Vec::with_capacity(self.len());
        self.segments()
            .iter()
            .for_each(|s| out.extend_from_slice(s));
        out
    }
}

/// Takes the tagged fields of one struct.
#[derive(Debug)]
pub struct Tags<'a> {
    writer: &'a mut Writer,
    /// Where their number stands, at first in one byte.
    count_at: usize,
    count: u32,
    /// Those that are still to be put between the others, by tag.
    unknown: &'a [(u32, Bytes)],
}

impl Tags<'_> {
    /// Puts a field, unless it is at its default: then Kafka does not write it, nor must we. Tags ascend.
    pub fn put<T: Wire>(&mut self, tag: u32, value: &T, default: &T) {
        self.put_unknown_below(Some(tag));
        if let [(known, _), rest @ ..] = self.unknown
            && *known == tag
        {
            self.unknown = rest;
        }
        if value == default {
            return;
        }
        self.count += 1;
        let w = &mut *self.writer;
        w.put_uvarint(tag);
        let (start, len_before) = (w.buffer.len(), w.len());
        let place = value.put(w, w.place());
        w.leave(place);
        let len = (w.len() - len_before).min(MAX_LEN) as u32;
        // the size stands before the value and is known only now
        w.insert_uvarint(start, len);
    }

    /// The version that is written.
    pub fn version(&self) -> i16 {
        self.writer.version
    }

    /// Puts those below `limit`, or all.
    fn put_unknown_below(&mut self, limit: Option<u32>) {
        while let [(tag, value), rest @ ..] = self.unknown
            && limit.is_none_or(|limit| *tag < limit)
        {
            self.unknown = rest;
            self.count += 1;
            self.writer.put_uvarint(*tag);
            self.writer.put_uvarint(value.len().min(MAX_LEN) as u32);
            self.writer.put_bytes(value);
        }
    }

    fn end(mut self) {
        self.put_unknown_below(None);
        if self.count == 0 {
            return;
        }
        let more = self.count >= 0x80;
        let first = self.count as u8 & 0x7f | u8::from(more) << 7;
        if let [place, ..] = self.writer.buffer.from(self.count_at) {
            *place = first;
        }
        if more {
            self.writer
                .insert_uvarint(self.count_at + 1, self.count >> 7);
        }
    }
}

/// The longest start of `text` that has at most `max` bytes.
#[inline]
fn cut(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    cut_long(text, max)
}

#[cold]
fn cut_long(text: &str, max: usize) -> &str {
    // a character has at most four bytes
    (max.saturating_sub(3)..=max)
        .rev()
        .find_map(|n| text.get(..n))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_payloads_are_shared_and_short_ones_copied() {
        let long = Bytes::from(vec![1; SHARED]);
        let mut w = Writer::new(0, false);
        w.put_bytes(&long);
        w.put_bytes(&long);
        w.put_slice(b"head");
        w.put_bytes(&Bytes::from_static(b"short"));
        w.put_bytes(&long);
        assert_eq!(w.len(), 3 * SHARED + 9);
        let whole = w.clone().flatten();
        let segments = w.segments();
        assert_eq!(
            segments,
            [&long, &long, &Bytes::from_static(b"headshort"), &long]
        );
        assert!(
            [0, 1, 3]
                .iter()
                .all(|i| segments[*i].as_ptr() == long.as_ptr())
        );
        assert_eq!(segments.concat(), whole);
        assert!(Writer::new(0, false).segments().is_empty());
    }

    #[test]
    fn a_buffer_can_be_used_again() {
        let mut buffer = Vec::with_capacity(64);
        let memory = buffer.as_ptr();
        for n in [1u32, 300] {
            buffer.clear();
            let mut w = Writer::with_buffer(buffer, 0, true);
            assert!(w.is_empty());
            w.put_uvarint(n);
            buffer = w.into_buffer();
            assert_eq!(buffer.as_ptr(), memory);
        }
        assert_eq!(buffer, b"\xac\x02");
    }

    #[test]
    fn in_one_piece_long_payloads_are_copied_into_the_buffer_that_was_given() {
        let long = Bytes::from(vec![1; SHARED]);
        let buffer = Vec::with_capacity(2_000);
        let memory = buffer.as_ptr();
        let mut w = Writer::with_buffer(buffer, 0, true).in_one_piece();
        w.put_bytes(&long);
        let place = w.tagged(w.place(), &UnknownTags::EMPTY, |tags| {
            tags.put(1, &long, &Bytes::new())
        });
        w.leave(place);
        let whole = w.clone().segments();
        assert_eq!(whole.len(), 1);
        let buffer = w.into_buffer();
        assert_eq!(buffer.as_ptr(), memory);
        assert_eq!(
            buffer,
            [&long[..], b"\x01\x01\x82\x04\x81\x04", &long].concat()
        );
    }

    #[test]
    fn frames_begin_with_their_length_whatever_they_are_made_of() {
        let long = Bytes::from(vec![1; SHARED]);
        let mut w = Writer::with_buffer(b"before".to_vec(), 0, true);
        let start = w.begin_frame();
        w.put_slice(b"ab");
        w.put_bytes(&long);
        w.end_frame(start);
        let start = w.begin_frame();
        w.end_frame(start);
        assert_eq!(
            w.flatten(),
            [&b"before\0\0\x02\x02ab"[..], &long, b"\0\0\0\0"].concat()
        );
    }

    #[test]
    fn tagged_fields_carry_their_size_also_around_shared_payloads() {
        let long = Bytes::from(vec![1; SHARED]);
        let mut w = Writer::new(0, true);
        w.put_bytes(&long);
        let place = w.tagged(w.place(), &UnknownTags::EMPTY, |tags| {
            tags.put(0, &0i32, &0);
            tags.put(1, &long, &Bytes::new());
            tags.put(300, &7i8, &0);
        });
        w.leave(place);
        // 512 bytes: the compact length is 513, two bytes, and the size 514, two bytes
        let expect = [
            &long[..],
            b"\x02\x01\x82\x04\x81\x04",
            &long,
            b"\xac\x02\x01\x07",
        ]
        .concat();
        assert_eq!(w.flatten(), expect);
        let mut classic = Writer::new(0, false);
        let place = classic.tagged(classic.place(), &UnknownTags::EMPTY, |tags| {
            tags.put(0, &1i32, &0)
        });
        classic.leave(place);
        assert!(classic.is_empty());
    }
}
