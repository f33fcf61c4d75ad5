//! Requests out of frames, and frames out of responses.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_proto::{
    api::{AnyRequest, AnyResponse, ApiKey, RequestHeader, ResponseHeader},
    wire::{DecodeError, Reader, Wire, Writer},
};

use super::{ConnId, Release, config::Config, sessions::Turn};

/// A request as a broker sees it: what [`Rule`](super::Rule)s match.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Request {
    /// The connection it came over.
    pub connection: ConnId,
    /// The broker that has to answer.
    pub broker: i32,
    /// What it asks for.
    pub api: ApiKey,
    /// In which version.
    pub version: i16,
    /// Which number the answer bears.
    pub correlation_id: i32,
    /// What the client calls itself.
    pub client_id: Option<String>,
    /// What stands in it; within a fetch session, completed by what the broker remembers.
    pub body: AnyRequest,
    /// The fetch session that it belongs to.
    pub(super) session: Option<Turn>,
}

/// A frame that is not a request, or none that this broker serves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refused {
    /// Kafka closes the connection.
    Close,
    /// ApiVersions in a version that this broker does not know: the one case that has an answer.
    ApiVersions { correlation_id: i32 },
}

impl From<DecodeError> for Refused {
    fn from(_: DecodeError) -> Self {
        Self::Close
    }
}

impl Request {
    /// Reads a frame without its length. Bytes behind the last field refuse it, although Kafka ignores them: a client
    /// that sends such has a bug.
    pub(super) fn decode(
        frame: &Bytes,
        connection: ConnId,
        (broker, release): (i32, Release),
        config: &Config,
    ) -> Result<Self, Refused> {
        let [k0, k1, v0, v1, c0, c1, c2, c3, ..] = **frame else {
            return Err(Refused::Close);
        };
        let api = ApiKey::try_from(i16::from_be_bytes([k0, k1])).map_err(|_| Refused::Close)?;
        let version = i16::from_be_bytes([v0, v1]);
        if !config.serves(release, api, version) {
            let correlation_id = i32::from_be_bytes([c0, c1, c2, c3]);
            return match api == ApiKey::ApiVersions && config.announced(release, api).is_some() {
                true => Err(Refused::ApiVersions { correlation_id }),
                false => Err(Refused::Close),
            };
        }
        let mut reader = Reader::new(frame, version, false);
        let header = RequestHeader::read(&mut reader, api.request_header(version))?;
        reader.flexible = api.is_flexible(version);
        let body = AnyRequest::decode(api, &mut reader)?;
        if reader.remaining() > 0 {
            return Err(Refused::Close);
        }
        Ok(Self {
            connection,
            broker,
            api,
            version,
            correlation_id: header.correlation_id,
            client_id: header.client_id,
            body,
            session: None,
        })
    }

    /// Writes a whole response frame.
    pub(super) fn answer(&self, response: &AnyResponse) -> Bytes {
        encode(self.api, self.version, self.correlation_id, response)
    }
}

/// Writes a whole response frame, its length included.
pub(super) fn encode(
    api: ApiKey,
    version: i16,
    correlation_id: i32,
    response: &AnyResponse,
) -> Bytes {
    let mut writer = Writer::new(version, api.is_flexible(version));
    // room for the length, so that a response without large fields is one buffer and never copied
    0i32.write(&mut writer);
    let header = ResponseHeader {
        correlation_id,
        ..ResponseHeader::default()
    };
    header.write(&mut writer, api.response_header(version));
    writer.flexible = api.is_flexible(version);
    response.encode(&mut writer);
    let segments = writer.segments();
    let size: usize = segments.iter().map(Bytes::len).sum();
    let mut frame = join(segments, size);
    let length = i32::try_from(size - 4).unwrap_or(i32::MAX);
    frame[..4].copy_from_slice(&length.to_be_bytes());
    frame.freeze()
}

fn join(mut segments: Vec<Bytes>, size: usize) -> BytesMut {
    let mut frame = BytesMut::with_capacity(if segments.len() == 1 { 0 } else { size });
    if segments.len() == 1
        && let Some(only) = segments.pop()
    {
        return only
            .try_into_mut()
            .unwrap_or_else(|shared| BytesMut::from(&shared[..]));
    }
    for segment in segments {
        frame.put_slice(&segment);
    }
    frame
}
