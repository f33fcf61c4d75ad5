//! Which partition a record goes to: pure functions and two words of state.

/// The hash of Java's default partitioner (murmur2, seed 0x9747b28c).
///
/// Source: Kafka's `Utils.murmur2`; acceptance BL, vectors `partitioners.jsonl`.
pub fn murmur2(key: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut h = 0x9747_b28c ^ key.len() as u32;
    let (words, rest) = key.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        h = h.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (i, byte) in rest.iter().enumerate() {
            h ^= u32::from(*byte) << (8 * i);
        }
        h = h.wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    h ^ (h >> 15)
}

/// The partition of a key, as the Java client picks it; 0 without partitions.
pub fn murmur2_partition(key: &[u8], partitions: usize) -> i32 {
    // Java masks the sign away, which is not the same as abs
    ((murmur2(key) & 0x7fff_ffff) as usize % partitions.max(1)) as i32
}

/// Bytes that records without a key send to one partition before the next one has its turn (KIP-794).
pub const STICKY_BYTES: u32 = 64 << 10;

/// The state of stickiness as one word, so that clones of a writer share it without a lock: the turn, and the bytes of
/// this turn.
///
/// Returns the word after `bytes` more, and the turn that these bytes belong to.
pub fn stick(word: u64, bytes: usize) -> (u64, u32) {
    let (turn, used) = ((word >> 32) as u32, word as u32);
    let used = used.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
    let next = match used >= STICKY_BYTES {
        true => u64::from(turn.wrapping_add(1)) << 32,
        false => u64::from(turn) << 32 | u64::from(used),
    };
    (next, turn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_is_java_s() {
        // values of Kafka's own UtilsTest
        for (key, hash) in [
            ("21", -973932308i32),
            ("foobar", -790332482),
            ("a-little-bit-long-string", -985981536),
            ("a-little-bit-longer-string", -1486304829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58897971,
            ),
            ("abc", 479470107),
        ] {
            assert_eq!(murmur2(key.as_bytes()) as i32, hash, "{key}");
        }
    }

    #[test]
    fn a_turn_ends_when_its_bytes_are_used_up() {
        let mut word = 0;
        let mut turns = Vec::new();
        for _ in 0..5 {
            let (next, turn) = stick(word, STICKY_BYTES as usize / 2);
            word = next;
            turns.push(turn);
        }
        assert_eq!(turns, [0, 0, 1, 1, 2]);
        assert_eq!(stick(word, usize::MAX).0 >> 32, 3);
    }
}
