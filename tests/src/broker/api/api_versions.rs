//! ApiVersions 0 to 4: what the config announces.
//!
//! - A version that is not announced is answered in version 0 with UNSUPPORTED_VERSION and the range of ApiVersions
//!   alone, as since Kafka 2.4, so that the client can ask again.
//! - From version 3 on a software name or version that is not of the form Kafka wants is INVALID_REQUEST.
//! - No features are listed: brokers here have none that clients ask about yet.

use std::ops::RangeInclusive;

use kafka_proto::{
    api::{
        ApiKey,
        api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse},
    },
    error::ErrorCode,
};

use super::super::{Cluster, request::Request};

pub(super) const VERSIONS: RangeInclusive<i16> = 0..=4;

impl Cluster {
    pub(super) fn api_versions(
        &self,
        request: &Request,
        m: &ApiVersionsRequest,
    ) -> ApiVersionsResponse {
        let named = is_legal(&m.client_software_name) && is_legal(&m.client_software_version);
        if request.version >= 3 && !named {
            return refuse(ErrorCode::INVALID_REQUEST);
        }
        ApiVersionsResponse::build(|r| {
            r.api_keys = ApiKey::ALL
                .iter()
                .filter_map(|api| self.announcement(request.broker, *api))
                .collect();
        })
    }

    /// The answer to a version that this broker does not know.
    pub(in super::super) fn api_versions_unknown(&self, broker: i32) -> ApiVersionsResponse {
        ApiVersionsResponse::build(|r| {
            r.error_code = ErrorCode::UNSUPPORTED_VERSION.code();
            r.api_keys = self
                .announcement(broker, ApiKey::ApiVersions)
                .into_iter()
                .collect();
        })
    }

    fn announcement(&self, broker: i32, api: ApiKey) -> Option<ApiVersion> {
        let versions = self.config.announced(self.release_of(broker), api)?;
        Some(ApiVersion::build(|v| {
            v.api_key = api as i16;
            v.min_version = *versions.start();
            v.max_version = *versions.end();
        }))
    }
}

pub(super) fn refuse(code: ErrorCode) -> ApiVersionsResponse {
    ApiVersionsResponse::build(|r| r.error_code = code.code())
}

/// `ApiVersionsRequest.SOFTWARE_NAME_VERSION_PATTERN`: letters, digits, '-' and '.', the ends neither '-' nor '.'.
fn is_legal(name: &str) -> bool {
    let inside = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
    let ends = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
    name.bytes().all(inside) && ends(name.bytes().next()) && ends(name.bytes().last())
}
