//! Versions of Apache Kafka: how each one is fetched and run.

use std::fmt;
use std::str::FromStr;

/// Names a release of Apache Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KafkaVersion([u16; 4]);

impl KafkaVersion {
    /// The newest release that the launcher is tested with, and the default.
    pub const V4_3_1: Self = Self([4, 3, 1, 0]);
    /// The first line without ZooKeeper: the new group protocol, no share groups.
    pub const V4_0_2: Self = Self([4, 0, 2, 0]);
    /// The last 3.x line: the case of a broker without the new group protocol.
    pub const V3_9_1: Self = Self([3, 9, 1, 0]);

    /// What keeps the cluster's metadata in this version.
    pub(super) fn quorum(self) -> Quorum {
        // Raft was there before, but 3.3 is the first release that calls it ready.
        if self >= Self([3, 3, 0, 0]) {
            Quorum::Raft
        } else {
            Quorum::ZooKeeper
        }
    }

    /// The Scala version in the name of the broker's jar.
    pub(super) fn scala_suffix(self) -> &'static str {
        match self {
            v if v < Self([1, 0, 0, 0]) => "2.11",
            v if v < Self([2, 4, 0, 0]) => "2.12",
            _ => "2.13",
        }
    }

    /// The oldest Java that runs the broker.
    pub(super) fn needs_java(self) -> u32 {
        if self >= Self([4, 0, 0, 0]) { 17 } else { 8 }
    }
}

/// What keeps the metadata of a cluster. The seam for the old versions: they would get a ZooKeeper process here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quorum {
    Raft,
    ZooKeeper,
}

impl fmt::Display for KafkaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.0;
        write!(f, "{a}.{b}.{c}")?;
        // Four numbers until 1.0.
        if a == 0 { write!(f, ".{d}") } else { Ok(()) }
    }
}

impl FromStr for KafkaVersion {
    type Err = ParseVersionError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let mut numbers = [0; 4];
        let mut count = 0;
        for part in s.split('.') {
            let slot = numbers.get_mut(count).ok_or(ParseVersionError(()))?;
            *slot = part.parse().map_err(|_| ParseVersionError(()))?;
            count += 1;
        }
        let expected = if numbers[0] == 0 { 4 } else { 3 };
        if count == expected {
            Ok(Self(numbers))
        } else {
            Err(ParseVersionError(()))
        }
    }
}

/// A text is not the number of a Kafka release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseVersionError(());

impl fmt::Display for ParseVersionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the number of a kafka release, such as 4.3.1 or 0.11.0.3")
    }
}

impl std::error::Error for ParseVersionError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        for text in ["4.3.1", "3.9.1", "0.11.0.3"] {
            assert_eq!(text.parse::<KafkaVersion>().unwrap().to_string(), text);
        }
        for text in ["", "4", "4.3", "4.3.1.0", "0.9.0", "4.3.x", "1.2.3.4.5"] {
            assert!(text.parse::<KafkaVersion>().is_err(), "{text}");
        }
    }

    #[test]
    fn old_versions_are_told_apart() {
        let old: KafkaVersion = "2.8.2".parse().unwrap();
        assert_eq!(old.quorum(), Quorum::ZooKeeper);
        assert_eq!(KafkaVersion::V3_9_1.quorum(), Quorum::Raft);
        assert!(old < KafkaVersion::V3_9_1 && KafkaVersion::V3_9_1 < KafkaVersion::V4_3_1);
    }
}
