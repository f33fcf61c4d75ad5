//! The Produce request, written by hand: its batches are a header and a shared body, which no copy joins.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    record::BatchHeader,
    wire::{UnknownTags, Uuid, Wire, Writer},
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
    let mut place = None::<String>.put(w, w.place());
    place = acks.put(w, place);
    place = timeout_ms.put(w, place);
    let topics = parts.chunk_by(|a, b| a.topic == b.topic);
    place = w.array_len(place, Some(topics.clone().count()));
    for topic in topics {
        place = if w.version > super::fetch::LAST_BY_NAME {
            topic[0].id.put(w, place)
        } else {
            w.put_string(place, Some(&topic[0].topic))
        };
        place = w.array_len(place, Some(topic.len()));
        for part in topic {
            place = part.partition.put(w, place);
            place = w.array_len(place, Some(BatchHeader::SIZE + part.body.len()));
            place = w.put_array(place, part.header.write(&part.body));
            w.leave(place);
            w.put_bytes(&part.body);
            place = w.end_struct(w.place(), &UnknownTags::EMPTY);
        }
        place = w.end_struct(place, &UnknownTags::EMPTY);
    }
    place = w.end_struct(place, &UnknownTags::EMPTY);
    w.leave(place);
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
