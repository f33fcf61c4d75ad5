//! Tagged fields that no table knows (KIP-482).

use std::fmt;

use bytes::Bytes;

/// The tagged fields of a struct that this crate does not know, as they came.
///
/// Empty unless the [`Reader`](super::Reader) was told to
/// [keep them](super::Reader::keep_unknown_tags): a client has no use for them and skips them for nothing, a proxy passes them
/// on. They stay with the struct that they came with, so a message may be changed in between; writing puts them back in the
/// order of their tags.
#[derive(Clone, Default, Eq, PartialEq)]
#[allow(
    clippy::box_collection,
    reason = "it stands in every struct: one word, nearly always null"
)]
pub struct UnknownTags(Option<Box<Vec<(u32, Bytes)>>>);

impl UnknownTags {
    /// None.
    pub const EMPTY: Self = Self(None);

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Each tag with its value, by tag.
    pub fn iter(&self) -> std::slice::Iter<'_, (u32, Bytes)> {
        self.as_slice().iter()
    }

    /// The value of this tag.
    pub fn get(&self, tag: u32) -> Option<&Bytes> {
        let fields = self.as_slice();
        let place = fields.binary_search_by_key(&tag, |(tag, _)| *tag);
        fields.get(place.ok()?).map(|(_, value)| value)
    }

    /// Sets the value of a tag; returns the one that it had.
    ///
    /// A tag that the struct knows in the version that is written is left out there: the field decides.
    pub fn insert(&mut self, tag: u32, value: Bytes) -> Option<Bytes> {
        let fields = self.0.get_or_insert_default();
        match fields.binary_search_by_key(&tag, |(tag, _)| *tag) {
            Ok(place) => Some(std::mem::replace(&mut fields[place].1, value)),
            Err(place) => {
                if fields.capacity() == 0 {
                    // one is more likely than four, and a peer may send one in every struct
                    fields.reserve_exact(1);
                }
                fields.insert(place, (tag, value));
                None
            }
        }
    }

    /// Drops all.
    pub fn clear(&mut self) {
        self.0 = None;
    }

    pub(super) fn as_slice(&self) -> &[(u32, Bytes)] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }
}

