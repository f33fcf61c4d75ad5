//! The launcher of real brokers, tried on real brokers.

mod common;

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use kafka_testing::kafka::{Checksum, Kafka, KafkaVersion, LaunchError, Options, Peer};
use libtest_mimic::{Arguments, Trial};

use common::{Outcome, broker_trial, kafka_trial};

fn main() {
    if env::var_os(CHILD).is_some() {
        return start_and_wait_for_the_end();
    }
    let newest = KafkaVersion::V4_3_1;
    let mut trials: Vec<_> = KafkaVersion::TESTED.into_iter().map(release).collect();
    trials.extend([
        broker_trial(
            "java_reads_what_java_wrote",
            newest,
            java_reads_what_java_wrote,
        ),
        broker_trial(
            "a_killed_node_comes_back_with_its_data",
            newest,
            a_killed_node_comes_back_with_its_data,
        ),
        broker_trial(
            "a_frozen_node_is_silent_until_thawed",
            newest,
            a_frozen_node_is_silent_until_thawed,
        ),
        kafka_trial(
            "a_killed_node_comes_back_beside_zookeeper",
            KafkaVersion::V0_10_2_2,
            a_killed_node_comes_back_beside_zookeeper,
        ),
        kafka_trial(
            "three_nodes_go_on_without_one",
            newest,
            three_nodes_go_on_without_one,
        ),
        kafka_trial(
            "nothing_is_left_after_drop_or_panic",
            newest,
            nothing_is_left_after_drop_or_panic,
        ),
        kafka_trial(
            "nothing_is_left_after_a_killed_test",
            newest,
            nothing_is_left_after_a_killed_test,
        ),
        kafka_trial(
            "a_node_that_dies_at_start_says_why",
            newest,
            a_node_that_dies_at_start_says_why,
        ),
        Trial::test("a_missing_program_is_named", a_missing_program_is_named),
    ]);
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn java_reads_what_java_wrote(kafka: &Kafka) -> Outcome {
    const COUNT: u64 = 10_000;
    let peer = kafka.peer();
    peer.topic("java", 3)?;
    let written = peer.produce("java", COUNT, 100)?;
    let read = peer.consume("java", COUNT)?;
    assert_eq!(written, read);
    assert_eq!(read.count, COUNT);
    assert!(read.is_ordered() && read.is_increasing());
    let mut expected = Checksum::default();
    for number in 0..COUNT {
        expected.add((number % 3) as i32, &Peer::value(number, 100));
    }
    assert_eq!(read.checksum, expected.value());

    let too_few = peer
        .limit(Duration::from_secs(10))
        .consume("java", COUNT + 1);
    let reason = too_few
        .map_err(|e| e.to_string())
        .expect_err("there is no such message");
    assert!(reason.contains("got 10000 of 10001"), "{reason}");
    Ok(())
}

fn a_killed_node_comes_back_with_its_data(kafka: &Kafka) -> Outcome {
    let address = kafka.brokers()[0];
    assert!(address.port() < first_ephemeral_port(), "{address}");
    assert_eq!(kafka.bootstrap(), address.to_string());
    kafka.peer().topic("kept", 1)?;
    kafka.peer().produce("kept", 10, 20)?;

    let pid = kafka.pid(0).expect("it runs");
    kafka.kill(0)?;
    assert!(!is_running(pid, kafka.folder()));
    assert_eq!(kafka.pid(0), None);
    assert!(!kafka.is_ready(0, SHORT));
    assert!(matches!(
        kafka.kill(0),
        Err(LaunchError::NotRunning { node: 0 })
    ));
    assert!(matches!(
        kafka.freeze(1),
        Err(LaunchError::NotRunning { node: 1 })
    ));
    let foreign = TcpListener::bind((Ipv4Addr::LOCALHOST, address.port()))?;
    assert!(matches!(
        kafka.restart(0),
        Err(LaunchError::PortTaken { node: 0, .. })
    ));
    drop(foreign);

    kafka.restart(0)?;
    assert_eq!(kafka.brokers(), [address]);
    assert_eq!(kafka.peer().consume("kept", 10)?.count, 10);
    assert!(kafka.log(0).contains("Kafka Server started"));
    kafka.shut_down(0)?;
    assert!(kafka.log(0).contains("shut down completed"));
    Ok(())
}

fn a_frozen_node_is_silent_until_thawed(kafka: &Kafka) -> Outcome {
    kafka.freeze(0)?;
    assert!(!kafka.is_ready(0, SHORT));
    kafka.thaw(0)?;
    let end = Instant::now() + LONG;
    while !kafka.is_ready(0, SHORT) {
        assert!(Instant::now() < end, "{}", kafka.log(0));
    }
    Ok(())
}

/// One release, started, written to, read and stopped. Those that CI leaves out are ignored unless asked for.
fn release(version: KafkaVersion) -> Trial {
    const CI: [KafkaVersion; 4] = [
        KafkaVersion::V0_10_2_2,
        KafkaVersion::V2_8_2,
        KafkaVersion::V3_9_1,
        KafkaVersion::V4_3_1,
    ];
    let name = format!("release_{version}_starts_and_keeps_messages");
    let trial = kafka_trial(&name, version, move || {
        let kafka = Kafka::start(Options::new().version(version))?;
        assert!(kafka.is_ready(0, LONG));
        kafka.peer().topic("kept", 2)?;
        let written = kafka.peer().produce("kept", 10, 8)?;
        assert_eq!((written.count, written.partitions.len()), (10, 2));
        assert_eq!(written, kafka.peer().consume("kept", 10)?);
        kafka.stop()?;
        Ok(())
    });
    if CI.contains(&version) {
        trial
    } else {
        trial.with_ignored_flag(true)
    }
}

/// The oldest release, whose broker ends with an error if it starts while its former self is still registered.
fn a_killed_node_comes_back_beside_zookeeper() -> Outcome {
    let kafka = Kafka::start(Options::new().version(KafkaVersion::V0_10_2_2))?;
    kafka.peer().topic("kept", 1)?;
    kafka.peer().produce("kept", 10, 8)?;
    kafka.freeze(0)?;
    assert!(!kafka.is_ready(0, SHORT));
    kafka.thaw(0)?;
    kafka.kill(0)?;
    kafka.restart(0)?;
    assert_eq!(kafka.peer().consume("kept", 10)?.count, 10);

    let pid = kafka.pid(0).expect("it runs");
    let folder = kafka.folder().to_owned();
    assert!(running_in(&folder).len() >= 2, "a broker and its ZooKeeper");
    drop(kafka);
    assert!(!is_running(pid, &folder) && !folder.exists());
    assert_eq!(running_in(&folder), [0u32; 0]);
    Ok(())
}

fn three_nodes_go_on_without_one() -> Outcome {
    let kafka = Kafka::start(
        Options::new()
            .nodes(3)
            .property("auto.create.topics.enable", "false"),
    )?;
    assert_eq!(kafka.bootstrap().split(',').count(), 3);
    kafka.peer().topic("three", 3)?;
    kafka.kill(1)?;
    assert_eq!(kafka.peer().produce("three", 300, 50)?.count, 300);
    kafka.restart(1)?;
    assert!((0..3).all(|node| kafka.is_ready(node, LONG)));
    assert_eq!(kafka.peer().consume("three", 300)?.partitions.len(), 3);
    Ok(())
}

fn nothing_is_left_after_drop_or_panic() -> Outcome {
    let mut left = None;
    let start = |left: &mut Option<(u32, PathBuf)>| {
        let kafka = Kafka::start(Options::new()).expect("a broker");
        let pid = kafka.pid(0).expect("it runs");
        assert!(is_running(pid, kafka.folder()));
        *left = Some((pid, kafka.folder().to_owned()));
        kafka
    };
    // Frozen, since a stopped process is the hardest to end.
    start(&mut left).freeze(0)?;
    let (pid, folder) = left.take().expect("a broker had been started");
    assert!(!is_running(pid, &folder) && !folder.exists());

    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _kafka = start(&mut left);
        std::panic::resume_unwind(Box::new("on purpose"));
    }));
    assert!(panicked.is_err());
    let (pid, folder) = left.take().expect("a broker had been started");
    assert!(!is_running(pid, &folder) && !folder.exists());
    Ok(())
}

