//! Lines from standard input to a topic, or a topic to standard output: what kcat users know, in one file.
//!
//! ```sh
//! cargo run --release -p kafka-client-blocking --example cat -- -P -b localhost:9092 -t orders -K : < lines
//! cargo run --release -p kafka-client-blocking --example cat -- -C -b localhost:9092 -t orders -o -10 -e
//! ```
//!
//! Progress goes to standard error, so that a pipe stays clean. Without `-P` or `-C`, a terminal or a pipe at standard
//! input decides.

use std::{
    collections::{BTreeMap, VecDeque},
    env,
    error::Error,
    io::{self, BufRead, BufWriter, ErrorKind, IsTerminal, Write},
    process::ExitCode,
    time::{Duration, Instant},
};

use kafka_client_blocking::{
    Client, Dialer, Message, Reader, ReaderConfig, Receipt, Record, StartOffset, WriterConfig,
    api::metadata::{MetadataRequest, MetadataRequestTopic},
};

const USAGE: &str = "\
usage: cat [-P | -C] -b BROKERS -t TOPIC [options]
  -P            write lines from standard input       -C            read to standard output
  -b BROKERS    host:port,...
  -t TOPIC      the topic                             -p PARTITION  one partition (default: all)
  -K DELIMITER  what stands between key and value
writing:
  -l LINES      lines that are under way at a time (default 10000)
reading:
  -o OFFSET     beginning (default), end, a number, -N (the last N), s@MS (from that time on)
  -c COUNT      stop after so many messages           -e            stop at the end
  -f FORMAT     %t topic, %p partition, %o offset, %k key, %s value, %T timestamp, %h headers, \\n \\t
  -q            no progress";

