//! The APIs, one file a family: which versions, what each does, and what it does not.

mod api_versions;
mod create_topics;
mod fetch;
mod find_coordinator;
mod init_producer_id;
mod list_offsets;
mod metadata;
mod produce;

use std::{ops::RangeInclusive, time::Duration};

use kafka_proto::{
    api::{AnyRequest, AnyResponse, ApiKey},
    error::ErrorCode,
};

use super::{Cluster, request::Request};

/// What a request leads to.
pub(super) enum Outcome {
    Respond(AnyResponse),
    /// No answer is expected.
    Silent,
    Close,
    /// A Fetch that waits for records, at most this long.
    Wait(Duration),
}

/// The versions that this broker answers, if it knows the API.
pub(super) fn implemented(api: ApiKey) -> Option<RangeInclusive<i16>> {
    Some(match api {
        ApiKey::Produce => produce::VERSIONS,
        ApiKey::Fetch => fetch::VERSIONS,
        ApiKey::ListOffsets => list_offsets::VERSIONS,
        ApiKey::Metadata => metadata::VERSIONS,
        ApiKey::FindCoordinator => find_coordinator::VERSIONS,
        ApiKey::ApiVersions => api_versions::VERSIONS,
        ApiKey::CreateTopics => create_topics::VERSIONS,
        ApiKey::InitProducerId => init_producer_id::VERSIONS,
        _ => return None,
    })
}

/// The versions that ApiVersions lists unless the config says otherwise.
pub(super) fn announced(api: ApiKey) -> Option<RangeInclusive<i16>> {
    match api {
        // brokers of 4.x announce it from 0 and refuse it below 3: librdkafka would not talk to them otherwise
        // (KAFKA-18659, `ApiKeys.PRODUCE_API_VERSIONS_RESPONSE_MIN_VERSION`)
        ApiKey::Produce => Some(0..=*produce::VERSIONS.end()),
        // what 4.3 serves; older brokers served all that is implemented here
        ApiKey::CreateTopics => Some(2..=*create_topics::VERSIONS.end()),
        api => implemented(api),
    }
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
        AnyRequest::ApiVersions(_) => AnyResponse::ApiVersions(api_versions::refuse(code)),
        AnyRequest::CreateTopics(m) => AnyResponse::CreateTopics(create_topics::refuse(m, code)),
        AnyRequest::InitProducerId(_) => {
            AnyResponse::InitProducerId(init_producer_id::refuse(code))
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
            AnyRequest::ApiVersions(m) => AnyResponse::ApiVersions(self.api_versions(request, m)),
            AnyRequest::CreateTopics(m) => AnyResponse::CreateTopics(self.create_topics(m)),
            AnyRequest::InitProducerId(m) => AnyResponse::InitProducerId(self.init_producer_id(m)),
            // `implemented` lists what stands above: the rest never gets here
            _ => return Outcome::Close,
        })
    }
}
