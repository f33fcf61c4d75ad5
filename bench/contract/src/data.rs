//! The values: the same bytes in every program and language.

use std::time::Instant;

const NAMES: [&str; 32] = [
    "id", "kind", "state", "owner", "amount", "price", "weight", "height", "north", "east",
    "speed", "level", "signal", "sensor", "station", "route", "driver", "vehicle", "cargo",
    "depot", "open", "closed", "waiting", "moving", "late", "early", "morning", "evening", "red",
    "green", "blue", "grey",
];

/// As many values of one size as there are before they repeat: 65,536, or 16,384 above 256 bytes. Both are powers of two
/// and more than a batch has, so no batch repeats itself.
#[derive(Debug)]
pub struct Pool(Vec<Vec<u8>>);

impl Pool {
    /// Values of `name=name;` and `name=number;`, cut to `size`; about half of it is left by lz4.
    pub fn new(size: usize) -> Self {
        let mut random = SplitMix(42);
        let count = if size <= 256 { 65_536 } else { 16_384 };
        let value = |_| {
            let mut value = Vec::with_capacity(size + 32);
            while value.len() < size {
                let bits = random.next();
                value.extend_from_slice(NAMES[(bits & 31) as usize].as_bytes());
                value.push(b'=');
                if bits >> 5 & 1 == 1 {
                    let number = (bits >> 16) % 100_000;
                    value.extend_from_slice(number.to_string().as_bytes());
                } else {
                    value.extend_from_slice(NAMES[(bits >> 8 & 31) as usize].as_bytes());
                }
                value.push(b';');
            }
            value.truncate(size);
            value
        };
        Self((0..count).map(value).collect())
    }

    /// The value of the message with this number.
    pub fn value(&self, number: usize) -> &[u8] {
        &self.0[number & (self.0.len() - 1)]
    }

    /// All values, each once.
    pub fn into_values(self) -> Vec<Vec<u8>> {
        self.0
    }
}

/// What a consumer does with a value.
#[inline]
pub fn touch(sum: &mut u64, value: &[u8]) {
    let first = value.first().copied().unwrap_or_default();
    *sum = sum.wrapping_add(value.len() as u64 + u64::from(first));
}

/// FNV-1a of a value: added up, it tells two sets of messages apart whatever their order.
pub fn digest(value: &[u8]) -> u64 {
    value.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A value that begins with the time since `epoch` in nanoseconds.
pub fn stamp(epoch: Instant, size: usize) -> Vec<u8> {
    let mut value = vec![b'x'; size.max(8)];
    value[..8].copy_from_slice(&(epoch.elapsed().as_nanos() as u64).to_le_bytes());
    value
}

/// Microseconds since a value was stamped.
pub fn unstamp(epoch: Instant, value: &[u8]) -> u64 {
    let stamp = value.first_chunk::<8>().expect("it was stamped");
    (epoch.elapsed().as_nanos() as u64).saturating_sub(u64::from_le_bytes(*stamp)) / 1_000
}

/// Sebastiano Vigna's splitmix64.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}
