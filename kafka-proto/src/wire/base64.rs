//! Base64, for people to read: uuids and the JSON form.

/// The characters of `bytes`, unpadded; `last` are the two symbols in which alphabets differ.
pub(super) fn base64(bytes: &[u8], last: [u8; 2]) -> impl Iterator<Item = char> {
    let symbol = move |n: u8| match n {
        0..26 => b'A' + n,
        26..52 => b'a' + n - 26,
        52..62 => b'0' + n - 52,
        62 => last[0],
        _ => last[1],
    };
    bytes.chunks(3).flat_map(move |chunk| {
        let bits =
            chunk.iter().fold(0u32, |bits, b| bits << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        (0..=chunk.len()).map(move |i| char::from(symbol((bits >> (18 - 6 * i)) as u8 & 63)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_examples_of_rfc_4648() {
        for (plain, encoded) in [
            ("", ""),
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(
                base64(plain.as_bytes(), *b"+/").collect::<String>(),
                encoded
            );
        }
    }
}
