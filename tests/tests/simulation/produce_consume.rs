//! Several tasks write to a topic by every means there is, one reads it all, and everything goes wrong.

use std::{cell::RefCell, future::Future, rc::Rc, time::Duration};

use kafka_proto::{
    client::{Reader, Receipt, Writer},
    config::{Balancer, ReaderConfig, WriterConfig},
    error::{Error, Outcome as Fate, WriteError, Written},
    record::{Message, Record},
};
use kafka_testing::{
    broker,
    judge::{History, Outcome, SendId},
    sim::{Chance, Faults, Handle, Join, Mishap, Role, Schedule, Sim, shrink},
};

const TOPIC: &str = "orders";
const READER: u32 = 1;
/// How long it takes at most, once nothing goes wrong any more, until everything is as it should be: a connection that
/// is silent is given up after 5 s, and so may be the one after it.
const REST: Duration = Duration::from_secs(20);

/// Runs that cutting a failure down may take.
const SHRINKING: usize = 500;

/// What a run is made of; all of it is drawn from the seed unless a test says otherwise.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) faults: Faults,
    pub(crate) brokers: i32,
    pub(crate) partitions: i32,
    pub(crate) tasks: u32,
    /// Messages of each task, roughly.
    pub(crate) messages: usize,
    /// Whether the tasks share one producer session.
    pub(crate) shared: bool,
    pub(crate) delivery_timeout: Duration,
    pub(crate) writer: WriterConfig,
    pub(crate) reader: ReaderConfig,
}

