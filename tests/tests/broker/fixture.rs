//! A cluster or a socket, a time, and the messages that the stories send.

use super::*;

/// A cluster and its time.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) now: Instant,
    sent: i32,
}

impl World {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            cluster: Cluster::new(config),
            now: Instant::now(),
            sent: 0,
        }
    }

    pub(crate) fn send<R: Request>(&mut self, conn: ConnId, version: i16, request: &R) -> i32 {
        self.sent += 1;
        self.cluster
            .handle_request(conn, encode(request, version, self.sent), self.now);
        self.sent
    }

    /// The next response, which must be of this connection.
    #[track_caller]
    pub(crate) fn frame(&mut self, conn: ConnId) -> Bytes {
        let (of, frame) = self.cluster.poll_response().expect("an answer");
        assert_eq!(of, conn);
        frame
    }

    #[track_caller]
    pub(crate) fn answer<R: Request>(
        &mut self,
        conn: ConnId,
        version: i16,
        id: i32,
    ) -> R::Response {
        let frame = self.frame(conn);
        decode(R::API, version, id, frame)
    }

    #[track_caller]
    pub(crate) fn call<R: Request>(
        &mut self,
        conn: ConnId,
        version: i16,
        request: &R,
    ) -> R::Response {
        let id = self.send(conn, version, request);
        self.answer::<R>(conn, version, id)
    }

    /// The code and the base offset.
    #[track_caller]
    pub(crate) fn produce(
        &mut self,
        conn: ConnId,
        topic: &str,
        partition: i32,
        records: Bytes,
    ) -> (ErrorCode, i64) {
        let answer = self.call(conn, 9, &produce(topic, partition, records));
        let partition = &answer.responses[0].partition_responses[0];
        (ErrorCode(partition.error_code), partition.base_offset)
    }

    pub(crate) fn pass(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        self.cluster.handle_timeout(self.now);
    }

    pub(crate) fn closed(&mut self) -> Vec<ConnId> {
        std::iter::from_fn(|| self.cluster.poll_close()).collect()
    }

    /// A connection to the first broker that runs.
    pub(crate) fn connect_live(&mut self) -> ConnId {
        while self.cluster.poll_close().is_some() {}
        let live = self
            .cluster
            .brokers()
            .find(|b| self.cluster.is_running(*b))
            .expect("a live broker");
        self.cluster.connect(live)
    }
}

/// A blocking connection to a server.
pub(crate) struct Socket {
    pub(crate) stream: TcpStream,
    sent: i32,
}

impl Socket {
    pub(crate) fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a duration above zero");
        Self { stream, sent: 0 }
    }

    pub(crate) fn send<R: Request>(&mut self, version: i16, request: &R) -> i32 {
        self.sent += 1;
        let frame = encode(request, version, self.sent);
        let length = (frame.len() as i32).to_be_bytes();
        self.stream
            .write_all(&[&length[..], &frame].concat())
            .expect("the server reads");
        self.sent
    }

    pub(crate) fn answer<R: Request>(&mut self, version: i16, id: i32) -> R::Response {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).expect("an answer");
        let mut frame = length.to_vec();
        frame.resize(4 + i32::from_be_bytes(length) as usize, 0);
        self.stream
            .read_exact(&mut frame[4..])
            .expect("all of the answer");
        decode(R::API, version, id, frame.into())
    }

    pub(crate) fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        let id = self.send(version, request);
        self.answer::<R>(version, id)
    }

    pub(crate) fn is_closed(&mut self) -> bool {
        match self.stream.read(&mut [0; 16]) {
            Ok(n) => n == 0,
            Err(e) => e.kind() == ErrorKind::ConnectionReset,
        }
    }
}

pub(crate) fn encode<R: Request>(request: &R, version: i16, id: i32) -> Bytes {
    let mut w = Writer::new(version, false);
    let mut header = RequestHeader::default();
    (header.api_key, header.api_version, header.correlation_id) = (R::API as i16, version, id);
    header.client_id = Some("raw".to_owned());
    header.write(&mut w, R::API.request_header(version));
    w.flexible = R::API.is_flexible(version);
    request.write(&mut w);
    w.flatten()
}

