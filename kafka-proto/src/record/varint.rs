//! Zigzag varints, as magic 2 batches carry them.

use crate::wire::copy;

/// Bytes of the varint with these bits: a seventh of their number, rounded up, without a branch.
#[inline]
pub(super) fn bits_size(bits: u64) -> usize {
    ((bits | 1).ilog2() as usize * 9 + 73) / 64
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

/// The room that is left for the parts of a record, which are put at its start.
///
/// The caller has made it large enough: what does not fit is left out. Nothing here grows, and each part takes a row and gives
/// one back, so that where it stands stays in two registers: a vector loads its length again after each part, and a larger
/// struct would go through memory, stored by fields and loaded as one, which waits for all stores before.
pub(super) struct Row<'a>(&'a mut [u8]);

impl<'a> Row<'a> {
    #[inline]
    pub(super) fn new(room: &'a mut [u8]) -> Self {
        Self(room)
    }

    /// How much room is left.
    #[inline]
    pub(super) fn left(&self) -> usize {
        self.0.len()
    }

    /// Puts a varint with these bits.
    #[inline(always)]
    pub(super) fn varint(self, bits: u64) -> Self {
        match bits {
            // most are lengths of one or two bytes, and offsets of one to three
            0..0x80 => self.array([bits as u8]),
            0x80..0x4000 => {
                let word = (bits + (bits & 0x3f80)) as u16 | 0x80;
                self.array(word.to_le_bytes())
            }
            0x4000..0x20_0000 => {
                let word = bits & 0x7f | bits << 1 & 0x7f00 | bits >> 14 << 16 | 0x8080;
                let [first, second, third, ..] = word.to_le_bytes();
                self.array([first, second, third])
            }
            _ => self.long_varint(bits),
        }
    }

    #[cold]
    #[inline(never)]
    fn long_varint(mut self, mut bits: u64) -> Self {
        while bits >= 0x80 {
            self = self.array([bits as u8 | 0x80]);
            bits >>= 7;
        }
        self.array([bits as u8])
    }

    /// Puts as many bytes as are known when compiling.
    #[inline(always)]
    fn array<const N: usize>(self, bytes: [u8; N]) -> Self {
        match self.0.split_first_chunk_mut() {
            Some((place, rest)) => {
                *place = bytes;
                Self(rest)
            }
            None => Self(&mut []),
        }
    }

    /// Puts bytes as they are.
    #[inline(always)]
    pub(super) fn slice(self, bytes: &[u8]) -> Self {
        match self.0.split_at_mut_checked(bytes.len()) {
            Some((place, rest)) => {
                copy(bytes, place);
                Self(rest)
            }
            None => Self(&mut []),
        }
    }

    /// Puts a key or a value with its length before it.
    #[inline(always)]
    pub(super) fn blob(self, blob: Option<&[u8]>) -> Self {
        match blob {
            // most are short: one piece with their length
            Some(bytes) if bytes.len() < 0x40 => {
                match self.0.split_at_mut_checked(1 + bytes.len()) {
                    Some(([len, place @ ..], rest)) => {
                        *len = (bytes.len() as u8) << 1;
                        copy(bytes, place);
                        Self(rest)
                    }
                    _ => Self(&mut []),
                }
            }
            Some(bytes) => self.varint((bytes.len() as u64) << 1).slice(bytes),
            // the length is -1
            None => self.varint(1),
        }
    }
}

/// Bytes of a key or a value with the length before it.
#[inline]
pub(super) fn blob_size(blob: Option<&[u8]>) -> usize {
    match blob {
        // most are short
        Some(bytes) if bytes.len() < 0x40 => 1 + bytes.len(),
        Some(bytes) => bits_size((bytes.len() as u64) << 1) + bytes.len(),
        None => 1,
    }
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
        let mut room = vec![7; 10 * values.len()];
        let row = Row::new(&mut room);
        let row = (values.iter()).fold(row, |row, value| row.varint(zigzag(*value)));
        let left = row.left();
        room.truncate(room.len() - left);
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
