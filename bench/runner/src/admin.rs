//! Topics: made, filled, counted, read back, deleted.

use std::time::{Duration, SystemTime};

use bench_contract::{Pool, digest};
use kafka_client_blocking::{
    Client, ReaderConfig, TopicConfig,
    api::{
        delete_topics::{DeleteTopicState, DeleteTopicsRequest},
        list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic},
        metadata::{MetadataRequest, MetadataRequestTopic},
        produce::{PartitionProduceData, ProduceRequest, TopicProduceData},
    },
};
use kafka_proto::record::{BatchBuilder, Codecs, Compression, Compressor, Record};

use crate::{Fault, broker::Broker};

/// Bytes of values in a batch of a filled topic.
const BATCH: usize = 900_000;

pub struct Admin {
    client: Client,
    node: i32,
}

impl Admin {
    pub fn new(broker: &Broker) -> Result<Self, Fault> {
        Ok(Self {
            client: (broker.dialer()?.connect(&broker.bootstrap())).map_err(fault)?,
            node: broker.node(),
        })
    }

    pub fn create(&self, topic: &str, partitions: i32) -> Result<(), Fault> {
        let config = TopicConfig::new(topic)
            .partitions(partitions)
            .replication_factor(1);
        self.client.create_topics(&[config]).map_err(fault)?;
        // until the leaders are known to be, the first message of a program would wait
        for _ in 0..200 {
            if self.ends(topic, partitions).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(format!("topic {topic} has no leaders"))
    }

    pub fn delete(&self, topic: &str) -> Result<(), Fault> {
        let request = DeleteTopicsRequest::build(|r| {
            r.topics = vec![DeleteTopicState::build(|t| t.name = Some(topic.to_owned()))];
            r.topic_names = vec![topic.to_owned()];
            r.timeout_ms = 10_000;
        });
        self.client.call(request).map(drop).map_err(fault)
    }

    /// Messages in each partition.
    pub fn ends(&self, topic: &str, partitions: i32) -> Result<Vec<i64>, Fault> {
        let partition = |index| {
            ListOffsetsPartition::build(|p| {
                p.partition_index = index;
                p.timestamp = -1;
            })
        };
        let request = ListOffsetsRequest::build(|r| {
            r.replica_id = -1;
            r.topics = vec![ListOffsetsTopic::build(|t| {
                t.name = topic.to_owned();
                t.partitions = (0..partitions).map(partition).collect();
            })];
        });
        let response = self.client.call_broker(self.node, request).map_err(fault)?;
        // a broker answers in an order of its own
        let mut ends = vec![None; partitions as usize];
        for p in response.topics.iter().flat_map(|t| &t.partitions) {
            if p.error_code != 0 {
                return Err(format!("topic {topic}: error {}", p.error_code));
            }
            if let Some(end) = ends.get_mut(p.partition_index as usize) {
                *end = Some(p.offset);
            }
        }
        let all: Option<Vec<_>> = ends.into_iter().collect();
        all.ok_or_else(|| format!("topic {topic}: not every partition answers"))
    }

    /// Adds up the digests of all values in a topic.
    pub fn digest(&self, topic: &str, ends: &[i64]) -> Result<u64, Fault> {
        let partitions = (0..).zip(ends).filter(|(_, end)| **end > 0);
        let mut left: i64 = ends.iter().sum();
        let config = ReaderConfig::partitions(partitions.map(|(p, _)| (topic, p)));
        let mut reader = self.client.reader(config).map_err(fault)?;
        let mut sum = 0u64;
        while left > 0 {
            let batch = reader.read_batch().map_err(fault)?.ok_or("closed")?;
            for record in batch.iter() {
                let value = record.map_err(fault)?.value.unwrap_or_default();
                sum = sum.wrapping_add(digest(value));
                left -= 1;
            }
        }
        Ok(sum)
    }

    /// Fills a topic evenly with the first `messages` of the pool, in large batches.
    pub fn fill(
        &self,
        topic: &str,
        partitions: i32,
        messages: usize,
        size: usize,
        codec: &str,
    ) -> Result<(), Fault> {
        self.create(topic, partitions)?;
        let pool = Pool::new(size);
        let compression = match codec {
            "lz4" => Compression::Lz4,
            "zstd" => Compression::Zstd,
            _ => Compression::None,
        };
        let mut compressor = Compressor::new(Codecs::default(), compression);
        let id = self.topic_id(topic)?;
        // now, or the broker's retention takes them
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let time = time.map_or(0, |since| since.as_millis() as i64);
        let share = messages / partitions as usize;
        for index in 0..partitions {
            let (from, to) = (index as usize * share, (index as usize + 1) * share);
            for from in (from..to).step_by((BATCH / size).max(1)) {
                let to = to.min(from + (BATCH / size).max(1));
                let mut builder = BatchBuilder::new(Vec::new());
                for number in from..to {
                    builder.push(&Record::new(pool.value(number)), time);
                }
                let (mut header, body) = builder.finish();
                header.attributes |= compression.attributes();
                let body = compressor.compress(&body).map_err(fault)?;
                let batch = [&header.write(&body)[..], &body].concat();
                let request = ProduceRequest::build(|r| {
                    r.acks = -1;
                    r.timeout_ms = 30_000;
                    r.topic_data = vec![TopicProduceData::build(|t| {
                        t.name = topic.to_owned();
                        t.topic_id = id;
                        t.partition_data = vec![PartitionProduceData::build(|p| {
                            p.index = index;
                            p.records = Some(batch.into());
                        })];
                    })];
                });
                let response = self.client.call_broker(self.node, request).map_err(fault)?;
                let answers = response
                    .responses
                    .iter()
                    .flat_map(|t| &t.partition_responses);
                if let Some(refused) = answers.into_iter().find(|p| p.error_code != 0) {
                    return Err(format!("filling {topic}: error {}", refused.error_code));
                }
            }
        }
        Ok(())
    }

    fn topic_id(&self, topic: &str) -> Result<kafka_proto::wire::Uuid, Fault> {
        let request = MetadataRequest::build(|r| {
            r.topics = Some(vec![MetadataRequestTopic::build(|t| {
                t.name = Some(topic.to_owned())
            })]);
        });
        let response = self.client.call(request).map_err(fault)?;
        let found = response
            .topics
            .iter()
            .find(|t| t.name.as_deref() == Some(topic));
        found
            .map(|t| t.topic_id)
            .ok_or_else(|| format!("no topic {topic}"))
    }
}

fn fault(error: impl std::fmt::Display) -> Fault {
    error.to_string()
}
