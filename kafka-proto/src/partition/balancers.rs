//! What decides for records of any kind: with state of its own, one for each topic.

use super::hash::{
    crc32_partition, fnv1a, fnv1a_positive_partition, murmur2_partition, signed_partition,
};
use crate::{random::Random, record::Record};

/// Picks the partition of each record of one topic.
///
/// Closures from a record and [`Partitions`] to a number are balancers. One instance serves one topic, so that it can
/// notice when the partitions change; calls come one at a time.
///
/// Source: acceptance BL-01, BL-02.
#[doc(alias = "Partitioner")]
#[doc(alias = "BalancerFunc")]
pub trait Balancer: Send {
    /// The partition for `record`. One that the topic does not have is an error for the record, not for the writer.
    #[doc(alias = "Balance")]
    fn balance(&mut self, record: &Record<'_>, partitions: &Partitions<'_>) -> i32;
}

impl<F: FnMut(&Record<'_>, &Partitions<'_>) -> i32 + Send> Balancer for F {
    fn balance(&mut self, record: &Record<'_>, partitions: &Partitions<'_>) -> i32 {
        self(record, partitions)
    }
}

/// The partitions of a topic, as a balancer sees them.
#[derive(Clone, Copy, Debug)]
pub struct Partitions<'a> {
    count: usize,
    available: &'a [i32],
    queued: &'a [u64],
}

impl<'a> Partitions<'a> {
    /// Partitions 0 to `count`, of which those that are `available` have a leader, ascending.
    pub fn new(count: usize, available: &'a [i32]) -> Self {
        Self {
            count,
            available,
            queued: &[],
        }
    }

    /// Sets how many bytes are queued for each partition, by its number. Default: not known.
    pub fn with_queued_bytes(self, queued: &'a [u64]) -> Self {
        Self { queued, ..self }
    }

    /// How many there are; they count from 0.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Those that have a leader, ascending.
    pub fn available(&self) -> &'a [i32] {
        self.available
    }

    /// How many bytes wait to be sent to a partition; 0 if that is not known.
    pub fn queued_bytes(&self, partition: i32) -> u64 {
        let at = usize::try_from(partition).ok();
        at.and_then(|at| self.queued.get(at)).copied().unwrap_or(0)
    }

    /// The one whose turn it is: of those with a leader, or of all if none has one.
    pub(super) fn in_turn(&self, turn: u64) -> i32 {
        match self.available.len() as u64 {
            0 => (turn % self.count.max(1) as u64) as i32,
            n => self.available[(turn % n) as usize],
        }
    }

    /// Any one, each as likely.
    pub(super) fn any(&self, random: &mut Random) -> i32 {
        self.in_turn(random.next_u64() >> 1)
    }
}

/// One partition after the other, of those that have a leader.
///
/// Source: acceptance BL-03.
#[derive(Clone, Debug, Default)]
pub struct RoundRobin {
    turn: u64,
}

impl Balancer for RoundRobin {
    fn balance(&mut self, _: &Record<'_>, partitions: &Partitions<'_>) -> i32 {
        let turn = self.turn;
        self.turn = turn.wrapping_add(1);
        partitions.in_turn(turn)
    }
}

/// The partition that has got the fewest bytes of keys and values from this balancer; of equals the lowest.
///
/// When partitions come or go, or win or lose their leader, all counters begin again.
///
/// Source: acceptance BL-04.
#[derive(Clone, Debug, Default)]
pub struct LeastBytes {
    /// By partition, ascending.
    counters: Vec<(i32, u64)>,
}

impl Balancer for LeastBytes {
    fn balance(&mut self, record: &Record<'_>, partitions: &Partitions<'_>) -> i32 {
        let known = self.counters.iter().map(|(partition, _)| *partition);
        if !known.eq(partitions.available.iter().copied()) {
            self.counters = partitions.available.iter().map(|p| (*p, 0)).collect();
        }
        // the first of the least
        let Some((partition, bytes)) = self.counters.iter_mut().min_by_key(|(_, bytes)| *bytes)
        else {
            return 0;
        };
        let len = |blob: Option<&[u8]>| blob.map_or(0, <[u8]>::len) as u64;
        *bytes = bytes.saturating_add(len(record.key_bytes()) + len(record.value_bytes()));
        *partition
    }
}

/// Records of one key go where Sarama and kafka-go put them; records without a key go round.
///
/// The hash is FNV-1a, or one of your own.
///
/// Source: acceptance BL-05, BL-06.
#[derive(Clone, Debug)]
#[doc(alias = "Hash")]
pub struct HashBalancer {
    hash: fn(&[u8]) -> u32,
    without_key: RoundRobin,
}

impl Default for HashBalancer {
    fn default() -> Self {
        Self::with_hasher(fnv1a)
    }
}

impl HashBalancer {
    /// By another hash; its value counts as signed.
    #[doc(alias = "Hasher")]
    pub fn with_hasher(hash: fn(&[u8]) -> u32) -> Self {
        Self {
            hash,
            without_key: RoundRobin::default(),
        }
    }
}

impl Balancer for HashBalancer {
    fn balance(&mut self, record: &Record<'_>, partitions: &Partitions<'_>) -> i32 {
        match record.key_bytes() {
            Some(key) => signed_partition((self.hash)(key), partitions.count),
            None => self.without_key.balance(record, partitions),
        }
    }
}

