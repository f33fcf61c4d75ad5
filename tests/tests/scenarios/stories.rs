// Included once for each runtime: see `../scenarios.rs` for what it finds there.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::TcpListener,
    time::{Duration, Instant},
};

use kafka::{
    Acks, Client, Codecs, Compression, Conn, ErrorCode, ErrorKind, FetchLimits, Header, Outcome,
    ReaderConfig, Record, SeekFrom, StartOffset, TopicConfig, WriterConfig,
    api::{
        ApiKey,
        find_coordinator::FindCoordinatorRequest,
        metadata::{MetadataRequest, MetadataRequestTopic},
        offset_commit::{
            OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
        },
    },
};

use crate::{places::Place, transfer::Contents};

/// How long any wait may be.
const LIMIT: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_millis(10);

macro_rules! stories {
    ($($story:ident)*) => {
        pub(crate) const RUNTIME: crate::Runtime = crate::Runtime {
            name: NAME,
            stories: &[$((stringify!($story), |place| run!($story(place)))),*],
            connections: CONNECTIONS,
            write: |place, topic, count| run!(write_numbers(place, topic, count)),
            read: |place, topic, count| run!(read_numbers(place, topic, count)),
        };
    };
}

stories! {
    what_is_written_is_read
    a_call_is_one_unit_and_its_results_are_in_its_order
    tasks_that_share_a_writer_keep_their_order
    reading_begins_where_it_is_told
    seeking_moves_one_partition
    an_unknown_topic_is_a_typed_error
    what_cannot_be_sent_now_is_told_without_waiting
    a_connection_writes_reads_and_seeks
    another_task_ends_calls_that_wait
    linger_ends_when_somebody_waits_or_the_batch_is_full
    closing_delivers_what_was_accepted
    a_read_that_gives_up_loses_nothing
    nobody_listening_is_an_error_in_time
    a_lazy_client_connects_when_it_is_needed
    the_cluster_is_described
    two_clients_share_nothing
    events_tell_of_connections_and_end_with_the_client
    statistics_count_what_was_written_and_read
}

scenario! { connected(place: &Place) -> Client {
    go!(dialer().connect(&place.brokers)).expect("a client")
}}

// A topic that nobody else uses.
scenario! { topic(client: &Client, place: &Place, partitions: i32) -> String {
    let name = place.name();
    let config = TopicConfig::new(&name).partitions(partitions).replication_factor(1);
    go!(client.create_topics(&[config])).expect("created");
    name
}}

scenario! { closed(client: Client) {
    go!(client.close(LIMIT)).expect("all delivered");
}}

// WR-03, RD-05: keys, values, headers and tombstones arrive as they were sent, each once, in order of each partition.
scenario! { what_is_written_is_read(place: Place) {
    let client = go!(connected(&place));
    let topic = go!(topic(&client, &place, 6));
    let writer = client.writer(&topic).expect("a writer");
    let headers = [Header::new("kind", "order"), Header::new("empty", "")];
    let mut receipts = Vec::new();
    for call in 0..20 {
        let texts: Vec<_> = (0..50).map(|i| format!("{}", call * 50 + i)).collect();
        let records: Vec<_> = texts
            .iter()
            .enumerate()
            .map(|(i, text)| match i % 10 {
                9 => Record::tombstone(text),
                _ => Record::new(text).key(text).headers(&headers),
            })
            .collect();
        receipts.push(go!(writer.send(&records)).expect("room"));
    }
    let mut placed = BTreeMap::new();
    for (call, receipt) in receipts.into_iter().enumerate() {
        let written = go!(wait_for(receipt)).expect("written");
        for (i, written) in written.iter().enumerate() {
            let place = (written.partition, written.offset.expect("an offset"));
            placed.insert(place, (call * 50 + i).to_string());
        }
    }
    assert_eq!(placed.len(), 1000);
    let mut reader = client.reader(&topic).expect("a reader");
    let mut next = [0; 6];
    while !placed.is_empty() {
        let message = go!(reader.read_message()).expect("good").expect("open");
        let partition = message.partition();
        assert_eq!(message.offset(), next[partition as usize], "partition {partition}");
        next[partition as usize] += 1;
        let text = placed.remove(&(partition, message.offset())).expect("once");
        assert_eq!(message.key(), Some(text.as_bytes()));
        match text.parse::<usize>().expect("a number") % 10 {
            9 => assert_eq!((message.value(), message.headers().count()), (None, 0)),
            _ => {
                assert_eq!(message.value(), Some(text.as_bytes()));
                let headers: Vec<_> = message.headers().map(|h| (h.key_str(), h.value())).collect();
                let expected = [(Some("kind"), Some(&b"order"[..])), (Some("empty"), Some(&b""[..]))];
                assert_eq!(headers, expected);
            }
        }
    }
    go!(closed(client));
}}

