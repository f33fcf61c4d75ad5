//! The in-process broker, as clients of other hands meet it, unmodified and over sockets: Kafka's own Java clients of
//! four releases, and librdkafka by way of kcat. A broker that only our client has talked to proves nothing.

mod common;

use std::{
    collections::BTreeMap,
    io::Write,
    ops::Range,
    process::{Command, Stdio},
};

use bytes::Bytes;
use kafka_proto::record::{BatchBuilder, BatchHeader, Record};
use kafka_testing::{
    broker::{Cluster, Config, Release},
    kafka::{Checksum, KafkaVersion, Peer},
    server::Server,
};
use libtest_mimic::{Arguments, Trial};

use common::{Outcome, kafka_trial};

fn main() {
    let java = |version| {
        let name = format!("java_{version}_creates_writes_and_reads");
        let trial = kafka_trial(&name, version, move || java_round(version));
        // the oldest and the newest are enough for every change
        let middle = [KafkaVersion::V3_9_1, KafkaVersion::V4_0_2].contains(&version);
        if middle {
            trial.with_ignored_flag(true)
        } else {
            trial
        }
    };
    let mut trials: Vec<_> = [
        KafkaVersion::V2_8_2,
        KafkaVersion::V3_9_1,
        KafkaVersion::V4_0_2,
        KafkaVersion::V4_3_1,
    ]
    .map(java)
    .into();
    let newest = KafkaVersion::V4_3_1;
    trials.push(kafka_trial(
        "java_writes_with_every_codec",
        newest,
        java_codecs,
    ));
    trials.push(kafka_trial(
        "java_survives_a_broker_that_stops",
        newest,
        java_survives,
    ));
    trials.push(kafka_trial(
        "java_reads_a_compacted_log_to_its_end",
        newest,
        java_compacted,
    ));
    trials.push(kafka_trial(
        "java_reads_what_transactions_committed",
        newest,
        java_transactions,
    ));
    trials.push(kafka_trial(
        "java_finds_brokers_of_an_old_release",
        KafkaVersion::V3_9_1,
        java_old_release,
    ));
    for (name, body) in [
        (
            "librdkafka_writes_and_reads",
            librdkafka_round as fn() -> Outcome,
        ),
        (
            "librdkafka_writes_idempotently_with_every_codec",
            librdkafka_codecs,
        ),
        (
            "librdkafka_finds_brokers_of_any_release",
            librdkafka_releases,
        ),
        ("librdkafka_asks_for_metadata_and_offsets", librdkafka_asks),
    ] {
        let trial = Trial::test(name, move || body().map_err(|e| e.to_string().into()));
        trials.push(match kcat_is_there() {
            true => trial,
            false => trial
                .with_kind("kcat: not found; install kcat")
                .with_ignored_flag(true),
        });
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn serve(brokers: i32) -> Server {
    Server::start(Cluster::new(Config::new().brokers(brokers))).expect("ports")
}

fn java(version: KafkaVersion, server: &Server) -> Peer {
    Peer::new(version, server.bootstrap())
}

fn java_round(version: KafkaVersion) -> Outcome {
    const COUNT: u64 = 20_000;
    let server = serve(3);
    let peer = java(version, &server);
    // the admin client
    peer.topic("round", 6)?;
    assert_eq!(server.with(|c| c.partition_count("round")), 6);
    // the producer, idempotent by default from 3.0 on
    let written = peer.produce("round", COUNT, 100)?;
    assert_eq!((written.count, written.partitions.len()), (COUNT, 6));
    let held: i64 = (0..6)
        .map(|p| server.with(|c| c.log("round", p).end_offset()))
        .sum();
    assert_eq!(held, COUNT as i64);
    for (nth, value) in server
        .with(|c| c.log("round", 5).values())
        .iter()
        .enumerate()
    {
        assert_eq!(value[..], Peer::value(6 * nth as u64 + 5, 100));
    }
    // the consumer, manually assigned
    let read = peer.consume("round", COUNT)?;
    assert_eq!(read, written);
    assert!(read.is_ordered() && read.is_increasing());
    let committed = peer.setting("isolation.level", "read_committed");
    assert_eq!(committed.consume("round", COUNT)?, written);
    Ok(())
}

fn java_codecs() -> Outcome {
    let server = serve(1);
    for codec in ["gzip", "snappy", "lz4", "zstd"] {
        let peer = java(KafkaVersion::V4_3_1, &server).setting("compression.type", codec);
        peer.topic(codec, 2)?;
        let written = peer.produce(codec, 5_000, 200)?;
        let batches = server.with(|c| c.log(codec, 0).batches().map(|b| b.codec()).max());
        assert!(batches.is_some_and(|codec| codec > 0), "{codec} is used");
        assert_eq!(server.with(|c| c.log(codec, 0).values().len()), 2_500);
        assert_eq!(peer.consume(codec, 5_000)?, written);
    }
    Ok(())
}

/// Every partition loses its leader while Java writes to it.
fn java_survives() -> Outcome {
    const COUNT: u64 = 200_000;
    let server = serve(3);
    let peer = java(KafkaVersion::V4_3_1, &server).setting("reconnect.backoff.ms", "20");
    peer.topic("moves", 3)?;
    let end = || -> i64 {
        (0..3)
            .map(|p| server.with(|c| c.log("moves", p).end_offset()))
            .sum()
    };
    let written = std::thread::scope(|scope| {
        let writing = scope.spawn(|| peer.produce("moves", COUNT, 100));
        let (mut due, mut midway) = (5_000, 0);
        for broker in [1, 2, 3] {
            while end() < due && !writing.is_finished() {
                std::thread::yield_now();
            }
            midway += usize::from(!writing.is_finished());
            server.stop_broker(broker);
            server.start_broker(broker).expect("its port is free");
            due = end() + 20_000;
        }
        assert!(midway > 0, "no broker was stopped while java wrote");
        writing.join().expect("no panic")
    })?;
    assert_eq!(written.count, COUNT);
    assert_eq!(end() as u64, COUNT, "nothing is lost or written twice");
    let read = peer.consume("moves", COUNT)?;
    assert_eq!(read.checksum, written.checksum);
    assert!(read.is_ordered() && read.is_increasing());
    Ok(())
}

fn java_compacted() -> Outcome {
    let server = serve(1);
    let peer = java(KafkaVersion::V4_3_1, &server).setting("batch.size", "2000");
    peer.topic("compacted", 1)?;
    peer.produce("compacted", 5_000, 100)?;
    // holes everywhere, at the ends of batches too
    let gone = server.with(|c| c.compact("compacted", 0, |record| record.offset % 7 == 0));
    assert!(gone > 4_000, "{gone}");
    let left = server.with(|c| c.log("compacted", 0).values().len()) as u64;
    assert_eq!(left + gone as u64, 5_000);
    let read = peer.consume("compacted", left)?;
    assert_eq!(read.count, left);
    assert!(read.is_ordered() && read.is_increasing());
    Ok(())
}

/// Two producers whose transactions interleave, some aborted, and the last one open: a consumer of committed records gets
/// what was committed, one of everything gets everything, and neither a marker.
fn java_transactions() -> Outcome {
    const ROUNDS: u64 = 60;
    let server = serve(1);
    server.with(|c| c.create_topic("tx", 2));
    let batch = |producer: i64, numbers: Range<u64>| {
        let mut builder = BatchBuilder::new(Vec::new());
        for number in numbers {
            builder.push(&Record::new(&Peer::value(number, 50)), 1_000);
        }
        let (mut header, body) = builder.finish();
        (header.producer_id, header.producer_epoch) = (producer, 0);
        header.attributes |= BatchHeader::TRANSACTIONAL;
        Bytes::from([&header.write(&body)[..], &body].concat())
    };
    let (mut all, mut committed) = (Told::default(), Told::default());
    for round in 0..ROUNDS {
        let partition = (round % 2) as i32;
        // of the two that are open at the same time, either, both or none is aborted
        let commits = [round % 3 != 0, round % 5 != 0];
        let numbers = |nth: u64| (10 * round + 3 * nth)..(10 * round + 3 * nth + 3);
        server.with(|c| {
            for (producer, nth) in [(1, 0), (2, 1), (1, 2)] {
                c.append("tx", partition, batch(producer, numbers(nth)));
                all.add(partition, numbers(nth));
                if commits[producer as usize - 1] {
                    committed.add(partition, numbers(nth));
                }
            }
            c.end_transaction("tx", partition, (2, 0), commits[1]);
            c.end_transaction("tx", partition, (1, 0), commits[0]);
        });
    }
    // what comes behind the start of an open transaction is for those alone who read everything
    server.with(|c| {
        for partition in [0, 1] {
            let numbers = 10_000..10_003;
            c.append("tx", partition, batch(3, numbers.clone()));
            all.add(partition, numbers);
        }
    });
    let peer = java(KafkaVersion::V4_3_1, &server);
    let read = peer.consume("tx", all.count)?;
    assert_eq!((read.count, read.checksum), (all.count, all.sum.value()));
    let peer = peer.setting("isolation.level", "read_committed");
    let read = peer.consume("tx", committed.count)?;
    let expected = (committed.count, committed.sum.value());
    assert_eq!((read.count, read.checksum), expected);
    assert!(read.is_ordered() && read.is_increasing());
    Ok(())
}

/// What a consumer should report.
#[derive(Default)]
struct Told {
    count: u64,
    sum: Checksum,
}

impl Told {
    fn add(&mut self, partition: i32, numbers: Range<u64>) {
        for number in numbers {
            self.count += 1;
            self.sum.add(partition, &Peer::value(number, 50));
        }
    }
}

/// The last Java client that speaks to brokers before 2.1, on brokers that write no batches yet, and that do.
fn java_old_release() -> Outcome {
    for release in [Release::V0_10_2, Release::V0_11] {
        let cluster = Cluster::new(Config::new().as_version(release));
        let server = Server::start(cluster)?;
        server.with(|c| c.create_topic("old", 2));
        let mut peer = java(KafkaVersion::V3_9_1, &server);
        if release == Release::V0_10_2 {
            peer = peer
                .setting("enable.idempotence", "false")
                .setting("allow.auto.create.topics", "true");
        }
        let peer = peer.setting("compression.type", "gzip");
        let written = peer.produce("old", 2_000, 100)?;
        assert_eq!(peer.consume("old", 2_000)?, written, "{release:?}");
    }
    Ok(())
}

fn kcat_is_there() -> bool {
    let mut command = Command::new("kcat");
    command.arg("-V").stdin(Stdio::null()).stdout(Stdio::null());
    command
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

/// Runs kcat, for a minute at most, and returns what it prints.
fn kcat(server: &Server, arguments: &[&str], input: &str) -> Result<String, String> {
    let mut child = Command::new("timeout")
        .args(["60", "kcat", "-b", &server.bootstrap()])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| e.to_string())?;
    let mut stdin = child.stdin.take().expect("it is piped");
    let input = input.to_owned();
    let writing = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    // one that failed may have left its input unread
    let _ = writing.join();
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("kcat {arguments:?}: {}: {said}", output.status)),
    }
}

