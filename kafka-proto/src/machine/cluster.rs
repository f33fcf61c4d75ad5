//! What is known of the cluster: brokers, topics, leaders; and when to ask again.
//!
//! Topics are keyed by name, with the id that the broker gave, if it gave one (2.8 and later). Only topics that somebody
//! wants are asked for. Sources: KIP-320 (epochs), KIP-516 (ids); faults 5, 6, 7, 45, 46.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Now,
    backoff::{Random, pause},
};
use crate::{
    api::metadata::{
        MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseTopic,
    },
    config::Address,
    error::ErrorCode,
    wire::Uuid,
};

/// Answers in a row that deny a topic before its users are told: a new topic needs a moment to reach all brokers.
const DENIALS: u32 = 4;
/// And the least time over which they must come.
const DENIAL_TIME: Duration = Duration::from_secs(2);

/// The metadata of one cluster.
#[derive(Debug)]
pub struct Cluster {
    brokers: BTreeMap<i32, Address>,
    controller: Option<i32>,
    topics: BTreeMap<Arc<str>, Topic>,
    max_age: Duration,
    backoff: (Duration, Duration),
    asked: bool,
    /// When the next request is due at the latest.
    due: Option<Instant>,
    /// Before this moment none is sent, so that a stale broker is not asked in a hot loop.
    not_before: Option<Instant>,
    failures: u32,
    /// Somebody is short of something that the last answer did not have.
    urgent: bool,
    known: bool,
}

/// One topic, as the last answers described it.
#[derive(Clone, Debug, Default)]
pub struct Topic {
    /// All zeros where the broker gives none.
    pub id: Uuid,
    /// By number; without gaps.
    pub partitions: Vec<Partition>,
    /// Why there are no partitions.
    pub error: Option<ErrorCode>,
    denials: u32,
    denied_since: Option<Instant>,
    seen: Option<Instant>,
}

/// One partition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Partition {
    /// The broker that takes writes and reads; `None` while there is none.
    pub leader: Option<i32>,
    /// The leader's epoch; -1 where the broker gives none.
    pub epoch: i32,
}

impl Cluster {
    /// Knows nothing yet.
    pub fn new(max_age: Duration, backoff: (Duration, Duration)) -> Self {
        Self {
            brokers: BTreeMap::new(),
            controller: None,
            topics: BTreeMap::new(),
            max_age,
            backoff,
            asked: false,
            due: None,
            not_before: None,
            failures: 0,
            urgent: true,
            known: false,
        }
    }

    /// Asks for `topic` from now on.
    pub fn want(&mut self, topic: &Arc<str>) {
        if !self.topics.contains_key(topic) {
            self.topics.insert(topic.clone(), Topic::default());
            self.urgent = true;
        }
    }

    /// Asks again for a topic that was denied: somebody wants it now, and may have created it.
    pub fn reconsider(&mut self, topic: &str, now: Instant) {
        if let Some(topic) = self.topics.get_mut(topic)
            && topic.denial(now).is_some()
        {
            (topic.error, topic.denials, topic.denied_since) = (None, 0, None);
            self.urgent = true;
        }
    }

    /// Asks again as soon as the pause allows: what is known has turned out wrong.
    pub fn refresh(&mut self) {
        self.urgent = true;
    }

    /// Whether an answer has ever come.
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// Where a broker listens.
    pub fn broker(&self, id: i32) -> Option<&Address> {
        self.brokers.get(&id)
    }

    /// The brokers, by id.
    pub fn brokers(&self) -> impl Iterator<Item = (i32, &Address)> {
        self.brokers.iter().map(|(id, address)| (*id, address))
    }

    /// The broker that changes topics.
    pub fn controller(&self) -> Option<i32> {
        self.controller.filter(|id| self.brokers.contains_key(id))
    }

    /// What is known of a topic that was wanted.
    pub fn topic(&self, topic: &str) -> Option<&Topic> {
        self.topics.get(topic)
    }

    /// The topics with partitions: name, number of partitions, and the partitions that have a leader.
    pub fn known_topics(&self) -> impl Iterator<Item = (&Arc<str>, usize, Vec<i32>)> {
        let known = self
            .topics
            .iter()
            .filter(|(_, topic)| !topic.partitions.is_empty());
        known.map(|(name, topic)| {
            let led = (0..)
                .zip(&topic.partitions)
                .filter(|(_, p)| p.leader.is_some())
                .map(|(i, _)| i);
            (name, topic.partitions.len(), led.collect())
        })
    }

