// Stories of single connections. Included once for each runtime: see `../scenarios.rs` for what it finds there.

macro_rules! connection_stories {
    ($($story:ident)*) => {
        const CONNECTIONS: &[crate::Story] =
            &[$((stringify!($story), |place| run!($story(place)))),*];
    };
}

connection_stories! {
    seeking_counts_from_where_it_is_told
    an_unchecked_seek_asks_nobody_and_the_read_fails
    ten_writes_then_ten_reads_keep_their_order
    a_batch_of_ten_comes_back_as_it_was_written
    headers_are_written_or_refused_and_never_dropped
    a_thousand_tasks_share_a_connection
    a_short_buffer_moves_nothing
    an_empty_partition_ends_at_the_deadline
    what_the_broker_gathers_is_a_limit_of_its_own
    a_deadline_that_moves_is_noticed
    a_write_deadline_stops_writes_alone
    a_batch_knows_where_it_stands
    fewer_acknowledgements_are_quicker_and_say_less
    every_codec_goes_through_the_broker
    a_broker_that_stamps_says_when
    an_offset_is_found_by_time
    topics_are_created_once_and_deleted
    one_topic_that_fails_is_told_beside_the_others
    settings_of_a_topic_are_checked_before_anybody_is_asked
    the_brokers_describe_themselves
    partitions_are_listed_with_their_leaders
    dialling_a_partition_goes_to_its_leader
    what_is_not_there_is_told_after_a_few_attempts
    a_proxy_passes_bytes_on
    a_connection_says_whose_it_is
    a_closed_connection_says_so
    a_client_administers_topics
    groups_are_listed
    the_readme_of_the_seed_in_our_words
}

// A connection to the controller, which creates and deletes topics.
scenario! { controller(place: &Place) -> Conn {
    let any = go!(dialer().dial(&place.broker())).expect("a connection");
    let controller = go!(any.controller()).expect("there is one");
    go!(dialer().dial(&controller.address().to_string())).expect("a connection")
}}

// A topic that nobody else uses, made by connections alone: old brokers have no more than that.
scenario! { new_topic(place: &Place, partitions: i32) -> String {
    let config = TopicConfig::new(place.name()).partitions(partitions);
    go!(new_topic_like(place, config))
}}

scenario! { new_topic_like(place: &Place, config: TopicConfig) -> String {
    let conn = go!(controller(place));
    let created = go!(conn.create_topics_detailed(&[config.replication_factor(1)])).expect("an answer");
    created[0].result.as_ref().expect("created");
    created[0].topic.clone()
}}

// A connection to the leader of a partition, once the leader knows it.
scenario! { leader(place: &Place, topic: &str, partition: i32) -> Conn {
    let start = Instant::now();
    loop {
        let dialled = go!(dialer().dial_leader(&place.broker(), topic, partition));
        let known = match dialled {
            Ok(conn) => go!(conn.last_offset()).map(|_| conn),
            Err(error) => Err(error),
        };
        match known {
            Ok(conn) => return conn,
            Err(error) if error.is_retriable() && start.elapsed() < LIMIT => go!(sleep(MOMENT)),
            Err(error) => panic!("{error}"),
        }
    }
}}

// Writes the numbers up to this one, each by itself.
scenario! { fill(conn: &Conn, count: usize) {
    for n in 0..count {
        let text = n.to_string();
        assert_eq!(go!(conn.write_value(text.as_bytes())).expect("written"), text.len());
    }
}}

// The highest version of an API that the broker serves.
scenario! { highest(conn: &Conn, api: ApiKey) -> i16 {
    let versions = go!(conn.api_versions()).expect("an answer");
    let found = versions.iter().find(|v| v.api_key == api as i16);
    found.map_or(-1, |v| v.max_version)
}}

// CT-01, CT-02, CT-03, CT-04, CN-07, CN-11, CN-12, CN-14, CN-16, FN-09.
scenario! { seeking_counts_from_where_it_is_told(place: Place) {
    let topic = go!(new_topic(&place, 1));
    let mut conn = go!(leader(&place, &topic, 0));
    assert_eq!(conn.position(), SeekFrom::Start(0), "where a connection begins");
    go!(fill(&conn, 10));
    for (to, expected) in [
        (SeekFrom::Start(0), 0),
        (SeekFrom::End(0), 10),
        (SeekFrom::End(3), 7),
        (SeekFrom::Start(5), 5),
        (SeekFrom::Current(-2), 3),
        (SeekFrom::Absolute(3), 3),
        (SeekFrom::Absolute(10), 10),
        (SeekFrom::Absolute(3), 3),
    ] {
        assert_eq!(go!(conn.seek(to)).expect("in the log"), expected, "{to:?}");
        assert_eq!(conn.position(), SeekFrom::Absolute(expected), "{to:?}");
    }
    for to in [
        SeekFrom::Absolute(11),
        SeekFrom::Absolute(-1),
        SeekFrom::Start(-1),
        SeekFrom::Start(i64::MAX),
        SeekFrom::End(11),
        SeekFrom::End(-1),
        SeekFrom::Current(8),
        SeekFrom::Current(-4),
    ] {
        let error = go!(conn.seek(to)).expect_err("outside of the log");
        assert_eq!(error.kind(), ErrorKind::OffsetOutOfRange, "{to:?}: {error}");
        assert_eq!(conn.position(), SeekFrom::Absolute(3), "{to:?} moved the position");
    }
    assert_eq!(go!(conn.first_offset()).expect("known"), 0);
    assert_eq!(go!(conn.last_offset()).expect("known"), 10);
    assert_eq!(go!(conn.offsets()).expect("known"), (0, 10));
    // from where nothing was read yet, too
    let mut fresh = go!(leader(&place, &topic, 0));
    assert_eq!(go!(fresh.seek(SeekFrom::Current(2))).expect("in the log"), 2);
}}

