//! DeleteRecords 0 to 2: moves the start of a log up.
//!
//! - Offset -1 is the high watermark; what is beyond it, or below 0, is OFFSET_OUT_OF_RANGE; what is gone already is fine.
//! - The answer names the new start of the log (`low_watermark`), of which every replica knows at once.
//! - Not done: topics whose `cleanup.policy` is compact alone refuse it (POLICY_VIOLATION) in Kafka.

use std::ops::RangeInclusive;

use kafka_proto::{
    api::delete_records::{
        DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsRequest,
        DeleteRecordsResponse, DeleteRecordsTopic, DeleteRecordsTopicResult,
    },
    error::ErrorCode,
    wire::Uuid,
};

use super::super::{Cluster, request::Request};

pub(super) const VERSIONS: RangeInclusive<i16> = 0..=2;

impl Cluster {
    pub(super) fn delete_records_of(
        &mut self,
        request: &Request,
        m: &DeleteRecordsRequest,
    ) -> DeleteRecordsResponse {
        answer(m, |topic, wanted| {
            self.delete_records_before(request.broker, topic, wanted)
        })
    }

    fn delete_records_before(
        &mut self,
        broker: i32,
        topic: &str,
        wanted: &DeleteRecordsPartition,
    ) -> Result<i64, ErrorCode> {
        let topic = self.topics.resolve_mut(topic, Uuid::default(), false)?;
        let partition = topic
            .partition_mut(wanted.partition_index)
            .ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        partition.check_leader(broker, -1)?;
        let end = partition.log.high_watermark();
        let offset = match wanted.offset {
            -1 => end,
            offset if (0..=end).contains(&offset) => offset,
            _ => return Err(ErrorCode::OFFSET_OUT_OF_RANGE),
        };
        partition.log.delete_before(offset);
        self.ready.extend(&partition.waiting);
        Ok(partition.log.start_offset())
    }
}

pub(super) fn refuse(m: &DeleteRecordsRequest, code: ErrorCode) -> DeleteRecordsResponse {
    answer(m, |_, _| Err(code))
}

fn answer(
    m: &DeleteRecordsRequest,
    mut delete: impl FnMut(&str, &DeleteRecordsPartition) -> Result<i64, ErrorCode>,
) -> DeleteRecordsResponse {
    let mut partition = |topic: &DeleteRecordsTopic, wanted: &DeleteRecordsPartition| {
        let result = delete(&topic.name, wanted);
        DeleteRecordsPartitionResult::build(|p| {
            p.partition_index = wanted.partition_index;
            p.low_watermark = result.unwrap_or(-1);
            p.error_code = result.err().unwrap_or(ErrorCode::NONE).code();
        })
    };
    let mut topic = |topic: &DeleteRecordsTopic| {
        DeleteRecordsTopicResult::build(|t| {
            t.name.clone_from(&topic.name);
            let all = topic.partitions.iter();
            t.partitions = all.map(|wanted| partition(topic, wanted)).collect();
        })
    };
    DeleteRecordsResponse::build(|r| r.topics = m.topics.iter().map(&mut topic).collect())
}
