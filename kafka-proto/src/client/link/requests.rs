//! The requests that carry records: which batches and which cursors go into the next one.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use super::{Flight, Kind, Purpose, Sought, outbound::Outbound};
use crate::{
    api::ApiKey,
    client::{
        call::Form,
        inbox::Note,
        session::{Listed, PartitionQueue, Session},
    },
    error::{Error, ErrorKind},
    machine::{
        Now,
        cursor::FetchAt,
        earlier,
        fetch::{self, LAST_BY_NAME, Name},
        handshake::{VersionError, Versions},
        produce::{self, Part},
        queue::Drained,
    },
    wire::{Uuid, Wire},
};

impl Outbound {
    /// One request with a batch of each queue that has one, all of one session.
    pub(super) fn write_produce(&mut self, versions: &Versions, now: Now) {
        let Some(session) = self.working.front().map(|queue| queue.session.clone()) else {
            return;
        };
        let mut parts = Vec::new();
        let mut flights = Vec::new();
        let mut bytes = 0;
        for _ in 0..self.working.len() {
            let Some(queue) = self.working.pop_front() else {
                break;
            };
            if !Arc::ptr_eq(&queue.session, &session) || bytes >= session.config.request_bytes {
                self.working.push_back(queue);
                continue;
            }
            if let Some((drained, id)) = self.take_batch(&queue, now) {
                bytes += drained.body.len();
                flights.push(Flight {
                    queue: queue.clone(),
                    batch: drained.id,
                });
                let (topic, partition) = (queue.topic.clone(), queue.partition);
                parts.push(Part {
                    topic,
                    id,
                    partition,
                    header: drained.header,
                    body: drained.body,
                });
            }
        }
        if parts.is_empty() {
            return;
        }
        parts.sort_by(|a, b| a.topic.cmp(&b.topic));
        let limit = if parts.iter().any(|p| p.id == Uuid::default()) {
            LAST_BY_NAME
        } else {
            i16::MAX
        };
        let version = match versions.choose(ApiKey::Produce, limit) {
            Ok(version) if version >= 3 => version,
            found => {
                let reason = found.err().map_or_else(
                    || "the broker is older than 0.11 and takes no batches of magic 2".to_owned(),
                    |e| e.to_string(),
                );
                return refuse(flights, &Error::new(ErrorKind::Unsupported, reason));
            }
        };
        let timeout = self.link.common.config.request_timeout;
        let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        let acks = session.config.acks.code();
        self.frame(
            Form::of(ApiKey::Produce, version),
            now,
            std::time::Duration::ZERO,
            Purpose::Produce(flights),
            |w| {
                produce::write_request(acks, timeout_ms, &parts, w);
            },
        );
    }

    /// The next batch of one queue; the queue goes where it is looked at next.
    fn take_batch(&mut self, queue: &Arc<PartitionQueue>, now: Now) -> Option<(Drained, Uuid)> {
        let session = &queue.session;
        // one whose linger ended early is still in line for its end
        self.parked
            .retain(|(_, parked)| !Arc::ptr_eq(parked, queue));
        let mut inner = queue.inner.lock();
        if !inner
            .link
            .as_ref()
            .is_some_and(|link| Arc::ptr_eq(link, &self.link))
        {
            return None;
        }
        if let Some(from) = inner.queue.wants_bump() {
            session.producer.lock().bump(from);
        }
        let id = session.producer.lock().id();
        let drained = inner.queue.poll_batch(id, now.instant);
        let topic_id = inner.topic_id;
        inner.listed = Listed::Nobody;
        if inner.queue.has_more() {
            if session.limits.idempotent && id.is_none() {
                drop(inner);
                want_id(session);
                return None;
            }
            if inner.queue.is_ready(now.instant) && drained.is_some() {
                inner.listed = Listed::Ready;
                self.working.push_back(queue.clone());
            } else if let Some(at) = inner.queue.poll_ready_at(now.instant) {
                inner.listed = match inner.queue.ends_linger() {
                    true => Listed::Paused,
                    false => Listed::Lingering,
                };
                self.parked.push((at, queue.clone()));
            }
        }
        drop(inner);
        drained.map(|drained| (drained, topic_id))
    }

