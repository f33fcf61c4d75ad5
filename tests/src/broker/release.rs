//! Which versions of which API each release of Kafka announces.

use std::ops::RangeInclusive;

use kafka_proto::api::ApiKey;

/// A release of Kafka, for [`Config::as_version`](super::Config::as_version). Those between two of these announce what the
/// older one does, or a little more.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
#[allow(missing_docs, reason = "named for the release")]
pub enum Release {
    V0_10_0,
    V0_10_1,
    V0_10_2,
    V0_11,
    V1_0,
    V1_1,
    V2_0,
    V2_4,
    V2_8,
    V3_0,
    V3_6,
    V3_9,
    V4_0,
    V4_1,
    V4_3,
}

impl Release {
    /// All of them, oldest first.
    pub const ALL: [Self; 15] = [
        Self::V0_10_0,
        Self::V0_10_1,
        Self::V0_10_2,
        Self::V0_11,
        Self::V1_0,
        Self::V1_1,
        Self::V2_0,
        Self::V2_4,
        Self::V2_8,
        Self::V3_0,
        Self::V3_6,
        Self::V3_9,
        Self::V4_0,
        Self::V4_1,
        Self::V4_3,
    ];

    /// The versions of each API that the brokers of this release announce, as far as the broker here has the API.
    pub(super) fn announces(self) -> impl Iterator<Item = (ApiKey, Option<RangeInclusive<i16>>)> {
        let versions = move |(api, row): &(ApiKey, &str)| {
            let cell = row.split_whitespace().nth(self as usize);
            let bounds = cell.and_then(|cell| cell.split_once('-'));
            let range = bounds.and_then(|(low, high)| Some(low.parse().ok()?..=high.parse().ok()?));
            (*api, range)
        };
        TABLE.iter().map(versions)
    }
}

/// One column a release, in the order of [`Release::ALL`]; `-` is not announced. Taken from brokers: 0.10.0.1, 0.10.1.1,
/// 0.10.2.2, 0.11.0.3,
/// 1.0.2, 1.1.1, 2.0.1, 2.4.1, 2.8.2, 3.0.2, 3.6.2, 3.9.1, 4.0.1, 4.1.1 and 4.3.1. Brokers of 4.x announce Produce from 0
/// and serve it from 3 (KAFKA-18659).
#[rustfmt::skip]
const TABLE: &[(ApiKey, &str)] = &[
    (ApiKey::Produce, " 0-2  0-2  0-2  0-3  0-5  0-5  0-6  0-8  0-9  0-9  0-9 0-11 0-12 0-13 0-13"),
    (ApiKey::Fetch, " 0-2  0-3  0-3  0-5  0-6  0-7  0-8 0-11 0-12 0-12 0-15 0-17 4-17 4-18 4-18"),
    (ApiKey::ListOffsets, " 0-0  0-1  0-1  0-2  0-2  0-2  0-3  0-5  0-6  0-7  0-8  0-9 1-10 1-10 1-11"),
    (ApiKey::Metadata, " 0-1  0-2  0-2  0-4  0-5  0-5  0-6  0-9 0-11 0-11 0-12 0-12 0-13 0-13 0-13"),
    (ApiKey::FindCoordinator, " 0-0  0-0  0-0  0-1  0-1  0-1  0-2  0-3  0-3  0-4  0-4  0-6  0-6  0-6  0-6"),
    (ApiKey::ListGroups, " 0-0  0-0  0-0  0-1  0-1  0-1  0-2  0-3  0-4  0-4  0-4  0-5  0-5  0-5  0-5"),
    (ApiKey::SaslHandshake, " 0-0  0-0  0-0  0-0  0-1  0-1  0-1  0-1  0-1  0-1  0-1  0-1  0-1  0-1  0-1"),
    (ApiKey::ApiVersions, " 0-0  0-0  0-0  0-1  0-1  0-1  0-2  0-3  0-3  0-3  0-3  0-4  0-4  0-4  0-4"),
    (ApiKey::CreateTopics, "   -  0-0  0-1  0-2  0-2  0-2  0-3  0-5  0-7  0-7  0-7  0-7  2-7  2-7  2-7"),
    (ApiKey::DeleteTopics, "   -  0-0  0-0  0-1  0-1  0-1  0-2  0-4  0-6  0-6  0-6  0-6  1-6  1-6  1-6"),
    (ApiKey::DeleteRecords, "   -    -    -  0-0  0-0  0-0  0-1  0-1  0-2  0-2  0-2  0-2  0-2  0-2  0-2"),
    (ApiKey::InitProducerId, "   -    -    -  0-0  0-0  0-0  0-1  0-2  0-4  0-4  0-4  0-5  0-5  0-5  0-5"),
    (ApiKey::OffsetForLeaderEpoch, "   -    -    -  0-0  0-0  0-0  0-1  0-3  0-4  0-4  0-4  0-4  2-4  2-4  2-4"),
    (ApiKey::DescribeConfigs, "   -    -    -  0-0  0-0  0-1  0-2  0-2  0-4  0-4  0-4  0-4  1-4  1-4  1-4"),
    (ApiKey::SaslAuthenticate, "   -    -    -    -  0-0  0-0  0-0  0-1  0-2  0-2  0-2  0-2  0-2  0-2  0-2"),
    (ApiKey::CreatePartitions, "   -    -    -    -  0-0  0-0  0-1  0-1  0-3  0-3  0-3  0-3  0-3  0-3  0-3"),
    (ApiKey::IncrementalAlterConfigs, "   -    -    -    -    -    -    -  0-1  0-1  0-1  0-1  0-1  0-1  0-1  0-1"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_is_a_range_or_a_dash() {
        for (api, row) in TABLE {
            let cells: Vec<_> = row.split_whitespace().collect();
            assert_eq!(cells.len(), Release::ALL.len(), "{}", api.name());
            let dashes = cells.iter().filter(|cell| **cell == "-").count();
            let announced = |release: &&Release| {
                let mut all = release.announces();
                all.any(|(key, range)| key == *api && range.is_some_and(|r| !r.is_empty()))
            };
            let count = Release::ALL.iter().filter(announced).count();
            assert_eq!(count + dashes, cells.len(), "{}", api.name());
        }
    }
}
