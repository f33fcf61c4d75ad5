//! Answers that no broker sends, in the place of each answer that a client waits for.

use std::time::Duration;

use kafka_proto::{
    api::ApiKey,
    config::{OffsetReset, ReaderConfig},
    record::Record,
};
use kafka_testing::{
    broker::{Config, Fault, Rule},
    sim::{Chance, Faults, Sim},
};

const TOPIC: &str = "orders";
const VALUES: [&str; 3] = ["a", "b", "c"];

/// Every question that this exchange asks.
const ASKED: [ApiKey; 6] = [
    ApiKey::ApiVersions,
    ApiKey::Metadata,
    ApiKey::InitProducerId,
    ApiKey::Produce,
    ApiKey::ListOffsets,
    ApiKey::Fetch,
];

/// Writes messages one after the other and reads them, while the answer after `skip` others to `api` meets with `fault`.
/// Returns whether there was such an answer.
fn exchange(fault: Fault, api: ApiKey, skip: u64, seed: u64) -> bool {
    let sim = Sim::new(seed, Config::new(), Faults::none());
    sim.cluster(|cluster| cluster.create_topic(TOPIC, 1));
    let what = format!("{fault:?} of {api:?} after {skip}, seed {seed}");
    let rule = Rule::new(fault).api(api).skip(skip);
    let rule = sim.cluster(|cluster| cluster.inject(rule));
    let client = sim.client(sim.config());
    let writer = client.writer(TOPIC).expect("a writer");
    let config = ReaderConfig::topic(TOPIC)
        .max_wait(Duration::from_millis(50))
        .reset(OffsetReset::First);
    let story = async {
        for value in VALUES {
            let written = writer.write(Record::new(value)).await;
            written.unwrap_or_else(|e| panic!("{what}: {e}"));
        }
        let mut reader = client.reader(config).expect("a reader");
        for value in VALUES {
            let message = loop {
                match reader.read_message().await {
                    Ok(message) => break message.expect("open"),
                    // damage is told, and what is behind it is read all the same
                    Err(error) => sim.note(format!("the reader: {error}")),
                }
            };
            assert_eq!(message.value(), Some(value.as_bytes()), "{what}");
        }
    };
    if let Err(stuck) = sim.block_on(Duration::from_secs(120), story) {
        sim.trace().iter().for_each(|line| println!("{line}"));
        panic!("{what}: {stuck}");
    }
    let log = sim.cluster(|cluster| cluster.log(TOPIC, 0).values());
    assert_eq!(log, VALUES, "{what}");
    sim.cluster(|cluster| cluster.hits(rule)) > 0
}

/// Puts a frame's true length before it.
fn measured(frame: &mut [u8]) {
    let length = u32::try_from(frame.len() - 4).expect("small");
    frame[..4].copy_from_slice(&length.to_be_bytes());
}

fn length(length: i32) -> Fault {
    Fault::corrupt(move |frame| frame[..4].copy_from_slice(&length.to_be_bytes()))
}

/// The answer is `by` bytes longer or shorter than it should be, and says so.
fn resized(by: isize) -> Fault {
    Fault::corrupt(move |frame| {
        let length = frame.len().saturating_add_signed(by).max(8);
        frame.resize(length, 7);
        measured(frame);
    })
}

/// Faults 10, 11, 12: lengths that no frame has, answers to nobody, answers that are short or long. Each costs a
/// connection; nothing is lost, doubled or given to another.
#[test]
fn an_answer_that_cannot_be_costs_a_connection_and_nothing_else() {
    let wrong = || {
        [
            length(-1),
            length(i32::MIN),
            length(0),
            length(3),
            length(i32::MAX),
            Fault::corrupt(|frame| frame[7] ^= 1),
            Fault::corrupt(|frame| {
                // twice
                let again = frame.clone();
                frame.extend(again);
            }),
            resized(-1),
            resized(-9),
            resized(1),
            resized(100),
        ]
    };
    for api in ASKED {
        for skip in 0..2 {
            for (seed, fault) in (0..).zip(wrong()) {
                let met = exchange(fault, api, skip, seed);
                assert!(met || skip > 0, "nobody asked for {api:?}");
            }
        }
    }
}

/// Fault 13: any bytes in the place of an answer. What its checksum covers comes as it was or not at all, and all goes on.
#[test]
fn any_bytes_in_the_place_of_an_answer_are_survived() {
    let mut met = 0;
    for seed in 0..400 {
        let mut chance = Chance::new(seed, "bytes");
        let api = *chance.pick(&ASKED);
        let skip = chance.below(2) as u64;
        let words: Vec<_> = (0..32).map(|_| chance.bits()).collect();
        let whole = chance.per_mille(200);
        // numbers are believed: a wrong offset or version is a wrong answer, not a bad one
        let believed = [ApiKey::Produce, ApiKey::ListOffsets, ApiKey::ApiVersions];
        if believed.contains(&api) && !whole {
            continue;
        }
        let fault = Fault::corrupt(move |frame| {
            let bytes = words.iter().flat_map(|word| word.to_be_bytes());
            if whole {
                frame.truncate(8);
                frame.extend(bytes);
                measured(frame);
            } else {
                // the counts and lengths behind the throttle time
                let from = 13 + words[0] as usize % 8;
                frame
                    .iter_mut()
                    .skip(from)
                    .zip(bytes.skip(8))
                    .take(3)
                    .for_each(|(old, new)| *old = new);
            }
        });
        met += usize::from(exchange(fault, api, skip, seed));
    }
    assert!(met > 100, "only {met} answers were mangled");
}

/// Fault 58: the answer comes a second after its time-out, when the question has been asked again elsewhere.
#[test]
fn an_answer_that_comes_too_late_is_given_to_nobody() {
    for api in ASKED {
        for skip in 0..2 {
            let late = Fault::DelayResponse(Duration::from_secs(6));
            let met = exchange(late, api, skip, 0);
            assert!(met || skip > 0, "nobody asked for {api:?}");
        }
    }
}