// CT-05, CT-06, CN-16.
scenario! { an_unchecked_seek_asks_nobody_and_the_read_fails(place: Place) {
    assert_eq!((kafka::FIRST_OFFSET, kafka::LAST_OFFSET), (-2, -1));
    let topic = go!(new_topic(&place, 1));
    let mut conn = go!(leader(&place, &topic, 0));
    go!(fill(&conn, 10));
    assert_eq!(go!(conn.seek_unchecked(SeekFrom::Absolute(42))).expect("not checked"), 42);
    let error = go!(conn.read_message(1 << 20)).expect_err("there is no such offset");
    assert_eq!(error.kind(), ErrorKind::OffsetOutOfRange);
    assert_eq!(conn.position(), SeekFrom::Absolute(42), "the position stays");
    assert_eq!(go!(conn.seek_unchecked(SeekFrom::Current(-40))).expect("not checked"), 2);
    assert_eq!(go!(conn.seek_unchecked(SeekFrom::End(20))).expect_err("negative").kind(), ErrorKind::Misuse);
    let message = go!(conn.read_message(1 << 20)).expect("good").expect("there");
    assert_eq!(message.value(), Some(&b"2"[..]));
    conn.close();
    assert_eq!(go!(conn.seek_unchecked(SeekFrom::Absolute(5))).expect("asks nobody"), 5);
}}

// CN-08, CN-21.
scenario! { ten_writes_then_ten_reads_keep_their_order(place: Place) {
    let topic = go!(new_topic(&place, 1));
    let mut conn = go!(leader(&place, &topic, 0));
    go!(fill(&conn, 10));
    let mut buffer = [0; 16];
    for n in 0..10 {
        let length = go!(conn.read_value(&mut buffer)).expect("good").expect("there");
        assert_eq!(buffer[..length], *n.to_string().as_bytes());
        assert_eq!(conn.position(), SeekFrom::Absolute(n + 1));
    }
    assert!(go!(conn.read_value(&mut buffer)).expect("good").is_none(), "nothing within its wait");
}}

// CN-08, CN-09, CN-22, MS-01, MS-02, MS-03, MS-04, MS-05, MS-07, TY-09.
scenario! { a_batch_of_ten_comes_back_as_it_was_written(place: Place) {
    let topic = go!(new_topic(&place, 2));
    let mut conn = go!(leader(&place, &topic, 1));
    let texts: Vec<_> = (0..10).map(|n| format!("value-{n}")).collect();
    let keyed = texts.iter().zip(1_600_000_000_000i64..);
    let records: Vec<_> = keyed.map(|(t, at)| Record::new(t).key(t).timestamp(at)).collect();
    let written = go!(conn.write_messages(&records)).expect("written");
    assert_eq!((written.partition, written.offset), (1, Some(0)));
    for n in 0..10 {
        let message = go!(conn.read_message(1 << 20)).expect("good").expect("there");
        assert_eq!((message.topic(), message.partition(), message.offset()), (&*topic, 1, n));
        assert_eq!(message.key(), Some(texts[n as usize].as_bytes()));
        assert_eq!(message.value(), Some(texts[n as usize].as_bytes()));
        assert_eq!(message.timestamp(), 1_600_000_000_000 + n);
    }
    // the same by values, from the middle of the batch, which kafka-go gets wrong
    go!(conn.seek(SeekFrom::Absolute(7))).expect("in the log");
    let mut buffer = [0; 16];
    let length = go!(conn.read_value(&mut buffer)).expect("good").expect("there");
    assert_eq!(buffer[..length], *b"value-7");
    assert_eq!(conn.position(), SeekFrom::Absolute(8));

    // null is not empty, and a message without a time gets one
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let before = i64::try_from(now.as_millis()).expect("it fits");
    let records = [Record::new("no key"), Record::tombstone("gone"), Record::new("").key("")];
    go!(conn.write_messages(&records)).expect("written");
    go!(conn.seek(SeekFrom::End(3))).expect("in the log");
    let mut read = Vec::new();
    for _ in 0..3 {
        let message = go!(conn.read_message(1 << 20)).expect("good").expect("there");
        assert!(message.timestamp() >= before, "{} and {before}", message.timestamp());
        read.push((message.key().map(<[u8]>::to_vec), message.value().map(<[u8]>::to_vec)));
    }
    let bytes = |text: &str| Some(text.as_bytes().to_vec());
    let expected = [(None, bytes("no key")), (bytes("gone"), None), (bytes(""), bytes(""))];
    assert_eq!(read, expected);

    // a record may name what it is written to, and nothing else
    let own = Record::new("here").topic(&topic).partition(1);
    assert_eq!(go!(conn.write_messages(&[own])).expect("written").offset, Some(13));
    for other in [Record::new("x").topic("other"), Record::new("x").partition(0)] {
        let error = go!(conn.write_messages(&[other])).expect_err("not here");
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Misuse, Outcome::NotWritten));
    }
    // no records are written without asking anybody
    conn.close();
    assert_eq!(go!(conn.write_messages(&[])).expect("nothing to do").offset, None);
}}

