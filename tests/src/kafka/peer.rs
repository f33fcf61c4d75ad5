//! Kafka's own Java client as the other side of a test: what one writes the other must read.

use std::fmt;
use std::fs;
use std::str::FromStr;
use std::time::Duration;

use super::error::LaunchError;
use super::folder::{RunFolder, read_log, telling_part};
use super::jars::Jars;
use super::java::{java_for, tool_flags};
use super::process::Process;
use super::version::KafkaVersion;

/// Kafka's own client, run as a program for one step at a time. Each step costs the start of a Java machine.
#[derive(Clone, Debug)]
#[must_use]
pub struct Peer {
    version: KafkaVersion,
    bootstrap: String,
    limit: Duration,
    settings: Vec<String>,
}

impl Peer {
    /// The client of `version` for the brokers at `bootstrap`.
    pub fn new(version: KafkaVersion, bootstrap: impl Into<String>) -> Self {
        Self {
            version,
            bootstrap: bootstrap.into(),
            limit: Duration::from_secs(60),
            settings: Vec::new(),
        }
    }

    /// Sets how long a step may take; one minute by default, not counting the start of Java.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Sets a property of the Java client, such as `isolation.level` or `compression.type`.
    pub fn setting(mut self, key: &str, value: &str) -> Self {
        self.settings.push(format!("{key}={value}"));
        self
    }

    /// Creates a topic with the brokers' default number of replicas.
    pub fn topic(&self, topic: &str, partitions: u32) -> Result<(), LaunchError> {
        self.step("topic", topic, &[partitions.to_string()])
            .map(|_| ())
    }

    /// Produces `count` messages without keys and waits until all are acknowledged.
    ///
    /// Message `i` goes to partition `i` modulo their number and has the value that [`Peer::value`] makes.
    pub fn produce(&self, topic: &str, count: u64, size: usize) -> Result<PeerReport, LaunchError> {
        self.step("produce", topic, &[count.to_string(), size.to_string()])
    }

    /// Reads all partitions from their beginning until `count` messages have come, and then on to the end of the log.
    ///
    /// More than `count` is a report, fewer in the time limit is an error.
    pub fn consume(&self, topic: &str, count: u64) -> Result<PeerReport, LaunchError> {
        self.step("consume", topic, &[count.to_string()])
    }

    /// The value that [`produce`](Self::produce) gives to a message: its number in eight big-endian bytes, then filler;
    /// cut to `size`.
    pub fn value(number: u64, size: usize) -> Vec<u8> {
        let head = number.to_be_bytes().into_iter();
        let filler = (8..).map(|i: u64| number.wrapping_mul(31).wrapping_add(i) as u8);
        head.chain(filler).take(size).collect()
    }

    fn step(
        &self,
        verb: &str,
        topic: &str,
        arguments: &[String],
    ) -> Result<PeerReport, LaunchError> {
        let java = java_for(self.version)?;
        let jars = Jars::fetch(self.version)?;
        let run = RunFolder::create()?;
        let home = run.inner("peer")?;
        let source = home.join("Peer.java");
        let log = home.join("log");
        let io = |e| LaunchError::io("running the java client")(e);
        fs::write(&source, include_str!("../../java/Peer.java")).map_err(io)?;

        let mut words = vec![java];
        words.extend(tool_flags());
        words.push(format!("-Dpeer.limit.ms={}", self.limit.as_millis()));
        words.extend([
            "-cp".to_owned(),
            jars.class_path,
            source.to_string_lossy().into_owned(),
        ]);
        let first_argument = words.len();
        words.extend([verb, &self.bootstrap, topic].map(str::to_owned));
        words.extend_from_slice(arguments);
        words.extend_from_slice(&self.settings);
        let command = words[first_argument..].join(" ");

        let process = Process::spawn(&words, &log, Some(&home), &home).map_err(io)?;
        let ended = process.death().wait(self.limit + JAVA_START);
        let code = process.kill();
        let output = read_log(&log);
        let reason = match code.filter(|_| ended) {
            Some(0) => match output.lines().find_map(|line| line.strip_prefix(PREFIX)) {
                Some(report) => match report.parse() {
                    Ok(report) => return Ok(report),
                    Err(ParseReportError) => "its report can't be read".to_owned(),
                },
                None => "it did not report".to_owned(),
            },
            Some(code) => format!("it failed with exit code {code}"),
            None if ended => "it was killed".to_owned(),
            None => format!("it was not done after {:?}", self.limit),
        };
        // How the launcher of a JRE puts it.
        if output.contains("Module jdk.compiler not") {
            let reason = "it has no compiler, which the java client needs; install a JDK, a JRE is not enough";
            return Err(LaunchError::Missing {
                program: "java",
                reason: reason.to_owned(),
            });
        }
        Err(LaunchError::Peer {
            command,
            reason,
            output: telling_part(&output),
        })
    }
}

