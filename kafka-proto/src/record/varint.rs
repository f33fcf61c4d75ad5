//! Zigzag varints, as magic 2 batches carry them.

/// Bytes that `value` takes.
#[inline]
pub(crate) fn size(value: i64) -> usize {
    (70 - (zigzag(value) | 1).leading_zeros() as usize) / 7
}

/// The bits of `value` with the sign at the end, so that small numbers of both signs are short.
#[inline]
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[inline]
fn unzigzag(bits: u64) -> i64 {
    (bits >> 1) as i64 ^ -((bits & 1) as i64)
}

/// Appends `value`.
#[inline]
pub(crate) fn put(out: &mut Vec<u8>, value: i64) {
    match zigzag(value) {
        // most are lengths of one or two bytes
        n @ 0..0x80 => out.push(n as u8),
        n @ 0x80..0x4000 => out.extend_from_slice(&[n as u8 | 0x80, (n >> 7) as u8]),
        n => put_long(out, n),
    }
}

#[inline(never)]
fn put_long(out: &mut Vec<u8>, mut bits: u64) {
    while bits >= 0x80 {
        out.push(bits as u8 | 0x80);
        bits >>= 7;
    }
    out.push(bits as u8);
}

/// What fits in a [`Row`]; the caller sees to it that no more comes. A power of two, so that an index can be masked.
pub(super) const ROOM: usize = 32;

/// Small values in a row: room is made for all of them at once, and what they leave of it is given back.
///
/// Each that is appended alone asks for room, and moves the end of the buffer in memory, one after the other.
pub(super) struct Row<'a> {
    room: &'a mut [u8; ROOM],
    len: usize,
}

impl Row<'_> {
    /// Appends what `fill` puts.
    #[inline]
    pub(super) fn append(out: &mut Vec<u8>, fill: impl FnOnce(&mut Row<'_>)) {
        let start = out.len();
        out.extend_from_slice(&[0; ROOM]);
        let Some(room) = out[start..].first_chunk_mut() else {
            return;
        };
        let mut row = Row { room, len: 0 };
        fill(&mut row);
        let end = start + row.len;
        out.truncate(end);
    }

    /// Puts one byte.
    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        self.room[self.len % ROOM] = byte;
        self.len += 1;
    }

    /// Puts `value` as [`put`] does.
    #[inline]
    pub(super) fn varint(&mut self, value: i64) {
        let mut bits = zigzag(value);
        while bits >= 0x80 {
            self.byte(bits as u8 | 0x80);
            bits >>= 7;
        }
        self.byte(bits as u8);
    }
}

/// Reads a varint of at most 64 bits at `at` and moves `at` behind it; `None` if it is cut or too long.
#[inline]
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
#[inline]
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

    #[test]
    fn every_width_goes_round_and_its_size_is_told() {
        for shift in 0..64 {
            for value in [
                1i64 << shift,
                (1i64 << shift).wrapping_sub(1),
                -(1i64 << shift).wrapping_add(1),
                i64::MIN,
            ] {
                let mut out = Vec::new();
                put(&mut out, value);
                assert_eq!(out.len(), size(value), "{value}");
                let mut row = vec![7];
                Row::append(&mut row, |row| {
                    (0..3).for_each(|_| row.varint(value));
                    row.byte(9);
                });
                assert_eq!(row, [&[7][..], &out, &out, &out, &[9]].concat());
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
        let mut wide = Vec::new();
        put(&mut wide, i64::from(i32::MAX) + 1);
        assert_eq!(get_i32(&wide, &mut 0), None);
    }
}
