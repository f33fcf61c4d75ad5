//! Where a response says that its client must pause (KIP-219).

use super::ApiKey;

impl ApiKey {
    /// How long a response tells its client to send nothing, in ms, read from the bytes after its header; `None` where it
    /// cannot say, or not before the end. Most have it
    /// first; the others, such as Produce, are to be decoded.
    pub fn throttle_time_ms(self, version: i16, body: &[u8]) -> Option<i32> {
        let first = match self {
            Self::Produce
            | Self::ApiVersions
            | Self::SaslHandshake
            | Self::SaslAuthenticate
            | Self::CreateDelegationToken
            | Self::DescribeDelegationToken
            | Self::ExpireDelegationToken
            | Self::RenewDelegationToken
            | Self::OffsetDelete
            | Self::DescribeQuorum
            | Self::WriteTxnMarkers => return None,
            Self::Fetch
            | Self::FindCoordinator
            | Self::Heartbeat
            | Self::LeaveGroup
            | Self::SyncGroup
            | Self::DescribeGroups
            | Self::ListGroups
            | Self::DeleteTopics => 1,
            Self::ListOffsets
            | Self::JoinGroup
            | Self::CreateTopics
            | Self::OffsetForLeaderEpoch => 2,

            Self::Metadata | Self::OffsetCommit | Self::OffsetFetch => 3,
            // those that came with Kafka 0.11 and later have always had it
            _ => 0,
        };
        let bytes = body.first_chunk::<4>().filter(|_| version >= first)?;
        Some(i32::from_be_bytes(*bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api::AnyResponse, wire::json};

    /// Against the tables: the field is the first one exactly where it is looked for.
    #[test]
    fn the_pause_is_read_where_the_table_of_the_api_has_it_first() {
        let mut found = 0;
        for api in ApiKey::ALL {
            for version in api.versions() {
                let response = AnyResponse::default_of(*api);
                let json = json::to_string(&response, version);
                let is_first = json.starts_with("{\"throttleTimeMs\":0");
                let read = api.throttle_time_ms(version, &[0, 0, 1, 2, 3]);
                let expected = is_first.then_some(258);
                assert_eq!(read, expected, "{} {version}: {json}", api.name());
                found += usize::from(is_first);
                assert_eq!(api.throttle_time_ms(version, &[0; 3]), None);
            }
        }
        assert!(found > 200, "{found}");
    }
}