    /// The broker to write to and read from.
    pub fn leader(&self, topic: &str, partition: i32) -> Option<(i32, Partition)> {
        let at = usize::try_from(partition).ok()?;
        let partition = *self.topics.get(topic)?.partitions.get(at)?;
        let leader = partition
            .leader
            .filter(|id| self.brokers.contains_key(id))?;
        Some((leader, partition))
    }

    /// The request to send now, if one is due and none is out.
    pub fn poll_request(&mut self, now: Instant) -> Option<MetadataRequest> {
        if !self.is_due(now) {
            return None;
        }
        self.asked = true;
        self.urgent = false;
        Some(MetadataRequest::build(|r| {
            let each =
                |name: &Arc<str>| MetadataRequestTopic::build(|t| t.name = Some(name.to_string()));
            r.topics = Some(self.topics.keys().map(each).collect());
            r.allow_auto_topic_creation = false;
        }))
    }

    /// Whether [`Cluster::poll_request`] has a request, once somebody can take it.
    pub fn is_due(&self, now: Instant) -> bool {
        let due = self.urgent || self.due.is_some_and(|at| at <= now);
        due && !self.asked && self.not_before.is_none_or(|at| at <= now)
    }

    /// When [`Cluster::poll_request`] is worth calling again.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.asked {
            return None;
        }
        match self.urgent {
            true => self.not_before,
            // also old knowledge waits for the pause after the last answer
            false => self
                .due
                .map(|due| self.not_before.map_or(due, |at| at.max(due))),
        }
    }

    /// No answer came: asks again after a pause.
    pub fn handle_lost(&mut self, now: Instant, random: &mut Random) {
        self.asked = false;
        self.urgent = true;
        self.failures += 1;
        self.not_before = Some(now + pause(self.failures, self.backoff, random));
    }

    /// What is known of the brokers is of no use any more (KIP-1102): asks anew, whoever answers at the addresses of the
    /// configuration. Topics stay as they are known until then.
    pub fn rebootstrap(&mut self, now: Instant, random: &mut Random) {
        self.brokers.clear();
        self.controller = None;
        self.handle_lost(now, random);
    }

    /// Takes an answer and returns the topics about which it says something.
    pub fn handle_response(
        &mut self,
        response: &MetadataResponse,
        now: Now,
        random: &mut Random,
    ) -> Vec<Arc<str>> {
        let at = now.instant;
        self.asked = false;
        self.due = Some(at + self.max_age);
        if !response.brokers.is_empty() {
            self.known = true;
            let each = response.brokers.iter().filter_map(|b| {
                let port = u16::try_from(b.port).ok()?;
                Some((b.node_id, Address::new(b.host.clone(), port)))
            });
            self.brokers = each.collect();
            self.controller = Some(response.controller_id).filter(|id| *id >= 0);
        }
        let mut touched = Vec::new();
        let mut short = response.brokers.is_empty();
        for answer in &response.topics {
            let Some(name) = &answer.name else { continue };
            let Some((name, topic)) = self
                .topics
                .get_key_value(name.as_str())
                .map(|(k, v)| (k.clone(), v.clone()))
            else {
                continue;
            };
            let topic = topic.after(answer, at, self.max_age);
            short |= topic.partitions.is_empty() && !topic.is_denied(at);
            short |= topic
                .partitions
                .iter()
                .any(|p| p.leader.is_none_or(|id| !self.brokers.contains_key(&id)));
            self.topics.insert(name.clone(), topic);
            touched.push(name);
        }
        // something is still missing, or was reported as wrong while this request was out
        self.failures = if short { self.failures + 1 } else { 0 };
        self.urgent |= short;
        self.not_before = Some(at + pause(self.failures.max(1), self.backoff, random));
        touched
    }
}

impl Topic {
    /// Why the topic cannot be used: its brokers have denied it for long enough.
    pub fn denial(&self, now: Instant) -> Option<ErrorCode> {
        self.error.filter(|code| {
            self.is_denied(now) && self.partitions.is_empty() && *code != ErrorCode::NONE
        })
    }