// MS-06, TY-10.
scenario! { headers_are_written_or_refused_and_never_dropped(place: Place) {
    let topic = go!(new_topic(&place, 1));
    let mut conn = go!(leader(&place, &topic, 0));
    let headers = [Header::new("trace", "1"), Header::null("trace"), Header::new("", "")];
    let written = go!(conn.write_messages(&[Record::new("v").headers(&headers)]));
    if go!(highest(&conn, ApiKey::Produce)) < 3 {
        let error = written.expect_err("brokers before 0.11 have no headers");
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unsupported, Outcome::NotWritten));
        assert_eq!(go!(conn.last_offset()).expect("known"), 0);
    } else {
        written.expect("written");
        let message = go!(conn.read_message(1 << 20)).expect("good").expect("there");
        assert_eq!(message.headers().collect::<Vec<_>>(), headers);
    }
}}

// CN-25.
scenario! { a_thousand_tasks_share_a_connection(place: Place) {
    let topic = go!(new_topic(&place, 1));
    let conn = std::sync::Arc::new(go!(leader(&place, &topic, 0)));
    let mut tasks = Vec::new();
    for n in 0..1000 {
        let conn = conn.clone();
        tasks.push(task!({
            let text = n.to_string();
            let written = go!(conn.write_messages(&[Record::new(&text)])).expect("written");
            (written.offset.expect("said"), text)
        }));
    }
    let mut written = BTreeMap::new();
    for task in tasks {
        let (offset, text) = join!(task);
        assert!(written.insert(offset, text).is_none(), "two answers for one request");
    }
    assert!(written.keys().copied().eq(0..1000), "one of them got no answer of its own");
    let mut conn = go!(leader(&place, &topic, 0));
    for (offset, text) in written {
        let message = go!(conn.read_message(1 << 20)).expect("good").expect("there");
        assert_eq!((message.offset(), message.value()), (offset, Some(text.as_bytes())));
    }
}}

// CN-08.
scenario! { a_short_buffer_moves_nothing(place: Place) {
    let topic = go!(new_topic(&place, 1));
    let mut conn = go!(leader(&place, &topic, 0));
    go!(conn.write_value(b"Hello World!")).expect("written");
    for _ in 0..10 {
        let mut short = [0; 4];
        let error = go!(conn.read_value(&mut short)).expect_err("it does not fit");
        assert_eq!(error.kind(), ErrorKind::ShortBuffer { needed: 12, copied: 4 });
        assert_eq!(short, *b"Hell");
        assert_eq!(conn.position(), SeekFrom::Absolute(0));
    }
    let mut buffer = [0; 12];
    assert_eq!(go!(conn.read_value(&mut buffer)).expect("good"), Some(12));
    assert_eq!(buffer, *b"Hello World!");
}}

// CN-17, CN-18.
scenario! { an_empty_partition_ends_at_the_deadline(place: Place) {
    let topic = go!(new_topic(&place, 1));
    let mut conn = go!(leader(&place, &topic, 0));
    let start = Instant::now();
    conn.set_read_deadline(Some(start + Duration::from_secs(1)));
    let error = go!(conn.read_message(1 << 20)).expect_err("nothing comes");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(start.elapsed() >= Duration::from_secs(1), "not before");
    let error = go!(conn.read_value(&mut [0; 8])).expect_err("it has passed");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let error = go!(conn.first_offset()).expect_err("offsets are read, too");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    // it is not the connection's end
    go!(conn.write_value(b"late")).expect("the deadline is that of reads");
    conn.set_read_deadline(None);
    let message = go!(conn.read_message(1 << 20)).expect("good").expect("there");
    assert_eq!(message.value(), Some(&b"late"[..]));
}}

// CN-10, CN-17, BA-02.
scenario! { what_the_broker_gathers_is_a_limit_of_its_own(place: Place) {
    let topic = go!(new_topic(&place, 1));
    let mut conn = go!(leader(&place, &topic, 0));
    go!(fill(&conn, 3));
    let mut limits = FetchLimits::default();
    (limits.min_bytes, limits.max_bytes) = (1_000_000, 2_000_000);
    let start = Instant::now();
    let batch = go!(conn.read_batch(limits)).expect("what is there");
    assert_eq!((batch.iter().count(), batch.high_watermark()), (3, 3));
    assert!(start.elapsed() >= Duration::from_millis(400), "the broker waits for more");

    for (field, min, max) in [("min_bytes", -1, 10), ("max_bytes", 10, 9), ("max_bytes", 0, -1)] {
        (limits.min_bytes, limits.max_bytes) = (min, max);
        let error = go!(conn.read_batch(limits)).expect_err("no such limits");
        assert_eq!(error.kind(), ErrorKind::Misuse);
        assert!(error.to_string().contains(field), "{error}");
    }
    // none at all still bring the first batch
    (limits.min_bytes, limits.max_bytes) = (0, 0);
    go!(conn.seek(SeekFrom::Start(0))).expect("in the log");
    let batch = go!(conn.read_batch(limits)).expect("good");
    assert_eq!(batch.iter().count(), 1, "each was written by itself");
    assert_eq!((batch.next_offset(), batch.high_watermark()), (1, 3));

    // a deadline beats the wait
    let mut limits = FetchLimits::default();
    limits.max_wait = Duration::from_secs(20);
    go!(conn.seek(SeekFrom::End(0))).expect("in the log");
    conn.set_read_deadline(Some(Instant::now() + Duration::from_millis(50)));
    let start = Instant::now();
    let error = go!(conn.read_batch(limits)).expect_err("nothing comes");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(start.elapsed() < Duration::from_secs(15), "long before the broker answers");
}}