/// Java compiles the program before it runs it, on a machine that may be busy.
const JAVA_START: Duration = Duration::from_secs(30);
const PREFIX: &str = "peer ";

/// What the Java client wrote or read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerReport {
    /// How many messages.
    pub count: u64,
    /// Their [`Checksum`].
    pub checksum: u64,
    /// By partition, those with messages.
    pub partitions: Vec<PartitionReport>,
}

impl PeerReport {
    /// Whether in each partition the numbers at the start of the values came strictly increasing.
    pub fn is_ordered(&self) -> bool {
        self.partitions.iter().all(|partition| partition.is_ordered)
    }

    /// Whether in each partition the offsets came strictly increasing.
    pub fn is_increasing(&self) -> bool {
        self.partitions
            .iter()
            .all(|partition| partition.is_increasing)
    }
}

/// What the Java client wrote to or read from one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionReport {
    /// The partition's number.
    pub partition: i32,
    /// How many messages.
    pub count: u64,
    /// Whether each offset was above the one before.
    pub is_increasing: bool,
    /// Whether each value's first eight bytes, as a big-endian number, were above the ones before. Values that are
    /// shorter don't count.
    pub is_ordered: bool,
}

impl FromStr for PeerReport {
    type Err = ParseReportError;

    /// Reads `count=N checksum=N`, then `PARTITION:COUNT:INCREASING:ORDERED` for each partition.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut report = Self::default();
        for word in text.split_whitespace() {
            if let Some(count) = word.strip_prefix("count=") {
                report.count = number(count)?;
            } else if let Some(checksum) = word.strip_prefix("checksum=") {
                report.checksum = number(checksum)?;
            } else {
                report.partitions.push(word.parse()?);
            }
        }
        Ok(report)
    }
}

impl FromStr for PartitionReport {
    type Err = ParseReportError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words: Vec<_> = text.split(':').collect();
        let [partition, count, is_increasing, is_ordered] = words[..] else {
            return Err(ParseReportError);
        };
        Ok(Self {
            partition: number(partition)?,
            count: number(count)?,
            is_increasing: number(is_increasing)?,
            is_ordered: number(is_ordered)?,
        })
    }
}

fn number<T: FromStr>(text: &str) -> Result<T, ParseReportError> {
    text.parse().map_err(|_| ParseReportError)
}

/// A line is not a report of the Java client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseReportError;

impl fmt::Display for ParseReportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a report of the java client")
    }
}

impl std::error::Error for ParseReportError {}

/// A checksum of messages that doesn't depend on their order, but on their partitions.
///
/// The sum, modulo 2⁶⁴, of the CRC-32 (of gzip and zip, not of Kafka) of each value times its partition's number plus one.
/// A message without a value adds nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checksum(u64);

impl Checksum {
    /// Adds a message.
    pub fn add(&mut self, partition: i32, value: &[u8]) {
        let weight = u64::from(partition.unsigned_abs()) + 1;
        self.0 = self
            .0
            .wrapping_add(u64::from(crc32(value)).wrapping_mul(weight));
    }

    /// The checksum of all messages added.
    pub fn value(self) -> u64 {
        self.0
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (crc >> 8) ^ CRC_TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize]
    })
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ 0xedb8_8320
            } else {
                crc >> 1
            };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_is_that_of_gzip() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn checksum_knows_partitions_but_not_order() {
        let sum = |messages: &[(i32, &[u8])]| {
            let mut sum = Checksum::default();
            messages
                .iter()
                .for_each(|(partition, value)| sum.add(*partition, value));
            sum.value()
        };
        assert_eq!(sum(&[(0, b"a"), (1, b"b")]), sum(&[(1, b"b"), (0, b"a")]));
        assert_ne!(sum(&[(0, b"a"), (1, b"b")]), sum(&[(0, b"b"), (1, b"a")]));
    }

    #[test]
    fn values_start_with_their_number() {
        assert_eq!(Peer::value(258, 10), [0, 0, 0, 0, 0, 0, 1, 2, 70, 71]);
        assert_eq!(Peer::value(258, 3), [0, 0, 0]);
    }

    #[test]
    fn reads_a_report() {
        let report: PeerReport =
            "count=3 checksum=18446744073709551615 0:2:true:true 2:1:true:false"
                .parse()
                .unwrap();
        assert_eq!((report.count, report.checksum), (3, u64::MAX));
        assert!(report.is_increasing() && !report.is_ordered());
        assert_eq!(report.partitions[1].partition, 2);
        for bad in ["count=x", "0:1:true", "0:1:true:maybe", "hello"] {
            assert_eq!(bad.parse::<PeerReport>(), Err(ParseReportError), "{bad}");
        }
    }
}
