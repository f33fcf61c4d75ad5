//! What members and leader of a classic group tell each other: the bytes inside of JoinGroup and SyncGroup.

use bytes::Bytes;
use thiserror::Error;

use super::TopicPartitions;
use crate::{
    api::blobs::{
        AssignedTopic, ConsumerProtocolAssignment, ConsumerProtocolSubscription, OwnedTopic,
    },
    error::{DecodeError, DecodeErrorKind},
    wire::{self, Reader, Wire},
};

/// The latest version of both that is known.
const LATEST: i16 = 3;

/// Why the metadata or the assignment of a member cannot be read.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum GroupProtocolError {
    /// There is no such version.
    #[error("consumer protocol version {0} does not exist")]
    Version(i16),
    /// The bytes are not what their version says.
    #[error("the consumer protocol message is damaged: {0}")]
    Damaged(#[from] DecodeError),
}

/// What a member tells the leader of its group when it joins.
///
/// Source: Kafka's `ConsumerProtocolSubscription.json`; KIP-429 (owned partitions), KIP-792 (generation), KIP-881 (rack).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Subscription {
    /// The topics that it wants.
    pub topics: Vec<String>,
    /// What its balancer has to say beside that.
    pub user_data: Option<Bytes>,
    /// What it still has; from version 1 on.
    pub owned: TopicPartitions,
    /// The generation in which it got that; from version 2 on.
    pub generation: Option<i32>,
    /// Where it is; from version 3 on.
    pub rack: Option<String>,
}

impl Subscription {
    /// The versions that can be written. All members can read what is of a version later than their own, so the latest
    /// is the one to write.
    pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=LATEST;

    /// The bytes at `version`, or at the nearest one that exists; the version stands before them. Topics and partitions
    /// are written in order, as Java does.
    pub fn encode(&self, version: i16) -> Bytes {
        let mut topics = self.topics.clone();
        topics.sort_by(|a, b| super::roster::java_order(a, b));
        let owned = |(topic, partitions): (&String, &Vec<i32>)| {
            let mut partitions = partitions.clone();
            partitions.sort_unstable();
            OwnedTopic::build(|t| (t.topic, t.partitions) = (topic.clone(), partitions))
        };
        let message = ConsumerProtocolSubscription::build(|s| {
            s.topics = topics;
            s.user_data = self.user_data.clone();
            s.owned_partitions = self.owned.iter().map(owned).collect();
            s.owned_partitions
                .sort_by(|a, b| super::roster::java_order(&a.topic, &b.topic));
            s.generation_id = self.generation.unwrap_or(-1);
            s.rack_id = self.rack.clone();
        });
        encode(&message, version)
    }

    /// Reads what a member has sent.
    ///
    /// A later version is read as far as it is known. Fields that are missing at the end are at their defaults: some
    /// clients write less than the version that they name.
    ///
    /// # Errors
    ///
    /// [`GroupProtocolError`]: the bytes are something else.
    pub fn decode(metadata: &Bytes) -> Result<Self, GroupProtocolError> {
        let message: ConsumerProtocolSubscription = decode(metadata)?;
        let mut owned = TopicPartitions::new();
        for topic in message.owned_partitions {
            let partitions = owned.entry(topic.topic).or_default();
            partitions.extend(topic.partitions);
        }
        Ok(Self {
            topics: message.topics,
            user_data: message.user_data,
            owned,
            generation: Some(message.generation_id).filter(|g| *g >= 0),
            rack: message.rack_id.filter(|r| !r.is_empty()),
        })
    }
}

/// What the leader of a group tells a member.
///
/// Source: Kafka's `ConsumerProtocolAssignment.json`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Assignment {
    /// The partitions that it gets, by topic, in the order of the message.
    pub partitions: Vec<(String, Vec<i32>)>,
    /// What the balancer of the leader has to say beside that.
    pub user_data: Option<Bytes>,
}

impl Assignment {
    /// The versions that can be written; they are all the same.
    pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=LATEST;

    /// These partitions and nothing else.
    pub fn new(partitions: TopicPartitions) -> Self {
        Self {
            partitions: partitions.into_iter().collect(),
            user_data: None,
        }
    }

    /// The bytes at `version`, or at the nearest one that exists; the version stands before them.
    pub fn encode(&self, version: i16) -> Bytes {
        let topic = |(topic, partitions): &(String, Vec<i32>)| {
            AssignedTopic::build(|t| {
                (t.topic, t.partitions) = (topic.clone(), partitions.clone());
            })
        };
        let message = ConsumerProtocolAssignment::build(|a| {
            a.assigned_partitions = self.partitions.iter().map(topic).collect();
            a.user_data = self.user_data.clone();
        });
        encode(&message, version)
    }