// WR-03.
scenario! { a_call_is_one_unit_and_its_results_are_in_its_order(place: Place) {
    let client = go!(connected(&place));
    let topic = go!(topic(&client, &place, 3));
    let writer = client.writer(&topic).expect("a writer");
    let records: Vec<_> = (0..9).map(|i| Record::new("x").partition(2 - i % 3)).collect();
    let written = go!(writer.write_messages(&records)).expect("written");
    let partitions: Vec<_> = written.iter().map(|w| w.partition).collect();
    assert_eq!(partitions, [2, 1, 0, 2, 1, 0, 2, 1, 0]);
    let offsets: Vec<_> = written.iter().map(|w| w.offset.expect("an offset")).collect();
    assert_eq!(offsets, [0, 0, 0, 1, 1, 1, 2, 2, 2]);
    // one that cannot be takes the others with it
    let mixed = [Record::new("good").partition(0), Record::new("bad").partition(7)];
    let error = go!(writer.write_messages(&mixed)).expect_err("no partition 7");
    assert_eq!(error.outcome(), Outcome::NotWritten);
    let written = go!(writer.write(Record::new("next").partition(0))).expect("written");
    assert_eq!(written.offset, Some(3), "nothing of the refused call is in the log");
    go!(closed(client));
}}

// WR-03, with tasks.
scenario! { tasks_that_share_a_writer_keep_their_order(place: Place) {
    let client = go!(connected(&place));
    let topic = go!(topic(&client, &place, 2));
    let writer = client.writer(&topic).expect("a writer");
    let tasks: Vec<_> = (0..4)
        .map(|task| {
            let writer = writer.clone();
            task!({
                for n in 0..250 {
                    let text = format!("{task} {n:03}");
                    let record = Record::new(&text).partition(task % 2);
                    go!(writer.write(record)).expect("written");
                }
            })
        })
        .collect();
    for task in tasks {
        join!(task);
    }
    let mut reader = client.reader(&topic).expect("a reader");
    let mut next = [0; 4];
    for _ in 0..1000 {
        let message = go!(reader.read_message()).expect("good").expect("open");
        let text = String::from_utf8(message.value().expect("a value").to_vec()).expect("text");
        let (task, n) = text.split_once(' ').expect("two numbers");
        let next = &mut next[task.parse::<usize>().expect("a number")];
        assert_eq!(n.parse(), Ok(*next), "task {task}");
        *next += 1;
    }
    go!(closed(client));
}}

// RD-09, CN-13.
scenario! { reading_begins_where_it_is_told(place: Place) {
    let client = go!(connected(&place));
    let topic = go!(topic(&client, &place, 1));
    let writer = client.writer(&topic).expect("a writer");
    let day = 86_400_000;
    for n in 0..10i64 {
        let text = n.to_string();
        let record = Record::new(&text).timestamp(1_700_000_000_000 + n * day);
        go!(writer.write(record)).expect("written");
    }
    let first_of = [
        (StartOffset::First, "0"),
        (StartOffset::At(7), "7"),
        (StartOffset::Time(1_700_000_000_000 + 4 * day - 1), "4"),
        (StartOffset::Last, "10"),
    ];
    let mut readers = Vec::new();
    for (start, expected) in first_of {
        let config = ReaderConfig::partition(&topic, 0).start(start);
        let mut reader = client.reader(config).expect("a reader");
        if start == StartOffset::Last {
            // the end is where it is when the reader asks for it
            assert!(go!(read_within(&mut reader, Duration::from_secs(2))).expect("good").is_none());
        }
        readers.push((reader, expected));
    }
    go!(writer.write(Record::new("10"))).expect("written");
    for (mut reader, expected) in readers {
        let message = go!(reader.read_message()).expect("good").expect("open");
        assert_eq!(message.value(), Some(expected.as_bytes()));
    }
    go!(closed(client));
}}

