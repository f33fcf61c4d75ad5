//! What a frame says, in a few words, for the trace.

use std::fmt::Write;

use bytes::Bytes;
use kafka_proto::{
    api::{AnyRequest, AnyResponse, ApiKey, RequestHeader, ResponseHeader},
    error::ErrorCode,
    record::BatchHeader,
    wire::Reader,
};

/// The API and version of a request frame, which its response does not name.
pub(super) fn api_of(frame: &[u8]) -> Option<(ApiKey, i16)> {
    let [k0, k1, v0, v1, ..] = *frame else {
        return None;
    };
    let api = ApiKey::try_from(i16::from_be_bytes([k0, k1])).ok()?;
    Some((api, i16::from_be_bytes([v0, v1])))
}

/// A request, without its length.
pub(super) fn request(frame: &Bytes) -> String {
    let Some((api, version)) = api_of(frame) else {
        return format!("no request ({} bytes)", frame.len());
    };
    let mut reader = Reader::new(frame, version, false);
    let Ok(header) = RequestHeader::read(&mut reader, api.request_header(version)) else {
        return format!("{} with a broken header", api.name());
    };
    let mut text = format!("{} v{version} #{}", api.name(), header.correlation_id);
    reader.flexible = api.is_flexible(version);
    match AnyRequest::decode(api, &mut reader) {
        Ok(body) => request_body(&body, &mut text),
        Err(error) => text.push_str(&format!(" that cannot be read: {error}")),
    }
    text
}

/// A response, with its length.
pub(super) fn response(frame: &Bytes, (api, version): (ApiKey, i16)) -> String {
    let frame = frame.slice(frame.len().min(4)..);
    let mut reader = Reader::new(&frame, version, false);
    let Ok(header) = ResponseHeader::read(&mut reader, api.response_header(version)) else {
        return format!("a response to {} with a broken header", api.name());
    };
    let mut text = format!("{} #{}", api.name(), header.correlation_id);
    reader.flexible = api.is_flexible(version);
    match AnyResponse::decode(api, &mut reader) {
        Ok(body) => response_body(&body, &mut text),
        Err(error) => text.push_str(&format!(" that cannot be read: {error}")),
    }
    text
}

fn request_body(body: &AnyRequest, text: &mut String) {
    match body {
        AnyRequest::Produce(produce) => {
            for partition in produce.topic_data.iter().flat_map(|t| &t.partition_data) {
                let records = partition.records.clone().unwrap_or_default();
                let _ = write!(text, "; {}: ", partition.index);
                let _ = match BatchHeader::parse(&records) {
                    Some(batch) => write!(
                        text,
                        "{} records, producer {}/{} sequence {}",
                        batch.record_count,
                        batch.producer_id,
                        batch.producer_epoch,
                        batch.base_sequence
                    ),
                    None => write!(text, "no batch"),
                };
            }
        }
        AnyRequest::Fetch(fetch) => {
            for partition in fetch.topics.iter().flat_map(|t| &t.partitions) {
                let (at, epoch) = (partition.fetch_offset, partition.current_leader_epoch);
                let _ = write!(text, "; {} from {at}, epoch {epoch}", partition.partition);
            }
        }
        _ => {}
    }
}

fn response_body(body: &AnyResponse, text: &mut String) {
    match body {
        AnyResponse::Produce(produce) => {
            let partitions = produce.responses.iter();
            for partition in partitions.flat_map(|t| &t.partition_responses) {
                let _ = match ErrorCode(partition.error_code) {
                    ErrorCode::NONE => {
                        write!(text, "; {}: at {}", partition.index, partition.base_offset)
                    }
                    code => write!(text, "; {}: {code:?}", partition.index),
                };
            }
        }
        AnyResponse::Fetch(fetch) => {
            for partition in fetch.responses.iter().flat_map(|t| &t.partitions) {
                let index = partition.partition_index;
                let bytes = partition.records.as_ref().map_or(0, Bytes::len);
                let _ = match ErrorCode(partition.error_code) {
                    ErrorCode::NONE => write!(text, "; {index}: {bytes} bytes"),
                    code => write!(text, "; {index}: {code:?}"),
                };
            }
        }
        AnyResponse::Metadata(metadata) => {
            let _ = write!(text, "; {} brokers", metadata.brokers.len());
            for topic in &metadata.topics {
                let _ = write!(text, "; leaders");
                for partition in &topic.partitions {
                    let (leader, epoch) = (partition.leader_id, partition.leader_epoch);
                    let _ = write!(text, " {leader} (epoch {epoch})");
                }
            }
        }
        AnyResponse::InitProducerId(init) => {
            let _ = match ErrorCode(init.error_code) {
                ErrorCode::NONE => {
                    write!(text, "; {}/{}", init.producer_id, init.producer_epoch)
                }
                code => write!(text, "; {code:?}"),
            };
        }
        _ => {}
    }
}
