//! Where a connection stands in its partition.

use super::{Conn, Side, Terms};
use crate::{
    api::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic},
    error::{Error, ErrorCode, ErrorKind},
};

/// What stands for the first offset on the wire.
///
/// Source: acceptance CT-06.
pub const FIRST_OFFSET: i64 = -2;

/// What stands for the offset after the last message on the wire.
///
/// Source: acceptance CT-05.
pub const LAST_OFFSET: i64 = -1;

/// A place in a partition.
///
/// Not that of [`std::io::SeekFrom`]: a partition begins at its first offset, and its end is counted backwards.
///
/// Source: acceptance CT-01..04.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "there are no other places")]
pub enum SeekFrom {
    /// So many offsets after the first.
    Start(i64),
    /// This offset.
    Absolute(i64),
    /// So many offsets before the last, which is the one that the next message will get: `End(3)` is followed by three
    /// messages.
    End(i64),
    /// So many offsets after the position, or before it if negative.
    Current(i64),
}

/// Where the next read begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Position {
    /// Wherever the log begins.
    First,
    At(i64),
}

impl Conn {
    /// Moves the position and returns it as an absolute offset.
    ///
    /// Asks the broker for the bounds of the log; the offset after the last message is legal. Seeking to where the position
    /// is asks nobody.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::OffsetOutOfRange`] outside of the log, the broker refused, or the connection ended; the position stays.
    #[doc(alias = "Seek")]
    pub async fn seek(&mut self, to: SeekFrom) -> Result<i64, Error> {
        if let (SeekFrom::Absolute(offset), Position::At(at)) = (to, self.position)
            && offset == at
        {
            return Ok(at);
        }
        let (first, last) = self.offsets().await?;
        let offset = match (to, self.position) {
            (SeekFrom::Start(n), _) | (SeekFrom::Current(n), Position::First) => {
                first.checked_add(n)
            }
            (SeekFrom::End(n), _) => last.checked_sub(n),
            (SeekFrom::Absolute(offset), _) => Some(offset),
            (SeekFrom::Current(n), Position::At(at)) => at.checked_add(n),
        };
        match offset {
            Some(offset) if (first..=last).contains(&offset) => Ok(self.move_to(offset)),
            _ => {
                let message = format!("{to:?} is not within the offsets {first} to {last}");
                let error = Error::new(ErrorKind::OffsetOutOfRange, message);
                Err(error.in_partition(&self.topic, self.partition))
            }
        }
    }

    /// Moves the position without a look at the bounds of the log, and returns it as an absolute offset.
    ///
    /// `Absolute`, and `Current` once the position is known, ask nobody. Where the offset does not exist, the next read
    /// fails with [`ErrorKind::OffsetOutOfRange`].
    ///
    /// # Errors
    ///
    /// The offset would be negative or too large, the broker refused, or the connection ended; the position stays.
    #[doc(alias = "SeekDontCheck")]
    pub async fn seek_unchecked(&mut self, to: SeekFrom) -> Result<i64, Error> {
        self.own_topic()?;
        let offset = match (to, self.position) {
            (SeekFrom::Absolute(offset), _) => Some(offset),
            (SeekFrom::Current(n), Position::At(at)) => at.checked_add(n),
            (SeekFrom::Start(n) | SeekFrom::Current(n), _) => {
                self.first_offset().await?.checked_add(n)
            }
            (SeekFrom::End(n), _) => self.last_offset().await?.checked_sub(n),
        };
        match offset {
            Some(offset) if offset >= 0 => Ok(self.move_to(offset)),
            _ => {
                let message = format!("{to:?} is no offset");
                let error = Error::new(ErrorKind::Misuse, message);
                Err(error.in_partition(&self.topic, self.partition))
            }
        }
    }