// RD-09.
scenario! { seeking_moves_one_partition(place: Place) {
    let client = go!(connected(&place));
    let topic = go!(topic(&client, &place, 2));
    let writer = client.writer(&topic).expect("a writer");
    for n in 0..20 {
        let text = n.to_string();
        go!(writer.write(Record::new(&text).partition(n % 2))).expect("written");
    }
    let mut reader = client.reader(&topic).expect("a reader");
    for _ in 0..20 {
        go!(reader.read_message()).expect("good").expect("open");
    }
    reader.seek(&topic, 1, StartOffset::At(8)).expect("a partition of the reader");
    for expected in ["17", "19"] {
        let message = go!(reader.read_message()).expect("good").expect("open");
        assert_eq!(message.value(), Some(expected.as_bytes()));
    }
    assert!(reader.seek(&topic, 2, StartOffset::First).is_err(), "no such partition");
    go!(closed(client));
}}

scenario! { an_unknown_topic_is_a_typed_error(place: Place) {
    let client = go!(connected(&place));
    let writer = client.writer("nobody-made-this").expect("a writer");
    let start = Instant::now();
    let error = go!(writer.write(Record::new("x"))).expect_err("no such topic");
    assert_eq!(error.outcome(), Outcome::NotWritten);
    let first = error.first().expect("a reason");
    assert!(first.code().is_some(), "{first}");
    assert!(first.to_string().contains("nobody-made-this"), "{first}");
    assert!(start.elapsed() < LIMIT);
    let mut reader = client.reader("nor-this").expect("a reader");
    let error = go!(reader.read_message()).expect_err("no such topic");
    assert!(error.to_string().contains("nor-this"), "{error}");
    // and the client goes on
    let topic = go!(topic(&client, &place, 1));
    let writer = client.writer(&topic).expect("a writer");
    go!(writer.write(Record::new("x"))).expect("written");
    go!(closed(client));
}}

scenario! { what_cannot_be_sent_now_is_told_without_waiting(place: Place) {
    let client = go!(connected(&place));
    let topic = go!(topic(&client, &place, 1));
    let small = WriterConfig::topic(&topic).batch_bytes(32 << 10).buffer_bytes(64 << 10).linger(Duration::from_secs(1));
    let writer = client.writer(small).expect("a writer");
    let value = [b'x'; 10_000];
    let record = [Record::new(&value)];
    let mut receipts = VecDeque::new();
    let full = loop {
        match writer.try_send(&record) {
            Ok(receipt) => receipts.push_back(receipt),
            Err(error) if error.kind() == ErrorKind::TopicPending => go!(sleep(MOMENT)),
            Err(error) => break error,
        }
    };
    assert_eq!(full.kind(), ErrorKind::Full);
    let accepted = receipts.len();
    assert!((1..=6).contains(&accepted), "{accepted} of 10,000 bytes in 64 KiB");
    // one that waits for room gets it
    receipts.push_back(go!(writer.send(&record)).expect("room"));
    go!(writer.flush()).expect("open");
    assert_eq!(writer.pending(), 0);
    for receipt in receipts {
        go!(wait_for(receipt)).expect("written");
    }
    go!(closed(client));
}}

// CN-09, CN-10, CN-16, CN-22, CN-02; BA-05.
scenario! { a_connection_writes_reads_and_seeks(place: Place) {
    let client = go!(connected(&place));
    let topic = go!(topic(&client, &place, 3));
    let mut conn = go!(dialer().dial_leader(&place.broker(), &topic, 2)).expect("the leader");
    let records = [Record::new("a"), Record::new("b"), Record::new("c")];
    // a leader that was just elected may not know it yet, and a connection does not retry
    let written = loop {
        match go!(conn.write_messages(&records)) {
            Ok(written) => break written,
            Err(e) if e.is_retriable() => go!(sleep(MOMENT)),
            Err(e) => panic!("{e}"),
        }
    };
    assert_eq!((written.partition, written.offset), (2, Some(0)));
    let batch = go!(conn.read_batch(FetchLimits::default())).expect("good");
    let values: Vec<_> = batch
        .iter()
        .map(|record| record.expect("good").value.expect("a value").to_vec())
        .collect();
    assert_eq!(values, [b"a", b"b", b"c"]);
    assert_eq!(go!(conn.seek(SeekFrom::Absolute(1))).expect("in the log"), 1);
    let message = go!(conn.read_message(1 << 20)).expect("good").expect("there");
    assert_eq!(message.value(), Some(&b"b"[..]));
    assert_eq!(go!(conn.seek(SeekFrom::End(0))).expect("known"), 3);
    assert!(go!(conn.read_message(1 << 20)).expect("good").is_none(), "nothing within its wait");
    conn.close();
    let error = go!(conn.seek(SeekFrom::Start(0))).expect_err("closed");
    assert_eq!(error.kind(), ErrorKind::Closed);
    go!(closed(client));
}}

