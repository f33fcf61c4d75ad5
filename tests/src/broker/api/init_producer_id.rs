//! InitProducerId 0 to 5: a new producer id with epoch 0, every time.
//!
//! - Idempotent producers only. With a transactional id it is INVALID_REQUEST: there is no transaction coordinator yet.
//! - An id and epoch that the client sends along are checked to be both or neither, and then ignored, as by
//!   `TransactionCoordinator.handleInitProducerId` without a transactional id.

use std::ops::RangeInclusive;

use kafka_proto::{
    api::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse},
    error::ErrorCode,
};

use super::super::Cluster;

pub(super) const VERSIONS: RangeInclusive<i16> = 0..=5;

impl Cluster {
    pub(super) fn init_producer_id(&mut self, m: &InitProducerIdRequest) -> InitProducerIdResponse {
        let half = (m.producer_id == -1) != (m.producer_epoch == -1);
        if m.transactional_id.is_some() || half {
            return refuse(ErrorCode::INVALID_REQUEST);
        }
        let id = self.next_producer_id;
        self.next_producer_id += 1;
        InitProducerIdResponse::build(|r| r.producer_id = id)
    }
}

pub(super) fn refuse(code: ErrorCode) -> InitProducerIdResponse {
    InitProducerIdResponse::build(|r| {
        r.error_code = code.code();
        r.producer_epoch = -1;
    })
}
