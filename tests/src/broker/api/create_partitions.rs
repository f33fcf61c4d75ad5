//! CreatePartitions 0 to 3: more partitions for topics that there are.
//!
//! - `count` is how many there will be: as many as now, or fewer, is INVALID_PARTITIONS; a topic that stands twice in the
//!   request INVALID_REQUEST.
//! - With `validate_only` nothing is done.
//! - Not done: assignments by the client, which are INVALID_REPLICA_ASSIGNMENT.

use std::ops::RangeInclusive;

use kafka_proto::{
    api::create_partitions::{
        CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic,
        CreatePartitionsTopicResult,
    },
    error::ErrorCode,
};

use super::super::Cluster;

pub(super) const VERSIONS: RangeInclusive<i16> = 0..=3;

/// More are a mistake, and an allocation by the size that a peer names.
const MOST_PARTITIONS: i32 = 10_000;

impl Cluster {
    pub(super) fn create_partitions(
        &mut self,
        m: &CreatePartitionsRequest,
    ) -> CreatePartitionsResponse {
        let mut each = |topic: &CreatePartitionsTopic| {
            let twice = m.topics.iter().filter(|t| t.name == topic.name).count() > 1;
            let checked = match twice {
                true => Err(ErrorCode::INVALID_REQUEST),
                false => self.check_growth(topic),
            };
            if checked.is_ok() && !m.validate_only {
                self.add_partitions(&topic.name, topic.count);
            }
            result(topic, checked.err().unwrap_or(ErrorCode::NONE))
        };
        let results = m.topics.iter().map(&mut each).collect();
        CreatePartitionsResponse::build(|r| r.results = results)
    }

    fn check_growth(&self, topic: &CreatePartitionsTopic) -> Result<(), ErrorCode> {
        let have = match self.partition_count(&topic.name) {
            0 => return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            have => have,
        };
        if topic.count <= have || topic.count > MOST_PARTITIONS {
            return Err(ErrorCode::INVALID_PARTITIONS);
        }
        match &topic.assignments {
            None => Ok(()),
            Some(_) => Err(ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        }
    }
}

pub(super) fn refuse(m: &CreatePartitionsRequest, code: ErrorCode) -> CreatePartitionsResponse {
    let each = |topic: &CreatePartitionsTopic| result(topic, code);
    CreatePartitionsResponse::build(|r| r.results = m.topics.iter().map(each).collect())
}

fn result(topic: &CreatePartitionsTopic, code: ErrorCode) -> CreatePartitionsTopicResult {
    CreatePartitionsTopicResult::build(|t| {
        t.name.clone_from(&topic.name);
        t.error_code = code.code();
    })
}
