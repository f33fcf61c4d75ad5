//! Zigzag varints, as magic 2 batches carry them.

/// Bytes of the varint with these bits.
#[inline]
pub(super) fn bits_size(bits: u64) -> usize {
    match bits {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        _ => (70 - bits.leading_zeros() as usize) / 7,
    }
}

/// The bits of `value` with the sign at the end, so that small numbers of both signs are short.
#[inline]
pub(super) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[inline]
fn unzigzag(bits: u64) -> i64 {
    (bits >> 1) as i64 ^ -((bits & 1) as i64)
}

/// The most bytes of a 32-bit value, such as the length of a record.
pub(super) const MAX_LENGTH: usize = 5;

/// What must remain of the room of a [`Row`] where varints are put, and the most that they may take at once: all of a record
/// together are 31 bytes. A power of two, so that an index can be masked.
pub(super) const SLACK: usize = 32;

/// Room for the parts of a record, filled from its start.
///
/// The caller has made it large enough: what does not fit is left out, but counted. Nothing here grows, so where it stands
/// stays in a register, while a vector loads its length again after each piece.
pub(super) struct Row<'a> {
    room: &'a mut [u8],
    len: usize,
}

impl<'a> Row<'a> {
    #[inline]
    pub(super) fn new(room: &'a mut [u8]) -> Self {
        Self { room, len: 0 }
    }

    /// How much was put.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Puts varints with these bits.
    #[inline]
    pub(super) fn varints<const N: usize>(&mut self, values: [u64; N]) {
        let room = self.room.get_mut(self.len..);
        if let Some(room) = room.and_then(<[u8]>::first_chunk_mut) {
            self.len += values.into_iter().fold(0, |at, bits| put(room, at, bits));
        }
    }

    /// Puts bytes as they are.
    #[inline]
    pub(super) fn slice(&mut self, bytes: &[u8]) {
        let room = self.room.get_mut(self.len..);
        if let Some(room) = room.and_then(|room| room.get_mut(..bytes.len())) {
            copy(bytes, room);
        }
        self.len += bytes.len();
    }

    /// Puts a key or a value with its length before it.
    #[inline]
    pub(super) fn blob(&mut self, blob: Option<&[u8]>) {
        self.varints([blob_bits(blob)]);
        self.slice(blob.unwrap_or_default());
    }
}

/// Copies what is as long as the names and values of most headers in two halves that overlap, instead of by a call.
#[inline]
fn copy(from: &[u8], to: &mut [u8]) {
    match from.len() {
        4..8 => copy_halves::<4>(from, to),
        8..=16 => copy_halves::<8>(from, to),
        _ => to.copy_from_slice(from),
    }
}

#[inline]
fn copy_halves<const N: usize>(from: &[u8], to: &mut [u8]) {
    if let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) {
        if let Some(to) = to.first_chunk_mut() {
            *to = *first;
        }
        if let Some(to) = to.last_chunk_mut() {
            *to = *last;
        }
    }
}

/// Puts a varint at `at` and says where the next one begins.
#[inline]
fn put(room: &mut [u8; SLACK], at: usize, bits: u64) -> usize {
    match bits {
        // most are lengths of one or two bytes
        0..0x80 => {
            room[at % SLACK] = bits as u8;
            at + 1
        }
        0x80..0x4000 => {
            room[at % SLACK] = bits as u8 | 0x80;
            room[(at + 1) % SLACK] = (bits >> 7) as u8;
            at + 2
        }
        _ => put_long(room, at, bits),
    }
}

#[inline(never)]
fn put_long(room: &mut [u8; SLACK], mut at: usize, mut bits: u64) -> usize {
    while bits >= 0x80 {
        room[at % SLACK] = bits as u8 | 0x80;
        at += 1;
        bits >>= 7;
    }
    room[at % SLACK] = bits as u8;
    at + 1
}

/// The bits of the length that stands before a key or value: -1 for null.
#[inline]
pub(super) fn blob_bits(blob: Option<&[u8]>) -> u64 {
    blob.map_or(1, |b| (b.len() as u64) << 1)
}

/// Bytes of a key or a value with the length before it.
#[inline]
pub(super) fn blob_size(blob: Option<&[u8]>) -> usize {
    bits_size(blob_bits(blob)) + blob.unwrap_or_default().len()
}

/// Reads a varint of at most 64 bits at `at` and moves `at` behind it; `None` if it is cut or too long.
#[inline(always)]
pub(crate) fn get(input: &[u8], at: &mut usize) -> Option<i64> {
    // most are lengths of one or two bytes
    match input.get(*at..)? {
        [first @ 0..0x80, ..] => {
            *at += 1;
            Some(unzigzag(u64::from(*first)))
        }
        [first, second @ 0..0x80, ..] => {
            *at += 2;
            Some(unzigzag(u64::from(first & 0x7f) | u64::from(*second) << 7))
        }
        _ => get_long(input, at),
    }
}

/// Reads a varint of at most 32 bits at `at`; `None` if it is cut, too long or out of range.
#[inline(always)]
pub(crate) fn get_i32(input: &[u8], at: &mut usize) -> Option<i32> {
    let start = *at;
    let value = get(input, at)?;
    if *at - start > 5 {
        return None;
    }
    i32::try_from(value).ok()
}

#[inline(never)]
fn get_long(input: &[u8], at: &mut usize) -> Option<i64> {
    let mut bits = 0u64;
    for shift in (0..70).step_by(7) {
        let byte = *input.get(*at)?;
        // the tenth byte has room for one bit
        if shift == 63 && byte > 1 {
            return None;
        }
        *at += 1;
        bits |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(unzigzag(bits));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(values: &[i64]) -> Vec<u8> {
        let mut room = vec![7; 10 * values.len() + SLACK];
        let mut row = Row::new(&mut room);
        values
            .iter()
            .for_each(|value| row.varints([zigzag(*value)]));
        let len = row.len();
        room.truncate(len);
        room
    }

    #[test]
    fn every_width_goes_round_and_its_size_is_told() {
        for shift in 0..64 {
            for value in [
                1i64 << shift,
                (1i64 << shift).wrapping_sub(1),
                -(1i64 << shift).wrapping_add(1),
                i64::MIN,
            ] {
                let out = put(&[value]);
                assert_eq!(out.len(), bits_size(zigzag(value)), "{value}");
                assert_eq!(put(&[value; 3]), [&out[..]; 3].concat());
                let mut at = 0;
                assert_eq!(get(&out, &mut at), Some(value));
                assert_eq!(at, out.len());
                for cut in 0..out.len() {
                    assert_eq!(get(&out[..cut], &mut 0), None);
                }
            }
        }
    }

    #[test]
    fn a_varint_of_eleven_bytes_or_beyond_its_type_is_refused() {
        assert_eq!(get(&[0xff; 11], &mut 0), None);
        assert_eq!(get_i32(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x00], &mut 0), None);
        let wide = put(&[i64::from(i32::MAX) + 1]);
        assert_eq!(get_i32(&wide, &mut 0), None);
    }
}