// CN-17.
scenario! { a_deadline_that_moves_is_noticed(place: Place) {
    let topic = go!(new_topic(&place, 1));
    let mut conn = go!(leader(&place, &topic, 0));
    let closer = conn.closer();
    conn.set_deadline(Some(Instant::now() + LIMIT));
    let mut limits = FetchLimits::default();
    limits.max_wait = Duration::from_secs(20);
    let waiting = task!({ go!(conn.read_batch(limits)) });
    go!(sleep(Duration::from_millis(200)));
    let start = Instant::now();
    closer.set_deadline(Some(start + Duration::from_millis(100)));
    let error = join!(waiting).expect_err("the deadline passed");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(start.elapsed() < Duration::from_secs(15), "long before the broker answers");
}}

// CN-19.
scenario! { a_write_deadline_stops_writes_alone(place: Place) {
    let topic = go!(new_topic(&place, 1));
    let conn = go!(leader(&place, &topic, 0));
    conn.set_write_deadline(Some(Instant::now()));
    let error = go!(conn.write_value(b"late")).expect_err("it has passed");
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::TimedOut, Outcome::NotWritten));
    let error = go!(conn.delete_topics(&["none"])).expect_err("that is a write, too");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(go!(conn.last_offset()).expect("reads go on"), 0);
    conn.set_write_deadline(Some(Instant::now() + LIMIT));
    go!(conn.write_value(b"in time")).expect("written");
    assert_eq!(go!(conn.last_offset()).expect("known"), 1);
}}

// BA-01, BA-02, BA-03, BA-04, BA-05, BA-06, BA-07, CN-10.
scenario! { a_batch_knows_where_it_stands(place: Place) {
    let topic = go!(new_topic(&place, 1));
    let mut conn = go!(leader(&place, &topic, 0));
    let texts: Vec<_> = (0..10).map(|n| format!("value-{n}")).collect();
    let records: Vec<_> = texts.iter().map(Record::new).collect();
    go!(conn.write_messages(&records[..5])).expect("written");
    go!(conn.write_messages(&records[5..])).expect("written");
    go!(conn.seek(SeekFrom::Absolute(2))).expect("in the log");
    let mut batch = go!(conn.read_batch(FetchLimits::default())).expect("good");
    assert_eq!((batch.topic(), batch.partition()), (&*topic, 0));
    assert_eq!((batch.offset(), batch.high_watermark()), (2, 10));
    assert_eq!(batch.throttle(), Duration::ZERO);
    // it holds no lock: the connection is free meanwhile
    assert_eq!(go!(conn.last_offset()).expect("known"), 10);
    let message = batch.next_message().expect("good").expect("there");
    assert_eq!((message.offset(), batch.offset()), (2, 3));
    let mut short = [0; 3];
    for _ in 0..2 {
        let error = batch.read_value(&mut short).expect_err("it does not fit");
        assert_eq!(error.kind(), ErrorKind::ShortBuffer { needed: 7, copied: 3 });
        assert_eq!((short, batch.offset()), (*b"val", 3));
    }
    let mut buffer = [0; 16];
    assert_eq!(batch.read_value(&mut buffer).expect("good"), Some(7));
    assert_eq!((&buffer[..7], batch.offset()), (&b"value-3"[..], 4));
    // who leaves off in the middle goes on where the batch stands
    assert_eq!(conn.position(), SeekFrom::Absolute(batch.next_offset()));
    let offset = batch.offset();
    assert!(batch.error().is_none());
    batch.close().expect("nothing was wrong");
    assert_eq!(go!(conn.seek_unchecked(SeekFrom::Absolute(offset))).expect("asks nobody"), 4);
    let mut values = Vec::new();
    while values.len() < 6 {
        let mut batch = go!(conn.read_batch(FetchLimits::default())).expect("good");
        while let Some(message) = batch.next_message().expect("good") {
            values.push(String::from_utf8(message.value().expect("a value").to_vec()).expect("text"));
        }
        assert!(batch.next_message().expect("the end stays the end").is_none());
        assert_eq!(batch.offset(), batch.next_offset());
        batch.close().expect("the end is no error");
    }
    assert_eq!(values, texts[4..]);
}}

// CN-20.
scenario! { fewer_acknowledgements_are_quicker_and_say_less(place: Place) {
    let topic = go!(new_topic(&place, 1));
    let mut conn = go!(leader(&place, &topic, 0));
    conn.set_required_acks(Acks::One);
    assert_eq!(go!(conn.write_messages(&[Record::new("one")])).expect("written").offset, Some(0));
    conn.set_required_acks(Acks::None);
    for text in ["two", "three"] {
        let written = go!(conn.write_messages(&[Record::new(text)])).expect("sent");
        assert_eq!(written.offset, None, "the broker does not answer");
    }
    // what is answered goes on beside it
    conn.set_required_acks(Acks::All);
    assert_eq!(go!(conn.write_messages(&[Record::new("four")])).expect("written").offset, Some(3));
    for text in ["one", "two", "three", "four"] {
        let message = go!(conn.read_message(1 << 20)).expect("good").expect("there");
        assert_eq!(message.value(), Some(text.as_bytes()));
    }
}}

// CN-23, CN-24, CT-07, CT-08, FN-01.
scenario! { every_codec_goes_through_the_broker(place: Place) {
    let topic = go!(new_topic(&place, 1));
    let mut conn = go!(leader(&place, &topic, 0));
    let codecs = Codecs::new().with_level(Compression::Gzip, 9).expect("built in");
    conn.set_codecs(codecs);
    let highest = go!(highest(&conn, ApiKey::Produce));
    let text = "the same words again and again, ".repeat(20);
    let mut offset = 0;
    for codec in [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
        Compression::None,
    ] {
        let records = [Record::new(&text).key("k"); 3];
        let written = go!(conn.write_compressed(codec, &records));
        if codec == Compression::Zstd && highest < 7 {
            let error = written.expect_err("brokers before 2.1 do not know it");
            assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unsupported, Outcome::NotWritten));
            continue;
        }
        assert_eq!(written.expect("written").offset, Some(offset), "{codec}");
        offset += 3;
    }
    for n in 0..offset {
        let message = go!(conn.read_message(1 << 20)).expect("good").expect("there");
        assert_eq!((message.offset(), message.key()), (n, Some(&b"k"[..])));
        assert_eq!(message.value(), Some(text.as_bytes()));
    }
    let error = go!(conn.write_compressed(Compression::Other(7), &[Record::new("x")])).expect_err("no such codec");
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unsupported, Outcome::NotWritten));
}}