/// Starts this program again as the test that gets killed.
fn nothing_is_left_after_a_killed_test() -> Outcome {
    let mut child = Command::new(env::current_exe()?)
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let pid = lines
        .next()
        .ok_or("the child could not start a broker")??
        .parse()?;
    let folder = PathBuf::from(lines.next().ok_or("the child said no folder")??);
    assert!(is_running(pid, &folder) && folder.exists());
    child.kill()?;
    child.wait()?;
    // It is the supervisor that does it, whose end we are not told.
    let end = Instant::now() + LONG;
    while is_running(pid, &folder) || folder.exists() {
        assert!(
            Instant::now() < end,
            "process {pid} or {} is still there",
            folder.display()
        );
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn a_node_that_dies_at_start_says_why() -> Outcome {
    let error = Kafka::start(Options::new().property("num.io.threads", "none"))
        .err()
        .ok_or("it started")?;
    let text = error.to_string();
    assert!(
        matches!(
            error,
            LaunchError::Died {
                node: 0,
                code: Some(1),
                ..
            }
        ),
        "{text}"
    );
    assert!(text.contains("num.io.threads"), "{text}");
    Ok(())
}

/// Runs this program again without Java: its trials must be ignored, or failed where they are required.
fn a_missing_program_is_named() -> Result<(), libtest_mimic::Failed> {
    let run = |required: &str| {
        Command::new(env::current_exe()?)
            .args(["--exact", "release_3.9.1_starts_and_keeps_messages"])
            .env("PATH", "/nonexistent")
            .env_remove("JAVA_HOME")
            .env("KAFKA_TESTING_REQUIRE", required)
            .output()
    };
    let ignored = run("0").map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&ignored.stdout);
    assert!(ignored.status.success(), "{text}");
    assert!(
        text.contains("[java: not found; install a JDK 17"),
        "{text}"
    );
    assert!(
        text.contains("... ignored") && text.contains("0 passed; 0 failed; 1 ignored"),
        "{text}"
    );
    let failed = run("1").map_err(|e| e.to_string())?;
    assert!(!failed.status.success());
    Ok(())
}

/// The life of the test that gets killed.
fn start_and_wait_for_the_end() {
    let kafka = Kafka::start(Options::new()).expect("a broker");
    println!(
        "{}\n{}",
        kafka.pid(0).expect("it runs"),
        kafka.folder().display()
    );
    let mut line = String::new();
    let _ = std::io::stdin().read_line(&mut line);
}

const CHILD: &str = "KAFKA_TESTING_LAUNCHER_CHILD";
const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(30);

/// Whether a process with this folder on its command line runs under this id.
fn is_running(pid: u32, folder: &Path) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).contains(&*folder.to_string_lossy())
}

/// The processes with this folder on their command line.
fn running_in(folder: &Path) -> Vec<u32> {
    let ids = fs::read_dir("/proc").into_iter().flatten().flatten();
    ids.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| is_running(*pid, folder))
        .collect()
}

fn first_ephemeral_port() -> u16 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").expect("linux");
    range
        .split_whitespace()
        .next()
        .and_then(|first| first.parse().ok())
        .expect("two numbers")
}
