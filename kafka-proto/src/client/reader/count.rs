//! What a reader has done, counted where it happens.

use std::time::{Duration, Instant};

use super::{Cell, Shelf};
use crate::{
    client::sync::atomic::Ordering,
    config::Config,
    stats::{PartitionStats, ReaderStats},
};

/// No message of a partition was handed out yet.
pub(super) const NOWHERE: i64 = -1;

/// The piece in hand: what one fetch brought for one partition.
#[derive(Debug)]
pub(super) struct Piece {
    since: Instant,
    messages: u64,
}

impl Shelf {
    pub(crate) fn count_dial(&self) {
        self.stats.lock().dials += 1;
    }

    pub(crate) fn count_dialled(&self, took: Duration) {
        self.stats.lock().dial_time.record(took);
    }

    pub(crate) fn count_fetch(&self, waited: Duration) {
        let mut stats = self.stats.lock();
        stats.fetches += 1;
        stats.wait_time.record(waited);
    }

    pub(crate) fn count_timeout(&self) {
        self.stats.lock().timeouts += 1;
    }

    pub(super) fn count_error(&self) {
        self.stats.lock().errors += 1;
    }

    /// A piece of `bytes` is taken in hand.
    pub(super) fn begin(&self, bytes: usize) -> Piece {
        let mut stats = self.stats.lock();
        stats.bytes += bytes as u64;
        stats.fetch_bytes.record(bytes as u64);
        drop(stats);
        Piece {
            since: self.clock.now().instant,
            messages: self.delivered.load(Ordering::Relaxed),
        }
    }

    /// The next piece is asked for.
    pub(super) fn end(&self, piece: &Piece) {
        let took = self
            .clock
            .now()
            .instant
            .saturating_duration_since(piece.since);
        let messages = self.delivered.load(Ordering::Relaxed) - piece.messages;
        let mut stats = self.stats.lock();
        stats.read_time.record(took);
        stats.fetch_size.record(messages);
    }

    /// Messages are handed out. Called by the reader alone, so that a plain store will do.
    #[inline]
    pub(super) fn deliver(&self, messages: u64, cell: &Cell, next: i64) {
        let before = self.delivered.load(Ordering::Relaxed);
        self.delivered.store(before + messages, Ordering::Relaxed);
        cell.delivered_to.store(next, Ordering::Relaxed);
    }

    /// All that is known now.
    pub(super) fn stats(&self, config: &Config) -> ReaderStats {
        let mut stats = self.stats.lock().clone();
        stats.messages = self.delivered.load(Ordering::Relaxed);
        for cell in self.cells() {
            let inner = cell.inner.lock();
            stats.queue_length += inner.cursor.buffered_bytes() as u64;
            let high_watermark = inner.cursor.high_watermark();
            drop(inner);
            let offset = cell.delivered_to.load(Ordering::Relaxed);
            let offset = Some(offset).filter(|offset| *offset != NOWHERE);
            stats.partitions.push(PartitionStats {
                topic: cell.topic.clone(),
                partition: cell.partition,
                offset,
                // what was read since is not behind
                lag: Option::zip(high_watermark, offset).map(|(end, offset)| (end - offset).max(0)),
            });
        }
        let bytes = |n: i32| u64::try_from(n).unwrap_or(0);
        stats.min_bytes = bytes(self.config.min_bytes);
        stats.max_bytes = bytes(self.config.max_bytes);
        stats.max_wait = self.config.max_wait;
        stats.queue_capacity = config.fetch_buffer as u64;
        stats.client_id.clone_from(&config.client_id);
        stats
    }
}