// CN-24, MS-07.
scenario! { a_broker_that_stamps_says_when(place: Place) {
    let config = TopicConfig::new(place.name()).partitions(1);
    let topic = go!(new_topic_like(&place, config.config("message.timestamp.type", "LogAppendTime")));
    let mut conn = go!(leader(&place, &topic, 0));
    let record = Record::new("v").timestamp(1_000);
    let written = go!(conn.write_messages(&[record])).expect("written");
    let time = written.append_time.expect("the broker's time");
    let message = go!(conn.read_message(1 << 20)).expect("good").expect("there");
    assert_eq!(message.timestamp(), time, "not the writer's");
    let topic = go!(new_topic(&place, 1));
    let conn = go!(leader(&place, &topic, 0));
    assert_eq!(go!(conn.write_messages(&[record])).expect("written").append_time, None);
}}

// CN-13.
scenario! { an_offset_is_found_by_time(place: Place) {
    let topic = go!(new_topic(&place, 1));
    let conn = go!(leader(&place, &topic, 0));
    assert_eq!(go!(conn.offset_at(0)).expect("known"), None, "there is nothing");
    let begin = 1_600_000_000_000;
    for n in 0..5 {
        let record = Record::new("v").timestamp(begin + 1000 * n);
        go!(conn.write_messages(&[record])).expect("written");
    }
    for (at, expected) in [(0, Some(0)), (begin, Some(0)), (begin + 2500, Some(3)), (begin + 4001, None)] {
        assert_eq!(go!(conn.offset_at(at)).expect("known"), expected, "{at}");
    }
    let error = go!(conn.offset_at(-1)).expect_err("that means something else");
    assert_eq!(error.kind(), ErrorKind::Misuse);
}}

// CN-03, CN-04, CN-15, TY-06, TY-07.
scenario! { topics_are_created_once_and_deleted(place: Place) {
    let conn = go!(controller(&place));
    let (one, two) = (place.name(), place.name());
    let me = go!(conn.controller()).expect("there is one").id;
    let topics = [
        TopicConfig::new(&one).partitions(2).replication_factor(1).config("retention.ms", "3600000"),
        TopicConfig::new(&two).assignment(0, [me]).assignment(1, [me]).assignment(2, [me]),
    ];
    go!(conn.create_topics(&topics)).expect("created");
    go!(conn.create_topics(&topics)).expect("those that exist are left as they are");
    let again = go!(conn.create_topics_detailed(&topics)).expect("an answer");
    for (result, topic) in again.iter().zip([&one, &two]) {
        let error = result.result.as_ref().expect_err("it exists");
        assert_eq!((&result.topic, error.code()), (topic, Some(ErrorCode::TOPIC_ALREADY_EXISTS)));
    }
    // a broker may take a moment to hear of it
    let mut partitions = Vec::new();
    while partitions.len() < 5 {
        partitions = go!(conn.read_partitions(&[&one, &two])).expect("an answer");
        go!(sleep(MOMENT));
    }
    let ids: Vec<_> = partitions.iter().map(|p| (p.topic.as_str(), p.id)).collect();
    assert_eq!(ids, [(&*one, 0), (&*one, 1), (&*two, 0), (&*two, 1), (&*two, 2)]);
    go!(conn.delete_topics(&[&one, &two])).expect("deleted");
    while !partitions.is_empty() {
        partitions = go!(conn.read_partitions(&[&one, &two])).expect("none is no error");
        go!(sleep(MOMENT));
    }
}}

