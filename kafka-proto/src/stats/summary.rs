//! Many values as one: how many, their sum, the least and the greatest, and how they are spread.

use std::time::Duration;

/// Of two neighbours, the upper is a quarter of a power of two above the lower: four buckets a power of two.
const STEPS: usize = 4;
/// Values from 2^48 on share the last bucket: as nanoseconds, 78 hours.
const POWERS: usize = 48;
/// The values below [`STEPS`] have a bucket each, and so has each step of each power of two from there on.
const BUCKETS: usize = STEPS + (POWERS - 2) * STEPS;

/// What the values of one kind have been: sizes, counts.
///
/// A snapshot since the beginning knows the least and the greatest value exactly. The difference of two snapshots, and
/// [`quantile`](Self::quantile), know them by buckets a quarter of a power of two wide: at most 25 % off. Empty, everything
/// is 0.
///
/// Source: acceptance TY-13.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SummaryStats {
    sum: u64,
    least: u64,
    greatest: u64,
    /// Empty until the first value.
    buckets: Box<[u64]>,
}

impl SummaryStats {
    /// How many values.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Their sum.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// Their mean, rounded down.
    #[doc(alias = "Avg")]
    pub fn avg(&self) -> u64 {
        self.sum.checked_div(self.count()).unwrap_or(0)
    }

    /// The least.
    #[doc(alias = "Min")]
    pub fn min(&self) -> u64 {
        self.least
    }

    /// The greatest.
    #[doc(alias = "Max")]
    pub fn max(&self) -> u64 {
        self.greatest
    }

    /// The value that a share `q` of them does not exceed: 0.5 for the median, 0.99 for all but one in a hundred.
    ///
    /// By buckets: at most 25 % above it, and never above [`max`](Self::max). `q` below 0 counts as 0, above 1 as 1.
    pub fn quantile(&self, q: f64) -> u64 {
        let rank = (q.clamp(0.0, 1.0) * self.count() as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        let at = self.buckets.iter().position(|n| {
            seen += n;
            seen >= rank
        });
        at.map_or(0, |at| greatest_of(at).clamp(self.least, self.greatest))
    }

    pub(crate) fn record(&mut self, value: u64) {
        if self.buckets.is_empty() {
            self.buckets = vec![0; BUCKETS].into();
            self.least = value;
        }
        self.sum = self.sum.saturating_add(value);
        self.least = self.least.min(value);
        self.greatest = self.greatest.max(value);
        self.buckets[bucket_of(value)] += 1;
    }

    /// What has come since `earlier`.
    fn since(&self, earlier: &Self) -> Self {
        let before = earlier.buckets.iter().chain(std::iter::repeat(&0));
        let buckets: Box<[u64]> = std::iter::zip(&self.buckets, before)
            .map(|(now, before)| now.saturating_sub(*before))
            .collect();
        let (Some(first), Some(last)) = (
            buckets.iter().position(|n| *n > 0),
            buckets.iter().rposition(|n| *n > 0),
        ) else {
            return Self::default();
        };
        // a new extreme has come since; otherwise the bucket is all that is known
        let is_first = earlier.buckets.is_empty();
        let least = match is_first || self.least < earlier.least {
            true => self.least,
            false => least_of(first).max(self.least),
        };
        let greatest = match is_first || self.greatest > earlier.greatest {
            true => self.greatest,
            false => greatest_of(last).min(self.greatest),
        };
        Self {
            sum: self.sum.saturating_sub(earlier.sum),
            least,
            greatest,
            buckets,
        }
    }
}

/// How long something has taken.
///
/// Known as exactly as [`SummaryStats`] says.
///
/// Source: acceptance TY-12.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DurationStats(SummaryStats);

impl DurationStats {
    /// How many times it has happened.
    pub fn count(&self) -> u64 {
        self.0.count()
    }

    /// The time that all have taken.
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.0.sum())
    }

    /// The mean.
    #[doc(alias = "Avg")]
    pub fn avg(&self) -> Duration {
        Duration::from_nanos(self.0.avg())
    }

    /// The shortest.
    #[doc(alias = "Min")]
    pub fn min(&self) -> Duration {
        Duration::from_nanos(self.0.min())
    }

    /// The longest.
    #[doc(alias = "Max")]
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.0.max())
    }

    /// The time that a share `q` of them does not exceed; see [`SummaryStats::quantile`].
    pub fn quantile(&self, q: f64) -> Duration {
        Duration::from_nanos(self.0.quantile(q))
    }

    pub(crate) fn record(&mut self, time: Duration) {
        self.0
            .record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }
}

