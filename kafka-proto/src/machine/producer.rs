//! A producer session: who the broker takes us for, so that it can drop what a retry repeats.
//!
//! KIP-98 (idempotence) and KIP-360 (a new epoch after a gap). One session a writer, shared by its clones.

use crate::{
    api::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse},
    error::ErrorCode,
};

/// An id and its epoch, as a broker gave them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ProducerId {
    /// The id.
    pub id: i64,
    /// How often it was renewed.
    pub epoch: i16,
}

/// The session.
///
/// ```text
/// Off                                            idempotence is not wanted
/// ExpectId -- request is out --> Asked -- answer --> Ready -- bump --> Ready, one epoch up
///          <-- error or lost ---                      `-- bump at the last epoch --> ExpectId
/// ```
#[derive(Debug)]
pub struct Producer {
    state: State,
}

#[derive(Debug)]
enum State {
    Off,
    ExpectId,
    Asked,
    Ready(ProducerId),
}

impl Producer {
    /// A session that asks for an id if it is to be idempotent.
    pub fn new(idempotent: bool) -> Self {
        Self {
            state: if idempotent {
                State::ExpectId
            } else {
                State::Off
            },
        }
    }

    /// Whether batches carry a producer id.
    pub fn is_idempotent(&self) -> bool {
        !matches!(self.state, State::Off)
    }

    /// The id to use now, if there is one.
    pub fn id(&self) -> Option<ProducerId> {
        match self.state {
            State::Ready(id) => Some(id),
            _ => None,
        }
    }

    /// The request for an id, once each time one is needed.
    pub fn poll_request(&mut self) -> Option<InitProducerIdRequest> {
        if !matches!(self.state, State::ExpectId) {
            return None;
        }
        self.state = State::Asked;
        // the time-out means nothing without a transactional id, and brokers check it all the same
        Some(InitProducerIdRequest::build(|r| {
            r.transactional_id = None;
            r.transaction_timeout_ms = 60_000;
        }))
    }

    /// Takes the answer; on an error the request is wanted again.
    pub fn handle_id(
        &mut self,
        response: &InitProducerIdResponse,
    ) -> Result<ProducerId, ErrorCode> {
        if response.error_code != 0 || response.producer_id < 0 {
            self.handle_lost();
            return Err(ErrorCode(response.error_code));
        }
        let id = ProducerId {
            id: response.producer_id,
            epoch: response.producer_epoch,
        };
        self.state = State::Ready(id);
        Ok(id)
    }

    /// No answer came: the request is wanted again.
    pub fn handle_lost(&mut self) {
        if matches!(self.state, State::Asked) {
            self.state = State::ExpectId;
        }
    }

    /// Leaves `from` behind, because a partition has a gap in its sequence numbers. Does nothing if that has happened.
    ///
    /// Without transactions the epoch is the producer's own to raise, as Java's `TransactionManager` does
    /// (`bumpIdempotentProducerEpoch`); when epochs run out, a new id is asked for.
    pub fn bump(&mut self, from: ProducerId) {
        if self.id() != Some(from) {
            return;
        }
        self.state = match from.epoch.checked_add(1) {
            Some(epoch) if epoch < i16::MAX => State::Ready(ProducerId { id: from.id, epoch }),
            _ => State::ExpectId,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: i16, id: i64, epoch: i16) -> InitProducerIdResponse {
        InitProducerIdResponse::build(|r| {
            (r.error_code, r.producer_id, r.producer_epoch) = (code, id, epoch)
        })
    }

    #[test]
    fn an_id_is_asked_for_once_and_again_after_a_failure() {
        let mut producer = Producer::new(true);
        assert!(producer.poll_request().is_some());
        assert!(producer.poll_request().is_none());
        producer.handle_lost();
        assert!(producer.poll_request().is_some());
        assert!(producer.handle_id(&answer(15, -1, -1)).is_err());
        assert!(producer.poll_request().is_some());
        assert_eq!(
            producer.handle_id(&answer(0, 7, 0)),
            Ok(ProducerId { id: 7, epoch: 0 })
        );
        assert!(producer.poll_request().is_none());
        assert!(Producer::new(false).poll_request().is_none());
    }

    #[test]
    fn two_partitions_that_ask_for_the_same_bump_get_one() {
        let mut producer = Producer::new(true);
        producer.poll_request();
        let first = producer.handle_id(&answer(0, 7, 0)).expect("an id");
        producer.bump(first);
        producer.bump(first);
        assert_eq!(producer.id(), Some(ProducerId { id: 7, epoch: 1 }));
    }

    #[test]
    fn the_last_epoch_is_followed_by_a_new_id() {
        let mut producer = Producer::new(true);
        producer.poll_request();
        let last = producer
            .handle_id(&answer(0, 7, i16::MAX - 1))
            .expect("an id");
        producer.bump(last);
        assert_eq!(producer.id(), None);
        assert!(producer.poll_request().is_some());
    }
}
