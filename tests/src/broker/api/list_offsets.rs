//! ListOffsets 0 to 11: the ends of a log, and where a time begins in it.
//!
//! - Latest (-1: the high watermark, or the last stable offset for `read_committed`), earliest (-2), maximum timestamp
//!   (-3, from version 7), earliest local (-4, from version 8: the same as earliest), latest tiered and earliest pending
//!   upload (-5 from version 9, -6 from version 11: -1, since nothing is tiered), and times.
//! - A special timestamp in a version before its own is UNSUPPORTED_VERSION; a partition that stands twice in a request
//!   is INVALID_REQUEST.
//! - Leader epochs are checked and answered from version 4 on.
//! - Version 0 lists where segments begin, the latest first (`Log.fetchOffsetsBefore`). A log here has one segment, last
//!   changed at its largest timestamp.
//! - Not done: inside a compressed batch a time is answered with the first offset of the batch.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

use kafka_proto::{
    api::list_offsets::{
        ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest,
        ListOffsetsResponse, ListOffsetsTopic, ListOffsetsTopicResponse,
    },
    error::ErrorCode,
    wire::Uuid,
};

use super::super::{
    Cluster,
    log::{Found, PartitionLog},
    request::Request,
};

pub(super) const VERSIONS: RangeInclusive<i16> = 0..=11;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

const NOWHERE: Found = Found {
    offset: -1,
    timestamp: -1,
    leader_epoch: -1,
};

impl Cluster {
    pub(super) fn list_offsets(
        &self,
        request: &Request,
        m: &ListOffsetsRequest,
    ) -> ListOffsetsResponse {
        let mut asked: BTreeMap<(&str, i32), u32> = BTreeMap::new();
        for topic in &m.topics {
            for wanted in &topic.partitions {
                *asked
                    .entry((&topic.name, wanted.partition_index))
                    .or_default() += 1;
            }
        }
        let answer = |topic: &ListOffsetsTopic, wanted: &ListOffsetsPartition| {
            if request.version == 0 {
                let found = self.list_segments(request, topic, wanted);
                return segments_response(wanted.partition_index, found);
            }
            let once = asked.get(&(topic.name.as_str(), wanted.partition_index)) == Some(&1);
            let found = match once {
                true => self.list_offset(request, topic, wanted, m.isolation_level),
                false => Err(ErrorCode::INVALID_REQUEST),
            };
            partition_response(wanted.partition_index, found)
        };
        let mut r = response(m, answer);
        // one answer for all of them: it is a map in Java
        if asked.values().any(|count| *count > 1) {
            let mut seen = BTreeSet::new();
            for topic in &mut r.topics {
                let name = &topic.name;
                topic
                    .partitions
                    .retain(|p| seen.insert((name.clone(), p.partition_index)));
            }
            r.topics.retain(|t| !t.partitions.is_empty());
        }
        r
    }

    fn list_offset(
        &self,
        request: &Request,
        topic: &ListOffsetsTopic,
        wanted: &ListOffsetsPartition,
        isolation: i8,
    ) -> Result<Found, ErrorCode> {
        if request.version < since(wanted.timestamp) {
            return Err(ErrorCode::UNSUPPORTED_VERSION);
        }
        let topic = self.topics.resolve(&topic.name, Uuid::default(), false)?;
        let partition = topic
            .partition(wanted.partition_index)
            .ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        partition.check_leader(request.broker, wanted.current_leader_epoch)?;
        let log = &partition.log;
        let end = match isolation {
            1 => log.last_stable_offset(),
            _ => log.high_watermark(),
        };
        if wanted.timestamp == LATEST {
            return Ok(Found {
                offset: end,
                timestamp: -1,
                leader_epoch: partition.leader_epoch,
            });
        }
        let found = look_up(log, wanted.timestamp);
        // nothing beyond what the client may read (`Partition.fetchOffsetForTimestamp`)
        let start = matches!(wanted.timestamp, EARLIEST | EARLIEST_LOCAL);
        Ok(found.filter(|f| start || f.offset < end).unwrap_or(NOWHERE))
    }

    fn list_segments(
        &self,
        request: &Request,
        topic: &ListOffsetsTopic,
        wanted: &ListOffsetsPartition,
    ) -> Result<Vec<i64>, ErrorCode> {
        let topic = self.topics.resolve(&topic.name, Uuid::default(), false)?;
        let partition = topic
            .partition(wanted.partition_index)
            .ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        partition.check_leader(request.broker, wanted.current_leader_epoch)?;
        let log = &partition.log;
        let (start, end) = (log.start_offset(), log.high_watermark());
        let changed = log.find_max_timestamp().map_or(0, |found| found.timestamp);
        // the end counts as a segment that is as new as can be, unless nothing is before it
        let mut segments = vec![start];
        if end > start {
            segments.push(end);
        }
        let until = match wanted.timestamp {
            LATEST => segments.len(),
            EARLIEST => 1,
            timestamp if timestamp >= changed => 1,
            _ => 0,
        };
        segments.truncate(until);
        segments.reverse();
        segments.truncate(usize::try_from(wanted.max_num_offsets).unwrap_or(0));
        Ok(segments)
    }
}

pub(super) fn refuse(m: &ListOffsetsRequest, code: ErrorCode) -> ListOffsetsResponse {
    response(m, |_, wanted| {
        partition_response(wanted.partition_index, Err(code))
    })
}

fn response(
    m: &ListOffsetsRequest,
    answer: impl Fn(&ListOffsetsTopic, &ListOffsetsPartition) -> ListOffsetsPartitionResponse,
) -> ListOffsetsResponse {
    let topic = |topic: &ListOffsetsTopic| {
        ListOffsetsTopicResponse::build(|t| {
            t.name.clone_from(&topic.name);
            t.partitions = topic.partitions.iter().map(|p| answer(topic, p)).collect();
        })
    };
    ListOffsetsResponse::build(|r| r.topics = m.topics.iter().map(topic).collect())
}

fn partition_response(index: i32, found: Result<Found, ErrorCode>) -> ListOffsetsPartitionResponse {
    ListOffsetsPartitionResponse::build(|p| {
        p.partition_index = index;
        match found {
            Ok(found) => {
                p.offset = found.offset;
                p.timestamp = found.timestamp;
                p.leader_epoch = found.leader_epoch;
            }
            Err(code) => p.error_code = code.code(),
        }
    })
}

fn segments_response(
    index: i32,
    found: Result<Vec<i64>, ErrorCode>,
) -> ListOffsetsPartitionResponse {
    ListOffsetsPartitionResponse::build(|p| {
        p.partition_index = index;
        match found {
            Ok(offsets) => p.old_style_offsets = offsets,
            Err(code) => p.error_code = code.code(),
        }
    })
}

/// The first version in which a timestamp means something.
fn since(timestamp: i64) -> i16 {
    match timestamp {
        MAX_TIMESTAMP => 7,
        EARLIEST_LOCAL => 8,
        LATEST_TIERED => 9,
        EARLIEST_PENDING_UPLOAD => 11,
        timestamp if timestamp < EARLIEST_PENDING_UPLOAD => i16::MAX,
        _ => 0,
    }
}

fn look_up(log: &PartitionLog, timestamp: i64) -> Option<Found> {
    match timestamp {
        EARLIEST | EARLIEST_LOCAL => {
            let offset = log.start_offset();
            Some(Found {
                offset,
                timestamp: -1,
                leader_epoch: log.epoch_at(offset),
            })
        }
        MAX_TIMESTAMP => log.find_max_timestamp(),
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => None,
        timestamp => log.find_time(timestamp),
    }
}
