//! Partitions and their links: what writers and readers learn of topics, and who serves them.

use std::sync::Arc;

use super::{Control, Key, denied};
use crate::{
    client::{
        link::Kind,
        reader::{Cell, Shelf},
        session::{Listed, PartitionQueue},
    },
    config::{Source, StartOffset},
    error::{Error, ErrorKind, Outcome},
    machine::Now,
};

impl Control {
    /// Gives a queue the link of its leader; `false` while there is none.
    pub(super) fn house(&mut self, generation: u64, queue: &Arc<PartitionQueue>, now: Now) -> bool {
        let mut inner = queue.inner.lock();
        if inner.queue.is_empty() || inner.queue.in_flight() > 0 {
            // nothing is left; or what is on the old link comes back first, and the queue with it
            inner.orphaned = false;
            return true;
        }
        drop(inner);
        if generation > self.generation {
            return false;
        }
        let Some((broker, _)) = self.cluster.leader(&queue.topic, queue.partition) else {
            self.cluster.refresh();
            return false;
        };
        let Some(link) = self.link_to(Key::Produce(broker), broker, || Kind::Produce, now) else {
            let Some(error) = self.refusal(broker, now) else {
                return false;
            };
            queue.inner.lock().orphaned = false;
            queue.fail(&error.with_outcome(Outcome::NotWritten));
            return true;
        };
        let topic_id = self
            .cluster
            .topic(&queue.topic)
            .map(|t| t.id)
            .unwrap_or_default();
        let mut inner = queue.inner.lock();
        inner.orphaned = false;
        inner.listed = Listed::Nobody;
        inner.topic_id = topic_id;
        inner.link = Some(link);
        let then = queue.list(&mut inner);
        drop(inner);
        queue.then(then);
        true
    }

    /// Gives a cursor the fetch link of its leader; `false` while there is none.
    pub(super) fn place(
        &mut self,
        generation: u64,
        shelf: &Arc<Shelf>,
        cell: &Arc<Cell>,
        now: Now,
    ) -> bool {
        if shelf.is_closed() {
            return true;
        }
        if generation > self.generation {
            return false;
        }
        let Some((broker, partition)) = self.cluster.leader(&cell.topic, cell.partition) else {
            self.cluster.refresh();
            return false;
        };
        let kind = || Kind::Fetch(shelf.clone());
        let Some(link) = self.link_to(Key::Fetch(shelf.id, broker), broker, kind, now) else {
            return false;
        };
        let mut inner = cell.inner.lock();
        inner.topic_id = self
            .cluster
            .topic(&cell.topic)
            .map(|t| t.id)
            .unwrap_or_default();
        inner.cursor.assign(partition.epoch);
        inner.link = Some(link.clone());
        drop(inner);
        let adopted = link.adopt(cell);
        if !adopted {
            cell.inner.lock().link = None;
        }
        adopted
    }

    /// Tells writers what is known of the topics that they wait for.
    pub(super) fn teach(&mut self, now: Now) {
        for session in &self.sessions {
            for (name, count, available) in self.cluster.known_topics() {
                if let Some(slot) = session.known_topic(name) {
                    slot.learn(count, available);
                }
            }
        }
        let cluster = &self.cluster;
        self.slots.retain(|(_, slot)| {
            let Some(topic) = cluster.topic(&slot.name) else {
                return true;
            };
            if let Some(code) = topic.denial(now.instant) {
                slot.fail(denied(code, &slot.name));
                return false;
            }
            topic.partitions.is_empty()
        });
    }

    /// Gives a reader the cursors that it has no cell for yet.
    pub(super) fn seat(&mut self, shelf: &Arc<Shelf>, now: Now) {
        let wanted: Vec<(Arc<str>, Option<i32>)> = match &shelf.config.source {
            Source::Topic(topic) => vec![(topic.as_str().into(), None)],
            Source::Partitions(all) => all
                .iter()
                .map(|(topic, p)| (topic.as_str().into(), Some(*p)))
                .collect(),
        };
        for (topic, partition) in wanted {
            self.cluster.want(&topic);
            let Some(known) = self.cluster.topic(&topic) else {
                continue;
            };
            if let Some(code) = known.denial(now.instant) {
                shelf.deny(&topic, denied(code, &topic));
                continue;
            }
            let count = known.partitions.len();
            match partition {
                None => {
                    let have = shelf.count(&topic);
                    for partition in have..count {
                        // partitions that are added later are read from their beginning: nothing is missed
                        let start = if have == 0 {
                            shelf.config.start
                        } else {
                            StartOffset::First
                        };
                        let cell = shelf.add(&topic, partition as i32, start);
                        self.lost.push((self.generation, shelf.clone(), cell));
                    }
                }
                Some(partition) if count > 0 && partition as usize >= count => {
                    let message = format!(
                        "topic {topic} has {count} partitions, and no partition {partition}"
                    );
                    let error = Error::new(ErrorKind::UnknownPartition, message);
                    shelf.deny(&topic, error.in_partition(&topic, partition));
                }
                Some(partition) => {
                    if count > 0 && !shelf.has(&topic, partition) {
                        let cell = shelf.add(&topic, partition, shelf.config.start);
                        self.lost.push((self.generation, shelf.clone(), cell));
                    }
                }
            }
        }
    }
}