    /// Where the next read begins: `Start(0)` at first, then `Absolute`.
    #[doc(alias = "Offset")]
    pub fn position(&self) -> SeekFrom {
        match self.position {
            Position::First => SeekFrom::Start(0),
            Position::At(offset) => SeekFrom::Absolute(offset),
        }
    }

    /// Asks for the first offset of the partition.
    ///
    /// # Errors
    ///
    /// The broker refused, a deadline passed, or the connection ended.
    #[doc(alias = "ReadFirstOffset")]
    pub async fn first_offset(&self) -> Result<i64, Error> {
        self.list_offset(FIRST_OFFSET).await
    }

    /// Asks for the last offset of the partition: the one that the next message will get.
    ///
    /// # Errors
    ///
    /// As [`Conn::first_offset`].
    #[doc(alias = "ReadLastOffset")]
    pub async fn last_offset(&self) -> Result<i64, Error> {
        self.list_offset(LAST_OFFSET).await
    }

    /// Asks for the first and the last offset, in two requests that leave together.
    ///
    /// # Errors
    ///
    /// As [`Conn::first_offset`].
    #[doc(alias = "ReadOffsets")]
    pub async fn offsets(&self) -> Result<(i64, i64), Error> {
        let first = self.list_offset(FIRST_OFFSET);
        let last = self.list_offset(LAST_OFFSET);
        Ok((first.await?, last.await?))
    }

    /// Asks for the offset of the first message at `unix_ms` or later; `None` if there is none.
    ///
    /// # Errors
    ///
    /// As [`Conn::first_offset`]; also if the broker is older than 0.10.1, which finds files by their age only.
    #[doc(alias = "ReadOffset")]
    pub async fn offset_at(&self, unix_ms: i64) -> Result<Option<i64>, Error> {
        if unix_ms < 0 {
            let message = "a time before 1970 means something else on the wire";
            return Err(Error::new(ErrorKind::Misuse, message));
        }
        let offset = self.list_offset(unix_ms).await?;
        Ok(Some(offset).filter(|offset| *offset >= 0))
    }

    /// Where the next read begins, asked for if need be.
    pub(super) async fn resolve(&mut self) -> Result<i64, Error> {
        if let Position::At(offset) = self.position {
            return Ok(offset);
        }
        let first = self.first_offset().await?;
        Ok(self.move_to(first))
    }

    fn move_to(&mut self, offset: i64) -> i64 {
        self.position = Position::At(offset);
        self.rest = None;
        offset
    }

    /// The question leaves at once; what is returned waits for the answer.
    fn list_offset(
        &self,
        timestamp: i64,
    ) -> impl Future<Output = Result<i64, Error>> + Send + use<> {
        let (topic, partition) = (self.topic.clone(), self.partition);
        let asked = self.own_topic().map(|topic| {
            let request = ListOffsetsRequest::build(|r| {
                r.replica_id = -1;
                r.topics.push(ListOffsetsTopic::build(|t| {
                    t.name = topic.to_string();
                    t.partitions.push(ListOffsetsPartition::build(|p| {
                        (p.partition_index, p.timestamp) = (partition, timestamp);
                    }));
                }));
            });
            let terms = Terms {
                // version 0 knows the ages of files, not of messages
                lowest: i16::from(timestamp >= 0),
                ..Terms::default()
            };
            self.submit(request, terms, Side::Read)
        });
        async move {
            let response = asked?.await?;
            let answer = response.topics.iter().flat_map(|t| &t.partitions).next();
            let Some(answer) = answer else {
                let message = "the response to ListOffsets leaves out the partition";
                return Err(Error::new(ErrorKind::Protocol, message));
            };
            match ErrorCode(answer.error_code) {
                // version 0 lists what it has
                ErrorCode::NONE => {
                    let old = answer.old_style_offsets.first();
                    Ok(old.copied().unwrap_or(answer.offset))
                }
                code => {
                    Err(Error::refused(code, "the offset", None).in_partition(&topic, partition))
                }
            }
        }
    }
}