    fn is_denied(&self, now: Instant) -> bool {
        match self.error {
            Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::UNKNOWN_TOPIC_ID) => {
                let since = self
                    .denied_since
                    .is_some_and(|at| now.duration_since(at) >= DENIAL_TIME);
                self.denials >= DENIALS && since
            }
            Some(code) => !code.is_retriable(),
            None => false,
        }
    }

    fn after(mut self, answer: &MetadataResponseTopic, now: Instant, max_age: Duration) -> Self {
        let code = ErrorCode(answer.error_code);
        if code != ErrorCode::NONE && answer.partitions.is_empty() {
            // partitions that were known stay: a broker that has just started denies what it has not heard of yet
            self.error = Some(code);
            self.denials += 1;
            self.denied_since.get_or_insert(now);
            if self.is_denied(now) {
                self.partitions.clear();
            }
            return self;
        }
        let recreated = self.id != Uuid::default() && answer.topic_id != self.id;
        let stale = self.seen.is_none_or(|at| now.duration_since(at) >= max_age);
        let trusted = recreated || stale;
        let highest = answer
            .partitions
            .iter()
            .map(|p| p.partition_index)
            .max()
            .unwrap_or(-1);
        let count = usize::try_from(highest + 1)
            .unwrap_or(0)
            .min(answer.partitions.len());
        let mut partitions = vec![
            Partition {
                leader: None,
                epoch: -1
            };
            count
        ];
        for partition in &answer.partitions {
            let Some(slot) = usize::try_from(partition.partition_index)
                .ok()
                .and_then(|i| partitions.get_mut(i))
            else {
                continue;
            };
            let leader = Some(partition.leader_id).filter(|id| *id >= 0);
            *slot = Partition {
                leader,
                epoch: partition.leader_epoch,
            };
        }
        for (new, old) in partitions.iter_mut().zip(&self.partitions) {
            // an answer from a broker that lags behind
            if !trusted && new.epoch >= 0 && new.epoch < old.epoch {
                *new = *old;
            }
        }
        // partitions are never taken away from a topic; a shorter list is a broker that lags behind
        if !recreated && partitions.len() < self.partitions.len() {
            partitions.extend_from_slice(&self.partitions[partitions.len()..]);
        }
        Self {
            id: answer.topic_id,
            partitions,
            error: None,
            denials: 0,
            denied_since: None,
            seen: Some(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::metadata::{MetadataResponseBroker, MetadataResponsePartition};

    #[allow(
        clippy::disallowed_methods,
        reason = "tests need a moment to begin with"
    )]
    fn now() -> Now {
        Now {
            instant: Instant::now(),
            unix_ms: 0,
        }
    }

    fn cluster() -> (Cluster, Random, Now) {
        let backoff = (Duration::from_millis(100), Duration::from_secs(1));
        (
            Cluster::new(Duration::from_secs(300), backoff),
            Random::new(1),
            now(),
        )
    }

    /// `leaders`: (leader, epoch) by partition.
    fn answer(topic: &str, code: ErrorCode, id: u8, leaders: &[(i32, i32)]) -> MetadataResponse {
        MetadataResponse::build(|r| {
            r.brokers = (1..=2)
                .map(|id| {
                    MetadataResponseBroker::build(|b| {
                        (b.node_id, b.host, b.port) = (id, "h".into(), 9000 + id)
                    })
                })
                .collect();
            r.controller_id = 2;
            r.topics = vec![MetadataResponseTopic::build(|t| {
                t.name = Some(topic.to_owned());
                t.error_code = code.0;
                t.topic_id = Uuid([id; 16]);
                t.partitions = leaders
                    .iter()
                    .enumerate()
                    .map(|(i, (leader, epoch))| {
                        MetadataResponsePartition::build(|p| {
                            (p.partition_index, p.leader_id, p.leader_epoch) =
                                (i as i32, *leader, *epoch);
                        })
                    })
                    .collect();
            })];
        })
    }

    #[test]
    fn only_wanted_topics_are_asked_for_and_again_when_they_are_old() {
        let (mut cluster, mut random, mut now) = cluster();
        cluster.want(&"orders".into());
        let request = cluster.poll_request(now.instant).expect("due");
        assert_eq!(
            request.topics.expect("some")[0].name.as_deref(),
            Some("orders")
        );
        assert!(cluster.poll_request(now.instant).is_none(), "one at a time");
        cluster.handle_response(
            &answer("orders", ErrorCode::NONE, 1, &[(1, 0), (2, 0)]),
            now,
            &mut random,
        );
        assert_eq!(cluster.leader("orders", 1).map(|l| l.0), Some(2));
        assert_eq!(cluster.controller(), Some(2));
        assert!(cluster.poll_request(now.instant).is_none());
        assert_eq!(
            cluster.poll_timeout(),
            Some(now.instant + Duration::from_secs(300))
        );
        now.instant += Duration::from_secs(300);
        assert!(cluster.poll_request(now.instant).is_some());
    }

    #[test]
    fn the_time_to_ask_again_is_one_at_which_a_request_comes() {
        let backoff = (Duration::from_millis(100), Duration::from_secs(1));
        let mut cluster = Cluster::new(Duration::from_millis(50), backoff);
        let (mut random, mut now) = (Random::new(1), now());
        let response = answer("t", ErrorCode::NONE, 1, &[(1, 0)]);
        cluster.handle_response(&response, now, &mut random);
        cluster.poll_request(now.instant);
        cluster.handle_response(&response, now, &mut random);
        now.instant = cluster.poll_timeout().expect("knowledge ages");
        assert!(cluster.poll_request(now.instant).is_some());
    }

    /// Fault 6.
    #[test]
    fn an_older_epoch_is_ignored_until_what_is_known_is_too_old() {
        let (mut cluster, mut random, mut now) = cluster();
        cluster.want(&"t".into());
        cluster.handle_response(
            &answer("t", ErrorCode::NONE, 1, &[(1, 5)]),
            now,
            &mut random,
        );
        cluster.handle_response(
            &answer("t", ErrorCode::NONE, 1, &[(2, 4)]),
            now,
            &mut random,
        );
        assert_eq!(cluster.leader("t", 0).map(|l| l.0), Some(1));
        now.instant += Duration::from_secs(300);
        cluster.handle_response(
            &answer("t", ErrorCode::NONE, 1, &[(2, 4)]),
            now,
            &mut random,
        );
        assert_eq!(cluster.leader("t", 0).map(|l| l.0), Some(2));
    }

    /// Fault 45.
    #[test]
    fn a_new_topic_id_starts_epochs_afresh() {
        let (mut cluster, mut random, now) = cluster();
        cluster.want(&"t".into());
        cluster.handle_response(
            &answer("t", ErrorCode::NONE, 1, &[(1, 5), (1, 5)]),
            now,
            &mut random,
        );
        cluster.handle_response(
            &answer("t", ErrorCode::NONE, 2, &[(2, 0)]),
            now,
            &mut random,
        );
        assert_eq!(cluster.topic("t").expect("known").partitions.len(), 1);
        assert_eq!(cluster.leader("t", 0).map(|l| l.0), Some(2));
    }

    /// Fault 7.
    #[test]
    fn a_topic_without_leader_or_partitions_for_a_while_is_asked_for_again_after_a_pause() {
        let (mut cluster, mut random, mut now) = cluster();
        cluster.want(&"t".into());
        cluster.handle_response(
            &answer("t", ErrorCode::NONE, 1, &[(1, 0), (-1, 0)]),
            now,
            &mut random,
        );
        assert_eq!(cluster.leader("t", 1), None);
        assert!(cluster.poll_request(now.instant).is_none());
        now.instant += Duration::from_millis(120);
        assert!(cluster.poll_request(now.instant).is_some());
        cluster.handle_response(
            &answer("t", ErrorCode::NONE, 1, &[(1, 0)]),
            now,
            &mut random,
        );
        assert_eq!(
            cluster.topic("t").expect("known").partitions.len(),
            2,
            "a lagging broker takes nothing away"
        );
        cluster.handle_response(
            &answer("t", ErrorCode::LEADER_NOT_AVAILABLE, 1, &[]),
            now,
            &mut random,
        );
        assert_eq!(cluster.leader("t", 0).map(|l| l.0), Some(1));
    }

    #[test]
    fn a_topic_is_denied_after_several_answers_over_a_while() {
        let (mut cluster, mut random, mut now) = cluster();
        cluster.want(&"t".into());
        let unknown = answer("t", ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, 0, &[]);
        for _ in 0..6 {
            cluster.handle_response(&unknown, now, &mut random);
        }
        assert_eq!(
            cluster.topic("t").expect("wanted").denial(now.instant),
            None
        );
        now.instant += Duration::from_secs(3);
        cluster.handle_response(&unknown, now, &mut random);
        let denial = cluster.topic("t").expect("wanted").denial(now.instant);
        assert_eq!(denial, Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
        cluster.handle_response(
            &answer("t", ErrorCode::TOPIC_AUTHORIZATION_FAILED, 0, &[]),
            now,
            &mut random,
        );
        let denial = cluster.topic("t").expect("wanted").denial(now.instant);
        assert_eq!(denial, Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED));
    }

    #[test]
    fn hostile_partition_numbers_allocate_by_what_arrived() {
        let (mut cluster, mut random, now) = cluster();
        cluster.want(&"t".into());
        let mut hostile = answer("t", ErrorCode::NONE, 1, &[(1, 0), (1, 0)]);
        hostile.topics[0].partitions[1].partition_index = i32::MAX - 1;
        cluster.handle_response(&hostile, now, &mut random);
        assert_eq!(cluster.topic("t").expect("known").partitions.len(), 2);
    }
}