// RD-01, CN-02: for each handle that can wait, what ends its wait.
scenario! { another_task_ends_calls_that_wait(place: Place) {
    let client = go!(connected(&place));
    let topic = go!(topic(&client, &place, 1));
    let mut reader = client.reader(&topic).expect("a reader");
    let handle = reader.handle();
    let waiting = task!({ go!(reader.read_message()) });
    while handle.partitions().is_empty() {
        go!(sleep(MOMENT));
    }
    handle.close();
    assert!(join!(waiting).expect("no error").is_none());

    let mut reader = client.reader(&topic).expect("a reader");
    let handle = reader.handle();
    let waiting = task!({ go!(reader.read_message()) });
    while handle.partitions().is_empty() {
        go!(sleep(MOMENT));
    }
    go!(client.close(LIMIT)).expect("all delivered");
    assert!(join!(waiting).expect("no error").is_none());

    let mut conn = go!(dialer().dial_leader(&place.broker(), &topic, 0)).expect("the leader");
    let closer = conn.closer();
    let mut limits = FetchLimits::default();
    limits.max_wait = Duration::from_secs(20);
    let waiting = task!({ go!(conn.read_batch(limits)) });
    let start = Instant::now();
    go!(sleep(Duration::from_millis(300)));
    closer.close();
    let error = join!(waiting).expect_err("closed");
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(start.elapsed() < Duration::from_secs(10), "long before the broker answers");
}}

// WR-01: long before the batch has lingered.
scenario! { linger_ends_when_somebody_waits_or_the_batch_is_full(place: Place) {
    let client = go!(connected(&place));
    let topic = go!(topic(&client, &place, 1));
    let slow = WriterConfig::topic(&topic).linger(Duration::from_secs(100)).batch_bytes(4096);
    let writer = client.writer(slow).expect("a writer");
    let start = Instant::now();
    go!(writer.write(Record::new("the topic is known, and the connection made"))).expect("written");
    let large = [b'x'; 3000];
    let lingering = go!(writer.send(&[Record::new(&large)])).expect("room");
    // its connection has seen by now that there is nothing to send yet
    go!(sleep(MOMENT));
    drop(go!(writer.send(&[Record::new(&large)])).expect("room"));
    go!(wait_for(lingering)).expect("written, because the second finds no room beside it");
    go!(sleep(MOMENT));
    go!(writer.write(Record::new("waits"))).expect("written");
    drop(go!(writer.send(&[Record::new("lingers")])).expect("room"));
    go!(sleep(MOMENT));
    go!(writer.flush()).expect("open");
    assert_eq!(writer.pending(), 0);
    assert!(start.elapsed() < Duration::from_secs(50), "{:?}", start.elapsed());
    go!(closed(client));
}}

// WR-01, RD-05.
scenario! { closing_delivers_what_was_accepted(place: Place) {
    let client = go!(connected(&place));
    let topic = go!(topic(&client, &place, 2));
    let slow = WriterConfig::topic(&topic).linger(Duration::from_millis(200));
    let writer = client.writer(slow).expect("a writer");
    for n in 0..100 {
        let text = n.to_string();
        drop(go!(writer.send(&[Record::new(&text).key(&text)])).expect("room"));
    }
    go!(writer.close(LIMIT)).expect("all delivered");
    assert_eq!(writer.pending(), 0);
    let error = go!(writer.write(Record::new("late"))).expect_err("closed");
    assert_eq!(error.first().expect("a reason").kind(), ErrorKind::Closed);
    let mut reader = client.reader(&topic).expect("a reader");
    let mut seen = BTreeSet::new();
    while seen.len() < 100 {
        let message = go!(reader.read_message()).expect("good").expect("open");
        assert!(seen.insert(message.value().expect("a value").to_vec()));
    }
    go!(closed(client));
}}