impl<'a> IntoIterator for &'a UnknownTags {
    type Item = &'a (u32, Bytes);
    type IntoIter = std::slice::Iter<'a, (u32, Bytes)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Shows tags and the lengths of their values.
impl fmt::Debug for UnknownTags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each = self.iter().map(|(tag, value)| (tag, value.len()));
        f.debug_map().entries(each).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::{
            RequestHeader, ResponseHeader,
            fetch::{FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch, PartitionData},
            list_groups::ListedGroup,
            metadata::{MetadataResponse, MetadataResponseBroker, MetadataResponseTopic},
        },
        wire::{Reader, Wire, Writer, decode, encode},
    };

    fn tags(fields: &[(u32, &'static str)]) -> UnknownTags {
        let mut tags = UnknownTags::default();
        for (tag, value) in fields {
            tags.insert(*tag, Bytes::from_static(value.as_bytes()));
        }
        tags
    }

    fn keep<T: Wire>(body: &Bytes, version: i16) -> T {
        let mut r = Reader::new(body, version, true).keep_unknown_tags();
        let mut message = T::default();
        message.read(&mut r).expect("reads");
        r.finish(message).expect("all of it")
    }

    /// What a broker of a later version says to a proxy, at every level.
    fn metadata() -> MetadataResponse {
        MetadataResponse::build(|m| {
            m.brokers = vec![MetadataResponseBroker::build(|b| {
                b.host = "inside".to_owned();
                b.unknown_tags = tags(&[(0, "of the broker"), (u32::MAX, "")]);
            })];
            m.topics = vec![
                MetadataResponseTopic::default(),
                MetadataResponseTopic::build(|t| t.unknown_tags = tags(&[(7, "of the topic")])),
            ];
            m.unknown_tags = tags(&[(3, "of the whole"), (300, "last")]);
        })
    }

    #[test]
    fn a_proxy_passes_on_what_it_does_not_know_and_may_change_what_it_knows() {
        let body = encode(&metadata(), 12, true);
        let mut message: MetadataResponse = keep(&body, 12);
        assert_eq!(message, metadata());
        assert_eq!(encode(&message, 12, true), body);
        message.brokers[0].host = "outside".to_owned();
        message.topics.remove(0);
        let again: MetadataResponse = keep(&encode(&message, 12, true), 12);
        assert_eq!(again, message);
        let broker = &again.brokers[0].unknown_tags;
        assert_eq!(broker.get(0), Some(&Bytes::from_static(b"of the broker")));
        assert_eq!((broker.len(), broker.get(1)), (2, None));
        assert_eq!(again.topics[0].unknown_tags.len(), 1);
    }

    #[test]
    fn a_client_skips_them_and_allocates_nothing_for_them() {
        let body = encode(&metadata(), 12, true);
        let message: MetadataResponse = decode(&body, 12, true).expect("reads");
        assert!(message.unknown_tags.is_empty());
        assert!(message.brokers[0].unknown_tags.is_empty());
        assert_eq!(message.brokers[0].host, "inside");
        let many = tags(&[(1, "a"), (2, "b"), (3, "c")]);
        let header = RequestHeader {
            unknown_tags: many,
            ..RequestHeader::default()
        };
        let mut w = Writer::new(12, true);
        header.write(&mut w, 2);
        let bytes = w.flatten();
        let memory = allocation_counter::measure(|| {
            let mut r = Reader::new(&bytes, 12, true);
            let header = RequestHeader::read(&mut r, 2).expect("reads");
            assert!(header.unknown_tags.is_empty());
        });
        assert_eq!(memory.count_total, 0);
    }

    #[test]
    fn headers_pass_them_on_too() {
        let request = RequestHeader {
            client_id: Some("proxy".to_owned()),
            unknown_tags: tags(&[(0, "x"), (5, "y")]),
            ..RequestHeader::default()
        };
        let response = ResponseHeader {
            correlation_id: 7,
            unknown_tags: tags(&[(1, "z")]),
        };
        let mut w = Writer::new(0, false);
        request.write(&mut w, 2);
        response.write(&mut w, 1);
        let bytes = w.flatten();
        let mut r = Reader::new(&bytes, 0, false).keep_unknown_tags();
        assert_eq!(RequestHeader::read(&mut r, 2), Ok(request));
        assert_eq!(ResponseHeader::read(&mut r, 1), Ok(response));
        assert_eq!(r.finish(()), Ok(()));
    }

    /// Tags ascend on the wire, whoever knows them.
    #[test]
    fn they_stand_between_those_that_are_known_and_yield_to_them() {
        let long = Bytes::from(vec![1; 600]);
        let message = FetchResponse::build(|f| {
            f.responses = vec![FetchableTopicResponse::build(|t| {
                t.partitions = vec![PartitionData::build(|p| {
                    p.records = Some(long.clone());
                    p.current_leader = LeaderIdAndEpoch::build(|l| l.leader_id = 4);
                    // 0 and 2 are known, too, but at their defaults; 1 is known and set
                    p.unknown_tags = tags(&[(0, "no"), (1, "no"), (2, "no"), (9, "yes")]);
                    p.unknown_tags.insert(8, long.clone());
                })];
            })];
        });
        let body = encode(&message, 12, true);
        let read: FetchResponse = keep(&body, 12);
        assert_eq!(encode(&read, 12, true), body);
        let partition = &read.responses[0].partitions[0];
        assert_eq!(partition.current_leader.leader_id, 4);
        let kept: Vec<_> = partition.unknown_tags.iter().map(|(tag, _)| *tag).collect();
        assert_eq!(kept, [8, 9]);
        assert_eq!(partition.records.as_ref(), Some(&long));
        assert_eq!(partition.unknown_tags.get(8), Some(&long));
    }

    #[test]
    fn there_may_be_more_of_them_than_one_byte_counts() {
        let long = Bytes::from(vec![1; 600]);
        for count in [0x7f, 0x80, 0x4000] {
            let mut message = MetadataResponseBroker::default();
            for tag in 0..count {
                message.unknown_tags.insert(tag, Bytes::from_static(b"v"));
            }
            message.unknown_tags.insert(1, long.clone());
            let mut w = Writer::new(12, true);
            w.put_bytes(&long);
            message.write(&mut w);
            let bytes = w.flatten();
            assert_eq!(bytes[..600], long);
            assert_eq!(
                keep::<MetadataResponseBroker>(&bytes.slice(600..), 12),
                message
            );
        }
    }

    /// The worst is an empty one in every struct: two bytes on the wire.
    #[test]
    fn a_flood_of_them_takes_a_small_multiple_of_what_arrived() {
        let flood = vec![ListedGroup::build(|g| g.unknown_tags = tags(&[(0, "")])); 10_000];
        let body = encode(&flood, 3, true);
        assert_eq!(body.len(), 2 + 10_000 * 5);
        let memory = allocation_counter::measure(|| {
            assert_eq!(keep::<Vec<ListedGroup>>(&body, 3).len(), 10_000);
        });
        assert!(memory.bytes_max < 64 * body.len() as u64, "{memory:?}");
    }

    /// Java refuses such a message.
    #[test]
    fn a_classic_version_has_no_place_for_them() {
        let message = metadata();
        assert_eq!(message.misfit_in(12, true), None);
        assert_eq!(message.misfit_in(8, false), Some("unknown_tags"));
        let message = MetadataResponse::default();
        assert_eq!(message.misfit_in(8, false), None);
    }
}
