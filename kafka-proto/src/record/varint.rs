//! Zigzag varints, as magic 2 batches carry them.

/// Bytes that `value` takes.
#[inline]
pub(crate) fn size(value: i64) -> usize {
    let zigzag = (value << 1) ^ (value >> 63);
    (70 - (zigzag as u64 | 1).leading_zeros() as usize) / 7
}

/// Appends `value`.
#[inline]
pub(crate) fn put(out: &mut Vec<u8>, value: i64) {
    let mut zigzag = ((value << 1) ^ (value >> 63)) as u64;
    while zigzag >= 0x80 {
        out.push(zigzag as u8 | 0x80);
        zigzag >>= 7;
    }
    out.push(zigzag as u8);
}

/// Reads a varint of at most 64 bits at `at` and moves `at` behind it; `None` if it is cut or too long.
#[inline]
pub(crate) fn get(input: &[u8], at: &mut usize) -> Option<i64> {
    let first = *input.get(*at)?;
    if first < 0x80 {
        *at += 1;
        return Some(i64::from(first >> 1) ^ -i64::from(first & 1));
    }
    get_long(input, at)
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

fn get_long(input: &[u8], at: &mut usize) -> Option<i64> {
    let mut zigzag = 0u64;
    for shift in (0..70).step_by(7) {
        let byte = *input.get(*at)?;
        // the tenth byte has room for one bit
        if shift == 63 && byte > 1 {
            return None;
        }
        *at += 1;
        zigzag |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64));
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
