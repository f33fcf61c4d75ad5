//! What became of records, one by one.

use std::{error::Error as StdError, fmt};

use super::{Error, Outcome};
use crate::record::Message;

/// Where a record went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
#[doc(alias = "RecordMetadata")]
pub struct Written {
    /// The partition.
    pub partition: i32,
    /// The offset; `None` where the broker did not say it: acks none, or a duplicate that it has forgotten the place of.
    pub offset: Option<i64>,
    /// The broker's time (Unix ms) on topics with LogAppendTime; `None` where the record's own time stands.
    pub append_time: Option<i64>,
}

impl Written {
    pub(crate) fn new(partition: i32, offset: Option<i64>, append_time: Option<i64>) -> Self {
        Self {
            partition,
            offset,
            append_time,
        }
    }
}

/// Not every record of a call was written.
///
/// `Display` speaks of the first failure; [`WriteError::results`] has all of them. Source: acceptance WR-03.
#[derive(Clone, Debug)]
pub struct WriteError {
    results: Vec<Result<Written, Error>>,
}

impl WriteError {
    pub(crate) fn new(results: Vec<Result<Written, Error>>) -> Self {
        Self { results }
    }

    /// One result for each record of the call, in its order; a single one if the call was refused as a whole.
    pub fn results(&self) -> &[Result<Written, Error>] {
        &self.results
    }

    /// The first failure.
    pub fn first(&self) -> Option<&Error> {
        self.results.iter().find_map(|r| r.as_ref().err())
    }

    /// How many records failed.
    pub fn failed(&self) -> usize {
        self.results.iter().filter(|r| r.is_err()).count()
    }

    /// What became of the data: `Unknown` if that is so of any record.
    pub fn outcome(&self) -> Outcome {
        let mut outcomes = self
            .results
            .iter()
            .filter_map(|r| r.as_ref().err())
            .map(Error::outcome);
        if outcomes.any(|o| o == Outcome::Unknown) {
            Outcome::Unknown
        } else {
            Outcome::NotWritten
        }
    }
}

impl From<Error> for WriteError {
    fn from(error: Error) -> Self {
        Self {
            results: vec![Err(error)],
        }
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first(), self.results.len()) {
            (None, _) => f.write_str("nothing failed"),
            (Some(first), 1) => write!(f, "not written: {first}"),
            (Some(first), all) => write!(
                f,
                "{} of {all} records not written, first: {first}",
                self.failed()
            ),
        }
    }
}

impl StdError for WriteError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.first().map(|e| e as &(dyn StdError + 'static))
    }
}

/// What a `close` could not deliver in its time: the messages, handed back.
#[derive(Debug)]
#[must_use = "these messages were accepted and not written"]
pub struct Undelivered {
    messages: Vec<UndeliveredMessage>,
}

impl Undelivered {
    pub(crate) fn new(messages: Vec<UndeliveredMessage>) -> Self {
        Self { messages }
    }

    /// The messages, by partition in the order in which they were accepted.
    pub fn messages(&self) -> &[UndeliveredMessage] {
        &self.messages
    }

    /// The messages, owned.
    pub fn into_messages(self) -> Vec<UndeliveredMessage> {
        self.messages
    }
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unknown = self
            .messages
            .iter()
            .filter(|m| m.error.outcome() == Outcome::Unknown)
            .count();
        write!(
            f,
            "{} messages not delivered before the close, {unknown} of them of unknown outcome",
            self.messages.len()
        )
    }
}

impl StdError for Undelivered {}

/// One message that a `close` gave back.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UndeliveredMessage {
    /// The message; its offset counts from 0 within its batch and means nothing in the log.
    pub message: Message,
    /// Why it was not delivered, and whether it may be in the log all the same.
    pub error: Error,
}