macro_rules! keyed {
    ($($(#[$doc:meta])* $name:ident, $partition:path;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name {
            random: Random,
        }

        impl $name {
            /// Records without a key are spread by `seed`.
            pub fn new(seed: u64) -> Self {
                Self {
                    random: Random::new(seed),
                }
            }
        }

        impl Balancer for $name {
            fn balance(&mut self, record: &Record<'_>, partitions: &Partitions<'_>) -> i32 {
                match record.key_bytes() {
                    Some(key) => $partition(key, partitions.count),
                    None => partitions.any(&mut self.random),
                }
            }
        }
    )*};
}

keyed! {
    /// Records of one key go where Sarama's reference hash puts them; records without a key go anywhere.
    ///
    /// Source: acceptance 2.6.
    ReferenceHash, fnv1a_positive_partition;

    /// Records of one key go where Java puts them, those with an empty key too; records without a key go anywhere
    /// (librdkafka's `murmur2_random`).
    ///
    /// Source: acceptance 2.6.
    Murmur2Balancer, murmur2_partition;
}

/// Records of one key go where librdkafka's `consistent_random` puts them; records without a key or with an empty one go
/// anywhere.
///
/// Source: acceptance 2.6.
#[derive(Clone, Debug)]
pub struct Crc32Balancer {
    random: Option<Random>,
}

impl Crc32Balancer {
    /// Records without a key are spread by `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            random: Some(Random::new(seed)),
        }
    }

    /// All records without a key, or with an empty one, go to partition 0: librdkafka's `consistent`.
    pub fn consistent() -> Self {
        Self { random: None }
    }
}

impl Balancer for Crc32Balancer {
    fn balance(&mut self, record: &Record<'_>, partitions: &Partitions<'_>) -> i32 {
        let key = record.key_bytes().unwrap_or_default();
        match &mut self.random {
            Some(random) if key.is_empty() => partitions.any(random),
            _ => crc32_partition(key, partitions.count),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn picks(balancer: &mut dyn Balancer, keys: &[&str], partitions: &Partitions<'_>) -> Vec<i32> {
        let record = |key| Record::tombstone(key);
        keys.iter()
            .map(|key| balancer.balance(&record(*key), partitions))
            .collect()
    }

    /// Acceptance BL-04, 2.6.
    #[test]
    fn least_bytes_fills_what_has_least_and_begins_again_when_partitions_change() {
        let mut least = LeastBytes::default();
        let three = Partitions::new(3, &[0, 1, 2]);
        assert_eq!(
            picks(&mut least, &["a", "ab", "abc", "abcd"], &three),
            [0, 1, 2, 0]
        );
        assert_eq!(
            picks(&mut least, &["a"], &Partitions::new(4, &[0, 1, 2, 3])),
            [0]
        );
        assert_eq!(
            picks(&mut least, &["a"], &Partitions::new(4, &[1, 2, 3])),
            [1]
        );
        assert_eq!(picks(&mut least, &["a"], &Partitions::new(0, &[])), [0]);
    }

    /// Acceptance 2.6: what each does with a key that is null, and with one that is empty.
    #[test]
    fn records_without_a_key_are_spread_and_an_empty_key_is_one_but_for_crc32() {
        let partitions = Partitions::new(16, &[0, 3, 5]);
        let spread = |balancer: &mut dyn Balancer, record: Record<'_>| {
            let picks = (0..100).map(|_| balancer.balance(&record, &partitions));
            picks.collect::<BTreeSet<_>>()
        };
        let (null, empty) = (Record::new("v"), Record::new("v").key(""));
        let everywhere = BTreeSet::from([0, 3, 5]);
        assert_eq!(spread(&mut HashBalancer::default(), null), everywhere);
        assert_eq!(spread(&mut ReferenceHash::new(1), null), everywhere);
        assert_eq!(spread(&mut Murmur2Balancer::new(1), null), everywhere);
        assert_eq!(spread(&mut Crc32Balancer::new(1), null), everywhere);
        assert_eq!(spread(&mut Crc32Balancer::consistent(), null), [0].into());
        assert_eq!(spread(&mut HashBalancer::default(), empty), [11].into());
        assert_eq!(spread(&mut ReferenceHash::new(1), empty), [5].into());
        assert_eq!(spread(&mut Murmur2Balancer::new(1), empty), [9].into());
        assert_eq!(spread(&mut Crc32Balancer::new(1), empty), everywhere);
    }

    /// Acceptance 2.6: a hasher of one's own.
    #[test]
    fn any_hash_will_do() {
        let mut crc = HashBalancer::with_hasher(super::super::crc32);
        assert_eq!(
            picks(&mut crc, &["boop"], &Partitions::new(3, &[0, 1, 2])),
            [1]
        );
    }

    #[test]
    fn round_robin_passes_over_partitions_without_a_leader() {
        let mut turns = RoundRobin::default();
        let keys = ["a"; 5];
        assert_eq!(
            picks(&mut turns, &keys, &Partitions::new(4, &[1, 3])),
            [1, 3, 1, 3, 1]
        );
        assert_eq!(
            picks(&mut turns, &keys, &Partitions::new(2, &[])),
            [1, 0, 1, 0, 1]
        );
    }
}