/// What a run came to.
pub(crate) struct Report {
    pub(crate) fingerprint: u64,
    pub(crate) trace: Vec<String>,
    /// What went wrong by chance.
    pub(crate) mishaps: Vec<Mishap>,
    /// Broken promises, and whatever else went wrong; none in a good run.
    pub(crate) faults: Vec<String>,
    pub(crate) sent: usize,
    pub(crate) written: usize,
    pub(crate) not_written: usize,
    pub(crate) unknown: usize,
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed, "plan");
        let batch = *chance.pick(&[1 << 10, 4 << 10, 1_000_000]);
        let buffer = *chance.pick(&[batch, 2 * batch, 64 << 20]);
        let ms = |n: usize| Duration::from_millis(n as u64);
        let delivery_timeout = ms(*chance.pick(&[300, 3_000, 30_000, 120_000]));
        let writer = WriterConfig::topic(TOPIC)
            .batch_bytes(batch)
            .request_bytes(batch.max(*chance.pick(&[1 << 10, 8 << 20])))
            .buffer_bytes(buffer)
            .linger(ms(*chance.pick(&[0, 0, 5, 50])))
            .delivery_timeout(delivery_timeout)
            .balancer(*chance.pick(&[Balancer::Sticky, Balancer::RoundRobin]));
        let reader = ReaderConfig::topic(TOPIC)
            .max_wait(ms(chance.between(0, 500)))
            .partition_bytes(*chance.pick(&[200, 4 << 10, 1 << 20]))
            .max_bytes(*chance.pick(&[500, 16 << 20]));
        Self {
            seed,
            faults: Faults::any(&mut chance),
            brokers: chance.between(1, 3) as i32,
            partitions: chance.between(1, 6) as i32,
            tasks: chance.between(1, 4) as u32,
            messages: chance.between(10, 80),
            shared: chance.per_mille(500),
            delivery_timeout,
            writer,
            reader,
        }
    }

    pub(crate) fn run(self) -> Report {
        let sim = Sim::new(
            self.seed,
            broker::Config::new().brokers(self.brokers),
            self.faults.clone(),
        );
        sim.cluster(|cluster| cluster.create_topic(TOPIC, self.partitions));
        let history = Rc::new(RefCell::new(History::new()));
        let story = self.story((*sim).clone(), history.clone());
        let limit = Duration::from_secs(900);
        let mut faults = match sim.block_on(limit, story) {
            Ok(faults) => faults,
            Err(stuck) => vec![stuck.to_string()],
        };
        for partition in 0..self.partitions {
            let records = sim.cluster(|c| c.log(TOPIC, partition).records());
            let mut records = records.expect("a log that can be read");
            for (_, record) in sim
                .compacted(TOPIC)
                .into_iter()
                .filter(|(p, _)| *p == partition)
            {
                history.borrow_mut().compacted(partition, record.offset);
                records.push(record);
            }
            let values = records.iter().map(|r| (r.offset, &r.value));
            let values = values.map(|(at, value)| (at, value.as_deref().unwrap_or_default()));
            history.borrow_mut().log(partition, values);
        }
        let history = history.borrow();
        faults.extend(history.judge().iter().map(ToString::to_string));
        Report {
            fingerprint: sim.fingerprint(),
            trace: sim.trace(),
            mishaps: sim.mishaps(),
            faults,
            sent: history.sends(),
            written: history.outcomes(|o| matches!(o, Outcome::Written { .. })),
            not_written: history.outcomes(|o| *o == Outcome::NotWritten),
            unknown: history.outcomes(|o| *o == Outcome::Unknown),
        }
    }

    /// Leaves out of a plan what its failure does not need: mishaps, tasks, messages.
    pub(crate) fn shrink(self) -> Self {
        let mishaps = self.clone().run().mishaps;
        let only = |plan: &Self, these: &[Mishap]| {
            let mut plan = plan.clone();
            plan.faults.schedule = Schedule::Only(these.iter().copied().collect());
            plan
        };
        let fails = |plan: &Self| !plan.clone().run().faults.is_empty();
        let needed = shrink(mishaps, SHRINKING, |these| fails(&only(&self, these)));
        let mut plan = only(&self, &needed);
        while plan.tasks > 1 {
            let less = Self {
                tasks: plan.tasks - 1,
                ..plan.clone()
            };
            if !fails(&less) {
                break;
            }
            plan = less;
        }
        while plan.messages > 1 {
            let less = Self {
                messages: plan.messages / 2,
                ..plan.clone()
            };
            if !fails(&less) {
                break;
            }
            plan = less;
        }
        plan
    }

    /// The whole run, as a future; what went wrong beside the history.
    async fn story(&self, sim: Handle, history: Rc<RefCell<History>>) -> Vec<String> {
        let mut faults = Vec::new();
        let client = sim.client(sim.config());
        let one = client.writer(self.writer.clone()).expect("a writer");
        let reader = client.reader(self.reader.clone()).expect("a reader");
        let reading = Reading {
            sim: sim.clone(),
            history: history.clone(),
            chance: Chance::new(self.seed, "reader"),
        };
        let reading = sim.spawn(reading.run(reader));
        let book = Book {
            sim: sim.clone(),
            history: history.clone(),
            late: Rc::default(),
            until: self.faults.until,
            delivery_timeout: self.delivery_timeout,
        };
        let mut writing = Vec::new();
        for task in 1..=self.tasks {
            let writer = match self.shared {
                true => one.clone(),
                false => client.writer(self.writer.clone()).expect("a writer"),
            };
            let task = Writing {
                sim: sim.clone(),
                book: book.clone(),
                chance: Chance::new(self.seed, &format!("task {task}")),
                writer,
                task,
                sent: 0,
                partitions: self.partitions,
                receipts: Vec::new(),
            };
            writing.push(sim.spawn(task.run(self.messages)));
        }
        for task in writing {
            task.await;
        }
        faults.extend(book.late.take());
        // the world comes to rest, and the reader to the end
        sim.sleep(self.faults.until.saturating_sub(sim.now())).await;
        // what was given up may still be on its way
        sim.sleep(Duration::from_secs(2)).await;
        // the last record of a log is never compacted away
        let at_end = |sim: &Handle| {
            let end = |p| sim.cluster(|c| c.log(TOPIC, p).end_offset());
            let last = |p| history.borrow().last_delivery(READER, p).unwrap_or(-1);
            (0..self.partitions).all(|p| last(p) + 1 >= end(p))
        };
        let (mut seen, mut since) = (0, sim.now());
        while !at_end(&sim) {
            let now = history.borrow().deliveries(READER);
            if now > seen {
                (seen, since) = (now, sim.now());
            }
            if sim.now() > since + REST {
                faults.push(format!("the reader has read nothing more for {REST:?}"));
                break;
            }
            sim.sleep(Duration::from_millis(100)).await;
        }
        history.borrow_mut().drained(READER);
        sim.note("the client is closed");
        if let Err(undelivered) = client.close(Duration::from_secs(30)).await {
            faults.push(format!("the close found something left: {undelivered}"));
        }
        drop(one);
        match sim.timeout(Duration::from_secs(10), reading).await {
            Some(errors) => faults.extend(errors),
            None => faults.push("the reader does not end with its client".to_owned()),
        }
        drop(client);
        sim.sleep(Duration::from_secs(60)).await;
        for role in [Role::Control, Role::Link, Role::Scenario] {
            match sim.tasks(role) {
                0 => {}
                n => faults.push(format!("{n} tasks of {role:?} never end")),
            }
        }
        faults
    }
}

/// Where tasks write down what becomes of their calls.
#[derive(Clone)]
struct Book {
    sim: Handle,
    history: Rc<RefCell<History>>,
    /// What did not resolve in time.
    late: Rc<RefCell<Vec<String>>>,
    /// When things cease to go wrong.
    until: Duration,
    delivery_timeout: Duration,
}

