//! The workloads on async runtimes: one text, since the handles are the same types on all of them.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bench_contract::{Api, Args, Latencies, Mode, Pool, Report, Span, stamp, touch, unstamp};
use kafka_proto::{
    client::{Client, Reader, Receipt, Writer},
    record::Record,
};
use serde_json::{Value, json};

use crate::settings::{self, CALL, LOOK, Runtime, VERSION, WAITING, WARM};

pub async fn run(args: Args, runtime: Runtime) {
    let pool = Pool::new(args.size);
    match args.mode {
        Mode::Produce => produce(&args, runtime, &pool).await,
        Mode::Consume => consume(&args, runtime).await,
        Mode::Latency => latency(&args, runtime, &pool).await,
        Mode::EndToEnd => end_to_end(&args, runtime).await,
        Mode::Group => unreachable!("skipped"),
    }
}

fn report(runtime: Runtime, messages: u64, errors: u64, extra: Value) -> Report {
    Report {
        client: runtime.client(),
        version: VERSION,
        messages,
        errors,
        extra,
    }
}

async fn connect(args: &Args, runtime: Runtime) -> Client {
    runtime.connect(args).await.expect("a broker")
}

async fn close(client: &Client) {
    let closed = client.close(Duration::from_secs(10)).await;
    closed.expect("everything is delivered");
}

async fn produce(args: &Args, runtime: Runtime, pool: &Pool) {
    let client = connect(args, runtime).await;
    let config = settings::writer(args, args.linger);
    let writer = client.writer(config).expect("a config");
    let first = writer.write(Record::new(pool.value(0))).await;
    first.expect("the first message is written");
    let span = Span::start();
    let mut outcomes = Outcomes::default();
    match args.api {
        Api::Message => {
            for number in 0..args.messages {
                let record = [Record::new(pool.value(number))];
                outcomes.send(&writer, &record).await;
            }
        }
        Api::Batch => {
            let mut records = Vec::with_capacity(CALL);
            for from in (0..args.messages).step_by(CALL) {
                let to = args.messages.min(from + CALL);
                records.clear();
                records.extend((from..to).map(|number| Record::new(pool.value(number))));
                outcomes.send(&writer, &records).await;
            }
        }
    }
    writer.flush().await.expect("open");
    outcomes.look(usize::MAX).await;
    let extra = json!({ "sent_total": args.messages + 1 });
    report(runtime, outcomes.written, outcomes.failed, extra).print(args, &span);
    close(&client).await;
}

/// Receipts, and what came of those that were looked at.
#[derive(Default)]
struct Outcomes {
    receipts: VecDeque<Receipt>,
    written: u64,
    failed: u64,
}

impl Outcomes {
    async fn send(&mut self, writer: &Writer, records: &[Record<'_>]) {
        if self.receipts.len() == WAITING {
            self.look(LOOK).await;
        }
        match writer.send(records).await {
            Ok(receipt) => self.receipts.push_back(receipt),
            Err(_) => self.failed += records.len() as u64,
        }
    }

    async fn look(&mut self, most: usize) {
        for _ in 0..most {
            let Some(receipt) = self.receipts.pop_front() else {
                return;
            };
            match receipt.await {
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

async fn consume(args: &Args, runtime: Runtime) {
    let span = Span::start();
    let client = connect(args, runtime).await;
    let mut reader = client.reader(settings::reader(args)).expect("a config");
    let (mut count, mut sum) = (0, 0);
    match args.api {
        Api::Message => {
            while count < args.messages {
                let message = reader.read_message().await.expect("good").expect("open");
                touch(&mut sum, message.value().unwrap_or_default());
                count += 1;
            }
        }
        Api::Batch => {
            while count < args.messages {
                let batch = reader.read_batch().await.expect("good").expect("open");
                for record in batch.iter() {
                    touch(&mut sum, record.expect("good").value.unwrap_or_default());
                    count += 1;
                }
            }
        }
    }
    report(runtime, count as u64, 0, json!({ "sum": sum })).print(args, &span);
    reader.close();
    close(&client).await;
}

async fn latency(args: &Args, runtime: Runtime, pool: &Pool) {
    let client = connect(args, runtime).await;
    let config = settings::writer(args, Duration::ZERO);
    let writer = client.writer(config).expect("a config");
    let first = writer.write(Record::new(pool.value(0))).await;
    first.expect("the first message is written");
    let mut latencies = Latencies::default();
    let span = Span::start();
    for number in 0..args.messages {
        let from = Instant::now();
        let written = writer.write(Record::new(pool.value(number))).await;
        written.expect("written");
        latencies.push(from.elapsed().as_micros() as u64);
    }
    report(runtime, latencies.count(), 0, latencies.percentiles()).print(args, &span);
    close(&client).await;
}

async fn end_to_end(args: &Args, runtime: Runtime) {
    let epoch = Instant::now();
    let client = connect(args, runtime).await;
    let config = settings::writer(args, Duration::ZERO);
    let writer = client.writer(config).expect("a config");
    let mut reader = client.reader(settings::reader(args)).expect("a config");
    let first = writer.write(Record::new(&stamp(epoch, args.size))).await;
    first.expect("the first message is written");
    let span = Span::start();
    let writing = write_at_rate(args.clone(), runtime, writer, epoch);
    let writing = runtime.spawn(writing);
    let latencies = read_stamped(args, &mut reader, epoch).await;
    let failed = writing.await;
    report(runtime, latencies.count(), failed, latencies.percentiles()).print(args, &span);
    reader.close();
    close(&client).await;
}

async fn write_at_rate(args: Args, runtime: Runtime, writer: Writer, epoch: Instant) -> u64 {
    let pause = Duration::from_secs(1) / args.rate as u32;
    let start = Instant::now();
    let mut outcomes = Outcomes::default();
    for number in 0..args.messages + WARM {
        runtime.sleep_until(start + pause * number as u32).await;
        let value = stamp(epoch, args.size);
        outcomes.send(&writer, &[Record::new(&value)]).await;
    }
    outcomes.look(usize::MAX).await;
    outcomes.failed
}

async fn read_stamped(args: &Args, reader: &mut Reader, epoch: Instant) -> Latencies {
    let mut latencies = Latencies::default();
    // the first message, and those that warm up
    for number in 0..=args.messages + WARM {
        let message = reader.read_message().await.expect("good").expect("open");
        if number > WARM {
            latencies.push(unstamp(epoch, message.value().unwrap_or_default()));
        }
    }
    latencies
}
