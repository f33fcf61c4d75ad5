//! What happened in a run, for people, and a fingerprint of all of it, for machines.

use std::{collections::VecDeque, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use kafka_proto::api::ApiKey;

use super::describe;

/// Lines kept: the last ones.
const KEPT: usize = 10_000;

/// The trace of a run.
#[derive(Debug)]
pub(super) struct Trace {
    lines: VecDeque<(Duration, What)>,
    dropped: usize,
    fingerprint: u64,
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Way {
    /// From the client to the broker.
    Up,
    /// From the broker to the client.
    Down,
}

/// One thing that happened; made to text only when somebody reads it.
#[derive(Clone, Debug)]
pub(super) enum What {
    Dial {
        host: String,
        port: u16,
        fate: &'static str,
    },
    Connected {
        connection: u64,
        broker: i32,
    },
    Request {
        connection: u64,
        broker: i32,
        frame: Bytes,
    },
    Response {
        connection: u64,
        api: (ApiKey, i16),
        frame: Bytes,
    },
    Arrived {
        connection: u64,
        correlation: i32,
    },
    Ended {
        connection: u64,
        by: &'static str,
    },
    Cut {
        connection: u64,
        lost_up: usize,
        lost_down: usize,
    },
    Silent {
        connection: u64,
        way: Way,
    },
    Crashed(i32),
    Started(i32),
    Led {
        topic: String,
        partition: i32,
        broker: i32,
    },
    Compacted {
        topic: String,
        partition: i32,
        gone: usize,
    },
    Lags {
        topic: String,
        partition: i32,
        records: i64,
    },
    Jumped(i64),
    Quiet,
    Note(Arc<str>),
}

impl Trace {
    pub(super) fn new() -> Self {
        Self {
            lines: VecDeque::new(),
            dropped: 0,
            fingerprint: 0xcbf2_9ce4_8422_2325,
        }
    }

    pub(super) fn push(&mut self, at: Duration, what: What) {
        if self.lines.len() == KEPT {
            self.lines.pop_front();
            self.dropped += 1;
        }
        self.lines.push_back((at, what));
    }

    /// Mixes bytes that arrived somewhere, and when, into the fingerprint.
    pub(super) fn mix(&mut self, at: Duration, connection: u64, bytes: &[u8]) {
        self.mix_word(at.as_nanos() as u64);
        self.mix_word(connection);
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix_word(u64::from_le_bytes(*word));
        }
        rest.iter().for_each(|b| self.mix_word(u64::from(*b)));
    }

    pub(super) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let dropped = (self.dropped > 0).then(|| format!("({} lines before)", self.dropped));
        let lines = self.lines.iter().map(|(at, what)| {
            let us = at.as_micros();
            format!("{:>8}.{:03} ms  {what}", us / 1_000, us % 1_000)
        });
        dropped.into_iter().chain(lines).collect()
    }

    fn mix_word(&mut self, word: u64) {
        self.fingerprint = (self.fingerprint ^ word)
            .wrapping_mul(0x0100_0000_01b3)
            .rotate_left(23);
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dial { host, port, fate } => write!(f, "dial {host}:{port}: {fate}"),
            Self::Connected { connection, broker } => {
                write!(f, "c{connection} connects to broker {broker}")
            }
            Self::Request {
                connection,
                broker,
                frame,
            } => {
                let request = describe::request(frame);
                write!(f, "c{connection} -> broker {broker}: {request}")
            }
            Self::Response {
                connection,
                api,
                frame,
            } => {
                let response = describe::response(frame, *api);
                write!(f, "c{connection} <- sent: {response}")
            }
            Self::Arrived {
                connection,
                correlation,
            } => write!(f, "c{connection} <- arrived: #{correlation}"),
            Self::Ended { connection, by } => write!(f, "c{connection} ends: {by}"),
            Self::Cut {
                connection,
                lost_up,
                lost_down,
            } => write!(
                f,
                "c{connection} is cut: {lost_up} bytes up and {lost_down} bytes down are lost"
            ),
            Self::Silent { connection, way } => match way {
                Way::Up => write!(f, "c{connection} swallows what the client sends"),
                Way::Down => write!(f, "c{connection} swallows what the broker sends"),
            },
            Self::Crashed(broker) => write!(f, "broker {broker} crashes"),
            Self::Started(broker) => write!(f, "broker {broker} starts"),
            Self::Led {
                topic,
                partition,
                broker,
            } => write!(f, "broker {broker} leads {topic}-{partition}"),
            Self::Compacted {
                topic,
                partition,
                gone,
            } => write!(
                f,
                "{topic}-{partition} is compacted: {gone} records are gone"
            ),
            Self::Lags {
                topic,
                partition,
                records,
            } => write!(
                f,
                "followers of {topic}-{partition} are up to {records} records behind"
            ),
            Self::Jumped(ms) => write!(f, "the wall clock jumps by {ms} ms"),
            Self::Quiet => f.write_str("from here on nothing goes wrong"),
            Self::Note(text) => f.write_str(text),
        }
    }
}