fn librdkafka_round() -> Outcome {
    let server = serve(3);
    server.with(|c| c.create_topic("round", 4));
    let lines: String = (0..10_000)
        .map(|n| format!("key-{}:value-{n}\n", n % 50))
        .collect();
    kcat(
        &server,
        &["-P", "-t", "round", "-K", ":", "-X", "acks=all"],
        &lines,
    )?;
    let format = [
        "-C",
        "-t",
        "round",
        "-o",
        "beginning",
        "-e",
        "-q",
        "-f",
        "%p %o %k:%s\n",
    ];
    let read = kcat(&server, &format, "")?;
    let mut next = BTreeMap::new();
    let mut got = Vec::new();
    for line in read.lines() {
        let mut words = line.splitn(3, ' ');
        let mut number = || words.next()?.parse::<i64>().ok();
        let (partition, offset) = (number().ok_or(line)?, number().ok_or(line)?);
        let due = next.entry(partition).or_insert(0);
        assert_eq!(offset, *due, "partition {partition}");
        *due += 1;
        got.push(words.next().ok_or(line)?.to_owned());
    }
    got.sort_unstable();
    let mut sent: Vec<_> = lines.lines().map(str::to_owned).collect();
    sent.sort_unstable();
    assert_eq!(got, sent);
    Ok(())
}

