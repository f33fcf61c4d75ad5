//! Writing to the partition of a connection.

use std::time::Duration;

use bytes::Bytes;

use super::{Conn, Settings, Side, Terms};
use crate::{
    api::{
        ApiKey,
        produce::{PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData},
    },
    config::Acks,
    error::{Error, ErrorCode, ErrorKind, Outcome, Written},
    machine::fetch::LAST_BY_NAME,
    record::{BatchBuilder, Compression, MessageSetError, Record, message_set},
};

/// The first versions of Produce that take batches of magic 2, messages of magic 1, and zstd.
const FIRST_OF_MAGIC_2: i16 = 3;
const FIRST_OF_MAGIC_1: i16 = 2;
const FIRST_WITH_ZSTD: i16 = 7;

impl Conn {
    /// Writes one record with this value, and returns how many bytes it has: all of them, or it is an error.
    ///
    /// # Errors
    ///
    /// As [`Conn::write_messages`].
    #[doc(alias = "Write")]
    pub async fn write_value(&self, value: &[u8]) -> Result<usize, Error> {
        self.write_messages(&[Record::new(value)]).await?;
        Ok(value.len())
    }

    /// Writes records to the connection's partition as one batch: all of them or none.
    ///
    /// Waits for whom [`Conn::set_required_acks`] says. Returns where the first record went and when the broker appended it;
    /// the others follow it. No records are written without asking the broker, and have no offset. A record without a time
    /// gets that of the call.
    ///
    /// The format is the newest that the broker takes: magic 2 from 0.11 on, magic 1 before.
    ///
    /// # Errors
    ///
    /// The broker refused the batch, the write deadline passed, or the connection ended; the outcome says whether it may be
    /// in the log. Records that name another topic or partition are a misuse. Headers, for a broker before 0.11, are
    /// [`ErrorKind::Unsupported`]: they are never dropped.
    #[doc(alias = "WriteMessages")]
    #[doc(alias = "WriteCompressedMessagesAt")]
    pub async fn write_messages(&self, records: &[Record<'_>]) -> Result<Written, Error> {
        self.write_compressed(Compression::None, records).await
    }

    /// As [`Conn::write_messages`], compressed, by the codecs of [`Conn::set_codecs`].
    ///
    /// # Errors
    ///
    /// As [`Conn::write_messages`]; also if the crate was built without the codec, or the broker does not know zstd (it does
    /// from 2.1 on).
    #[doc(alias = "WriteCompressedMessages")]
    pub async fn write_compressed(
        &self,
        compression: Compression,
        records: &[Record<'_>],
    ) -> Result<Written, Error> {
        let unwritten = |error: Error| error.with_outcome(Outcome::NotWritten);
        self.check(records).map_err(unwritten)?;
        let nowhere = Written::new(self.partition, None, None);
        if records.is_empty() {
            return Ok(nowhere);
        }
        let versions = self.versions().await.map_err(unwritten)?;
        let version = versions.choose(ApiKey::Produce, LAST_BY_NAME);
        let version = version.map_err(|e| {
            unwritten(Error::new(ErrorKind::Unsupported, e.to_string()).caused_by(e))
        })?;
        let Settings { acks, codecs } = self.settings.lock().clone();
        let batch = self
            .encode(version, compression, &codecs, records)
            .map_err(unwritten)?;
        let request = self.produce(acks, batch);
        let terms = Terms {
            lowest: version,
            highest: version,
            extra: Duration::ZERO,
            answered: acks != Acks::None,
        };
        let call = self.submit(request, terms, Side::Write);
        if acks == Acks::None {
            return call.sent().await.map(|()| nowhere);
        }
        self.outcome(&call.await?)
    }

    /// Whether the records can be written here.
    fn check(&self, records: &[Record<'_>]) -> Result<(), Error> {
        let topic = self.own_topic()?;
        let elsewhere = |r: &Record<'_>| {
            r.topic.is_some_and(|t| *t != **topic)
                || r.partition.is_some_and(|p| p != self.partition)
        };
        if records.iter().any(elsewhere) {
            let message = "a record names a topic or partition that is not the connection's";
            return Err(Error::new(ErrorKind::Misuse, message));
        }
        let size: usize = records.iter().map(BatchBuilder::size_bound).sum();
        if size > 1 << 30 {
            let message = format!("{size} bytes are more than a batch can have, 1 GiB");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        Ok(())
    }

    /// The records in the format of this version of Produce.
    fn encode(
        &self,
        version: i16,
        compression: Compression,
        codecs: &crate::record::Codecs,
        records: &[Record<'_>],
    ) -> Result<Bytes, Error> {
        if compression == Compression::Zstd && version < FIRST_WITH_ZSTD {
            let message = "the broker does not know zstd: it does from 2.1 on";
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let mut builder = BatchBuilder::new(Vec::new());
        let now = self.now();
        for record in records {
            builder.push(record, now.unix_ms);
        }
        let (mut header, body) = builder.finish();
        if version < FIRST_OF_MAGIC_2 {
            let magic = i8::from(version >= FIRST_OF_MAGIC_1);
            return message_set(magic, &header, &body, compression, codecs).map_err(old_format);
        }
        let body = match compression {
            Compression::None => Bytes::from(body),
            compression => {
                header.attributes |= compression.attributes();
                let unsupported =
                    |e| Error::new(ErrorKind::Unsupported, format!("{e}")).caused_by(e);
                codecs.compress(compression, &body).map_err(unsupported)?
            }
        };
        Ok([&header.write(&body)[..], &body].concat().into())
    }

    fn produce(&self, acks: Acks, batch: Bytes) -> ProduceRequest {
        let mut timeout = self.config().request_timeout;
        if let Some(at) = self.link.deadlines().write {
            timeout = timeout.min(at.saturating_duration_since(self.now().instant));
        }
        ProduceRequest::build(|r| {
            r.acks = acks.code();
            r.timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
            r.topic_data.push(TopicProduceData::build(|t| {
                t.name = self.topic.to_string();
                t.partition_data.push(PartitionProduceData::build(|p| {
                    p.index = self.partition;
                    p.records = Some(batch);
                }));
            }));
        })
    }

    fn outcome(&self, response: &ProduceResponse) -> Result<Written, Error> {
        let mut answers = response
            .responses
            .iter()
            .flat_map(|t| &t.partition_responses);
        let Some(answer) = answers.next() else {
            let message = "the response to Produce leaves out the partition";
            return Err(Error::new(ErrorKind::Protocol, message).with_outcome(Outcome::Unknown));
        };
        let known = |n: i64| Some(n).filter(|n| *n >= 0);
        match ErrorCode(answer.error_code) {
            ErrorCode::NONE => Ok(Written::new(
                self.partition,
                known(answer.base_offset),
                known(answer.log_append_time_ms),
            )),
            code => {
                let unknown = matches!(
                    code,
                    ErrorCode::REQUEST_TIMED_OUT | ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND
                );
                let outcome = match unknown {
                    true => Outcome::Unknown,
                    false => Outcome::NotWritten,
                };
                let error = Error::refused(code, "the batch", answer.error_message.as_deref());
                Err(error
                    .with_outcome(outcome)
                    .in_partition(&self.topic, self.partition))
            }
        }
    }
}

/// Why the records have no place in the formats before 0.11.
fn old_format(error: MessageSetError) -> Error {
    let kind = match error {
        MessageSetError::TooLarge => ErrorKind::TooLarge,
        _ => ErrorKind::Unsupported,
    };
    let message = format!("the broker is older than 0.11: {error}");
    Error::new(kind, message).caused_by(error)
}
