//! The workloads on plain threads.

use std::{
    collections::VecDeque,
    thread,
    time::{Duration, Instant},
};

use bench_contract::{Api, Args, Latencies, Mode, Pool, Report, Span, stamp, touch, unstamp};
use kafka_client_blocking::{Client, Dialer, Error, Reader, Receipt, Record, Writer};
use serde_json::{Value, json};

use crate::settings::{self, CALL, LOOK, Runtime, VERSION, WAITING, WARM};

pub fn run(args: &Args) {
    let pool = Pool::new(args.size);
    match args.mode {
        Mode::Produce => produce(args, &pool),
        Mode::Consume => consume(args),
        Mode::Latency => latency(args, &pool),
        Mode::EndToEnd => end_to_end(args),
        Mode::Group => unreachable!("skipped"),
    }
}

fn report(messages: u64, errors: u64, extra: Value) -> Report {
    Report {
        client: Runtime::Threads.client(),
        version: VERSION,
        messages,
        errors,
        extra,
    }
}

fn connect(args: &Args) -> Result<Client, Error> {
    let dialer = Dialer::new().configure(|config| settings::way(args, config));
    dialer.connect(&args.bootstrap)
}

fn close(client: &Client) {
    let closed = client.close(Duration::from_secs(10));
    closed.expect("everything is delivered");
}

fn produce(args: &Args, pool: &Pool) {
    let client = connect(args).expect("a broker");
    let config = settings::writer(args, args.linger);
    let writer = client.writer(config).expect("a config");
    let first = writer.write(Record::new(pool.value(0)));
    first.expect("the first message is written");
    let span = Span::start();
    let mut outcomes = Outcomes::default();
    match args.api {
        Api::Message => {
            for number in 0..args.messages {
                let record = [Record::new(pool.value(number))];
                outcomes.send(&writer, &record);
            }
        }
        Api::Batch => {
            let mut records = Vec::with_capacity(CALL);
            for from in (0..args.messages).step_by(CALL) {
                let to = args.messages.min(from + CALL);
                records.clear();
                records.extend((from..to).map(|number| Record::new(pool.value(number))));
                outcomes.send(&writer, &records);
            }
        }
    }
    writer.flush().expect("open");
    outcomes.look(usize::MAX);
    let extra = json!({ "sent_total": args.messages + 1 });
    report(outcomes.written, outcomes.failed, extra).print(args, &span);
    close(&client);
}

/// Receipts, and what came of those that were looked at.
#[derive(Default)]
struct Outcomes {
    receipts: VecDeque<Receipt>,
    written: u64,
    failed: u64,
}

impl Outcomes {
    fn send(&mut self, writer: &Writer, records: &[Record<'_>]) {
        if self.receipts.len() == WAITING {
            self.look(LOOK);
        }
        match writer.send(records) {
            Ok(receipt) => self.receipts.push_back(receipt),
            Err(_) => self.failed += records.len() as u64,
        }
    }

    fn look(&mut self, most: usize) {
        for _ in 0..most {
            let Some(receipt) = self.receipts.pop_front() else {
                return;
            };
            match receipt.wait() {
                Ok(written) => self.written += written.len() as u64,
                Err(error) => {
                    for result in error.results() {
                        *if result.is_ok() {
                            &mut self.written
                        } else {
                            &mut self.failed
                        } += 1;
                    }
                }
            }
        }
    }
}

fn consume(args: &Args) {
    let span = Span::start();
    let client = connect(args).expect("a broker");
    let mut reader = client.reader(settings::reader(args)).expect("a config");
    let (mut count, mut sum) = (0, 0);
    match args.api {
        Api::Message => {
            while count < args.messages {
                let message = reader.read_message().expect("good").expect("open");
                touch(&mut sum, message.value().unwrap_or_default());
                count += 1;
            }
        }
        Api::Batch => {
            while count < args.messages {
                let batch = reader.read_batch().expect("good").expect("open");
                for record in batch.iter() {
                    touch(&mut sum, record.expect("good").value.unwrap_or_default());
                    count += 1;
                }
            }
        }
    }
    report(count as u64, 0, json!({ "sum": sum })).print(args, &span);
    reader.close();
    close(&client);
}

fn latency(args: &Args, pool: &Pool) {
    let client = connect(args).expect("a broker");
    let config = settings::writer(args, Duration::ZERO);
    let writer = client.writer(config).expect("a config");
    let first = writer.write(Record::new(pool.value(0)));
    first.expect("the first message is written");
    let mut latencies = Latencies::default();
    let span = Span::start();
    for number in 0..args.messages {
        let from = Instant::now();
        let written = writer.write(Record::new(pool.value(number)));
        written.expect("written");
        latencies.push(from.elapsed().as_micros() as u64);
    }
    report(latencies.count(), 0, latencies.percentiles()).print(args, &span);
    close(&client);
}

fn end_to_end(args: &Args) {
    let epoch = Instant::now();
    let client = connect(args).expect("a broker");
    let config = settings::writer(args, Duration::ZERO);
    let writer = client.writer(config).expect("a config");
    let mut reader = client.reader(settings::reader(args)).expect("a config");
    let first = writer.write(Record::new(&stamp(epoch, args.size)));
    first.expect("the first message is written");
    let span = Span::start();
    let (latencies, failed) = thread::scope(|scope| {
        let writing = scope.spawn(|| write_at_rate(args, &writer, epoch));
        let latencies = read_stamped(args, &mut reader, epoch);
        (latencies, writing.join().expect("it does not panic"))
    });
    report(latencies.count(), failed, latencies.percentiles()).print(args, &span);
    reader.close();
    close(&client);
}

fn write_at_rate(args: &Args, writer: &Writer, epoch: Instant) -> u64 {
    let pause = Duration::from_secs(1) / args.rate as u32;
    let start = Instant::now();
    let mut outcomes = Outcomes::default();
    for number in 0..args.messages + WARM {
        let due = start + pause * number as u32;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let value = stamp(epoch, args.size);
        outcomes.send(writer, &[Record::new(&value)]);
    }
    outcomes.look(usize::MAX);
    outcomes.failed
}

fn read_stamped(args: &Args, reader: &mut Reader, epoch: Instant) -> Latencies {
    let mut latencies = Latencies::default();
    // the first message, and those that warm up
    for number in 0..=args.messages + WARM {
        let message = reader.read_message().expect("good").expect("open");
        if number > WARM {
            latencies.push(unstamp(epoch, message.value().unwrap_or_default()));
        }
    }
    latencies
}
