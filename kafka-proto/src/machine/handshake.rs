//! What a connection settles before its first request: which version of each API both sides speak.

use std::ops::RangeInclusive;

use thiserror::Error;

use crate::{
    api::{
        ApiKey,
        api_versions::{ApiVersionsRequest, ApiVersionsResponse},
    },
    error::ErrorCode,
};

/// The versions that one broker serves, narrowed to those that this crate knows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Versions {
    /// By place in [`ApiKey::ALL`]; the whole range of the broker, which may lie outside ours.
    ranges: Vec<Option<(i16, i16)>>,
}

/// A broker and this crate have no version of an API in common.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{} cannot be used: this client speaks versions {ours:?}, the broker {}", api.name(), Range(*theirs))]
pub struct VersionError {
    api: ApiKey,
    ours: RangeInclusive<i16>,
    theirs: Option<(i16, i16)>,
}

struct Range(Option<(i16, i16)>);

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some((min, max)) => write!(f, "{min}..={max}"),
            None => f.write_str("does not know it"),
        }
    }
}

impl Versions {
    fn from_response(response: &ApiVersionsResponse) -> Self {
        let find = |api: &ApiKey| response.api_keys.iter().find(|v| v.api_key == *api as i16);
        let mut ranges: Vec<_> = ApiKey::ALL
            .iter()
            .map(|api| find(api).map(|v| (v.min_version, v.max_version)))
            .collect();
        // brokers of 4.x announce Produce from 0 for librdkafka's sake and refuse it below 3 (KAFKA-18659)
        if let (Some((0, max)), Some(i)) = (ranges[0], place(ApiKey::Produce))
            && max >= 13
        {
            ranges[i] = Some((3, max));
        }
        Self { ranges }
    }

    /// A broker that has every API in the versions 0 to `max`.
    #[cfg(any(test, feature = "unstable"))]
    pub(super) fn of_all(max: i16) -> Self {
        Self {
            ranges: vec![Some((0, max)); ApiKey::ALL.len()],
        }
    }

    /// The highest common version, not above `limit`.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn choose(&self, api: ApiKey, limit: i16) -> Result<i16, VersionError> {
        let theirs = place(api).and_then(|i| self.ranges[i]);
        let ours = api.versions();
        let common = theirs.and_then(|(min, max)| {
            let version = max.min(*ours.end()).min(limit);
            (version >= min.max(*ours.start())).then_some(version)
        });
        common.ok_or(VersionError { api, ours, theirs })
    }

    /// What the broker announced for `api`.
    pub fn of(&self, api: ApiKey) -> Option<(i16, i16)> {
        place(api).and_then(|i| self.ranges[i])
    }
}

fn place(api: ApiKey) -> Option<usize> {
    ApiKey::ALL.binary_search(&api).ok()
}

/// The first request of a connection.
///
/// ```text
/// ExpectVersions -- answer --------------------> Done
///                -- error 35 ------------------> ExpectVersions at what the broker offers
///                -- end of stream, by the owner -> the next connection starts one rung lower
/// ```
#[derive(Clone, Debug)]
pub struct ExpectVersions {
    version: i16,
}

/// What an answer to ApiVersions led to.
#[derive(Clone, Debug)]
pub enum Handshake {
    /// Ask again, lower.
    Again(ExpectVersions),
    /// The connection is ready.
    Done(Versions),
}

impl ExpectVersions {
    /// The rungs: brokers that close the connection on an unknown version get the next one when dialled again.
    pub const LADDER: [i16; 3] = [4, 3, 0];

    /// Starts at a rung of [`Self::LADDER`]; beyond the last one means the last one.
    pub fn new(rung: usize) -> Self {
        Self {
            version: Self::LADDER[rung.min(Self::LADDER.len() - 1)],
        }
    }

    /// The version to ask in.
    pub fn version(&self) -> i16 {
        self.version
    }

