//! Fetch sessions (KIP-227): the broker remembers what a client reads, and both say only what has changed.
//!
//! As `FetchManager` and `FetchSession`: each broker has its own; a session is continued by its id and the next epoch,
//! over any connection. An answer within a session leaves out partitions that have no records, no error, and the high
//! watermark and start of the log that were said last; those that had records come last the next time.

use std::collections::BTreeMap;

use kafka_proto::{
    api::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData},
    error::ErrorCode,
    wire::Uuid,
};

/// The sessions of one broker.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    by_id: BTreeMap<i32, Session>,
    last_id: i32,
}

/// The part of a session that one request has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Turn {
    id: i32,
    /// Whether unchanged partitions are left out.
    incremental: bool,
}

#[derive(Debug)]
struct Session {
    /// That the next request has to have.
    epoch: i32,
    partitions: Vec<Cached>,
}

#[derive(Debug)]
struct Cached {
    topic: String,
    id: Uuid,
    wanted: FetchPartition,
    /// What was said last: high watermark and start of the log; `None` makes the next answer say it again.
    said: Option<(i64, i64)>,
}

impl Sessions {
    /// `max.incremental.fetch.session.cache.slots`; then the oldest makes room.
    const MOST: usize = 1_000;

    /// Finds or makes the session of a request, and completes the request with what the session remembers. `None`: there
    /// is no session in this.
    pub(super) fn begin(&mut self, m: &mut FetchRequest) -> Result<Option<Turn>, ErrorCode> {
        match m.session_epoch {
            // none, or no longer
            ..0 => {
                self.by_id.remove(&m.session_id);
                Ok(None)
            }
            0 => {
                self.by_id.remove(&m.session_id);
                Ok(self.create(m))
            }
            epoch => self.go_on(epoch, m).map(Some),
        }
    }

    /// Puts the session into an answer, and leaves out what the client knows.
    pub(super) fn finish(&mut self, turn: Turn, response: &mut FetchResponse) {
        // one that made room meanwhile, or was closed over another connection
        let Some(session) = self.by_id.get_mut(&turn.id) else {
            return;
        };
        response.session_id = turn.id;
        let mut with_records = Vec::new();
        for topic in &mut response.responses {
            let (name, id) = (topic.topic.clone(), topic.topic_id);
            topic.partitions.retain(|data| {
                let is_it = |c: &&mut Cached| c.is(&name, id, data.partition_index);
                let Some(cached) = session.partitions.iter_mut().find(is_it) else {
                    return true;
                };
                if has_records(data) {
                    with_records.push((name.clone(), id, data.partition_index));
                }
                cached.say(data) || !turn.incremental
            });
        }
        response.responses.retain(|t| !t.partitions.is_empty());
        let had = |c: &Cached| with_records.contains(&(c.topic.clone(), c.id, c.wanted.partition));
        // those without records first, otherwise in the order they had
        session.partitions.sort_by_key(had);
    }

    /// The broker forgets all of them.
    pub(super) fn clear(&mut self) {
        self.by_id.clear();
    }

    fn create(&mut self, m: &FetchRequest) -> Option<Turn> {
        let mut session = Session {
            epoch: 1,
            partitions: Vec::new(),
        };
        session.update(m);
        if session.partitions.is_empty() {
            return None;
        }
        if self.by_id.len() == Self::MOST {
            self.by_id.pop_first();
        }
        // never 0, which is no session
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        self.by_id.insert(self.last_id, session);
        Some(Turn {
            id: self.last_id,
            incremental: false,
        })
    }

    fn go_on(&mut self, epoch: i32, m: &mut FetchRequest) -> Result<Turn, ErrorCode> {
        let session = self.by_id.get_mut(&m.session_id);
        let session = session.ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
        if session.epoch != epoch {
            return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        // after 2147483647 comes 1
        session.epoch = epoch.checked_add(1).unwrap_or(1);
        for topic in &m.forgotten_topics_data {
            let gone = |c: &Cached| {
                let there = |p: &i32| c.is(&topic.topic, topic.topic_id, *p);
                topic.partitions.iter().any(there)
            };
            session.partitions.retain(|c| !gone(c));
        }
        session.update(m);
        m.topics = session.topics();
        Ok(Turn {
            id: m.session_id,
            incremental: true,
        })
    }
}

impl Session {
    /// Takes over what a request says of partitions.
    fn update(&mut self, m: &FetchRequest) {
        for topic in &m.topics {
            for wanted in &topic.partitions {
                let is_it = |c: &&mut Cached| c.is(&topic.topic, topic.topic_id, wanted.partition);
                match self.partitions.iter_mut().find(is_it) {
                    Some(cached) => cached.wanted = wanted.clone(),
                    None => self.partitions.push(Cached {
                        topic: topic.topic.clone(),
                        id: topic.topic_id,
                        wanted: wanted.clone(),
                        said: None,
                    }),
                }
            }
        }
    }

    /// All partitions in their order; a topic that is not in one piece stands in several.
    fn topics(&self) -> Vec<FetchTopic> {
        let mut topics: Vec<FetchTopic> = Vec::new();
        for cached in &self.partitions {
            match topics.last_mut() {
                Some(last) if last.topic == cached.topic && last.topic_id == cached.id => {
                    last.partitions.push(cached.wanted.clone());
                }
                _ => topics.push(FetchTopic::build(|t| {
                    t.topic.clone_from(&cached.topic);
                    t.topic_id = cached.id;
                    t.partitions = vec![cached.wanted.clone()];
                })),
            }
        }
        topics
    }
}

impl Cached {
    fn is(&self, topic: &str, id: Uuid, partition: i32) -> bool {
        self.wanted.partition == partition && self.topic == topic && self.id == id
    }

    /// Notes what an answer says; whether it says anything new.
    fn say(&mut self, data: &PartitionData) -> bool {
        let now = (data.high_watermark, data.log_start_offset);
        let before = self.said.replace(now);
        if data.error_code != 0 {
            self.said = None;
        }
        before != Some(now)
            || data.error_code != 0
            || has_records(data)
            || data.preferred_read_replica >= 0
    }
}

fn has_records(data: &PartitionData) -> bool {
    data.records.as_ref().is_some_and(|r| !r.is_empty())
}
