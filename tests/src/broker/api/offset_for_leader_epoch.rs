//! OffsetForLeaderEpoch 0 to 4: where the records of a leader epoch end.
//!
//! - As `LeaderEpochFileCache.endOffsetFor`: the latest epoch ends at the end of the log; an older one, or one that never
//!   wrote, where the next younger one begins, under the name of the epoch that wrote there; one that nobody knows yet is
//!   epoch -1 and offset -1, and no error.
//! - Only the leader answers; the client's epoch of it is checked from version 2 on.

use std::ops::RangeInclusive;

use kafka_proto::{
    api::offset_for_leader_epoch::{
        EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
        OffsetForLeaderPartition, OffsetForLeaderTopic, OffsetForLeaderTopicResult,
    },
    error::ErrorCode,
    wire::Uuid,
};

use super::super::{Cluster, request::Request};

pub(super) const VERSIONS: RangeInclusive<i16> = 0..=4;

impl Cluster {
    pub(super) fn offset_for_leader_epoch(
        &self,
        request: &Request,
        m: &OffsetForLeaderEpochRequest,
    ) -> OffsetForLeaderEpochResponse {
        answer(m, |topic, wanted| {
            self.epoch_end(request.broker, topic, wanted)
        })
    }

    fn epoch_end(
        &self,
        broker: i32,
        topic: &str,
        wanted: &OffsetForLeaderPartition,
    ) -> Result<(i32, i64), ErrorCode> {
        let topic = self.topics.resolve(topic, Uuid::default(), false)?;
        let partition = topic
            .partition(wanted.partition)
            .ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        partition.check_leader(broker, wanted.current_leader_epoch)?;
        Ok(partition.log.epoch_end(wanted.leader_epoch))
    }
}

pub(super) fn refuse(
    m: &OffsetForLeaderEpochRequest,
    code: ErrorCode,
) -> OffsetForLeaderEpochResponse {
    answer(m, |_, _| Err(code))
}

fn answer(
    m: &OffsetForLeaderEpochRequest,
    find: impl Fn(&str, &OffsetForLeaderPartition) -> Result<(i32, i64), ErrorCode>,
) -> OffsetForLeaderEpochResponse {
    let partition = |topic: &OffsetForLeaderTopic, wanted: &OffsetForLeaderPartition| {
        EpochEndOffset::build(|p| {
            p.partition = wanted.partition;
            match find(&topic.topic, wanted) {
                Ok((epoch, end)) => (p.leader_epoch, p.end_offset) = (epoch, end),
                Err(code) => p.error_code = code.code(),
            }
        })
    };
    let topic = |topic: &OffsetForLeaderTopic| {
        OffsetForLeaderTopicResult::build(|t| {
            t.topic.clone_from(&topic.topic);
            let all = topic.partitions.iter();
            t.partitions = all.map(|wanted| partition(topic, wanted)).collect();
        })
    };
    OffsetForLeaderEpochResponse::build(|r| r.topics = m.topics.iter().map(topic).collect())
}