    /// One request for everything that this link's cursors want: offsets first, then records.
    pub(super) fn write_fetch(&mut self, versions: &Versions, now: Now, cx: &Context<'_>) {
        let Kind::Fetch(shelf) = &self.link.kind else {
            return;
        };
        let shelf = shelf.clone();
        self.fetch_blocked = false;
        let cells = self.link.inner.lock().cursors.clone();
        let mut offsets: Vec<(Name, i64, i32, Sought)> = Vec::new();
        let mut fetches: Vec<(Name, FetchAt, Sought)> = Vec::new();
        let (mut buffered, mut at_end) = (false, true);
        for cell in cells {
            let inner = cell.inner.lock();
            buffered |= inner.cursor.has_buffered();
            let name = Name {
                topic: cell.topic.clone(),
                id: inner.topic_id,
                partition: cell.partition,
            };
            if let Some((timestamp, epoch, ticket)) = inner.cursor.wants_offset(now.instant) {
                drop(inner);
                offsets.push((name, timestamp, epoch, Sought { cell, ticket }));
            } else if let Some((at, ticket)) = inner.cursor.wants_fetch(now.instant) {
                at_end &= inner.cursor.is_at_end();
                drop(inner);
                fetches.push((name, at, Sought { cell, ticket }));
            } else if let Some(at) = inner.cursor.poll_timeout().filter(|at| *at > now.instant) {
                self.fetch_at = earlier(self.fetch_at, Some(at));
            }
        }
        if !offsets.is_empty() {
            let request = fetch::offsets_request(
                offsets
                    .iter()
                    .map(|(name, at, epoch, _)| (name, *at, *epoch)),
            );
            let sought = offsets.into_iter().map(|(.., sought)| sought).collect();
            let wait = std::time::Duration::ZERO;
            return match versions.choose(ApiKey::ListOffsets, i16::MAX) {
                Ok(version) if version >= 1 => {
                    self.frame(
                        Form::of(ApiKey::ListOffsets, version),
                        now,
                        wait,
                        Purpose::Offsets(sought),
                        |w| request.write(w),
                    );
                }
                found => shelf.fail(unsupported(found.err())),
            };
        }
        // a fetch that the broker parks would keep the partitions waiting that are read meanwhile
        if fetches.is_empty() || (buffered && at_end) {
            // a place in line, and what it was granted, go back
            self.fetch_place = None;
            self.fetch_reserve = None;
            return;
        }
        let by_name = fetches.iter().any(|(name, ..)| name.id == Uuid::default());
        let version =
            match versions.choose(ApiKey::Fetch, if by_name { LAST_BY_NAME } else { i16::MAX }) {
                Ok(version) if version >= 4 => version,
                found => return shelf.fail(unsupported(found.err())),
            };
        let ledger = &self.link.common.fetch_ledger;
        let most = fetches
            .iter()
            .map(|(_, at, _)| at.max_bytes as usize)
            .sum::<usize>();
        let reserve = most
            .min(shelf.limits.max_bytes as usize)
            .min(ledger.total());
        // who stands in line gets what was asked for then
        let reserve = *self.fetch_reserve.get_or_insert(reserve);
        match ledger.poll_reserve(reserve, &mut self.fetch_place, cx.waker()) {
            Poll::Ready(Ok(())) => self.fetch_reserve = None,
            Poll::Ready(Err(_)) => return,
            Poll::Pending => return self.fetch_blocked = true,
        }
        let request = fetch::fetch_request(
            shelf.limits,
            fetches.iter().map(|(name, at, _)| (name, *at)),
        );
        let sought = fetches.into_iter().map(|(.., sought)| sought).collect();
        let wait = shelf.limits.max_wait;
        self.frame(
            Form::of(ApiKey::Fetch, version),
            now,
            wait,
            Purpose::Fetch(sought, reserve, now.instant),
            |w| request.write(w),
        );
    }
}

/// Batches that no request can carry.
fn refuse(flights: Vec<Flight>, error: &Error) {
    for flight in flights {
        let mut resolved = Vec::new();
        let mut inner = flight.queue.inner.lock();
        inner.queue.handle_lost(flight.batch, false);
        inner.queue.abandon(error);
        let then = flight.queue.settle(&mut inner, &mut resolved);
        drop(inner);
        resolved
            .into_iter()
            .for_each(|r| flight.queue.session.resolve(&flight.queue, r));
        flight.queue.then(then);
    }
}

fn want_id(session: &Arc<Session>) {
    session.inbox.tell(Note::WantsId(session.clone()));
}

fn unsupported(error: Option<VersionError>) -> Error {
    let reason = error.map_or_else(
        || "the broker is older than 0.11 and sends no batches of magic 2".to_owned(),
        |e| e.to_string(),
    );
    Error::new(ErrorKind::Unsupported, reason)
}
