//! The APIs, one file a family: which versions, what each does, and what it does not.

mod api_versions;
mod create_partitions;
mod create_topics;
mod delete_records;
mod delete_topics;
mod describe_configs;
mod fetch;
mod find_coordinator;
mod incremental_alter_configs;
mod init_producer_id;
mod list_groups;
mod list_offsets;
mod metadata;
mod offset_for_leader_epoch;
mod produce;
mod sasl;

use std::{ops::RangeInclusive, time::Duration};

use kafka_proto::{
    api::{AnyRequest, AnyResponse, ApiKey, produce::ProduceResponse},
    error::ErrorCode,
};

pub(super) use self::produce::{Behind, fail_behind};
use super::{Cluster, request::Request};

/// What a request leads to.
pub(super) enum Outcome {
    Respond(AnyResponse),
    /// No answer is expected.
    Silent,
    Close,
    /// A Fetch that waits for records, at most this long.
    Wait(Duration),
    /// A Produce that waits for followers, at most this long.
    WaitForReplicas(ProduceResponse, Vec<Behind>, Duration),
}

/// The versions that this broker answers, if it knows the API.
pub(super) fn implemented(api: ApiKey) -> Option<RangeInclusive<i16>> {
    Some(match api {
        ApiKey::Produce => produce::VERSIONS,
        ApiKey::Fetch => fetch::VERSIONS,
        ApiKey::ListOffsets => list_offsets::VERSIONS,
        ApiKey::Metadata => metadata::VERSIONS,
        ApiKey::FindCoordinator => find_coordinator::VERSIONS,
        ApiKey::ListGroups => list_groups::VERSIONS,
        ApiKey::ApiVersions => api_versions::VERSIONS,
        ApiKey::CreateTopics => create_topics::VERSIONS,
        ApiKey::DeleteTopics => delete_topics::VERSIONS,
        ApiKey::DeleteRecords => delete_records::VERSIONS,
        ApiKey::InitProducerId => init_producer_id::VERSIONS,
        ApiKey::OffsetForLeaderEpoch => offset_for_leader_epoch::VERSIONS,
        ApiKey::DescribeConfigs => describe_configs::VERSIONS,
        ApiKey::CreatePartitions => create_partitions::VERSIONS,
        ApiKey::IncrementalAlterConfigs => incremental_alter_configs::VERSIONS,
        ApiKey::SaslHandshake => sasl::HANDSHAKE_VERSIONS,
        ApiKey::SaslAuthenticate => sasl::AUTHENTICATE_VERSIONS,
        _ => return None,
    })
}

/// Has a response say for how long its client is throttled, if it has room for that.
pub(super) fn set_throttle_time(response: &mut AnyResponse, time: Duration) {
    let ms = i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    let room = match response {
        AnyResponse::Produce(r) => &mut r.throttle_time_ms,
        AnyResponse::Fetch(r) => &mut r.throttle_time_ms,
        AnyResponse::ListOffsets(r) => &mut r.throttle_time_ms,
        AnyResponse::Metadata(r) => &mut r.throttle_time_ms,
        AnyResponse::FindCoordinator(r) => &mut r.throttle_time_ms,
        AnyResponse::ListGroups(r) => &mut r.throttle_time_ms,
        AnyResponse::ApiVersions(r) => &mut r.throttle_time_ms,
        AnyResponse::CreateTopics(r) => &mut r.throttle_time_ms,
        AnyResponse::DeleteTopics(r) => &mut r.throttle_time_ms,
        AnyResponse::DeleteRecords(r) => &mut r.throttle_time_ms,
        AnyResponse::InitProducerId(r) => &mut r.throttle_time_ms,
        AnyResponse::OffsetForLeaderEpoch(r) => &mut r.throttle_time_ms,
        AnyResponse::DescribeConfigs(r) => &mut r.throttle_time_ms,
        AnyResponse::CreatePartitions(r) => &mut r.throttle_time_ms,
        AnyResponse::IncrementalAlterConfigs(r) => &mut r.throttle_time_ms,
        _ => return,
    };
    *room = ms;
}

