//! The hashes by which clients spread keys, and what partition follows from each.

/// The hash of Java's default partitioner (murmur2, seed 0x9747b28c).
///
/// Source: Kafka's `Utils.murmur2`; acceptance 2.6.
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

/// The hash of librdkafka's consistent partitioners (CRC-32 of IEEE).
pub fn crc32(key: &[u8]) -> u32 {
    crc32fast::hash(key)
}

/// The partition of a key, as librdkafka's `consistent` picks it; 0 without partitions.
pub fn crc32_partition(key: &[u8], partitions: usize) -> i32 {
    (crc32(key) as usize % partitions.max(1)) as i32
}

/// The hash of Sarama and kafka-go (32-bit FNV-1a).
pub fn fnv1a(key: &[u8]) -> u32 {
    let step = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    key.iter().fold(0x811c_9dc5, step)
}

/// The partition of a key, as Sarama's default picks it, and kafka-go's `Hash`; 0 without partitions.
///
/// The hash counts as signed, and the sign of the remainder is dropped: half of all keys go elsewhere than by the unsigned
/// remainder.
pub fn fnv1a_partition(key: &[u8], partitions: usize) -> i32 {
    signed_partition(fnv1a(key), partitions)
}

/// The partition of a key, as Sarama's reference hash picks it: the hash without its sign bit; 0 without partitions.
pub fn fnv1a_positive_partition(key: &[u8], partitions: usize) -> i32 {
    ((fnv1a(key) & 0x7fff_ffff) as usize % partitions.max(1)) as i32
}

/// The partition of a hash by Sarama's signed rule.
pub(super) fn signed_partition(hash: u32, partitions: usize) -> i32 {
    (i64::from(hash as i32) % partitions.max(1) as i64).unsigned_abs() as i32
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

    /// Acceptance BL-05, 2.6, in the columns Hash and ReferenceHash.
    #[test]
    fn fnv_hashes_land_where_kafka_go_and_sarama_put_them() {
        let counts = [3, 6, 7, 16];
        for (key, signed, positive) in [
            ("", [0, 3, 2, 11], [2, 5, 0, 5]),
            ("a", [0, 0, 6, 4], [2, 2, 3, 12]),
            ("castle", [0, 3, 5, 7], [2, 5, 4, 9]),
            ("20", [1, 1, 5, 1], [1, 1, 4, 15]),
            ("hello", [0, 3, 2, 11], [0, 3, 2, 11]),
            ("user-1", [0, 0, 1, 12], [2, 2, 1, 4]),
        ] {
            assert_eq!(
                counts.map(|n| fnv1a_partition(key.as_bytes(), n)),
                signed,
                "{key}"
            );
            let ours = counts.map(|n| fnv1a_positive_partition(key.as_bytes(), n));
            assert_eq!(ours, positive, "{key}");
        }
        assert_eq!(
            counts.map(|n| signed_partition(0x8000_0000, n)),
            [2, 2, 2, 0]
        );
    }

    /// Acceptance 2.6.
    #[test]
    fn crc32_hashes_land_where_librdkafka_puts_them() {
        let counts = [3, 6, 17];
        for (key, lands) in [("", [0, 0, 0]), ("abc", [0, 0, 8]), ("kafka", [2, 5, 11])] {
            assert_eq!(
                counts.map(|n| crc32_partition(key.as_bytes(), n)),
                lands,
                "{key}"
            );
        }
    }

    #[test]
    fn no_partitions_are_no_division_by_zero() {
        for partition in [
            murmur2_partition,
            crc32_partition,
            fnv1a_partition,
            fnv1a_positive_partition,
        ] {
            assert_eq!(partition(b"key", 0), 0);
        }
    }
}