scenario! { a_read_that_gives_up_loses_nothing(place: Place) {
    let client = go!(connected(&place));
    let topic = go!(topic(&client, &place, 1));
    let mut reader = client.reader(&topic).expect("a reader");
    let writer = client.writer(&topic).expect("a writer");
    let writing = task!({
        for n in 0..200 {
            let text = n.to_string();
            go!(writer.write(Record::new(&text))).expect("written");
            if n % 20 == 0 {
                go!(sleep(MOMENT));
            }
        }
    });
    let mut next = 0;
    while next < 200 {
        let read = go!(read_within(&mut reader, Duration::from_millis(2))).expect("good");
        if let Some(message) = read {
            assert_eq!(message.value(), Some(next.to_string().as_bytes()));
            next += 1;
        }
    }
    join!(writing);
    go!(closed(client));
}}

scenario! { nobody_listening_is_an_error_in_time(_place: Place) {
    // a port that was free a moment ago
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let nobody = format!("127.0.0.1:{port}");
    let start = Instant::now();
    let error = go!(dialer().connect(&nobody)).expect_err("nobody");
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.to_string().contains(&nobody), "{error}");
    let error = go!(dialer().dial(&nobody)).expect_err("nobody");
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.to_string().contains(&nobody), "{error}");
    assert!(start.elapsed() < Duration::from_secs(5));
    let error = go!(dialer().connect("localhost:kafka")).expect_err("no port");
    assert_eq!(error.kind(), ErrorKind::Misuse);
}}

scenario! { a_lazy_client_connects_when_it_is_needed(place: Place) {
    let client = dialer().connect_lazy(&place.brokers).expect("a client");
    let topic = go!(topic(&client, &place, 1));
    let writer = client.writer(&topic).expect("a writer");
    go!(writer.write(Record::new("x"))).expect("written");
    go!(client.ready()).expect("a broker");
    go!(closed(client));
}}

// CN-03, CN-15.
scenario! { the_cluster_is_described(place: Place) {
    let client = go!(connected(&place));
    let topic = go!(topic(&client, &place, 4));
    // what exists is left as it is
    let again = TopicConfig::new(&topic).partitions(9).replication_factor(1);
    go!(client.create_topics(&[again])).expect("exists");
    let ask = || {
        MetadataRequest::build(|r| {
            r.topics = Some(vec![MetadataRequestTopic::build(|t| t.name = Some(topic.clone()))]);
        })
    };
    // a broker may hear of it a moment later than the controller
    let start = Instant::now();
    let described = loop {
        let described = go!(client.call(ask())).expect("an answer");
        if !described.topics[0].partitions.is_empty() || start.elapsed() > LIMIT {
            break described;
        }
        go!(sleep(MOMENT));
    };
    assert_eq!(described.topics[0].partitions.len(), 4);
    for broker in &described.brokers {
        let described = go!(client.call_broker(broker.node_id, ask())).expect("an answer");
        assert_eq!(described.topics[0].name.as_deref(), Some(&*topic));
    }
    let conn = go!(dialer().dial(&place.broker())).expect("a connection");
    let described = go!(conn.request(ask())).expect("an answer");
    assert_eq!(described.topics[0].partitions.len(), 4);
    let leader = go!(conn.lookup_leader(&topic, 3)).expect("a leader");
    assert!(place.brokers.contains(&leader.port.to_string()), "{leader}");
    go!(closed(client));
}}

scenario! { two_clients_share_nothing(place: Place) {
    let (one, two) = (go!(connected(&place)), go!(connected(&place)));
    let topic = go!(topic(&one, &place, 1));
    let writer = two.writer(&topic).expect("a writer");
    go!(one.close(LIMIT)).expect("nothing to deliver");
    go!(writer.write(Record::new("x"))).expect("written");
    let error = go!(one.ready()).expect_err("closed");
    assert_eq!(error.kind(), ErrorKind::Closed);
    go!(closed(two));
}}

