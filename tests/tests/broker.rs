//! The in-process broker, as raw frames meet it: no client of ours has a say in what is right.

#[path = "broker/configs.rs"]
mod configs;
#[path = "broker/faults.rs"]
mod faults;
#[path = "broker/fixture.rs"]
mod fixture;
#[path = "broker/hostile.rs"]
mod hostile;
#[path = "broker/moves.rs"]
mod moves;
#[path = "broker/records.rs"]
mod records;
#[path = "broker/releases.rs"]
mod releases;
#[path = "broker/replicas.rs"]
mod replicas;
#[path = "broker/sessions.rs"]
mod sessions;
#[path = "broker/settings.rs"]
mod settings;
#[path = "broker/sockets.rs"]
mod sockets;
#[path = "broker/topics.rs"]
mod topics;
#[path = "broker/versions.rs"]
mod versions;
#[path = "broker/waiting.rs"]
mod waiting;

use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    ops::RangeInclusive,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::{Buf, Bytes};
use kafka_proto::{
    api::{
        ApiKey, Request, RequestHeader, ResponseHeader,
        api_versions::*,
        create_topics::*,
        describe_configs::*,
        fetch::{
            FetchPartition, FetchRequest, FetchResponse, FetchTopic, ForgottenTopic, PartitionData,
        },
        find_coordinator::*,
        incremental_alter_configs::*,
        init_producer_id::*,
        list_groups::*,
        list_offsets::*,
        metadata::*,
        produce::{
            PartitionProduceData, PartitionProduceResponse, ProduceRequest, ProduceResponse,
            TopicProduceData,
        },
    },
    error::ErrorCode,
    record::{BatchBuilder, BatchHeader, Batches, Codecs, Compression, Record, message_set},
    wire::{Reader, Uuid, Wire, Writer},
};
use kafka_testing::{
    broker::{Cluster, Config, ConnId, Fault, Frames, NotKafka, Release, Rule},
    server::Server,
};

use self::fixture::*;