/// Refuses a request with `code` wherever its response has room for one; `None` if it has no response.
pub(super) fn refuse(request: &Request, code: ErrorCode) -> Option<AnyResponse> {
    Some(match &request.body {
        AnyRequest::Produce(m) if m.acks == 0 => return None,
        AnyRequest::Produce(m) => AnyResponse::Produce(produce::refuse(m, code)),
        AnyRequest::Fetch(m) => AnyResponse::Fetch(fetch::refuse(request.version, m, code)),
        AnyRequest::ListOffsets(m) => AnyResponse::ListOffsets(list_offsets::refuse(m, code)),
        AnyRequest::Metadata(m) => AnyResponse::Metadata(metadata::refuse(m, code)),
        AnyRequest::FindCoordinator(m) => {
            AnyResponse::FindCoordinator(find_coordinator::refuse(request.version, m, code))
        }
        AnyRequest::ListGroups(_) => AnyResponse::ListGroups(list_groups::refuse(code)),
        AnyRequest::ApiVersions(_) => AnyResponse::ApiVersions(api_versions::refuse(code)),
        AnyRequest::CreateTopics(m) => AnyResponse::CreateTopics(create_topics::refuse(m, code)),
        AnyRequest::DeleteTopics(m) => {
            AnyResponse::DeleteTopics(delete_topics::refuse(request.version, m, code))
        }
        AnyRequest::DeleteRecords(m) => AnyResponse::DeleteRecords(delete_records::refuse(m, code)),
        AnyRequest::InitProducerId(_) => {
            AnyResponse::InitProducerId(init_producer_id::refuse(code))
        }
        AnyRequest::OffsetForLeaderEpoch(m) => {
            AnyResponse::OffsetForLeaderEpoch(offset_for_leader_epoch::refuse(m, code))
        }
        AnyRequest::DescribeConfigs(m) => {
            AnyResponse::DescribeConfigs(describe_configs::refuse(m, code))
        }
        AnyRequest::CreatePartitions(m) => {
            AnyResponse::CreatePartitions(create_partitions::refuse(m, code))
        }
        AnyRequest::IncrementalAlterConfigs(m) => {
            AnyResponse::IncrementalAlterConfigs(incremental_alter_configs::refuse(m, code))
        }
        AnyRequest::SaslHandshake(_) => AnyResponse::SaslHandshake(sasl::refuse_handshake(code)),
        AnyRequest::SaslAuthenticate(_) => {
            AnyResponse::SaslAuthenticate(sasl::refuse_authenticate(code))
        }
        _ => return None,
    })
}

impl Cluster {
    pub(super) fn handle(&mut self, request: &Request) -> Outcome {
        Outcome::Respond(match &request.body {
            AnyRequest::Produce(m) => return self.produce(request, m),
            AnyRequest::Fetch(m) => return self.fetch(request, m),
            AnyRequest::ListOffsets(m) => AnyResponse::ListOffsets(self.list_offsets(request, m)),
            AnyRequest::Metadata(m) => AnyResponse::Metadata(self.metadata(request, m)),
            AnyRequest::FindCoordinator(m) => {
                AnyResponse::FindCoordinator(self.find_coordinator(request, m))
            }
            AnyRequest::ListGroups(_) => AnyResponse::ListGroups(list_groups::list()),
            AnyRequest::ApiVersions(m) => AnyResponse::ApiVersions(self.api_versions(request, m)),
            AnyRequest::CreateTopics(m) => AnyResponse::CreateTopics(self.create_topics(m)),
            AnyRequest::DeleteTopics(m) => {
                AnyResponse::DeleteTopics(self.delete_topics(request, m))
            }
            AnyRequest::DeleteRecords(m) => {
                AnyResponse::DeleteRecords(self.delete_records_of(request, m))
            }
            AnyRequest::InitProducerId(m) => AnyResponse::InitProducerId(self.init_producer_id(m)),
            AnyRequest::OffsetForLeaderEpoch(m) => {
                AnyResponse::OffsetForLeaderEpoch(self.offset_for_leader_epoch(request, m))
            }
            AnyRequest::DescribeConfigs(m) => {
                AnyResponse::DescribeConfigs(self.describe_configs(request, m))
            }
            AnyRequest::CreatePartitions(m) => {
                AnyResponse::CreatePartitions(self.create_partitions(m))
            }
            AnyRequest::IncrementalAlterConfigs(m) => {
                AnyResponse::IncrementalAlterConfigs(self.incremental_alter_configs(m))
            }
            AnyRequest::SaslHandshake(m) => {
                AnyResponse::SaslHandshake(self.sasl_handshake(request, m))
            }
            AnyRequest::SaslAuthenticate(m) => {
                AnyResponse::SaslAuthenticate(self.sasl_authenticate(request, m))
            }
            // `implemented` lists what stands above: the rest never gets here
            _ => return Outcome::Close,
        })
    }
}