    /// The request to send (KIP-511: name and version of the software).
    pub fn request(&self) -> ApiVersionsRequest {
        ApiVersionsRequest::build(|r| {
            if self.version >= 3 {
                r.client_software_name = "kafka-client-rs".to_owned();
                r.client_software_version = env!("CARGO_PKG_VERSION").to_owned();
            }
        })
    }

    /// Takes the answer.
    ///
    /// # Errors
    ///
    /// The broker's code, if there is nothing lower to ask.
    pub fn handle(self, response: &ApiVersionsResponse) -> Result<Handshake, ErrorCode> {
        match ErrorCode(response.error_code) {
            ErrorCode::NONE => Ok(Handshake::Done(Versions::from_response(response))),
            ErrorCode::UNSUPPORTED_VERSION if self.version > 0 => {
                // from 2.4 on the answer lists ApiVersions itself; older brokers list nothing: then 0 (KIP-511)
                let offered = response
                    .api_keys
                    .iter()
                    .find(|v| v.api_key == ApiKey::ApiVersions as i16);
                let version = offered
                    .map_or(0, |v| v.max_version)
                    .clamp(0, self.version - 1);
                Ok(Handshake::Again(Self { version }))
            }
            code => Err(code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::api_versions::ApiVersion;

    fn answer(code: ErrorCode, ranges: &[(i16, i16, i16)]) -> ApiVersionsResponse {
        ApiVersionsResponse::build(|r| {
            r.error_code = code.0;
            r.api_keys = ranges
                .iter()
                .map(|(key, min, max)| {
                    ApiVersion::build(|v| {
                        (v.api_key, v.min_version, v.max_version) = (*key, *min, *max)
                    })
                })
                .collect();
        })
    }

    #[test]
    fn the_ladder_goes_down_to_what_the_broker_offers_and_ends() {
        let unsupported = ErrorCode::UNSUPPORTED_VERSION;
        let Ok(Handshake::Again(lower)) =
            ExpectVersions::new(0).handle(&answer(unsupported, &[(18, 0, 2)]))
        else {
            panic!("asks again")
        };
        assert_eq!(lower.version(), 2);
        let Ok(Handshake::Again(lowest)) = lower.handle(&answer(unsupported, &[])) else {
            panic!("asks again")
        };
        assert_eq!(lowest.version(), 0);
        assert_eq!(
            lowest
                .handle(&answer(unsupported, &[]))
                .expect_err("the end"),
            unsupported
        );
        // a broker that offers what it has just refused must not make us loop
        let Ok(Handshake::Again(lower)) =
            ExpectVersions::new(0).handle(&answer(unsupported, &[(18, 0, 9)]))
        else {
            panic!("asks again")
        };
        assert_eq!(lower.version(), 3);
    }

    #[test]
    fn versions_are_the_highest_in_common_within_a_limit() {
        let answer = answer(
            ErrorCode::NONE,
            &[(0, 0, 13), (1, 4, 99), (3, 50, 60), (18, 0, 4)],
        );
        let Ok(Handshake::Done(versions)) = ExpectVersions::new(0).handle(&answer) else {
            panic!("done")
        };
        assert_eq!(versions.choose(ApiKey::Fetch, i16::MAX), Ok(18));
        assert_eq!(versions.choose(ApiKey::Fetch, 12), Ok(12));
        assert!(versions.choose(ApiKey::Fetch, 3).is_err());
        assert_eq!(
            versions.of(ApiKey::Produce),
            Some((3, 13)),
            "a 4.x broker refuses what it announces"
        );
        let error = versions
            .choose(ApiKey::Metadata, i16::MAX)
            .expect_err("none in common");
        assert_eq!(
            error.to_string(),
            "Metadata cannot be used: this client speaks versions 0..=13, the broker 50..=60"
        );
        let error = versions
            .choose(ApiKey::JoinGroup, i16::MAX)
            .expect_err("unknown");
        assert!(
            error.to_string().ends_with("the broker does not know it"),
            "{error}"
        );
    }
}