/// What the command line says.
#[derive(Default)]
struct Options {
    write: Option<bool>,
    brokers: String,
    topic: String,
    partition: Option<i32>,
    delimiter: Option<String>,
    lines: Option<usize>,
    offset: Option<String>,
    count: Option<u64>,
    exit: bool,
    format: Option<String>,
    quiet: bool,
}

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> ExitCode {
    let options = match Options::parse(env::args().skip(1)) {
        Ok(options) => options,
        Err(reason) => {
            eprintln!("{reason}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        // whoever reads our output has had enough
        Err(e) if is_broken_pipe(&*e) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("cat: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Outcome {
    let client = Dialer::new().client_id("cat").connect(&options.brokers)?;
    let writes = options.write.unwrap_or_else(|| !io::stdin().is_terminal());
    let outcome = match writes {
        true => write(&client, options),
        false => read(&client, options),
    };
    client.close(Duration::from_secs(30))?;
    outcome
}

/// Writes the lines of standard input; a line that is not written ends it with the line's number.
fn write(client: &Client, options: &Options) -> Outcome {
    let writer = client.writer(WriterConfig::topic(&options.topic))?;
    let most = options.lines.unwrap_or(10_000).max(1);
    let mut progress = Progress::new("written", options.quiet);
    let mut under_way: VecDeque<(u64, Receipt)> = VecDeque::new();
    let mut stdin = io::stdin().lock();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if stdin.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let (key, value) = split(text, options.delimiter.as_deref());
        let mut record = Record::new(value);
        if let Some(key) = key {
            record = record.key(key);
        }
        if let Some(partition) = options.partition {
            record = record.partition(partition);
        }
        under_way.push_back((number, writer.send(&[record])?));
        if under_way.len() == most {
            settle(under_way.pop_front(), &mut progress)?;
        }
    }
    while !under_way.is_empty() {
        settle(under_way.pop_front(), &mut progress)?;
    }
    progress.end();
    Ok(())
}

fn settle(sent: Option<(u64, Receipt)>, progress: &mut Progress) -> Outcome {
    let Some((number, receipt)) = sent else {
        return Ok(());
    };
    receipt.wait().map_err(|e| format!("line {number}: {e}"))?;
    progress.count(1);
    Ok(())
}

/// Key and value of a line; without the delimiter in it there is no key.
fn split<'l>(line: &'l [u8], delimiter: Option<&str>) -> (Option<&'l [u8]>, &'l [u8]) {
    let at = delimiter.and_then(|d| {
        let d = d.as_bytes();
        let at = line.windows(d.len()).position(|window| window == d)?;
        Some((at, at + d.len()))
    });
    match at {
        Some((end, start)) => (Some(&line[..end]), &line[start..]),
        None => (None, line),
    }
}

/// Reads to standard output.
fn read(client: &Client, options: &Options) -> Outcome {
    let ends = match options.exit || options.offset.as_deref().is_some_and(is_from_end) {
        true => ends(client, options)?,
        false => BTreeMap::new(),
    };
    let mut reader = client.reader(options.reader()?)?;
    if let Some(count) = options.offset.as_deref().filter(|o| is_from_end(o)) {
        let count: i64 = count[1..].parse()?;
        for (partition, end) in &ends {
            let from = StartOffset::At((end.last - count).max(end.first));
            seek(&mut reader, &options.topic, *partition, from)?;
        }
    }
    // partitions whose end is still ahead, and what was the end when we began
    let mut ahead: BTreeMap<i32, i64> = ends
        .iter()
        .filter(|(_, end)| end.first < end.last)
        .map(|(partition, end)| (*partition, end.last))
        .collect();
    let mut left = options.count.unwrap_or(u64::MAX);
    let mut progress = Progress::new("read", options.quiet);
    let mut out = BufWriter::new(io::stdout().lock());
    while left > 0 && !(options.exit && ahead.is_empty()) {
        let Some(message) = reader.read_message_timeout(Duration::from_secs(1))? else {
            // what is buffered here shall be seen when nothing more comes
            out.flush()?;
            if options.exit && is_read(&reader, &ahead) {
                break;
            }
            continue;
        };
        if options.exit
            && ends
                .get(&message.partition())
                .is_some_and(|e| message.offset() >= e.last)
        {
            ahead.remove(&message.partition());
            continue;
        }
        options.print(&message, &mut out)?;
        progress.count(1);
        left -= 1;
        if ahead.get(&message.partition()) == Some(&(message.offset() + 1)) {
            ahead.remove(&message.partition());
        }
    }
    out.flush()?;
    progress.end();
    Ok(())
}

/// Whether nothing is left before the ends: the last offsets of a log can belong to no message (compacted, or marks of
/// transactions), so that no message tells.
fn is_read(reader: &Reader, ahead: &BTreeMap<i32, i64>) -> bool {
    let known: BTreeMap<_, _> = reader
        .partitions()
        .into_iter()
        .map(|(_, partition, end)| (partition, end))
        .collect();
    ahead.iter().all(|(partition, last)| {
        let end = known.get(partition).copied().flatten();
        end.is_some_and(|end| end >= *last)
    })
}

/// Waits until the reader knows the partition, then moves it.
fn seek(reader: &mut Reader, topic: &str, partition: i32, to: StartOffset) -> Outcome {
    let start = Instant::now();
    while !reader.partitions().iter().any(|(_, p, _)| *p == partition) {
        if start.elapsed() > Duration::from_secs(10) {
            return Err(format!("partition {partition} is not known after 10 s").into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(reader.seek(topic, partition, to)?)
}

/// Where a partition begins and ends.
struct End {
    first: i64,
    last: i64,
}

/// The ends of the partitions that are read, from their leaders.
fn ends(client: &Client, options: &Options) -> Result<BTreeMap<i32, End>, Box<dyn Error>> {
    let partitions = match options.partition {
        Some(partition) => vec![partition],
        None => {
            let asked = MetadataRequestTopic::build(|t| t.name = Some(options.topic.clone()));
            let request = MetadataRequest::build(|r| r.topics = Some(vec![asked]));
            let response = client.call(request)?;
            let topics = response.topics.iter().flat_map(|t| &t.partitions);
            topics.map(|p| p.partition_index).collect()
        }
    };
    let dialer = Dialer::new().client_id("cat");
    let broker = options.brokers.split(',').next().unwrap_or_default();
    let mut ends = BTreeMap::new();
    for partition in partitions {
        let conn = dialer.dial_leader(broker, &options.topic, partition)?;
        let (first, last) = conn.offsets()?;
        ends.insert(partition, End { first, last });
    }
    Ok(ends)
}

fn is_from_end(offset: &str) -> bool {
    offset.starts_with('-')
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            let number = |text: String| {
                let number = text.parse::<u64>();
                number.map_err(|_| format!("{text:?} is no number"))
            };
            match &*arg {
                "-P" => options.write = Some(true),
                "-C" => options.write = Some(false),
                "-b" => options.brokers = value()?,
                "-t" => options.topic = value()?,
                "-p" => options.partition = Some(number(value()?)? as i32),
                "-K" => options.delimiter = Some(value()?).filter(|d| !d.is_empty()),
                "-l" => options.lines = Some(number(value()?)? as usize),
                "-o" => options.offset = Some(value()?),
                "-c" => options.count = Some(number(value()?)?),
                "-f" => options.format = Some(value()?),
                "-e" => options.exit = true,
                "-q" => options.quiet = true,
                _ => return Err(format!("{arg} is not an option")),
            }
        }
        if options.brokers.is_empty() || options.topic.is_empty() {
            return Err("-b and -t are needed".to_owned());
        }
        options.reader().map_err(|e| e.to_string())?;
        Ok(options)
    }

    /// The reader that `-t`, `-p` and `-o` ask for; the last N are looked for later.
    fn reader(&self) -> Result<ReaderConfig, Box<dyn Error>> {
        let config = match self.partition {
            Some(partition) => ReaderConfig::partition(&self.topic, partition),
            None => ReaderConfig::topic(&self.topic),
        };
        let offset = self.offset.as_deref().unwrap_or("beginning");
        let wrong = |_| format!("-o takes beginning, end, a number, -N or s@MS, not {offset:?}");
        let start = match offset {
            "beginning" => StartOffset::First,
            "end" => StartOffset::Last,
            last if is_from_end(last) => {
                last[1..].parse::<i64>().map_err(wrong)?;
                StartOffset::Last
            }
            offset => match offset.strip_prefix("s@") {
                Some(ms) => StartOffset::Time(ms.parse().map_err(wrong)?),
                None => StartOffset::At(offset.parse().map_err(wrong)?),
            },
        };
        Ok(config.start(start))
    }

    fn print(&self, message: &Message, out: &mut impl Write) -> io::Result<()> {
        let Some(format) = &self.format else {
            if let (Some(delimiter), Some(key)) = (&self.delimiter, message.key()) {
                out.write_all(key)?;
                out.write_all(delimiter.as_bytes())?;
            }
            out.write_all(message.value().unwrap_or_default())?;
            return out.write_all(b"\n");
        };
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            match (
                c,
                if c == '%' || c == '\\' {
                    chars.next()
                } else {
                    None
                },
            ) {
                ('%', Some('t')) => write!(out, "{}", message.topic())?,
                ('%', Some('p')) => write!(out, "{}", message.partition())?,
                ('%', Some('o')) => write!(out, "{}", message.offset())?,
                ('%', Some('T')) => write!(out, "{}", message.timestamp())?,
                ('%', Some('k')) => out.write_all(message.key().unwrap_or_default())?,
                ('%', Some('s')) => out.write_all(message.value().unwrap_or_default())?,
                ('%', Some('h')) => {
                    for (i, header) in message.headers().enumerate() {
                        out.write_all(if i == 0 { b"" } else { b"," })?;
                        out.write_all(header.key())?;
                        out.write_all(b"=")?;
                        out.write_all(header.value().unwrap_or_default())?;
                    }
                }
                ('\\', Some('n')) => out.write_all(b"\n")?,
                ('\\', Some('t')) => out.write_all(b"\t")?,
                (_, Some(other)) => write!(out, "{other}")?,
                (c, None) => write!(out, "{c}")?,
            }
        }
        Ok(())
    }
}

/// A line on standard error once a second, and one at the end.
struct Progress {
    verb: &'static str,
    quiet: bool,
    start: Instant,
    shown: Instant,
    done: u64,
}

impl Progress {
    fn new(verb: &'static str, quiet: bool) -> Self {
        let start = Instant::now();
        Self {
            verb,
            quiet,
            start,
            shown: start,
            done: 0,
        }
    }

    fn count(&mut self, n: u64) {
        self.done += n;
        // the clock is not asked for each message
        if self.done.is_multiple_of(1024) && self.shown.elapsed() >= Duration::from_secs(1) {
            self.shown = Instant::now();
            self.show();
        }
    }

    fn end(&self) {
        self.show();
    }

    fn show(&self) {
        if !self.quiet {
            let seconds = self.start.elapsed().as_secs_f64();
            eprintln!("{} messages {} in {seconds:.1} s", self.done, self.verb);
        }
    }
}

fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|e| e.kind() == ErrorKind::BrokenPipe)
}