fn librdkafka_codecs() -> Outcome {
    let server = serve(1);
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        server.with(|c| c.create_topic(codec, 1));
        let lines: String = (0..5_000).map(|n| format!("{codec}-{n}\n")).collect();
        let settings = [
            "-X",
            "enable.idempotence=true",
            "-X",
            "linger.ms=20",
            "-z",
            codec,
        ];
        kcat(
            &server,
            &[&["-P", "-t", codec, "-p", "0"], &settings[..]].concat(),
            &lines,
        )?;
        let highest = server.with(|c| c.log(codec, 0).batches().map(|b| b.codec()).max());
        assert_eq!(highest > Some(0), codec != "none", "{codec}");
        let idempotent = server.with(|c| c.log(codec, 0).batches().all(|b| b.producer_id >= 0));
        assert!(idempotent, "{codec}");
        let read = kcat(
            &server,
            &["-C", "-t", codec, "-o", "beginning", "-e", "-q"],
            "",
        )?;
        assert_eq!(read, lines, "{codec}");
    }
    Ok(())
}

fn librdkafka_releases() -> Outcome {
    for release in Release::ALL {
        let cluster = Cluster::new(Config::new().as_version(release));
        let server = Server::start(cluster)?;
        server.with(|c| c.create_topic("old", 1));
        let lines: String = (0..1_000).map(|n| format!("value-{n}\n")).collect();
        let write = ["-P", "-t", "old", "-p", "0", "-z", "snappy"];
        kcat(&server, &write, &lines)?;
        let read = ["-C", "-t", "old", "-o", "beginning", "-e", "-q"];
        assert_eq!(kcat(&server, &read, "")?, lines, "{release:?}");
    }
    Ok(())
}

fn librdkafka_asks() -> Outcome {
    let server = serve(2);
    server.with(|c| c.create_topic("asked", 3));
    kcat(&server, &["-P", "-t", "asked", "-p", "1"], "a\nb\nc\n")?;
    let listed = kcat(&server, &["-L", "-t", "asked"], "")?;
    assert!(listed.contains("2 brokers:"), "{listed}");
    assert!(
        listed.contains("topic \"asked\" with 3 partitions:"),
        "{listed}"
    );
    // where the log is at a time: all of it is later than 1970
    let found = kcat(&server, &["-Q", "-t", "asked:1:1"], "")?;
    assert!(found.contains("asked [1] offset 0"), "{found}");
    let tail = kcat(
        &server,
        &["-C", "-t", "asked", "-p", "1", "-o", "-2", "-e", "-q"],
        "",
    )?;
    assert_eq!(tail, "b\nc\n");
    Ok(())
}
