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
    /// With ZooKeeper: the last 2.x line, and one of the oldest (2.1) that Java clients of 4.x talk to.
    pub const V2_8_2: Self = Self([2, 8, 2, 0]);
    /// With ZooKeeper: record format 2 and idempotence, no zstd, no flexible versions.
    pub const V1_1_1: Self = Self([1, 1, 1, 0]);
    /// With ZooKeeper: the first line with record format 2, idempotence and transactions.
    pub const V0_11_0_3: Self = Self([0, 11, 0, 3]);
    /// With ZooKeeper: record format 1, neither headers nor idempotence.
    pub const V0_10_2_2: Self = Self([0, 10, 2, 2]);

    /// The releases that the launcher is tested with, from the oldest to the newest.
    pub const TESTED: [Self; 7] = [
        Self::V0_10_2_2,
        Self::V0_11_0_3,
        Self::V1_1_1,
        Self::V2_8_2,
        Self::V3_9_1,
        Self::V4_0_2,
        Self::V4_3_1,
    ];

    /// Whether the launcher knows how to start it.
    ///
    /// Named listeners, which it writes, are there from 0.10.2 on; the ZooKeeper client of 2.0 to 2.3 cannot connect on
    /// Java 14 and later.
    pub(super) fn is_supported(self) -> bool {
        let too_old = self < Self([0, 10, 2, 0]);
        let lost_on_new_java = self >= Self([2, 0, 0, 0]) && self < Self([2, 4, 0, 0]);
        !too_old && !lost_on_new_java
    }

    /// Whether its brokers take a key in PEM form as it is.
    pub(super) fn takes_plain_pem(self) -> bool {
        self >= Self::V3_9_1
    }

    /// Whether it logs by log4j 1 and needs classes that Java 11 has removed.
    pub(super) fn is_legacy(self) -> bool {
        self < Self([1, 0, 0, 0])
    }

    /// The release whose Java client is the peer of these brokers.
    ///
    /// The peer is one source file, and the `Admin` it is written for came with 2.4; clients of 3.9 still talk to 0.10.
    pub(super) fn peer(self) -> Self {
        if self < Self([2, 4, 0, 0]) {
            Self::V3_9_1
        } else {
            self
        }
    }

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

/// What keeps the metadata of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quorum {
    /// The nodes themselves (KIP-500).
    Raft,
    /// A process of its own beside the nodes.
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
        assert_eq!(old, KafkaVersion::V2_8_2);
        assert!(KafkaVersion::TESTED.is_sorted());
        assert!(
            KafkaVersion::TESTED
                .iter()
                .all(|version| version.is_supported())
        );
        for unsupported in ["0.9.0.1", "0.10.0.1", "2.0.1", "2.3.1"] {
            let version: KafkaVersion = unsupported.parse().unwrap();
            assert!(!version.is_supported(), "{unsupported}");
        }
        assert_eq!(KafkaVersion::V1_1_1.peer(), KafkaVersion::V3_9_1);
        assert_eq!(KafkaVersion::V2_8_2.peer(), KafkaVersion::V2_8_2);
    }
}