scenario! { events_tell_of_connections_and_end_with_the_client(place: Place) {
    let client = go!(connected(&place));
    let topic = go!(topic(&client, &place, 1));
    let mut events = client.events();
    let writer = client.writer(&topic).expect("a writer");
    go!(writer.write(Record::new("x"))).expect("written");
    let event = go!(events.next()).expect("a connection to produce over");
    assert!(format!("{event:?}").starts_with("Connected"), "{event:?}");
    go!(closed(client));
    while go!(events.next()).is_some() {}
}}

// Writes `0..count` in calls of 100 with many in flight.
scenario! { write_numbers(place: Place, name: String, count: u64) {
    let client = go!(connected(&place));
    let config = TopicConfig::new(&name).partitions(6).replication_factor(1);
    go!(client.create_topics(&[config])).expect("created");
    let writer = client.writer(&name).expect("a writer");
    let mut receipts = VecDeque::new();
    for call in 0..count.div_ceil(100) {
        let numbers = call * 100..count.min(call * 100 + 100);
        let texts: Vec<_> = numbers.map(|n| format!("{n:020}")).collect();
        let records: Vec<_> = texts.iter().map(Record::new).collect();
        receipts.push_back(go!(writer.send(&records)).expect("room"));
        if receipts.len() > 64
            && let Some(receipt) = receipts.pop_front()
        {
            go!(wait_for(receipt)).expect("written");
        }
    }
    for receipt in receipts {
        go!(wait_for(receipt)).expect("written");
    }
    go!(closed(client));
}}

// Reads `count` messages, and more if there are more.
scenario! { read_numbers(place: Place, name: String, count: u64) -> Contents {
    let client = go!(connected(&place));
    let mut reader = client.reader(&name).expect("a reader");
    let mut contents = Contents::default();
    let mut newest: BTreeMap<i32, Vec<u8>> = BTreeMap::new();
    loop {
        let limit = if contents.count < count { LIMIT } else { Duration::from_millis(200) };
        let Some(message) = go!(read_within(&mut reader, limit)).expect("good") else {
            break;
        };
        let value = message.value().expect("a value");
        contents.add(message.partition(), value);
        let newest = newest.entry(message.partition()).or_default();
        contents.disorder += u64::from(newest.as_slice() >= value);
        newest.clear();
        newest.extend_from_slice(value);
    }
    go!(closed(client));
    contents
}}

// TY-12, TY-13, WR-02, RD-10.
scenario! { statistics_count_what_was_written_and_read(place: Place) {
    let client = go!(connected(&place));
    let topic = go!(topic(&client, &place, 2));
    let writer = client.writer(&topic).expect("a writer");
    let before = writer.stats();
    for call in 0..10 {
        let records = [Record::new("x").partition(0), Record::new("y").partition(call % 2)];
        go!(writer.write_messages(&records)).expect("written");
    }
    let stats = writer.stats().since(&before);
    assert_eq!((stats.messages, stats.errors), (20, 0));
    // calls wait for their outcome, so that batches are as large as a call's share
    assert_eq!((stats.batch_size.count(), stats.batch_size.sum()), (15, 20));
    assert_eq!((stats.batch_size.min(), stats.batch_size.avg(), stats.batch_size.max()), (1, 1, 2));
    assert!(stats.write_time.min() > Duration::ZERO);
    assert!(stats.write_time.min() <= stats.write_time.avg());
    assert!(stats.write_time.avg() <= stats.write_time.max());
    assert!(stats.dial_time.count() >= 1);
    assert_eq!((stats.queue_length, stats.topic), (0, Some(topic.clone())));

    let mut reader = client.reader(&topic).expect("a reader");
    for _ in 0..20 {
        go!(reader.read_message()).expect("good").expect("open");
    }
    let stats = reader.handle().stats();
    assert_eq!((stats.messages, stats.errors, stats.lag()), (20, 0, 0));
    let offsets: Vec<_> = stats.partitions.iter().map(|p| (p.partition, p.offset)).collect();
    assert_eq!(offsets, [(0, Some(15)), (1, Some(5))]);
    assert!(stats.fetches >= 1 && stats.bytes >= 20);
    go!(closed(client));
}}
