//! Records without a key stay with one partition for a while, so that batches fill.

use super::{Balancer, Partitions, hash::murmur2_partition};
use crate::{random::Random, record::Record};

/// Records without a key go to one partition until a batch of it is full, then to another one by chance (KIP-480).
///
/// Whoever builds the batches says when one is full: [`Sticky::next_batch`]. Records with a key go where Java puts them.
#[derive(Clone, Debug)]
#[doc(alias = "DefaultPartitioner")]
pub struct Sticky {
    random: Random,
    current: Option<i32>,
}

impl Sticky {
    /// Partitions are picked by `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            current: None,
        }
    }

    /// A batch of the current partition is full: the next record goes elsewhere, if there is elsewhere.
    #[doc(alias = "onNewBatch")]
    pub fn next_batch(&mut self, partitions: &Partitions<'_>) {
        let last = self.current.take();
        let others = partitions.available().iter().copied();
        let others: Vec<_> = others.filter(|p| Some(*p) != last).collect();
        let others = match others.is_empty() {
            true => *partitions,
            false => Partitions::new(partitions.count(), &others),
        };
        self.current = Some(others.any(&mut self.random));
    }
}

impl Balancer for Sticky {
    fn balance(&mut self, record: &Record<'_>, partitions: &Partitions<'_>) -> i32 {
        if let Some(key) = record.key_bytes() {
            return murmur2_partition(key, partitions.count());
        }
        let stays = |p: &i32| partitions.available().binary_search(p).is_ok();
        match self.current.filter(stays) {
            Some(partition) => partition,
            None => *self.current.insert(partitions.any(&mut self.random)),
        }
    }
}

/// Records without a key go to one partition for so many bytes, then to another one by chance (KIP-794).
///
/// Where it is known how much is queued for each partition, those with less are more likely: a slow broker gets less.
/// Records with a key go where Java puts them.
#[derive(Clone, Debug)]
#[doc(alias = "BuiltInPartitioner")]
#[doc(alias = "UniformStickyPartitioner")]
pub struct UniformSticky {
    random: Random,
    bytes: u64,
    /// With the bytes that it has got.
    current: Option<(i32, u64)>,
}

impl UniformSticky {
    /// Stays for so many `bytes` (Java: `batch.size`); partitions are picked by `seed`.
    pub fn new(bytes: u64, seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            bytes,
            current: None,
        }
    }

    /// A partition by chance: the less is queued for it, the more likely.
    fn pick(&mut self, partitions: &Partitions<'_>) -> i32 {
        let available = partitions.available();
        let queued = available.iter().map(|p| partitions.queued_bytes(*p));
        let most = queued.clone().max().unwrap_or(0);
        // the fullest has one chance, each other one as many more as it has bytes less
        let chances = queued.map(|bytes| u128::from(most - bytes) + 1);
        let total: u128 = chances.clone().sum();
        let limit = u64::try_from(total).unwrap_or(u64::MAX);
        let mut at = u128::from(self.random.below(limit));
        for (partition, chances) in available.iter().zip(chances) {
            match at.checked_sub(chances) {
                Some(rest) => at = rest,
                None => return *partition,
            }
        }
        partitions.any(&mut self.random)
    }
}

impl Balancer for UniformSticky {
    fn balance(&mut self, record: &Record<'_>, partitions: &Partitions<'_>) -> i32 {
        if let Some(key) = record.key_bytes() {
            return murmur2_partition(key, partitions.count());
        }
        let (limit, available) = (self.bytes, partitions.available());
        let stays = |(partition, used): &(i32, u64)| {
            *used < limit && available.binary_search(partition).is_ok()
        };
        let (partition, used) = match self.current.filter(stays) {
            Some(current) => current,
            None => (self.pick(partitions), 0),
        };
        let len = record.value_bytes().map_or(0, <[u8]>::len) as u64;
        self.current = Some((partition, used.saturating_add(len)));
        partition
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_kept_until_its_batch_is_full_and_then_left() {
        let partitions = Partitions::new(3, &[0, 1, 2]);
        let mut sticky = Sticky::new(7);
        let mut last = -1;
        for _ in 0..20 {
            let now = sticky.balance(&Record::new("v"), &partitions);
            assert_ne!(now, last);
            assert!((0..9).all(|_| sticky.balance(&Record::new("v"), &partitions) == now));
            sticky.next_batch(&partitions);
            last = now;
        }
        let only = [last];
        let one = Partitions::new(3, &only);
        assert_eq!(
            sticky.balance(&Record::new("v"), &one),
            last,
            "the leader is gone"
        );
        sticky.next_batch(&one);
        assert_eq!(
            sticky.balance(&Record::new("v"), &one),
            last,
            "there is nowhere else"
        );
        assert_eq!(
            sticky.balance(&Record::new("v").key("hello"), &partitions),
            0
        );
    }

    #[test]
    fn a_partition_is_kept_for_so_many_bytes() {
        let partitions = Partitions::new(5, &[0, 1, 2, 3, 4]);
        let mut sticky = UniformSticky::new(100, 3);
        let picks: Vec<_> = (0..40)
            .map(|_| sticky.balance(&Record::new(&[0; 25]), &partitions))
            .collect();
        assert!(
            picks
                .chunks(4)
                .all(|turn| turn.iter().all(|p| *p == turn[0]))
        );
        assert!(picks.iter().any(|p| *p != picks[0]));
        assert_eq!(
            sticky.balance(&Record::new("v").key("hello"), &partitions),
            4
        );
    }

    #[test]
    fn what_has_more_queued_gets_less() {
        let partitions = Partitions::new(3, &[0, 1, 2]).with_queued_bytes(&[0, 900, 990]);
        let mut sticky = UniformSticky::new(1, 11);
        let mut counts = [0; 3];
        for _ in 0..1000 {
            counts[sticky.balance(&Record::new("v"), &partitions) as usize] += 1;
        }
        // chances of 991, 91 and 1
        assert!(
            counts[0] > 850 && counts[1] > 30 && counts[2] < 20,
            "{counts:?}"
        );
        let none = Partitions::new(0, &[]);
        assert_eq!(sticky.balance(&Record::new("v"), &none), 0);
    }
}