// CN-03, CN-04.
scenario! { one_topic_that_fails_is_told_beside_the_others(place: Place) {
    let conn = go!(controller(&place));
    let (there, missing) = (go!(new_topic(&place, 1)), place.name());
    let results = go!(conn.delete_topics_detailed(&[&missing, &there])).expect("an answer");
    let error = results[0].result.as_ref().expect_err("it is not there");
    assert_eq!(error.code(), Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
    assert!(error.to_string().contains(&missing), "{error}");
    results[1].result.as_ref().expect("deleted all the same");
    let error = go!(conn.delete_topics(&[&missing, &there])).expect_err("the first one");
    assert_eq!(error.kind(), ErrorKind::UnknownTopic);

    // an existing topic hides no later failure, which it did in the seed
    let (there, twice) = (go!(new_topic(&place, 1)), place.name());
    let config = |name: &str| TopicConfig::new(name).partitions(1).replication_factor(1);
    let topics = [config(&there), config(&twice), config(&twice)];
    let error = go!(conn.create_topics(&topics)).expect_err("one is named twice");
    assert_eq!(error.code(), Some(ErrorCode::INVALID_REQUEST), "{error}");
    let large = [config(&there), config(&place.name()).replication_factor(99)];
    let error = go!(conn.create_topics(&large)).expect_err("so many brokers there are not");
    assert_eq!(error.code(), Some(ErrorCode::INVALID_REPLICATION_FACTOR), "{error}");
}}

// TY-06, TY-07.
scenario! { settings_of_a_topic_are_checked_before_anybody_is_asked(place: Place) {
    let conn = go!(dialer().dial(&place.broker())).expect("a connection");
    conn.close();
    let placed = TopicConfig::new("t").assignment(0, [1]);
    for (field, config) in [
        ("name", TopicConfig::new("")),
        ("partitions", TopicConfig::new("t").partitions(0)),
        ("replication_factor", TopicConfig::new("t").replication_factor(0)),
        ("partitions", placed.clone().partitions(1)),
        ("replication_factor", placed.replication_factor(1)),
        ("assignment", TopicConfig::new("t").assignment(0, [])),
    ] {
        let error = go!(conn.create_topics(&[config])).expect_err("no such topic");
        assert_eq!(error.kind(), ErrorKind::Misuse, "{error}");
        assert!(error.to_string().starts_with(field), "{field}: {error}");
    }
}}

// CN-01, CN-05, CN-06, TY-01, TY-02.
scenario! { the_brokers_describe_themselves(place: Place) {
    let conn = go!(dialer().dial(&place.broker())).expect("a connection");
    let versions = go!(conn.api_versions()).expect("an answer");
    let fetch = versions.iter().find(|v| v.api_key == ApiKey::Fetch as i16).expect("it reads");
    assert!(fetch.min_version <= fetch.max_version && fetch.max_version >= 2);
    let brokers = go!(conn.brokers()).expect("an answer");
    assert_eq!(brokers.len(), place.brokers.split(',').count());
    let controller = go!(conn.controller()).expect("there is one");
    assert!(brokers.contains(&controller));
    let broker = &brokers[0];
    assert!(place.brokers.contains(&broker.port.to_string()), "{broker}");
    assert_eq!((broker.rack.as_deref(), broker.host.is_empty()), (None, false));
    let (local, peer) = (conn.local_addr().expect("TCP"), conn.peer_addr().expect("TCP"));
    assert!(place.broker().ends_with(&format!(":{}", peer.port())), "{peer}");
    assert!(local.ip().is_loopback() && local.port() != peer.port(), "{local}");
    assert!(conn.broker().is_none(), "it was dialled for no partition");
}}

// CN-15, TY-05.
scenario! { partitions_are_listed_with_their_leaders(place: Place) {
    let topic = go!(new_topic(&place, 3));
    let own = go!(leader(&place, &topic, 0));
    let partitions = go!(own.read_partitions(&[])).expect("those of its topic");
    assert_eq!(partitions.iter().map(|p| p.id).collect::<Vec<_>>(), [0, 1, 2]);
    for partition in &partitions {
        assert_eq!(partition.topic, topic);
        let leader = partition.leader.as_ref().expect("somebody leads it");
        assert_eq!((&partition.replicas, &partition.isr), (&vec![leader.clone()], &vec![leader.clone()]));
        assert!(partition.offline_replicas.is_empty());
    }
    // without a topic, all of them
    let any = go!(dialer().dial(&place.broker())).expect("a connection");
    for all in [go!(any.read_partitions(&[])), go!(own.read_all_partitions())] {
        let all = all.expect("an answer");
        assert_eq!(all.iter().filter(|p| p.topic == topic).count(), 3);
        assert!(all.iter().any(|p| p.topic != topic), "other scenarios have topics, too");
    }
    // and nothing is read or written
    let mut any = any;
    for error in [
        go!(any.write_value(b"x")).expect_err("where to"),
        go!(any.read_message(1 << 20)).expect_err("from where"),
        go!(any.seek(SeekFrom::End(0))).expect_err("of what"),
    ] {
        assert_eq!(error.kind(), ErrorKind::Misuse, "{error}");
    }
}}

// DI-10, DI-11, DI-12, DI-13, DI-14, DI-15, DI-16, DI-17, FN-02, FN-03, FN-04, FN-05, FN-06, FN-07.
scenario! { dialling_a_partition_goes_to_its_leader(place: Place) {
    let topic = go!(new_topic(&place, 3));
    for id in 0..3 {
        drop(go!(leader(&place, &topic, id)));
    }
    let (address, dialer) = (place.broker(), dialer());
    let partitions = go!(dialer.lookup_partitions(&address, &topic)).expect("three");
    assert_eq!(go!(kafka::lookup_partitions(&address, &topic)).expect("three"), partitions);
    assert_eq!(partitions.len(), 3);
    for partition in &partitions {
        let id = partition.id;
        let found = go!(dialer.lookup_partition(&address, &topic, id)).expect("there");
        assert_eq!(&found, partition);
        assert_eq!(go!(kafka::lookup_partition(&address, &topic, id)).expect("there"), found);
        let led = go!(dialer.lookup_leader(&address, &topic, id)).expect("led");
        assert_eq!(Some(&led), partition.leader.as_ref());
        assert_eq!(go!(kafka::lookup_leader(&address, &topic, id)).expect("led"), led);
        for conn in [
            go!(dialer.dial_partition(partition)).expect("a connection"),
            go!(kafka::dial_partition(partition)).expect("a connection"),
            go!(dialer.dial_leader(&address, &topic, id)).expect("a connection"),
            go!(kafka::dial_leader(&address, &topic, id)).expect("a connection"),
        ] {
            assert_eq!((conn.topic(), conn.partition()), (&*topic, id));
            assert_eq!(conn.broker(), Some(&led));
            assert_eq!(conn.peer_addr().expect("TCP").port(), led.port);
            // only the leader takes it
            go!(conn.write_value(b"x")).expect("written");
        }
    }
    let conn = go!(kafka::dial(&address)).expect("a connection");
    assert!(conn.topic().is_empty());
    let error = go!(dialer.dial_leader(&address, "no/such topic", 0)).expect_err("an illegal name");
    assert!(matches!(error.kind(), ErrorKind::UnknownTopic | ErrorKind::Refused), "{error}");
}}

// DI-02, DI-17.
scenario! { what_is_not_there_is_told_after_a_few_attempts(place: Place) {
    let topic = go!(new_topic(&place, 1));
    drop(go!(leader(&place, &topic, 0)));
    let (address, start) = (place.broker(), Instant::now());
    let error = go!(dialer().lookup_partition(&address, &topic, 99)).expect_err("no such partition");
    assert_eq!(error.code(), Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION), "{error}");
    assert!(start.elapsed() < LIMIT, "it does not ask for ever");
    // the time-out is for all of it, the lookup included
    let hasty = dialer().timeout(Duration::from_millis(250));
    let error = go!(hasty.dial_leader(&address, &topic, 99)).expect_err("no time left");
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
}}

