//! Iteration over the records of a batch, in place.
//!
//! Layout: Kafka's `DefaultRecord`.

use bytes::Bytes;

use super::{BatchHeader, Header, Headers, RecordError, RecordErrorKind, varint};

/// A record as it stands in a batch.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the parts of a record speak for themselves")]
pub struct RecordView<'a> {
    pub offset: i64,
    /// Unix ms; -1 if the batch has none.
    pub timestamp: i64,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: Headers<'a>,
}

/// Borrowed iteration over one batch; after an error it yields nothing more.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    cursor: RecordCursor,
    body: &'a [u8],
}

impl<'a> Records<'a> {
    pub(super) fn new(cursor: RecordCursor, body: &'a [u8]) -> Self {
        Self { cursor, body }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<RecordView<'a>, RecordError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let record = match self.cursor.next(self.body)? {
            Ok(record) => record,
            Err(e) => return Some(Err(e)),
        };
        Some(Ok(RecordView {
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key.of(self.body),
            value: record.value.of(self.body),
            headers: Headers::encoded(
                record.header_count,
                record.headers.of(self.body).unwrap_or_default(),
            ),
        }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.cursor.size_hint()
    }
}

/// Part of a body: where it starts and its length, -1 for null.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Span {
    start: u32,
    len: i32,
}

impl Span {
    #[inline]
    pub(crate) fn of(self, body: &[u8]) -> Option<&[u8]> {
        let len = usize::try_from(self.len).ok()?;
        body.get(self.start as usize..self.start as usize + len)
    }

    /// The same part as a share of `body`.
    pub(crate) fn share(self, body: &Bytes) -> Option<Bytes> {
        self.of(body).map(|part| body.slice_ref(part))
    }
}

/// A record as places in its body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawRecord {
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) key: Span,
    pub(crate) value: Span,
    pub(crate) headers: Span,
    pub(crate) header_count: i32,
}

/// Where iteration stands: owns nothing, so that borrowed views and shared messages use the same one.
#[derive(Clone, Debug)]
pub(crate) struct RecordCursor {
    at: usize,
    left: i32,
    base_offset: i64,
    last_offset_delta: i32,
    base_timestamp: i64,
    append_time: Option<i64>,
    position: usize,
    failed: bool,
}

impl RecordCursor {
    pub(super) fn new(header: &BatchHeader, position: usize) -> Self {
        // older formats say the time and the last offset apart: what stands in the body is already right
        let is_legacy = header.magic < 2;
        let append = header.is_append_time() && !is_legacy;
        Self {
            at: 0,
            left: header.record_count,
            base_offset: header.base_offset,
            last_offset_delta: if is_legacy {
                i32::MAX
            } else {
                header.last_offset_delta
            },
            base_timestamp: header.base_timestamp,
            append_time: append.then_some(header.max_timestamp),
            position,
            failed: false,
        }
    }

    pub(super) fn size_hint(&self) -> (usize, Option<usize>) {
        // the count is the header's word alone, and one error may come behind it
        (0, Some(self.left.max(0) as usize + 1))
    }

    /// The next record of `body`; the caller passes the same body every time.
    // left to the compiler, this and what it calls depend on what else their unit holds: calls make reading a sixth dearer
    #[inline(always)]
    pub(crate) fn next(&mut self, body: &[u8]) -> Option<Result<RawRecord, RecordError>> {
        if self.failed {
            return None;
        }
        if self.left == 0 {
            // bytes behind the last counted record: the header lied
            return (self.at < body.len()).then(|| Err(self.fail(RecordErrorKind::RecordCount)));
        }
        if self.at >= body.len() {
            return Some(Err(self.fail(RecordErrorKind::RecordCount)));
        }
        match self.parse(body) {
            Some(record) => {
                self.left -= 1;
                Some(Ok(record))
            }
            None => Some(Err(self.fail(RecordErrorKind::InvalidRecord))),
        }
    }

    #[inline(always)]
    fn parse(&mut self, body: &[u8]) -> Option<RawRecord> {
        let mut at = self.at;
        let len = usize::try_from(varint::get_i32(body, &mut at)?).ok()?;
        let end = at.checked_add(len).filter(|end| *end <= body.len())?;
        // a record never reads beyond its own length
        let body = &body[..end];
        at += 1; // attributes, unused
        let timestamp_delta = varint::get(body, &mut at)?;
        let offset_delta = varint::get_i32(body, &mut at)?;
        if offset_delta < 0 || offset_delta > self.last_offset_delta {
            return None;
        }
        let key = span(body, &mut at)?;
        let value = span(body, &mut at)?;
        let header_count = varint::get_i32(body, &mut at)?;
        let headers = Span {
            start: u32::try_from(at).ok()?,
            len: i32::try_from(end - at).ok()?,
        };
        if header_count == 0 {
            if at != end {
                return None;
            }
        } else if !headers_are_whole(body, at, header_count) {
            return None;
        }
        self.at = end;
        Some(RawRecord {
            offset: self.base_offset.checked_add(i64::from(offset_delta))?,
            timestamp: self
                .append_time
                .unwrap_or_else(|| self.base_timestamp.wrapping_add(timestamp_delta)),
            key,
            value,
            headers,
            header_count,
        })
    }

    #[cold]
    fn fail(&mut self, kind: RecordErrorKind) -> RecordError {
        self.failed = true;
        RecordError::new(kind, self.base_offset, self.position)
    }
}

#[inline(always)]
fn span(body: &[u8], at: &mut usize) -> Option<Span> {
    let len = varint::get_i32(body, at)?;
    let start = u32::try_from(*at).ok()?;
    if len < 0 {
        return (len == -1).then_some(Span { start, len });
    }
    *at = at
        .checked_add(len as usize)
        .filter(|end| *end <= body.len())?;
    Some(Span { start, len })
}

fn headers_are_whole(body: &[u8], mut at: usize, count: i32) -> bool {
    if count < 0 {
        return false;
    }
    for _ in 0..count {
        match (span(body, &mut at), span(body, &mut at)) {
            (Some(key), Some(_)) if key.len >= 0 => {}
            _ => return false,
        }
    }
    at == body.len()
}

/// Reads the header at `at` of headers that [`RecordCursor`] has found whole.
pub(super) fn read_header<'a>(encoded: &'a [u8], at: &mut usize) -> Option<Header<'a>> {
    let key = span(encoded, at)?;
    let value = span(encoded, at)?;
    Some(Header::from_parts(key.of(encoded)?, value.of(encoded)))
}