impl Book {
    /// By when a call that begins now has to end, whatever goes wrong.
    fn rest(&self) -> Duration {
        self.sim.now().max(self.until) + REST
    }

    /// By when what is accepted now has to resolve.
    fn due(&self) -> Duration {
        self.rest().min(self.sim.now() + self.delivery_timeout)
    }

    /// Takes note of what became of a call, record by record.
    fn resolve(&self, sends: &[SendId], result: &Result<Vec<Written>, WriteError>, by: Duration) {
        let mut history = self.history.borrow_mut();
        let first = history.value(sends[0]);
        if self.sim.now() > by {
            let late = self.sim.now() - by;
            self.late
                .borrow_mut()
                .push(format!("{first} resolved {late:?} too late"));
        }
        self.sim.note(match result {
            Ok(written) => format!("{first}: written to {:?}", places(written)),
            Err(error) => format!("{first}: {error} ({:?})", error.outcome()),
        });
        let written = |w: &Written| Outcome::Written {
            partition: w.partition,
            offset: w.offset,
        };
        let failed = |e: &Error| match e.outcome() {
            Fate::Unknown => Outcome::Unknown,
            _ => Outcome::NotWritten,
        };
        match result {
            Ok(all) => {
                assert_eq!(all.len(), sends.len(), "one result for each record");
                let mut each = |(send, w): (&SendId, &Written)| history.resolved(*send, written(w));
                sends.iter().zip(all).for_each(&mut each);
            }
            Err(error) if error.results().len() == sends.len() => {
                for (send, result) in sends.iter().zip(error.results()) {
                    history.resolved(*send, result.as_ref().map_or_else(failed, written));
                }
            }
            // refused as a whole
            Err(error) => {
                let outcome = error.first().map_or(Outcome::Unknown, failed);
                sends
                    .iter()
                    .for_each(|send| history.resolved(*send, outcome));
            }
        }
    }

    /// Nobody waits for the outcome.
    fn abandon(&self, sends: &[SendId]) {
        let mut history = self.history.borrow_mut();
        let mut each = |send: &SendId| history.resolved(*send, Outcome::Abandoned);
        sends.iter().for_each(&mut each);
    }
}

fn places(written: &[Written]) -> Vec<(i32, Option<i64>)> {
    written.iter().map(|w| (w.partition, w.offset)).collect()
}

/// A task that writes.
struct Writing {
    sim: Handle,
    book: Book,
    chance: Chance,
    writer: Writer,
    task: u32,
    sent: usize,
    partitions: i32,
    /// What somebody else waits for.
    receipts: Vec<Join<()>>,
}

impl Writing {
    async fn run(mut self, messages: usize) {
        while self.sent < messages {
            let pause = self.chance.below(400);
            if self.chance.per_mille(500) {
                self.sim.sleep(Duration::from_millis(pause as u64)).await;
            }
            match self.chance.below(9) {
                8 => self.burst().await,
                0 | 1 => self.write().await,
                2 | 3 => self.write_messages().await,
                4 => self.drop_midway().await,
                5 => self.try_send(),
                _ => self.send().await,
            }
        }
        for receipt in std::mem::take(&mut self.receipts) {
            receipt.await;
        }
        // what was abandoned is delivered all the same
        let by = self.book.rest();
        let flushed = self.writer.flush().await;
        let mut late = self.book.late.borrow_mut();
        if let Err(error) = flushed {
            late.push(format!("the flush of task {} failed: {error}", self.task));
        }
        if self.sim.now() > by {
            late.push(format!("the flush of task {} ended too late", self.task));
        }
    }

    async fn write(&mut self) {
        let (values, sends) = self.values(1);
        let record = record(&values[0], self.partition());
        let by = self.book.rest();
        let result = self.writer.write(record).await.map(|written| vec![written]);
        self.book.resolve(&sends, &result, by);
    }

    async fn write_messages(&mut self) {
        let count = self.chance.between(1, 12);
        let (values, sends) = self.values(count);
        let partition = self.partition();
        let records: Vec<_> = values.iter().map(|v| record(v, partition)).collect();
        let by = self.book.rest();
        let result = self.writer.write_messages(&records).await;
        self.book.resolve(&sends, &result, by);
    }

    /// Hands over records, and leaves the waiting to somebody else or to nobody.
    async fn send(&mut self) {
        let count = self.chance.between(1, 6);
        let (values, sends) = self.values(count);
        let partition = self.partition();
        let records: Vec<_> = values.iter().map(|v| record(v, partition)).collect();
        let sent = self.writer.send(&records).await;
        self.leave(sent, sends);
    }

