//! FindCoordinator 0 to 6: a live broker, picked by the key.
//!
//! - Groups and transactional ids; one key up to version 3, many from version 4 on.
//! - A coordinator stays where it is until its broker stops; then it is the next live one, until that is back.
//! - Share groups (version 6) and other kinds of keys are INVALID_REQUEST.
//! - There is no coordinator behind the answer yet: group requests close the connection.

use std::ops::RangeInclusive;

use kafka_proto::{
    api::find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse},
    error::ErrorCode,
};

use super::super::{Cluster, request::Request, topic::fnv1a};

pub(super) const VERSIONS: RangeInclusive<i16> = 0..=6;

impl Cluster {
    pub(super) fn find_coordinator(
        &self,
        request: &Request,
        m: &FindCoordinatorRequest,
    ) -> FindCoordinatorResponse {
        // group and transaction
        if !matches!(m.key_type, 0 | 1) {
            return refuse(request.version, m, ErrorCode::INVALID_REQUEST);
        }
        FindCoordinatorResponse::build(|r| {
            if request.version >= 4 {
                r.coordinators = m
                    .coordinator_keys
                    .iter()
                    .map(|key| self.coordinator(key))
                    .collect();
                return;
            }
            let found = self.coordinator(&m.key);
            r.error_code = found.error_code;
            // what `Errors.NONE.message()` is in Java
            r.error_message = Some("NONE".to_owned());
            r.node_id = found.node_id;
            r.host = found.host;
            r.port = found.port;
        })
    }

    fn coordinator(&self, key: &str) -> Coordinator {
        let count = self.brokers.len();
        let first = (fnv1a(key.as_bytes()) % count as u64) as usize;
        let in_turn = self.brokers.iter().cycle().skip(first).take(count);
        let found = in_turn.into_iter().find(|(_, b)| b.running);
        Coordinator::build(|c| {
            c.key = key.to_owned();
            match found {
                Some((id, broker)) => {
                    c.node_id = *id;
                    c.host = broker.host.clone();
                    c.port = i32::from(broker.port);
                }
                None => nowhere(c, ErrorCode::COORDINATOR_NOT_AVAILABLE),
            }
        })
    }
}

pub(super) fn refuse(
    version: i16,
    m: &FindCoordinatorRequest,
    code: ErrorCode,
) -> FindCoordinatorResponse {
    FindCoordinatorResponse::build(|r| {
        if version >= 4 {
            let each = |key: &String| {
                Coordinator::build(|c| {
                    c.key = key.clone();
                    nowhere(c, code);
                })
            };
            r.coordinators = m.coordinator_keys.iter().map(each).collect();
            return;
        }
        r.error_code = code.code();
        r.error_message = Some(code.title().to_owned());
        r.node_id = -1;
        r.port = -1;
    })
}

/// `Node.noNode()`.
fn nowhere(c: &mut Coordinator, code: ErrorCode) {
    c.error_code = code.code();
    c.error_message = Some(code.title().to_owned());
    c.node_id = -1;
    c.port = -1;
}