// CN-25, RM-08.
scenario! { a_proxy_passes_bytes_on(place: Place) {
    let conn = go!(dialer().dial(&place.broker())).expect("a connection");
    let brokers = go!(conn.brokers()).expect("an answer").len();
    // Metadata version 1 of no topics: the answer begins with how many brokers there are
    let no_topics = bytes::Bytes::from_static(&[0, 0, 0, 0]);
    if go!(highest(&conn, ApiKey::Metadata)) >= 1 {
        let body = go!(conn.raw(ApiKey::Metadata as i16, 1, no_topics)).expect("an answer");
        assert_eq!(body[..4], (brokers as u32).to_be_bytes());
        let response = go!(conn.request_at(1, MetadataRequest::default())).expect("an answer");
        assert_eq!(response.brokers.len(), brokers);
        assert_eq!(response.cluster_id, None, "version 1 does not carry it");
    }
    let error = go!(conn.request_at(999, MetadataRequest::default())).expect_err("no such version");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    // a broker ends the connection on what it does not know, and then all calls know it
    let body = bytes::Bytes::from_static(&[0]);
    let error = go!(conn.raw(30_000, 0, body)).expect_err("no such request");
    assert_eq!(error.kind(), ErrorKind::Disconnected, "{error}");
}}

// CT-09, DI-01.
scenario! { a_connection_says_whose_it_is(place: Place) {
    let _ = place;
    let default = kafka::default_client_id();
    let (who, by) = default.split_once(" (").expect("program@host (crate)");
    let (program, host) = who.split_once('@').expect("program@host");
    assert!(program.starts_with("scenarios-") && !host.is_empty(), "{default}");
    assert!(by.starts_with("kafka-client-") && by.ends_with(')'), "{default}");
    for (dialer, expected) in [(dialer(), &*default), (dialer().client_id("billing"), "billing")] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let heard = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            // length, key, version and correlation id, then the name
            let mut head = [0; 14];
            std::io::Read::read_exact(&mut stream, &mut head).expect("a request");
            let mut name = vec![0; usize::from(u16::from_be_bytes([head[12], head[13]]))];
            std::io::Read::read_exact(&mut stream, &mut name).expect("a request");
            String::from_utf8(name).expect("text")
        });
        go!(dialer.dial(&address)).expect_err("it hangs up");
        assert_eq!(heard.join().expect("no panic"), expected);
    }
}}

// CN-02.
scenario! { a_closed_connection_says_so(place: Place) {
    let topic = go!(new_topic(&place, 1));
    let conn = go!(dialer().dial(&place.broker())).expect("a connection");
    conn.close();
    drop(conn);
    let mut conn = go!(leader(&place, &topic, 0));
    conn.close();
    conn.close();
    let errors = [
        go!(conn.write_value(b"x")).expect_err("closed"),
        go!(conn.read_message(1 << 20)).expect_err("closed"),
        go!(conn.read_value(&mut [0; 4])).expect_err("closed"),
        go!(conn.offsets()).expect_err("closed"),
        go!(conn.brokers()).expect_err("closed"),
        go!(conn.request(MetadataRequest::default())).expect_err("closed"),
        go!(conn.raw(3, 0, bytes::Bytes::new())).expect_err("closed"),
        go!(conn.lookup_leader(&topic, 0)).expect_err("closed"),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    }
}}

