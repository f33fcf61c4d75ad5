//! How long reading takes, in virtual time.

use std::time::Duration;

use kafka_proto::{
    config::{ReaderConfig, WriterConfig},
    record::Record,
};
use kafka_testing::{
    broker::Config,
    sim::{Faults, Sim},
};

const TOPIC: &str = "orders";

/// A broker parks a fetch of partitions that are read to their end; the others must not wait for it.
#[test]
fn partitions_at_their_end_do_not_hold_up_those_with_a_backlog() {
    let sim = Sim::new(1, Config::new().brokers(1), Faults::none());
    sim.cluster(|cluster| cluster.create_topic(TOPIC, 6));
    let client = sim.client(sim.config());
    let writer = WriterConfig::topic(TOPIC).batch_bytes(1024);
    let writer = client.writer(writer).expect("a writer");
    let wait = Duration::from_secs(5);
    let reader = ReaderConfig::topic(TOPIC)
        .partition_bytes(2000)
        .max_wait(wait);
    let story = async {
        // partition 0 is empty, the others have more and more
        let value = [b'x'; 500];
        for partition in 1..6 {
            for _ in 0..partition * 20 {
                let record = Record::new(&value).partition(partition);
                drop(writer.send(&[record]).await.expect("room"));
            }
        }
        writer.flush().await.expect("written");
        let mut reader = client.reader(reader).expect("a reader");
        let from = sim.now();
        for _ in 0..20 * (1 + 2 + 3 + 4 + 5) {
            reader.read_message().await.expect("read").expect("one");
            sim.sleep(Duration::from_millis(1)).await;
        }
        let took = sim.now() - from;
        assert!(took < wait, "{took:?} for what was there from the start");
        // and once all is read, what comes to the empty one arrives at once
        let from = sim.now();
        writer
            .write(Record::new("late").partition(0))
            .await
            .expect("written");
        let message = reader.read_message().await.expect("read").expect("one");
        assert_eq!(message.partition(), 0);
        assert!(sim.now() - from < Duration::from_secs(1));
    };
    sim.block_on(Duration::from_secs(300), story)
        .expect("it ends");
}