#[track_caller]
pub(crate) fn decode<T: Wire>(api: ApiKey, version: i16, id: i32, mut frame: Bytes) -> T {
    assert_eq!(
        frame.get_i32() as usize,
        frame.len(),
        "the length counts what follows it"
    );
    let mut r = Reader::new(&frame, version, false);
    let header = ResponseHeader::read(&mut r, api.response_header(version)).expect("a header");
    assert_eq!(header.correlation_id, id);
    r.flexible = api.is_flexible(version);
    let mut message = T::default();
    message.read(&mut r).expect("a body");
    r.finish(message).expect("nothing behind it")
}

pub(crate) fn hello() -> ApiVersionsRequest {
    ApiVersionsRequest::build(|m| {
        m.client_software_name = "raw-frames".to_owned();
        m.client_software_version = "1.0".to_owned();
    })
}

pub(crate) fn announced(answer: &ApiVersionsResponse, api: ApiKey) -> Option<RangeInclusive<i16>> {
    let found = answer.api_keys.iter().find(|v| v.api_key == api as i16)?;
    Some(found.min_version..=found.max_version)
}

pub(crate) fn metadata(names: &[&str]) -> MetadataRequest {
    let topic = |name: &&str| MetadataRequestTopic::build(|t| t.name = Some((*name).to_owned()));
    MetadataRequest::build(|m| m.topics = Some(names.iter().map(topic).collect()))
}

pub(crate) fn create(name: &str, partitions: i32, replicas: i16) -> CreateTopicsRequest {
    let topic = CreatableTopic::build(|t| {
        t.name = name.to_owned();
        t.num_partitions = partitions;
        t.replication_factor = replicas;
    });
    CreateTopicsRequest::build(|m| m.topics = vec![topic])
}

pub(crate) fn produce(topic: &str, partition: i32, records: Bytes) -> ProduceRequest {
    let partition = PartitionProduceData::build(|p| {
        p.index = partition;
        p.records = Some(records);
    });
    let topic = TopicProduceData::build(|t| {
        t.name = topic.to_owned();
        t.partition_data = vec![partition];
    });
    ProduceRequest::build(|m| {
        m.acks = -1;
        m.timeout_ms = 1000;
        m.topic_data = vec![topic];
    })
}

pub(crate) fn code(answer: &ProduceResponse) -> ErrorCode {
    let partition: &PartitionProduceResponse = &answer.responses[0].partition_responses[0];
    ErrorCode(partition.error_code)
}

/// Of one partition; does not wait.
pub(crate) fn fetch(topic: &str, partition: i32, offset: i64) -> FetchRequest {
    let topic = FetchTopic::build(|t| {
        t.topic = topic.to_owned();
        t.partitions = vec![fetch_partition(partition, offset)];
    });
    FetchRequest::build(|m| {
        m.min_bytes = 1;
        m.topics = vec![topic];
    })
}

pub(crate) fn fetch_partition(partition: i32, offset: i64) -> FetchPartition {
    FetchPartition::build(|p| {
        p.partition = partition;
        p.fetch_offset = offset;
        p.partition_max_bytes = 1_000_000;
    })
}

/// The offsets and values of what was fetched.
#[track_caller]
pub(crate) fn read(partition: &PartitionData) -> Vec<(i64, String)> {
    let mut all = Vec::new();
    for batch in Batches::new(partition.records.clone().unwrap_or_default()) {
        for record in &batch.expect("a batch") {
            let record = record.expect("a record");
            all.push((
                record.offset,
                String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned(),
            ));
        }
    }
    all
}