// CN-03, CN-04, CN-15, TY-03: by a client, which finds the controller and leaders itself.
scenario! { a_client_administers_topics(place: Place) {
    let probe = go!(dialer().dial(&place.broker())).expect("a connection");
    if go!(highest(&probe, ApiKey::Metadata)) < 4 {
        return; // a client needs 0.11
    }
    let client = go!(connected(&place));
    let (name, missing) = (place.name(), place.name());
    let config = TopicConfig::new(&name).partitions(3).replication_factor(1);
    let topics = [config.config("retention.ms", "3600000")];
    go!(client.create_topics(&topics)).expect("created");
    go!(client.create_topics(&topics)).expect("left as it is");
    let again = go!(client.create_topics_detailed(&topics)).expect("an answer");
    let error = again[0].result.as_ref().expect_err("it exists");
    assert_eq!(error.code(), Some(ErrorCode::TOPIC_ALREADY_EXISTS));
    let conn = go!(leader(&place, &name, 1));
    go!(fill(&conn, 4));
    drop((go!(leader(&place, &name, 0)), go!(leader(&place, &name, 2))));
    let partitions = go!(client.partitions(&[&name])).expect("three");
    assert_eq!(partitions.iter().map(|p| p.id).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(go!(client.partitions(&[])).expect("all").len() >= 3);
    let offsets = go!(client.offsets(&name)).expect("three");
    let offsets: Vec<_> = offsets.iter().map(|o| (o.partition, o.first, o.last)).collect();
    assert_eq!(offsets, [(0, 0, 0), (1, 0, 4), (2, 0, 0)]);
    let error = go!(client.offsets(&missing)).expect_err("not there");
    assert_eq!(error.kind(), ErrorKind::UnknownTopic);
    if go!(highest(&probe, ApiKey::IncrementalAlterConfigs)) >= 0 {
        let set = [("retention.ms", None), ("cleanup.policy", Some("compact"))];
        go!(client.set_topic_configs(&name, &set)).expect("set");
        // with KRaft the broker that describes it hears of it a little later
        let start = Instant::now();
        let (policy, retention) = loop {
            let configs = go!(client.topic_configs(&name)).expect("described");
            let entry = |name: &str| configs.iter().find(|c| c.name == name).expect("there").clone();
            let policy = entry("cleanup.policy");
            if policy.value.as_deref() == Some("compact") || start.elapsed() > LIMIT {
                break (policy, entry("retention.ms"));
            }
            go!(sleep(MOMENT));
        };
        assert_eq!((policy.value.as_deref(), policy.is_default), (Some("compact"), false));
        assert!(retention.is_default);
        let error = go!(client.topic_configs(&missing)).expect_err("not there");
        assert_eq!(error.kind(), ErrorKind::UnknownTopic);
        let error = go!(client.set_topic_configs(&missing, &set)).expect_err("not there");
        assert_eq!(error.kind(), ErrorKind::UnknownTopic);
        // of two, one of which there is not, none is set
        let wrong = [("segment.ms", Some("1000")), ("no.such", Some("1"))];
        let error = go!(client.set_topic_configs(&name, &wrong)).expect_err("there is no such");
        assert_eq!(error.code(), Some(ErrorCode::INVALID_CONFIG));
        assert!(error.to_string().contains("no.such"), "{error}");
        let configs = go!(client.topic_configs(&name)).expect("described");
        assert!(configs.iter().any(|c| c.name == "segment.ms" && c.is_default));
    }
    let results = go!(client.delete_topics_detailed(&[&missing, &name])).expect("an answer");
    assert!(results[0].result.is_err() && results[1].result.is_ok(), "{results:?}");
    let error = go!(client.delete_topics(&[&missing])).expect_err("not there");
    assert_eq!(error.kind(), ErrorKind::UnknownTopic);
    go!(closed(client));
}}

// TY-08.
scenario! { groups_are_listed(place: Place) {
    let conn = go!(dialer().dial(&place.broker())).expect("a connection");
    if go!(highest(&conn, ApiKey::OffsetCommit)) < 0 {
        // the in-process broker has no groups
        assert!(go!(conn.list_groups()).expect("an answer").is_empty());
        return;
    }
    let (group, topic) = (place.name(), go!(new_topic(&place, 1)));
    drop(go!(leader(&place, &topic, 0)));
    // offsets that somebody committed without being a member make a group
    let commit = || OffsetCommitRequest::build(|r| {
        r.group_id = group.clone();
        r.generation_id_or_member_epoch = -1;
        r.topics.push(OffsetCommitRequestTopic::build(|t| {
            t.name = topic.clone();
            t.partitions.push(OffsetCommitRequestPartition::build(|p| p.committed_offset = 7));
        }));
    });
    let start = Instant::now();
    loop {
        // the first one to ask for it has the brokers make what coordinators need
        let find = FindCoordinatorRequest::build(|r| r.key.clone_from(&group));
        go!(conn.request_at(0, find)).expect("an answer");
        // by name, in a version that all of them have
        let response = go!(conn.request_at(2, commit())).expect("an answer");
        match ErrorCode(response.topics[0].partitions[0].error_code) {
            ErrorCode::NONE => break,
            code if code.is_retriable() && start.elapsed() < LIMIT => go!(sleep(MOMENT)),
            code => panic!("{code}"),
        }
    }
    let groups = go!(conn.list_groups()).expect("an answer");
    let found = groups.iter().find(|g| g.group_id == group).expect("listed");
    assert_eq!(found.protocol_type, "", "nobody has joined it");
    if go!(highest(&conn, ApiKey::Metadata)) >= 4 {
        let client = go!(connected(&place));
        let groups = go!(client.list_groups()).expect("of all brokers");
        assert!(groups.iter().any(|g| g.group_id == group));
        go!(closed(client));
    }
}}

// RM-06, RM-07, RM-08.
scenario! { the_readme_of_the_seed_in_our_words(place: Place) {
    let topic = go!(new_topic(&place, 1));
    drop(go!(leader(&place, &topic, 0)));
    let conn = go!(dialer().dial_leader(&place.broker(), &topic, 0)).expect("the leader");
    conn.set_write_deadline(Some(Instant::now() + Duration::from_secs(10)));
    let records = [Record::new("one!"), Record::new("two!"), Record::new("three!")];
    go!(conn.write_messages(&records)).expect("written");
    conn.close();

    let mut conn = go!(dialer().dial_leader(&place.broker(), &topic, 0)).expect("the leader");
    conn.set_read_deadline(Some(Instant::now() + Duration::from_secs(10)));
    let mut limits = FetchLimits::default();
    (limits.min_bytes, limits.max_bytes) = (10_000, 1_000_000);
    let mut batch = go!(conn.read_batch(limits)).expect("good");
    let mut buffer = [0; 10_000];
    let mut read = Vec::new();
    while let Some(length) = batch.read_value(&mut buffer).expect("good") {
        read.push(buffer[..length].to_vec());
    }
    batch.close().expect("good");
    conn.close();
    assert_eq!(read, [&b"one!"[..], b"two!", b"three!"]);
}}