    /// Reads what the leader has sent; no bytes at all mean no partitions.
    ///
    /// # Errors
    ///
    /// [`GroupProtocolError`]: the bytes are something else.
    pub fn decode(assignment: &Bytes) -> Result<Self, GroupProtocolError> {
        // brokers send nothing to a member that the leader has left out
        if assignment.is_empty() {
            return Ok(Self::default());
        }
        let message: ConsumerProtocolAssignment = decode(assignment)?;
        let topics = message.assigned_partitions.into_iter();
        Ok(Self {
            partitions: topics.map(|t| (t.topic, t.partitions)).collect(),
            user_data: message.user_data,
        })
    }

    /// The partitions by topic; what is named twice is there once.
    pub fn topic_partitions(&self) -> TopicPartitions {
        let mut by_topic = TopicPartitions::new();
        for (topic, partitions) in &self.partitions {
            by_topic
                .entry(topic.clone())
                .or_default()
                .extend(partitions);
        }
        for partitions in by_topic.values_mut() {
            partitions.sort_unstable();
            partitions.dedup();
        }
        by_topic
    }
}

fn encode(message: &impl Wire, version: i16) -> Bytes {
    let version = version.clamp(0, LATEST);
    let mut w = wire::Writer::new(version, false);
    version.write(&mut w);
    message.write(&mut w);
    w.flatten()
}

fn decode<T: Wire>(bytes: &Bytes) -> Result<T, GroupProtocolError> {
    let mut version = 0i16;
    let mut start = Reader::new(bytes, 0, false);
    version.read(&mut start)?;
    if version < 0 {
        return Err(GroupProtocolError::Version(version));
    }
    let read = |version| {
        let mut r = start.clone();
        r.version = version;
        let mut message = T::default();
        message.read(&mut r).map(|()| (message, r.remaining()))
    };
    let latest = version.min(LATEST);
    let error = match read(latest) {
        // what a later version has added stays unread, and Java minds no rest at all
        Ok((message, _)) => return Ok(message),
        Err(error) => error,
    };
    // Sarama named version 1 and ended where version 0 does
    let shorter = (0..latest).rev().filter_map(|version| read(version).ok());
    match shorter
        .filter(|(_, rest)| *rest == 0)
        .map(|(m, _)| m)
        .next()
    {
        Some(message) if error.kind() == DecodeErrorKind::UnexpectedEnd => Ok(message),
        _ => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Subscription {
        Subscription {
            topics: vec!["b".to_owned(), "a".to_owned()],
            user_data: Some(Bytes::from_static(b"data")),
            owned: [("a".to_owned(), vec![2, 0])].into(),
            generation: Some(7),
            rack: Some("r1".to_owned()),
        }
    }

    #[test]
    fn each_version_carries_what_it_can() {
        for version in Subscription::VERSIONS {
            let read = Subscription::decode(&full().encode(version)).expect("reads");
            assert_eq!(read.topics, ["a", "b"]);
            assert_eq!(read.owned.is_empty(), version < 1);
            assert_eq!(read.generation, (version >= 2).then_some(7));
            assert_eq!(read.rack.is_some(), version >= 3);
        }
    }

    #[test]
    fn later_versions_are_read_as_far_as_they_are_known() {
        let later = [&b"\x00\x09"[..], &full().encode(3)[2..], b"what comes next"].concat();
        let read = Subscription::decode(&later.into()).expect("reads");
        assert_eq!(
            (read.generation, read.rack.as_deref()),
            (Some(7), Some("r1"))
        );
    }

    /// Acceptance 4, codec and formats.
    #[test]
    fn members_that_write_less_than_the_version_they_name_are_understood() {
        let short = [&b"\0\x01"[..], &full().encode(0)[2..]].concat();
        let read = Subscription::decode(&short.into()).expect("reads");
        assert_eq!((read.topics.len(), read.owned.len()), (2, 0));
        let whole = full().encode(3);
        for end in 0..whole.len() {
            // only where a version ends is there a whole message
            let ends = (0..3).any(|v| full().encode(v).len() == end);
            let cut = Subscription::decode(&whole.slice(..end));
            assert_eq!(cut.is_ok(), ends, "{end}: {cut:?}");
        }
    }

    #[test]
    fn versions_below_zero_do_not_exist() {
        let error = Subscription::decode(&Bytes::from_static(b"\xff\xff\0\0\0\0\0\0\0\0"));
        assert_eq!(error, Err(GroupProtocolError::Version(-1)));
    }

    /// Acceptance 4, codec and formats.
    #[test]
    fn an_assignment_of_no_bytes_is_empty() {
        assert_eq!(Assignment::decode(&Bytes::new()), Ok(Assignment::default()));
        assert!(Subscription::decode(&Bytes::new()).is_err());
    }
}
