//! Metadata, Fetch, Produce.

use bytes::{Bytes, BytesMut};
use kafka_proto::{
    api::{
        fetch::{FetchResponse, FetchableTopicResponse, PartitionData},
        metadata::{
            MetadataResponse, MetadataResponseBroker, MetadataResponsePartition,
            MetadataResponseTopic,
        },
        produce::{PartitionProduceData, ProduceRequest, TopicProduceData},
    },
    wire::{self, Uuid, Wire, Writer},
};
use kafka_protocol::{
    messages as theirs,
    protocol::{Decodable, Encodable},
};

use crate::pair::Table;

pub fn rows(table: &mut Table) {
    for (topics, partitions) in [(100, 100), (10_000, 1)] {
        let name = format!("Metadata v12, {topics} topics x {partitions}");
        both(table, &name, 12, &metadata(topics, partitions), |body| {
            theirs::MetadataResponse::decode(body, 12).expect("reads")
        });
    }
    for (partitions, bytes) in [(1_000, 1 << 10), (8, 1 << 20)] {
        let name = format!("Fetch v16, {partitions} partitions x {} KiB", bytes >> 10);
        both(table, &name, 16, &fetch(partitions, bytes), |body| {
            theirs::FetchResponse::decode(body, 16).expect("reads")
        });
    }
    both(
        table,
        "Produce v12, 64 partitions x 16 KiB",
        12,
        &produce(64, 16 << 10),
        |body| theirs::ProduceRequest::decode(body, 12).expect("reads"),
    );
}

/// Both directions of one message, flexible.
fn both<A: Wire, B: Encodable>(
    table: &mut Table,
    name: &str,
    version: i16,
    message: &A,
    decode: impl Fn(&mut Bytes) -> B,
) {
    let body = wire::encode(message, version, true);
    // what each writes it has read from these bytes: payloads of both lie in one frame
    let read: A = wire::decode(&body, version, true).expect("reads");
    assert!(read == *message);
    let message = &read;
    let twin = decode(&mut body.clone());
    let mut written = BytesMut::new();
    twin.encode(&mut written, version).expect("written");
    assert!(written == body, "both write the same");

    table.row(
        &format!("decode {name}"),
        || wire::decode::<A>(&body, version, true),
        || decode(&mut body.clone()),
    );
    let mut ours = Vec::new();
    let mut theirs = BytesMut::new();
    table.row(
        &format!("encode {name}, into one buffer that is used again"),
        || {
            let mut buffer = std::mem::take(&mut ours);
            buffer.clear();
            let mut w = Writer::with_buffer(buffer, version, true).in_one_piece();
            message.write(&mut w);
            ours = w.into_buffer();
            ours.len()
        },
        || {
            theirs.clear();
            twin.encode(&mut theirs, version).expect("written");
            theirs.len()
        },
    );
    table.row(
        &format!("encode {name}, for a vectored write"),
        || {
            let mut w = Writer::new(version, true);
            message.write(&mut w);
            w.segments()
        },
        || {
            // it has no other way than one buffer
            theirs.clear();
            twin.encode(&mut theirs, version).expect("written");
            theirs.len()
        },
    );
}

/// A cluster of six brokers, three replicas each.
fn metadata(topics: i32, partitions: i32) -> MetadataResponse {
    let broker = |id: i32| {
        MetadataResponseBroker::build(|b| {
            b.node_id = id;
            b.host = format!("broker-{id}.kafka.example.org");
            b.port = 9092;
            b.rack = Some(format!("zone-{}", id % 3));
        })
    };
    let partition = |index: i32| {
        MetadataResponsePartition::build(|p| {
            p.partition_index = index;
            p.leader_id = index % 6;
            p.leader_epoch = 7;
            p.replica_nodes = (0..3).map(|n| (index + n) % 6).collect();
            p.isr_nodes.clone_from(&p.replica_nodes);
        })
    };
    let topic = |n: i32| {
        MetadataResponseTopic::build(|t| {
            t.name = Some(format!("orders.of.shop.{n}"));
            t.topic_id = Uuid([n as u8; 16]);
            t.partitions = (0..partitions).map(partition).collect();
        })
    };
    MetadataResponse::build(|m| {
        m.brokers = (0..6).map(broker).collect();
        m.cluster_id = Some("4L6g3nShT-eMCtK--X86sw".to_owned());
        m.controller_id = 1;
        m.topics = (0..topics).map(topic).collect();
    })
}

/// One topic; the records are opaque here.
fn fetch(partitions: i32, bytes: usize) -> FetchResponse {
    let partition = |index: i32| {
        PartitionData::build(|p| {
            p.partition_index = index;
            p.high_watermark = 1_000;
            p.last_stable_offset = 1_000;
            p.log_start_offset = 0;
            p.records = Some(vec![7; bytes].into());
        })
    };
    FetchResponse::build(|f| {
        f.responses = vec![FetchableTopicResponse::build(|t| {
            t.topic_id = Uuid([3; 16]);
            t.partitions = (0..partitions).map(partition).collect();
        })];
    })
}

fn produce(partitions: i32, bytes: usize) -> ProduceRequest {
    let partition = |index: i32| {
        PartitionProduceData::build(|p| {
            p.index = index;
            p.records = Some(vec![7; bytes].into());
        })
    };
    ProduceRequest::build(|r| {
        r.acks = -1;
        r.timeout_ms = 30_000;
        r.topic_data = vec![TopicProduceData::build(|t| {
            t.name = "orders".to_owned();
            t.partition_data = (0..partitions).map(partition).collect();
        })];
    })
}