pub(crate) fn list_offsets(topic: &str, partition: i32, timestamp: i64) -> ListOffsetsRequest {
    let partition = ListOffsetsPartition::build(|p| {
        p.partition_index = partition;
        p.timestamp = timestamp;
    });
    let topic = ListOffsetsTopic::build(|t| {
        t.name = topic.to_owned();
        t.partitions = vec![partition];
    });
    ListOffsetsRequest::build(|m| {
        m.replica_id = -1;
        m.topics = vec![topic];
    })
}

/// Of one topic; without keys, of all configs.
pub(crate) fn describe(topic: &str, keys: &[&str]) -> DescribeConfigsRequest {
    DescribeConfigsRequest::build(|m| {
        m.resources = vec![DescribeConfigsResource::build(|r| {
            (r.resource_type, r.resource_name) = (2, topic.to_owned());
            r.configuration_keys = Some(keys.iter().map(|key| (*key).to_owned()).collect());
        })];
    })
}

/// Of one topic: names, operations and values.
pub(crate) fn alter(
    topic: &str,
    changes: &[(&str, i8, Option<&str>)],
) -> IncrementalAlterConfigsRequest {
    let change = |(name, operation, value): &(&str, i8, Option<&str>)| {
        AlterableConfig::build(|c| {
            c.name = (*name).to_owned();
            c.config_operation = *operation;
            c.value = value.map(str::to_owned);
        })
    };
    IncrementalAlterConfigsRequest::build(|m| {
        m.resources = vec![AlterConfigsResource::build(|r| {
            (r.resource_type, r.resource_name) = (2, topic.to_owned());
            r.configs = changes.iter().map(change).collect();
        })];
    })
}

pub(crate) fn batch(values: &[&str]) -> Bytes {
    batch_with(values, &|_| {})
}

pub(crate) fn batch_with(values: &[&str], change: &dyn Fn(&mut BatchHeader)) -> Bytes {
    let mut builder = BatchBuilder::new(Vec::new());
    values
        .iter()
        .for_each(|v| builder.push(&Record::new(*v), 1000));
    let (mut header, body) = builder.finish();
    change(&mut header);
    [&header.write(&body)[..], &body].concat().into()
}

pub(crate) fn sequenced(producer_id: i64, epoch: i16, sequence: i32, values: &[&str]) -> Bytes {
    batch_with(values, &|h| {
        (h.producer_id, h.producer_epoch, h.base_sequence) = (producer_id, epoch, sequence);
    })
}

pub(crate) fn timed(timestamps: &[i64]) -> Bytes {
    let mut builder = BatchBuilder::new(Vec::new());
    timestamps
        .iter()
        .for_each(|t| builder.push(&Record::new("v"), *t));
    let (header, body) = builder.finish();
    [&header.write(&body)[..], &body].concat().into()
}

/// A sound frame of every API, in its first and last version.
pub(crate) fn one_of_each() -> Vec<(ApiKey, i16, Bytes)> {
    fn frames<R: Request>(versions: [i16; 2], request: &R) -> Vec<(ApiKey, i16, Bytes)> {
        versions
            .map(|v| (R::API, v, encode(request, v, 1)))
            .to_vec()
    }
    let coordinator = FindCoordinatorRequest::build(|m| {
        m.key = "g".to_owned();
        m.coordinator_keys = vec!["g".to_owned()];
    });
    [
        frames([0, 4], &hello()),
        frames([1, 13], &metadata(&["t"])),
        frames([1, 7], &create("u", 2, 1)),
        frames([0, 5], &InitProducerIdRequest::default()),
        frames([3, 13], &produce("t", 0, batch(&["a"]))),
        frames([4, 18], &fetch("t", 0, 0)),
        frames([1, 11], &list_offsets("t", 0, -1)),
        frames([0, 6], &coordinator),
        frames([1, 4], &describe("t", &["retention.ms"])),
        frames([0, 1], &alter("t", &[("flush.ms", 0, Some("1"))])),
        frames([0, 5], &ListGroupsRequest::default()),
    ]
    .concat()
}