/// Takes the difference of two snapshots.
pub(super) trait Since {
    /// What has come since `earlier`.
    fn since(&self, earlier: &Self) -> Self;
}

impl Since for u64 {
    fn since(&self, earlier: &Self) -> Self {
        self.saturating_sub(*earlier)
    }
}

impl Since for SummaryStats {
    fn since(&self, earlier: &Self) -> Self {
        self.since(earlier)
    }
}

impl Since for DurationStats {
    fn since(&self, earlier: &Self) -> Self {
        Self(self.0.since(&earlier.0))
    }
}

fn bucket_of(value: u64) -> usize {
    if value < STEPS as u64 {
        return value as usize;
    }
    let power = value.ilog2() as usize;
    let step = (value >> (power - 2)) as usize % STEPS;
    (STEPS + (power - 2) * STEPS + step).min(BUCKETS - 1)
}

fn least_of(bucket: usize) -> u64 {
    match bucket.checked_sub(STEPS) {
        None => bucket as u64,
        Some(above) => ((STEPS + above % STEPS) as u64) << (above / STEPS),
    }
}

fn greatest_of(bucket: usize) -> u64 {
    match bucket + 1 == BUCKETS {
        true => u64::MAX,
        false => least_of(bucket + 1) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[u64]) -> SummaryStats {
        let mut summary = SummaryStats::default();
        values.iter().for_each(|v| summary.record(*v));
        summary
    }

    #[test]
    fn each_value_lies_in_its_bucket_and_buckets_follow_one_another() {
        let edges = (0..64).flat_map(|n| [1_u64 << n, (1 << n) - 1, (1 << n) + 1, 3 << n >> 1]);
        for value in edges.chain([u64::MAX]) {
            let bucket = bucket_of(value);
            assert!(
                least_of(bucket) <= value && value <= greatest_of(bucket),
                "{value}"
            );
        }
        for bucket in 1..BUCKETS {
            assert_eq!(greatest_of(bucket - 1) + 1, least_of(bucket));
            assert_eq!(bucket_of(least_of(bucket)), bucket);
            let (least, greatest) = (least_of(bucket), greatest_of(bucket));
            assert!(bucket + 1 == BUCKETS || (greatest - least) * 4 <= least);
        }
    }

    /// TY-13.
    #[test]
    fn a_summary_knows_mean_least_and_greatest_and_nothing_when_empty() {
        let empty = SummaryStats::default();
        assert_eq!((empty.avg(), empty.min(), empty.max()), (0, 0, 0));
        assert_eq!((empty.count(), empty.quantile(0.5)), (0, 0));
        let summary = of(&[7, 100, 3]);
        assert_eq!((summary.avg(), summary.min(), summary.max()), (36, 3, 100));
        assert_eq!((summary.count(), summary.sum()), (3, 110));
        // the zero of a summary that has never seen one does not count as its least value
        assert_eq!(of(&[5]).min(), 5);
    }

    /// TY-12.
    #[test]
    fn durations_are_summed_up_the_same_way() {
        let mut times = DurationStats::default();
        for ms in [2, 4, 9] {
            times.record(Duration::from_millis(ms));
        }
        assert_eq!(times.avg(), Duration::from_millis(5));
        assert_eq!(times.min(), Duration::from_millis(2));
        assert_eq!(times.max(), Duration::from_millis(9));
        assert_eq!((times.count(), times.sum()), (3, Duration::from_millis(15)));
        // more than fits is as much as fits
        times.record(Duration::MAX);
        assert_eq!(times.max(), Duration::from_nanos(u64::MAX));
    }

    #[test]
    fn the_difference_of_two_snapshots_is_what_came_between() {
        let mut summary = of(&[10, 1000]);
        let earlier = summary.clone();
        for value in [100, 104, 2000] {
            summary.record(value);
        }
        let between = summary.since(&earlier);
        assert_eq!((between.count(), between.sum()), (3, 2204));
        // a new greatest is known exactly, the least by its bucket
        assert_eq!((between.min(), between.max()), (96, 2000));
        assert_eq!(summary.since(&summary), SummaryStats::default());
        assert_eq!(summary.since(&SummaryStats::default()), summary);
    }

    #[test]
    fn a_quantile_is_at_most_a_quarter_too_high() {
        let summary = of(&(1..=1000).collect::<Vec<_>>());
        for (q, exact) in [(0.0, 1), (0.5, 500), (0.9, 900), (0.99, 990), (1.0, 1000)] {
            let found = summary.quantile(q);
            assert!(
                (exact..=(exact * 5 / 4).min(1000)).contains(&found),
                "{q}: {found}"
            );
        }
    }
}
