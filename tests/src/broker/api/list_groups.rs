//! ListGroups 0 to 5: none, since nobody can join a group here yet.
//!
//! - Filters by state (version 4) and type (version 5) are taken, those that name nothing that there is, too, as by Kafka.

use std::ops::RangeInclusive;

use kafka_proto::{api::list_groups::ListGroupsResponse, error::ErrorCode};

pub(super) const VERSIONS: RangeInclusive<i16> = 0..=5;

/// The groups that a broker coordinates.
pub(super) fn list() -> ListGroupsResponse {
    ListGroupsResponse::default()
}

pub(super) fn refuse(code: ErrorCode) -> ListGroupsResponse {
    ListGroupsResponse::build(|r| r.error_code = code.code())
}