    /// Fills the window of batches in flight.
    async fn burst(&mut self) {
        for _ in 0..8 {
            self.send().await;
        }
    }

    fn try_send(&mut self) {
        let (values, sends) = self.values(1);
        let record = record(&values[0], self.partition());
        let sent = self.writer.try_send(&[record]);
        self.leave(sent, sends);
    }

    /// Drops a future while it waits.
    async fn drop_midway(&mut self) {
        let count = self.chance.between(1, 4);
        let (values, sends) = self.values(count);
        let partition = self.partition();
        let records: Vec<_> = values.iter().map(|v| record(v, partition)).collect();
        let limit = Duration::from_micros(self.chance.below(20_000) as u64);
        if self.chance.per_mille(500) {
            let by = self.book.rest();
            let call = self.writer.write_messages(&records);
            match self.sim.timeout(limit, call).await {
                Some(result) => self.book.resolve(&sends, &result, by),
                None => self.book.abandon(&sends),
            }
        } else {
            let call = self.writer.send(&records);
            match self.sim.timeout(limit, call).await {
                Some(sent) => self.leave(sent, sends),
                None => self.book.abandon(&sends),
            }
        }
    }

    /// Has somebody wait for a receipt, or drops it.
    fn leave(&mut self, sent: Result<Receipt, Error>, sends: Vec<SendId>) {
        let by = self.book.due();
        match sent {
            Err(error) => self.book.resolve(&sends, &Err(error.into()), by),
            Ok(receipt) if self.chance.per_mille(100) => {
                drop(receipt);
                self.book.abandon(&sends);
            }
            Ok(receipt) => {
                let book = self.book.clone();
                let waiting = async move { book.resolve(&sends, &receipt.await, by) };
                self.receipts.push(self.sim.spawn(waiting));
            }
        }
    }

    /// New values, and their places in the history.
    fn values(&mut self, count: usize) -> (Vec<String>, Vec<SendId>) {
        let mut history = self.book.history.borrow_mut();
        let mut new = || {
            self.sent += 1;
            let padding = ".".repeat(self.chance.below(80));
            let value = format!("t{}-{}{padding}", self.task, self.sent);
            let send = history.sent(self.task, value.clone());
            (value, send)
        };
        (0..count).map(|_| new()).unzip()
    }

    /// Where the next records go; `None` leaves it to the balancer.
    fn partition(&mut self) -> Option<i32> {
        let named = self.chance.per_mille(700);
        named.then(|| self.chance.below(self.partitions as usize) as i32)
    }
}

fn record(value: &str, partition: Option<i32>) -> Record<'_> {
    let record = Record::new(value);
    match partition {
        Some(partition) => record.partition(partition),
        None => record,
    }
}

/// The task that reads.
struct Reading {
    sim: Handle,
    history: Rc<RefCell<History>>,
    chance: Chance,
}

impl Reading {
    /// Reads until the client ends; returns what should not have happened.
    async fn run(mut self, mut reader: Reader) -> Vec<String> {
        let mut faults = Vec::new();
        loop {
            let limit = self.limit();
            if self.chance.per_mille(200) {
                match within(&self.sim, limit, reader.read_batch()).await {
                    None => {}
                    Some(Ok(Some(batch))) => {
                        for message in batch {
                            match message {
                                Ok(message) => self.note(&message),
                                Err(error) => faults.push(format!("a batch is damaged: {error}")),
                            }
                        }
                    }
                    Some(Ok(None)) => return faults,
                    Some(Err(error)) => faults.push(format!("the reader fails: {error}")),
                }
                continue;
            }
            match within(&self.sim, limit, reader.read_message()).await {
                None => {}
                Some(Ok(Some(message))) => self.note(&message),
                Some(Ok(None)) => return faults,
                Some(Err(error)) => faults.push(format!("the reader fails: {error}")),
            }
        }
    }

    fn note(&self, message: &Message) {
        let value = message.value().unwrap_or_default();
        let (partition, offset) = (message.partition(), message.offset());
        self.history
            .borrow_mut()
            .delivered(READER, partition, offset, value);
    }

    /// Some calls are dropped while they wait.
    fn limit(&mut self) -> Option<Duration> {
        let dropped = self.chance.per_mille(100);
        dropped.then(|| Duration::from_micros(self.chance.below(100_000) as u64))
    }
}

async fn within<T>(
    sim: &Handle,
    limit: Option<Duration>,
    future: impl Future<Output = T>,
) -> Option<T> {
    match limit {
        Some(limit) => sim.timeout(limit, future).await,
        None => Some(future.await),
    }
}
