//! The Produce request, written by hand: its batches are a header and a shared body, which no copy joins.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    record::BatchHeader,
    wire::{Nullable, Uuid, Wire, Writer},
};

/// One batch of a request.
#[derive(Clone, Debug)]
pub struct Part {
    /// The topic.
    pub topic: Arc<str>,
    /// Its id; zeros if unknown, which limits the request to version 12.
    pub id: Uuid,
    /// The partition.
    pub partition: i32,
    /// What stands before the records.
    pub header: BatchHeader,
    /// The records.
    pub body: Bytes,
}

/// Writes the body of a request of version 3 or later; `parts` of one topic stand together.
pub fn write_request(acks: i16, timeout_ms: i32, parts: &[Part], w: &mut Writer) {
    let version = w.version;
    String::write_nullable(None, w);
    acks.write(w);
    timeout_ms.write(w);
    let topics = parts.chunk_by(|a, b| a.topic == b.topic);
    w.put_array_len(Some(topics.clone().count()));
    for topic in topics {
        if version > super::fetch::LAST_BY_NAME {
            topic[0].id.write(w);
        } else {
            w.put_string_len(Some(topic[0].topic.len()));
            w.put_slice(topic[0].topic.as_bytes());
        }
        w.put_array_len(Some(topic.len()));
        for part in topic {
            part.partition.write(w);
            w.put_array_len(Some(BatchHeader::SIZE + part.body.len()));
            w.put_slice(&part.header.write(&part.body));
            w.put_bytes(&part.body);
            end_of_struct(w);
        }
        end_of_struct(w);
    }
    end_of_struct(w);
}

/// No tagged fields.
fn end_of_struct(w: &mut Writer) {
    if w.flexible {
        w.put_uvarint(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::{
            ApiKey,
            produce::{PartitionProduceData, ProduceRequest, TopicProduceData},
        },
        record::{BatchBuilder, Record},
        wire,
    };

    #[test]
    fn the_request_is_byte_for_byte_what_the_table_writes() {
        let mut builder = BatchBuilder::new(Vec::new());
        builder.push(&Record::new(&[7; 600]), 5);
        let (header, body) = builder.finish();
        let body = Bytes::from(body);
        let part = |topic: &str, partition| Part {
            topic: topic.into(),
            id: Uuid([topic.len() as u8; 16]),
            partition,
            header,
            body: body.clone(),
        };
        let parts = [part("a", 0), part("a", 3), part("long", 1)];
        let entry = |p: &Part| {
            PartitionProduceData::build(|d| {
                d.index = p.partition;
                d.records = Some([&header.write(&body)[..], &body].concat().into());
            })
        };
        for version in 3..=13 {
            let table = ProduceRequest::build(|r| {
                (r.acks, r.timeout_ms) = (-1, 30_000);
                r.topic_data = parts
                    .chunk_by(|a, b| a.topic == b.topic)
                    .map(|topic| {
                        TopicProduceData::build(|t| {
                            (t.name, t.topic_id) = (topic[0].topic.to_string(), topic[0].id);
                            t.partition_data = topic.iter().map(entry).collect();
                        })
                    })
                    .collect();
            });
            let flexible = ApiKey::Produce.is_flexible(version);
            let mut w = Writer::new(version, flexible);
            write_request(-1, 30_000, &parts, &mut w);
            assert_eq!(
                w.flatten(),
                wire::encode(&table, version, flexible),
                "version {version}"
            );
        }
    }
}
